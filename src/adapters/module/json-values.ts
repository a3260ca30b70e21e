import { formatDecimal, parseDecimal } from "../../base/decimal.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { JsonValue } from "../../ports/system.ts";

export interface AnswerLimits {
  /** Floats become decimal text; false leaves them as they are. */
  readonly exactNumbers: boolean;
  /**
   * Limit of an answer's approximate size as JSON text: the characters of its texts and names, and a few
   * bytes per value.
   */
  readonly answerBytesMax: number;
}

/** Deeper nesting counts as a circle. */
const depthMax = 200;

/**
 * Copies a module's answer into a JSON value. A float becomes the decimal of its shortest round-trip text
 * (0.1 is "0.1", 1e-7 is "0.0000001"); safe integers stay numbers; a bigint becomes text; `toJSON` is called
 * where a value has it (dates); undefined and holes are treated as JSON.stringify treats them. Throws
 * SystemFailure: GARBLED, with the position, for a value that JSON does not have (functions, symbols, NaN,
 * maps, circles); TOO_LARGE as soon as the limit is exceeded. Linear in the values.
 */
export function jsonAnswer(answer: unknown, limits: AnswerLimits): JsonValue {
  const reader = new AnswerReader(limits);
  try {
    return reader.read(answer, 0) ?? null;
  } catch (failure) {
    if (failure instanceof SystemFailure) throw failure;
    // A getter or a toJSON of the answer threw.
    throw new SystemFailure("GARBLED", `the answer cannot be read at ${reader.place}`);
  }
}

/** A deep copy, so that a module cannot change its caller's values. Linear in the values. */
export function jsonCopy(value: JsonValue): JsonValue {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(jsonCopy);
  const copy: Record<string, JsonValue> = {};
  for (const [key, entry] of Object.entries(value)) put(copy, key, jsonCopy(entry));
  return copy;
}

class AnswerReader {
  readonly #exactNumbers: boolean;
  #left: number;
  readonly #path: (string | number)[] = [];

  constructor({ exactNumbers, answerBytesMax }: AnswerLimits) {
    this.#exactNumbers = exactNumbers;
    this.#left = answerBytesMax;
  }

  get place(): string {
    const steps = this.#path
      .slice(0, 20)
      .map((step) => (typeof step === "number" ? `[${step}]` : `.${step.slice(0, 100)}`));
    return `$${steps.join("")}`;
  }

  /** The value as JSON; undefined if JSON leaves such a value out. */
  read(value: unknown, depth: number): JsonValue | undefined {
    switch (typeof value) {
      case "string":
        this.#spend(value.length + 2);
        return value;
      case "number":
        this.#spend(8);
        return this.#number(value);
      case "boolean":
        this.#spend(5);
        return value;
      case "bigint":
        return this.read(value.toString(), depth);
      case "undefined":
        return undefined;
      case "object":
        return value === null ? this.#null() : this.#object(value, depth);
      default:
        return this.#refuse(`a ${typeof value}`);
    }
  }

  #null(): null {
    this.#spend(4);
    return null;
  }

  #number(value: number): number | string {
    if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
    if (!Number.isFinite(value)) return this.#refuse(String(value));
    return this.#exactNumbers ? floatText(value) : value;
  }

  #object(value: object, depth: number): JsonValue | undefined {
    if (depth > depthMax) this.#refuse(`more than ${depthMax} levels, or a circle`);
    this.#spend(2);
    const { toJSON } = value as { readonly toJSON?: unknown };
    if (typeof toJSON === "function") {
      const [key = ""] = this.#path.slice(-1);
      return this.read(toJSON.call(value, String(key)), depth + 1);
    }
    if (Array.isArray(value)) return this.#array(value, depth);
    if (value instanceof Map || value instanceof Set || value instanceof Promise || ArrayBuffer.isView(value))
      this.#refuse(`a ${value.constructor.name}`);
    const copy: Record<string, JsonValue> = {};
    for (const key of Object.keys(value)) {
      this.#path.push(key);
      const entry = this.read((value as Readonly<Record<string, unknown>>)[key], depth + 1);
      this.#path.pop();
      if (entry === undefined) continue;
      this.#spend(key.length + 4);
      put(copy, key, entry);
    }
    return copy;
  }

  #array(values: readonly unknown[], depth: number): readonly JsonValue[] {
    const copy: JsonValue[] = [];
    for (let at = 0; at < values.length; at++) {
      this.#path.push(at);
      copy.push(this.read(values[at], depth + 1) ?? this.#null());
      this.#path.pop();
    }
    return copy;
  }

  #spend(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw new SystemFailure("TOO_LARGE", "the answer is larger than the limit");
  }

  #refuse(what: string): never {
    throw new SystemFailure("GARBLED", `the answer is not JSON: ${what} at ${this.place}`);
  }
}

/** The shortest round-trip text of a finite float, in plain notation. */
function floatText(value: number): string {
  const text = String(value);
  if (!text.includes("e")) return text;
  const decimal = parseDecimal(text);
  if (decimal === undefined) throw new RangeError(`unreadable float ${text}`);
  return formatDecimal(decimal);
}

/** Sets a property, also one named `__proto__`, whose assignment would set the prototype instead. */
function put(target: Record<string, JsonValue>, key: string, value: JsonValue): void {
  if (key === "__proto__")
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  else target[key] = value;
}
