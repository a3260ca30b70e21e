import fc from "fast-check";
import { expect, it } from "vitest";
import { formatDecimal, lowest, parseDecimal } from "./decimal.ts";
import { divide, fraction, fromDecimal, parseFigure } from "./fraction.ts";
import { nearestDouble, nearestQuotient } from "./nearest-double.ts";
import { present } from "./present.ts";

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
      const [numerator, denominator] = [BigInt(sign * p), BigInt(q)];
      expect(nearestDouble({ numerator, denominator })).toBe((sign * p) / q);
      // The same quotient with more digits than a double has.
      const many = 3n ** 40n;
      expect(nearestDouble({ numerator: numerator * many, denominator: denominator * many })).toBe(
        (sign * p) / q,
      );
    }),
    { numRuns: 500 },
  );
});

it("a midpoint between two doubles goes to the even one, and a number slightly above it to the upper one", () => {
  const midpoint = fraction(2n ** 54n + 2n, 2n); // 2^53 + 1
  expect(nearestDouble(midpoint)).toBe(2 ** 53);
  const [numerator, denominator] = [(2n ** 53n + 1n) * 10n ** 60n + 1n, 10n ** 60n];
  expect(nearestDouble(fraction(numerator, denominator))).toBe(2 ** 53 + 2);
  expect(nearestDouble(fraction(1n, 10n ** 400n))).toBe(0);
});

it("the nearest double of a quotient of two texts is that of the exact quotient, whatever their lengths", () => {
  const decimal = fc
    .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.integer({ min: 0, max: 18 }))
    .map(([coefficient, scale]) => formatDecimal(lowest(coefficient, scale)));
  const exact = (text: string) => present(parseFigure(text), "a decimal is a figure");
  fc.assert(
    fc.property(
      decimal,
      decimal.filter((text) => text !== "0"),
      (dividend, divisor) => {
        expect(nearestQuotient(dividend, divisor) + 0).toBe(
          nearestDouble(divide(exact(dividend), exact(divisor))) + 0,
        );
      },
    ),
    { numRuns: 500 },
  );
});
