import {
  add,
  type Fraction,
  formatFraction,
  fromScaled,
  isZero,
  multiply,
  subtract,
  zero,
} from "../base/fraction.ts";
import { matchPnl, type PnlEngine } from "./pnl-engine.ts";
import {
  markOf,
  type StatementLane,
  type StatementOptions,
  statementLanes,
  type Totals,
} from "./statement.ts";
import type { TradeColumns } from "./trade-columns.ts";

/**
 * Returns the part of a statement that depends on lots opened at a price of 0. Under average cost, the whole
 * P&L of a pool that includes such a lot counts. Linear in trades; reads matches only of lanes that a trade
 * at 0 opened or enlarged.
 */
export function zeroPriceLotsOf(engine: PnlEngine, options: StatementOptions, totals: Totals) {
  const dependent = new Map<string, Fraction>();
  const lanes = statementLanes(engine).filter(isOpenedAtZero);
  const positions = lanes.map((lane) => {
    const { book, symbol, currency } = lane.instrument;
    const { realized, unrealized } = dependentPart(lane, engine.method === "average", options);
    dependent.set(currency, add(dependent.get(currency) ?? zero, add(realized, unrealized ?? zero)));
    return {
      ...(book === undefined ? {} : { book }),
      symbol,
      currency,
      realized: formatFraction(realized).text,
      unrealized: unrealized && formatFraction(unrealized).text,
    };
  });
  const shares = [...dependent].map(([currency, share]) => {
    const whole = totals[currency];
    return [
      currency,
      { resting: formatFraction(share).text, total: whole && "total" in whole ? whole.total : "0" },
    ] as const;
  });
  return { positions, totals: Object.fromEntries(shares) };
}

const isAtZero = ({ price }: TradeColumns, trade: number): boolean => price.coefficient[trade] === 0;

/** Whether a trade at a price of 0 opened or enlarged the position. */
function isOpenedAtZero({ lane, trades }: StatementLane): boolean {
  if (!lane.order.some((trade) => isAtZero(trades, trade))) return false;
  let held = zero;
  for (const trade of lane.order) {
    const { coefficient, scale } = trades.quantity.at(trade);
    const side = trades.sideAt(trade);
    held = add(held, fromScaled(coefficient * BigInt(side), scale));
    if (isAtZero(trades, trade) && (side > 0 ? held.numerator > 0n : held.numerator < 0n)) return true;
  }
  return false;
}

/** Returns the P&L of one lane that depends on lots opened at a price of 0. */
function dependentPart(statementLane: StatementLane, isPool: boolean, options: StatementOptions) {
  const { lane, trades, multiplier } = statementLane;
  const { matches } = lane.matcher;
  const isDependent = (trade: number | null): boolean =>
    isPool || (trade !== null && isAtZero(trades, trade));
  let [realized, quantity, cost] = [zero, zero, zero];
  for (let index = 0; index < matches.length; index++)
    if (isDependent(matches.open[index] as number)) realized = add(realized, matchPnl(lane, trades, index));
  for (const lot of lane.matcher.lots()) {
    if (!isDependent(lot.trade)) continue;
    quantity = add(quantity, lot.quantity);
    cost = add(cost, multiply(lot.quantity, lot.price));
  }
  const mark = markOf(statementLane, options.asOfDay, options);
  const unrealized = isZero(quantity) ? zero : mark ? subtract(multiply(quantity, mark.price), cost) : null;
  return {
    realized: multiply(realized, multiplier),
    unrealized: unrealized && multiply(unrealized, multiplier),
  };
}
