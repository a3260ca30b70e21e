import { open } from "node:fs/promises";
import { basename } from "node:path";
import { parseDecimal } from "../../base/decimal.ts";
import { BridgeError } from "../../base/errors.ts";
import { dayUs, hourUs, instantOfWall, parseInstant, wallOfInstant, wallReading } from "../../domain/market/chicago-time.ts";
import type { NoteCode, QuarantineCode } from "../../domain/market/finding-codes.ts";
import { dayNumber, parseDay, type TradingDayRule } from "../../domain/market/trading-day.ts";
import { type Instrument, instrumentOf, TradeColumns } from "../../engine/index.ts";
import type { DescribedSymbol, Note, Quarantined } from "../../ports/ledger.ts";
import { filesOf, namesOf, onceEach, regularFile, unreadable } from "./files.ts";
import { NoteLog } from "./note-log.ts";
import { ByteInterner, RowFields } from "./row-fields.ts";
import { RowSet } from "./row-set.ts";

/** The six columns of a ledger; a header may also name `book` and `fee`, and the order is free. */
export const ledgerColumns = ["tradeId", "instrumentName", "marketTradeTime", "buySell", "quantity", "price"] as const;
const optionalColumns = ["book", "fee"] as const;
type Column = (typeof ledgerColumns)[number] | (typeof optionalColumns)[number];

/** A longer line is no ledger row; it is refused without being held in memory. */
export const lineBytesMax = 65_536;
const chunkBytesDefault = 1 << 20;

export interface LedgerOptions {
  readonly dayRule: TradingDayRule;
  /** What the instrument table knows of a symbol of the ledger's dialect. */
  readonly describe: (symbol: string) => DescribedSymbol | undefined;
  /** Match across books, for a comparison with a system that knows none. */
  readonly netBooks?: boolean;
  /** Told after each chunk. */
  readonly onProgress?: (done: { readonly bytes: number; readonly bytesTotal: number; readonly rows: number }) => void;
}

export interface LedgerInput {
  readonly trades: TradeColumns;
  /** The names by which notes and quarantine speak of the files, in reading order: `trades.file` indexes it. */
  readonly files: readonly string[];
  readonly quarantine: readonly Quarantined[];
  readonly notes: readonly Note[];
  /** Data rows seen, blank lines apart: accepted + duplicates + quarantined. */
  readonly rows: number;
  readonly accepted: number;
  /** Rows that stand in an earlier file too. */
  readonly duplicates: number;
  /** For each of those rows the trade that it repeats: an index into `trades`. */
  readonly repeated: readonly number[];
  /** By file: how many trades there were after it. */
  readonly ends: readonly number[];
  /** By symbol: the first symbol of the same instrument, under which its trades stand. */
  readonly aliases: ReadonlyMap<string, string>;
  /** Whether any trade came with a book. */
  readonly books: boolean;
  readonly quarantined: number;
}

/**
 * Reads ledger files into trade columns: streaming, any size, about 45 bytes of memory a trade. Bad rows go to quarantine
 * one by one, with file, line, code and text; the rest goes on. Throws BridgeError where a file as a whole cannot be read.
 * Rows repeated inside a file are trades; rows that stand in an earlier file too are one trade (a multiset difference).
 * `chunkBytes` is how much is read at a time; it changes no result (tests read byte by byte).
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
 * The ledger files that the given files and folders stand for, in reading order (day in the name, then name, then path), each
 * once. A folder stands for the `trades_*.csv` directly inside it. Throws where there is none, or a path cannot be read.
 */
export async function findLedgers(given: readonly string[]): Promise<readonly string[]> {
  const found = await Promise.all(given.map((path) => filesOf(path, { pattern: /^trades_.*\.csv$/i, shown: "trades_*.csv" })));
  const paths = await onceEach(found.flat());
  const key = (path: string): string => `${`${dayInName(path) ?? 0}`.padStart(8, "0") + basename(path)}\u0000${path}`;
  return [...paths].sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** The day in a ledger's name, `trades_20250724.csv`; undefined where there is none. */
export function dayInName(path: string): number | undefined {
  const [, year = "", month = "", date = ""] = /(\d{4})(\d{2})(\d{2})/.exec(basename(path)) ?? [];
  return year === "" ? undefined : parseDay(`${year}-${month}-${date}`);
}

const newline = 10;

type Refusal = readonly [code: QuarantineCode, why: string];
const notText: Refusal = ["NOT_TEXT", "the line holds bytes that are no text, as a file has that was cut off by a crash"];

class LedgerReader {
  readonly #paths: readonly string[];
  readonly #options: LedgerOptions;
  readonly #chunkBytes: number;
  readonly #trades = new TradeColumns(1 << 14);
  readonly #log = new NoteLog();
  readonly #files: readonly string[];
  readonly #seen: RowSet | undefined;
  readonly #fields = new RowFields();
  readonly #symbols = new ByteInterner();
  readonly #books = new ByteInterner();
  readonly #lanes = new Map<number, number>();
  #rows = 0;
  readonly #repeated: number[] = [];
  readonly #ends: number[] = [];
  readonly #aliases = new Map<string, string>();
  #sawBook = false;
  /** Of the file being read. */
  #file = 0;
  #line = 0;
  #fileDay: number | undefined;
  #at = columnPlaces(ledgerColumns);
  #columnCount = 0;
  /** The last date that was read, as its ten bytes, and its midnight: most rows repeat it. */
  #dateKey = [0, 0, 0];
  #midnightUs = Number.NaN;

  constructor(paths: readonly string[], options: LedgerOptions, chunkBytes: number) {
    this.#paths = paths;
    this.#options = options;
    this.#chunkBytes = chunkBytes;
    this.#files = namesOf(paths);
    // One file cannot repeat another's rows, so a single big one need not be remembered row by row.
    this.#seen = paths.length > 1 ? new RowSet(this.#trades) : undefined;
  }

  async read(bytesTotal: number): Promise<void> {
    let bytesDone = 0;
    for (const [index, path] of this.#paths.entries()) {
      this.#file = index;
      this.#line = 0;
      this.#fileDay = dayInName(path);
      await this.#readFile(path, (bytes) => {
        bytesDone += bytes;
        this.#options.onProgress?.({ bytes: bytesDone, bytesTotal, rows: this.#rows });
      });
      this.#ends.push(this.#trades.length);
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
      duplicates: this.#repeated.length,
      repeated: this.#repeated,
      ends: this.#ends,
      aliases: this.#aliases,
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
      let held = 0;
      let header = true;
      let skipping = false;
      for (let last = false; !last; ) {
        const { bytesRead } = await file.read(buffer, held, chunkBytes).catch((cause) => {
          throw unreadable(path, cause);
        });
        last = bytesRead === 0;
        const until = held + bytesRead;
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
        held = until - from;
        if (held > lineBytesMax) {
          this.#line += 1;
          this.#tooLong(buffer, from, until);
          held = 0;
          skipping = true;
        } else if (from > 0) buffer.copyWithin(0, from, until);
      }
    } finally {
      await file.close();
    }
  }

  /** Reads the header line; returns where the rows begin, or -1 where the line goes on beyond the bytes read so far. */
  #readHeader(path: string, bytes: Uint8Array, until: number, enough: boolean): number {
    // What stands behind `until` is of another file.
    if (until < 3 && !enough) return -1;
    const bom = until >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    const fields = this.#fields;
    const complete = fields.read(bytes, bom, Math.min(until, lineBytesMax), until <= lineBytesMax && enough) === "line";
    if (!complete && !enough) return -1;
    const names = complete ? Array.from({ length: fields.count }, (_, field) => fields.text(field)) : [];
    const known: readonly string[] = [...ledgerColumns, ...optionalColumns];
    const missing = ledgerColumns.filter((column) => !names.includes(column));
    const strange = names.find((name, index) => !known.includes(name) || names.indexOf(name) !== index);
    if (missing.length > 0 || strange !== undefined) {
      const what =
        until === 0
          ? "the file is empty"
          : missing.length === ledgerColumns.length
            ? "the first line is not the header of a trade ledger"
            : missing.length > 0
              ? `the header lacks ${missing.join(", ")}`
              : `the header has a column that a ledger does not know, or has it twice: ${RowFields.excerpt(Buffer.from(strange ?? ""), 0, 40)}`;
      throw new BridgeError("BAD_LEDGER", {
        what,
        where: `${path}:1`,
        mend: `a ledger begins with ${ledgerColumns.join(",")} (and may have ${optionalColumns.join(", ")})`,
      });
    }
    this.#at = columnPlaces(names as Column[]);
    this.#columnCount = names.length;
    this.#line = 1;
    return fields.next;
  }

  /** Reads whole lines; returns where the first incomplete one begins. */
  #readRows(bytes: Uint8Array, begin: number, until: number, last: boolean): number {
    const fields = this.#fields;
    let from = begin;
    while (from < until && fields.read(bytes, from, until, last) === "line") {
      this.#line += 1;
      const end = fields.next - (bytes[fields.next - 1] === newline ? 1 : 0);
      if (end - from > lineBytesMax) this.#tooLong(bytes, from, end);
      else if (!fields.blank) this.#readRow(bytes, from);
      from = fields.next;
    }
    return from;
  }

  #readRow(bytes: Uint8Array, from: number): void {
    this.#rows += 1;
    const refusal = this.#parseRow() ?? this.#keepUnlessRepeated();
    if (refusal === undefined) return;
    // What a refused row left behind must not be found by the trade that takes its place.
    this.#trades.fee.delete(this.#trades.length);
    this.#refuse(bytes, from, this.#fields.next, ...refusal);
  }

  /** Reads the row into the next place of the columns, not yet counted there. */
  #parseRow(): Refusal | undefined {
    const fields = this.#fields;
    const at = this.#at;
    if (fields.binary) return notText;
    if (fields.misquoted) return ["BAD_QUOTING", "a quoted field does not end where it should"];
    if (fields.count < this.#columnCount)
      return ["MISSING_COLUMN", `the line has only ${fields.count} of the ${this.#columnCount} columns of the header`];
    if (fields.count > this.#columnCount)
      return ["SURPLUS_COLUMN", `the line has ${fields.count} columns, the header has ${this.#columnCount}`];
    const trades = this.#trades;
    const trade = trades.next();

    const symbolStart = fields.start[at.instrumentName] as number;
    const symbolEnd = fields.end[at.instrumentName] as number;
    if (symbolStart === symbolEnd) return ["BAD_SYMBOL", "there is no instrument name"];
    const sideStart = fields.start[at.buySell] as number;
    const side = fields.end[at.buySell] === sideStart + 1 ? fields.bytes[sideStart] : 0;
    if (side !== 66 && side !== 83) return ["BAD_SIDE", `buySell must be B or S, not ${this.#quoted(at.buySell)}`];
    if (!fields.decimal(at.quantity, trades.quantity, trade))
      return ["BAD_QUANTITY", `the quantity ${this.#quoted(at.quantity)} is no number`];
    if (!isPositive(trades, trade))
      return ["BAD_QUANTITY", `the quantity must be above zero, not ${fields.text(at.quantity)}; buySell carries the sign`];
    if (!fields.decimal(at.price, trades.price, trade)) return ["BAD_PRICE", `the price ${this.#quoted(at.price)} is no number`];
    if (!this.#readId(at.tradeId, trade)) return ["BAD_ID", "there is no trade id"];
    if (at.fee >= 0 && !this.#readFee(at.fee, trade)) return ["BAD_FEE", `the fee ${this.#quoted(at.fee)} is no number`];
    const wallUs = this.#wallTime(at.marketTradeTime);
    this.#wallUs = wallUs;
    if (Number.isNaN(wallUs)) return ["BAD_TIME", this.#badTime(at.marketTradeTime)];
    const day = this.#options.dayRule.dayOf(wallUs, this.#fileDay);
    if (day === undefined)
      return ["NO_TRADING_DAY", `the day rule ${this.#options.dayRule.name} gives this row no day: the file's name has none`];

    trades.side[trade] = side === 66 ? 1 : -1;
    trades.timeUs[trade] = this.#offsetTimeUs ?? instantOfWall(wallUs);
    trades.day[trade] = day;
    trades.lane[trade] = this.#laneOf(this.#symbols.intern(fields.bytes, symbolStart, symbolEnd));
    trades.file[trade] = this.#file;
    trades.line[trade] = this.#line;
    return undefined;
  }

  #quoted(field: number): string {
    return JSON.stringify(this.#fields.text(field).slice(0, 60));
  }

  /** Counts the row that was just read, unless it stands in an earlier file too. */
  #keepUnlessRepeated(): undefined {
    const trades = this.#trades;
    const trade = trades.length;
    const earlier = this.#seen === undefined ? -1 : this.#seen.earlier(trade, this.#file);
    if (earlier >= 0) {
      this.#repeated.push(earlier);
      trades.fee.delete(trade);
      this.#note(
        "DUPLICATE_ROW",
        `dropped: the same row stands in ${this.#files[trades.file[earlier] as number]}:${trades.line[earlier]}`,
      );
      return;
    }
    const price = trades.price.coefficient[trade] as number;
    if (price === 0)
      this.#note("ZERO_PRICE", "a price of zero: an expiry or exercise, or a start-of-day position of unknown cost; kept");
    if (price < 0) this.#note("NEGATIVE_PRICE", "a negative price; kept");
    if (this.#wallUs % dayUs === 0) this.#note("START_OF_DAY", "a trade at midnight is a start-of-day position; kept");
    trades.commit();
  }

  /** Of the row being read: its wall clock, and its instant where the time carries an offset of its own. */
  #wallUs = 0;
  #offsetTimeUs: number | undefined;

  /** The Chicago wall clock of a time field, or NaN. `YYYY-MM-DD HH:MM:SS` with up to six decimals takes the short way. */
  #wallTime(field: number): number {
    const { bytes, start, end } = this.#fields;
    const from = start[field] as number;
    const length = (end[field] as number) - from;
    this.#offsetTimeUs = undefined;
    if (
      length < 19 ||
      length > 26 ||
      length === 20 ||
      bytes[from + 10] !== 32 ||
      bytes[from + 13] !== 58 ||
      bytes[from + 16] !== 58
    )
      return this.#oddTime(field);
    const midnightUs = this.#midnight(bytes, from);
    const hour = twoDigits(bytes, from + 11);
    const minute = twoDigits(bytes, from + 14);
    const second = twoDigits(bytes, from + 17);
    let micros = 0;
    if (length > 19) {
      if (bytes[from + 19] !== 46) return this.#oddTime(field);
      for (let place = 20; place < 26; place++) {
        const digit = place < length ? (bytes[from + place] as number) - 48 : 0;
        if (digit < 0 || digit > 9) return this.#oddTime(field);
        micros = micros * 10 + digit;
      }
    }
    if (!(hour <= 23 && minute <= 59 && second <= 59)) return Number.NaN;
    const wallUs = midnightUs + ((hour * 60 + minute) * 60 + second) * 1e6 + micros;
    // The clock jumps at two in the morning only.
    if ((hour === 1 || hour === 2) && !this.#readsOnce(wallUs)) return Number.NaN;
    return wallUs;
  }

  #midnight(bytes: Uint8Array, from: number): number {
    const key = this.#dateKey;
    const year4 =
      (((bytes[from] as number) << 24) |
        ((bytes[from + 1] as number) << 16) |
        ((bytes[from + 2] as number) << 8) |
        (bytes[from + 3] as number)) >>>
      0;
    const month3 = ((bytes[from + 4] as number) << 16) | ((bytes[from + 5] as number) << 8) | (bytes[from + 6] as number);
    const date3 = ((bytes[from + 7] as number) << 16) | ((bytes[from + 8] as number) << 8) | (bytes[from + 9] as number);
    if (key[0] === year4 && key[1] === month3 && key[2] === date3) return this.#midnightUs;
    const text = Buffer.from(bytes.subarray(from, from + 10)).toString("latin1");
    const day = parseDay(text);
    this.#dateKey = [year4, month3, date3];
    // parseInstant knows the years for which Chicago's clock is known.
    this.#midnightUs = day === undefined || parseInstant(text) === undefined ? Number.NaN : day * dayUs;
    return this.#midnightUs;
  }

  /** Notes a reading that occurs twice; false for one that never occurs. */
  #readsOnce(wallUs: number): boolean {
    const reading = wallReading(wallUs);
    if (reading === "ambiguous") this.#note("AMBIGUOUS_TIME", "this hour occurs twice as daylight time ends; taken as the first");
    return reading !== "nonexistent";
  }

  /** Every other form that reads in one way only: unpadded parts, a `T`, an offset, more decimals. Accepted with a note. */
  #oddTime(field: number): number {
    const text = this.#fields.text(field);
    const [, year, month, date, hour, minute, second, fraction = "", offset = ""] =
      /^(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2}):(\d{1,2})(\.\d{1,9})?(Z|[+-]\d{2}:?\d{2})?$/.exec(text) ?? [];
    if (year === undefined) return Number.NaN;
    const pad = (part: string | undefined): string => (part ?? "").padStart(2, "0");
    const instant = parseInstant(
      `${year}-${pad(month)}-${pad(date)}T${pad(hour)}:${pad(minute)}:${pad(second)}${fraction}${offset}`,
    );
    if (instant === undefined) return Number.NaN;
    if (month?.length === 1 || date?.length === 1)
      this.#note("UNPADDED_DATE", `the date ${year}-${month}-${date} reads in one way only: ${year}-${pad(month)}-${pad(date)}`);
    else this.#note("TIME_FORM", `the time ${text} is not in the ledger's own form but reads in one way only`);
    if (offset !== "") {
      this.#offsetTimeUs = instant;
      return wallOfInstant(instant);
    }
    const day = dayNumber(Number(year), Number(month), Number(date));
    const micros = Number(`${fraction.slice(1)}000000`.slice(0, 6));
    const wallUs = day * dayUs + Number(hour) * hourUs + Number(minute) * 60e6 + Number(second) * 1e6 + micros;
    return this.#readsOnce(wallUs) ? wallUs : Number.NaN;
  }

  #badTime(field: number): string {
    const text = this.#fields.text(field);
    const instant = parseInstant(text);
    if (instant !== undefined && wallReading(parseWall(text)) === "nonexistent")
      return `${text} does not exist in Chicago: daylight time begins at 02:00 on that day`;
    return `the time ${JSON.stringify(text.slice(0, 60))} does not read as YYYY-MM-DD HH:MM:SS`;
  }

  #readId(field: number, trade: number): boolean {
    const fields = this.#fields;
    const id = fields.wholeNumber(field);
    if (id >= 0) this.#trades.setNumericId(trade, id);
    else if (fields.start[field] === fields.end[field]) return false;
    else this.#trades.setId(trade, fields.text(field));
    return true;
  }

  /** An empty fee is none. */
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
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    const name = this.#symbols.texts[symbol] as string;
    this.#sawBook ||= hasBook;
    const lane = this.#trades.laneOf(
      this.#instrument(name, hasBook && this.#options.netBooks !== true ? this.#books.texts[book] : undefined),
    );
    this.#lanes.set(key, lane);
    const first = this.#trades.instruments[lane]?.symbol;
    if (first !== undefined && first !== name && !this.#aliases.has(name)) {
      this.#aliases.set(name, first);
      this.#note("ALIASED_SYMBOL", `${name} is the same instrument as ${first}: one position, under ${first}`);
    }
    return lane;
  }

  #instrument(symbol: string, book: string | undefined): Instrument {
    const known = this.#options.describe(symbol);
    if (known === undefined) this.#note("UNKNOWN_PRODUCT", `no product is known for ${symbol}: multiplier 1, currency XXX`);
    for (const { code, why } of known?.notes ?? []) this.#note(code, `${symbol}: ${why}`);
    return instrumentOf(symbol, known, book);
  }

  #note(code: NoteCode, why: string): void {
    this.#log.note(this.#files[this.#file] as string, this.#line, code, why);
  }

  #refuse(bytes: Uint8Array, from: number, to: number, code: QuarantineCode, why: string): void {
    this.#log.refuse({
      file: this.#files[this.#file] as string,
      line: this.#line,
      code,
      text: RowFields.excerpt(bytes, from, to),
      why,
    });
  }

  #tooLong(bytes: Uint8Array, from: number, to: number): void {
    this.#rows += 1;
    this.#refuse(bytes, from, to, "LINE_TOO_LONG", `the line is longer than ${lineBytesMax} bytes`);
  }
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

/** The wall clock of `YYYY-MM-DD?HH:MM:SS…`, unchecked. */
function parseWall(text: string): number {
  const [year = 0, month = 1, date = 1, hour = 0, minute = 0, second = 0] = text.split(/[-T :.]/).map(Number);
  return dayNumber(year, month, date) * dayUs + hour * hourUs + minute * 60e6 + second * 1e6;
}
