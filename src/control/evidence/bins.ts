/** Sums over tallies, and the distribution of latencies, which tallies count in steps. */
import type { Tally } from "../../ports/tallies.ts";

type Sums = Pick<Tally, "n" | "k" | "amount" | "largest">;

/** The sum of a signal over all strata, or over those of a method. */
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

/** The methods for which tallies of a signal exist. */
export const strataOf = (tallies: readonly Tally[], signal: string): readonly string[] => [
  ...new Set(
    tallies.filter((one) => one.signal === signal).map(({ stratum }) => stratum.split(" ")[0] ?? ""),
  ),
];

/** The number of pairs of calls whose latencies end in these steps: step `s` ends at 1.1^s milliseconds. */
export interface Bin {
  readonly method: string;
  readonly isFirst: boolean;
  readonly legacy: number;
  readonly modern: number;
  readonly n: number;
}

export const binsOf = (tallies: readonly Tally[]): readonly Bin[] =>
  tallies
    .filter(({ signal }) => signal === "bins")
    .map(({ stratum, n }) => {
      const [method = "", phase, legacy, modern] = stratum.split(" ");
      return { method, isFirst: phase === "first", legacy: Number(legacy), modern: Number(modern), n };
    });

/** The smallest step that a share of the pairs does not exceed in one system; infinite without pairs. */
export function quantile(bins: readonly Bin[], share: number, of: (bin: Bin) => number): number {
  const total = bins.reduce((all, { n }) => all + n, 0);
  let below = 0;
  for (const bin of bins.toSorted((one, other) => of(one) - of(other))) {
    below += bin.n;
    if (below >= share * total) return of(bin);
  }
  return Number.POSITIVE_INFINITY;
}
