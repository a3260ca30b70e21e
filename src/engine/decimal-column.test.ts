import fc from "fast-check";
import { expect, it } from "vitest";
import { formatDecimal, lowest } from "../base/decimal.ts";
import { DecimalColumn } from "./decimal-column.ts";

it("a column writes each value, also a wide one, as the decimal is written", () => {
  const coefficient = fc.oneof(
    fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
    fc.bigInt({ min: -1_000n, max: 1_000n }),
  );
  fc.assert(
    fc.property(coefficient, fc.integer({ min: 0, max: 17 }), (digits, places) => {
      const column = new DecimalColumn(1);
      const value = lowest(digits, places);
      column.set(0, value);
      expect(column.text(0)).toBe(formatDecimal(value));
    }),
    { numRuns: 500 },
  );
});
