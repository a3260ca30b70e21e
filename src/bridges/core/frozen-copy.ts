/** The reason why a value cannot be copied for the other side. */
export type CopyRefusal = "input_too_large" | "input_not_copyable";

/** A value with more levels counts as circular. */
const depthMax = 64;

/**
 * Returns frozen deep copies of a call's arguments, so that a shadow can neither alter the caller's and
 * legacy's values nor see their later changes. Copies plain objects, arrays, dates, maps, sets, typed arrays
 * and primitives; shares an instance of another class if it is deeply frozen. Refuses more than `valuesMax`
 * values (the caller waits for the copy, so it must stay small), functions, circles, other instances, and
 * values that throw when they are read. Linear in the values, some 20 ns each. The returned list itself is
 * not frozen.
 */
export function frozenArguments(
  args: readonly unknown[],
  valuesMax: number,
): readonly unknown[] | CopyRefusal {
  const copier = new Copier(valuesMax, true);
  try {
    const copies = copier.entries(args, 0);
    return copier.refusal ?? copies;
  } catch {
    return cannotBeRead;
  }
}

/** Returns a deep copy of an answer under the same rules, not frozen: the bridge alone uses it. */
export function ownCopy(value: unknown, valuesMax: number): { readonly value: unknown } | CopyRefusal {
  const copier = new Copier(valuesMax, false);
  try {
    const copy = copier.copy(value, 0);
    return copier.refusal ?? { value: copy };
  } catch {
    return cannotBeRead;
  }
}

/** The refusal for a getter or a proxy that throws. Such a value must not make the call fail. */
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
    if (prototype === Object.prototype || prototype === null)
      return this.#object(value as Record<string, unknown>, depth);
    return this.#other(value, depth);
  }

  entries(list: readonly unknown[], depth: number): unknown[] {
    if (!this.#spend(list.length + 1)) return [];
    const copy = list.slice();
    for (let at = 0; at < copy.length; at++)
      if (isNested(copy[at])) copy[at] = this.copy(copy[at], depth + 1);
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
      return new Map(
        [...value].map(([key, entry]) => [this.copy(key, depth + 1), this.copy(entry, depth + 1)]),
      );
    if (value instanceof Set && this.#spend(value.size + 1))
      return new Set([...value].map((entry) => this.copy(entry, depth + 1)));
    if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
      const typed = value as Uint8Array;
      // The `slice` of a Buffer would share the bytes, so the one of Uint8Array is used.
      return this.#spend(typed.length / 8 + 1) ? Uint8Array.prototype.slice.call(typed) : undefined;
    }
    if (this.#isDeeplyFrozen(value, depth)) return value;
    this.refusal ??= "input_not_copyable";
    return undefined;
  }

  #isDeeplyFrozen(value: object, depth: number): boolean {
    if (depth > depthMax || !this.#spend(1) || staysMutable(value) || !Object.isFrozen(value)) return false;
    return Reflect.ownKeys(value).every((key) => {
      const inside: unknown = Reflect.get(value, key);
      return (
        !isNested(inside) || (typeof inside === "object" && this.#isDeeplyFrozen(inside as object, depth + 1))
      );
    });
  }

  #spend(values: number): boolean {
    this.#left -= values;
    if (this.#left < 0) this.refusal ??= "input_too_large";
    return this.#left >= 0;
  }
}

/** Whether the content of a value can be changed although the value is frozen. */
const staysMutable = (value: object): boolean =>
  value instanceof Date ||
  value instanceof Map ||
  value instanceof Set ||
  ArrayBuffer.isView(value) ||
  value instanceof ArrayBuffer;

const isNested = (value: unknown): boolean =>
  (typeof value === "object" && value !== null) || typeof value === "function";
