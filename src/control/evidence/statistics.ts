/**
 * The statistics of the evidence gates. A rate is the probability that a trial is an event; a trial may also
 * be a call, a pair of latencies or a minute. `alpha` is the accepted probability of a wrong proof. The
 * evidence against a hypothesis about a rate is one number, the value of an e-process. If the hypothesis is
 * true, the probability that the number ever reaches 1/alpha is at most alpha, even if the number is computed
 * after every trial. So 1/alpha counts as proof. The number depends on the counts of trials and events only,
 * so the counts of several programs can be added before it is computed.
 */

/** One alternative to the hypothetical rate. The e-process is the weighted mean over several alternatives. */
interface Bet {
  readonly weight: number;
  /**
   * The alternative rate is about `factor` times the hypothetical one. Exactly, its log(1 - rate) is `factor`
   * times that of the hypothetical one.
   */
  readonly factor: number;
}

/** Alternatives below the hypothetical rate. */
const lowerBets: readonly Bet[] = [
  { factor: 0, weight: 1 / 2 },
  { factor: 0.1, weight: 1 / 8 },
  { factor: 0.25, weight: 1 / 8 },
  { factor: 0.5, weight: 1 / 8 },
  { factor: 0.8, weight: 1 / 8 },
];
/** Alternatives above the hypothetical rate. */
const higherBets: readonly Bet[] = [1.25, 1.5, 2, 4, 10, 40].map((factor) => ({ factor, weight: 1 / 6 }));

export interface Count {
  /** The number of events. A trial may count as a fraction of an event, so it need not be whole. */
  readonly k: number;
  /** The number of trials, events included. */
  readonly n: number;
}

/** Returns the logarithm of the evidence that the true rate is not `rate`, which is above 0 and at most 1. */
function logEvidence({ k, n }: Count, rate: number, bets: readonly Bet[]): number {
  // At a rate of 1, log(1 - rate) would be infinite.
  const logMiss = Math.log1p(-Math.min(rate, 1 - Number.EPSILON));
  const terms = bets.map(({ factor, weight }) => {
    const ratio = -Math.expm1(factor * logMiss) / rate;
    const hits = k === 0 ? 0 : k * Math.log(ratio);
    return Math.log(weight) + hits + (factor - 1) * (n - k) * logMiss;
  });
  const most = Math.max(...terms);
  return most + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - most), 0));
}

/** Returns the evidence that the true rate is below a limit. */
export const evidenceBelow = (count: Count, limit: number): number =>
  Math.exp(logEvidence(count, limit, lowerBets));

/** Returns the evidence that the true rate is above a limit. */
export const evidenceAbove = (count: Count, limit: number): number =>
  Math.exp(logEvidence(count, limit, higherBets));

/**
 * Returns the upper bound of the true rate. With a probability of at least 1 - alpha the true rate never
 * exceeds the bound, even if the bound is computed after every trial.
 */
export function upperBound(count: Count, alpha: number): number {
  if (count.n === 0 || count.k >= count.n) return 1;
  const wanted = -Math.log(alpha);
  return bisect((rate) => logEvidence(count, rate, lowerBets) >= wanted);
}

/** Returns the lower bound of the true rate, which is as reliable as the upper bound. */
export function lowerBound(count: Count, alpha: number): number {
  const wanted = -Math.log(alpha);
  if (count.k === 0 || logEvidence(count, Number.MIN_VALUE, higherBets) < wanted) return 0;
  return bisect((rate) => logEvidence(count, rate, higherBets) < wanted);
}

/** Returns the smallest number between 0 and 1 from which on a condition holds; 1 if it holds for none. */
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
 * Returns `open` if the true rate is proved to be below the limit, `closed` if it is proved to be above the
 * limit. A gate may judge the rates of several strata (classes of products, or methods); `strata` is their
 * number. The more there are, the more likely one of them exceeds the limit by chance, so the evidence that
 * closes must be `strata` times as strong.
 */
export function judgeRate(count: Count, limit: number, alpha: number, strata = 1): State {
  if (evidenceBelow(count, limit) >= 1 / alpha) return "open";
  return evidenceAbove(count, limit) >= strata / alpha ? "closed" : "inconclusive";
}

/** Returns the smallest number of trials, `k` of them events, that proves a true rate below a limit. */
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

/**
 * Returns the evidence that the true shares of some kinds of cases are not `shares`, the expected ones, which
 * add up to 1. `counts` has the number of cases of each kind. As for rates, 1/alpha counts as proof, even if
 * the evidence is computed after every case.
 */
export function evidenceOfShares(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const log = counts.reduce(
    (sum, count, place) => sum + logFactorial(count) - count * Math.log(shares[place] ?? 0),
    logFactorial(counts.length - 1) - logFactorial(total + counts.length - 1),
  );
  return Math.exp(log);
}

/** Returns the logarithm of n!. From n = 20 on it uses Stirling's series, with an error below 1e-13. */
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
 * Returns the upper bound of the true mean amount of money of a trial, where an amount above `cap` counts as
 * `cap`. `sum` is the sum of the amounts of `n` trials, each divided by `cap`.
 */
export const meanBound = (
  { sum, n }: { readonly sum: number; readonly n: number },
  cap: number,
  alpha: number,
) => cap * upperBound({ k: sum, n }, alpha);

/**
 * Returns the upper bound of the share of calls in which the two systems differ and noise is not the reason.
 * Noise is the answering system's difference from itself when it is asked twice (an A/A call). `ab` counts
 * calls and those of them in which the systems differ; `aa` counts A/A calls and those of them whose two
 * answers differ. Only the lower bound of the noise is subtracted.
 */
export const excessOverNoise = (ab: Count, aa: Count, alpha: number): number =>
  Math.max(0, upperBound(ab, alpha / 2) - lowerBound(aa, alpha / 2));

export interface Occurrences {
  readonly value: number;
  /** How often the value occurs. */
  readonly n: number;
}

/** Returns the largest candidate that the true median is proved to exceed; undefined if there is none. */
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

/** Returns the Theil-Sen slope: the median slope of all pairs of points with different `x`, if any exist. */
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
