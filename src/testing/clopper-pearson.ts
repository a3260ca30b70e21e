/**
 * The Clopper-Pearson bounds of a rate, which hold for a number of trials that is fixed beforehand. Tests
 * compare the gates' statistics with them, and show what goes wrong if somebody looks at them after every
 * trial.
 */
import type { Count } from "../control/evidence/statistics.ts";

/** The probability of at most `k` events in `n` trials. */
function atMost({ k, n }: Count, rate: number): number {
  let logTerm = n * Math.log1p(-rate);
  let sum = Math.exp(logTerm);
  for (let i = 1; i <= k; i++) {
    logTerm += Math.log(((n - i + 1) / i) * (rate / (1 - rate)));
    sum += Math.exp(logTerm);
  }
  return sum;
}

/** The upper bound of a rate. */
export function clopperPearson(count: Count, alpha: number): number {
  if (count.n === 0 || count.k >= count.n) return 1;
  let [low, high] = [0, 1];
  for (let turn = 0; turn < 100; turn++) {
    const middle = (low + high) / 2;
    if (atMost(count, middle) > alpha) low = middle;
    else high = middle;
  }
  return high;
}

/** The smallest number of trials whose upper bound is at most a limit. */
export function fixedTrialsNeeded(k: number, limit: number, alpha: number): number {
  let high = Math.max(1, k);
  while (atMost({ k, n: high }, limit) > alpha) high *= 2;
  let low = k - 1;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (atMost({ k, n: middle }, limit) > alpha) low = middle;
    else high = middle;
  }
  return high;
}
