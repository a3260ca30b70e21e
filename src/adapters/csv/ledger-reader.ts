import { open } from "node:fs/promises";
import { basename } from "node:path";
import { parseDecimal } from "../../base/decimal.ts";
import { BridgeError } from "../../base/errors.ts";
import {
  dateOfDay,
  dayNumber,
  dayUs,
  instantOfWall,
  readInstant,
  wallReading,
} from "../../domain/market/chicago-time.ts";
import type { NoteCode } from "../../domain/market/finding-codes.ts";
import { parseDay, type TradingDayRule } from "../../domain/market/trading-day.ts";
import { type Describe, type Refusal, refusals, type TradeColumns, TradeIntake } from "../../engine/index.ts";
import type { Note, Quarantined } from "../../ports/ledger.ts";
import { filesOf, namesOf, onceEach, regularFile, unreadable } from "./files.ts";
import { type NotCsv, notCsv } from "./not-csv.ts";
import { NoteLog } from "./note-log.ts";
import { ByteInterner, lineBytesMax, RowFields } from "./row-fields.ts";

/** The six required columns of a ledger, in any order. A header may also have `book` and `fee`. */
export const ledgerColumns = [
  "tradeId",
  "instrumentName",
  "marketTradeTime",
  "buySell",
  "quantity",
  "price",
] as const;
const optionalColumns = ["book", "fee"] as const;
type Column = (typeof ledgerColumns)[number] | (typeof optionalColumns)[number];

const chunkBytesDefault = 1 << 20;

export interface LedgerOptions {
  readonly dayRule: TradingDayRule;
  readonly describe: Describe;
  /** Ignores books, for a comparison with a system that does not know them. */
  readonly netBooks?: boolean;
  /** Counts rows again that an earlier file has too, like a system that does not compare files. */
  readonly keepRepeated?: boolean;
  /**
   * Number of rows to read of a file, by its index. The rest is ignored, as by a system that stopped reading
   * the file there.
   */
  readonly rowsTaken?: ReadonlyMap<number, number>;
  /** Called with each piece of a file that is read, in order. */
  readonly onBytes?: ((path: string, bytes: Uint8Array) => void) | undefined;
  /** Called after each chunk. */
  readonly onProgress?: (done: {
    readonly bytes: number;
    readonly bytesTotal: number;
    readonly rows: number;
  }) => void;
}

export interface LedgerInput {
  readonly trades: TradeColumns;
  /** The files' names in notes and quarantine, in reading order; `trades.file` is an index into it. */
  readonly files: readonly string[];
  readonly quarantine: readonly Quarantined[];
  readonly notes: readonly Note[];
  /** Number of data rows, without blank lines: accepted + duplicates + quarantined. */
  readonly rows: number;
  readonly accepted: number;
  /** Number of rows that repeat a row of an earlier file. */
  readonly duplicates: number;
  /** The trade that each duplicate repeats, as an index into `trades`. */
  readonly repeated: readonly number[];
  /** Numbers of trades, of rows and of repeated rows after each file. */
  readonly ends: readonly { readonly trades: number; readonly rows: number; readonly repeated: number }[];
  /** Maps a symbol to the first symbol of the same instrument, which its trades carry. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Whether any trade has a book. */
  readonly books: boolean;
  readonly quarantined: number;
}

/**
 * Reads ledger files into trade columns, streaming, of any size, with about 45 bytes of memory per trade.
 * Each bad row goes to quarantine, with file, line, code and text, and reading continues. Throws BridgeError
 * if a file as a whole cannot be read. Equal rows within a file are separate trades; a row that an earlier
 * file has too is the same trade (a multiset difference). `chunkBytes` is the size of a read; it does not
 * affect the result (tests read byte by byte).
 */
export async function readLedgers(
  paths: readonly string[],
  options: LedgerOptions,
  chunkBytes: number = chunkBytesDefault,
): Promise<LedgerInput> {
  const reader = new LedgerReader(paths, options, chunkBytes);
  const sizes = await Promise.all(paths.map(async (path) => (await regularFile(path)).size));
  await reader.read(sizes.reduce((a, b) => a + b, 0));
  return reader.result();
}

/**
 * Lists the ledger files of the given files and folders, each once, in reading order: day in the name, then
 * name, then path. A folder contributes the `trades_*.csv` directly inside it. Throws if it has none, or if a
 * path cannot be read.
 */
export async function findLedgers(given: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(
    given.map((path) => filesOf(path, { pattern: /^trades_.*\.csv$/i, shown: "trades_*.csv" })),
  );
  const paths = await onceEach(found.flat());
  const key = (path: string): string =>
    `${`${dayInName(path) ?? 0}`.padStart(8, "0") + basename(path)}\u0000${path}`;
  return [...paths].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** The day in a ledger's name such as `trades_20250724.csv`; undefined for a name without one. */
export function dayInName(path: string): number | undefined {
  const [, year = "", month = "", date = ""] = /(\d{4})(\d{2})(\d{2})/.exec(basename(path)) ?? [];
  return year === "" ? undefined : parseDay(`${year}-${month}-${date}`);
}

const newline = 10;

const notText: Refusal = [
  "NOT_TEXT",
  "the line contains NUL bytes, as after a crash of the program that wrote the file",
];

class LedgerReader {
  readonly #paths: readonly string[];
  readonly #options: LedgerOptions;
  readonly #chunkBytes: number;
  readonly #intake: TradeIntake;
  readonly #trades: TradeColumns;
  readonly #log = new NoteLog();
  readonly #files: readonly string[];
  readonly #fields = new RowFields();
  readonly #symbols = new ByteInterner();
  readonly #books = new ByteInterner();
  /**
   * Lanes by symbol and book, for each year: a symbol's one-digit year means different years in different
   * decades.
   */
  readonly #lanesByYear = new Map<number, Map<number, number>>();
  /**
   * The lanes of the current year, kept because nearly every row is in the year of the row before it. The
   * next two fields are the limits of that year in wall time.
   */
  #lanes = new Map<number, number>();
  #yearFromUs = 0;
  #yearUntilUs = 0;
  #rows = 0;
  readonly #ends: LedgerInput["ends"][number][] = [];
  #sawBook = false;
  /** State of the file being read. */
  #file = 0;
  #line = 0;
  #rowsLeft = Number.POSITIVE_INFINITY;
  #fileDay: number | undefined;
  #at = columnPlaces(ledgerColumns);
  #columnCount = 0;
  /** The last date, as its ten bytes, and its midnight: most rows repeat the date of the row before. */
  #dateKey = [0, 0, 0];
  #midnightUs = Number.NaN;

  constructor(paths: readonly string[], options: LedgerOptions, chunkBytes: number) {
    this.#paths = paths;
    this.#options = options;
    this.#chunkBytes = chunkBytes;
    this.#files = namesOf(paths);
    const { describe, dayRule, netBooks = false, keepRepeated = false } = options;
    const placeOf = (trade: number): string =>
      `${this.#files[this.#trades.file[trade] as number]}:${this.#trades.line[trade]}`;
    this.#intake = new TradeIntake({
      describe,
      dayRule,
      netBooks,
      onNote: (code, why) => this.#note(code, why),
      capacity: 1 << 14,
      // A single file has no earlier file to repeat, so its rows need not be remembered.
      ...(paths.length > 1 && !keepRepeated ? { placeOf } : {}),
    });
    this.#trades = this.#intake.trades;
  }

  async read(bytesTotal: number): Promise<void> {
    let bytesDone = 0;
    for (const [index, path] of this.#paths.entries()) {
      this.#file = index;
      this.#line = 0;
      this.#rowsLeft = this.#options.rowsTaken?.get(index) ?? Number.POSITIVE_INFINITY;
      this.#fileDay = dayInName(path);
      await this.#readFile(path, (bytes) => {
        bytesDone += bytes;
        this.#options.onProgress?.({ bytes: bytesDone, bytesTotal, rows: this.#rows });
      });
      this.#ends.push({
        trades: this.#trades.length,
        rows: this.#rows,
        repeated: this.#intake.repeated.length,
      });
    }
  }

  result(): LedgerInput {
    return {
      trades: this.#trades,
      files: this.#files,
      quarantine: this.#log.quarantine,
      notes: this.#log.notes,
      rows: this.#rows,
      accepted: this.#trades.length,
      duplicates: this.#intake.repeated.length,
      repeated: this.#intake.repeated,
      ends: this.#ends,
      aliases: this.#intake.aliases,
      books: this.#sawBook,
      quarantined: this.#log.quarantined,
    };
  }

  async #readFile(path: string, onBytes: (bytes: number) => void): Promise<void> {
    const file = await open(path).catch((cause) => {
      throw unreadable(path, cause);
    });
    try {
      const chunkBytes = this.#chunkBytes;
      const buffer = Buffer.allocUnsafe(chunkBytes + lineBytesMax);
      let leftover = 0;
      let header = true;
      let skipping = false;
      for (let last = false; !last; ) {
        const { bytesRead } = await file.read(buffer, leftover, chunkBytes).catch((cause) => {
          throw unreadable(path, cause);
        });
        last = bytesRead === 0;
        const until = leftover + bytesRead;
        this.#options.onBytes?.(path, buffer.subarray(leftover, until));
        let from = 0;
        if (header) {
          from = this.#readHeader(path, buffer, until, last || until >= lineBytesMax);
          header = from < 0;
        } else if (skipping) {
          const end = buffer.subarray(0, until).indexOf(newline);
          from = end < 0 ? until : end + 1;
          skipping = end < 0;
        }
        from = header ? 0 : this.#readRows(buffer, from, until, last);
        onBytes(bytesRead);
        leftover = until - from;
        if (leftover > lineBytesMax) {
          this.#line += 1;
          this.#tooLong(buffer, from, until);
          leftover = 0;
          skipping = true;
        } else if (from > 0) buffer.copyWithin(0, from, until);
      }
    } finally {
      await file.close();
    }
  }

  /** Reads the header line; returns the offset of the first row, or -1 if the line is not yet complete. */
  #readHeader(path: string, bytes: Uint8Array, until: number, enough: boolean): number {
    // Bytes after `until` belong to another file.
    if (until < 3 && !enough) return -1;
    const bom = until >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    const fields = this.#fields;
    const complete =
      fields.read(bytes, bom, Math.min(until, lineBytesMax), until <= lineBytesMax && enough) === "line";
    if (!complete && !enough) return -1;
    const names = complete ? Array.from({ length: fields.count }, (_, field) => fields.text(field)) : [];
    const known: readonly string[] = [...ledgerColumns, ...optionalColumns];
    const missing = ledgerColumns.filter((column) => !names.includes(column));
    const unexpected = names.find((name, index) => !known.includes(name) || names.indexOf(name) !== index);
    if (missing.length > 0 || unexpected !== undefined) {
      const seen = notCsv(bytes.subarray(0, until)) ?? misnamed(names, known);
      const what =
        until === 0
          ? "the file is empty"
          : missing.length === ledgerColumns.length
            ? "the first line is not the header of a trade ledger"
            : missing.length > 0
              ? `the header lacks ${missing.join(", ")}`
              : `the header has a column that a ledger does not know, or has it twice: ${RowFields.excerpt(Buffer.from(unexpected ?? ""), 0, 40)}`;
      const begins = `a ledger begins with ${ledgerColumns.join(",")} (and may have ${optionalColumns.join(", ")})`;
      throw new BridgeError("BAD_LEDGER", {
        what: seen === undefined ? what : `${what}: ${seen.what}`,
        where: `${path}:1`,
        fix: seen === undefined ? begins : `${seen.fix}; ${begins}`,
      });
    }
    this.#at = columnPlaces(names as Column[]);
    this.#columnCount = names.length;
    this.#line = 1;
    return fields.next;
  }

  /** Reads whole lines; returns the offset of the first incomplete one. */
  #readRows(bytes: Uint8Array, begin: number, until: number, last: boolean): number {
    const fields = this.#fields;
    let from = begin;
    while (from < until && fields.read(bytes, from, until, last) === "line") {
      this.#line += 1;
      const end = fields.next - (bytes[fields.next - 1] === newline ? 1 : 0);
      if (end - from > lineBytesMax) this.#tooLong(bytes, from, end);
      else if (!fields.blank) this.#readRow(bytes, from);
      this.#line += fields.lines - 1;
      from = fields.next;
    }
    return from;
  }

  #readRow(bytes: Uint8Array, from: number): void {
    this.#rowsLeft -= 1;
    if (this.#rowsLeft < 0) return;
    this.#rows += 1;
    const refusal = this.#parseRow();
    if (refusal === undefined) {
      this.#intake.keep(this.#wallUs);
      return;
    }
    // The trade that takes the place of a refused row must not inherit its values.
    this.#trades.fee.delete(this.#trades.length);
    this.#refuse(refusal, RowFields.excerpt(bytes, from, this.#fields.next));
  }

  /** Reads the row into the next free place of the columns, without counting it. */
  #parseRow(): Refusal | undefined {
    const fields = this.#fields;
    const at = this.#at;
    if (fields.binary) return notText;
    if (fields.misquoted) return ["BAD_QUOTING", fields.misquotedWhy];
    if (fields.count < this.#columnCount)
      return [
        "MISSING_COLUMN",
        `the line has only ${fields.count} of the ${this.#columnCount} columns of the header`,
      ];
    if (fields.count > this.#columnCount)
      return ["SURPLUS_COLUMN", `the line has ${fields.count} columns, the header has ${this.#columnCount}`];
    const trades = this.#trades;
    const trade = trades.next();

    const symbolStart = fields.start[at.instrumentName] as number;
    const symbolEnd = fields.end[at.instrumentName] as number;
    if (symbolStart === symbolEnd)
      return fields.empty
        ? ["EMPTY_ROW", "every field of the row is empty; delete the line"]
        : refusals.symbol('""');
    const sideStart = fields.start[at.buySell] as number;
    const side = fields.end[at.buySell] === sideStart + 1 ? fields.bytes[sideStart] : 0;
    if (side !== 66 && side !== 83) return refusals.side(this.#quoted(at.buySell), "buySell");
    if (!fields.decimal(at.quantity, trades.quantity, trade))
      return refusals.quantity(this.#quoted(at.quantity));
    if (!isPositive(trades, trade)) return refusals.notPositive(fields.text(at.quantity));
    if (!fields.decimal(at.price, trades.price, trade)) return refusals.price(this.#quoted(at.price));
    if (!this.#readId(at.tradeId, trade)) return refusals.id('""');
    if (at.fee >= 0 && !this.#readFee(at.fee, trade)) return refusals.fee(this.#quoted(at.fee));
    const refusedTime = this.#readTime(at.marketTradeTime);
    if (refusedTime !== undefined) return refusedTime;
    const day = this.#options.dayRule.dayOf(this.#wallUs, this.#fileDay);
    if (day === undefined) return refusals.day(this.#options.dayRule.name);

    trades.side[trade] = side === 66 ? 1 : -1;
    trades.timeUs[trade] = this.#timeUs;
    trades.day[trade] = day;
    trades.lane[trade] = this.#laneOf(this.#symbols.intern(fields.bytes, symbolStart, symbolEnd));
    trades.file[trade] = this.#file;
    trades.line[trade] = this.#line;
    return undefined;
  }

  #quoted(field: number): string {
    return JSON.stringify(this.#fields.text(field).slice(0, 60));
  }

  /** Wall-clock time and instant of the row being read. */
  #wallUs = 0;
  #timeUs = 0;

  /** Reads the time of a row. `YYYY-MM-DD HH:MM:SS` with up to six decimals takes a fast path. */
  #readTime(field: number): Refusal | undefined {
    const { bytes, start, end } = this.#fields;
    const from = start[field] as number;
    const length = (end[field] as number) - from;
    if (
      length < 19 ||
      length > 26 ||
      length === 20 ||
      bytes[from + 10] !== 32 ||
      bytes[from + 13] !== 58 ||
      bytes[from + 16] !== 58
    )
      return this.#readOddTime(field);
    const midnightUs = this.#midnight(bytes, from);
    const hour = twoDigits(bytes, from + 11);
    const minute = twoDigits(bytes, from + 14);
    const second = twoDigits(bytes, from + 17);
    let micros = 0;
    if (length > 19) {
      if (bytes[from + 19] !== 46) return this.#readOddTime(field);
      for (let place = 20; place < 26; place++) {
        const digit = place < length ? (bytes[from + place] as number) - 48 : 0;
        if (digit < 0 || digit > 9) return this.#readOddTime(field);
        micros = micros * 10 + digit;
      }
    }
    if (!(hour <= 23 && minute <= 59 && second <= 59)) return refusals.time(this.#quoted(field));
    const wallUs = midnightUs + ((hour * 60 + minute) * 60 + second) * 1e6 + micros;
    if (Number.isNaN(wallUs)) return refusals.time(this.#quoted(field));
    this.#wallUs = wallUs;
    this.#timeUs = instantOfWall(wallUs);
    // The clock changes only at two in the morning.
    if (hour !== 1 && hour !== 2) return undefined;
    const reading = wallReading(wallUs);
    return reading === "unique" ? undefined : this.#intake.checkReading(reading, this.#fields.text(field));
  }

  #midnight(bytes: Uint8Array, from: number): number {
    const key = this.#dateKey;
    const year4 =
      (((bytes[from] as number) << 24) |
        ((bytes[from + 1] as number) << 16) |
        ((bytes[from + 2] as number) << 8) |
        (bytes[from + 3] as number)) >>>
      0;
    const month3 =
      ((bytes[from + 4] as number) << 16) | ((bytes[from + 5] as number) << 8) | (bytes[from + 6] as number);
    const date3 =
      ((bytes[from + 7] as number) << 16) | ((bytes[from + 8] as number) << 8) | (bytes[from + 9] as number);
    if (key[0] === year4 && key[1] === month3 && key[2] === date3) return this.#midnightUs;
    const text = Buffer.from(bytes.subarray(from, from + 10)).toString("latin1");
    const day = parseDay(text);
    this.#dateKey = [year4, month3, date3];
    // readInstant refuses years for which Chicago's clock is unknown.
    this.#midnightUs = day === undefined || readInstant(text) === undefined ? Number.NaN : day * dayUs;
    return this.#midnightUs;
  }

  /** Reads every other unambiguous form, with a note: unpadded parts, a `T`, an offset, more decimals. */
  #readOddTime(field: number): Refusal | undefined {
    const text = this.#fields.text(field);
    const [, year, month, date, hour, minute, second, rest = ""] =
      /^(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2}):(\d{1,2})((?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})?)$/.exec(
        text,
      ) ?? [];
    const pad = (part: string | undefined): string => (part ?? "").padStart(2, "0");
    const day = `${year}-${pad(month)}-${pad(date)}`;
    const read =
      year === undefined
        ? undefined
        : readInstant(`${day}T${pad(hour)}:${pad(minute)}:${pad(second)}${rest}`);
    if (read === undefined) return refusals.time(this.#quoted(field));
    if (month?.length === 1 || date?.length === 1)
      this.#note("UNPADDED_DATE", `the date ${year}-${month}-${date} lacks a zero and is read as ${day}`);
    else this.#note("TIME_FORM", `the time ${text} is not in the ledger's usual form, but unambiguous`);
    this.#wallUs = read.wallUs;
    this.#timeUs = read.instantUs;
    return this.#intake.checkReading(read.reading, text);
  }

  #readId(field: number, trade: number): boolean {
    const fields = this.#fields;
    const id = fields.wholeNumber(field);
    if (id >= 0) this.#trades.setNumericId(trade, id);
    else if (fields.start[field] === fields.end[field]) return false;
    else this.#trades.setId(trade, fields.text(field));
    return true;
  }

  /** Reads a fee; an empty field means no fee. */
  #readFee(field: number, trade: number): boolean {
    const text = this.#fields.text(field);
    const fee = parseDecimal(text);
    if (fee !== undefined) this.#trades.fee.set(trade, fee);
    else this.#trades.fee.delete(trade);
    return fee !== undefined || text === "";
  }

  #laneOf(symbol: number): number {
    const fields = this.#fields;
    const { book: bookField } = this.#at;
    const hasBook = bookField >= 0 && fields.start[bookField] !== fields.end[bookField];
    const book = hasBook
      ? this.#books.intern(fields.bytes, fields.start[bookField] as number, fields.end[bookField] as number)
      : -1;
    const key = hasBook ? (symbol + 1) * 0x4000000 + book : symbol;
    if (!(this.#wallUs >= this.#yearFromUs && this.#wallUs < this.#yearUntilUs))
      this.#turnToYear(Math.floor(this.#wallUs / dayUs));
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    this.#sawBook ||= hasBook;
    const [name, ofBook] = [
      this.#symbols.texts[symbol] as string,
      hasBook ? this.#books.texts[book] : undefined,
    ];
    const lane = this.#intake.laneOf(name, ofBook, Math.floor(this.#wallUs / dayUs));
    this.#lanes.set(key, lane);
    return lane;
  }

  #turnToYear(day: number): void {
    const { year } = dateOfDay(day);
    [this.#yearFromUs, this.#yearUntilUs] = [
      dayNumber(year, 1, 1) * dayUs,
      dayNumber(year + 1, 1, 1) * dayUs,
    ];
    this.#lanes = this.#lanesByYear.get(year) ?? new Map();
    this.#lanesByYear.set(year, this.#lanes);
  }

  #note(code: NoteCode, why: string): void {
    this.#log.note(this.#files[this.#file] as string, this.#line, code, why);
  }

  #refuse([code, why]: Refusal, text: string): void {
    this.#log.refuse({ file: this.#files[this.#file] as string, line: this.#line, code, text, why });
  }

  #tooLong(bytes: Uint8Array, from: number, to: number): void {
    this.#rowsLeft -= 1;
    this.#rows += 1;
    this.#refuse(
      ["LINE_TOO_LONG", `the line is longer than ${lineBytesMax} bytes`],
      RowFields.excerpt(bytes, from, to),
    );
  }
}

/** Finds a column name in the wrong case, or a column without a name. */
function misnamed(names: readonly string[], known: readonly string[]): NotCsv | undefined {
  const empty = names.indexOf("");
  if (names.length > 1 && empty >= 0)
    return { what: `column ${empty + 1} has no name`, fix: "remove the extra comma" };
  const other = names.find(
    (name) => !known.includes(name) && known.some((right) => right.toLowerCase() === name.toLowerCase()),
  );
  const right = known.find((name) => name.toLowerCase() === other?.toLowerCase());
  if (other === undefined || right === undefined) return undefined;
  return {
    what: `the column ${JSON.stringify(other)} must be written ${right}`,
    fix: "write the names with the same lower and upper case letters",
  };
}

function columnPlaces(names: readonly Column[]): Readonly<Record<Column, number>> {
  const place = (column: Column): number => names.indexOf(column);
  return {
    tradeId: place("tradeId"),
    instrumentName: place("instrumentName"),
    marketTradeTime: place("marketTradeTime"),
    buySell: place("buySell"),
    quantity: place("quantity"),
    price: place("price"),
    book: place("book"),
    fee: place("fee"),
  };
}

function isPositive(trades: TradeColumns, trade: number): boolean {
  const coefficient = trades.quantity.coefficient[trade] as number;
  return Number.isNaN(coefficient) ? trades.quantity.at(trade).coefficient > 0n : coefficient > 0;
}

/** Two digits as a number; anything else as NaN. */
function twoDigits(bytes: Uint8Array, at: number): number {
  const [tens, ones] = [(bytes[at] as number) - 48, (bytes[at + 1] as number) - 48];
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}
