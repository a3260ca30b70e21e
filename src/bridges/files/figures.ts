import { assert } from "../../base/errors.ts";
import { type Fraction, parseFraction } from "../../base/fraction.ts";
import { at, present } from "../../base/present.ts";
import { firstWhere } from "../../base/search.ts";
import { formatInstant } from "../../domain/market/chicago-time.ts";
import {
  type Describe,
  type MarkKind,
  type Method,
  markKinds,
  PnlEngine,
  TradeColumns,
} from "../../engine/index.ts";
import type { Mark } from "../../engine/marks.ts";
import { DayWalk, standingOf } from "../../engine/statement.ts";
import { instrumentOf } from "../../engine/trade-columns.ts";
import type { DailyRecord, PositionRecord } from "../../ports/records.ts";

/** The trades of one book in one instrument. */
interface LaneName {
  /** `""` for trades without a book. */
  readonly book: string;
  /** The canonical name, or the symbol's own name if it has none. */
  readonly instrument: string;
}

/** An accepted trade. Decimals are text. */
export interface LaneTrade extends LaneName {
  /** Identifies the trade within its lane: its content and occurrence. */
  readonly key: string;
  readonly symbol: string;
  readonly side: "B" | "S";
  readonly quantity: string;
  readonly price: string;
  readonly timeUs: number;
  /** The trading day, in days since 1970. */
  readonly day: number;
  /** Orders the trades of a lane that have equal day and time; compared by code unit. Unique in the lane. */
  readonly source: string;
}

/** The price of an instrument of one kind on one trading day. */
export interface DayMark {
  readonly kind: MarkKind;
  readonly day: number;
  /** Decimal text; null if the price is withdrawn. */
  readonly price: string | null;
  readonly atUs: number;
}

interface LaneChange extends LaneName {
  readonly added: readonly LaneTrade[];
  /** The keys of trades that no longer count. A trade whose source changes is removed and added. */
  readonly removed: readonly string[];
}

interface InstrumentMark extends DayMark {
  readonly instrument: string;
}

/** Reads the accepted trades and marks as they were before the change. */
interface AcceptedRows {
  /** Returns all trades of a lane, in any order. */
  lane(name: LaneName): Promise<readonly LaneTrade[]>;
  /** Returns the marks of an instrument, at most one for each kind and day. */
  marks(instrument: string): Promise<readonly DayMark[]>;
  /** Returns the books that have trades in an instrument. */
  books(instrument: string): Promise<readonly string[]>;
}

interface FiguresOptions {
  readonly method: Method;
  readonly describe: Describe;
  readonly accepted: AcceptedRows;
  /** The largest number of trades in memory, over all lanes. The least recently used lanes are dropped. */
  readonly tradesMax: number;
}

type FigureRecord = PositionRecord | DailyRecord;

/**
 * Computes the positions and daily rows that stores must hold after accepted trades or marks changed. They
 * depend on the accepted trades and marks only, never on the order in which these arrived.
 *
 * - A lane has a daily row for each day on which it traded, and for each day with a mark at whose end it had
 *   open lots. A position is valued on the latest of these days; a flat position shows no mark.
 * - Records appear under the symbol of the lane's trade with the least source.
 * - Records cannot be deleted. A record for which no trade or mark is left gets quantity and P&L 0.
 * - The result has only the records that differ from those before the change, each once.
 *
 * The cost of a trade in matching order does not depend on the lane's length. An earlier trade makes its lane
 * match again; a removal, and a trade that precedes another of equal time, load it again. Calls must not
 * overlap. After a change that failed or was not accepted, `forget` must be called.
 */
export class Figures {
  readonly #options: FiguresOptions;
  /** The least recently used lane comes first. */
  readonly #lanes = new Map<string, LaneFigures>();
  #trades = 0;

  constructor(options: FiguresOptions) {
    this.#options = options;
  }

  /**
   * Returns the records that a change affects. Each lane may be in `lanes` once, and each instrument, kind
   * and day in `marks` once.
   */
  async change(given: {
    readonly lanes: readonly LaneChange[];
    readonly marks: readonly InstrumentMark[];
  }): Promise<readonly FigureRecord[]> {
    const lanes = new Map(given.lanes.map((lane) => [keyOf(lane), lane]));
    const marks = Map.groupBy(given.marks, ({ instrument }) => instrument);
    for (const instrument of marks.keys())
      for (const book of await this.#options.accepted.books(instrument)) {
        const key = keyOf({ book, instrument });
        if (!lanes.has(key)) lanes.set(key, { book, instrument, added: [], removed: [] });
      }
    const records: FigureRecord[] = [];
    for (const [key, lane] of lanes)
      records.push(...(await this.#changeLane(key, lane, marks.get(lane.instrument) ?? [])));
    return records;
  }

  /** Drops all lanes from memory. A lane is loaded again when it changes. */
  forget(): void {
    this.#lanes.clear();
    this.#trades = 0;
  }

  async #changeLane(
    key: string,
    change: LaneChange,
    marks: readonly DayMark[],
  ): Promise<readonly FigureRecord[]> {
    const before = this.#lanes.get(key) ?? (await this.#load(change));
    if (before === undefined && change.added.length + change.removed.length === 0) return [];
    const added = change.added.toSorted(inOrder);
    const grows = before !== undefined && change.removed.length === 0 && before.canTake(added);
    const known = before === undefined || grows ? [] : await this.#options.accepted.lane(change);
    const [removed, kept] = divided(known, new Set(change.removed));
    const trades = [...kept, ...added];
    const laneMarks = before?.marks ?? (await this.#marksOf(change));
    const after = grows ? before : trades.length > 0 ? this.#laneOf(trades, laneMarks) : undefined;
    const isRenamed = before !== undefined && after !== undefined && before.symbol !== after.symbol;
    const from = isRenamed ? Number.NEGATIVE_INFINITY : firstDayOf([...added, ...removed]);
    const markDays = marks.map(({ day }) => day);

    const recordsBefore = before?.records(from, markDays) ?? noRecords;
    this.#drop(key);
    for (const mark of marks) laneMarks.set(mark);
    if (grows) before.take(added);
    if (after !== undefined) this.#keep(key, after);
    const recordsAfter = after?.records(from, markDays) ?? noRecords;
    return [
      ...[...recordsBefore].flatMap(([name, record]) => (recordsAfter.has(name) ? [] : [emptied(record)])),
      ...[...recordsAfter].flatMap(([name, record]) =>
        JSON.stringify(record) === JSON.stringify(recordsBefore.get(name)) ? [] : [record],
      ),
    ];
  }

  /** Loads the accepted trades of a lane; returns undefined if it has none. */
  async #load(lane: LaneName): Promise<LaneFigures | undefined> {
    const trades = await this.#options.accepted.lane(lane);
    return trades.length === 0 ? undefined : this.#laneOf(trades, await this.#marksOf(lane));
  }

  async #marksOf({ instrument }: LaneName): Promise<LaneMarks> {
    const marks = new LaneMarks();
    for (const mark of await this.#options.accepted.marks(instrument)) marks.set(mark);
    return marks;
  }

  #laneOf(trades: readonly LaneTrade[], marks: LaneMarks): LaneFigures {
    return new LaneFigures(trades, marks, this.#options);
  }

  #drop(key: string): void {
    this.#trades -= this.#lanes.get(key)?.length ?? 0;
    this.#lanes.delete(key);
  }

  #keep(key: string, lane: LaneFigures): void {
    this.#lanes.set(key, lane);
    this.#trades += lane.length;
    for (const oldest of this.#lanes.keys()) {
      if (this.#trades <= this.#options.tradesMax) return;
      this.#drop(oldest);
    }
  }
}

/** The trades of a lane, matched, and the marks of its instrument. */
class LaneFigures {
  readonly marks: LaneMarks;
  readonly #columns: TradeColumns;
  readonly #engine: PnlEngine;
  readonly #multiplier: Fraction;
  /** The trade with the least source. */
  #first: LaneTrade;
  /** The last trade in matching order. */
  #last: LaneTrade;
  #latestUs = Number.NEGATIVE_INFINITY;

  /** `trades` has at least one trade. */
  constructor(
    trades: readonly LaneTrade[],
    marks: LaneMarks,
    { method, describe }: Pick<FiguresOptions, "method" | "describe">,
  ) {
    this.marks = marks;
    this.#columns = new TradeColumns(trades.length);
    this.#engine = new PnlEngine(this.#columns, { method });
    this.#first = trades.reduce((first, trade) => (trade.source < first.source ? trade : first));
    this.#last = trades.reduce((last, trade) => (inOrder(trade, last) > 0 ? trade : last));
    const { symbol, day } = this.#first;
    const instrument = instrumentOf(symbol, describe(symbol, day));
    this.#columns.laneOf(instrument);
    this.#multiplier = numberOf(instrument.multiplier);
    this.take(trades.toSorted(inOrder));
  }

  get length(): number {
    return this.#columns.length;
  }

  get symbol(): string {
    return this.#first.symbol;
  }

  /**
   * Whether `take` accepts these sorted trades: each follows the lane's trades of equal time, and none
   * changes the lane's symbol.
   */
  canTake(added: readonly LaneTrade[]): boolean {
    return added.every((trade) => {
      if (trade.source < this.#first.source && trade.symbol !== this.symbol) return false;
      const gap = inTime(trade, this.#last);
      return gap === 0 ? trade.source > this.#last.source : gap > 0 || !this.#hasTradeAt(trade);
    });
  }

  /** Matches further trades, which are sorted. */
  take(added: readonly LaneTrade[]): void {
    const columns = this.#columns;
    for (const trade of added) {
      const place = columns.next();
      const { quantity, price } = columns;
      columns.side[place] = trade.side === "B" ? 1 : -1;
      const isExact = quantity.parse(place, trade.quantity) && price.parse(place, trade.price);
      assert(isExact, "the quantity and price of an accepted trade are decimals");
      columns.timeUs[place] = trade.timeUs;
      columns.day[place] = trade.day;
      columns.commit();
      if (trade.source < this.#first.source) this.#first = trade;
      if (inOrder(trade, this.#last) > 0) this.#last = trade;
      this.#latestUs = Math.max(this.#latestUs, trade.timeUs);
    }
    this.#engine.feed();
  }

  /**
   * Returns the position, and the daily rows from `from` on and of the days `others`, each under its own key.
   */
  records(from: number, others: readonly number[]): ReadonlyMap<string, FigureRecord> {
    const closes = this.#lane.closes(Math.min(from, ...others));
    const traded = new Set(closes.map(({ day }) => day));
    const days = new Set([
      ...[...traded].filter((day) => day >= from),
      ...this.marks.daysFrom(from),
      ...others.filter((day) => traded.has(day) || this.marks.on(day) !== undefined),
    ]);
    const [instrument, multiplier] = [this.#columns.instrumentAt(0), this.#multiplier];
    const lane = { instrument, closes, multiplier, siblings: [] };
    const valuation = { marks: { on: (_: unknown, day: number) => this.marks.on(day) } };
    const { symbol, book } = this.#first;
    const records = new Map<string, FigureRecord>();

    const lastDay = Math.max(at(closes, -1).day, this.marks.lastDay);
    const { figures, mark } = standingOf(lane, lastDay, valuation);
    const { quantity, averagePrice, realized, unrealized } = figures;
    const usedMark = quantity === "0" ? undefined : mark;
    records.set(`position ${symbol}`, {
      kind: "position",
      symbol,
      book,
      quantity,
      averagePrice,
      realized,
      unrealized,
      mark: usedMark === undefined ? null : figures.mark,
      asOf: formatInstant(Math.max(this.#latestUs, usedMark?.atUs ?? this.#latestUs)),
    });
    const walk = new DayWalk(lane, valuation);
    for (const day of [...days].sort((a, b) => a - b)) {
      const row = walk.on(day);
      if (row === undefined) continue;
      const { tradingDay, quantity, realized, unrealized } = row;
      const record = { kind: "daily_pnl", tradingDay, symbol, book, quantity, realized, unrealized } as const;
      records.set(`${tradingDay} ${symbol}`, record);
    }
    return records;
  }

  get #lane() {
    return at(this.#engine.lanes, 0);
  }

  #hasTradeAt(time: DayTime): boolean {
    const [lane, columns] = [this.#lane, this.#columns];
    const gapAt = (place: number): number => {
      const trade = lane.tradeAt(place);
      return inTime({ day: columns.dayAt(trade), timeUs: columns.timeAt(trade) }, time);
    };
    const place = firstWhere(lane.length, (place) => gapAt(place) >= 0);
    return place < lane.length && gapAt(place) === 0;
  }
}

/** The marks of one instrument. The latest of a day counts; at equal times, the last in `markKinds`. */
class LaneMarks {
  /** The days that have marks, in ascending order. */
  readonly #days: { readonly day: number; readonly marks: Map<MarkKind, Mark> }[] = [];

  set({ kind, day, price, atUs }: DayMark): void {
    const place = this.#placeOf(day);
    if (this.#days[place]?.day !== day) this.#days.splice(place, 0, { day, marks: new Map() });
    const { marks } = at(this.#days, place);
    if (price === null) marks.delete(kind);
    else marks.set(kind, { price: numberOf(price), kind, atUs });
    if (marks.size === 0) this.#days.splice(place, 1);
  }

  on(day: number): Mark | undefined {
    const found = this.#days[this.#placeOf(day)];
    if (found?.day !== day) return undefined;
    return [...found.marks.values()].reduce((last, mark) => {
      const gap = mark.atUs - last.atUs || markKinds.indexOf(mark.kind) - markKinds.indexOf(last.kind);
      return gap > 0 ? mark : last;
    });
  }

  daysFrom(day: number): readonly number[] {
    return this.#days.slice(this.#placeOf(day)).map(({ day }) => day);
  }

  get lastDay(): number {
    return this.#days.at(-1)?.day ?? Number.NEGATIVE_INFINITY;
  }

  #placeOf(day: number): number {
    return firstWhere(this.#days.length, (place) => at(this.#days, place).day >= day);
  }
}

type DayTime = Pick<LaneTrade, "day" | "timeUs">;

const inTime = (a: DayTime, b: DayTime): number => a.day - b.day || a.timeUs - b.timeUs;

/** Compares two trades by the order in which they are matched. */
const inOrder = (a: LaneTrade, b: LaneTrade): number =>
  inTime(a, b) || (a.source < b.source ? -1 : a.source > b.source ? 1 : 0);

const keyOf = ({ book, instrument }: LaneName): string => JSON.stringify([book, instrument]);

const numberOf = (text: string): Fraction => present(parseFraction(text), "an accepted number is a decimal");

const firstDayOf = (trades: readonly LaneTrade[]): number =>
  trades.reduce((first, { day }) => Math.min(first, day), Number.POSITIVE_INFINITY);

/** Divides the trades into those with the given keys, all of which must exist, and the others. */
function divided(trades: readonly LaneTrade[], keys: ReadonlySet<string>) {
  const removed = trades.filter(({ key }) => keys.has(key));
  assert(removed.length === keys.size, "only accepted trades are removed");
  return [removed, trades.filter(({ key }) => !keys.has(key))] as const;
}

const noRecords: ReadonlyMap<string, FigureRecord> = new Map();

/** Returns the record that the stores must hold after its last trade or mark is gone. */
const emptied = (record: FigureRecord): FigureRecord => ({
  ...record,
  ...{ quantity: "0", realized: "0", unrealized: "0" },
  ...(record.kind === "position" ? { averagePrice: null, mark: null } : {}),
});
