import { type Decimal, formatDecimal, parseDecimal } from "../base/decimal.ts";
import {
  dayUs,
  parseDay,
  type ReadInstant,
  readInstant,
  type WallReading,
} from "../domain/market/chicago-time.ts";
import type { NoteCode, QuarantineCode } from "../domain/market/finding-codes.ts";
import { type DayNumber, dateOfDay, type TradingDayRule } from "../domain/market/trading-day.ts";
import { RepeatedTrades } from "./repeated-trades.ts";
import { instrumentOf, ownName, TradeColumns } from "./trade-columns.ts";

/** The facts that an instrument table has about a symbol. */
export interface DescribedSymbol {
  /** The canonical name; null if the symbol names a product but the instrument is uncertain. */
  readonly instrument: string | null;
  /** Money per point, decimal text. */
  readonly multiplier: string;
  /** ISO 4217. */
  readonly currency: string;
  /** The last trading day; null or absent if it is not known. */
  readonly expiry?: DayNumber | null;
  /** Remarks on how the symbol was read. */
  readonly notes?: readonly { readonly code: NoteCode; readonly why: string }[];
}

/** Reads a symbol of any dialect, as written on a day; returns undefined for an unknown symbol. */
export type Describe = (symbol: string, day: DayNumber | undefined) => DescribedSymbol | undefined;

/** The reason why a trade was refused. */
export type Refusal = readonly [code: QuarantineCode, why: string];

/** One trade as its source wrote it: text, or any other value found in its place. */
interface TradeFields {
  readonly id: unknown;
  readonly symbol: unknown;
  readonly book?: unknown;
  readonly side: unknown;
  readonly quantity: unknown;
  readonly price: unknown;
  readonly time?: unknown;
  readonly fee?: unknown;
}

/** The origin of a trade: the index of its file, and its line, row id or place in the request. */
interface TradePlace {
  readonly file: number;
  readonly line: number;
  /** The day in the file's name, for the day rule that uses it. */
  readonly fileDay?: DayNumber | undefined;
}

interface IntakeOptions {
  readonly describe: Describe;
  readonly dayRule: Pick<TradingDayRule, "name" | "dayOf">;
  /** Receives the notes on the trade that is being taken. */
  readonly onNote: (code: NoteCode, why: string) => void;
  /**
   * Names the place of an accepted trade, as in `trades_20250724.csv:12`; absent if all trades come from one
   * source.
   */
  readonly placeOf?: (trade: number) => string;
  /** If true, a trade without a time has the time of the trade before it; if false, it is refused. */
  readonly timeOptional?: boolean;
  /** Whether to match across books, for a comparison with a system that has no books. */
  readonly netBooks?: boolean;
  readonly capacity?: number;
}

/**
 * The way of trades into the engine: rows of ledger files, entries of requests and rows of a database follow
 * the same rules. (`FileWatcher` reads the rows of watched files itself.)
 *
 * - Text is trimmed, except the side. Symbols may be of any dialect; `describe` reads them as of the year of
 *   the trade.
 * - A wall time that daylight time skips is refused as BAD_TIME; one that occurs twice is read as the first,
 *   with the note AMBIGUOUS_TIME.
 * - A trade that an earlier file also has counts once, with DUPLICATE_ROW (`RepeatedTrades` has the rules). A
 *   trade that shares id and second with a trade of an earlier file but differs in one other field counts,
 *   with CONFLICTING_TRADE.
 *
 * ```ts
 * const intake = new TradeIntake({ describe, dayRule, onNote, placeOf });
 * const trade = { id: "1", symbol: "TYU5", side: "B", quantity: "2", price: "110.5", time };
 * const refusal = intake.take(trade, { file: 0, line: 7 });
 * ```
 *
 * Trades come file by file. `take` reads text; a reader of bytes fills the columns itself and ends with
 * `keep`.
 */
export class TradeIntake {
  readonly trades: TradeColumns;
  /** For each row that an earlier file also has, the trade that it repeats: an index into `trades`. */
  readonly repeated: number[] = [];
  /** Maps a symbol to the first symbol of the same instrument, under which its trades are reported. */
  readonly aliases = new Map<string, string>();
  readonly #options: IntakeOptions;
  readonly #seen: RepeatedTrades | undefined;
  readonly #described = new Set<string>();
  readonly #lanes = new Map<string, number>();
  #lastUs = 0;

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.trades = new TradeColumns(options.capacity);
    this.#seen = options.placeOf === undefined ? undefined : new RepeatedTrades(this.trades);
  }

  /** Takes one trade, or returns the reason for refusing it. */
  take(fields: TradeFields, place: TradePlace): Refusal | undefined {
    const { trades } = this;
    const at = trades.next();
    const [id, symbol, book] = [trimmed(fields.id), trimmed(fields.symbol), trimmed(fields.book)];
    if (symbol === undefined || symbol === "") return refusals.symbol(shown(fields.symbol));
    if (id === undefined || id === "") return refusals.id(shown(fields.id));
    if (book === "" || (book === undefined && fields.book !== undefined))
      return ["BAD_BOOK", `the book must be text, or absent, not ${shown(fields.book)}`];
    if (fields.side !== "B" && fields.side !== "S") return refusals.side(shown(fields.side));
    const quantity = decimalOf(fields.quantity);
    if (quantity === undefined) return refusals.quantity(shown(fields.quantity));
    if (quantity.coefficient <= 0n) return refusals.notPositive(formatDecimal(quantity));
    const price = decimalOf(fields.price);
    if (price === undefined) return refusals.price(shown(fields.price));
    const fee = fields.fee === undefined ? undefined : decimalOf(fields.fee);
    if (fee === undefined && fields.fee !== undefined) return refusals.fee(shown(fields.fee));
    const time = this.#timeOf(fields.time);
    if ("length" in time) return time;
    const day = this.#options.dayRule.dayOf(time.wallUs, place.fileDay);
    if (day === undefined) return refusals.day(this.#options.dayRule.name);
    trades.setId(at, id);
    trades.side[at] = fields.side === "B" ? 1 : -1;
    trades.quantity.set(at, quantity);
    trades.price.set(at, price);
    if (fee === undefined) trades.fee.delete(at);
    else trades.fee.set(at, fee);
    trades.timeUs[at] = time.instantUs;
    trades.day[at] = day;
    trades.file[at] = place.file;
    trades.line[at] = place.line;
    trades.lane[at] = this.#knownLane(
      symbol,
      book,
      fields.time === undefined ? undefined : Math.floor(time.wallUs / dayUs),
    );
    this.keep(time.wallUs);
    this.#lastUs = time.instantUs;
    return undefined;
  }

  /** Commits the trade that was just written into the columns, unless an earlier file also has it. */
  keep(wallUs: number): void {
    const { trades } = this;
    const trade = trades.length;
    if (this.#seen !== undefined && this.#isRepeated(this.#seen, trade)) return;
    const price = trades.price.coefficient[trade] as number;
    if (price === 0)
      this.#note(
        "ZERO_PRICE",
        "the price is zero: an expiry or exercise, or a start-of-day position of unknown cost; it counts",
      );
    if (price < 0) this.#note("NEGATIVE_PRICE", "the price is negative; the trade counts");
    if (wallUs % dayUs === 0)
      this.#note("START_OF_DAY", "a trade at midnight is a start-of-day position; it counts");
    trades.commit();
  }

  /**
   * Returns the lane of a symbol and book; `day` is the day on which the symbol was written. Describes the
   * symbol on every call, so callers should cache the result.
   */
  laneOf(symbol: string, book: string | undefined, day: DayNumber | undefined): number {
    const known = this.#options.describe(symbol, day);
    const lane = this.trades.laneOf(
      instrumentOf(symbol, known, this.#options.netBooks === true ? undefined : book),
    );
    const first = this.trades.instruments[lane]?.symbol ?? symbol;
    if (this.#described.has(symbol)) return lane;
    this.#described.add(symbol);
    if (known === undefined)
      this.#note(
        "UNKNOWN_PRODUCT",
        `no product is known for ${symbol}: multiplier 1, currency XXX; pnl-bridge symbols translate shows why`,
      );
    for (const { code, why } of known?.notes ?? []) this.#note(code, `${symbol}: ${why}`);
    if (first !== symbol) {
      this.aliases.set(symbol, first);
      this.#note(
        "ALIASED_SYMBOL",
        `${symbol} is the same instrument as ${first}: one position, under ${first}`,
      );
    }
    return lane;
  }

  #knownLane(symbol: string, book: string | undefined, day: DayNumber | undefined): number {
    // A one-digit year means a different year in each decade.
    const year = day === undefined ? "" : dateOfDay(day).year;
    const key = `${year} ${book === undefined ? "" : JSON.stringify(book)} ${symbol}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = this.laneOf(symbol, book, day);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #timeOf(given: unknown): Refusal | { readonly instantUs: number; readonly wallUs: number } {
    if (given === undefined && this.#options.timeOptional === true)
      return { instantUs: this.#lastUs, wallUs: Number.NaN };
    const text = trimmed(given);
    const read = text === undefined ? undefined : readInstant(text);
    if (read === undefined) return refusals.time(shown(given));
    return checkReading(read.reading, text ?? "", (code, why) => this.#note(code, why)) ?? read;
  }

  #isRepeated(seen: RepeatedTrades, trade: number): boolean {
    const { fee, file } = this.trades;
    const earlier = seen.look(file[trade] as number);
    if (earlier === undefined) return false;
    const place = this.#options.placeOf?.(earlier.trade) ?? "";
    if (!earlier.same) {
      const why = `two trades count: this one and ${place}, with the same id and second; they differ in ${earlier.differs}; remove the wrong one`;
      this.#note("CONFLICTING_TRADE", why);
      return false;
    }
    const [theirs, ours] = [fee.get(earlier.trade), fee.get(trade)];
    fee.delete(trade);
    if (theirs === undefined && ours !== undefined) fee.set(earlier.trade, ours);
    const feeDiffers = theirs?.coefficient !== ours?.coefficient || theirs?.scale !== ours?.scale;
    const differs = [
      ...(earlier.differs === undefined ? [] : [earlier.differs]),
      ...(feeDiffers ? ["the fee"] : []),
    ];
    this.repeated.push(earlier.trade);
    this.#note(
      "DUPLICATE_ROW",
      differs.length === 0
        ? `dropped: the same row is already in ${place}`
        : `dropped: the same trade is already in ${place} and differs in ${differs.join(" and ")}`,
    );
    return true;
  }

  #note(code: NoteCode, why: string): void {
    this.#options.onNote(code, why);
  }
}

/** Refuses a wall time that never occurs, and notes one that occurs twice. */
export function checkReading(
  reading: WallReading,
  text: string,
  note: (code: NoteCode, why: string) => void,
): Refusal | undefined {
  if (reading === "ambiguous") note("AMBIGUOUS_TIME", ambiguousTime);
  return reading === "nonexistent" ? refusals.gap(text) : undefined;
}

/**
 * Reads the as-of time of a run or request. Throws TypeError for text that is not a time, for a time that
 * daylight time skips, and for a day without a time, since its midnight would leave out the whole day that it
 * names.
 */
export function readAsOf(given: unknown): ReadInstant {
  const read = typeof given === "string" ? readInstant(given) : undefined;
  if (typeof given !== "string" || read === undefined) throw new TypeError(`is not a time: ${shown(given)}`);
  if (parseDay(given) !== undefined) throw new TypeError(`names a day, not a time: ${shown(given)}`);
  if (read.reading === "nonexistent") throw new TypeError(refusals.gap(given)[1]);
  return read;
}

/**
 * The identity of a trade as one text; the SHA-256 of its UTF-8 bytes is the `trade_key`, whatever the
 * source. `occurrence` is 1 for the first of equal rows of a source file, 2 for the second, and so on. The
 * fee is not part of the identity.
 */
export function tradeIdentity(trades: TradeColumns, trade: number, occurrence = 1): string {
  const { timeUs, side, quantity, price } = trades;
  const { instrument, symbol, book } = trades.instrumentAt(trade);
  return JSON.stringify([
    trades.id(trade),
    instrument ?? ownName(symbol),
    book ?? "",
    String(timeUs[trade]),
    side[trade] === 1 ? "B" : "S",
    formatDecimal(quantity.at(trade)),
    formatDecimal(price.at(trade)),
    occurrence,
  ]);
}

/** The refusal for each bad field; `text` is the value found there, quoted. */
export const refusals = {
  symbol: (text: string): Refusal => ["BAD_SYMBOL", `the symbol must be text, not ${text}`],
  id: (text: string): Refusal => ["BAD_ID", `the trade id must be text, not ${text}`],
  side: (text: string, name = "side"): Refusal => ["BAD_SIDE", `${name} must be B or S, not ${text}`],
  quantity: (text: string): Refusal => [
    "BAD_QUANTITY",
    `the quantity must be decimal text such as 1.5, not ${text}`,
  ],
  notPositive: (text: string): Refusal => [
    "BAD_QUANTITY",
    `the quantity must be above zero, not ${text}; the side carries the sign`,
  ],
  price: (text: string): Refusal => [
    "BAD_PRICE",
    `the price must be decimal text such as 110.015625, not ${text}`,
  ],
  fee: (text: string): Refusal => ["BAD_FEE", `the fee must be decimal text such as 2, not ${text}`],
  time: (text: string): Refusal => [
    "BAD_TIME",
    `the time must be Chicago wall time such as 2025-07-24 09:30:59, or carry an offset, not ${text}`,
  ],
  gap: (text: string): Refusal => [
    "BAD_TIME",
    `${text} does not exist in Chicago: daylight time begins at 02:00 on that day; write the time with its offset`,
  ],
  day: (rule: string): Refusal => [
    "NO_TRADING_DAY",
    `the day rule ${rule} needs a date in the file's name, which has none`,
  ],
} as const;

export const ambiguousTime =
  "this hour occurs twice because daylight time ends; read as the first; an offset says which is meant";

const trimmed = (value: unknown): string | undefined =>
  typeof value === "string" ? value.trim() : undefined;

const decimalOf = (value: unknown): Decimal | undefined => {
  const text = trimmed(value);
  return text === undefined ? undefined : parseDecimal(text);
};

/** A value as error messages quote it, at most 80 characters long. */
export function shown(value: unknown): string {
  try {
    return value === undefined ? "nothing" : (JSON.stringify(value)?.slice(0, 80) ?? String(value));
  } catch {
    // A bigint, or an object that contains itself.
    return typeof value === "bigint" ? `${value}n` : Object.prototype.toString.call(value);
  }
}
