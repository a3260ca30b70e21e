import { type DecimalColumn, tens } from "../../engine/index.ts";

/** The largest number of columns that a row may have. */
const columnsMax = 64;
const [comma, newline, quote, space, tab, carriageReturn, zeroDigit, point] = [44, 10, 34, 32, 9, 13, 48, 46];

type LineEnd = "line" | "open";

/**
 * The longest row, also one whose quoted field extends over several lines. A longer line is refused without
 * being kept in memory.
 */
export const lineBytesMax = 65_536;

/**
 * The fields of one line, as offsets into the bytes that were read: nothing is copied until the text of a
 * field is requested. Surrounding spaces are trimmed. A line with a quote is parsed by RFC 4180, more slowly,
 * into separate bytes.
 */
export class RowFields {
  count = 0;
  bytes: Uint8Array = new Uint8Array(0);
  readonly start = new Int32Array(columnsMax);
  readonly end = new Int32Array(columnsMax);
  /** Whether the line contains a quote. */
  quoted = false;
  /** Whether a quoted field is not closed in its line, or text follows its closing quote. */
  misquoted = false;
  /** Whether the line contains a NUL byte, as at the end of a file after a crash; text never contains one. */
  binary = false;
  /** The offset after the line. */
  next = 0;
  /**
   * Number of lines of the row: more than one if a quoted field extends over the end of a line, which is
   * refused.
   */
  lines = 1;
  /** Whether a row includes the further lines of a quoted field that continues on them. */
  joinsQuoted = true;

  /**
   * Finds the line that begins at `from`. Returns "open" if the bytes end before the line does; with `last`,
   * the end of the bytes ends the line.
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
      if (this.joinsQuoted && this.misquoted && this.#isOpenBeyond(bytes, from, until, last)) return "open";
    }
    for (let field = 0; field < this.count; field++) this.#trim(field);
    return "line";
  }

  /** Whether all fields are empty. */
  get empty(): boolean {
    for (let field = 0; field < this.count; field++) if (this.start[field] !== this.end[field]) return false;
    return true;
  }

  get misquotedWhy(): string {
    return this.lines === 1
      ? "a quoted field is not closed properly; write a quote inside a field twice"
      : `a quoted field extends over ${this.lines} lines; write each row in one line`;
  }

  /** Whether the line is blank. A line of two quotes is not blank: it is a bad row. */
  get blank(): boolean {
    return this.count === 1 && !this.quoted && this.start[0] === this.end[0];
  }

  text(field: number): string {
    return textOf(this.bytes.subarray(this.start[field] as number, this.end[field] as number));
  }

  texts(): string[] {
    return Array.from({ length: this.count }, (_, field) => this.text(field));
  }

  /** Whether the field contains a byte. */
  has(field: number, byte: number): boolean {
    const end = this.end[field] as number;
    for (let at = this.start[field] as number; at < end; at++) if (this.bytes[at] === byte) return true;
    return false;
  }

  /** Returns the line for a person to read: at most 200 characters, with control characters shown as `·`. */
  static excerpt(bytes: Uint8Array, from: number, to: number): string {
    const text = utf8.decode(bytes.subarray(from, Math.min(to, from + 800)));
    const shown = text.trimEnd().replaceAll(/\p{Cc}/gu, (control) => (control === "\t" ? " " : "·"));
    return shown.length > 200 || to > from + 800 ? `${shown.slice(0, 200)}…` : shown;
  }

  /**
   * Reads the field as a decimal into a column; false if it is not a decimal. The common case, up to 15
   * digits, allocates nothing; longer numbers and exponents go through parseDecimal.
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

  /** Returns the field as a whole number of at most 15 digits without leading zeros, or -1. */
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
   * Extends the row by the lines over which a quoted field continues, so that none of them is read as a row
   * of its own. Returns true if the bytes end before that is decided. A quote that is not closed within
   * `lineBytesMax` bytes is a stray character: the row then consists of its first line only.
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

  /**
   * Parses quotes as in RFC 4180, but never across the end of a line. Writes the unquoted fields one after
   * the other into new bytes.
   */
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

/**
 * Decodes as UTF-8, or else as Windows-1252, so that different bytes never give the same text, as replacement
 * characters would.
 */
function textOf(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return windows1252.decode(bytes);
  }
}

const isBlank = (byte: number): boolean => byte === space || byte === tab || byte === carriageReturn;

/** Numbers the different texts, without creating a string for a text that is already known. */
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
