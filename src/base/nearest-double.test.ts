import fc from "fast-check";
import { expect, it } from "vitest";
import { parseDecimal } from "./decimal.ts";
import { fraction, fromDecimal } from "./fraction.ts";
import { nearestDouble } from "./nearest-double.ts";

it("the nearest double of a decimal is the one that JavaScript reads from its text", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }), (value) => {
      const decimal = parseDecimal(String(value));
      if (decimal !== undefined) expect(nearestDouble(fromDecimal(decimal)) + 0).toBe(value + 0);
    }),
    { numRuns: 500 },
  );
});

it("the nearest double of a quotient of two whole numbers is the one that division gives", () => {
  const whole = fc.integer({ min: 1, max: 2 ** 31 });
  fc.assert(
    // Both are exact doubles, so IEEE division rounds the true quotient once.
    fc.property(whole, whole, fc.boolean(), (p, q, isNegative) => {
      const sign = isNegative ? -1 : 1;
      expect(nearestDouble(fraction(BigInt(sign * p), BigInt(q)))).toBe((sign * p) / q);
    }),
    { numRuns: 500 },
  );
});

it("a midpoint between two doubles goes to the even one, and a hair above it to the upper one", () => {
  const midpoint = fraction(2n ** 54n + 2n, 2n); // 2^53 + 1
  expect(nearestDouble(midpoint)).toBe(2 ** 53);
  const [numerator, denominator] = [(2n ** 53n + 1n) * 10n ** 60n + 1n, 10n ** 60n];
  expect(nearestDouble(fraction(numerator, denominator))).toBe(2 ** 53 + 2);
  expect(nearestDouble(fraction(1n, 10n ** 400n))).toBe(0);
});
