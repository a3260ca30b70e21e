import { type Decimal, formatDecimal, parseDecimal } from "../base/decimal.ts";
import { dayUs, parseDay, type ReadInstant, readInstant, type WallReading } from "../domain/market/chicago-time.ts";
import type { NoteCode, QuarantineCode } from "../domain/market/finding-codes.ts";
import { type DayNumber, dateOfDay, type TradingDayRule } from "../domain/market/trading-day.ts";
import { RepeatedTrades } from "./repeated-trades.ts";
import { instrumentOf, ownName, TradeColumns } from "./trade-columns.ts";

/** What an instrument table says of a symbol. */
export interface DescribedSymbol {
  /** The canonical name; null where the symbol names a product but no instrument for certain. */
  readonly instrument: string | null;
  /** Money per point, decimal text. */
  readonly multiplier: string;
  /** ISO 4217. */
  readonly currency: string;
  /** The last trading day; null or absent where it is not known. */
  readonly expiry?: DayNumber | null;
  /** What a person may want to know of how it was read. */
  readonly notes?: readonly { readonly code: NoteCode; readonly why: string }[];
}

/** Reads a symbol in whatever dialect, as it was written on a day; undefined where nothing is known of it. */
export type Describe = (symbol: string, day: DayNumber | undefined) => DescribedSymbol | undefined;

/** Why a trade was not taken. */
export type Refusal = readonly [code: QuarantineCode, why: string];

/** One trade as its source wrote it: text, or whatever stands there instead. */
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

/** Where a trade stands: the index of its file, and its line, row id or place in the request. */
interface TradePlace {
  readonly file: number;
  readonly line: number;
  /** The day in the file's name, for the day rule that goes by it. */
  readonly fileDay?: DayNumber | undefined;
}

interface IntakeOptions {
  readonly describe: Describe;
  readonly dayRule: Pick<TradingDayRule, "name" | "dayOf">;
  /** Receives what a person may want to know of the trade that is being taken. */
  readonly onNote: (code: NoteCode, why: string) => void;
  /** Names the place of an accepted trade, as in `trades_20250724.csv:12`; absent where all trades come from one source. */
  readonly placeOf?: (trade: number) => string;
  /** A trade without a time follows the one before it. Otherwise it is refused. */
  readonly timeOptional?: boolean;
  /** Match across books, for a comparison with a system that knows none. */
  readonly netBooks?: boolean;
  readonly capacity?: number;
}

/**
 * The one door of trades into the engine: rows of ledger files, entries of requests, and rows of a database pass the same rules.
 *
 * - Text is trimmed. Symbols may be of any dialect; `describe` reads them as of the year of the trade.
 * - A wall time that daylight time skips is refused BAD_TIME; one that occurs twice is taken as the first, with AMBIGUOUS_TIME.
 * - A trade that an earlier file has too counts once, with DUPLICATE_ROW (`RepeatedTrades` has the rules). One that has the id
 *   and second of a trade of an earlier file and one other difference counts, with CONFLICTING_TRADE.
 *
 * ```ts
 * const intake = new TradeIntake({ describe, dayRule, onNote, placeOf });
 * const refusal = intake.take({ id: "1", symbol: "TYU5", side: "B", quantity: "2", price: "110.5", time }, { file: 0, line: 7 });
 * ```
 * Trades come file by file. `take` reads text; a reader of bytes fills the columns itself and ends with `keep`.
 */
export class TradeIntake {
  readonly trades: TradeColumns;
  /** For each row that an earlier file has too, the trade that it repeats: an index into `trades`. */
  readonly repeated: number[] = [];
  /** By symbol: the first symbol of the same instrument, under which its trades stand. */
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

  /** Takes one trade, or says why not. */
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
    trades.lane[at] = this.#knownLane(symbol, book, fields.time === undefined ? undefined : Math.floor(time.wallUs / dayUs));
    this.keep(time.wallUs);
    this.#lastUs = time.instantUs;
    return undefined;
  }

  /** Counts the trade that stands in the columns behind the last one, unless an earlier file has it too. */
  keep(wallUs: number): void {
    const { trades } = this;
    const trade = trades.length;
    if (this.#seen !== undefined && this.#isRepeated(this.#seen, trade)) return;
    const price = trades.price.coefficient[trade] as number;
    if (price === 0)
      this.#note("ZERO_PRICE", "a price of zero: an expiry or exercise, or a start-of-day position of unknown cost; kept");
    if (price < 0) this.#note("NEGATIVE_PRICE", "a negative price; kept");
    if (wallUs % dayUs === 0) this.#note("START_OF_DAY", "a trade at midnight is a start-of-day position; kept");
    trades.commit();
  }

  /** The lane of a symbol and book, as written on a day: described on each call, so for who remembers the answer. */
  laneOf(symbol: string, book: string | undefined, day: DayNumber | undefined): number {
    const known = this.#options.describe(symbol, day);
    const lane = this.trades.laneOf(instrumentOf(symbol, known, this.#options.netBooks === true ? undefined : book));
    const first = this.trades.instruments[lane]?.symbol ?? symbol;
    if (this.#described.has(symbol)) return lane;
    this.#described.add(symbol);
    if (known === undefined)
      this.#note("UNKNOWN_PRODUCT", `no product is known for ${symbol}: multiplier 1, currency XXX; symbols translate says why`);
    for (const { code, why } of known?.notes ?? []) this.#note(code, `${symbol}: ${why}`);
    if (first !== symbol) {
      this.aliases.set(symbol, first);
      this.#note("ALIASED_SYMBOL", `${symbol} is the same instrument as ${first}: one position, under ${first}`);
    }
    return lane;
  }

  #knownLane(symbol: string, book: string | undefined, day: DayNumber | undefined): number {
    // One digit of a year means another year in another decade.
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
    if (given === undefined && this.#options.timeOptional === true) return { instantUs: this.#lastUs, wallUs: Number.NaN };
    const text = trimmed(given);
    const read = text === undefined ? undefined : readInstant(text);
    if (read === undefined) return refusals.time(shown(given));
    return this.checkReading(read.reading, text ?? "") ?? read;
  }

  /** Refuses a wall time that never occurs, and notes one that occurs twice. */
  checkReading(reading: WallReading, text: string): Refusal | undefined {
    if (reading === "ambiguous") this.#note("AMBIGUOUS_TIME", ambiguousTime);
    return reading === "nonexistent" ? refusals.gap(text) : undefined;
  }

  #isRepeated(seen: RepeatedTrades, trade: number): boolean {
    const { fee, file } = this.trades;
    const earlier = seen.look(file[trade] as number);
    if (earlier === undefined) return false;
    const place = this.#options.placeOf?.(earlier.trade) ?? "";
    if (!earlier.same) {
      const why = `counted, and so is ${place}, which has the same id and second and differs in ${earlier.differs}; remove the wrong one`;
      this.#note("CONFLICTING_TRADE", why);
      return false;
    }
    const [theirs, ours] = [fee.get(earlier.trade), fee.get(trade)];
    fee.delete(trade);
    if (theirs === undefined && ours !== undefined) fee.set(earlier.trade, ours);
    const feeDiffers = theirs?.coefficient !== ours?.coefficient || theirs?.scale !== ours?.scale;
    const differs = [...(earlier.differs === undefined ? [] : [earlier.differs]), ...(feeDiffers ? ["the fee"] : [])];
    this.repeated.push(earlier.trade);
    this.#note(
      "DUPLICATE_ROW",
      differs.length === 0
        ? `dropped: the same row stands in ${place}`
        : `dropped: the same trade stands in ${place} and differs in ${differs.join(" and ")}`,
    );
    return true;
  }

  #note(code: NoteCode, why: string): void {
    this.#options.onNote(code, why);
  }
}

/**
 * The as-of time of a run or request. Throws TypeError for what is no time, for a time that daylight time skips, and for a day
 * alone, since its midnight would leave out the whole day that was named.
 */
export function readAsOf(given: unknown): ReadInstant {
  const read = typeof given === "string" ? readInstant(given) : undefined;
  if (typeof given !== "string" || read === undefined) throw new TypeError(`does not read as a time: ${shown(given)}`);
  if (parseDay(given) !== undefined) throw new TypeError(`names a day, not a time: ${shown(given)}`);
  if (read.reading === "nonexistent") throw new TypeError(refusals.gap(given)[1]);
  return read;
}

/**
 * What makes a trade this trade, as one text; the SHA-256 of its UTF-8 bytes is the `trade_key` of every door. `occurrence` is 1
 * for the first of equal rows of a source file, 2 for the second, and so on. The fee is an attribute, not a part of identity.
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

/** Refusals by what is wrong; `text` is what stands there, quoted. */
export const refusals = {
  symbol: (text: string): Refusal => ["BAD_SYMBOL", `the symbol must be text, not ${text}`],
  id: (text: string): Refusal => ["BAD_ID", `the trade id must be text, not ${text}`],
  side: (text: string, name = "side"): Refusal => ["BAD_SIDE", `${name} must be B or S, not ${text}`],
  quantity: (text: string): Refusal => ["BAD_QUANTITY", `the quantity must be decimal text such as 1.5, not ${text}`],
  notPositive: (text: string): Refusal => [
    "BAD_QUANTITY",
    `the quantity must be above zero, not ${text}; the side carries the sign`,
  ],
  price: (text: string): Refusal => ["BAD_PRICE", `the price must be decimal text such as 110.015625, not ${text}`],
  fee: (text: string): Refusal => ["BAD_FEE", `the fee must be decimal text such as 2, not ${text}`],
  time: (text: string): Refusal => [
    "BAD_TIME",
    `the time must be Chicago wall time such as 2025-07-24 09:30:59, or carry an offset, not ${text}`,
  ],
  gap: (text: string): Refusal => [
    "BAD_TIME",
    `${text} does not exist in Chicago: daylight time begins at 02:00 on that day; write the time with its offset`,
  ],
  day: (rule: string): Refusal => ["NO_TRADING_DAY", `the day rule ${rule} gives this row no day: the file's name has none`],
} as const;

export const ambiguousTime = "this hour occurs twice as daylight time ends; taken as the first: an offset says which is meant";

const trimmed = (value: unknown): string | undefined => (typeof value === "string" ? value.trim() : undefined);

const decimalOf = (value: unknown): Decimal | undefined => {
  const text = trimmed(value);
  return text === undefined ? undefined : parseDecimal(text);
};

/** A value as a complaint quotes it. */
export function shown(value: unknown): string {
  try {
    return value === undefined ? "nothing" : (JSON.stringify(value)?.slice(0, 80) ?? String(value));
  } catch {
    // A bigint, or an object that holds itself.
    return typeof value === "bigint" ? `${value}n` : Object.prototype.toString.call(value);
  }
}
