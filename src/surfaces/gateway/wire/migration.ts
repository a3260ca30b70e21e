import { z } from "zod";
import { phases } from "../../../domain/migration/phase.ts";
import { migrationModes } from "../../../domain/migration/plan.ts";
import { named, reason, rows, textMax } from "./shape.ts";

const phase = z.enum(phases);
const percentage = z
  .number()
  .min(0)
  .max(100)
  .refine((given) => /^\d+(\.\d{1,3})?$/.test(String(given)), "a percentage has at most three decimals")
  .describe("0 to 100, at most three decimals");

// --- requests
// -----------------------------------------------------------------------------------------------

const epoch = z.int().optional().describe("the expected epoch; another one is a conflict");

export const rollbackHeaders = z.object({
  "idempotency-key": z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe("a repeated request with the same key has no further effect"),
});
export const rollbackBody = z.strictObject({ reason, waitMs: z.number().min(0).max(600_000).optional() });
const move = {
  reason,
  dryRun: z.boolean().optional(),
  from: phase.optional().describe("the expected phase; another one is a conflict"),
  epoch,
};
export const phaseBody = z.discriminatedUnion("move", [
  z.strictObject({ move: z.enum(["advance", "retreat"]), ...move }),
  z.strictObject({ move: z.literal("set"), phase, ...move }),
]);
export const trafficBody = z.union([
  z.strictObject({ percentage, reason, epoch }),
  z.strictObject({
    steps: z.array(percentage).min(1).max(100),
    dwellMs: z.number().int().min(1_000),
    endsIn: z.enum(["stay", "rollback"]).optional(),
    reason,
    epoch,
  }),
]);
export const userListBody = z.strictObject({ reason, epoch });
export const signOffBody = z.strictObject({
  note: z.string().trim().min(1, "a note is missing: the audit keeps it").max(textMax),
  phase: phase.optional(),
  epoch,
});
export const userParams = z.object({ user: z.string().min(1).max(200) });
export const gateParams = z.object({ gate: z.string().min(1).max(200) });
/** A phase, or `ramp` for a rise of modern's traffic, or `window` for the end of the window to legacy. */
const guarded = z.enum([...phases, "ramp", "window"]);
export const gatesQuery = z.object({ target: guarded.optional() });
export const auditQuery = z.object({
  after: z.coerce.number().int().min(0).default(0).describe("the number of the last row that the caller has"),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

// --- answers
// ------------------------------------------------------------------------------------------------

const names = z.array(z.string()).readonly();
const ms = z.number().describe("milliseconds");
const ramp = z
  .object({
    steps: z.array(z.number()).readonly().describe("the remaining percentages, the next one first"),
    dwellMs: ms,
    nextAt: z.string().describe("ISO 8601: when the next step is due"),
    endsIn: z.enum(["stay", "rollback"]),
    actor: z.string(),
    reason: z.string(),
  })
  .meta({ id: "Ramp" });
const published = z.object({ text: z.string(), hash: z.string(), phase });
const overrides = {
  useNewPnlSystem: z.boolean().nullable(),
  migrationMode: z.enum(migrationModes).nullable(),
  phase: phase.nullable(),
  newSystemPercentage: z.number().nullable(),
  userWhitelist: names.nullable(),
  userDenylist: names.nullable(),
};
const planSource = z.enum(["default", "published", "store", "latch", "switch_file", "held"]);
const planFrom = z
  .object({
    phase: planSource,
    migrationMode: planSource,
    useNewPnlSystem: planSource,
    flags: planSource,
    newSystemPercentage: planSource,
    userWhitelist: planSource,
    userDenylist: planSource,
  })
  .describe("where each value of the plan comes from");
const rollbackPossible = { possible: z.boolean(), why: z.string() };

export const gateReport = named("GateReport", "The gates before a phase", {
  target: phase,
  open: z.boolean(),
  profile: z.enum(["desk", "trial"]).describe("trial judges only the gates that need no evidence"),
  key: z.string().nullable().describe("the key of the evidence; null in the profile trial"),
  attempt: z
    .int()
    .nullable()
    .describe("the number of this attempt: each change of the key begins another one"),
  looks: z.int().nullable().describe("how often the gates were judged under this key"),
  unseen: names
    .optional()
    .describe("sentences that name the parts of the systems' builds that the key lacks"),
  gates: rows({
    name: z.string(),
    title: z.string(),
    open: z.boolean().describe("whether the gate lets the move pass, also because two people waive it"),
    state: z.enum(["open", "closed", "inconclusive"]),
    why: z
      .string()
      .describe("the numbers, then the limit, then the cheapest step that helps to open the gate"),
    evidence: z.unknown().optional().describe("the evidence behind the gate's verdict, as JSON"),
    needs: z
      .object({
        clean: z.number().optional().describe("further trials without an event"),
        withOneBreak: z.number().optional().describe("further trials if one of them is an event"),
        days: z.number().nullable().optional().describe("trading days until then, at the present pace"),
        missing: names.optional().describe("the product classes or kinds of days that the evidence lacks"),
      })
      .optional()
      .describe("what is missing until the gate can open"),
  }),
});
/** The answer to a question for gates, which may ask for more moves than a phase. */
export const gatesAsked = named("GatesAsked", "The gates before a move", {
  ...gateReport.shape,
  target: guarded.describe("ramp: a rise of modern's traffic; window: the end of the window to legacy"),
});

const affected = z.object({
  distinct: z.int().describe("the number of different users or books"),
  days: z.int().describe("the sum of their numbers on each trading day"),
});
const bySide = z.object({ legacy: z.number().nullable(), modern: z.number().nullable() });
const metrics = named("MigrationMetrics", "The five metrics of the migration, from its evidence", {
  calculationTime: rows({
    method: z.string(),
    pairs: z.int(),
    slower: z.int().describe("pairs in which modern took more than 1.1 times as long"),
    p50Ms: bySide,
    p99Ms: bySide.describe("null for a time-out"),
  }),
  memory: z
    .object({
      at: z.string(),
      pairs: z.int(),
      ratio: z.number().describe("modern's peak over legacy's"),
      bytes: z.object({ legacy: z.number(), modern: z.number() }).nullable(),
    })
    .nullable(),
  accuracy: rows({
    source: z.enum(["replay", "live", "served"]),
    trials: z.int(),
    events: z.int(),
    upper: z.number().describe("upper bound of the rate of events"),
  }),
  errors: z.object({ minutes: z.int(), failed: z.int() }),
  impact: z
    .object({
      seen: affected,
      wrong: affected,
      wrongBooks: affected,
      wrongMinutes: z.int(),
      largest: z.number(),
      money: z.number(),
      fellBack: z.record(z.string(), affected).readonly(),
      stale: affected,
      staleMs: z.number(),
      unmarked: affected,
      unobserved: z.number().nullable(),
    })
    .describe("what users saw; never counted by calls"),
});

export const status = named("MigrationStatus", "The state of the fleet", {
  store: z.string().describe("the control store, without a password"),
  phase,
  epoch: z.int(),
  plan: z.object({
    useNewPnlSystem: z.boolean(),
    migrationMode: z.string(),
    flags: z.record(z.string(), z.boolean()).readonly(),
    newSystemPercentage: z.number(),
    userWhitelist: names,
    userDenylist: names,
    legacyWindow: z.string(),
  }),
  from: planFrom,
  held: rows({ value: planFrom.keyof(), asked: z.string(), why: z.string() }).describe(
    "requested values that are not obeyed",
  ),
  answers: z.string().describe("who answers calls, and why"),
  outOfUse: z.string().nullable().describe("why modern answers no call, whatever the phase"),
  switchFile: z.string().nullable().describe("the path of this machine's switch file; null if it is not set"),
  rollback: z.object(rollbackPossible),
  ramp: ramp.nullable(),
  cacheGeneration: z.int(),
  updatedAt: z.string(),
  updatedBy: z.string(),
  published: z.string().nullable().describe("the hash of the published section"),
  unreadable: z.string().nullable().describe("why this process cannot read the published section"),
  gates: gateReport.nullable(),
  metrics: metrics.nullable(),
  lastReport: z
    .object({
      date: z.string(),
      state: z.enum(["accepted", "not accepted", "not compared"]),
      because: z.string(),
      counts: z.record(z.string(), z.int()).readonly().optional().describe("differences by class"),
      failedTotals: z
        .array(z.string())
        .readonly()
        .optional()
        .describe(
          "sentences about totals that are not equal and drifts that are too large; absent if there are none",
        ),
    })
    .nullable()
    .describe("the two daily reports of the last compared trading day"),
  instances: rows({
    name: z.string(),
    seenEpoch: z.int(),
    drainedEpoch: z.int(),
    ageMs: ms,
    report: z.unknown().describe("what the process reports of itself, as JSON"),
    state: z.enum(["live", "behind", "gone"]),
  }),
  auditHead: z.object({ seq: z.int(), hash: z.string() }).nullable(),
});

export const moveResult = named("MoveResult", "A move of the phase", {
  from: phase,
  target: phase,
  moved: z.boolean().describe("false in a dry run"),
  gates: gateReport.optional().describe("absent for a backward move"),
  set: z
    .object({
      ...overrides,
      published,
      grantedPhase: phase,
      latched: z.string().nullable(),
      ramp: ramp.nullable(),
      legacyWindow: z.enum(["open", "closed"]),
      voidCache: z.literal(true),
    })
    .partial()
    .describe("the columns of the control record that change, or would change"),
  epoch: z.int(),
});

const switchRollback = z.object({
  via: z.literal("switch_file"),
  path: z
    .string()
    .describe("the switch file; legacy answers in every process that keeps its state in the same folder"),
  why: z.string().describe("why the control store cannot be written"),
});
const storeRollback = z
  .object({
    via: z.literal("store"),
    epoch: z.int(),
    committedMs: ms.describe("milliseconds until the change was on disk"),
    acknowledgedMs: ms
      .nullable()
      .describe("milliseconds until every live process obeyed; null if one did not in time"),
    acknowledged: names,
    gone: names.describe("processes silent for longer than their lease"),
    waiting: names.describe("live processes that had not acknowledged in time"),
    owedToLegacy: z.int().nullable().describe("writes that legacy lacks; null if unknown"),
    ...rollbackPossible,
  })
  .describe("A rollback in the control store");
export const rollbackResult = z
  .discriminatedUnion("via", [storeRollback, switchRollback])
  .describe("A rollback to legacy")
  .meta({ id: "RollbackResult" });

export const trafficResult = named("TrafficResult", "The traffic as it was set", {
  epoch: z.int(),
  newSystemPercentage: z.number().nullable(),
  ramp: ramp.nullable(),
  answers: z.string().describe("who answers calls, and why"),
});
export const userListResult = named("UserListResult", "Whether the list of users changed", {
  changed: z.boolean(),
  epoch: z.int().optional(),
});
export const signOffResult = named("SignOffResult", "A sign-off", {
  gate: z.string(),
  phase,
  actor: z.string(),
});
export const auditPage = named("AuditPage", "Rows of the audit, oldest first", {
  rows: rows({
    seq: z.int(),
    at: z.string().describe("ISO 8601, the store's time"),
    actor: z.string(),
    action: z.string(),
    reason: z.string(),
    epoch: z.int(),
    before: z.string().nullable().describe("the record's columns before, as JSON text"),
    after: z.string().nullable().describe("the record's columns after, as JSON text"),
    evidence: z.string().nullable().describe("JSON text"),
  }),
});
export const auditVerification = named("AuditVerification", "The result of a check of the audit", {
  ok: z.boolean(),
  rows: z.int(),
  head: z.object({ seq: z.int(), hash: z.string() }),
  notSealedYet: z.array(z.int()).readonly().describe("rows that no process has sealed yet; no fault"),
  faults: rows({ fault: z.string(), seq: z.int(), why: z.string() }),
});
