import { describe, expect, test } from "vitest";
import { clopperPearson, fixedTrialsNeeded } from "../../testing/clopper-pearson.ts";
import {
  evidenceAbove,
  evidenceBelow,
  evidenceOfShares,
  excessOverNoise,
  judgeRate,
  lowerBound,
  meanBound,
  medianAbove,
  theilSen,
  trialsNeeded,
  upperBound,
} from "./statistics.ts";

/** Expects `actual` to be `expected` up to a relative error of 6e-7. */
const near = (actual: number, expected: number): void =>
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(Math.abs(expected) * 6e-7);

// The columns are events, trials, alpha, the upper bound, the lower bound, and the upper bound of Clopper and
// Pearson, which is valid only if it is computed once.
test.each([
  [0, 0, 0.05, 1, 0, 1],
  [0, 5, 0.05, 0.4924172, 0, 0.4507197],
  [0, 20, 0.05, 0.1559334, 0, 0.1391083],
  [0, 65, 0.05, 0.05082414, 0, 0.04504226],
  [0, 338, 0.05, 0.009980854, 0, 0.008823952],
  [0, 412, 0.05, 0.008195545, 0, 0.007244824],
  [1, 412, 0.05, 0.01770743, 0, 0.01146205],
  [2, 1000, 0.05, 0.009443562, 0.00008675157, 0.006282285],
  [10, 1000, 0.05, 0.02313946, 0.003245308, 0.01690318],
  [0, 3389, 0.05, 0.0009999356, 0, 0.000883567],
  [1, 7349, 0.05, 0.0009999594, 0, 0.0006453472],
  [0, 33904, 0.05, 0.00009999727, 0, 0.00008835535],
  [5, 100, 0.05, 0.1439682, 0.009178778, 0.1022534],
  [50, 100, 0.05, 0.6642223, 0.3548044, 0.5863783],
  [0, 506, 0.01, 0.009988217, 0, 0.009059837],
  [0, 5077, 0.01, 0.0009999818, 0, 0.000906654],
  [0.5, 1000, 0.05, 0.006222829, undefined, undefined],
  [2.25, 500, 0.05, 0.01982641, undefined, undefined],
])(
  "for %d events in %d trials and alpha %d, the bounds of the rate are the reference numbers",
  (k, n, alpha, upper, lower, fixed) => {
    near(upperBound({ k, n }, alpha), upper);
    if (lower !== undefined) near(lowerBound({ k, n }, alpha), lower);
    if (fixed !== undefined) near(clopperPearson({ k, n }, alpha), fixed);
  },
);

test.each([
  [evidenceBelow({ k: 0, n: 5 }, 0.5), 21.467327],
  [evidenceBelow({ k: 2, n: 100 }, 0.05), 1.08947973],
  [evidenceBelow({ k: 0, n: 3388 }, 0.001), 19.985305],
  [evidenceBelow({ k: 0, n: 3389 }, 0.001), 20.00411],
  [evidenceAbove({ k: 3, n: 100 }, 0.01), 1.662476],
  [evidenceAbove({ k: 5, n: 100 }, 0.01), 14.672921],
  [evidenceAbove({ k: 6, n: 100 }, 0.01), 68.200298],
  [evidenceOfShares([7, 0], [0.5, 0.5]), 16],
  [evidenceOfShares([8, 0], [0.5, 0.5]), 256 / 9],
  [evidenceOfShares([15, 5], [0.5, 0.5]), 3.2206],
  [evidenceOfShares([17, 3], [0.5, 0.5]), 43.8002],
  [evidenceOfShares([550, 450], [0.5, 0.5]), 5.89739],
  [evidenceOfShares([100, 900], [0.1, 0.9]), 0.0237762],
  [evidenceOfShares([140, 860], [0.1, 0.9]), 82.6549],
  [evidenceOfShares([0, 45], [0.1, 0.9]), 2.49074],
  [evidenceOfShares([0, 100], [0.1, 0.9]), 372.759],
])("the evidence %d is the reference number %d", (actual, expected) => {
  // Some of the reference numbers have only six digits.
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(expected * 3e-6);
});

describe("the numbers of trials that prove a rate below a limit", () => {
  test.each([
    [0.05, 0.05, [59, 93, 124, 208], [67, 144, 186, 298]],
    [0.01, 0.05, [299, 473, 628, 1049], [338, 733, 945, 1510]],
    [0.001, 0.05, [2995, 4742, 6294, 10511], [3389, 7349, 9476, 15145]],
    [0.0001, 0.05, [29956, 47437, 62956, 105128], [33904, 73516, 94786, 151491]],
    [0.01, 0.01, [459, 662, 838, 1307], [506, 933, 1155, 1750]],
    [0.001, 0.01, [4603, 6636, 8403, 13105], [5077, 9365, 11586, 17555]],
    [0.5, 0.05, undefined, [5, 12, 15, 25]],
    [0.5, 0.01, undefined, [8, 15, 18, 29]],
  ])(
    "are the reference numbers for 0, 1, 2 and 5 events, limit %d and alpha %d",
    (limit, alpha, fixed, ours) => {
      const events = [0, 1, 2, 5];
      expect(events.map((k) => trialsNeeded(k, limit, alpha))).toEqual(ours);
      if (fixed !== undefined) expect(events.map((k) => fixedTrialsNeeded(k, limit, alpha))).toEqual(fixed);
    },
  );

  test.each([
    [0.05, [2.996, 4.744, 6.296, 7.754, 10.513, 16.962], [3.39, 7.352, 9.479, 11.477, 15.15, 23.294]],
    [0.01, [4.605, 6.638, 8.406, 10.045, 13.108, 20.145], [5.079, 9.369, 11.59, 13.691, 17.561, 26.147]],
  ])(
    "approach reference constants at alpha %d, if they are multiplied by a limit that approaches 0",
    (alpha, fixed, ours) => {
      const rare = 1e-6;
      for (const [place, k] of [0, 1, 2, 3, 5, 10].entries()) {
        expect(trialsNeeded(k, rare, alpha) * rare).toBeCloseTo(ours[place] ?? 0, 2);
        expect(fixedTrialsNeeded(k, rare, alpha) * rare).toBeCloseTo(fixed[place] ?? 0, 2);
      }
    },
  );
});

test.each([
  [1, 2, [9, 29, 58, 91, 131]],
  [10, 2, [2, 12, 27, 53, 82]],
  [50, 3, [7, 18, 35, 61]],
])(
  "with %d strata, %d or more events prove a rate above 1 % up to the reference numbers of trials",
  (strata, from, known) => {
    for (const [place, last] of known.entries()) {
      const proves = (n: number): boolean => evidenceAbove({ k: from + place, n }, 0.01) >= strata / 0.05;
      expect([proves(last), proves(last + 1)]).toEqual([true, false]);
    }
  },
);

test("only noise that A/A calls prove is subtracted from the bound of the share of calls that differ", () => {
  const aa = (k: number, n: number) => ({ k, n });
  expect(excessOverNoise({ k: 0, n: 10_000 }, aa(0, 500), 0.05)).toBeCloseTo(0.00041, 5);
  expect(excessOverNoise({ k: 20, n: 10_000 }, aa(10, 1000), 0.05)).toBeCloseTo(0.00097, 5);
  expect(excessOverNoise({ k: 100, n: 10_000 }, aa(5, 500), 0.05)).toBeCloseTo(0.0125, 4);
  expect(lowerBound({ k: 1, n: 20 }, 0.05)).toBe(0);
});

test("the state is open if a rate is proved to be below the limit, closed if above the limit, else inconclusive", () => {
  const at = (k: number, n: number) => judgeRate({ k, n }, 0.01, 0.05);
  expect([at(0, 338), at(0, 337), at(0, 0), at(6, 100)]).toEqual([
    "open",
    "inconclusive",
    "inconclusive",
    "closed",
  ]);
});

test("trials without an event prove a rate below 1, and trials that are all events do not", () => {
  const at = (k: number, n: number) => judgeRate({ k, n }, 1, 0.05);
  expect([at(0, 5), at(5, 5), at(0, 0)]).toEqual(["open", "inconclusive", "inconclusive"]);
  expect(trialsNeeded(0, 1, 0.05)).toBe(1);
});

test("the bound of a mean amount is the cap times the bound of the mean of amount / cap", () => {
  near(meanBound({ sum: 0.5, n: 1000 }, 1_000, 0.05), 6.222829);
});

test("the slope is the median of the slopes of all pairs of points, and one outlier does not change the slope", () => {
  const points = [0, 1, 2, 3, 4].map((x) => ({ x, y: x === 2 ? 100 : 3 * x }));
  expect(theilSen(points)).toBe(3);
  expect(theilSen([{ x: 0, y: 1 }])).toBeUndefined();
});

test("the largest candidate that the median is proved to exceed is returned, and none if there is no proof", () => {
  const above = (n: number, candidates: readonly number[]) =>
    medianAbove([{ value: 0.9, n }], candidates, 0.05);
  expect(above(40, [0.5, 0.8, 0.9, 1])).toBe(0.8);
  expect(above(2, [0.5])).toBeUndefined();
});
