import fc from "fast-check";
import { expect, test } from "vitest";
import { backOffMs } from "./back-off.ts";

test("the pause doubles with each failure up to the longest, and stays there", () => {
  const rule = { firstMs: 50, lastMs: 1_000 };
  expect([1, 2, 3, 4, 5, 6, 7, 10_000].map((failures) => backOffMs(rule, failures))).toEqual([
    50, 100, 200, 400, 800, 1_000, 1_000, 1_000,
  ]);
  expect(backOffMs({ firstMs: 0, lastMs: 9 }, 5)).toBe(0);
});

test("a random draw shortens the pause to between half and all of it", () => {
  fc.assert(
    fc.property(
      fc.nat(1_000),
      fc.nat(60_000),
      fc.nat(100),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (first, last, n, draw) => {
        const rule = { firstMs: first, lastMs: last };
        const whole = backOffMs(rule, n);
        expect(backOffMs(rule, n, draw)).toBeGreaterThanOrEqual(whole / 2);
        expect(backOffMs(rule, n, draw)).toBeLessThanOrEqual(whole);
      },
    ),
  );
});
