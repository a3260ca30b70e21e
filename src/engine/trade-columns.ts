import type { Decimal } from "../base/decimal.ts";
import { at } from "../base/present.ts";
import type { DayNumber } from "../domain/market/trading-day.ts";
import { DecimalColumn, grown } from "./decimal-column.ts";

/** The book and instrument of one lane. Lots match within a lane, never across lanes. */
export interface Instrument {
  readonly book?: string;
  /** The symbol as the source writes it. */
  readonly symbol: string;
  /** The canonical name, or null if the symbol has none. Symbols of one canonical name share a lane. */
  readonly instrument: string | null;
  /** Money per point and contract, decimal text. */
  readonly multiplier: string;
  /** ISO 4217; `XXX` if the product is unknown. */
  readonly currency: string;
  /** The last trading day, if it is known. */
  readonly expiry?: DayNumber;
}

/** The name of a symbol without a canonical name: its text, with the strike in its shortest form. */
export const ownName = (symbol: string): string => symbol.replace(/(\/\d+)(?:\.0*|(\.\d*[1-9])0+)$/, "$1$2");

/**
 * The instrument of a symbol, from the facts that a table knows; an unknown symbol has multiplier 1 and the
 * currency `XXX`.
 */
export const instrumentOf = (
  symbol: string,
  known:
    | ({ readonly [Key in "instrument" | "multiplier" | "currency"]?: Instrument[Key] } & {
        readonly expiry?: DayNumber | null;
      })
    | undefined,
  book?: string,
): Instrument => ({
  ...(book === undefined ? {} : { book }),
  symbol,
  instrument: known?.instrument ?? null,
  multiplier: known?.multiplier ?? "1",
  currency: known?.currency ?? "XXX",
  ...(known?.expiry === undefined || known.expiry === null ? {} : { expiry: known.expiry }),
});

/**
 * Trades as columns, in input order: 51 bytes each, besides fees and ids that are not whole numbers. Readers
 * append, the engine reads. Trades are never removed, and only a missing fee is added later, so an index
 * identifies a trade permanently.
 */
export class TradeColumns {
  length = 0;
  /** Index into `instruments`. */
  lane: Int32Array;
  /** 1 buy, -1 sell. */
  side: Int8Array;
  readonly quantity: DecimalColumn;
  readonly price: DecimalColumn;
  /** Microseconds since 1970 UTC; a trade without a time has the time of the trade before it. */
  timeUs: Float64Array;
  /** Trading day, in days since 1970. */
  day: Int32Array;
  /** Index into the reader's list of files, and the 1-based line there. */
  file: Int32Array;
  line: Uint32Array;
  /** Fees by trade; few sources have them. */
  readonly fee = new Map<number, Decimal>();
  readonly instruments: Instrument[] = [];
  /** The number of trades by lane. */
  readonly counts: number[] = [];
  readonly #lanes = new Map<string, number>();
  /** A canonical whole number is stored as itself; any other id as -(1 + its index in `#idTexts`). */
  #id: Float64Array;
  readonly #idTexts: string[] = [];

  constructor(capacity = 1024) {
    this.lane = new Int32Array(capacity);
    this.side = new Int8Array(capacity);
    this.quantity = new DecimalColumn(capacity);
    this.price = new DecimalColumn(capacity);
    this.timeUs = new Float64Array(capacity);
    this.day = new Int32Array(capacity);
    this.file = new Int32Array(capacity);
    this.line = new Uint32Array(capacity);
    this.#id = new Float64Array(capacity);
  }

  /** Makes room for one more trade and returns its index; the trade counts after `commit`. */
  next(): number {
    if (this.length === this.lane.length) this.#grow(this.length * 2);
    return this.length;
  }

  commit(): void {
    const lane = this.laneAt(this.length);
    // Runs for every row of a ledger, so it uses a cast instead of a checked read.
    (this.counts[lane] as number) += 1;
    this.length += 1;
  }

  /** The lane of an instrument, created on first use. */
  laneOf(instrument: Instrument): number {
    const key = JSON.stringify([
      instrument.book,
      instrument.instrument,
      instrument.instrument === null ? ownName(instrument.symbol) : null,
    ]);
    const known = this.#lanes.get(key);
    if (known !== undefined) return known;
    this.#lanes.set(key, this.instruments.length);
    this.instruments.push(instrument);
    this.counts.push(0);
    return this.instruments.length - 1;
  }

  /**
   * Whether a trade precedes another by trading day, then time. Trades of equal time keep their input order.
   */
  isBefore(trade: number, other: number): boolean {
    const day = this.dayAt(trade);
    const otherDay = this.dayAt(other);
    return day < otherDay || (day === otherDay && this.timeAt(trade) < this.timeAt(other));
  }

  timeAt(trade: number): number {
    return this.timeUs[trade] as number;
  }

  dayAt(trade: number): DayNumber {
    return this.day[trade] as DayNumber;
  }

  laneAt(trade: number): number {
    return this.lane[trade] as number;
  }

  sideAt(trade: number): number {
    return this.side[trade] as number;
  }

  instrumentAt(trade: number): Instrument {
    return at(this.instruments, this.laneAt(trade));
  }

  /** The row that a trade was read from: the index of its file, and its line. */
  placeOf(trade: number): { readonly file: number; readonly line: number } {
    return { file: this.file[trade] as number, line: this.line[trade] as number };
  }

  setId(index: number, text: string): void {
    if (/^(?:0|[1-9]\d{0,14})$/.test(text)) this.#id[index] = Number(text);
    else this.#id[index] = -this.#idTexts.push(text);
  }

  /** Sets the id from digits that the reader has already parsed: a whole number of at most 15 digits. */
  setNumericId(index: number, id: number): void {
    this.#id[index] = id;
  }

  #idAt(index: number): number {
    return this.#id[index] as number;
  }

  id(index: number): string {
    const id = this.#idAt(index);
    return id < 0 ? (this.#idTexts[-id - 1] as string) : String(id);
  }

  /** A hash of the id. */
  idHash(index: number): number {
    const id = this.#idAt(index);
    if (id >= 0) return Math.imul(id | 0, 0x9e3779b1) ^ ((id / 4294967296) | 0);
    let hash = 0x811c9dc5;
    const text = this.id(index);
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    return hash;
  }

  sameId(index: number, other: number): boolean {
    const [a, b] = [this.#idAt(index), this.#idAt(other)];
    return a >= 0 || b >= 0 ? a === b : this.id(index) === this.id(other);
  }

  #grow(capacity: number): void {
    this.lane = grown(this.lane, new Int32Array(capacity));
    this.side = grown(this.side, new Int8Array(capacity));
    this.quantity.grow(capacity);
    this.price.grow(capacity);
    this.timeUs = grown(this.timeUs, new Float64Array(capacity));
    this.day = grown(this.day, new Int32Array(capacity));
    this.file = grown(this.file, new Int32Array(capacity));
    this.line = grown(this.line, new Uint32Array(capacity));
    this.#id = grown(this.#id, new Float64Array(capacity));
  }
}
