import { formatDecimal, parseDecimal } from "./decimal.ts";

/** A JSON value. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** Limits that keep hostile input cheap: the number of characters, and of nesting levels. */
export const textLengthMax = 64 * 2 ** 20;
export const depthMax = 512;

/**
 * Reads JSON without converting any number to a float: whole numbers below 2^53 in plain digits stay numbers,
 * and every other number becomes the decimal text of its source (`0.10` is "0.1", `1.0` is "1", `1e3` is
 * "1000", `9007199254740993` is itself). So a float of a system's answer becomes the decimal that the system
 * wrote, and exact numbers stay exact.
 *
 * Throws SyntaxError, with the place, for text that is not JSON (NaN and Infinity are not), for a key that
 * occurs twice in one object (JSON.parse would take the last one), and beyond the limits; numbers have the
 * limits of `parseDecimal`.
 *
 * Linear, about 20 ns per character: a quarter of the speed of JSON.parse, and twice that of JSON.parse with
 * a reviver that reads the sources.
 */
export function parseExact(text: string): JsonValue {
  if (text.length > textLengthMax) throw new SyntaxError(`more than ${textLengthMax} characters of JSON`);
  return new Parser(text).document();
}

const [tab, newline, carriageReturn, space, quote, comma, minus, point, zero, nine, colon, backslash] = [
  ...'\t\n\r ",-.09:\\',
].map((character) => character.charCodeAt(0)) as Twelve;
const [openList, closeList, openObject, closeObject, smallE, capitalE] = [..."[]{}eE"].map((character) =>
  character.charCodeAt(0),
) as Twelve;
type Twelve = [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): JsonValue {
    const value = this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return value;
  }

  #value(depth: number): JsonValue {
    const first = this.#skipSpace();
    if (first === quote) return this.#string();
    if (first === openObject) return this.#object(depth + 1);
    if (first === openList) return this.#list(depth + 1);
    if (first === minus || isDigit(first)) return this.#number();
    for (const [word, value] of words)
      if (this.#text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    throw this.#unexpected();
  }

  #object(depth: number): JsonValue {
    if (depth > depthMax) throw this.#refused(`more than ${depthMax} levels`);
    const object: Record<string, JsonValue> = {};
    this.#at += 1;
    if (this.#skipSpace() === closeObject) {
      this.#at += 1;
      return object;
    }
    for (;;) {
      if (this.#skipSpace() !== quote) throw this.#unexpected();
      const key = this.#string();
      if (Object.hasOwn(object, key)) throw this.#refused("a key for the second time");
      if (this.#skipSpace() !== colon) throw this.#unexpected();
      this.#at += 1;
      const value = this.#value(depth);
      // A plain assignment to this name would change the prototype of the object.
      if (key === "__proto__")
        Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true });
      else object[key] = value;
      if (this.#closes(closeObject)) return object;
    }
  }

  #list(depth: number): JsonValue {
    if (depth > depthMax) throw this.#refused(`more than ${depthMax} levels`);
    const list: JsonValue[] = [];
    this.#at += 1;
    if (this.#skipSpace() === closeList) {
      this.#at += 1;
      return list;
    }
    for (;;) {
      list.push(this.#value(depth));
      if (this.#closes(closeList)) return list;
    }
  }

  /** Reads the separator after a member; returns whether that member was the last one. */
  #closes(close: number): boolean {
    const next = this.#skipSpace();
    if (next !== comma && next !== close) throw this.#unexpected();
    this.#at += 1;
    return next === close;
  }

  #string(): string {
    const text = this.#text;
    const from = this.#at + 1;
    let hasEscapes = false;
    for (let at = from; ; at++) {
      const code = text.charCodeAt(at);
      if (code === quote) {
        this.#at = at + 1;
        if (hasEscapes) return this.#unescaped(from - 1, at + 1);
        return detached(text.slice(from, at));
      }
      if (code === backslash) {
        hasEscapes = true;
        at += 1;
      } else if (!(code >= space)) {
        // A control character, or the end of the text.
        this.#at = at;
        throw this.#unexpected();
      }
    }
  }

  #unescaped(from: number, to: number): string {
    try {
      return JSON.parse(this.#text.slice(from, to));
    } catch {
      this.#at = from;
      throw this.#refused("text with a bad escape");
    }
  }

  #number(): number | string {
    const text = this.#text;
    const from = this.#at;
    let at = from;
    if (text.charCodeAt(at) === minus) at += 1;
    if (text.charCodeAt(at) === zero) at += 1;
    else at = this.#digits(at);
    const wholeTo = at;
    if (text.charCodeAt(at) === point) at = this.#digits(at + 1);
    const fractionTo = at;
    const letter = text.charCodeAt(at);
    if (letter === smallE || letter === capitalE) {
      const sign = text[at + 1];
      at = this.#digits(at + (sign === "-" || sign === "+" ? 2 : 1));
    }
    this.#at = at;
    const source = text.slice(from, at);
    if (at === wholeTo) {
      const whole = Number(source);
      // -0 becomes 0, since decimal text has no signed zero either.
      if (Number.isSafeInteger(whole)) return whole === 0 ? 0 : whole;
    } else if (at === fractionTo && source.length < 32 && text.charCodeAt(at - 1) !== zero) {
      // Already in the canonical form of `formatDecimal`.
      return detached(source);
    }
    const exact = parseDecimal(source);
    this.#at = from;
    if (exact === undefined) throw this.#refused("a number with too many digits");
    this.#at = at;
    return formatDecimal(exact);
  }

  /** Skips one digit or more. */
  #digits(from: number): number {
    let at = from;
    while (isDigit(this.#text.charCodeAt(at))) at += 1;
    if (at > from) return at;
    this.#at = at;
    throw this.#unexpected();
  }

  /** Skips white space and returns the next character; NaN at the end. */
  #skipSpace(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== space && code !== newline && code !== carriageReturn && code !== tab) return code;
      this.#at += 1;
    }
  }

  #unexpected(): SyntaxError {
    const character = this.#text[this.#at];
    return this.#refused(character === undefined ? "the end" : JSON.stringify(character));
  }

  #refused(what: string): SyntaxError {
    return new SyntaxError(`not exact JSON: ${what} at character ${this.#at + 1}`);
  }
}

/**
 * Copies a piece of a text. Without the copy, a piece of more than a few characters keeps the whole text in
 * memory for as long as the piece is in use.
 */
const detached = (piece: string): string => (piece.length < pieceSharedFrom ? piece : ` ${piece}`.slice(1));
const pieceSharedFrom = 13;

const words = [
  ["true", true],
  ["false", false],
  ["null", null],
] as const;

const isDigit = (code: number): boolean => code >= zero && code <= nine;
