import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseDecimal } from "../domain/decimal.ts";
import { dayNumber, parseDay } from "../domain/trading-day.ts";
import { describeLedgerSymbol, futureOfPriceSymbol, monthLetters, productOfRoot, products } from "./index.ts";

const day = (text: string) => parseDay(text) as number;

describe("products", () => {
  it("have the contract facts of the exchange", () => {
    expect(
      products.map((p) => `${p.code} ${p.bloomberg} ${p.currency} ${p.multiplier} ${p.tick} ${p.options?.standard ?? "-"}`),
    ).toEqual([
      "ZT TU USD 2000 0.00390625 OZT",
      "ZF FV USD 1000 0.0078125 OZF",
      "ZN TY USD 1000 0.015625 OZN",
      "TN UXY USD 1000 0.015625 OTN",
      "ZB US USD 1000 0.03125 OZB",
      "UB WN USD 1000 0.03125 OUB",
      "RX RX EUR 1000 0.01 -",
    ]);
    for (const { tick, multiplier } of products) expect([parseDecimal(tick), parseDecimal(multiplier)]).not.toContain(undefined);
  });

  it("have roots that name one product each", () => {
    const roots = products.flatMap((p) => [...new Set([p.code, p.bloomberg])]);
    expect(new Set(roots).size).toBe(roots.length);
    for (const p of products) expect([productOfRoot(p.code), productOfRoot(p.bloomberg)]).toEqual([p, p]);
    const series = products.flatMap((p) => (p.options ? [p.options.standard, ...Object.values(p.options.weekly)] : []));
    expect(series).toHaveLength(6 * 6);
    expect(new Set(series).size).toBe(series.length);
  });
});

describe("ledger symbols", () => {
  it.each([
    ["XCMEFFDPSX20250919U0ZN", "ZN", "ZNU2025", "1000", "USD"],
    ["XCMEFFDPSX20251219Z0ZN", "ZN", "ZNZ2025", "1000", "USD"],
    ["XCMEFFDPSX20250930U0ZT", "ZT", "ZTU2025", "2000", "USD"],
    ["XCMEFFDPSX20251231Z0ZF", "ZF", "ZFZ2025", "1000", "USD"],
    ["XCMEFFDPSX20250919U0ZB", "ZB", "ZBU2025", "1000", "USD"],
    ["XCMEFFDPSX20250918U0TY", "ZN", "ZNU2025", "1000", "USD"],
    ["XCMEFFDPSX20350330H0TU", "ZT", "ZTH2035", "2000", "USD"],
    ["XCMEFFDPSX20250908U0RX", "RX", "RXU2025", "1000", "EUR"],
    ["XCMEFFDPSX20250919U0UXY", "TN", "TNU2025", "1000", "USD"],
    ["  XCMEFFDPSX20250919U0ZN ", "ZN", "ZNU2025", "1000", "USD"],
    ["XCMEFFDPSX20260102Z0ZN", "ZN", null, "1000", "USD"], // The letter is not the date's month.
    ["XCME.TU.H5", "ZT", null, "2000", "USD"],
    ["XCME.RX.M5", "RX", null, "1000", "EUR"],
  ])("%s is a future of %s", (symbol, product, instrument, multiplier, currency) => {
    expect(describeLedgerSymbol(symbol)).toEqual({ product, instrument, kind: "future", multiplier, currency });
  });

  it.each([
    ["XCMEOCADPS20250714N0VY2/108.75", "ZN", "1000"],
    ["XCMEOPADPS20250805Q0GY1/110.5", "ZN", "1000"],
    ["XCMEOCADPS20250806Q0WY1/112.5", "ZN", "1000"],
    ["XCMEOCADPS20250807Q0HY1/113.25", "ZN", "1000"],
    ["XCMEOPADPS20250718N0ZN3/110", "ZN", "1000"],
    ["XCMEOPADPS20250725Q0OZN/111.00", "ZN", "1000"],
    ["XCMEOCADPS20250714N0VT2/103.125", "ZT", "2000"],
    ["XCMEOCADPS20250725Q0OZT/103.5", "ZT", "2000"],
    ["XCMEOCADPS20250718N0TN3/113", "TN", "1000"],
    ["XCMEOCADPS20250718N0UB3/113", "UB", "1000"],
    ["XCMEOCADPS20250718N0HB5/113", "ZB", "1000"],
    ["XCMEOCADPS20250718N0ZF3/108", "ZF", "1000"],
  ])("%s is an option of %s", (symbol, product, multiplier) => {
    expect(describeLedgerSymbol(symbol)).toEqual({ product, instrument: null, kind: "option", multiplier, currency: "USD" });
  });

  it.each([
    ...["", "ZN", "ZNU5", "TYU5 Comdty", "XCME.ZN.SEP25", "XCME.VY3.21JUL25.111:75.C", "XCME.ZZ.H5", "XCME.TU.H25", "XCME.TU.I5"],
    ...[
      "XCMEFFDPSX20250919U5ZN",
      "XCMEFFDPSX20250230U0ZN",
      "XCMEFFDPSX20250919A0ZN",
      "XCMEFFDPSX20250919U0ZQ",
      "xcmeffdpsx20250919u0zn",
    ],
    ...["XCMEFFDPSX20250919U0ZN/111", "XCMEFFDPSX20250919U0ZN\t", "XCMEFFDPSX20250919U0 ZN", "XCMEFFDPSX20250919U0ZN1"],
    ...[
      "XCMEOCADCS20250714N0VY2/109.0",
      "XCMEOXADPS20250714N0VY2/109",
      "XCMEOCADPS20250714N0VY6/109",
      "XCMEOCADPS20250714N0VY/109",
    ],
    ...[
      "XCMEOCADPS20250714N0VY2",
      "XCMEOCADPS20250714N0VY2/",
      "XCMEOCADPS20250714N0VY2/-1",
      "XCMEOCADPS20251314N0VY2/109",
      "XCMEOCADPS20250714N0RX2/109",
    ],
    ...[
      "XCMEOCADPS20250714N0VY2/109 C",
      "XCMEOCADPS20250714N1VY2/109",
      "XCMEOCADPS20250714N0OZQ/109",
      "XCMEOCADPS20250714N0ZN/109",
    ],
  ])("%j is unknown", (symbol) => {
    expect(describeLedgerSymbol(symbol)).toBeUndefined();
  });
});

describe("futures of price files", () => {
  it.each([
    ["TYU5 Comdty", "2025-07-24", "ZNU2025"],
    ["TYU5", "2025-07-24", "ZNU2025"],
    ["ZNU5", "2025-07-24", "ZNU2025"],
    [" TYZ5 COMDTY ", "2025-07-24", "ZNZ2025"],
    ["TYH6", "2025-07-24", "ZNH2026"],
    ["USU5 Comdty", "2025-07-24", "ZBU2025"],
    ["UXYU5 Comdty", "2025-07-24", "TNU2025"],
    ["WNU5 Comdty", "2025-07-24", "UBU2025"],
    ["UBU5", "2025-07-24", "UBU2025"],
    ["TUU5", "2025-07-24", "ZTU2025"],
    ["RXU5 Comdty", "2025-07-24", "RXU2025"],
    ["TYZ4", "2025-01-02", "ZNZ2024"], // Just expired.
    ["TYZ3", "2025-01-02", "ZNZ2033"],
    ["TYH0", "2029-12-31", "ZNH2030"],
    ["TYZ9", "2030-01-02", "ZNZ2029"],
    ["TY", "2025-07-16", "ZNU2025"],
    ["ZN", "2025-07-16", "ZNU2025"],
    ["RX", "2025-01-31", "RXH2025"],
    ["TU", "2025-02-28", "ZTH2025"],
    ["FV", "2025-04-01", "ZFM2025"],
    ["US", "2025-10-01", "ZBZ2025"],
    ["US", "2025-11-30", "ZBZ2025"],
  ])("%s on %s is %s", (symbol, on, expected) => {
    expect(futureOfPriceSymbol(symbol, day(on))).toBe(expected);
  });

  it.each<readonly [string, string]>([
    ["TY", "2025-03-01"],
    ["TY", "2025-06-30"],
    ["ZN", "2025-09-10"],
    ["US", "2025-12-31"],
    ...[
      "",
      "TYU25",
      "TY1 Comdty",
      "TY Comdty",
      "tyU5",
      "TYI5",
      "ZQU5",
      "TYU5 Index",
      "VBYN25C2 112.250 Comdty",
      "1MQ5C",
      "TYQ5C 111.250 Comdty",
    ].map((symbol) => [symbol, "2025-07-24"] as const),
    ...["OZNQ5", "ZN1U5", "TYU5  Comdty"].map((symbol) => [symbol, "2025-07-24"] as const),
  ])("%j on %s has no answer", (symbol, on) => {
    expect(futureOfPriceSymbol(symbol, day(on))).toBeUndefined();
  });

  it("mean one year of the ten from the year before, ending in the digit", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...products),
        fc.constantFrom(...monthLetters),
        fc.integer({ min: 0, max: 9 }),
        fc.integer({ min: dayNumber(1990, 1, 1), max: dayNumber(2080, 12, 31) }),
        (product, letter, digit, on) => {
          const name = futureOfPriceSymbol(`${product.bloomberg}${letter}${digit}`, on) as string;
          expect(name.startsWith(`${product.code}${letter}`)).toBe(true);
          const ahead = Number(name.slice(-4)) - new Date(on * 86_400_000).getUTCFullYear();
          expect(name.endsWith(`${digit}`) && ahead >= -1 && ahead <= 8).toBe(true);
        },
      ),
    );
  });
});

const data = "../shared/data";
describe.skipIf(!existsSync(data))("real ledgers", () => {
  it("have no symbol that is unknown", () => {
    const symbols = new Set<string>();
    for (const folder of ["ledgers", "ledgers-mock", "ledgers-module"])
      for (const file of readdirSync(`${data}/${folder}`))
        for (const line of readFileSync(`${data}/${folder}/${file}`, "utf8").split("\n").slice(1)) {
          const symbol = line.split(",")[1]?.trim();
          if (symbol !== undefined && symbol !== "") symbols.add(symbol);
        }
    expect(symbols.size).toBeGreaterThan(30);
    for (const symbol of symbols)
      expect([symbol, describeLedgerSymbol(symbol)?.multiplier]).toEqual([symbol, expect.any(String)]);
  });
});
