import { assert } from "../domain/errors.ts";
import { add, compare, type Fraction, fromScaled, isZero, multiply, subtract, zero } from "../domain/fraction.ts";
import { Lane } from "./lane.ts";
import type { Method } from "./matcher.ts";
import type { TradeColumns } from "./trade-columns.ts";

export interface PnlEngineOptions {
  readonly method: Method;
  /** Trades after this moment are left out (microseconds UTC). */
  readonly asOfUs?: number;
}

/**
 * The modern P&L engine over a table of trades that only grows. `feed` matches what has been appended since the last call;
 * feeding a day at a time gives what feeding all at once gives. Trades are matched per lane in order of (trading day, time,
 * input); the day comes first only for the day rule that goes by file names, under all others it follows from the time.
 *
 * Cost: constant time a trade; 4 bytes a trade and 25 a match on top of the columns. A late trade costs its lane a new
 * match from the last flat day before it. Deliberately absent: prices (see Marks), multipliers (see Statement).
 */
export class PnlEngine {
  readonly trades: TradeColumns;
  readonly method: Method;
  readonly asOfUs: number;
  /** Trades that were left out as later than `asOfUs`. */
  afterAsOf = 0;
  readonly #lanes: Lane[] = [];
  #fed = 0;

  constructor(trades: TradeColumns, options: PnlEngineOptions) {
    this.trades = trades;
    this.method = options.method;
    this.asOfUs = options.asOfUs ?? Number.POSITIVE_INFINITY;
  }

  /** One per instrument of `trades.instruments`, in its order. */
  get lanes(): readonly Lane[] {
    return this.#lanes;
  }

  /** Matches the trades appended since the last call, up to `until`; returns those that were late (LATE_TRADE). */
  feed(until = this.trades.length): readonly number[] {
    const { lane: laneOf, timeUs, instruments } = this.trades;
    const { asOfUs } = this;
    while (this.#lanes.length < instruments.length) this.#lanes.push(new Lane(this.trades, this.method));
    const lanes = this.#lanes;
    const late: number[] = [];
    const take = (trade: number): void => {
      if ((timeUs[trade] as number) > asOfUs) this.afterAsOf += 1;
      else if (!(lanes[laneOf[trade] as number] as Lane).take(trade)) late.push(trade);
    };
    const order = inMatchingOrder(this.trades, this.#fed, until);
    if (order === undefined) for (let trade = this.#fed; trade < until; trade++) take(trade);
    else for (const trade of order) take(trade);
    this.#fed = until;
    for (const trade of late) (lanes[laneOf[trade] as number] as Lane).rematch();
    return late;
  }

  /** Fees by lane. */
  fees(): readonly Fraction[] {
    const fees = this.#lanes.map(() => zero);
    for (const [trade, fee] of this.trades.fee) {
      if ((this.trades.timeUs[trade] as number) > this.asOfUs) continue;
      const lane = this.trades.lane[trade] as number;
      fees[lane] = add(fees[lane] as Fraction, fromScaled(fee.coefficient, fee.scale));
    }
    return fees;
  }

  /**
   * Checks every lane on a second path: what is open equals buys less sells, its lots add up to its quantity and cost, and
   * its matches add up to its realized P&L. Throws where they do not, which would be a bug. Linear in trades and matches.
   */
  audit(): void {
    for (const lane of this.#lanes) auditLane(lane, this.trades);
  }
}

function auditLane(lane: Lane, trades: TradeColumns): void {
  const { quantity, realized, openCost } = lane.matcher.standing();
  let [traded, lots, cost, matched] = [zero, zero, zero, zero];
  for (const trade of lane.order) {
    const { coefficient, scale } = trades.quantity.at(trade);
    traded = add(traded, fromScaled(coefficient * BigInt(trades.side[trade] as number), scale));
  }
  for (const lot of lane.matcher.lots()) {
    lots = add(lots, lot.quantity);
    cost = add(cost, multiply(lot.quantity, lot.price));
  }
  for (let index = 0; index < lane.matcher.matches.length; index++) matched = add(matched, matchPnl(lane, trades, index));
  assert(compare(traded, quantity) === 0, "buys less sells are what is open");
  assert(compare(lots, quantity) === 0, "the lots are what is open");
  // Beyond its size limit an average is rounded, by less than 1e-30 in all.
  assert(isZero(subtract(cost, openCost)), "the lots cost what is open");
  assert(trades.length > 0 && closeTo(matched, realized), "the matches are the realized P&L");
}

const closeTo = (a: Fraction, b: Fraction): boolean => {
  const gap = subtract(a, b);
  const magnitude = gap.numerator < 0n ? -gap.numerator : gap.numerator;
  return magnitude * 10n ** 30n <= gap.denominator;
};

/** P&L of a match in points × quantity. */
export function matchPnl(lane: Lane, trades: TradeColumns, index: number): Fraction {
  const { openPrice, closePrice, quantity } = matchPrices(lane, trades, index);
  const close = lane.matcher.matches.close[index] as number;
  const pnl = multiply(subtract(closePrice, openPrice), quantity);
  // A sell closes a long.
  return (trades.side[close] as number) < 0 ? pnl : { numerator: -pnl.numerator, denominator: pnl.denominator };
}

export function matchPrices(
  lane: Lane,
  trades: TradeColumns,
  index: number,
): Record<"openPrice" | "closePrice" | "quantity", Fraction> {
  const { matches } = lane.matcher;
  const open = matches.open[index] as number;
  return {
    openPrice: open < 0 ? (matches.openPrice[index] as Fraction) : priceOf(trades, open),
    closePrice: priceOf(trades, matches.close[index] as number),
    quantity: exact(matches.quantity.at(index)),
  };
}

const exact = (value: { readonly coefficient: bigint; readonly scale: number }): Fraction =>
  fromScaled(value.coefficient, value.scale);

export const priceOf = (trades: TradeColumns, trade: number): Fraction => exact(trades.price.at(trade));

/**
 * The trades from `from` up to `until` in order of (day, time, input), or undefined where they stand so already. Made for nearly
 * sorted input, as ledgers are: linear, and sorts only the trades that stand behind a later one.
 */
function inMatchingOrder({ day, timeUs }: TradeColumns, from: number, until: number): Int32Array | undefined {
  const before = (a: number, b: number): boolean => {
    const [dayA, dayB] = [day[a] as number, day[b] as number];
    return dayA < dayB || (dayA === dayB && (timeUs[a] as number) < (timeUs[b] as number));
  };
  const behind: number[] = [];
  let newest = from;
  for (let trade = from + 1; trade < until; trade++) {
    if (before(trade, newest)) behind.push(trade);
    else newest = trade;
  }
  if (behind.length === 0) return undefined;
  const rank = (a: number, b: number): number => (before(a, b) ? -1 : before(b, a) ? 1 : a - b);
  behind.sort(rank);
  const order = new Int32Array(until - from);
  const isBehind = new Uint8Array(until - from);
  for (const trade of behind) isBehind[trade - from] = 1;
  let [place, next] = [0, 0];
  for (let trade = from; trade < until; trade++) {
    if (isBehind[trade - from] === 1) continue;
    while (next < behind.length && rank(behind[next] as number, trade) < 0) order[place++] = behind[next++] as number;
    order[place++] = trade;
  }
  while (next < behind.length) order[place++] = behind[next++] as number;
  return order;
}
