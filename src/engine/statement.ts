import { assert } from "../base/errors.ts";
import {
  add,
  compare,
  divide,
  type Fraction,
  formatFraction,
  isZero,
  multiply,
  parseFraction,
  subtract,
  zero,
} from "../base/fraction.ts";
import { at } from "../base/present.ts";
import { firstWhere } from "../base/search.ts";
import { formatInstant } from "../domain/market/chicago-time.ts";
import { formatDay } from "../domain/market/trading-day.ts";
import type { DayClose, Lane } from "./lane.ts";
import type { Mark, MarkBook, MarkKind } from "./marks.ts";
import { type PnlEngine, priceOf } from "./pnl-engine.ts";
import type { Instrument, TradeColumns } from "./trade-columns.ts";

/**
 * An open lot. All numbers are exact text: decimal, or `p/q`; in a row with `rounded`, at least one number is
 * rounded to 18 decimals instead.
 *
 * @public
 */
export interface LotRow {
  /** Null under average cost, where the pool holds many trades. */
  readonly tradeId: string | null;
  /** Negative for a short lot. */
  readonly quantity: string;
  readonly price: string;
  readonly openedAt?: string;
}

export interface StatementPosition {
  readonly book?: string;
  readonly symbol: string;
  readonly instrument: string | null;
  readonly quantity: string;
  /** Null if the position is flat. */
  readonly averagePrice: string | null;
  /** Money before fees, since inception. */
  readonly realized: string;
  /** Null if there are open lots but no mark. */
  readonly unrealized: string | null;
  readonly fees: string;
  readonly mark: string | null;
  readonly markKind: MarkKind | null;
  readonly multiplier: string;
  readonly currency: string;
  readonly lots: readonly LotRow[];
  readonly rounded?: true;
}

/**
 * The P&L of one day in one symbol of a book.
 *
 * @public
 */
export interface StatementDay {
  readonly tradingDay: string;
  readonly book?: string;
  readonly symbol: string;
  /** At the end of the day. */
  readonly quantity: string;
  /** Average price of the lots open at the end of the day; null if flat. */
  readonly averagePrice: string | null;
  /** Realized on this day. */
  readonly realized: string;
  /** Since inception. */
  readonly realizedToDate: string;
  /** At the end of the day; null if there are open lots but no mark. */
  readonly unrealized: string | null;
  /** Change since the last marked day; null if `unrealized` is null. */
  readonly unrealizedChange: string | null;
  readonly mark: string | null;
  readonly markKind: MarkKind | null;
  /**
   * realized + unrealizedChange; on a day without a mark only realized: the change follows on the next marked
   * day.
   */
  readonly total: string;
  readonly rounded?: true;
}

export interface Totals {
  readonly [currency: string]: CurrencyTotal | readonly string[];
  /** Symbols with open lots and no mark: their unrealized P&L is in no total. */
  readonly unmarked: readonly string[];
  /** Symbols without a canonical name. */
  readonly untranslated: readonly string[];
}

export interface CurrencyTotal {
  readonly realized: string;
  readonly unrealized: string;
  readonly total: string;
  readonly rounded?: true;
}

export interface Statement {
  readonly positions: readonly StatementPosition[];
  readonly daily: Iterable<StatementDay>;
  readonly totals: Totals;
}

/** The value of open lots. */
interface Valuation {
  /** Prices for open lots: marks by day, the last traded price, or none. */
  readonly marks: Pick<MarkBook, "on"> | "last_trade" | "none";
  /** Whether open lots without a mark have an unrealized P&L of 0, as in some systems. */
  readonly unmarkedAtZero?: boolean;
}

export interface StatementOptions extends Valuation {
  readonly marks: MarkBook | "last_trade" | "none";
  /** The trading day that the positions are valued on. */
  readonly asOfDay: number;
  /** Further days that get rows, besides those of trades and marks. */
  readonly days?: readonly number[];
  /** Whether a trade came with a time; its lot then shows when it was opened. */
  readonly openedAt: (trade: number) => boolean;
}

/**
 * Positions, daily P&L and totals of all trades that the engine has matched. Rows are ordered by symbol and
 * book, daily rows by day first. Linear in lanes × days and in open lots; `daily` is computed again each time
 * it is read.
 */
export function statementOf(engine: PnlEngine, options: StatementOptions): Statement {
  const lanes = statementLanes(engine);
  const days = statementDays(lanes, options);
  const valued = lanes.map((lane) => position(lane, options));
  return {
    positions: valued.map(({ row }) => row),
    daily: { [Symbol.iterator]: () => dailyRows(lanes, days, options) },
    totals: totalsOf(valued),
  };
}

/**
 * The mark of each instrument on each day from its first trade on, even on days on which no lot is open. A
 * symbol in several books appears once.
 */
export function* closesOf(
  engine: PnlEngine,
  options: StatementOptions,
): Generator<{ readonly symbol: string; readonly tradingDay: string; readonly price: string }> {
  const lanes = statementLanes(engine);
  const days = statementDays(lanes, options);
  for (const [index, lane] of lanes.entries()) {
    const { symbol } = lane.instrument;
    if (lanes[index - 1]?.instrument.symbol === symbol) continue;
    const firstDay = Math.min(
      ...lane.siblings.map(({ closes }) => closes[0]?.day ?? Number.POSITIVE_INFINITY),
    );
    for (const day of days) {
      const mark = day < firstDay ? undefined : markOf(lane, day, options);
      if (mark !== undefined)
        yield { symbol, tradingDay: formatDay(day), price: formatFraction(mark.price).text };
    }
  }
}

/** The lanes that traded, by symbol and book. */
export function statementLanes(engine: PnlEngine): readonly StatementLane[] {
  const { trades, lanes } = engine;
  const siblings = new Map<string, LaneTrades[]>();
  const multipliers = new Map<string, Fraction>();
  const fees = engine.fees();
  const found: StatementLane[] = [];
  for (const [index, instrument] of trades.instruments.entries()) {
    const lane = lanes[index];
    if (lane === undefined || lane.length === 0) continue;
    const name = instrument.instrument ?? `\u0000${instrument.symbol}`;
    const ofName = siblings.get(name) ?? [];
    siblings.set(name, ofName);
    const itsTrades: LaneTrades = { lane, trades, closes: lane.closes() };
    ofName.push(itsTrades);
    const multiplier = multipliers.get(instrument.multiplier) ?? parseFraction(instrument.multiplier);
    assert(multiplier !== undefined, "an instrument's multiplier is a number");
    multipliers.set(instrument.multiplier, multiplier);
    found.push({ ...itsTrades, instrument, fees: fees[index] ?? zero, multiplier, siblings: ofName });
  }
  return found.sort(
    (a, b) =>
      order(a.instrument.symbol, b.instrument.symbol) ||
      order(a.instrument.book ?? "", b.instrument.book ?? ""),
  );
}

interface LaneTrades {
  readonly lane: Lane;
  readonly trades: TradeColumns;
  readonly closes: readonly DayClose[];
}

export interface StatementLane extends LaneTrades {
  readonly instrument: Instrument;
  readonly fees: Fraction;
  readonly multiplier: Fraction;
  /** All lanes of the same instrument, this one included: it may trade in several books. */
  readonly siblings: readonly LaneTrades[];
}

/** The parts of a lane from which it is valued. Its closes may begin at a later day than its trades. */
export type ValuedLane = Pick<StatementLane, "instrument" | "closes" | "multiplier" | "siblings">;

interface Valued {
  readonly row: StatementPosition;
  readonly realized: Fraction;
  readonly unrealized: Fraction | null;
}

function position(statementLane: StatementLane, options: StatementOptions): Valued {
  const { instrument, lane, trades, fees, closes } = statementLane;
  const close = at(closes, -1);
  const lots = lane.matcher.lots();
  checkLots(lots, close);
  const text = printer(close.rounded);
  const { figures, realized, unrealized } = standingOf(statementLane, options.asOfDay, options, text);
  const row: StatementPosition = {
    ...bookOf(instrument),
    symbol: instrument.symbol,
    instrument: instrument.instrument,
    ...figures,
    fees: text(fees),
    multiplier: instrument.multiplier,
    currency: instrument.currency,
    lots: lots.map((lot) => ({
      tradeId: lot.trade === null ? null : trades.id(lot.trade),
      quantity: text(lot.quantity),
      price: text(lot.price),
      ...(lot.trade !== null && options.openedAt(lot.trade)
        ? { openedAt: formatInstant(trades.timeAt(lot.trade)) }
        : {}),
    })),
  };
  return { row: text.rounded ? { ...row, rounded: true } : row, realized, unrealized };
}

/**
 * A lane's position after its last close, valued on a day. Constant time, except that the marks `last_trade`
 * search the closes of each sibling.
 */
export function standingOf(
  lane: ValuedLane,
  day: number,
  valuation: Valuation,
  text = printer(at(lane.closes, -1).rounded),
) {
  const close = at(lane.closes, -1);
  const mark = markOf(lane, day, valuation);
  const realized = multiply(close.realized, lane.multiplier);
  const unrealized = unrealizedOf(close, mark, lane.multiplier, valuation);
  const figures = {
    quantity: text(close.quantity),
    averagePrice: averageOf(close, text),
    realized: text(realized),
    unrealized: unrealized && text(unrealized),
    mark: mark ? text(mark.price) : null,
    markKind: mark?.kind ?? null,
  };
  return { figures, realized, unrealized, mark };
}

const averageOf = ({ quantity, openCost }: DayClose, text: (value: Fraction) => string): string | null =>
  isZero(quantity) ? null : text(divide(openCost, quantity));

/**
 * Yields a row for each lane and day if the lane traded on that day or had open lots at the end of the day.
 * Rows are computed as they are read, since there may be millions: thousands of options that nobody closed,
 * on every day of a year.
 */
function* dailyRows(
  lanes: readonly StatementLane[],
  days: readonly number[],
  options: StatementOptions,
): Generator<StatementDay> {
  const walks = lanes.map((lane) => new DayWalk(lane, options));
  for (const day of days)
    for (const walk of walks) {
      const row = walk.on(day);
      if (row !== undefined) yield row;
    }
}

/**
 * Computes the daily rows of one lane, oldest first. A walk may begin on any day for which the lane has the
 * close before it; `unrealizedChange` is then relative to 0 on the first day that is asked for.
 */
export class DayWalk {
  readonly #lane: ValuedLane;
  readonly #valuation: Valuation;
  /** The number of closes before or on the last day that was asked for. */
  #passed = 0;
  /** The unrealized P&L of the last day on which it was known. */
  #unrealized = zero;

  constructor(lane: ValuedLane, valuation: Valuation) {
    this.#lane = lane;
    this.#valuation = valuation;
  }

  /**
   * The row of a day, which must be later than that of the last call. Undefined if the lane neither traded
   * on the day nor had open lots at its end.
   */
  on(day: number): StatementDay | undefined {
    const { closes, multiplier, instrument } = this.#lane;
    let next = closes[this.#passed];
    while (next !== undefined && next.day < day) next = closes[++this.#passed];
    const before = closes[this.#passed - 1];
    const traded = next?.day === day;
    const close = traded ? next : before;
    if (close === undefined || (!traded && isZero(close.quantity))) return undefined;
    if (traded) this.#passed += 1;
    const earned = traded ? subtract(close.realized, before?.realized ?? zero) : zero;
    const realized = multiply(earned, multiplier);
    const mark = markOf(this.#lane, day, this.#valuation);
    const unrealized = unrealizedOf(close, mark, multiplier, this.#valuation);
    const change = unrealized && subtract(unrealized, this.#unrealized);
    this.#unrealized = unrealized ?? this.#unrealized;
    const text = printer(close.rounded || before?.rounded);
    const row: StatementDay = {
      tradingDay: formatDay(day),
      ...bookOf(instrument),
      symbol: instrument.symbol,
      quantity: text(close.quantity),
      averagePrice: averageOf(close, text),
      realized: text(realized),
      realizedToDate: text(multiply(close.realized, multiplier)),
      unrealized: unrealized && text(unrealized),
      unrealizedChange: change && text(change),
      mark: mark ? text(mark.price) : null,
      markKind: mark?.kind ?? null,
      total: text(change ? add(realized, change) : realized),
    };
    return text.rounded ? { ...row, rounded: true } : row;
  }
}

/**
 * Returns each day with a trade or a mark, the day of valuation, and the further days of the options, in
 * order.
 */
function statementDays(
  lanes: readonly StatementLane[],
  { marks, asOfDay, days: more = [] }: StatementOptions,
): number[] {
  const days = new Set<number>([asOfDay, ...more]);
  for (const { closes } of lanes) for (const { day } of closes) days.add(day);
  if (typeof marks === "object") for (const day of marks.days) if (day <= asOfDay) days.add(day);
  return [...days].sort((a, b) => a - b);
}

/**
 * The mark of a lane's instrument on a day. A last traded price counts for the instrument, whatever book it
 * traded in.
 */
export function markOf(
  { instrument, siblings }: ValuedLane,
  day: number,
  { marks }: Valuation,
): Mark | undefined {
  if (marks === "none") return undefined;
  return typeof marks === "object" ? marks.on(instrument, day) : lastTradeOf(siblings, day);
}

function lastTradeOf(siblings: readonly LaneTrades[], day: number): Mark | undefined {
  let last: (Mark & { readonly trade: number }) | undefined;
  for (const { lane, trades, closes } of siblings) {
    const close = closes[firstWhere(closes.length, (place) => at(closes, place).day > day) - 1];
    if (close === undefined) continue;
    const trade = lane.tradeAt(close.applied - 1);
    const atUs = trades.timeAt(trade);
    if (last === undefined || atUs > last.atUs || (atUs === last.atUs && trade > last.trade))
      last = { price: priceOf(trades, trade), kind: "last_trade", atUs, trade };
  }
  return last;
}

function unrealizedOf(
  { quantity, openCost }: DayClose,
  mark: Mark | undefined,
  multiplier: Fraction,
  { unmarkedAtZero = false }: Valuation,
): Fraction | null {
  if (isZero(quantity)) return zero;
  if (mark === undefined) return unmarkedAtZero ? zero : null;
  return multiply(subtract(multiply(quantity, mark.price), openCost), multiplier);
}

/** Asserts that the lots add up to the position, which is computed on another path. */
function checkLots(
  lots: readonly { readonly quantity: Fraction; readonly price: Fraction }[],
  close: DayClose,
): void {
  let [quantity, cost] = [zero, zero];
  for (const lot of lots) {
    quantity = add(quantity, lot.quantity);
    cost = add(cost, multiply(lot.quantity, lot.price));
  }
  assert(
    compare(quantity, close.quantity) === 0 && compare(cost, close.openCost) === 0,
    "the open lots add up to the position",
  );
}

function totalsOf(valued: readonly Valued[]): Totals {
  const sums = new Map<string, { realized: Fraction; unrealized: Fraction }>();
  for (const { row, realized, unrealized } of valued) {
    const sum = sums.get(row.currency) ?? { realized: zero, unrealized: zero };
    sums.set(row.currency, {
      realized: add(sum.realized, realized),
      unrealized: add(sum.unrealized, unrealized ?? zero),
    });
  }
  const totals: Record<string, CurrencyTotal> = {};
  for (const [currency, { realized, unrealized }] of [...sums].sort(([a], [b]) => order(a, b))) {
    const text = printer();
    const total = {
      realized: text(realized),
      unrealized: text(unrealized),
      total: text(add(realized, unrealized)),
    };
    totals[currency] = text.rounded ? { ...total, rounded: true } : total;
  }
  const symbolsWhere = (test: (entry: Valued) => boolean): string[] => [
    ...new Set(valued.filter(test).map(({ row }) => row.symbol)),
  ];
  return {
    ...totals,
    unmarked: symbolsWhere(({ unrealized }) => unrealized === null),
    untranslated: symbolsWhere(({ row }) => row.instrument === null),
  };
}

/**
 * Prints fractions and records whether one was rounded; `inexact` means that the values themselves are
 * rounded.
 */
function printer(inexact = false): { (value: Fraction): string; readonly rounded: boolean } {
  let rounded = inexact;
  const print = (value: Fraction): string => {
    const printed = formatFraction(value, inexact);
    rounded ||= printed.rounded;
    return printed.text;
  };
  return Object.defineProperty(print, "rounded", { get: () => rounded }) as typeof print & {
    readonly rounded: boolean;
  };
}

const bookOf = ({ book }: Instrument): { readonly book?: string } => (book === undefined ? {} : { book });

/** Compares by code unit, so that the order is the same on every machine. */
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
