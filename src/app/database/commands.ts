/** The work of the short commands of `db`. */
import { BridgeError } from "../../base/errors.ts";
import type { BackfillReport, CutoverReport, Drained } from "../../bridges/database/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { JsonValue } from "../../ports/system.ts";
import { settingsOf } from "../control/session.ts";
import { note, type PairOptions, planOfFleet, withDatabase } from "./command-session.ts";
import { directionOf, type PairEvent } from "./open.ts";
import { looking, pairOf, withPair } from "./pair.ts";
import { type DatabaseStatus, databaseStatus } from "./status.ts";

/** Reads the status for `db status`, without starting a relay. */
export async function readStatus(options: PairOptions): Promise<DatabaseStatus> {
  const settings = await settingsOf(options);
  const plan = await planOfFleet(settings);
  return withPair(pairOf(settings), looking, (pair) =>
    databaseStatus(pair, { direction: directionOf(plan), mode: plan.migrationMode }),
  );
}

export const drainDatabases = (
  options: PairOptions & { readonly timeoutMs: number },
): Promise<Drained & { readonly to: Side }> =>
  withDatabase(options, async ({ bridge, pair, cutover }, _plan, settings) => {
    const { authority } = await pair.legacy.call("fence", null);
    const drained = await bridge.drain(options);
    // After a rollback, if no process runs, only this command moves the authority back. The plan may have
    // changed while it waited.
    if (drained.drained && authority === "modern")
      if (directionOf(await planOfFleet(settings))?.authority === "legacy") await cutover("legacy");
    return { ...drained, to: authority === "legacy" ? "modern" : "legacy" };
  });

/**
 * Copies the rows of legacy into modern, or only reads them in a dry run. Continues where an earlier run
 * ended. The report names the book that the rows get; an empty name means no book.
 */
export const backfill = (
  options: PairOptions & { readonly dryRun?: boolean; readonly onEvent: (event: PairEvent) => void },
): Promise<BackfillReport & { readonly book: string }> =>
  withDatabase({ ...options, creates: options.dryRun !== true }, async ({ backfill }, _plan, { config }) => ({
    ...(await backfill.run({ pass: "backfill", dryRun: options.dryRun === true })),
    book: config.database.legacyBook,
  }));

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
