import { hourUs, wallOfInstant } from "../domain/market/chicago-time.ts";
import type { TradeColumns } from "../engine/index.ts";

/** A row that modern refused, as a more lenient system reads it. */
export interface AdmittedRow {
  readonly file: number;
  readonly line: number;
  readonly id: string;
  readonly book: string | undefined;
  readonly symbol: string;
  readonly lane: string;
  readonly timeUs: number;
  readonly day: number;
  /** In units. */
  readonly signed: number;
  readonly price: number;
  /** The code of the refusal. */
  readonly code: string;
}

/** The data that the rows of one component share. */
export interface RowSource {
  readonly trades: TradeColumns;
  /** Units are powers of ten: the decimal places of quantities and prices. */
  readonly scales: { readonly quantity: number; readonly price: number };
  /** Maps the place of a row of a later file to the place of the row that it repeats. */
  readonly repeats: ReadonlyMap<number, number>;
  /** The lane in which modern keeps the trades of each instrument. */
  readonly lanes: readonly string[];
  readonly admitted: readonly AdmittedRow[];
  /** The number of rows in the files before each file. */
  readonly rowsBefore: readonly number[];
  /**
   * The trades whose id an earlier row of the file has, and those whose id a later row of any file has. The
   * other row may be in any lane.
   */
  readonly sharedIds: { readonly earlier: ReadonlySet<number>; readonly later: ReadonlySet<number> };
  readonly oddTimes: ReadonlySet<string>;
}

/** The values of a row that a counterfactual may change. */
interface Change {
  readonly signed?: number;
  readonly price?: number;
  readonly number?: number;
  readonly ordinal?: number;
}

type Units = Pick<RowSource, "trades" | "scales">;

/** Returns the quantity of a trade in units, negative for a sale; NaN if a float cannot hold it. */
export const signedUnits = ({ trades, scales }: Units, trade: number): number =>
  scaled(trades.quantity, trade, scales.quantity) * trades.sideAt(trade);

/** Returns the price of a trade in units; NaN if a float cannot hold it. */
export const priceUnits = ({ trades, scales }: Units, trade: number): number =>
  scaled(trades.price, trade, scales.price);

function scaled({ coefficient, scale }: TradeColumns["price"], index: number, to: number): number {
  const [value, own] = [coefficient[index] ?? Number.NaN, scale[index] ?? 0];
  return own === to ? value : value * 10 ** (to - own);
}

/** All or some of the rows of a component, in the order of reading. */
export interface Rows extends Iterable<Row> {
  readonly length: number;
  at(index: number): Row | undefined;
}

/**
 * All rows of a component. A row object is created on request, because keeping the objects of a million rows
 * is too slow.
 */
export class LedgerRows implements Rows {
  readonly #source: RowSource;
  /** The indices of trades, or -(1 + an index into the admitted rows). */
  readonly #order: readonly number[];
  #ofEachHour: readonly Row[] | undefined;

  constructor(source: RowSource, order: readonly number[]) {
    this.#source = source;
    this.#order = order;
  }

  get length(): number {
    return this.#order.length;
  }

  at(place: number): Row | undefined {
    const index = this.#order[place];
    return index === undefined ? undefined : new Row(this.#source, index, place);
  }

  *[Symbol.iterator](): Generator<Row> {
    for (const [place, index] of this.#order.entries()) yield new Row(this.#source, index, place);
  }

  /**
   * One row for each hour, file and day. It represents all rows of that hour, because every day rule gives
   * them the same day.
   */
  get ofEachHour(): readonly Row[] {
    if (this.#ofEachHour !== undefined) return this.#ofEachHour;
    const rows: Row[] = [];
    let [hour, file, day] = [Number.NaN, Number.NaN, Number.NaN];
    for (let place = 0; place < this.length; place++) {
      const row = this.at(place);
      if (row === undefined) continue;
      const own = Math.floor(row.wallUs / hourUs);
      if (own === hour && row.file === file && row.day === day) continue;
      hour = own;
      file = row.file;
      day = row.day;
      rows.push(row);
    }
    this.#ofEachHour = rows;
    return rows;
  }
}

/**
 * One row of a ledger. Its facts stay in the columns of the ledger, so that a million rows take little
 * memory.
 */
export class Row {
  /** Its place in the order of reading, from 0. */
  readonly place: number;
  readonly #source: RowSource;
  /** An index into the trades, or -(1 + an index into the admitted rows). */
  readonly #index: number;
  readonly #change: Change | undefined;

  constructor(source: RowSource, index: number, place: number, change?: Change) {
    this.place = place;
    this.#source = source;
    this.#index = index;
    this.#change = change;
  }

  with(change: Change): Row {
    return new Row(this.#source, this.#index, this.place, { ...this.#change, ...change });
  }

  /** The quantity in units; negative for a sale. */
  get signed(): number {
    return this.#change?.signed ?? this.#admitted?.signed ?? signedUnits(this.#source, this.#index);
  }

  /** The price in units. */
  get price(): number {
    return this.#change?.price ?? this.#admitted?.price ?? priceUnits(this.#source, this.#index);
  }

  /** The place of the row of an earlier file that this one repeats. */
  get repeats(): number | undefined {
    return this.#source.repeats.get(this.place);
  }

  get #admitted(): AdmittedRow | undefined {
    return this.#index < 0 ? this.#source.admitted[-1 - this.#index] : undefined;
  }

  get file(): number {
    return this.#admitted?.file ?? (this.#source.trades.file[this.#index] as number);
  }

  get line(): number {
    return this.#admitted?.line ?? (this.#source.trades.line[this.#index] as number);
  }

  /** The row's number, from 1. Rows of other instruments and refused rows count too. */
  get number(): number {
    return this.#change?.number ?? this.line - 1;
  }

  /** The row's number through all files, from 1. */
  get ordinal(): number {
    return this.#change?.ordinal ?? (this.#source.rowsBefore[this.file] ?? 0) + this.line - 1;
  }

  get id(): string {
    return this.#admitted?.id ?? this.#source.trades.id(this.#index);
  }

  get book(): string | undefined {
    return this.#index < 0 ? this.#admitted?.book : this.#source.trades.instrumentAt(this.#index).book;
  }

  /** The symbol as the row spells it. */
  get symbol(): string {
    return this.#admitted?.symbol ?? this.#source.trades.instrumentAt(this.#index).symbol;
  }

  /** The lane in which modern keeps the row. */
  get lane(): string {
    const { lanes, trades } = this.#source;
    return this.#admitted?.lane ?? (lanes[trades.laneAt(this.#index)] as string);
  }

  get timeUs(): number {
    return this.#admitted?.timeUs ?? this.#source.trades.timeAt(this.#index);
  }

  /** Chicago wall time. */
  get wallUs(): number {
    return wallOfInstant(this.timeUs);
  }

  /** The trading day under modern's own day rule. */
  get day(): number {
    return this.#admitted?.day ?? this.#source.trades.dayAt(this.#index);
  }

  /** The code of the refusal; such a row is in no figure unless a rule admits it. */
  get refused(): string | undefined {
    return this.#admitted?.code;
  }

  /** Whether an earlier row of the file has the same id, in any lane. */
  get hasEarlierId(): boolean {
    return this.#source.sharedIds.earlier.has(this.#index);
  }

  /** Whether a later row of any file has the same id, in any lane. */
  get hasLaterId(): boolean {
    return this.#source.sharedIds.later.has(this.#index);
  }

  /** Whether the row's time is written in an unusual form, such as with a `T`. */
  get oddTime(): boolean {
    const { oddTimes } = this.#source;
    return oddTimes.size > 0 && this.#index >= 0 && oddTimes.has(`${this.file}:${this.line}`);
  }
}
