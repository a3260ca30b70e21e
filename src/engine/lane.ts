import { isZero, zero } from "../base/fraction.ts";
import { at } from "../base/present.ts";
import { firstWhere } from "../base/search.ts";
import { AverageMatcher } from "./average-matcher.ts";
import { grown } from "./decimal-column.ts";
import { FastMatcher } from "./fast-matcher.ts";
import { type Matcher, type Method, noIndices, type Standing } from "./matcher.ts";
import { endOfDay, Run } from "./run.ts";
import type { TradeColumns } from "./trade-columns.ts";

/** The standing of a lane after the last trade of a trading day. */
export interface DayClose extends Standing {
  readonly day: number;
  /** Number of trades matched so far, this day included. */
  readonly applied: number;
  readonly matchCount: number;
}

/**
 * One book's trades in one instrument: their order, their matcher, and the lane's standing at the end of each
 * trading day. Trades come in order of (trading day, time, input). A late trade is inserted in its place, and
 * the lane is matched again from the last day before it that ended flat (or from the start).
 */
export class Lane {
  matcher: Matcher;
  readonly #trades: TradeColumns;
  readonly #index: number;
  /** Trades in matching order; the first `#applied` have been matched. */
  #order: Int32Array = noIndices;
  #length = 0;
  #applied = 0;
  /** Trades older than the newest matched one, in order; they wait for `rematch`. */
  #late: number[] = [];
  #day = noDay;
  #closes: DayClose[] = [];

  constructor(trades: TradeColumns, index: number, method: Method) {
    this.#trades = trades;
    this.#index = index;
    this.matcher = method === "average" ? new AverageMatcher(trades) : new FastMatcher(trades, method);
  }

  /** Trades in matching order. */
  get order(): Int32Array {
    return this.#order.subarray(0, this.#length);
  }

  /** Number of trades in the lane. */
  get length(): number {
    return this.#length;
  }

  /** The trade at a place of the matching order. */
  tradeAt(place: number): number {
    return this.#order[place] as number;
  }

  /**
   * Makes room for `more` trades. If the array is too small, it grows at once to the number of trades that
   * the table has for this lane, so that a large table needs no further growth. On average a trade makes at
   * most one match, since each match uses up a lot or a trade.
   */
  #reserve(more: number): void {
    if (this.#length + more <= this.#order.length) return;
    const trades = Math.max(
      this.#length + more,
      2 * this.#length,
      this.#trades.counts[this.#index] as number,
    );
    this.#order = grown(this.order, new Int32Array(trades));
    if (trades >= matchesReservedFrom) this.matcher.matches.reserve(trades);
  }

  /**
   * Matches the trades of a day's run from `from` up to `until`. Late trades, which are older than the newest
   * trade of the lane, come first in the run; they wait for `rematch`. Returns the place after them.
   */
  take(run: Run, day: number, from: number, until: number): number {
    this.#reserve(until - from);
    let begin = from;
    if (this.#length > 0) {
      const newest = this.#order[this.#length - 1] as number;
      while (begin < until && this.#trades.isBefore(run.trade[begin] as number, newest)) begin += 1;
      for (let at = from; at < begin; at++) this.#late.push(run.trade[at] as number);
    }
    for (let at = begin; at < until; at++) this.#order[this.#length++] = run.trade[at] as number;
    this.#match(run, day, begin, until);
    return begin;
  }

  /** Puts late trades in their places and matches again from the last flat day before the first of them. */
  rematch(): void {
    if (this.#late.length === 0) return;
    const first = this.#mergeLate();
    const restart = this.#closes.findLastIndex((close) => close.applied <= first && isZero(close.quantity));
    const from = this.#closes[restart];
    // More trades may follow on the day of the restart, so it is closed again later.
    this.#closes.length = Math.max(restart, 0);
    this.#day = from?.day ?? noDay;
    this.#applied = from?.applied ?? 0;
    this.matcher.restart(from?.matchCount ?? 0, from?.realized ?? zero);
    const run = new Run(runLength);
    while (this.#applied < this.#length) {
      const from = this.#applied;
      const until = endOfDay(this.#trades, this.#order, from, Math.min(from + runLength, this.#length));
      run.fill(this.#trades, this.#order.subarray(from, until));
      this.#match(run, this.#trades.day[this.#order[from] as number] as number, 0, until - from);
    }
  }

  /**
   * The end of every trading day on which the lane traded, oldest first, the running one included. With
   * `from`, only those from that day on, and the one before them: the cost does not depend on earlier days.
   */
  closes(from = noDay): readonly DayClose[] {
    if (this.#length === 0) return [];
    const first = firstWhere(this.#closes.length, (place) => at(this.#closes, place).day >= from);
    return [...this.#closes.slice(Math.max(first - 1, 0)), this.#closeDay()];
  }

  /** Matches a part of a day's run: the next trades of the order. */
  #match(run: Run, day: number, from: number, until: number): void {
    if (from === until) return;
    if (day !== this.#day) {
      if (this.#day !== noDay) this.#closes.push(this.#closeDay());
      this.#day = day;
    }
    for (let at = from; at < until; ) {
      at = this.matcher.apply(run, at, until);
      if (at < until) this.matcher = this.matcher.widened();
    }
    this.#applied += until - from;
  }

  #closeDay(): DayClose {
    return {
      day: this.#day,
      applied: this.#applied,
      matchCount: this.matcher.matches.length,
      ...this.matcher.standing(),
    };
  }

  /** Merges the late trades into the order, behind trades of equal time; returns the place of the first. */
  #mergeLate(): number {
    const late = this.#late;
    const trades = this.#trades;
    const first = firstWhere(this.#length, (place) =>
      trades.isBefore(late[0] as number, this.#order[place] as number),
    );
    const rest = this.#order.slice(first, this.#length);
    const order = grown(
      this.#order.subarray(0, this.#length),
      new Int32Array((this.#length + late.length) * 2),
    );
    let [next, place] = [0, first];
    for (const trade of late) {
      while (next < rest.length && !trades.isBefore(trade, rest[next] as number))
        order[place++] = rest[next++] as number;
      order[place++] = trade;
    }
    order.set(rest.subarray(next), place);
    this.#order = order;
    this.#length += late.length;
    this.#late = [];
    return first;
  }
}

const noDay = Number.NEGATIVE_INFINITY;

/** From this many trades on, room for matches is reserved in advance; for fewer trades it grows as needed. */
const matchesReservedFrom = 256;

/** Number of trades that `rematch` takes at a time. */
const runLength = 8_192;
