import { z } from "zod";
import { named, reason, rows } from "./shape.ts";

const side = z.enum(["legacy", "modern"]);

export const fileToOffer = z.object({
  path: z.string().describe("inside a watched folder; a relative path starts in the configuration's folder"),
});

const watchedFile = {
  path: z.string().describe("relative to the watched folder"),
  root: z.string().describe("the watched folder"),
  state: z.enum(["applied", "growing", "waiting", "empty", "refused", "republished", "gone"]),
  rowsApplied: z.int(),
  rowsElsewhere: z.int().describe("rows that count for another file, which has them too"),
  rowsRefused: z.int(),
  waiting: z.object({ why: z.string(), sinceMs: z.number() }).optional(),
  refused: z
    .object({ code: z.string(), why: z.string(), fix: z.string(), since: z.string() })
    .optional()
    .describe("why the whole file is refused"),
  revocable: z
    .object({ line: z.int() })
    .optional()
    .describe("the last row, which no newline ends: later bytes change it"),
};
export const fileOffered = named("WatchedFile", "A watched file", watchedFile);

const sink = z.object({
  rows: z.int().describe("the trades that count and that the store has"),
  oldestUnappliedMs: z.number(),
  state: z.enum(["ok", "behind", "failing", "calculates", "off"]),
  why: z.string().optional(),
});
const reviewShape = {
  id: z.int(),
  kind: z.enum(["republished", "similar_row", "root", "legacy_rows"]),
  path: z.string(),
  root: z.string(),
  added: z.int(),
  removed: z.int(),
  changed: z.int(),
  since: z.string().describe("ISO 8601"),
  decision: z.enum(["apply", "ignore"]).optional().describe("a decision that is not carried out yet"),
};

export const filesStatus = named(
  "FilesStatus",
  "The watched folders and files, as `watch status` shows them",
  {
    roots: rows({
      path: z.string(),
      mode: z.string(),
      ok: z.boolean(),
      since: z.string().describe("ISO 8601: when the present state began"),
      error: z.object({ code: z.string(), since: z.string(), why: z.string() }).optional(),
    }),
    sinks: z.object({ legacy: sink, modern: sink }),
    files: rows(watchedFile),
    reviews: rows(reviewShape),
  },
);

export const reviewParams = z.object({ id: z.coerce.number().int().min(1).max(999_999_999) });
export const fileReview = named("FileReview", "A change of a file or folder that a person decides", {
  ...reviewShape,
  rows: rows({
    what: z.enum(["added", "removed", "changed", "similar"]),
    line: z.int(),
    text: z.string(),
  }).describe("at most a hundred"),
});
export const reviewDecision = z.strictObject({ decision: z.enum(["apply", "ignore"]), reason });
export const reviewDecided = named("FileReviewDecided", "The result of a decision", {
  id: z.int(),
  outcome: z.enum(["done", "waits"]).describe("waits: the process that watches carries it out later"),
});

// --- the rows of both databases that wait for a person

const owed = z.object({ count: z.int(), oldestMs: z.number() });
export const databaseStatus = named("DatabaseStatus", "The pair of databases, as `db status` shows it", {
  shouldBe: side.describe("the authority that the plan names"),
  authority: side,
  step: z.string().describe("the step of the move that is under way; empty if there is none"),
  epoch: z.int(),
  mode: z.string(),
  owed: z.object({ toLegacy: owed.nullable(), toModern: owed }),
  modernAway: z.string().nullable().describe("why modern's database does not answer"),
  olderCopy: z
    .object({ side, why: z.string() })
    .nullable()
    .describe("the database that was restored from an older copy of itself"),
  parked: rows({
    aggregate: z.string(),
    code: z.string(),
    why: z.string(),
    sinceMs: z.number(),
    groups: z.int(),
  }).describe("writes that the other store refuses"),
  lastReconcile: z
    .object({ at: z.string(), ok: z.boolean(), breaks: z.int(), notComparable: z.int() })
    .nullable(),
  quarantine: z.int().nullable(),
  reviews: z.int().nullable(),
  unstorable: z.int(),
  foreignRows: z.object({ imported: z.int(), inReview: z.int() }).nullable(),
  backfill: z.object({ done: z.int(), total: z.int(), running: z.boolean() }).nullable(),
  canGoBack: z.object({ now: z.boolean(), why: z.string() }),
});

export const quarantine = named("Quarantine", "Everything that was refused, or that waits for a person", {
  files: rows({
    root: z.string(),
    path: z.string(),
    line: z.int(),
    code: z.string(),
    why: z.string(),
    text: z.string().describe("the row, cut to 200 characters"),
  }),
  databases: rows({
    kind: z.enum(["row", "review"]),
    table: z.string(),
    key: z.string(),
    code: z.string(),
    because: z.string(),
    legacy: z.string().nullable().describe("the row of legacy, as JSON"),
    modern: z.string().nullable().describe("the row that it is compared with, as JSON"),
    atMs: z.number(),
  }),
});
export const rowToSettle = z.strictObject({ table: z.string(), key: z.string(), reason });
export const rowSettled = named("RowSettled", "The row no longer waits for a decision", {
  settled: z.boolean(),
});
