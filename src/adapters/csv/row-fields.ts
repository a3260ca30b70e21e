import { type DecimalColumn, tens } from "../../engine/index.ts";

/** Most columns a line may have before it is surely not a ledger row. */
const columnsMax = 64;
const [comma, newline, quote, space, tab, carriageReturn, zeroDigit, point] = [44, 10, 34, 32, 9, 13, 48, 46];

type LineEnd = "line" | "open";

/** A longer line is no row; it is refused without being held in memory. A quoted field over several lines has no more either. */
export const lineBytesMax = 65_536;

/**
 * The fields of one line, as offsets into the bytes it was read from: nothing is copied until a field asks for its text.
 * Fields are trimmed of spaces. A line with a quote is read by the slow rule of RFC 4180, into bytes of its own.
 */
export class RowFields {
  count = 0;
  bytes: Uint8Array = new Uint8Array(0);
  readonly start = new Int32Array(columnsMax);
  readonly end = new Int32Array(columnsMax);
  /** Set when the line holds a quote. */
  quoted = false;
  /** Set when a quoted field does not end where it should. */
  misquoted = false;
  /** Set when the line holds a NUL byte, which no text does; the tail of a file that a crash cut off does. */
  binary = false;
  /** Behind the line's end. */
  next = 0;
  /** How many lines the row takes: more than one where a quoted field goes on over the end of a line. Such a row is misquoted. */
  lines = 1;

  /**
   * Finds the line that begins at `from`. "open" where the bytes end before the line does; unless `last`, in which case
   * the end of the bytes is the end of the line.
   */
  read(bytes: Uint8Array, from: number, until: number, last: boolean): LineEnd {
    this.bytes = bytes;
    this.misquoted = false;
    this.binary = false;
    this.lines = 1;
    const { start, end } = this;
    let count = 0;
    let fieldStart = from;
    let quoted = false;
    let at = from;
    for (; at < until; at++) {
      const byte = bytes[at] as number;
      if (byte > comma) continue;
      if (byte === comma) {
        if (count < columnsMax - 1) {
          start[count] = fieldStart;
          end[count] = at;
          count += 1;
        }
        fieldStart = at + 1;
      } else if (byte === newline) break;
      else if (byte === quote) quoted = true;
      else if (byte === 0) this.binary = true;
    }
    if (at === until && !last) return "open";
    this.next = Math.min(at + 1, until);
    start[count] = fieldStart;
    end[count] = at;
    this.count = count + 1;
    this.quoted = quoted;
    if (quoted) {
      this.#readQuoted(from, at);
      if (this.misquoted && this.#isOpenBeyond(bytes, from, until, last)) return "open";
    }
    for (let field = 0; field < this.count; field++) this.#trim(field);
    return "line";
  }

  /** Whether no field holds anything. */
  get empty(): boolean {
    for (let field = 0; field < this.count; field++) if (this.start[field] !== this.end[field]) return false;
    return true;
  }

  get misquotedWhy(): string {
    return this.lines === 1
      ? "a quoted field does not end where it should"
      : `a quoted field goes on over ${this.lines} lines; write each row in one line`;
  }

  /** A line of two quotes is a row, if a bad one. */
  get blank(): boolean {
    return this.count === 1 && !this.quoted && this.start[0] === this.end[0];
  }

  text(field: number): string {
    return textOf(this.bytes.subarray(this.start[field] as number, this.end[field] as number));
  }

  /** The line as it stands, for a person: at most 200 characters, control characters shown as `·`. */
  static excerpt(bytes: Uint8Array, from: number, to: number): string {
    const text = utf8.decode(bytes.subarray(from, Math.min(to, from + 800)));
    const shown = text.trimEnd().replaceAll(/\p{Cc}/gu, (control) => (control === "\t" ? " " : "·"));
    return shown.length > 200 || to > from + 800 ? `${shown.slice(0, 200)}…` : shown;
  }

  /**
   * Reads the field as a decimal into a column; false where it is none. The common case, up to 15 digits, makes no
   * garbage; longer numbers and exponents go through parseDecimal.
   */
  decimal(field: number, column: DecimalColumn, index: number): boolean {
    const { bytes } = this;
    const end = this.end[field] as number;
    let at = this.start[field] as number;
    const negative = bytes[at] === 45;
    if (negative) at += 1;
    const first = at;
    let coefficient = 0;
    let scale = 0;
    let zeros = 0;
    let pointAt = -1;
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - zeroDigit;
      if (digit >= 0 && digit <= 9) {
        if (pointAt < 0) coefficient = coefficient * 10 + digit;
        else if (digit === 0) zeros += 1;
        else {
          scale += zeros + 1;
          if (scale >= tens.length) return column.parse(index, this.text(field));
          coefficient = coefficient * (tens[zeros + 1] as number) + digit;
          zeros = 0;
        }
      } else if (bytes[at] === point && pointAt < 0) pointAt = at;
      else return column.parse(index, this.text(field));
    }
    const digits = end - first - (pointAt < 0 ? 0 : 1);
    if (digits === 0) return false;
    if (coefficient > 999_999_999_999_999) return column.parse(index, this.text(field));
    column.coefficient[index] = negative && coefficient !== 0 ? -coefficient : coefficient;
    column.scale[index] = scale;
    return true;
  }

  /** The field as a whole number of at most 15 digits without leading zeros, or -1. */
  wholeNumber(field: number): number {
    const [start, end] = [this.start[field] as number, this.end[field] as number];
    if (end === start || end - start > 15 || (this.bytes[start] === zeroDigit && end - start > 1)) return -1;
    let value = 0;
    for (let at = start; at < end; at++) {
      const digit = (this.bytes[at] as number) - zeroDigit;
      if (digit < 0 || digit > 9) return -1;
      value = value * 10 + digit;
    }
    return value;
  }

  #trim(field: number): void {
    const { bytes } = this;
    let [from, to] = [this.start[field] as number, this.end[field] as number];
    while (from < to && isBlank(bytes[from] as number)) from += 1;
    while (to > from && isBlank(bytes[to - 1] as number)) to -= 1;
    this.start[field] = from;
    this.end[field] = to;
  }

  /**
   * Takes the lines over which a quoted field goes on into the row, so that none of them is read as a row of its own. Returns
   * true where the bytes end before that is known. A quote that is not closed within `lineBytesMax` bytes is one too many: then
   * the row is the line.
   */
  #isOpenBeyond(bytes: Uint8Array, from: number, until: number, last: boolean): boolean {
    const limit = Math.min(until, from + lineBytesMax);
    let isInQuotes = false;
    let isFieldStart = true;
    let lines = 1;
    for (let at = from; at < limit; at++) {
      const byte = bytes[at] as number;
      if (byte === newline) {
        if (!isInQuotes) {
          this.next = at + 1;
          this.lines = lines;
          return false;
        }
        lines += 1;
      } else if (isInQuotes) {
        if (byte !== quote) continue;
        if (bytes[at + 1] === quote && at + 1 < limit) at += 1;
        else isInQuotes = false;
      } else if (byte === comma) isFieldStart = true;
      else if (byte === quote && isFieldStart) {
        isInQuotes = true;
        isFieldStart = false;
      } else if (!isBlank(byte)) isFieldStart = false;
    }
    if (limit < from + lineBytesMax && !last) return true;
    if (!isInQuotes && limit === until) {
      this.next = until;
      this.lines = lines;
    }
    return false;
  }

  /** Quotes as in RFC 4180, but never over a line's end. Writes the unquoted fields one behind the other into fresh bytes. */
  #readQuoted(from: number, to: number): void {
    const source = this.bytes;
    const target = new Uint8Array(to - from);
    let [at, place, count] = [from, 0, 0];
    while (true) {
      const begin = place;
      while (at < to && isBlank(source[at] as number)) at += 1;
      if (source[at] === quote && at < to) {
        at += 1;
        while (at < to && !(source[at] === quote && (at + 1 === to || source[at + 1] !== quote))) {
          if (source[at] === quote) at += 1;
          target[place++] = source[at++] as number;
        }
        if (at >= to) this.misquoted = true;
        at += 1;
        while (at < to && isBlank(source[at] as number)) at += 1;
        if (at < to && source[at] !== comma) this.misquoted = true;
      }
      while (at < to && source[at] !== comma) target[place++] = source[at++] as number;
      if (count < columnsMax) {
        this.start[count] = begin;
        this.end[count] = place;
        count += 1;
      }
      if (at >= to) break;
      at += 1;
    }
    this.bytes = target;
    this.count = count;
  }
}

const utf8 = new TextDecoder();
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const windows1252 = new TextDecoder("windows-1252");

/** UTF-8, or else Windows-1252: bytes that differ never become one text, as they would with replacement characters. */
function textOf(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return windows1252.decode(bytes);
  }
}

const isBlank = (byte: number): boolean => byte === space || byte === tab || byte === carriageReturn;

/** Texts by number, without making a string for a text that was seen before. */
export class ByteInterner {
  readonly texts: string[] = [];
  readonly #bytes: Uint8Array[] = [];
  #slots = new Int32Array(256).fill(-1);

  intern(bytes: Uint8Array, from: number, to: number): number {
    let hash = 0x811c9dc5;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    for (let slot = hash & (this.#slots.length - 1); ; slot = (slot + 1) & (this.#slots.length - 1)) {
      const known = this.#slots[slot] as number;
      if (known < 0) return this.#add(new Uint8Array(bytes.subarray(from, to)), slot);
      if (sameBytes(this.#bytes[known] as Uint8Array, bytes, from, to)) return known;
    }
  }

  #add(bytes: Uint8Array, slot: number): number {
    const index = this.texts.push(textOf(bytes)) - 1;
    this.#bytes.push(bytes);
    this.#slots[slot] = index;
    if (this.texts.length * 2 > this.#slots.length) this.#rehash();
    return index;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 4).fill(-1);
    this.#bytes.forEach((bytes, index) => {
      let hash = 0x811c9dc5;
      for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
      let slot = hash & (slots.length - 1);
      while ((slots[slot] as number) >= 0) slot = (slot + 1) & (slots.length - 1);
      slots[slot] = index;
    });
    this.#slots = slots;
  }
}

function sameBytes(known: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (known.length !== to - from) return false;
  for (let at = 0; at < known.length; at++) if (known[at] !== bytes[from + at]) return false;
  return true;
}
