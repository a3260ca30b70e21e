import { basename } from "node:path";
import { parseDecimal } from "../../base/decimal.ts";
import {
  dateOfDay,
  dayNumber,
  dayUs,
  instantOfWall,
  readInstant,
  type WallReading,
  wallReading,
} from "../../domain/market/chicago-time.ts";
import type { NoteCode } from "../../domain/market/finding-codes.ts";
import { type DayNumber, parseDay, type TradingDayRule } from "../../domain/market/trading-day.ts";
import { checkReading, type Refusal, refusals, type TradeColumns } from "../../engine/index.ts";
import type { LedgerPlace } from "../../ports/ledger-rows.ts";
import { type NotCsv, notCsv } from "./not-csv.ts";
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

const ledgerBegins = `a ledger begins with ${ledgerColumns.join(",")} (and may have ${optionalColumns.join(", ")})`;

/** Returns the day in a ledger's name such as `trades_20250724.csv`; undefined for a name without one. */
export function dayInName(path: string): number | undefined {
  const [, year = "", month = "", date = ""] = /(\d{4})(\d{2})(\d{2})/.exec(basename(path)) ?? [];
  return year === "" ? undefined : parseDay(`${year}-${month}-${date}`);
}

/**
 * Returns a text by which ledgers are sorted (by code unit) into the order in which they are read: by the day
 * in the name, then by name, then by path.
 */
export const ledgerRank = (path: string): string =>
  `${`${dayInName(path) ?? 0}`.padStart(8, "0") + basename(path)}\u0001${path}`;

/** Receives what `LedgerLines` finds in a file. */
export interface LineTaker {
  /** Returns the lane of a symbol and book, as of a day. Negative if rows of this symbol must be refused. */
  laneOf(symbol: string, book: string | undefined, day: DayNumber): number;
  /**
   * Takes the good row at the next free place of the columns. If it returns false, reading ends before this
   * row.
   */
  take(wallUs: number): boolean;
  /** Takes a refused row with its reason. If it returns false, reading ends before this row. */
  refuse(refusal: Refusal, bytes: Uint8Array, from: number, to: number): boolean;
  note(code: NoteCode, why: string): void;
  /** Takes the reason why the first line is not the header of a ledger. */
  refuseFile(why: NotCsv): void;
}

const newline = 10;

export const notText: Refusal = [
  "NOT_TEXT",
  "the line contains NUL bytes, as after a crash of the program that wrote the file",
];

interface LinesOptions {
  readonly trades: TradeColumns;
  readonly dayRule: TradingDayRule;
  /** Whether a quoted field that continues on the next line makes one bad row of both lines. */
  readonly joinsQuoted: boolean;
}

/**
 * Reads the header and the rows of ledgers, one file at a time, piece by piece. Each row is parsed into the
 * next free place of the columns and then given to the taker, which keeps or ignores it. Allocates nothing
 * for a good row of the usual form.
 */
export class LedgerLines {
  readonly fields = new RowFields();
  /** Number of data rows of all files, without blank lines. */
  rows = 0;
  /** Number of rows of the present file that may still be read; the rows after them are ignored. */
  rowsLeft = Number.POSITIVE_INFINITY;
  readonly #trades: TradeColumns;
  readonly #dayRule: TradingDayRule;
  readonly #taker: LineTaker;
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
  /** State of the file being read. `#newlines` counts those before the line being read. */
  #file = 0;
  #fileDay: number | undefined;
  #newlines = 0;
  #columns: LedgerPlace["columns"] = null;
  #isInLongLine = false;
  #at = columnPlaces(ledgerColumns);
  /** The last date, as its ten bytes, and its midnight: most rows repeat the date of the row before. */
  #dateKey = [0, 0, 0];
  #midnightUs = Number.NaN;

  constructor({ trades, dayRule, joinsQuoted }: LinesOptions, taker: LineTaker) {
    this.#trades = trades;
    this.#dayRule = dayRule;
    this.#taker = taker;
    this.fields.joinsQuoted = joinsQuoted;
  }

  /**
   * Begins or continues a file, given its name, its index in the columns, and the place at which reading
   * continues.
   */
  open(name: string, file: number, place: Omit<LedgerPlace, "offset">): void {
    this.#file = file;
    this.#fileDay = dayInName(name);
    this.#newlines = place.line;
    this.#isInLongLine = place.isInLongLine;
    this.#columns = place.columns;
    if (place.columns !== null) this.#at = columnPlaces(place.columns);
  }

  /** The 1-based line that is being read. */
  get line(): number {
    return this.#newlines + 1;
  }

  /** The place after the last line that was read. */
  get place(): Omit<LedgerPlace, "offset"> {
    return { line: this.#newlines, columns: this.#columns, isInLongLine: this.#isInLongLine };
  }

  /** Returns the column's index in a row; negative for an optional column that the file does not have. */
  columnOf(column: Column): number {
    return this.#at[column];
  }

  /**
   * Reads the whole lines of a piece and returns their number of bytes. Set `last` if the end of the piece
   * ends its last line. At most `lineBytesMax` bytes stay unread, because a longer line is refused at once
   * and its rest is skipped in the next pieces. More stay unread only if the taker ends reading.
   */
  read(bytes: Uint8Array, last: boolean): number {
    const until = bytes.length;
    let from = 0;
    if (this.#columns === null) {
      from = this.#readHeader(bytes, last || until >= lineBytesMax);
      if (from < 0) return 0;
    } else if (this.#isInLongLine) {
      const end = bytes.indexOf(newline);
      if (end < 0) return until;
      this.#isInLongLine = false;
      this.#newlines += 1;
      from = end + 1;
    }
    const fields = this.fields;
    while (from < until) {
      const start = skipMarks(bytes, from);
      if (fields.read(bytes, start, until, last) !== "line") break;
      const isEnded = bytes[fields.next - 1] === newline;
      const end = fields.next - (isEnded ? 1 : 0);
      const goesOn =
        end - from > lineBytesMax
          ? this.#refuseLong(bytes, from, end)
          : fields.blank || this.#readRow(bytes, from);
      if (!goesOn) return from;
      this.#newlines += fields.lines - (isEnded ? 0 : 1);
      from = fields.next;
    }
    return until - from > lineBytesMax ? this.skipRest(bytes, from, tooLong) : from;
  }

  /**
   * Refuses a line that has no end yet, and skips the rest of it in the pieces that follow. Returns the
   * number of bytes of the piece.
   */
  skipRest(bytes: Uint8Array, from: number, refusal: Refusal): number {
    if (this.#countRow()) this.#taker.refuse(refusal, bytes, from, bytes.length);
    this.#isInLongLine = true;
    return bytes.length;
  }

  /**
   * Reads the header line. Returns the offset of the first row, or -1 if the line is not complete or is
   * refused.
   */
  #readHeader(bytes: Uint8Array, enough: boolean): number {
    const until = bytes.length;
    if (until < 3 && !enough) return -1;
    const bom = isMark(bytes, 0) ? 3 : 0;
    const fields = this.fields;
    const complete =
      fields.read(bytes, bom, Math.min(until, lineBytesMax), until <= lineBytesMax && enough) === "line";
    if (!complete && !enough) return -1;
    const names = complete ? fields.texts() : [];
    const known: readonly string[] = [...ledgerColumns, ...optionalColumns];
    const missing = ledgerColumns.filter((column) => !names.includes(column));
    const unexpected = names.find((name, index) => !known.includes(name) || names.indexOf(name) !== index);
    if (missing.length > 0 || unexpected !== undefined) {
      const seen = notCsv(bytes) ?? misnamed(names, known);
      const what =
        until === 0
          ? "the file is empty"
          : missing.length === ledgerColumns.length
            ? "the first line is not the header of a trade ledger"
            : missing.length > 0
              ? `the header lacks ${missing.join(", ")}`
              : `the header has an unknown or a repeated column: ${RowFields.excerpt(Buffer.from(unexpected ?? ""), 0, 40)}`;
      this.#taker.refuseFile({
        what: seen === undefined ? what : `${what}: ${seen.what}`,
        fix: seen === undefined ? ledgerBegins : `${seen.fix}; ${ledgerBegins}`,
        ...(seen?.code === undefined ? {} : { code: seen.code }),
      });
      return -1;
    }
    this.#at = columnPlaces(names);
    this.#columns = names;
    this.#newlines += bytes[fields.next - 1] === newline ? 1 : 0;
    return fields.next;
  }

  #countRow(): boolean {
    this.rowsLeft -= 1;
    if (this.rowsLeft < 0) return false;
    this.rows += 1;
    return true;
  }

  #refuseLong(bytes: Uint8Array, from: number, to: number): boolean {
    return !this.#countRow() || this.#taker.refuse(tooLong, bytes, from, to);
  }

  #readRow(bytes: Uint8Array, from: number): boolean {
    if (!this.#countRow()) return true;
    const refusal = this.#parseRow();
    if (refusal === undefined) return this.#taker.take(this.#wallUs);
    // The next trade, which overwrites a refused row, must not keep the row's fee.
    this.#trades.fee.delete(this.#trades.length);
    return this.#taker.refuse(refusal, bytes, from, this.fields.next);
  }

  /** Reads the row into the next free place of the columns, without counting it. */
  #parseRow(): Refusal | undefined {
    const fields = this.fields;
    const at = this.#at;
    const columnCount = this.#columns?.length ?? 0;
    if (fields.binary) return notText;
    if (fields.misquoted) return ["BAD_QUOTING", fields.misquotedWhy];
    if (fields.count < columnCount)
      return [
        "MISSING_COLUMN",
        `the line has only ${fields.count} of the ${columnCount} columns of the header`,
      ];
    if (fields.count > columnCount)
      return ["SURPLUS_COLUMN", `the line has ${fields.count} columns, the header has ${columnCount}`];
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
    const day = this.#dayRule.dayOf(this.#wallUs, this.#fileDay);
    if (day === undefined) return refusals.day(this.#dayRule.name);

    const lane = this.#laneOf(this.#symbols.intern(fields.bytes, symbolStart, symbolEnd));
    if (lane < 0) return unknownSymbol(this.#quoted(at.instrumentName));

    trades.side[trade] = side === 66 ? 1 : -1;
    trades.timeUs[trade] = this.#timeUs;
    trades.day[trade] = day;
    trades.lane[trade] = lane;
    trades.file[trade] = this.#file;
    trades.line[trade] = this.line;
    return undefined;
  }

  #quoted(field: number): string {
    return JSON.stringify(this.fields.text(field).slice(0, 60));
  }

  /** Wall-clock time and instant of the row being read. */
  #wallUs = 0;
  #timeUs = 0;

  /** Reads the time of a row. `YYYY-MM-DD HH:MM:SS` with up to six decimals takes a fast path. */
  #readTime(field: number): Refusal | undefined {
    const { bytes, start, end } = this.fields;
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
    return reading === "unique" ? undefined : this.#checkReading(reading, this.fields.text(field));
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
    const text = this.fields.text(field);
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
      this.#taker.note(
        "UNPADDED_DATE",
        `the date ${year}-${month}-${date} lacks a zero and is read as ${day}`,
      );
    else this.#taker.note("TIME_FORM", `the time ${text} is not in the ledger's usual form, but unambiguous`);
    this.#wallUs = read.wallUs;
    this.#timeUs = read.instantUs;
    return this.#checkReading(read.reading, text);
  }

  #readId(field: number, trade: number): boolean {
    const fields = this.fields;
    const id = fields.wholeNumber(field);
    if (id >= 0) this.#trades.setNumericId(trade, id);
    else if (fields.start[field] === fields.end[field]) return false;
    else this.#trades.setId(trade, fields.text(field));
    return true;
  }

  /** Reads a fee; an empty field means no fee. */
  #readFee(field: number, trade: number): boolean {
    const text = this.fields.text(field);
    const fee = parseDecimal(text);
    if (fee !== undefined) this.#trades.fee.set(trade, fee);
    else this.#trades.fee.delete(trade);
    return fee !== undefined || text === "";
  }

  #checkReading(reading: WallReading, text: string): Refusal | undefined {
    return checkReading(reading, text, (code, why) => this.#taker.note(code, why));
  }

  #laneOf(symbol: number): number {
    const fields = this.fields;
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
    const lane = this.#taker.laneOf(
      this.#symbols.texts[symbol] as string,
      hasBook ? this.#books.texts[book] : undefined,
      Math.floor(this.#wallUs / dayUs),
    );
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
}

const tooLong: Refusal = ["LINE_TOO_LONG", `the line is longer than ${lineBytesMax} bytes`];

const unknownSymbol = (symbol: string): Refusal => [
  "UNKNOWN_SYMBOL",
  `no product is known for ${symbol}; pnl-bridge symbols translate shows why`,
];

/** Whether a UTF-8 byte-order mark begins at `at`. */
const isMark = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf;

/** Returns the offset after the byte-order marks at the start of a row; joined files have such marks. */
function skipMarks(bytes: Uint8Array, from: number): number {
  let at = from;
  while (isMark(bytes, at)) at += 3;
  return at;
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

function columnPlaces(names: readonly string[]): Readonly<Record<Column, number>> {
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
