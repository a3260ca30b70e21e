/** Prepares both databases for the bridge. */
import { besideFiles } from "../../adapters/sqlite/index.ts";
import { codeOf } from "../../base/errors.ts";
import { shownValue } from "../../config/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Fence } from "../../ports/record-store.ts";
import { settingsOf } from "../control/session.ts";
import { type PairOptions, planOfFleet } from "./command-session.ts";
import { directionOf } from "./open.ts";
import { isBeside, pairOf, pathOf, withPair } from "./pair.ts";
import { isPrepared } from "./reconcile.ts";

export interface InitReport {
  /** The store that is authoritative. */
  readonly authority: Side;
  readonly epoch: number;
  readonly incarnations: Readonly<Record<Side, string>>;
}

/** Prepares both databases. A pair that was prepared before stays as it is. */
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

/**
 * Returns the tables that `db init` would create in each database; an empty list for a database that is
 * prepared.
 */
export async function plannedTables(
  options: PairOptions,
): Promise<readonly { readonly side: Side; readonly where: string; readonly tables: readonly string[] }[]> {
  const pair = pairOf(await settingsOf(options));
  const planOf = async (side: Side, tables: readonly string[]) => {
    const file = side === "legacy" && isBeside(pair) ? pathOf(pair, side) : undefined;
    const where =
      file === undefined
        ? String(shownValue(["stores", side], pair.addresses[side]))
        : besideFiles(file).tables;
    const isReady = await isPrepared(pair, side).catch((failure) => {
      // A file of modern's that does not exist yet cannot be opened.
      if (side === "legacy" || codeOf(failure) !== "BAD_DATABASE") throw failure;
      return false;
    });
    return { side, where, tables: isReady ? [] : tables };
  };
  return [await planOf("legacy", ["pnlb_*"]), await planOf("modern", ["newpnl_*", "pnlb_*"])];
}
