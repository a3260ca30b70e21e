import type { Fraction } from "../base/fraction.ts";
import { DecimalColumn, grown } from "./decimal-column.ts";
import type { Run } from "./run.ts";

export const methods = ["fifo", "lifo", "average"] as const;
/** The open lot that a closing trade takes: the oldest, the newest, or one pool at the average price. */
export type Method = (typeof methods)[number];

/** The part of a trade that is still open; under average cost, the open part of the whole pool. */
export interface Lot {
  /** Index of the opening trade; null under average cost. */
  readonly trade: number | null;
  /** Negative for a short lot. */
  readonly quantity: Fraction;
  readonly price: Fraction;
}

/**
 * The position and P&L of a lane. All numbers are signed; amounts are points × quantity, before the
 * multiplier.
 */
export interface Standing {
  /** Set if the average price was rounded (see AverageMatcher). */
  readonly rounded?: true;
  readonly quantity: Fraction;
  readonly realized: Fraction;
  /** Σ quantity × price of the open lots: unrealized = quantity × mark - openCost. */
  readonly openCost: Fraction;
}

/**
 * Matches the trades of one lane, given in time order. Three implementations: `FastMatcher` (FIFO and LIFO on
 * safe integers), `WideMatcher` (the same on bigints, for numbers that do not fit), `AverageMatcher`.
 */
export interface Matcher {
  readonly matches: MatchLog;
  readonly flat: boolean;
  /**
   * Takes the trades of a run from `from` up to `until` and returns the place where it stopped. A place
   * before `until` means that the numbers of the trade there do not fit: that trade has changed nothing, and
   * the matcher must be widened first.
   */
  apply(run: Run, from: number, until: number): number;
  standing(): Standing;
  /** Open lots, oldest first. */
  lots(): Lot[];
  /**
   * Returns to a moment at which the lane had no open lot: drops later matches and all lots. `realized` is
   * the value in `standing()` at that moment.
   */
  restart(matchCount: number, realized: Fraction): void;
  /** The same state in a matcher for numbers of any size. */
  widened(): Matcher;
}

/**
 * The next capacity for matches when `length` is full. It starts small, because most options have few trades
 * and a lane for each.
 */
export const roomAfter = (length: number): number => Math.max(4, 2 * length);

/**
 * Shared by empty columns: a desk has many lanes of one trade, where a separate array would cost more than
 * its values.
 */
export const noIndices = new Int32Array(0);

/**
 * Closing quantities paired with the lots they close, in the order of consumption: 17 bytes each. Prices are
 * those of the trades, so they are not repeated; under average cost `openPrice` holds the average at the time
 * of the match.
 */
export class MatchLog {
  length = 0;
  /** Index of the opening trade; -1 under average cost. */
  open = noIndices;
  close = noIndices;
  readonly quantity = new DecimalColumn(0);
  readonly openPrice: (Fraction & { readonly rounded?: true })[] = [];

  push(open: number, close: number, quantity: number, scale: number): void {
    const index = this.length;
    if (index === this.open.length) this.reserve(roomAfter(index));
    this.open[index] = open;
    this.close[index] = close;
    this.quantity.coefficient[index] = quantity;
    this.quantity.scale[index] = scale;
    this.length = index + 1;
  }

  pushWide(open: number, close: number, coefficient: bigint, scale: number): void {
    this.push(open, close, 0, 0);
    this.quantity.set(this.length - 1, { coefficient, scale });
  }

  truncate(length: number): void {
    this.length = length;
    this.openPrice.length = Math.min(this.openPrice.length, length);
  }

  /** Makes room for `capacity` matches in all. */
  reserve(capacity: number): void {
    if (capacity <= this.open.length) return;
    this.open = grown(this.open, new Int32Array(capacity));
    this.close = grown(this.close, new Int32Array(capacity));
    this.quantity.grow(capacity);
  }
}
