import { z } from "zod";
import { named, rows } from "./shape.ts";

const side = z.enum(["legacy", "modern"]);
export const verdict = z.enum(["equal", "within_tolerance", "diverged", "error", "not_comparable"]);

export const comparisonQuery = z.object({
  method: z.string().max(200).optional(),
  verdict: verdict.optional(),
  unit: z.string().max(200).optional().describe("the book or user that decided the route"),
  cause: z
    .string()
    .max(200)
    .optional()
    .describe(
      "only comparisons that this process has explained by the cause with this code; `unexplained`: those for " +
        "which it has found no cause",
    ),
  before: z.string().max(20).optional().describe("only comparisons that are older than the one with this id"),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});
export const comparisonId = z.object({ id: z.string().min(1).max(200) });

export const comparedField = z.object({
  path: z.string(),
  entry: z.string().nullable().describe("the key of the list entry on the path; null without a list"),
  verdict,
  legacy: z.string().nullable(),
  modern: z.string().nullable(),
  difference: z.string().nullable(),
});

export const comparison = named("Comparison", "One stored comparison of a call", {
  id: z.string(),
  at: z.string().describe("ISO 8601, UTC"),
  method: z.string(),
  epoch: z.int(),
  answered: side,
  kind: z.enum(["ab", "aa"]).describe("aa compares the answering side with itself, to measure noise"),
  verdict,
  unit: z.string().nullable().describe("the book or user that decided the route"),
  fingerprint: z.string().describe("equal requests have equal fingerprints"),
  legacyMs: z.number().nullable(),
  modernMs: z.number().nullable(),
  legacyError: z.string().nullable(),
  modernError: z.string().nullable(),
  fields: z.array(comparedField).readonly().describe("the fields that are not equal, up to a limit"),
  more: z.int().describe("the number of unequal fields beyond that limit"),
  excluded: z.int().describe("the number of values that an exclusion left out"),
  request: z
    .enum(["kept", "too_large", "daily_limit", "not_json"])
    .nullable()
    .describe(
      "whether the request is kept, or why not; null if the comparison needs none " +
        "(it does not diverge, or its rows cannot be explained) or an earlier version stored it",
    ),
  explainable: z.boolean().describe("whether its causes can be looked for"),
  why: z.string().nullable().describe("why it is not explainable; null if it is"),
  causes: z
    .array(z.string())
    .readonly()
    .nullable()
    .describe("the codes of the causes that this process has found; null if it has not looked for them"),
});

const laneKey = { book: z.string().optional(), symbol: z.string() };
const amount = z.string().nullable();
const explanation = {
  id: z.string(),
  component: z.object({ lanes: rows(laneKey), files: z.array(z.string()).readonly() }),
  first: z
    .object({
      kind: z.enum(["position", "daily", "snapshot"]),
      key: z.object({ ...laneKey, tradingDay: z.string().optional() }),
      tradingDay: z.string().optional(),
      field: z.string(),
    })
    .describe("the first row that differs, to which all amounts belong"),
  difference: amount.describe("modern - legacy"),
  causes: rows({
    code: z.string(),
    level: z.enum(["proved", "reduces", "fits"]),
    amount,
    alone: amount,
    last: amount,
    rowsReproduced: z.int(),
    rowsTotal: z.int(),
    side: side.describe("the side that departs from the reference"),
    rule: z.string(),
  }),
  unexplained: amount.describe("the amount without a proved cause, or why the comparison is not explainable"),
  alternatives: z.array(z.array(z.string()).readonly()).readonly(),
  accepted: rows({ id: z.string(), code: z.string(), owner: z.string(), until: z.string() }).optional(),
  witness: z
    .object({
      trades: rows({
        file: z
          .string()
          .describe(
            "a ledger; or `request` for a trade of the request, whose line is then its position in the list of trades",
          ),
        line: z.int(),
        id: z.string(),
        book: z.string().optional(),
        symbol: z.string(),
        side: z.string(),
        quantity: z.string(),
        price: z.string(),
        time: z.string(),
        opening: z.literal(true).optional(),
        refused: z.string().optional(),
      }),
      minimal: z.boolean(),
      runs: z.int(),
    })
    .nullable()
    .describe("the trades that alone, written into new ledgers, show the difference"),
  tried: rows({ code: z.string(), rowsLeft: z.int() }),
  budget: z.object({
    runs: z.int(),
    runsMax: z.int(),
    trades: z.int(),
    tradesMax: z.int(),
    exhausted: z.boolean(),
  }),
} as const;

export const comparisonExplanation = named(
  "ComparisonExplanation",
  "The causes of the differences of one comparison, as docs/explain.md describes them",
  {
    ...explanation,
    comparison: z.string().describe("the id of the comparison"),
    first: explanation.first.nullable(),
    others: rows(explanation).describe("the other groups of instruments whose figures differ"),
  },
);

export const comparisonList = named("ComparisonList", "Comparisons, newest first", {
  comparisons: z.array(comparison).readonly(),
  total: z
    .int()
    .nullable()
    .describe("how many comparisons of this method and verdict were made; null if a unit or cause is named"),
  causes: rows({ code: z.string(), count: z.int() }).describe(
    "the causes that this process has found, and `unexplained`, with the numbers of their comparisons",
  ),
});
