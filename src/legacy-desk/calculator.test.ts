import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isLongRun } from "../../test/campaigns.ts";
import { Calculator, LegacyRejection, type Trade } from "./calculator.ts";

const day = "2025-08-04";
const trade = (
  side: "B" | "S",
  quantity: number,
  price: number,
  time = `${day} 10:00:00`,
  symbol = "X",
): Trade => ({
  ...{ id: "1", symbol, time, side, quantity, price },
});

function calculate(
  trades: readonly Trade[],
  closes: readonly [date: string, price: number, symbol?: string][] = [],
) {
  const calculator = new Calculator();
  for (const each of trades) calculator.add(each);
  for (const [date, price, symbol = "X"] of closes) calculator.close(symbol, date, price);
  return calculator.calculate();
}

describe("the order of float operations", () => {
  // The expected values were computed with Python's floats, in the order that the real desk's answers prove.
  test("sums signed lots oldest first for the average cost", () => {
    const { positions } = calculate(
      [trade("S", 30, 0.891), trade("S", 30, 0.891), trade("S", 40, 0.891)],
      [[day, 0.891]],
    );
    expect(positions[0]).toMatchObject({
      position: -100,
      averageCost: 0.8909999999999999,
      unrealized: -1.1102230246251565e-14,
    });
  });

  test("adds realized P&L match by match within a day", () => {
    const { positions } = calculate([trade("B", 10, 1.1), trade("B", 20, 0.426), trade("S", 25, 0.891)]);
    expect(positions[0]?.realized).toBe(4.885);
  });

  test("keeps signed zeros, of a short at its mark and of a short with cost 0", () => {
    const [atMark, free] = [
      calculate([trade("S", 24, 3)], [[day, 3]]),
      calculate([trade("S", 60, 0)], [[day, 0]]),
    ];
    expect(atMark.daily[0]?.unrealized).toBe(-0);
    expect(free.positions[0]).toMatchObject({ averageCost: -0, unrealized: -0, summaryUnrealized: 0 });
    expect(calculate([trade("B", 24, 3)], [[day, 3]]).daily[0]?.unrealized).toBe(0);
  });
});

describe("matching", () => {
  test("turns the position short at the sale's price after a sale larger than the position", () => {
    const { positions } = calculate([trade("B", 2, 100), trade("S", 5, 101)]);
    expect(positions[0]).toMatchObject({ position: -3, averageCost: 101, realized: 2, closedQuantity: 2 });
  });

  /** The model keeps single units instead of lots: one bigint price in 64ths for each, oldest first. */
  test("agrees with a model of single units when floats are exact", () => {
    const fill = fc.record({
      symbol: fc.constantFrom("X", "Y"),
      side: fc.constantFrom("B" as const, "S" as const),
      quantity: fc.integer({ min: 1, max: 9 }),
      ticks: fc.integer({ min: 0, max: 640 }),
      second: fc.integer({ min: 0, max: 3 }),
      date: fc.constantFrom("2025-08-04", "2025-08-05"),
    });
    fc.assert(
      fc.property(fc.array(fill, { maxLength: 40 }), (fills) => {
        const trades = fills.map((f) =>
          trade(f.side, f.quantity, f.ticks / 64, `${f.date} 10:00:0${f.second}`, f.symbol),
        );
        const { positions, daily } = calculate(trades);
        for (const symbol of new Set(fills.map((f) => f.symbol))) {
          const units: number[] = [];
          let sign = 0;
          let realizedTicks = 0;
          const inTime = fills
            .filter((f) => f.symbol === symbol)
            .map((f, index) => ({ ...f, key: `${f.date} ${f.second}`, index }));
          inTime.sort((a, b) => (a.key === b.key ? a.index - b.index : a.key < b.key ? -1 : 1));
          for (const f of inTime) {
            const direction = f.side === "B" ? 1 : -1;
            for (let unit = 0; unit < f.quantity; unit++) {
              const oldest = direction === -sign ? units.shift() : undefined;
              if (oldest === undefined) {
                units.push(f.ticks);
                sign = direction;
              } else realizedTicks += (f.ticks - oldest) * sign;
            }
          }
          const found = positions.find((p) => p.symbol === symbol);
          expect(found?.position === units.length * sign).toBe(true);
          expect((found?.realized ?? Number.NaN) * 64 === realizedTicks).toBe(true);
          const rows = daily.filter((row) => row.symbol === symbol);
          expect(rows.reduce((sum, row) => sum + row.realized, 0) === found?.realized).toBe(true);
        }
      }),
    );
  });

  test("closes a very deep book in linear time", () => {
    const pairs = isLongRun("sizes") ? 400_000 : 40_000;
    const trades = Array.from({ length: 2 * pairs }, (_, index) => trade(index < pairs ? "B" : "S", 1, 100));
    expect(calculate(trades).positions[0]).toMatchObject({ position: 0, closedQuantity: pairs });
  });
});

describe("days", () => {
  test("quirk: unrealized is measured from cost; total is realized plus its daily change", () => {
    const { daily } = calculate(
      [trade("B", 1, 110, "2025-08-04 10:00:00"), trade("S", 1, 111.5, "2025-08-05 10:00:00")],
      [
        ["2025-08-04", 111],
        ["2025-08-05", 111.5],
      ],
    );
    expect(daily.map((row) => [row.date, row.realized, row.unrealized, row.total])).toEqual([
      ["2025-08-04", 0, 1, 1],
      ["2025-08-05", 1.5, 0, 0.5],
    ]);
  });

  test("quirk: unrealized is 0 on a day without a close, and returns the next day", () => {
    const other = trade("B", 1, 5, "2025-08-05 10:00:00", "OTHER");
    const { daily } = calculate(
      [trade("B", 1, 110), other],
      [
        ["2025-08-04", 111],
        ["2025-08-06", 111],
      ],
    );
    const rows = daily.filter((row) => row.symbol === "X");
    expect(rows.map((row) => row.total)).toEqual([1, -1, 1]);
    expect(rows.map((row) => row.marketClose)).toEqual([111, 0, 111]);
  });

  test("quirk: a close of 0 counts in the daily row, but the summary treats it as missing", () => {
    const { daily, positions } = calculate([trade("B", 10, 0.25)], [[day, 0]]);
    expect(daily[0]).toMatchObject({ unrealized: -2.5, total: -2.5 });
    expect(positions[0]).toMatchObject({ unrealized: -2.5, summaryUnrealized: 0 });
  });

  test("an evening fill belongs to its calendar date, and a flat symbol has no row on later days", () => {
    const late = trade("S", 1, 111, "2025-08-04 17:20:00");
    const { daily } = calculate([trade("B", 1, 110), late, trade("B", 1, 1, "2025-08-05 09:00:00", "OTHER")]);
    expect(daily.map((row) => [row.symbol, row.date, row.realized])).toEqual([
      ["X", "2025-08-04", 1],
      ["OTHER", "2025-08-05", 0],
    ]);
  });

  test("quirk: trades are processed in time order, and in file order within a second", () => {
    const at = (second: string): string => `${day} 10:00:${second}`;
    const byTime = [trade("B", 1, 101, at("10")), trade("B", 1, 100, at("05")), trade("S", 1, 102, at("20"))];
    const tied = [trade("B", 1, 101, at("05")), trade("B", 1, 100, at("05")), trade("S", 1, 102, at("20"))];
    expect(calculate(byTime).positions[0]?.realized).toBe(2);
    expect(calculate(tied).positions[0]?.realized).toBe(1);
  });

  test("quirk: a remainder of float rounding is not a flat position", () => {
    const { positions } = calculate([trade("B", 0.1, 1), trade("B", 0.2, 1), trade("S", 0.3, 1)]);
    expect(positions[0]?.position).toBe(2.7755575615628914e-17);
  });
});

test("the calculator refuses a quantity of 0, negative prices and empty symbols", () => {
  const calculator = new Calculator();
  expect(() => calculator.add(trade("B", 0, 1))).toThrow(LegacyRejection);
  expect(() => calculator.add(trade("B", 1, -1))).toThrow(LegacyRejection);
  expect(() => calculator.add(trade("B", 1, 1, `${day} 10:00:00`, ""))).toThrow(LegacyRejection);
  expect(() => calculator.close("X", day, -0.01)).toThrow(LegacyRejection);
  expect(calculator.calculate()).toEqual({ positions: [], daily: [] });
});
