import { at, present } from "../../base/present.ts";
import { weekday } from "../../domain/market/trading-day.ts";
import {
  type Contract,
  type FutureContract,
  frontFuture,
  type OptionContract,
  optionTick,
} from "./instruments.ts";
import type { Random } from "./random.ts";

/** The last minute of a session, which runs from 17:00 of the day before (minute 0) to 16:00. */
export const sessionMinutes = 23 * 60;
/** The minute of a wall-clock time on the day itself. */
export const minuteAt = (hour: number, minute: number): number => (hour + 7) * 60 + minute;

export interface Market {
  /**
   * The price in points at a minute of a session, which is given by its index. Exact: a multiple of the
   * contract's tick.
   */
  price(contract: Contract, session: number, minute: number): number;
  /**
   * The price of the Bund, as a decimal with four places. The desk's price files contain it, although the
   * desk does not trade it.
   */
  bund(session: number, minute: number): string;
}

/**
 * The model of the market: a single yield moves, and every future follows it with its own weight. All figures
 * are invented, close to those of July 2025.
 */
const weights: Readonly<Record<string, { readonly start: number; readonly weight: number }>> = {
  ZT: { start: 103.65, weight: 0.25 },
  ZF: { start: 108.2, weight: 0.6 },
  ZN: { start: 110.9, weight: 1 },
  ZB: { start: 113.4, weight: 1.9 },
};
/** Standard deviation of the ten-year note over one session, in points. */
const dailyMove = 0.36;

/**
 * Makes a market for some sessions: a random walk by the minute, without gaps. `sessionDays` are the trading
 * days in order.
 */
export function marketFrom(random: Random, sessionDays: readonly number[]): Market {
  const step = dailyMove / Math.sqrt(sessionMinutes);
  const level = [0];
  while (level.length < sessionDays.length * (sessionMinutes + 1))
    level.push(at(level, -1) + step * random.bell());
  const moved = (session: number, minute: number): number =>
    at(level, session * (sessionMinutes + 1) + minute);

  const future = ({ root, tick }: FutureContract, session: number, minute: number): number => {
    const { start, weight } = present(weights[root], `${root} has a weight`);
    return Math.round((start + weight * moved(session, minute)) / tick) * tick;
  };

  const option = (contract: OptionContract, session: number, minute: number): number => {
    const underlying = future(frontFuture("ZN"), session, minute);
    const sessionsLeft = Math.max(0, businessDaysBetween(at(sessionDays, session), contract.expiry));
    const deviation = dailyMove * Math.sqrt(sessionsLeft + Math.max(0, 1 - minute / sessionMinutes));
    const intrinsic = contract.right === "C" ? underlying - contract.strike : contract.strike - underlying;
    // Shaped like Black's formula, without a logarithm: largest at the money, zero beyond 2.6 deviations.
    const nearness = deviation === 0 ? 0 : Math.max(0, 1 - Math.abs(intrinsic) / (2.6 * deviation));
    const value = Math.max(intrinsic, 0) + 0.4 * deviation * nearness ** 3;
    return Math.max(1, Math.round(value / optionTick)) * optionTick;
  };

  return {
    price: (contract, session, minute) =>
      contract.kind === "future" ? future(contract, session, minute) : option(contract, session, minute),
    bund: (session, minute) => (129.4 + 0.8 * moved(session, minute)).toFixed(4),
  };
}

/**
 * Days from Monday to Friday after `from`, up to `to`. Holidays are ignored; they hardly change an option's
 * price.
 */
function businessDaysBetween(from: number, to: number): number {
  let count = 0;
  for (let day = from + 1; day <= to; day++) if (weekday(day) % 6 !== 0) count += 1;
  return count;
}
