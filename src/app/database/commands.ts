/** The commands `db`: each opens the pair of a configuration for itself. */
import { BridgeError, codeOf } from "../../base/errors.ts";
import type { BackfillReport, CutoverReport } from "../../bridges/database/index.ts";
import { shownValue } from "../../config/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import type { Answer, Fence } from "../../ports/record-store.ts";
import type { JsonValue } from "../../ports/system.ts";
import { type ByOptions, byOf, openOperator, settingsOf } from "../control/session.ts";
import type { ControlSettings } from "../stores.ts";
import { directionOf, type OpenedDatabase, openDatabase, type PairEvent } from "./open.ts";
import { type Pair, pairOf, prepared, withPair } from "./pair.ts";
import { isPrepared } from "./reconcile.ts";
import { type DatabaseStatus, databaseStatus } from "./status.ts";

export interface PairOptions {
  readonly config?: string;
}

/** The plan in force: the control store's, else the file's. */
async function planOfFleet(settings: ControlSettings): Promise<MigrationPlan> {
  if (settings.config.stores.control === null) return settings.config.plan;
  const session = await openOperator(settings);
  try {
    return (await session.operator.overview()).effective.plan;
  } finally {
    await session.close();
  }
}

/** Opens the pair under the plan in force. */
export async function withDatabase<T>(
  options: PairOptions & { readonly creates?: boolean; readonly onEvent?: (event: PairEvent) => void },
  work: (database: OpenedDatabase, plan: MigrationPlan, settings: ControlSettings) => Promise<T>,
): Promise<T> {
  const settings = await settingsOf(options);
  const pair = pairOf(settings);
  const plan = await planOfFleet(settings);
  const { creates = false, onEvent } = options;
  const direction = () => directionOf(plan);
  const database = await openDatabase(pair, { direction, creates, ...(onEvent && { onEvent }) });
  try {
    return await work(database, plan, settings);
  } finally {
    await database.close();
  }
}

export interface InitReport {
  /** Which store is authoritative. */
  readonly authority: Side;
  readonly epoch: number;
  readonly incarnations: Readonly<Record<Side, string>>;
}

/** Prepares both databases. A pair that is prepared stays as it is. */
export async function initDatabases(options: PairOptions): Promise<InitReport> {
  const settings = await settingsOf(options);
  const plan = await planOfFleet(settings);
  const authority = directionOf(plan)?.authority ?? "legacy";
  return withPair(pairOf(settings), { authority, creates: true }, async (pair) => {
    // A person who prepares the pair accepts legacy's tables as they are now.
    await pair.legacy.call("acceptTables", null);
    const [legacy, modern]: Fence[] = await Promise.all([
      pair.legacy.call("fence", null),
      pair.modern.call("fence", null),
    ]);
    if (legacy === undefined || modern === undefined) throw new Error("a store has no fence");
    const { epoch } = legacy;
    const incarnations = { legacy: legacy.incarnation, modern: modern.incarnation };
    return { authority: legacy.authority, epoch, incarnations };
  });
}

/** Which tables `db init` would create in each database; an empty list for a database that is prepared. */
export async function plannedTables(
  options: PairOptions,
): Promise<readonly { readonly side: Side; readonly where: string; readonly tables: readonly string[] }[]> {
  const pair = pairOf(await settingsOf(options));
  const planOf = async (side: Side, tables: readonly string[]) => {
    const where = String(shownValue(["stores", side], pair.addresses[side]));
    const isReady = await isPrepared(pair, side).catch((failure) => {
      // A file of modern's that does not exist yet cannot be opened.
      if (side === "legacy" || codeOf(failure) !== "BAD_DATABASE") throw failure;
      return false;
    });
    return { side, where, tables: isReady ? [] : tables };
  };
  return [await planOf("legacy", ["pnlb_*"]), await planOf("modern", ["newpnl_*", "pnlb_*"])];
}

/** Reads what `db status` shows, without a relay. */
export async function readStatus(options: PairOptions): Promise<DatabaseStatus> {
  const settings = await settingsOf(options);
  const plan = await planOfFleet(settings);
  return withPair(pairOf(settings), prepared, (pair) =>
    databaseStatus(pair, { direction: directionOf(plan), mode: plan.migrationMode }),
  );
}

export const drainDatabases = (
  options: PairOptions & { readonly timeoutMs: number },
): Promise<{ readonly drained: boolean; readonly owed: number; readonly to: Side }> =>
  withDatabase(options, async ({ bridge, pair, cutover }, plan) => {
    const { authority } = await pair.legacy.call("fence", null);
    const drained = await bridge.drain(options);
    // After a rollback without a running process nobody else moves the authority back.
    if (drained.drained && authority === "modern" && directionOf(plan)?.authority === "legacy")
      await cutover("legacy");
    return { ...drained, to: authority === "legacy" ? "modern" : "legacy" };
  });

/**
 * Brings the rows of legacy into modern, or only reads them in a dry run. Goes on where an earlier run ended.
 */
export const backfill = (
  options: PairOptions & { readonly dryRun?: boolean; readonly onEvent: (event: PairEvent) => void },
): Promise<BackfillReport> =>
  withDatabase({ ...options, creates: options.dryRun !== true }, ({ backfill }) =>
    backfill.run({ pass: "backfill", dryRun: options.dryRun === true }),
  );

export interface ReviewOptions extends PairOptions {
  /** The row to settle, by its key, or all rows with a code. Without either, rows are only listed. */
  readonly settle?: string;
  readonly settleCode?: string;
  readonly reason?: string;
  readonly actor?: string;
}

type QuarantineEntry = Answer<"quarantine">[number];

export interface ReviewReport {
  /** The rows that wait for a person, after the settling. */
  readonly waiting: readonly QuarantineEntry[];
  readonly settled: readonly QuarantineEntry[];
}

const reviewPage = 500;

/** Lists the rows that wait for a person, or settles some of them: they are accepted as they are. */
export async function review(options: ReviewOptions): Promise<ReviewReport> {
  const { settle, settleCode, reason, actor, ...rest } = options;
  if ((settle !== undefined || settleCode !== undefined) && reason === undefined)
    throw new BridgeError("BAD_USAGE", { what: "settling a row needs a reason", fix: "add --reason TEXT" });
  const settings = await settingsOf(rest);
  return withPair(pairOf(settings), prepared, async (pair) => {
    const found = await waitingOf(pair);
    const isMeant = ({ key, code }: QuarantineEntry) => key === settle || code === settleCode;
    const settled = found.filter(isMeant);
    if (settle !== undefined && settled.length === 0)
      throw new BridgeError("NO_INPUT", {
        what: `no row with the key ${settle} waits for a decision`,
        fix: "pnl-bridge db review lists the keys",
      });
    for (const { table, key } of settled)
      await pair.modern.call("settleQuarantine", { table, key, as: "accepted", nowMs: Date.now() });
    if (settled.length > 0) {
      const by = { reason: reason ?? "", ...(actor !== undefined && { actor }) };
      await note(settings, by, "review", { accepted: settled.map(({ key, code }) => ({ key, code })) });
    }
    return { waiting: found.filter((entry) => !isMeant(entry)), settled };
  });
}

async function waitingOf(pair: Pair): Promise<readonly QuarantineEntry[]> {
  const found: QuarantineEntry[] = [];
  for (let after: QuarantineEntry | null = null; ; ) {
    const page: readonly QuarantineEntry[] = await pair.modern.call("quarantine", {
      after,
      limit: reviewPage,
    });
    found.push(...page);
    after = page.at(-1) ?? null;
    if (page.length < reviewPage) return found;
  }
}

export interface CutoverCommand extends PairOptions {
  readonly to: Side;
  readonly reason: string;
  readonly actor?: string;
  readonly onRung: (rung: string) => void;
}

/** Moves the authority to the side that the plan names, and records the move in the audit. */
export const cutOver = (options: CutoverCommand): Promise<CutoverReport> =>
  withDatabase(options, async (database, plan, settings) => {
    const wanted = directionOf(plan)?.authority;
    if (wanted !== options.to)
      throw new BridgeError("REFUSED", {
        what: `the plan (${plan.phase}, ${plan.migrationMode}) wants ${wanted} to be authoritative, not ${options.to}`,
        fix:
          options.to === "modern"
            ? "move the phase: pnl-bridge phase advance, or after a rollback phase set primary_switch"
            : "move the phase back: pnl-bridge rollback, or phase retreat",
      });
    const report = await database.cutover(options.to, options.onRung);
    await note(settings, options, "cutover", report as unknown as JsonValue);
    return report;
  });

/** Notes in the audit what a command has done, where there is a control store. */
export async function note(
  settings: ControlSettings,
  by: ByOptions,
  action: string,
  evidence: JsonValue,
): Promise<void> {
  if (settings.config.stores.control === null) return;
  const session = await openOperator(settings);
  try {
    await session.store.note({ ...byOf(by), action, evidence });
  } finally {
    await session.close();
  }
}
