import { formatDecimal } from "../../base/decimal.ts";
import { BridgeError } from "../../base/errors.ts";
import { add, type Fraction, formatFraction, parseFigure, zero } from "../../base/fraction.ts";
import { lazyMap } from "../../base/lazy-list.ts";
import { at } from "../../base/present.ts";
import type { DailyFigures, InstrumentType, ReportedTrade } from "../../bridges/reports/index.ts";
import {
  dayUs,
  formatWallSecond,
  hourUs,
  instantOfWall,
  parseDay,
} from "../../domain/market/chicago-time.ts";
import { formatDay, type TradingDayRuleName, tradingDayRules } from "../../domain/market/trading-day.ts";
import { closingTrades } from "../../engine/index.ts";
import type { Close } from "../../ports/pnl-system.ts";
import { type PnlRun, pinnedPrices } from "../parity/pnl-run.ts";

/** Reads a day, YYYY-MM-DD. Throws BAD_USAGE for any other text. */
export function dayOfText(text: string): number {
  const day = parseDay(text);
  if (day !== undefined && formatDay(day) === text) return day;
  throw new BridgeError("BAD_USAGE", {
    what: `${JSON.stringify(text)} is no day`,
    fix: "write a day such as 2025-07-24",
  });
}

/** The hours in Chicago at which trading days end under some rule, latest first. */
const closingHours = [24, 17, 16, 14];

/**
 * The last instant, in microseconds, whose trades belong to a day or an earlier one under a rule. A day
 * without a session, such as a Saturday, ends with the last session before it.
 */
export function closeOfDay(day: number, rule: TradingDayRuleName): number {
  const isOfDay = (wallUs: number): boolean => (tradingDayRules[rule].dayOf(wallUs, day) ?? day) <= day;
  for (let last = day; ; last--) {
    const close = closingHours.map((hour) => last * dayUs + hour * hourUs - 1).find(isOfDay);
    if (close !== undefined) return instantOfWall(close);
  }
}

/** The prices of a run up to a day. */
export const closesUpTo = (run: PnlRun, date: string): readonly Close[] =>
  pinnedPrices({ ...run, ...run.input }).filter(({ tradingDay }) => tradingDay <= date);

/** The figures of a report from a run that ends with its day. Linear in trades and days. */
export function figuresOf(run: PnlRun, date: string): DailyFigures {
  const { engine, statement, input, symbols } = run;
  const types = new Map<string, InstrumentType>();
  const typeOf = (symbol: string): InstrumentType => {
    const known = types.get(symbol);
    if (known !== undefined) return known;
    const reading = symbols.canonical(symbol, "auto", dayOfText(date));
    const type = !reading.ok
      ? unreadType(symbol)
      : reading.instrument.kind === "future"
        ? "FUT"
        : rights[reading.instrument.right];
    types.set(symbol, type);
    return type;
  };
  const closed = new Map<string, Fraction>();
  let total = zero;
  const realizedBy: { readonly trade: number; readonly realized: string }[] = [];
  for (const { trade, closed: quantity, realized } of closingTrades(engine)) {
    const { symbol } = at(input.trades.instruments, input.trades.laneAt(trade));
    closed.set(symbol, add(closed.get(symbol) ?? zero, quantity));
    const { text, rounded } = formatFraction(realized);
    realizedBy.push({ trade, realized: text });
    // The total is that of the figures that the rows show.
    total = add(total, rounded ? (parseFigure(text) ?? zero) : realized);
  }
  const trades = lazyMap(realizedBy, ({ trade, realized }): ReportedTrade => {
    const { symbol } = at(input.trades.instruments, input.trades.laneAt(trade));
    const fee = input.trades.fee.get(trade);
    return {
      id: input.trades.id(trade),
      time: formatWallSecond(input.trades.timeAt(trade)),
      symbol,
      side: input.trades.sideAt(trade) < 0 ? "SELL" : "BUY",
      quantity: input.trades.quantity.text(trade),
      price: input.trades.price.text(trade),
      fee: fee === undefined ? "0" : formatDecimal(fee),
      type: typeOf(symbol),
      realized,
    };
  });
  const prior = new Map<string, string>();
  for (const { symbol, tradingDay, price } of pinnedPrices({ ...run, ...input }))
    if (tradingDay < date) prior.set(symbol, price);
  const day = [...statement.daily].filter((row) => row.tradingDay === date);
  const daily = new Map(day.map((row) => [row.symbol, row.total]));
  const dailyTotal = day.reduce((sum, row) => add(sum, parseFigure(row.total) ?? zero), zero);
  const positions = statement.positions
    .filter(({ quantity }) => quantity !== "0")
    .map((position) => ({
      ...position,
      type: typeOf(position.symbol),
      closedQuantity: formatFraction(closed.get(position.symbol) ?? zero).text,
      priorMark: prior.get(position.symbol) ?? null,
      isClose: position.markKind === "close",
      daily: daily.get(position.symbol) ?? null,
    }));
  return {
    positions,
    trades,
    realizedTotal: formatFraction(total).text,
    dailyTotal: formatFraction(dailyTotal).text,
  };
}

/** The type of a symbol whose series is not known, by the beginning of the desk's names. */
const unreadType = (symbol: string): InstrumentType =>
  symbol.startsWith("XCMEOC") ? "CALL" : symbol.startsWith("XCMEOP") ? "PUT" : "FUT";

const rights = { C: "CALL", P: "PUT" } as const;
