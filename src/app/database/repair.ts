/** The work of the commands `db reconcile --plan` and `db repair`. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError, messageOf } from "../../base/errors.ts";
import {
  authorityMoved,
  executeRepair,
  planRepair,
  type RepairPlan,
  type RepairReport,
  type RepairResult,
  repairVerbs,
} from "../../bridges/database/index.ts";
import { type ReconcileBreak, reconcileKinds } from "../../ports/reconcile.ts";
import { note, type PairOptions, withDatabase } from "./command-session.ts";
import { databaseTools } from "./open.ts";
import { type PairSettings, prepared, withPair } from "./pair.ts";

/**
 * Reads the differing rows in both databases, and plans the changes that would make them equal. Changes
 * nothing.
 */
export async function repairPlan(pair: PairSettings, breaks: readonly ReconcileBreak[]): Promise<RepairPlan> {
  const tools = { ...databaseTools, book: pair.database.legacyBook };
  return withPair(pair, prepared, (stores) =>
    planRepair({ stores, tools, breaks, nowMs: systemClock.nowMs() }),
  );
}

export interface RepairCommand extends PairOptions {
  readonly plan: string;
  readonly dryRun?: boolean;
  readonly actor?: string;
  readonly onResult: (result: RepairResult) => void;
}

const drainMs = 10_000;

/**
 * Executes a plan, notes the result in the audit, and lets the relay carry the writes that are still owed.
 * Throws NO_INPUT, BAD_USAGE, and REFUSED if the authority has moved since the plan was made.
 */
export async function repairDatabases(
  command: RepairCommand,
): Promise<RepairReport & { readonly owed: number }> {
  const plan = await readPlan(command.plan);
  const { dryRun = false, onResult } = command;
  return withDatabase(command, async ({ pair, backfill, bridge }, _plan, settings) => {
    for (const side of ["legacy", "modern"] as const) {
      const { epoch, authority, step } = await pair[side].call("fence", null);
      const seen = plan.fences[side];
      const isSame = epoch === seen.epoch && authority === seen.authority && step === seen.step;
      // A step in the epoch in force is a move under way. In an older epoch, it is a remnant in the copy.
      if (!isSame || (step !== "" && epoch === plan.epoch))
        throw new BridgeError("REFUSED", { ...authorityMoved, where: command.plan });
    }
    const report = await executeRepair({
      stores: pair,
      backfill,
      plan,
      dryRun,
      incarnation: randomUUID(),
      onResult,
    });
    if (dryRun) return { ...report, owed: 0 };
    const counts = Object.groupBy(report.results, ({ result }) => result);
    const evidence = {
      plan: command.plan,
      covered: report.covered,
      counts: Object.fromEntries(Object.entries(counts).map(([name, some]) => [name, some.length])),
      rows: report.results
        .slice(0, notedMax)
        .map(({ kind, key, ...rest }) => ({ kind, key: { ...key }, ...rest })),
    };
    const by = { reason: `the repair plan of ${plan.at}`, ...command };
    await note(settings, by, "repair", evidence);
    const { owed } = await bridge.drain({ timeoutMs: drainMs });
    return { ...report, owed };
  });
}

const notedMax = 100;

const name = z.string().regex(/^\w+$/);
const value = z.union([z.string(), z.number(), z.null()]);
const columns = z.record(name, value);
const version = z.number().int().min(0).nullable();
const state = z.strictObject({
  version,
  claim: z.string().nullable(),
  written: columns.nullable(),
  rows: z.array(z.record(z.string(), value)),
});
const change = z.strictObject({
  table: name,
  key: columns,
  set: columns.nullable(),
  initial: columns,
});
const repair = z.strictObject({ aggregate: z.string(), change, claim: z.string().nullable(), version });
const pairOfRepairs = z.strictObject({ legacy: repair, modern: repair });
const action = z
  .strictObject({
    do: z.enum(repairVerbs),
    mayDo: z.array(z.enum(repairVerbs)),
    why: z.string(),
    leavesAlone: z.string(),
    kind: z.enum(reconcileKinds),
    key: z.record(z.string(), z.string()),
    causes: z.array(z.string()),
    aggregate: z.string(),
    claim: z.string(),
    seen: z.strictObject({ legacy: state, modern: state }),
    wants: z.strictObject({
      take_legacy: pairOfRepairs.optional(),
      take_modern: pairOfRepairs.optional(),
    }),
  })
  .refine((one) => one.mayDo.includes(one.do), { error: "do must be one of mayDo", path: ["do"] });
const side = z.enum(["legacy", "modern"]);
const fence = z.strictObject({ epoch: z.number().int(), authority: side, step: z.string() });
const planShape = z.strictObject({
  format: z.literal("pnl-bridge repair plan 1"),
  howToRead: z.array(z.string()),
  at: z.string(),
  authority: side,
  epoch: z.number().int(),
  fences: z.strictObject({ legacy: fence, modern: fence }),
  restored: side.nullable(),
  incarnation: z.string(),
  place: z.number().int(),
  complete: z.boolean(),
  actions: z.array(action),
});

async function readPlan(path: string): Promise<RepairPlan> {
  const fix = "make one: pnl-bridge db reconcile --plan FILE";
  const text = await readFile(path, "utf8").catch((cause) => {
    throw new BridgeError("NO_INPUT", { what: "the plan cannot be read", where: path, fix, cause });
  });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (failure) {
    throw new BridgeError("BAD_USAGE", {
      what: `the plan is not JSON: ${messageOf(failure)}`,
      where: path,
      fix,
    });
  }
  const parsed = planShape.safeParse(document);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new BridgeError("BAD_USAGE", {
    what: `the file is not a repair plan: ${issue?.path.join(".")}: ${issue?.message}`,
    where: path,
    fix,
  });
}
