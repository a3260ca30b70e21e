import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fraction, multiply, parseFraction } from "../../../base/fraction.ts";
import type { PnlMethod } from "../../../ports/pnl-service.ts";
import type { JsonValue } from "../../../ports/system.ts";
import { answerInMoney, pointsRules } from "./points.ts";

const zn = "XCMEFFDPSX20250919U0ZN"; // 1000 USD a point
const zt = "XCMEFFDPSX20250930U0ZT"; // 2000 USD a point
const bund = "XCME.RX.U5"; // 1000 EUR a point

const position = (symbol: string, figures: Readonly<Record<string, JsonValue>> = {}) => ({
  symbol,
  quantity: "2",
  averagePrice: "110.5",
  realized: "2",
  unrealized: "3",
  ...figures,
});

const positionsOf = (answer: JsonValue) =>
  (answer as { readonly positions: readonly Record<string, JsonValue>[] }).positions;

describe("points become money", () => {
  it("in positions, matches and totals of calculatePnl", () => {
    const answer = {
      positions: [position(zn), position(zt, { realized: "-0.5", unrealized: "0.25" }), position(bund)],
      matches: [
        {
          symbol: zt,
          openTradeId: "1",
          closeTradeId: "2",
          quantity: "1",
          openPrice: "1",
          closePrice: "2",
          pnl: "1",
        },
      ],
      totals: { points: { realized: "0" } },
      rejected: [{ index: 3, code: "BAD", why: "bad" }],
      elapsed: "1",
    };
    expect(answerInMoney("calculatePnl", answer, { marks: { [zn]: "1", [zt]: "1", [bund]: "1" } })).toEqual({
      positions: [
        { ...position(zn), realized: "2000", unrealized: "3000", currency: "USD" },
        { ...position(zt), realized: "-1000", unrealized: "500", currency: "USD" },
        { ...position(bund), realized: "2000", unrealized: "3000", currency: "EUR" },
      ],
      matches: [{ ...answer.matches[0], pnl: "2000" }],
      totals: {
        EUR: { realized: "2000", unrealized: "3000", total: "5000" },
        USD: { realized: "1000", unrealized: "3500", total: "4500" },
      },
      rejected: answer.rejected,
      elapsed: "1",
    });
  });

  it("in openPositions and positionDetail, whose prices stay unchanged", () => {
    const money = { ...position(zn), realized: "2000", unrealized: "3000", currency: "USD" };
    expect(answerInMoney("openPositions", { positions: [position(zn)] }, {})).toEqual({ positions: [money] });
    const lots = [{ tradeId: "1", quantity: "2", price: "110.5" }];
    expect(
      answerInMoney("positionDetail", { position: { ...position(zn), lots, mark: "112" } }, { symbol: zn }),
    ).toEqual({
      position: { ...money, lots, mark: "112" },
    });
    expect(answerInMoney("positionDetail", { position: null }, { symbol: zn })).toEqual({ position: null });
  });

  it("in dailyPnl, including its total", () => {
    const row = {
      symbol: zt,
      tradingDay: "2025-07-24",
      realized: "1",
      unrealized: "-0.0078125",
      total: "0.9921875",
    };
    expect(answerInMoney("dailyPnl", { daily: [row] }, {})).toEqual({
      daily: [{ ...row, realized: "2000", unrealized: "-15.625", total: "1984.375" }],
    });
  });

  it("in totals, which are added up by currency from the positions beside them", () => {
    const answer = { totals: { points: { realized: "4" } }, positions: [position(zn), position(bund)] };
    expect(answerInMoney("totals", answer, {})).toEqual({
      totals: {
        EUR: { realized: "2000", unrealized: "3000", total: "5000" },
        USD: { realized: "2000", unrealized: "3000", total: "5000" },
      },
    });
  });

  it("but trades, which have no P&L, stay unchanged", () => {
    const answer = { trades: [{ id: "1", symbol: zn, side: "B", quantity: "1", price: "110", total: "5" }] };
    expect(answerInMoney("tradeHistory", answer, {})).toBe(answer);
  });

  it("also where small whole numbers arrive as numbers and not as text", () => {
    const [converted] = positionsOf(
      answerInMoney(
        "openPositions",
        { positions: [position(zn, { realized: 2, unrealized: -3, quantity: 1 })] },
        {},
      ),
    );
    expect(converted).toMatchObject({ realized: "2000", unrealized: "-3000", quantity: 1 });
    const flat = position(zn, { quantity: 0, averagePrice: 0, realized: 0, unrealized: 0 });
    expect(answerInMoney("totals", { totals: {}, positions: [flat] }, {})).toEqual({
      totals: { USD: { realized: "0", unrealized: "0", total: "0" } },
    });
    expect(positionsOf(answerInMoney("openPositions", { positions: [flat] }, {}))[0]).toMatchObject({
      averagePrice: null,
    });
  });
});

describe("arithmetic", () => {
  it.each([
    ["0.1", "100"],
    ["0.015625", "15.625"],
    ["-0.00000000000000000000000000000001", "-0.00000000000000000000000000001"],
    ["12345678901234567890.123", "12345678901234567890123"],
    ["1/3", "1000/3"],
    ["-0", "0"],
    ["2.8e-17", "0.000000000000028"],
  ])("%s points of ZN are %s", (points, money) => {
    const [converted] = positionsOf(
      answerInMoney("openPositions", { positions: [position(zn, { realized: points })] }, {}),
    );
    expect(converted?.realized).toBe(money);
  });

  it("property: is exact for any points", () => {
    fc.assert(
      fc.property(
        fc.bigInt(-(10n ** 30n), 10n ** 30n),
        fc.bigInt(1n, 10n ** 12n),
        (numerator, denominator) => {
          const points = `${numerator}/${denominator}`;
          const [converted] = positionsOf(
            answerInMoney("openPositions", { positions: [position(zt, { realized: points })] }, {}),
          );
          expect(parseFraction(String(converted?.realized))).toEqual(
            multiply(fraction(numerator, denominator), fraction(2000n)),
          );
        },
      ),
    );
  });
});

describe("what a point is worth", () => {
  it("follows the request before the instrument table", () => {
    const instruments = {
      [zn]: { multiplier: "0.5", currency: "GBP" },
      MINE: { multiplier: "7" },
      YOURS: { currency: "CHF" },
    };
    const answer = { positions: [position(zn), position("MINE"), position("YOURS")] };
    expect(
      positionsOf(answerInMoney("calculatePnl", answer, { instruments, marks: { [zn]: "1" } })),
    ).toMatchObject([
      { realized: "1", currency: "GBP" },
      { realized: "14", currency: "XXX" },
      { realized: "2", currency: "CHF" },
    ]);
  });

  it("is one for an unknown product, with the currency XXX", () => {
    const answer = { positions: [position("ACME"), position("__proto__"), position("constructor")] };
    const converted = answerInMoney("calculatePnl", answer, { instruments: {}, marks: { ACME: "1" } });
    for (const row of positionsOf(converted))
      expect(row).toMatchObject({ realized: "2", unrealized: "3", currency: "XXX" });
    expect(converted).toMatchObject({ totals: { XXX: { realized: "6", unrealized: "9", total: "15" } } });
  });

  it("is unknown if the request's multiplier is not a number, and the points stay", () => {
    const instruments = { [zn]: { multiplier: "lots" } };
    const answer = { positions: [position(zn)] };
    expect(positionsOf(answerInMoney("calculatePnl", answer, { instruments }))[0]).toMatchObject({
      realized: "2",
    });
  });

  it("a currency that the system names itself is not replaced", () => {
    const answer = { positions: [position("ACME", { currency: "EUR" })] };
    expect(positionsOf(answerInMoney("openPositions", answer, {}))[0]).toMatchObject({ currency: "EUR" });
  });
});

describe("zeros that stand for a missing value", () => {
  const one = (method: PnlMethod, figures: Readonly<Record<string, JsonValue>>, request: JsonValue) =>
    positionsOf(answerInMoney(method, { positions: [position(zn, figures)] }, request))[0];

  it("an average price of 0 is null for a flat position and stays for an open one", () => {
    expect(one("openPositions", { quantity: "0", averagePrice: "0" }, {})).toMatchObject({
      averagePrice: null,
    });
    expect(one("openPositions", { quantity: "0.0", averagePrice: "-0" }, {})).toMatchObject({
      averagePrice: null,
    });
    expect(one("openPositions", { quantity: "1", averagePrice: "0" }, {})).toMatchObject({
      averagePrice: "0",
    });
    expect(one("openPositions", { quantity: "0", averagePrice: "110" }, {})).toMatchObject({
      averagePrice: "110",
    });
  });

  it("an unrealized P&L of 0 without a mark is null only in calculatePnl, whose request gives the marks", () => {
    const open = { quantity: "1", unrealized: "0" };
    expect(one("calculatePnl", open, {})).toMatchObject({ unrealized: null });
    expect(one("calculatePnl", open, { marks: {} })).toMatchObject({ unrealized: null });
    expect(one("calculatePnl", open, { marks: { [zn]: "110.5" } })).toMatchObject({ unrealized: "0" });
    expect(one("calculatePnl", { ...open, quantity: "0" }, {})).toMatchObject({ unrealized: "0" });
    expect(one("calculatePnl", { quantity: "1", unrealized: "5" }, {})).toMatchObject({ unrealized: "5000" });
    expect(one("openPositions", open, { marks: {} })).toMatchObject({ unrealized: "0" });
  });
});

describe("a missing field", () => {
  it("stays missing, apart from the currency", () => {
    expect(answerInMoney("openPositions", { positions: [{ symbol: zn, realized: "1" }] }, {})).toEqual({
      positions: [{ symbol: zn, realized: "1000", currency: "USD" }],
    });
    expect(answerInMoney("dailyPnl", { daily: [{ symbol: zn, total: "1" }] }, {})).toEqual({
      daily: [{ symbol: zn, total: "1000" }],
    });
    expect(answerInMoney("openPositions", { positions: [{ symbol: zn, unrealized: null }] }, {})).toEqual({
      positions: [{ symbol: zn, unrealized: null, currency: "USD" }],
    });
  });

  it("counts as 0 in totals", () => {
    const positions = [
      position(zn),
      { symbol: zn },
      position(zn, { realized: "awaiting data", unrealized: null }),
    ];
    expect(answerInMoney("totals", { totals: {}, positions }, {})).toEqual({
      totals: { USD: { realized: "2000", unrealized: "3000", total: "5000" } },
    });
  });

  it.each<PnlMethod>(["totals", "calculatePnl", "openPositions"])(
    "totals of %s without positions are refused as GARBLED, with the reason",
    (method) => {
      for (const totals of [
        { USD: { realized: "18.909375" } },
        { points: { realized: "2", unrealized: "3", total: "5" } },
      ])
        expect(() => answerInMoney(method, { totals, rejected: [] }, {})).toThrow(
          expect.objectContaining({
            failure: "GARBLED",
            message: expect.stringContaining("totals with P&L in points that cannot become money"),
          }),
        );
    },
  );

  it.each<[PnlMethod, JsonValue]>([
    ["openPositions", [position(zn)]],
    ["openPositions", { [zn]: position(zn) }],
    ["positionDetail", position(zn)],
    ["dailyPnl", { rows: [{ symbol: zn, total: "1" }] }],
    ["dailyPnl", { daily: { "2025-07-24": { realized: 5 } } }],
    ["totals", { totals: { USD: { realized: "1" } }, positions: { [zn]: position(zn) } }],
    ["calculatePnl", { positions: [], summary: { pnl: "3" } }],
  ])("P&L of %s in an unknown shape is refused and never passed on as money: %j", (method, answer) => {
    expect(() => answerInMoney(method, answer, {})).toThrow(expect.objectContaining({ failure: "GARBLED" }));
  });

  it("empty totals and totals of zeros pass", () => {
    for (const totals of [{}, { USD: { realized: "0", unrealized: 0 } }, { unmarked: ["ZN"] }])
      expect(answerInMoney("totals", { totals }, {})).toEqual({ totals });
  });

  it("a text that is not a number stays unchanged", () => {
    const answer = { positions: [position(zn, { realized: "awaiting data", unrealized: "" })] };
    expect(positionsOf(answerInMoney("openPositions", answer, {}))[0]).toMatchObject({
      realized: "awaiting data",
      unrealized: "",
    });
  });

  it("property: any answer to any request is converted or refused as GARBLED", () => {
    const word = fc.constantFrom(
      "positions",
      "position",
      "daily",
      "totals",
      "matches",
      "symbol",
      "realized",
      "quantity",
      "x",
    );
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(null, true, 0, 5, "", "0", "1.5", zn),
        fc.array(tie("any"), { maxLength: 3 }),
        fc.dictionary(word, tie("any"), { maxKeys: 4 }),
      ),
    })).any as fc.Arbitrary<JsonValue>;
    const asked = fc.oneof(value, fc.record({ instruments: value, marks: value }));
    const methods = [
      "calculatePnl",
      "openPositions",
      "tradeHistory",
      "dailyPnl",
      "totals",
      "positionDetail",
    ] as const;
    fc.assert(
      fc.property(fc.constantFrom(...methods), value, asked, (method, answer, request) => {
        const before = JSON.stringify(answer);
        try {
          expect(answerInMoney(method, answer, request as JsonValue)).toBeDefined();
        } catch (failure) {
          expect(failure).toMatchObject({ failure: "GARBLED" });
        }
        // The original answer still has the points.
        expect(JSON.stringify(answer)).toBe(before);
      }),
      { numRuns: 1_000 },
    );
  });
});

it("the documented rules are the rules of the code", () => {
  expect(pointsRules).toHaveLength(5);
  expect(pointsRules[0]).toContain("multiplier");
});
