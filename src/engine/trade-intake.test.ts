import fc from "fast-check";
import { expect, it } from "vitest";
import { TradeIntake, tradeIdentity } from "./trade-intake.ts";

const fields = {
  id: "148",
  symbol: "TYU5",
  side: "B",
  quantity: "2.0",
  price: "110.515625",
  time: "2025-07-24 09:30:59.046",
};
const describeSymbol = (symbol: string) =>
  symbol.startsWith("TYU5") ? { instrument: "ZNU2025", multiplier: "1000", currency: "USD" } : undefined;
const intake = () =>
  new TradeIntake({
    describe: describeSymbol,
    dayRule: { name: "none", dayOf: () => 0 },
    onNote: () => {},
    placeOf: String,
  });

it("identifies a trade by its id, instrument, book, instant, side, quantity and price, however they are written", () => {
  const made = intake();
  const other = {
    ...fields,
    symbol: " TYU5 Comdty",
    quantity: "2",
    time: "2025-07-24T14:30:59.046000Z",
    fee: "7",
    book: "UST",
  };
  expect(made.take(fields, { file: 0, line: 2 })).toBeUndefined();
  expect(made.take(other, { file: 0, line: 3 })).toBeUndefined();
  expect(tradeIdentity(made.trades, 0)).toBe(
    '["148","ZNU2025","","1753367459046000","B","2","110.515625",1]',
  );
  expect(tradeIdentity(made.trades, 1, 2)).toBe(
    '["148","ZNU2025","UST","1753367459046000","B","2","110.515625",2]',
  );
});

it("counts a trade of a second file as repeated if and only if the first file has one of equal identity", () => {
  const trade = fc.record({
    id: fc.constantFrom("1", "A"),
    symbol: fc.constantFrom("TYU5", "X", "X/1.50", "X/1.5"),
    side: fc.constantFrom("B", "S"),
    quantity: fc.constantFrom("1", "1.0", "2"),
    price: fc.constantFrom("1", "-1"),
    // The times differ by whole seconds, so that no fraction of a second is cut.
    time: fc.constantFrom("2025-07-24 09:00:00", "2025-07-24T14:00:00Z", "2025-07-24 09:00:01"),
    fee: fc.constantFrom("1", "2"),
  });
  fc.assert(
    fc.property(trade, trade, (first, second) => {
      const both = intake();
      both.take(first, { file: 0, line: 2 });
      both.take(second, { file: 1, line: 2 });
      const alone = intake();
      alone.take(second, { file: 0, line: 2 });
      expect(both.repeated.length === 1).toBe(
        tradeIdentity(both.trades, 0) === tradeIdentity(alone.trades, 0),
      );
    }),
  );
});
