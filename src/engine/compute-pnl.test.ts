import { describe, expect, it } from "vitest";
import { computePnl, type PnlRequest, type TradeInput } from "./compute-pnl.ts";
import type { Describe } from "./trade-intake.ts";

const buy: TradeInput = { id: "1", symbol: "A", side: "B", quantity: "1", price: "100" };
const sell: TradeInput = { id: "2", symbol: "A", side: "S", quantity: "1", price: "101" };
/** A and ALIAS are one instrument, worth 1000 per point. */
const table: Describe = (symbol) =>
  symbol === "A" || symbol === "ALIAS"
    ? { instrument: "ZNU2025", multiplier: "1000", currency: "USD" }
    : undefined;

describe("computePnl with a bad request", () => {
  it.each([
    ["BAD_SIDE", { side: "BUY" }],
    ["BAD_QUANTITY", { quantity: "0" }],
    ["BAD_QUANTITY", { quantity: "-1" }],
    ["BAD_QUANTITY", { quantity: 1 }],
    ["BAD_QUANTITY", { quantity: 5n }],
    ["BAD_PRICE", { price: "12a" }],
    ["BAD_TIME", { time: "yesterday" }],
    ["BAD_TIME", { time: "2025-02-30T00:00:00Z" }],
    ["BAD_FEE", { fee: "free" }],
    ["BAD_SYMBOL", { symbol: "" }],
    ["BAD_ID", { id: 7 }],
    ["BAD_BOOK", { book: "" }],
    ["BAD_BOOK", { book: 5 }],
    ["BAD_TIME", { time: "2025-03-09 02:30" }],
    ["UNKNOWN_KEY", { timestamp: "2025-07-24T09:30:00Z" }],
  ])("refuses only the bad trade, with %s for %o, and computes the rest", (code, wrong) => {
    const { rejected, positions } = computePnl({ trades: [buy, { ...sell, ...wrong } as TradeInput, sell] });
    expect(rejected).toEqual([{ index: 1, code, why: expect.any(String) }]);
    expect(positions[0]).toMatchObject({ quantity: "0", realized: "1", averagePrice: null, unrealized: "0" });
  });

  it("reads a time that occurs twice as the first, with a note, unless an offset says which is meant", () => {
    const time = "2025-11-02 01:30:00";
    const { notes, positions } = computePnl({
      trades: [buy, { ...buy, time }, { ...buy, time: `${time}-06:00` }],
      asOf: time,
    });
    expect(notes).toEqual([
      { index: 1, code: "AMBIGUOUS_TIME", why: expect.stringContaining("an offset says which") },
      { index: null, code: "AMBIGUOUS_TIME", why: expect.stringContaining("asOf") },
    ]);
    expect(positions).toMatchObject([{ quantity: "2" }]);
  });

  it.each<[unknown, string]>([
    [undefined, "the request must be an object, not nothing"],
    [{}, "trades must be a list, not nothing"],
    [{ trades: {} }, "trades must be a list, not {}"],
    [{ trades: [], mehtod: "fifo" }, 'the request has no key "mehtod"; did you mean "method"?'],
    [{ trades: [], marks: [] }, "marks must be an object by symbol, not []"],
  ])("throws for a request of another shape: %o", (request, why) => {
    expect(() => computePnl(request as PnlRequest)).toThrow(new TypeError(why));
  });

  it("throws for a bad value that would affect every number", () => {
    const refused = (more: object) => () => computePnl({ trades: [buy], ...more } as PnlRequest, table);
    expect(refused({ method: "hifo" })).toThrow("fifo, lifo, average");
    expect(refused({ asOf: "noon" })).toThrow("asOf");
    expect(refused({ marks: { A: "a lot" } })).toThrow("the mark of A");
    expect(refused({ marks: { A: "1", ALIAS: "2" } })).toThrow(
      "A and ALIAS are one instrument and have two marks, 1 and 2",
    );
    for (const multiplier of ["0", "-1", "ten"])
      expect(refused({ instruments: { A: { multiplier } } })).toThrow("the multiplier of A");
    for (const currency of ["__proto__", "unmarked", "usd", ""])
      expect(refused({ instruments: { A: { currency } } })).toThrow("the currency of A");
  });
});

describe("computePnl", () => {
  it("accepts equal marks of one instrument, and prints multipliers as plain decimals", () => {
    const { positions } = computePnl(
      { trades: [buy], instruments: { A: { multiplier: "+1e3" } }, marks: { A: "101", ALIAS: "101.0" } },
      table,
    );
    expect(positions[0]).toMatchObject({ multiplier: "1000", unrealized: "1000", instrument: "ZNU2025" });
  });

  it("matches symbols of one instrument together, unless the request gives one of them other facts", () => {
    const alias = { ...sell, symbol: "ALIAS" };
    expect(computePnl({ trades: [buy, alias] }, table).positions).toMatchObject([
      { symbol: "A", quantity: "0", realized: "1000" },
    ]);
    const apart = computePnl(
      {
        trades: [buy, alias],
        instruments: { ALIAS: { multiplier: "5" } },
        marks: { A: "102", ALIAS: "102" },
      },
      table,
    );
    expect(apart.positions).toMatchObject([
      { symbol: "A", quantity: "1", multiplier: "1000", unrealized: "2000" },
      { symbol: "ALIAS", quantity: "-1", multiplier: "5", instrument: null, unrealized: "-5" },
    ]);
  });

  it("never matches across books, nor a trade in a book with a trade without one", () => {
    const { positions } = computePnl({ trades: [buy, { ...sell, book: "UST" }, { ...sell, book: "RV" }] });
    expect(positions.map(({ book, quantity }) => [book, quantity])).toEqual([
      [undefined, "1"],
      ["RV", "-1"],
      ["UST", "-1"],
    ]);
  });

  it("reports when a lot was opened only if its trade came with a time", () => {
    const { positions } = computePnl({
      trades: [buy, { ...buy, id: "3", time: "2025-07-24T09:30:00.5-05:00" }],
    });
    expect(positions[0]?.lots).toEqual([
      { tradeId: "1", quantity: "1", price: "100" },
      { tradeId: "3", quantity: "1", price: "100", openedAt: "2025-07-24T09:30:00.500-05:00" },
    ]);
  });

  it("treats symbols named like object members as any other symbol", () => {
    const names = ["__proto__", "constructor", "toString"];
    const { positions } = computePnl({
      trades: names.map((symbol) => ({ ...buy, symbol })),
      marks: Object.fromEntries(names.map((name) => [name, "101"])),
    });
    expect(positions.map(({ symbol, unrealized }) => [symbol, unrealized])).toEqual(
      names.sort().map((name) => [name, "1"]),
    );
  });

  it("rounds an average only where it must, reports it as rounded, and keeps the total exact", () => {
    const trades: TradeInput[] = [];
    for (let id = 0; id < 400; id++) {
      const [quantity, price] = [`${3 + ((id * 7) % 11)}`, `${100 + ((id * 13) % 17) / 16}`];
      trades.push(
        { ...buy, id: `${id}`, quantity, price },
        { ...sell, id: `s${id}`, quantity: "2", price: "101" },
      );
    }
    const marks = { A: "101.5" };
    const [average] = computePnl({ method: "average", trades, marks }).positions;
    const [fifo] = computePnl({ method: "fifo", trades, marks }).positions;
    expect(average?.rounded).toBe(true);
    expect(average?.averagePrice).toMatch(/^\d+\.\d{1,18}$/);
    const total = (position: typeof fifo) => Number(position?.realized) + Number(position?.unrealized);
    expect(total(average)).toBeCloseTo(total(fifo), 9);
  });
});
