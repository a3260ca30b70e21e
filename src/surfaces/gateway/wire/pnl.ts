import { z } from "zod";

const decimal = z.string().describe("exact decimal text, or a fraction p/q");
const book = z.string().optional();
const symbol = z.string();
const numberOrText = z.union([z.string(), z.number()]);
const lotMethod = z.enum(["fifo", "lifo", "average"]);

const world = {
  asOf: z
    .string()
    .optional()
    .describe("ISO 8601; later trades and prices are ignored; default: the time of the call"),
  method: lotMethod.optional().describe("how lots are closed; default: fifo"),
  marks: z.record(z.string(), numberOrText).optional().describe("prices by symbol, to value open positions"),
};
const filter = { book, symbol: symbol.optional() };

const trade = z
  .looseObject({
    id: z.string(),
    symbol,
    book,
    side: z.enum(["B", "S"]),
    quantity: decimal,
    price: decimal,
    time: z.string().optional(),
    fee: decimal.optional(),
  })
  .meta({ id: "Trade" });
const tradeInput = z.object({
  id: numberOrText,
  symbol,
  book,
  side: z.enum(["B", "S"]),
  quantity: numberOrText,
  price: numberOrText,
  time: z.string().optional(),
  fee: numberOrText.optional(),
});
const position = z
  .looseObject({
    book,
    symbol,
    quantity: decimal,
    averagePrice: decimal.nullable().describe("null for a flat position"),
    realized: decimal,
    unrealized: decimal.nullable().describe("null for open lots without a mark"),
    fees: decimal.optional(),
    mark: decimal.nullish(),
    markAt: z.string().optional().describe("ISO 8601"),
    currency: z.string().optional(),
    lots: z
      .array(z.looseObject({ tradeId: z.string().nullable(), quantity: decimal, price: decimal }))
      .optional()
      .describe("a short lot has a negative quantity"),
  })
  .meta({ id: "Position" });
const match = z.looseObject({
  book,
  symbol,
  openTradeId: z.string().nullable(),
  closeTradeId: z.string(),
  quantity: decimal,
  openPrice: decimal,
  closePrice: decimal,
  pnl: decimal,
});
const total = z.looseObject({ realized: decimal, unrealized: decimal, total: decimal });
const totals = z
  .record(z.string(), z.union([total, z.array(z.string())]))
  .describe("by currency; the keys unmarked and untranslated list symbols")
  .meta({ id: "Totals" });
const daily = z.looseObject({
  book,
  symbol,
  tradingDay: z.string(),
  realized: decimal,
  unrealized: decimal.nullable(),
  total: decimal,
});

/**
 * Each bridged method: its summary, its request, and its `value`. Foreign systems may add keys to an answer.
 */
export const pnlMethods = {
  calculatePnl: {
    summary: "P&L of the trades in the request only",
    request: z.object({
      ...world,
      trades: z.array(tradeInput),
      instruments: z
        .record(
          z.string(),
          z.object({ multiplier: numberOrText.optional(), currency: z.string().optional() }),
        )
        .optional(),
    }),
    value: z.looseObject({
      positions: z.array(position),
      matches: z.array(match).optional(),
      totals,
      rejected: z.array(z.looseObject({ index: z.int(), code: z.string(), why: z.string() })),
    }),
  },
  openPositions: {
    summary: "All open positions of the system",
    request: z.object({ ...world, ...filter }),
    value: z.looseObject({ positions: z.array(position) }),
  },
  tradeHistory: {
    summary: "Trades, newest first",
    request: z.object({ asOf: world.asOf, ...filter, limit: z.int().optional().describe("default: 500") }),
    value: z.looseObject({ trades: z.array(trade) }),
  },
  dailyPnl: {
    summary: "P&L by trading day and symbol, oldest first",
    request: z.object({
      ...world,
      ...filter,
      from: z.string().optional().describe("the first trading day, YYYY-MM-DD"),
      to: z.string().optional().describe("the last trading day, included"),
    }),
    value: z.looseObject({ daily: z.array(daily) }),
  },
  totals: {
    summary: "P&L totals by currency",
    request: z.object({ ...world, ...filter }),
    value: z.looseObject({ totals }),
  },
  positionDetail: {
    summary: "One position with its open lots",
    request: z.object({ ...world, symbol, book }),
    value: z.looseObject({
      position: position.nullable().describe("null if the system does not know the position"),
    }),
  },
} as const;

/** The answer of a bridged call, which contains the method's `value`. */
export const answerOf = <Value extends z.ZodType>(value: Value) =>
  z.object({
    value,
    source: z.enum(["legacy", "modern"]),
    epoch: z.int().describe("the number of the plan under which the call was answered"),
    stale: z.boolean().describe("legacy answered and lacks some writes"),
    staleMs: z.number().optional().describe("age of the oldest write that legacy lacks"),
    fellBack: z
      .enum(["FAILED", "REFUSED", "TIMEOUT", "BREAKER_OPEN", "NO_METHOD"])
      .optional()
      .describe("why legacy answered a call that modern should have answered"),
  });
