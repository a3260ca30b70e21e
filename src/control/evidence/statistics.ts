/**
 * The statistics of the evidence gates. One e-process judges all rates: its value may be looked at after
 * every trial, and exceeds 1/alpha with a probability of at most alpha if the hypothesis is true. It depends
 * on the numbers of trials and events only, so counts of several processes add up.
 */

interface Bet {
  readonly weight: number;
  /** The alternative is about this many times the hypothetical rate; exactly so for their log(1 - rate). */
  readonly factor: number;
}

/** Bets that the rate is lower than the hypothetical one. */
const lowerBets: readonly Bet[] = [
  { factor: 0, weight: 1 / 2 },
  { factor: 0.1, weight: 1 / 8 },
  { factor: 0.25, weight: 1 / 8 },
  { factor: 0.5, weight: 1 / 8 },
  { factor: 0.8, weight: 1 / 8 },
];
/** Bets that the rate is higher than the hypothetical one. */
const higherBets: readonly Bet[] = [1.25, 1.5, 2, 4, 10, 40].map((factor) => ({ factor, weight: 1 / 6 }));

/** Trials, and how many of them were events. Events may be fractions, for events of different weight. */
export interface Count {
  readonly k: number;
  readonly n: number;
}

/** The logarithm of the e-process against a rate between 0, excluded, and 1. */
function logEvidence({ k, n }: Count, rate: number, bets: readonly Bet[]): number {
  // A rate of 1 would make the logarithm infinite.
  const logMiss = Math.log1p(-Math.min(rate, 1 - Number.EPSILON));
  const terms = bets.map(({ factor, weight }) => {
    const ratio = -Math.expm1(factor * logMiss) / rate;
    const hits = k === 0 ? 0 : k * Math.log(ratio);
    return Math.log(weight) + hits + (factor - 1) * (n - k) * logMiss;
  });
  const most = Math.max(...terms);
  return most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0));
}

/** Evidence that the rate is below a limit. */
export const evidenceBelow = (count: Count, limit: number): number =>
  Math.exp(logEvidence(count, limit, lowerBets));

/** Evidence that the rate is above a limit. */
export const evidenceAbove = (count: Count, limit: number): number =>
  Math.exp(logEvidence(count, limit, higherBets));

/** The upper bound of a rate, valid with confidence 1 - alpha however often it is computed. */
export function upperBound(count: Count, alpha: number): number {
  if (count.n === 0 || count.k >= count.n) return 1;
  const wanted = -Math.log(alpha);
  return bisect((rate) => logEvidence(count, rate, lowerBets) >= wanted);
}

/** The lower bound of a rate, valid with confidence 1 - alpha however often it is computed. */
export function lowerBound(count: Count, alpha: number): number {
  const wanted = -Math.log(alpha);
  if (count.k === 0 || logEvidence(count, Number.MIN_VALUE, higherBets) < wanted) return 0;
  return bisect((rate) => logEvidence(count, rate, higherBets) < wanted);
}

/** The smallest number between 0 and 1 for which a monotonic condition holds. */
function bisect(holds: (rate: number) => boolean): number {
  let [low, high] = [0, 1];
  for (let turn = 0; turn < 200; turn++) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return high;
}

export type State = "open" | "closed" | "inconclusive";

/**
 * Open if the rate is proved to be below the limit, closed if it is proved to be above. If several `strata`
 * are watched, each of them may look bad by chance, so the proof that one is above must be stricter.
 */
export function judgeRate(count: Count, limit: number, alpha: number, strata = 1): State {
  if (evidenceBelow(count, limit) >= 1 / alpha) return "open";
  return evidenceAbove(count, limit) >= strata / alpha ? "closed" : "inconclusive";
}

/** The smallest number of trials, with `k` events among them, that proves a rate below a limit. */
export function trialsNeeded(k: number, limit: number, alpha: number): number {
  const wanted = -Math.log(alpha);
  const proves = (n: number): boolean => logEvidence({ k, n }, limit, lowerBets) >= wanted;
  let high = Math.max(1, Math.ceil(k));
  while (!proves(high)) high *= 2;
  let low = Math.ceil(k) - 1;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (proves(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** Evidence that counts do not follow given shares, which add up to 1. It may be computed at any time. */
export function evidenceOfShares(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const log = counts.reduce(
    (sum, count, place) => sum + logFactorial(count) - count * Math.log(shares[place] ?? 0),
    logFactorial(counts.length - 1) - logFactorial(total + counts.length - 1),
  );
  return Math.exp(log);
}

/** The logarithm of n!, from 20 on by Stirling's series, with an error below 1e-13. */
function logFactorial(n: number): number {
  if (n < 20) {
    let product = 1;
    for (let factor = 2; factor <= n; factor++) product *= factor;
    return Math.log(product);
  }
  const series = 1 / (12 * n) - 1 / (360 * n ** 3) + 1 / (1_260 * n ** 5) - 1 / (1_680 * n ** 7);
  return n * Math.log(n) - n + Math.log(2 * Math.PI * n) / 2 + series;
}

/**
 * The upper bound of a mean amount of money. Each trial counts as its amount divided by `cap`, at most 1;
 * `sum` is the sum of these shares.
 */
export const meanBound = (
  { sum, n }: { readonly sum: number; readonly n: number },
  cap: number,
  alpha: number,
) => cap * upperBound({ k: sum, n }, alpha);

/**
 * The upper bound of the share of differences that noise does not explain. `ab` counts the calls in which the
 * two systems differ, and `aa` those in which the answering system differs from itself. Only noise that `aa`
 * proves is subtracted.
 */
export const excessOverNoise = (ab: Count, aa: Count, alpha: number): number =>
  Math.max(0, upperBound(ab, alpha / 2) - lowerBound(aa, alpha / 2));

/** A value, and how often it occurs. */
export interface Occurrences {
  readonly value: number;
  readonly n: number;
}

/** The largest of some candidates that the median is proved to exceed; undefined if there is none. */
export function medianAbove(
  values: readonly Occurrences[],
  candidates: readonly number[],
  alpha: number,
): number | undefined {
  const occurring = (of: readonly Occurrences[]): number => of.reduce((total, { n }) => total + n, 0);
  const n = occurring(values);
  return candidates
    .toSorted((one, other) => other - one)
    .find((candidate) => {
      const k = occurring(values.filter(({ value }) => value <= candidate));
      return judgeRate({ k, n }, 0.5, alpha) === "open";
    });
}

/** The Theil-Sen slope: the median of the slopes of all pairs of points; undefined if there is no pair. */
export function theilSen(points: readonly { readonly x: number; readonly y: number }[]): number | undefined {
  const slopes = points
    .flatMap((a, place) =>
      points.slice(place + 1).flatMap((b) => (a.x === b.x ? [] : [(b.y - a.y) / (b.x - a.x)])),
    )
    .toSorted((one, other) => one - other);
  const middle = slopes.length / 2;
  const [below, above] = [slopes[Math.ceil(middle) - 1], slopes[Math.floor(middle)]];
  return below === undefined || above === undefined ? undefined : (below + above) / 2;
}
