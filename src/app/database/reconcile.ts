/**
 * Compares the two databases of a configuration in this process, which must have no other connection to them.
 */
import { systemClock } from "../../adapters/host/index.ts";
import { AttachedDaily, SqliteReader } from "../../adapters/sqlite/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { type ReconcileOptions, reconcile } from "../../bridges/database/index.ts";
import { toleranceFrom } from "../../comparison/index.ts";
import type { Config } from "../../config/index.ts";
import { parseDay } from "../../domain/market/trading-day.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { PairReader, ReconcileReport, StoreReader } from "../../ports/reconcile.ts";
import { settingsOf } from "../control/session.ts";
import { describeSymbol } from "../symbols/symbols.ts";
import { isBeside, openSide, type PairSettings, pairOf, pathOf, prepared } from "./pair.ts";

export type ReconcileAsked = Partial<
  Pick<ReconcileOptions, "kinds" | "from" | "to" | "onFigure" | "onBreak" | "onProgress" | "waitMsMax">
>;

/** The part of a configuration that a reconciliation needs. */
export interface ReconcileSettings {
  readonly pair: PairSettings;
  readonly validation: Pick<Config["validation"], "positionThreshold" | "comparisonThreshold">;
}

/** Reads the configuration. Throws BAD_USAGE or BAD_CONFIG. */
export async function reconcileSettings(options: { readonly config?: string }): Promise<ReconcileSettings> {
  const settings = await settingsOf(options);
  return { pair: pairOf(settings), validation: settings.config.validation };
}

/** The default of the time that the mirror may take to catch up with the compared writes. */
const waitMsMax = 10_000;

/**
 * Compares both databases and changes nothing in them. Throws BAD_USAGE if the first day is after the last
 * one, BAD_DATABASE if a table or column is missing, DATABASE_BUSY, or SYSTEM_DOWN.
 */
export async function reconcilePair(
  { pair, validation }: ReconcileSettings,
  asked: ReconcileAsked = {},
): Promise<ReconcileReport> {
  const { from, to } = asked;
  if (from !== undefined && to !== undefined && from > to)
    throw new BridgeError("BAD_USAGE", {
      what: `the first day ${from} is after the last day ${to}, so no row would be compared`,
      fix: `exchange them: --from ${to} --to ${from}`,
    });
  const today = parseDay(systemClock.today());
  await using reader = await openReader(pair);
  return await reconcile({
    waitMsMax,
    ...asked,
    pair: reader,
    clock: systemClock,
    tolerances: {
      position: toleranceFrom("migration.validation.position_threshold", validation.positionThreshold),
      pnl: toleranceFrom("migration.validation.comparison_threshold", validation.comparisonThreshold),
    },
    multiplierOf: (symbol) => describeSymbol(symbol, today)?.multiplier,
  });
}

/** Stores the result in modern's store, from which `db status` and the cut-over read it. */
export async function recordReconcile({ pair }: ReconcileSettings, report: ReconcileReport): Promise<void> {
  const store = await openSide(pair, "modern", prepared);
  try {
    const { unexplained, complete, position, verdicts, at } = report;
    await store.call("noteReconcile", {
      atMs: Date.parse(at),
      // Known habits of legacy, and rows that a person has accepted, do not prevent a move of the authority.
      ok: unexplained === 0,
      complete,
      position,
      breaks: verdicts.diverged + verdicts.error,
      notComparable: verdicts.not_comparable,
    });
  } finally {
    await store.close();
  }
}

async function openReader(pair: PairSettings): Promise<PairReader & AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const openSide = async (side: Side): Promise<StoreReader> => {
    const reader = await openReaderOf(pair, side);
    opened.defer(() => reader.close());
    return reader;
  };
  const [legacy, modern] = [await openSide("legacy"), await openSide("modern")];
  const [legacyPath, modernPath] = [pathOf(pair, "legacy"), pathOf(pair, "modern")];
  const daily =
    legacyPath === undefined || modernPath === undefined
      ? undefined
      : new AttachedDaily(legacyPath, modernPath);
  if (daily !== undefined) opened.defer(() => daily.close());
  const owned = opened.move();
  return { legacy, modern, daily, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Whether a database has the bridge's tables. Creates none. Throws BAD_DATABASE and SYSTEM_DOWN. */
export async function isPrepared(pair: PairSettings, side: Side): Promise<boolean> {
  const reader = await openReaderOf(pair, side);
  try {
    return (await reader.authority()) !== null;
  } finally {
    await reader.close();
  }
}

async function openReaderOf(pair: PairSettings, side: Side): Promise<StoreReader> {
  const path = pathOf(pair, side);
  return path === undefined
    ? await (await import("../../adapters/postgres/index.ts")).openPostgresReader(pair.addresses[side])
    : new SqliteReader(path, side, { isBeside: side === "legacy" && isBeside(pair) });
}
