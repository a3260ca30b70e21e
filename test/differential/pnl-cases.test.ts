import { describe, expect, it } from "vitest";
import {
  computePnl,
  formatPrice,
  type Method,
  type PriceNotation,
  parsePrice,
} from "../../src/app/engine.ts";
import { hasSharedData, readShared } from "../shared-data.ts";

interface Case {
  readonly id: string;
  readonly method: string;
  readonly multiplier: string;
  readonly mark?: string;
  readonly trades: readonly { readonly side: "B" | "S"; readonly qty: string; readonly price: string }[];
  readonly expected: {
    readonly realizedGross: string;
    readonly openQty: string;
    readonly openLots: readonly { readonly qty: string; readonly price: string }[];
    readonly matches: readonly {
      closingTrade: number;
      openingTrade: number | null;
      qty: string;
      openPrice: string;
      closePrice: string;
      pnl: string;
    }[];
    readonly avgOpenPrice?: string;
    readonly unrealized?: string;
  };
}
interface NotationCase {
  readonly src: string;
  readonly decimal: string;
  readonly fmt?: string;
  readonly nddp?: 2 | 3;
  readonly quote?: string;
  readonly unit?: string;
}
interface Cases {
  readonly cases: readonly Case[];
  readonly priceNotationCases: readonly NotationCase[];
}

const handWritten: Cases = {
  cases: [
    {
      id: "hand-written: two lots, the newest closed first",
      method: "LIFO",
      multiplier: "2000",
      trades: [
        { side: "B", qty: "2", price: "103" },
        { side: "B", qty: "1.5", price: "103.00390625" },
        { side: "S", qty: "2.5", price: "103.0078125" },
      ],
      expected: {
        realizedGross: "27.34375",
        openQty: "1",
        openLots: [{ qty: "1", price: "103" }],
        matches: [
          {
            closingTrade: 2,
            openingTrade: 1,
            qty: "1.5",
            openPrice: "103.00390625",
            closePrice: "103.0078125",
            pnl: "11.71875",
          },
          {
            closingTrade: 2,
            openingTrade: 0,
            qty: "1",
            openPrice: "103",
            closePrice: "103.0078125",
            pnl: "15.625",
          },
        ],
      },
    },
    {
      id: "hand-written: an average price with no finite decimal",
      method: "AVERAGE",
      multiplier: "1",
      mark: "2",
      trades: [
        { side: "S", qty: "1", price: "1" },
        { side: "S", qty: "2", price: "2" },
        { side: "B", qty: "1", price: "1" },
      ],
      expected: {
        realizedGross: "2/3",
        openQty: "-2",
        openLots: [{ qty: "-2", price: "5/3" }],
        matches: [
          { closingTrade: 2, openingTrade: null, qty: "1", openPrice: "5/3", closePrice: "1", pnl: "2/3" },
        ],
        avgOpenPrice: "5/3",
        unrealized: "-2/3",
      },
    },
  ],
  priceNotationCases: [],
};
const published = hasSharedData
  ? readShared<Cases>("expected/pnl-cases.json")
  : { cases: [], priceNotationCases: [] };

describe("the engine computes each published P&L case exactly (without ../shared/data: only hand-written cases)", () => {
  it.each([...handWritten.cases, ...published.cases].map((one) => [one.id, one] as const))(
    "%s",
    (_, { method, multiplier, mark, trades, expected }) => {
      const result = computePnl({
        method: method.toLowerCase() as Method,
        trades: trades.map(({ side, qty, price }, index) => ({
          id: String(index),
          symbol: "A",
          side,
          quantity: qty,
          price,
        })),
        instruments: { A: { multiplier } },
        ...(mark === undefined ? {} : { marks: { A: mark } }),
      });
      expect(result.rejected).toEqual([]);
      const [position] = result.positions;
      expect(position?.realized).toBe(expected.realizedGross);
      expect(position?.quantity).toBe(expected.openQty);
      expect(position?.lots.map(({ quantity, price }) => ({ qty: quantity, price }))).toEqual(
        expected.openLots,
      );
      if (expected.avgOpenPrice !== undefined) expect(position?.averagePrice).toBe(expected.avgOpenPrice);
      if (expected.unrealized !== undefined) expect(position?.unrealized).toBe(expected.unrealized);
      expect(
        result.matches.map(({ closeTradeId, openTradeId, quantity, openPrice, closePrice, pnl }) => ({
          closingTrade: Number(closeTradeId),
          openingTrade: openTradeId === null ? null : Number(openTradeId),
          qty: quantity,
          openPrice,
          closePrice,
          pnl,
        })),
      ).toEqual(expected.matches);
    },
  );
});

describe.skipIf(!hasSharedData)(
  "each published price is read and written exactly (skipped without ../shared/data)",
  () => {
    it.each(published.priceNotationCases.map((one) => [one.fmt ?? one.quote, one] as const))(
      "%s",
      (_, { src, decimal, fmt, nddp, quote, unit }) => {
        const notation = notationOf(src, nddp, unit);
        expect(parsePrice(fmt ?? quote ?? "", notation)).toBe(decimal);
        if (fmt !== undefined) expect(formatPrice(decimal, notation)).toBe(fmt);
      },
    );
  },
);

/** The notation of a published case, from its source. */
function notationOf(source: string, nddp: 2 | 3 | undefined, unit: string | undefined): PriceNotation {
  if (unit === "64") return "options-64ths";
  if (nddp === 2) return "futures-32nds-whole";
  return source.includes("cash") ? "cash-32nds" : "futures-32nds";
}

describe("a missing notation", () => {
  it("is refused with the list of known notations", () => {
    expect(() => parsePrice("110.165", "ticks" as PriceNotation)).toThrow("futures-32nds");
    expect(() => formatPrice("110.5", undefined as unknown as PriceNotation)).toThrow(
      "price notation must be one of",
    );
  });
});
