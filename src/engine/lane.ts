import { isZero, zero } from "../domain/fraction.ts";
import { AverageMatcher } from "./average-matcher.ts";
import { grown } from "./decimal-column.ts";
import { FastMatcher } from "./fast-matcher.ts";
import type { Matcher, Method, Standing } from "./matcher.ts";
import type { TradeColumns } from "./trade-columns.ts";

/** Where a lane stood after the last trade of a trading day. */
export interface DayClose extends Standing {
  readonly day: number;
  /** How many trades and matches had been made. */
  readonly applied: number;
  readonly matchCount: number;
}

/**
 * One book's trades in one instrument: their order, the matcher they go through, and where the lane stood at the end of
 * each trading day. Trades come in order of (trading day, time, input); a late one is put in its place and the lane is
 * matched again from the last day before it that ended flat (or from the start).
 */
export class Lane {
  matcher: Matcher;
  readonly #trades: TradeColumns;
  /** Trades in matching order; the first `#applied` have been matched. */
  #order = new Int32Array(8);
  #length = 0;
  #applied = 0;
  /** Trades older than the newest one matched here, in order; they wait for `rematch`. */
  #late: number[] = [];
  #day = noDay;
  #closes: DayClose[] = [];

  constructor(trades: TradeColumns, method: Method) {
    this.#trades = trades;
    this.matcher = method === "average" ? new AverageMatcher(trades) : new FastMatcher(trades, method);
  }

  /** Trades in matching order. */
  get order(): Int32Array {
    return this.#order.subarray(0, this.#length);
  }

  /** Takes a trade; false where it is late, that is older than the newest one matched here: it then waits for `rematch`. */
  take(trade: number): boolean {
    if (this.#length > 0 && this.#before(trade, this.#order[this.#length - 1] as number)) {
      this.#late.push(trade);
      return false;
    }
    if (this.#length === this.#order.length) this.#order = grown(this.#order, new Int32Array(this.#length * 2));
    this.#order[this.#length] = trade;
    this.#length += 1;
    this.#apply(trade);
    return true;
  }

  /** Puts late trades in their places and matches again from the last flat day before the first of them. */
  rematch(): void {
    if (this.#late.length === 0) return;
    const first = this.#mergeLate();
    const restart = this.#closes.findLastIndex((close) => close.applied <= first && isZero(close.quantity));
    const from = this.#closes[restart];
    // The day of the restart may go on, so it is closed anew.
    this.#closes.length = Math.max(restart, 0);
    this.#day = from?.day ?? noDay;
    this.#applied = from?.applied ?? 0;
    this.matcher.restart(from?.matchCount ?? 0, from?.realized ?? zero);
    while (this.#applied < this.#length) this.#apply(this.#order[this.#applied] as number);
  }

  /** The end of every trading day on which the lane traded, oldest first, the running one included. */
  closes(): readonly DayClose[] {
    return this.#length === 0 ? [] : [...this.#closes, this.#closeDay()];
  }

  #apply(trade: number): void {
    const day = this.#trades.day[trade] as number;
    if (day !== this.#day) {
      if (this.#day !== noDay) this.#closes.push(this.#closeDay());
      this.#day = day;
    }
    this.#applied += 1;
    if (!this.matcher.apply(trade)) {
      this.matcher = this.matcher.widened();
      this.matcher.apply(trade);
    }
  }

  #closeDay(): DayClose {
    return { day: this.#day, applied: this.#applied, matchCount: this.matcher.matches.length, ...this.matcher.standing() };
  }

  /** Merges the late trades into the order, behind trades of equal time; returns the place of the first. */
  #mergeLate(): number {
    const late = this.#late;
    let first = 0;
    for (let high = this.#length; first < high; ) {
      const middle = (first + high) >>> 1;
      if (this.#before(late[0] as number, this.#order[middle] as number)) high = middle;
      else first = middle + 1;
    }
    const rest = this.#order.slice(first, this.#length);
    const order = grown(this.#order.subarray(0, this.#length), new Int32Array((this.#length + late.length) * 2));
    let [next, place] = [0, first];
    for (const trade of late) {
      while (next < rest.length && !this.#before(trade, rest[next] as number)) order[place++] = rest[next++] as number;
      order[place++] = trade;
    }
    order.set(rest.subarray(next), place);
    this.#order = order;
    this.#length += late.length;
    this.#late = [];
    return first;
  }

  #before(trade: number, other: number): boolean {
    const { day, timeUs } = this.#trades;
    const [a, b] = [day[trade] as number, day[other] as number];
    return a < b || (a === b && (timeUs[trade] as number) < (timeUs[other] as number));
  }
}

const noDay = Number.NEGATIVE_INFINITY;
