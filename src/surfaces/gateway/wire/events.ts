import { z } from "zod";
import { comparedField, verdict } from "./comparisons.ts";
import { dashboardFacts, dashboardPosition } from "./dashboard.ts";

/** The comparisons that a client of the event stream receives. */
const comparisonChoice = z.enum(["differing", "all", "none"]);
export type ComparisonChoice = z.infer<typeof comparisonChoice>;

export const eventQuery = z.object({ comparisons: comparisonChoice.default("differing") });

export const eventStream = z
  .string()
  .describe(
    "Server-sent events, each with `seq`, which grows by one from event to event of a stream: first `hello` " +
      "with the state, then each second a `beat`, and `plan`, `freshness`, `comparison`, `positions`, `marks`, " +
      "`owed`, `database`, `files`, `reports`, and failures of the control plane",
  );

const side = z.object({ ms: z.number().nullable(), error: z.string().optional() });
const owed = z.object({ count: z.int(), oldestMs: z.number() });

/** The data of the events that the page reads, without `seq`. */
const eventData = {
  hello: z.object({
    now: z.string(),
    epoch: z.int(),
    phase: z.string(),
    useNewPnlSystem: z.boolean(),
    freshness: z.string().nullable(),
  }),
  beat: z.object({
    now: z.string(),
    epoch: z.int(),
    skipped: z.int().optional().describe("comparisons of this second that were too many to send"),
  }),
  comparison: z.object({
    method: z.string(),
    verdict,
    kind: z.enum(["ab", "aa"]),
    answered: z.enum(["legacy", "modern"]),
    epoch: z.int(),
    fields: z.array(comparedField).readonly(),
    more: z.int().optional(),
    excluded: z.int().optional(),
    legacy: side,
    modern: side,
    at: z.string(),
  }),
  /** Sent for each source and book that a viewer has requested: first all rows, then the changed ones. */
  positions: z.object({
    ...dashboardFacts,
    book: z.string().nullable().describe("null: all books"),
    rows: z.array(z.object(dashboardPosition)).readonly(),
    removed: z.array(z.object({ book: z.string().optional(), symbol: z.string() })).readonly(),
    unavailable: z
      .string()
      .optional()
      .describe("why there are no positions; the rows that were sent before no longer count"),
  }),
  marks: z.object({
    source: z.enum(["legacy", "modern"]),
    marks: z
      .array(z.object({ symbol: z.string(), mark: z.string().nullable(), markAt: z.string().nullable() }))
      .readonly(),
  }),
  owed: z.object({ toLegacy: owed.nullable(), toModern: owed }),
  database: z.object({
    shouldBe: z.string(),
    authority: z.string(),
    step: z.string(),
    mode: z.string(),
    parked: z.int(),
    quarantine: z.int().nullable(),
    reviews: z.int().nullable(),
  }),
};

export type EventData = { readonly [Name in keyof typeof eventData]: z.input<(typeof eventData)[Name]> };
