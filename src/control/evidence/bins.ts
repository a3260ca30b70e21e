/**
 * Reads tallies. A tally has the counts of one signal (what is counted) and one stratum, a text. The stratum
 * begins with the method, but for the signals `impact` and `sampling`. A pair is one call with its latency in
 * both systems. Latencies are counted in bins: bin `b` holds those above 1.1^(b - 1) milliseconds and up to
 * 1.1^b milliseconds.
 */
import type { Tally } from "../../ports/tallies.ts";

type Sums = Pick<Tally, "n" | "k" | "amount" | "largest">;

/** Adds up the tallies of a signal: all of them, or those of one method. `largest` is the largest of all. */
export function sum(tallies: readonly Tally[], signal: string, method?: string): Sums {
  const total = { n: 0, k: 0, amount: 0, largest: 0 };
  for (const one of tallies) {
    if (one.signal !== signal || (method !== undefined && one.stratum.split(" ")[0] !== method)) continue;
    total.n += one.n;
    total.k += one.k;
    total.amount += one.amount;
    total.largest = Math.max(total.largest, one.largest);
  }
  return total;
}

/** Returns the methods for which tallies of a signal exist. */
export const methodsOf = (tallies: readonly Tally[], signal: string): readonly string[] => [
  ...new Set(
    tallies.filter((one) => one.signal === signal).map(({ stratum }) => stratum.split(" ")[0] ?? ""),
  ),
];

/** The pairs of a method that have the same two bins. */
export interface Bin {
  readonly method: string;
  /** Whether the pairs are among the first ones of the method, which set the limit of a slow call. */
  readonly isFirst: boolean;
  /** The bin of legacy's latency, and that of modern's. */
  readonly legacy: number;
  readonly modern: number;
  /** The number of pairs. */
  readonly n: number;
}

export const binsOf = (tallies: readonly Tally[]): readonly Bin[] =>
  tallies
    .filter(({ signal }) => signal === "bins")
    .map(({ stratum, n }) => {
      const [method = "", phase, legacy, modern] = stratum.split(" ");
      return { method, isFirst: phase === "first", legacy: Number(legacy), modern: Number(modern), n };
    });

/**
 * Returns the smallest bin `b` for which at least the part `share` of all pairs is in bin `b` or below;
 * infinity without pairs. `of` selects legacy's or modern's bin of a pair.
 */
export function quantile(bins: readonly Bin[], share: number, of: (bin: Bin) => number): number {
  const total = bins.reduce((all, { n }) => all + n, 0);
  let below = 0;
  for (const bin of bins.toSorted((one, other) => of(one) - of(other))) {
    below += bin.n;
    if (below >= share * total) return of(bin);
  }
  return Number.POSITIVE_INFINITY;
}
