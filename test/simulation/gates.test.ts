/**
 * How often gates err, in simulated streams of trials that are judged after every trial. Some tests state the
 * error of a naive rule beside that of the gates' rule.
 */
import { describe, expect, test } from "vitest";
import { randomFrom as demoRandom } from "../../src/app/demo-desk/random.ts";
import { evidenceAbove, trialsNeeded } from "../../src/control/evidence/statistics.ts";
import { fixedTrialsNeeded } from "../../src/testing/clopper-pearson.ts";
import { isLongRun } from "../campaigns.ts";

const runs = isLongRun("gates", 60) ? 20_000 : 2_000;
const alpha = 0.05;

type Random = () => number;
const randomFrom = (seed: number): Random => demoRandom(seed).unit;

/** The number of trials up to and including the next event. */
const nextEvent = (rate: number, random: Random): number =>
  Math.floor(Math.log1p(-random()) / Math.log1p(-rate)) + 1;

const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Returns a function of whole numbers that computes each of its values once. */
function remembered(of: (k: number) => number): (k: number) => number {
  const values: number[] = [];
  return (k) => {
    values[k] ??= of(k);
    return values[k];
  };
}

const share = (count: number): number => count / runs;
/** The tolerance of a share that should be `expected`: about four of its standard errors. */
const spread = (expected: number): number => 4 * Math.sqrt((expected * (1 - expected)) / runs) + 1 / runs;
function expectAbout(actual: number, expected: number): void {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(spread(expected));
}
/** Expects a share of at most `level`, plus the tolerance for this number of runs. */
function expectAtMost(actual: number, level: number): void {
  expect(actual).toBeLessThanOrEqual(level + spread(level));
}

/** Whether a rule opens within `trials` trials: it opens when `needed(k)` trials have at most `k` events. */
function opens(rate: number, trials: number, needed: (k: number) => number, random: Random): boolean {
  for (let k = 0, n = 0; n < trials; k++) {
    n += nextEvent(rate, random);
    if (Math.min(n - 1, trials) >= needed(k)) return true;
  }
  return false;
}

describe.each([0.01, 0.001])("a gate of a rate, limit %d, judged after every trial", (limit) => {
  const ours = remembered((k) => trialsNeeded(k, limit, alpha));
  const fixed = remembered((k) => fixedTrialsNeeded(k, limit, alpha));
  const horizon = 200 / limit;
  const streak = fixed(0);
  const inARow = (rate: number, random: Random): boolean => {
    for (let n = 0; n < horizon; ) {
      const length = nextEvent(rate, random);
      if (length > streak) return true;
      n += length;
    }
    return false;
  };
  const found = (factor: number) => {
    const [random, counts] = [randomFrom(1), { ours: 0, fixed: 0, streak: 0 }];
    for (let run = 0; run < runs; run++) {
      if (opens(factor * limit, horizon, ours, random)) counts.ours += 1;
      if (opens(factor * limit, horizon, fixed, random)) counts.fixed += 1;
      if (inARow(factor * limit, random)) counts.streak += 1;
    }
    return { ours: share(counts.ours), fixed: share(counts.fixed), streak: share(counts.streak) };
  };

  test("opens in under 5 % of runs if the true rate is the limit; a rule with a fixed bound opens in over 20 %, and a rule that wants enough clean trials in a row in nearly all", () => {
    const { ours: opened, fixed: naive, streak: always } = found(1);
    expectAtMost(opened, alpha);
    expectAbout(opened, limit === 0.01 ? 0.0456 : 0.0469);
    expect(naive).toBeGreaterThan(0.2);
    expect(always).toBeGreaterThan(0.99);
  });

  test("opens in at most 1.3 % of runs at 1.5 times the limit; a rule that wants enough clean trials in a row opens in nearly all", () => {
    const { ours: opened, fixed: naive, streak: nearly } = found(1.5);
    expect(opened).toBeLessThan(0.013);
    expect(naive).toBeLessThan(0.03);
    expect(nearly).toBeGreaterThan(0.9);
  });
});

describe("a trigger on proved harm, limit 1 %, judged after every trial", () => {
  const limit = 0.01;
  /** The largest number of trials in which `k` events prove harm. */
  const latest = remembered((k) => {
    const proves = (n: number): boolean => evidenceAbove({ k, n }, limit) >= 1 / alpha;
    let [low, high] = [0, 100_000];
    if (!proves(k)) return 0;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (middle <= k || proves(middle)) low = middle;
      else high = middle;
    }
    return low;
  });
  const fires = (rate: number, random: Random): number => {
    for (let k = 1, n = 0; n < 20_000; k++) {
      n += nextEvent(rate, random);
      if (n <= latest(k)) return n;
    }
    return Number.POSITIVE_INFINITY;
  };

  test("fires in 3 % of runs at the limit; at 5 times the limit it fires after 110 trials on average, at 2 times after 1 054", () => {
    const random = randomFrom(2);
    const ends = (rate: number): readonly number[] => Array.from({ length: runs }, () => fires(rate, random));
    const mean = (of: readonly number[]): number => of.reduce((sum, n) => sum + n, 0) / of.length;
    expectAbout(share(ends(limit).filter(Number.isFinite).length), 0.0305);
    expect(mean(ends(5 * limit))).toBeCloseTo(110, -1);
    const slow = mean(ends(2 * limit));
    expect([slow > 950, slow < 1_160]).toEqual([true, true]);
  });
});

describe("the unit of evidence", () => {
  const limit = 0.01;
  const ours = remembered((k) => trialsNeeded(k, limit, alpha));

  test("a gate that counts calls opens for a build that breaks 2 % of instrument-days; one that counts instrument-days does not", () => {
    const random = randomFrom(3);
    const counts = { calls: 0, days: 0 };
    for (let run = 0; run < runs; run++) {
      let isOpen = false;
      for (let day = 0, k = 0; day < 20_000 && !isOpen; day++) {
        if (random() < 0.02) k += 1_000;
        isOpen = k === 0 && (day + 1) * 1_000 >= ours(0);
        if (k > 0) break;
      }
      if (isOpen) counts.calls += 1;
      if (opens(0.02, 20_000, ours, random)) counts.days += 1;
    }
    expect(share(counts.calls)).toBeGreaterThan(0.97);
    expect(share(counts.days)).toBeLessThan(0.005);
  });

  test("a gate that counts instrument-days opens for a build that breaks all 100 lanes on 2 % of days; one that counts days does not", () => {
    const random = randomFrom(4);
    const counts = { lanes: 0, days: 0 };
    for (let run = 0; run < runs; run++) {
      // All lanes break on the first bad day; the gate opens if four clean days, enough trials, come before.
      if (nextEvent(0.02, random) - 1 >= Math.ceil(ours(0) / 100)) counts.lanes += 1;
      if (opens(0.02, 20_000, ours, random)) counts.days += 1;
    }
    expect(share(counts.lanes)).toBeGreaterThan(0.9);
    expect(share(counts.days)).toBeLessThan(0.006);
  });

  test("breaks that last five days do not raise the error above 5 %, since only trials that begin in agreement count", () => {
    const random = randomFrom(5);
    const lanes = 4;
    let opened = 0;
    for (let run = 0; run < runs / 4; run++) {
      const brokenUntil = new Array<number>(lanes).fill(-1);
      let [k, n] = [0, 0];
      for (let day = 0; day < 5_000 && n < ours(k); day++)
        for (let lane = 0; lane < lanes; lane++) {
          if (day <= (brokenUntil[lane] ?? -1)) continue;
          n += 1;
          if (random() >= limit) continue;
          k += 1;
          brokenUntil[lane] = day + 5;
        }
      if (n >= ours(k)) opened += 1;
    }
    expectAtMost((4 * opened) / runs, alpha);
  });
});

describe("a gate of latency, judged after every pair, if modern is slower by exactly the ratio that the gate refuses", () => {
  const needed = remembered((k) => trialsNeeded(k, 0.5, alpha));
  const [pairs, ratio] = [4_000, 1.1];
  const some = isLongRun("gates", 60) ? 2_000 : 100;
  interface Noise {
    /** The correlation of successive values of the load that both sides share. */
    readonly shared: number;
    /** The correlation of successive values of modern's own noise. */
    readonly own: number;
    /** One of this number of successive values becomes a pair. */
    readonly every: number;
  }
  /** The share of runs in which each rule opens. */
  const found = ({ shared, own, every }: Noise) => {
    const random = randomFrom(6);
    const drift = (before: number, correlation: number): number =>
      correlation * before + Math.sqrt(1 - correlation ** 2) * normal(random);
    const opened = { median: 0, discordant: 0 };
    for (let run = 0; run < some; run++) {
      let [load, noise, k, n, b, c] = [0, 0, 0, 0, 0, 0];
      const isOpen = { median: false, discordant: false };
      const first: number[] = [];
      let limit = Number.POSITIVE_INFINITY;
      for (let pair = 0; pair < pairs * every; pair++) {
        load = drift(load, shared);
        noise = drift(noise, own);
        if (pair % every !== 0) continue;
        const legacy = Math.exp(0.3 * normal(random) + (shared > 0 ? load : 0));
        const modern =
          ratio * Math.exp((own > 0 ? 0.3 * noise : 0.3 * normal(random)) + (shared > 0 ? load : 0));
        n += 1;
        if (Math.log(modern / legacy) > Math.log(ratio)) k += 1;
        isOpen.median ||= n >= needed(k);
        if (first.length < 1_000) {
          first.push(legacy);
          if (first.length === 1_000) limit = first.toSorted((one, other) => one - other)[990] ?? limit;
          continue;
        }
        const [isModern, isLegacy] = [modern > ratio * limit, legacy > limit];
        if (isModern && !isLegacy) b += 1;
        if (isLegacy && !isModern) c += 1;
        isOpen.discordant ||= b + c >= needed(b);
      }
      if (isOpen.median) opened.median += 1;
      if (isOpen.discordant) opened.discordant += 1;
    }
    return { median: opened.median / some, discordant: opened.discordant / some };
  };
  const level = alpha + 4 * Math.sqrt((alpha * (1 - alpha)) / some);

  test("opens in at most 5 % of runs, also under a load that varies slowly for both", () => {
    for (const noise of [
      { shared: 0, own: 0, every: 1 },
      { shared: 0.99, own: 0, every: 1 },
    ]) {
      const { median, discordant } = found(noise);
      expect(median).toBeLessThanOrEqual(level);
      expect(discordant).toBeLessThanOrEqual(level);
    }
  });

  test.runIf(isLongRun("gates"))(
    "errs if successive values of modern's own noise are correlated, and does not if pairs are thinned",
    () => {
      expect(found({ shared: 0, own: 0.95, every: 1 }).median).toBeGreaterThan(0.4);
      expect(found({ shared: 0, own: 0.95, every: 50 }).median).toBeLessThanOrEqual(level);
    },
  );
});
