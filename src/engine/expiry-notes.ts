import { dayUs, wallOfInstant } from "../domain/market/chicago-time.ts";
import type { NoteCode } from "../domain/market/finding-codes.ts";
import { type DayNumber, formatDay } from "../domain/market/trading-day.ts";
import type { PnlEngine } from "./pnl-engine.ts";

interface ExpiryNote {
  readonly code: NoteCode;
  readonly why: string;
  /** The trade that the note is about. */
  readonly trade: number;
}

/**
 * Notes instruments that are still open after their last trading day, and trades later than that day.
 * Expiries and exercises are booked as trades at price 0, so those are not reported. Linear in lanes and late
 * trades.
 */
export function* expiryNotes({ trades, lanes }: PnlEngine, asOfDay: DayNumber): Generator<ExpiryNote> {
  for (const [index, lane] of lanes.entries()) {
    const { symbol, expiry } = trades.instruments[index] ?? {};
    if (expiry === undefined || lane.length === 0) continue;
    let late = 0;
    let first = lane.tradeAt(lane.length - 1);
    for (let place = lane.length - 1; place >= 0; place--) {
      const trade = lane.tradeAt(place);
      if (Math.floor(wallOfInstant(trades.timeAt(trade)) / dayUs) <= expiry) break;
      if (trades.price.coefficient[trade] === 0) continue;
      late += 1;
      first = trade;
    }
    const day = formatDay(expiry);
    if (late > 0) {
      const count = late === 1 ? "this trade is" : `${late} trades, from this one on, are`;
      yield {
        code: "TRADED_AFTER_EXPIRY",
        why: `${count} later than ${day}, the last trading day of ${symbol}; the trade counts`,
        trade: first,
      };
    }
    if (asOfDay > expiry && !lane.matcher.flat) {
      const why = `${symbol} is still open but expired on ${day}; book the expiry or exercise as a trade at price 0`;
      yield { code: "EXPIRED_OPEN", why, trade: lane.tradeAt(lane.length - 1) };
    }
  }
}
