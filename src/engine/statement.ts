import { formatInstant } from "../domain/chicago-time.ts";
import { assert } from "../domain/errors.ts";
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
} from "../domain/fraction.ts";
import { formatDay } from "../domain/trading-day.ts";
import type { DayClose, Lane } from "./lane.ts";
import type { Mark, MarkBook, MarkKind } from "./marks.ts";
import { type PnlEngine, priceOf } from "./pnl-engine.ts";
import type { Instrument, TradeColumns } from "./trade-columns.ts";

/** All numbers are exact text: decimal, or `p/q`; where a row says `rounded`, at least one of its numbers has 18 decimals instead. */
export interface LotRow {
  /** Null under average cost, where the pool has no one trade. */
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
  /** Null where flat. */
  readonly averagePrice: string | null;
  /** Money before fees, since inception. */
  readonly realized: string;
  /** Null where there are open lots and no mark. */
  readonly unrealized: string | null;
  readonly fees: string;
  readonly mark: string | null;
  readonly markKind: MarkKind | null;
  readonly multiplier: string;
  readonly currency: string;
  readonly lots: readonly LotRow[];
  readonly rounded?: true;
}

export interface StatementDay {
  readonly tradingDay: string;
  readonly book?: string;
  readonly symbol: string;
  /** At the end of the day. */
  readonly quantity: string;
  /** Of what is open at the end of the day; null where flat. */
  readonly averagePrice: string | null;
  /** Of the day. */
  readonly realized: string;
  /** Since inception. */
  readonly realizedToDate: string;
  /** At the end of the day; null where there are open lots and no mark. */
  readonly unrealized: string | null;
  /** Against the last marked day before; null where `unrealized` is. */
  readonly unrealizedChange: string | null;
  readonly mark: string | null;
  readonly markKind: MarkKind | null;
  /** realized + unrealizedChange; on a day without a mark the realized part, the change follows on the next marked day. */
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
  readonly daily: readonly StatementDay[];
  readonly totals: Totals;
}

export interface StatementOptions {
  /** Where open lots are valued: marks by day; the last traded price; or not at all. */
  readonly marks: MarkBook | "last_trade" | "none";
  /** The trading day that the positions are valued on. */
  readonly asOfDay: number;
  /** Whether lots carry the time they were opened. */
  readonly openedAt: boolean;
}

/** Positions, daily P&L and totals of all that the engine has matched. Rows are ordered by symbol and book, days first. Linear in lanes × days and open lots. */
export function statementOf(engine: PnlEngine, options: StatementOptions): Statement {
  const { trades } = engine;
  const fees = engine.fees();
  const lanes = trades.instruments
    .map((instrument, index) => ({ instrument, lane: engine.lanes[index] as Lane, fees: fees[index] as Fraction }))
    .filter(({ lane }) => lane?.order.length > 0)
    .sort((a, b) => order(a.instrument.symbol, b.instrument.symbol) || order(a.instrument.book ?? "", b.instrument.book ?? ""))
    .map((lane) => ({ ...lane, closes: lane.lane.closes(), multiplier: parseFraction(lane.instrument.multiplier) as Fraction }));
  const days = statementDays(lanes, options);
  const valued = lanes.map((lane) => position(lane, trades, options));
  return {
    positions: valued.map(({ row }) => row),
    daily: lanes
      .flatMap((lane) => dailyRows(lane, trades, days, options))
      .sort((a, b) => a.day - b.day)
      .map(({ row }) => row),
    totals: totalsOf(valued),
  };
}

interface StatementLane {
  readonly instrument: Instrument;
  readonly lane: Lane;
  readonly fees: Fraction;
  readonly closes: readonly DayClose[];
  readonly multiplier: Fraction;
}

interface Valued {
  readonly row: StatementPosition;
  readonly realized: Fraction;
  readonly unrealized: Fraction | null;
}

function position(
  { instrument, lane, fees, closes, multiplier }: StatementLane,
  trades: TradeColumns,
  options: StatementOptions,
): Valued {
  const close = closes.at(-1) as DayClose;
  const { quantity, openCost } = close;
  const lots = lane.matcher.lots();
  const mark = markOf(instrument, lane, trades, close, options.asOfDay, options);
  const realized = multiply(close.realized, multiplier);
  const unrealized = unrealizedOf(close, mark, multiplier);
  checkLots(lots, close);
  const text = printer();
  const row: StatementPosition = {
    ...bookOf(instrument),
    symbol: instrument.symbol,
    instrument: instrument.instrument,
    quantity: text(quantity),
    averagePrice: isZero(quantity) ? null : text(divide(openCost, quantity)),
    realized: text(realized),
    unrealized: unrealized && text(unrealized),
    fees: text(fees),
    mark: mark ? text(mark.price) : null,
    markKind: mark?.kind ?? null,
    multiplier: instrument.multiplier,
    currency: instrument.currency,
    lots: lots.map((lot) => ({
      tradeId: lot.trade === null ? null : trades.id(lot.trade),
      quantity: text(lot.quantity),
      price: text(lot.price),
      ...(options.openedAt && lot.trade !== null ? { openedAt: formatInstant(trades.timeUs[lot.trade] as number) } : {}),
    })),
  };
  return { row: text.rounded ? { ...row, rounded: true } : row, realized, unrealized };
}

/** A row for each day on which the symbol traded, and for each other known day at whose end it was open. */
function dailyRows(
  { instrument, lane, closes, multiplier }: StatementLane,
  trades: TradeColumns,
  days: readonly number[],
  options: StatementOptions,
): { readonly day: number; readonly row: StatementDay }[] {
  const rows: { day: number; row: StatementDay }[] = [];
  let next = 0;
  let realizedBefore = zero;
  let unrealizedBefore = zero;
  for (const day of days) {
    const traded = closes[next]?.day === day;
    if (traded) next += 1;
    const close = closes[next - 1];
    if (close === undefined || (!traded && isZero(close.quantity))) continue;
    const realized = multiply(subtract(close.realized, realizedBefore), multiplier);
    const mark = markOf(instrument, lane, trades, close, day, options);
    const unrealized = unrealizedOf(close, mark, multiplier);
    const change = unrealized && subtract(unrealized, unrealizedBefore);
    const text = printer();
    const row: StatementDay = {
      tradingDay: formatDay(day),
      ...bookOf(instrument),
      symbol: instrument.symbol,
      quantity: text(close.quantity),
      averagePrice: isZero(close.quantity) ? null : text(divide(close.openCost, close.quantity)),
      realized: text(realized),
      realizedToDate: text(multiply(close.realized, multiplier)),
      unrealized: unrealized && text(unrealized),
      unrealizedChange: change && text(change),
      mark: mark ? text(mark.price) : null,
      markKind: mark?.kind ?? null,
      total: text(change ? add(realized, change) : realized),
    };
    rows.push({ day, row: text.rounded ? { ...row, rounded: true } : row });
    realizedBefore = close.realized;
    unrealizedBefore = unrealized ?? unrealizedBefore;
  }
  return rows;
}

/** Every day on which anything traded or has a mark, and the day of valuation; oldest first. */
function statementDays(lanes: readonly StatementLane[], { marks, asOfDay }: StatementOptions): number[] {
  const days = new Set<number>([asOfDay]);
  for (const { closes } of lanes) for (const { day } of closes) days.add(day);
  if (typeof marks === "object") for (const day of marks.days) if (day <= asOfDay) days.add(day);
  return [...days].sort((a, b) => a - b);
}

function markOf(
  instrument: Instrument,
  lane: Lane,
  trades: TradeColumns,
  close: DayClose,
  day: number,
  { marks }: StatementOptions,
): Mark | undefined {
  if (marks === "none") return undefined;
  if (typeof marks === "object") return marks.on(instrument, day);
  const last = lane.order[close.applied - 1] as number;
  return { price: priceOf(trades, last), kind: "last_trade", atUs: trades.timeUs[last] as number };
}

function unrealizedOf({ quantity, openCost }: DayClose, mark: Mark | undefined, multiplier: Fraction): Fraction | null {
  if (isZero(quantity)) return zero;
  return mark === undefined ? null : multiply(subtract(multiply(quantity, mark.price), openCost), multiplier);
}

/** The lots, added up, must be the position: two paths to one number. */
function checkLots(lots: readonly { readonly quantity: Fraction; readonly price: Fraction }[], close: DayClose): void {
  let [quantity, cost] = [zero, zero];
  for (const lot of lots) {
    quantity = add(quantity, lot.quantity);
    cost = add(cost, multiply(lot.quantity, lot.price));
  }
  assert(compare(quantity, close.quantity) === 0 && compare(cost, close.openCost) === 0, "the open lots add up to the position");
}

function totalsOf(valued: readonly Valued[]): Totals {
  const sums = new Map<string, { realized: Fraction; unrealized: Fraction }>();
  for (const { row, realized, unrealized } of valued) {
    const sum = sums.get(row.currency) ?? { realized: zero, unrealized: zero };
    sums.set(row.currency, { realized: add(sum.realized, realized), unrealized: add(sum.unrealized, unrealized ?? zero) });
  }
  const totals: Record<string, CurrencyTotal> = {};
  for (const [currency, { realized, unrealized }] of [...sums].sort(([a], [b]) => order(a, b))) {
    const text = printer();
    const total = { realized: text(realized), unrealized: text(unrealized), total: text(add(realized, unrealized)) };
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

/** Prints fractions and remembers whether one had to be rounded. */
function printer(): { (value: Fraction): string; readonly rounded: boolean } {
  let rounded = false;
  const print = (value: Fraction): string => {
    const printed = formatFraction(value);
    rounded ||= printed.rounded;
    return printed.text;
  };
  return Object.defineProperty(print, "rounded", { get: () => rounded }) as typeof print & { readonly rounded: boolean };
}

const bookOf = ({ book }: Instrument): { readonly book?: string } => (book === undefined ? {} : { book });

/** By code unit, so that every machine orders alike. */
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
