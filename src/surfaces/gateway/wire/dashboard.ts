import { z } from "zod";
import { comparedField, verdict } from "./comparisons.ts";
import { named } from "./shape.ts";

const side = z.enum(["legacy", "modern"]);
const figure = z.string().nullable().describe("exact decimal text or p/q; null: `unavailable` says why");
const time = z.string().describe("ISO 8601");
const day = z.string().describe("a trading day, YYYY-MM-DD");
const book = z.string().optional();
const money = { realized: figure, unrealized: figure, total: figure };
const byCurrency = z.record(z.string(), z.object(money)).describe("by currency");
const list = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.array(z.object(shape)).readonly().nullable().optional();

export const dashboardQuery = z.object({
  view: z
    .enum(["screen", "summary", "positions", "daily", "trades", "chart"])
    .default("screen")
    .describe("screen: all panels, of one source, one epoch and one as-of"),
  book: z.string().min(1).max(200).optional(),
  date: z
    .string()
    .regex(/^\d{4}-\d\d-\d\d$/, "must be a day, YYYY-MM-DD")
    .optional()
    .describe("limits days and trades to a trading day, and the chart to the days up to it"),
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .describe("the most rows of a list; default 500, of positions 10,000"),
  cursor: z.string().max(100).optional().describe("the cursor of the last answer, for the next rows"),
  beside: z
    .enum(["true", "false"])
    .default("false")
    .describe("true: also what the other system shows, for operators and users on the whitelist"),
});

/** A row of positions, in answers and in events. */
export const dashboardPosition = {
  book,
  symbol: z.string(),
  currency: z.string().nullable(),
  quantity: figure,
  averagePrice: figure,
  mark: z.string().nullable(),
  markAt: time.nullable(),
  ...money,
};

const value = z
  .object({
    summary: z
      .object({
        totals: byCurrency,
        day: z.object({ tradingDay: day, totals: byCurrency }).nullable(),
        openPositions: figure,
      })
      .nullable()
      .optional(),
    positions: list(dashboardPosition),
    daily: list({ tradingDay: day, currency: z.string(), ...money }).describe("newest first"),
    trades: list({
      id: z.string().nullable(),
      time: z.string().nullable().describe("ISO 8601; without an offset it is Chicago time"),
      symbol: z.string(),
      book,
      side: z.string(),
      quantity: figure,
      price: figure,
    }).describe("newest first"),
    chart: list({ tradingDay: day, currency: z.string(), total: figure, cumulative: figure }).describe(
      "oldest first",
    ),
    unavailable: z.record(z.string(), z.string()).describe("why a panel or a figure is null, by its path"),
    cursor: z.string().optional().describe("the cursor at which the list continues"),
  })
  .meta({ id: "DashboardValue" });

/** What a page must say about the figures that it shows, in answers and in events. */
export const dashboardFacts = {
  source: side,
  epoch: z.int(),
  generation: z.int().describe("the generation of the caches"),
  asOf: time.describe("the instant that the figures are of"),
  markAge: z
    .number()
    .nullable()
    .describe("age of the oldest mark of an open position in milliseconds; null if it is not known"),
  answeredAt: time.describe("when the system answered"),
  stale: z.boolean().describe("older than it should be, without some writes, or under a doubtful plan"),
  staleWhy: z.string().optional(),
  fellBack: z
    .enum(["FAILED", "REFUSED", "TIMEOUT", "BREAKER_OPEN", "NO_METHOD"])
    .optional()
    .describe("why legacy answered instead of modern"),
};

export const dashboardAnswer = named("Dashboard", "One view of the desk's P&L, from one system", {
  value,
  ...dashboardFacts,
  dayRule: z.string().describe("the system's rule for trading days"),
  zone: z.string().describe("the desk's time zone"),
  complete: z.boolean().describe("no list was cut, and no panel is missing"),
  truncatedAt: z.int().optional().describe("the number of rows after which a list was cut"),
  allBooks: z.string().optional().describe("why the figures are of all books although a book was named"),
  other: z
    .object({
      source: side,
      value,
      comparison: z
        .object({ verdict, fields: z.array(comparedField).readonly(), more: z.int() })
        .optional()
        .describe("absent if one of the two systems could not answer"),
    })
    .optional()
    .describe("what the other system shows, if `beside` asked for it"),
});
