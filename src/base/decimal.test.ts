import fc from "fast-check";
import { expect, it } from "vitest";
import { canonicalDecimal, formatDecimal, lowest, product, sum } from "./decimal.ts";
import { add, formatFraction, multiply, parseFigure } from "./fraction.ts";
import { present } from "./present.ts";

/** Whole numbers around the largest safe integer, and decimals of up to 20 digits. */
const decimalText = fc.oneof(
  fc.bigInt({ min: -(2n ** 54n), max: 2n ** 54n }).map(String),
  fc.constantFrom("0", String(2n ** 53n - 1n), String(2n ** 53n), String(2n ** 53n + 1n), "1000", "-1"),
  fc
    .tuple(fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }), fc.integer({ min: 0, max: 9 }))
    .map(([coefficient, scale]) => formatDecimal(lowest(coefficient, scale))),
);

it("sums and products of decimals as texts are exact and canonical", () => {
  const exactly = (text: string) => present(parseFigure(text), "a number");
  fc.assert(
    fc.property(decimalText, decimalText, (a, b) => {
      expect(sum(a, b)).toBe(formatFraction(add(exactly(a), exactly(b))).text);
      expect(product(a, b)).toBe(formatFraction(multiply(exactly(a), exactly(b))).text);
      expect(canonicalDecimal(product(a, b))).toBe(product(a, b));
    }),
    { numRuns: 1_000 },
  );
});
