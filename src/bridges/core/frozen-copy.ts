/** Why a value cannot be handed to the other side as a copy. */
export type CopyRefusal = "input_too_large" | "input_not_copyable";

/** More levels are taken for a circle. */
const depthMax = 64;

/**
 * Deep copies of a call's arguments that nobody can change: so a shadow can neither alter what the caller and legacy hold, nor see
 * what they change later. Plain objects, arrays, dates, maps, sets, typed arrays and primitives; a thing of any other class is shared
 * as it is where it and all that it holds is frozen. Refused: more than `valuesMax` values (the copy is made in the caller's time, so
 * it must stay small), functions, circles, other classes, and what throws when it is read. Linear in the values, some 20 ns each.
 * The list itself is open: nobody but us sees it.
 */
export function frozenArguments(args: readonly unknown[], valuesMax: number): readonly unknown[] | CopyRefusal {
  const copier = new Copier(valuesMax, true);
  try {
    const copies = copier.entries(args, 0);
    return copier.refusal ?? copies;
  } catch {
    return cannotBeRead;
  }
}

/** As much of an answer, for a copy that stays in our hands. */
export function ownCopy(value: unknown, valuesMax: number): { readonly value: unknown } | CopyRefusal {
  const copier = new Copier(valuesMax, false);
  try {
    const copy = copier.copy(value, 0);
    return copier.refusal ?? { value: copy };
  } catch {
    return cannotBeRead;
  }
}

/** A getter or a proxy that throws: whoever needs the value will meet it, a copy must not be what fails the call. */
const cannotBeRead: CopyRefusal = "input_not_copyable";

class Copier {
  refusal: CopyRefusal | undefined;
  #left: number;
  readonly #freezes: boolean;

  constructor(valuesMax: number, freezes: boolean) {
    this.#left = valuesMax;
    this.#freezes = freezes;
  }

  copy(value: unknown, depth: number): unknown {
    if (typeof value !== "object" || value === null) {
      if (typeof value === "function") this.refusal ??= "input_not_copyable";
      return value;
    }
    if (depth > depthMax) this.refusal ??= "input_not_copyable";
    if (this.refusal !== undefined) return undefined;
    if (Array.isArray(value)) return this.#array(value, depth);
    const prototype = Object.getPrototypeOf(value);
    if (prototype === Object.prototype || prototype === null) return this.#object(value as Record<string, unknown>, depth);
    return this.#other(value, depth);
  }

  entries(list: readonly unknown[], depth: number): unknown[] {
    if (!this.#spend(list.length + 1)) return [];
    const copy = list.slice();
    for (let at = 0; at < copy.length; at++) if (isNested(copy[at])) copy[at] = this.copy(copy[at], depth + 1);
    return copy;
  }

  #array(value: readonly unknown[], depth: number): unknown {
    const copy = this.entries(value, depth);
    return this.#freezes ? Object.freeze(copy) : copy;
  }

  #object(value: Record<string, unknown>, depth: number): unknown {
    const copy: Record<string, unknown> = { ...value };
    let count = 1;
    for (const key in copy) {
      count += 1;
      if (isNested(copy[key])) copy[key] = this.copy(copy[key], depth + 1);
    }
    if (!this.#spend(count)) return undefined;
    return this.#freezes ? Object.freeze(copy) : copy;
  }

  #other(value: object, depth: number): unknown {
    if (value instanceof Date) return Object.freeze(new Date(value.getTime()));
    if (value instanceof Map && this.#spend(value.size + 1))
      return new Map([...value].map(([key, entry]) => [this.copy(key, depth + 1), this.copy(entry, depth + 1)]));
    if (value instanceof Set && this.#spend(value.size + 1))
      return new Set([...value].map((entry) => this.copy(entry, depth + 1)));
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
      const typed = value as Uint8Array;
      // Not the value's own `slice`: a Buffer's would share the bytes.
      return this.#spend(typed.length / 8 + 1) ? Uint8Array.prototype.slice.call(typed) : undefined;
    }
    if (this.#isFrozenThrough(value, depth)) return value;
    this.refusal ??= "input_not_copyable";
    return undefined;
  }

  #isFrozenThrough(value: object, depth: number): boolean {
    if (depth > depthMax || !this.#spend(1) || isOpen(value) || !Object.isFrozen(value)) return false;
    return Reflect.ownKeys(value).every((key) => {
      const inside: unknown = Reflect.get(value, key);
      return !isNested(inside) || (typeof inside === "object" && this.#isFrozenThrough(inside as object, depth + 1));
    });
  }

  #spend(values: number): boolean {
    this.#left -= values;
    if (this.#left < 0) this.refusal ??= "input_too_large";
    return this.#left >= 0;
  }
}

/** What freezing does not close. */
const isOpen = (value: object): boolean =>
  value instanceof Date ||
  value instanceof Map ||
  value instanceof Set ||
  ArrayBuffer.isView(value) ||
  value instanceof ArrayBuffer;

const isNested = (value: unknown): boolean => (typeof value === "object" && value !== null) || typeof value === "function";
