/** Opens the database bridge of a pair, and moves its authority. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { sha256, systemClock } from "../../adapters/host/index.ts";
import { legacyOnly, walBytes, walBytesMax } from "../../adapters/sqlite/index.ts";
import { BridgeError, codeOf } from "../../base/errors.ts";
import { oneAtATime } from "../../base/one-at-a-time.ts";
import {
  areFencesAtRest,
  Backfill,
  type BackfillEvent,
  backfillLimits,
  backfillTables,
  Cutover,
  type CutoverReport,
  DatabaseBridge,
  type DatabaseBridgeOptions,
  type Direction,
  ForeignRows,
  type ForeignRowsEvent,
  findOlderCopy,
  mayLackWrites,
  type OlderCopy,
  type RelayEvent,
} from "../../bridges/database/index.ts";
import { tradingDayRules } from "../../domain/market/trading-day.ts";
import { type Phase, phasePolicies, type Side } from "../../domain/migration/phase.ts";
import { type MigrationPlan, writesOf } from "../../domain/migration/plan.ts";
import type { DataAuthority } from "../../ports/data-authority.ts";
import type { HeldStore } from "../../ports/record-store.ts";
import { holdRecordStore } from "../stores.ts";
import { describeSymbol } from "../symbols/symbols.ts";
import { onlyWriter } from "./only-writer.ts";
import { isBeside, openPair, type Pair, type PairSettings, pathOf, prepared, thisHolder } from "./pair.ts";

/** Returns the use that a plan makes of the pair; undefined while the plan is not known. */
export function directionOf(plan: MigrationPlan): Direction | undefined {
  // This process has not read the plan of its fleet yet.
  if (plan.epoch === 0) return undefined;
  return directionTo(writesOf(plan));
}

/** Returns the use of the pair in a phase, for a plan without overrides. */
export const directionOfPhase = (phase: Phase): Direction => directionTo(phasePolicies[phase].writes);

const directionTo = ([authority, mirror]: readonly [Side, ...Side[]]): Direction => ({
  authority,
  mirrors: mirror !== undefined,
});

export interface OpenOptions {
  readonly direction: () => Direction | undefined;
  /**
   * Whether the plan is certainly the one in force; the authority is moved back only then. Default: always.
   */
  readonly isFresh?: () => boolean;
  /**
   * Whether a new pair is prepared. Default: yes. If not, an unprepared pair is refused with BAD_DATABASE.
   */
  readonly creates?: boolean;
  /**
   * Whether callers' records are written. If the bridge's tables are beside legacy's database, only one
   * process may write records. Default: no.
   */
  readonly writes?: boolean;
  readonly onEvent?: (event: PairEvent) => void;
}

export type PairEvent =
  | RelayEvent
  | BackfillEvent
  | ForeignRowsEvent
  | { readonly kind: "returned"; readonly report: CutoverReport }
  /** A database was restored from an older copy of itself, and needs a repair. */
  | { readonly kind: "older_copy"; readonly why: string }
  /** Legacy's WAL is larger than its limit, because other programs commit all the time or hold it open. */
  | { readonly kind: "wal_large"; readonly bytes: number };

/** The database bridge of a configuration, and the two databases under it. */
export interface OpenedDatabase {
  readonly bridge: DatabaseBridge;
  readonly pair: Pair;
  readonly backfill: Backfill;
  /** Moves the authority to a side. Throws REFUSED while another process does. */
  cutover(to: Side, onRung?: (rung: string) => void): Promise<CutoverReport>;
  ready: DataAuthority["ready"];
  /** The database that the last look found to be restored from an older copy of itself; undefined if none. */
  olderCopy(): OlderCopy | undefined;
  close(): Promise<void>;
}

/** The tools that turn a caller's records into rows. */
export const databaseTools: DatabaseBridgeOptions["tools"] = {
  describe: describeSymbol,
  dayRule: tradingDayRules["chicago-17"],
  digest: sha256,
};

const dayMs = 86_400_000;
const drainMsMax = 60_000;
/** A file with this name beside the configuration stops the backfill. */
const stopName = "STOP_BACKFILL";
/** The time between two searches for rows that legacy's own programs have added. */
const foreignRowsMs = 1_000;
/** The time between two searches for rows that legacy's own programs have changed or deleted. */
const foreignChangesMs = 15 * 60_000;
/** The time between two comparisons of the plan with the fence. */
const lookMs = 250;
/** The time between two searches for a restored database while none is found. */
const olderCopyMs = 60_000;
/** The time between two checks of the size of legacy's WAL. The store itself empties the WAL when it can. */
const walLookMs = 60_000;
/**
 * The time for which the plan must name legacy, while modern is authoritative, before the authority moves
 * back.
 */
const settledMs = 750;

/**
 * Opens the pair of a configuration, and undoes the unfinished cut-over of a dead process. As long as the
 * fence of a database lacks a move of the authority, no write is taken and none is carried. While the plan
 * names legacy and modern is still authoritative, this process moves the authority back, as soon as legacy
 * has every write. Only `cutover` moves it towards modern.
 */
export async function openDatabase(settings: PairSettings, options: OpenOptions): Promise<OpenedDatabase> {
  const { creates = true, writes = false, isFresh = () => true, onEvent = () => {} } = options;
  const { database } = settings;
  const pair = await openPair(settings, { authority: options.direction()?.authority ?? "legacy", creates });
  const lease = thisHolder(database.leaseMs);
  const isMirrored = (): boolean => direction()?.mirrors ?? false;
  const writer = writes && isBeside(settings) ? await onlyWriter(pair, lease) : undefined;
  let older: OlderCopy | undefined;
  const direction = () =>
    writer?.isLost() === true || older?.lacksMove === true ? undefined : options.direction();
  const bridge = new DatabaseBridge({
    stores: pair,
    tools: databaseTools,
    clock: systemClock,
    draw: Math.random,
    direction,
    isLegacyOlder: () => mayLackWrites(older, "legacy"),
    lease,
    keepsMs: database.doneRowsDays * dayMs,
    onEvent,
  });
  const backfillOver = (stores: Pair): Backfill =>
    new Backfill({
      stores,
      tools: { ...databaseTools, book: database.legacyBook },
      clock: systemClock,
      lease,
      tables: backfillTables,
      limits: backfillLimits,
      held: () => (existsSync(join(settings.folder, stopName)) ? `the file ${stopName} exists` : undefined),
      isMirrored,
      onEvent,
    });
  const backfill = backfillOver(pair);
  const foreignRows = new ForeignRows({
    backfill,
    clock: systemClock,
    isWanted: isMirrored,
    everyMs: foreignRowsMs,
    compareEveryMs: foreignChangesMs,
    onEvent,
  });
  const ladder = (onRung: (rung: string) => void = () => {}): Cutover =>
    new Cutover({
      stores: pair,
      holdLegacy: (lastsMs) => hold(settings, lastsMs),
      clock: systemClock,
      lease,
      budgetMs: database.cutoverBudgetMs,
      drainMsMax,
      lastReconcile: () => pair.modern.call("lastReconcile", null),
      importForeign: async (legacy) => {
        // An urgent run waits for nothing, so the stop file does not halt it.
        const urgent = backfillOver({ legacy, modern: pair.modern });
        const { finished } = await urgent.run({ pass: "new_rows", isUrgent: true });
        if (!finished)
          throw new BridgeError("DATABASE_BUSY", {
            what: "another process is reading rows of legacy's own programs",
            fix: "try again",
          });
        return (await pair.modern.call("quarantineCounts", null)).reviews;
      },
      onRung,
    });
  // The cut-overs and recoveries of this process hold one lease under one name, so they run one after the
  // other.
  let last: Promise<unknown> = Promise.resolve();
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const next = last.then(work);
    last = next.catch(() => {});
    return next;
  };
  const isRefused = (to: Side): boolean => to === "modern" && isBeside(settings);
  const cutover: OpenedDatabase["cutover"] = async (to, onRung) => {
    if (isRefused(to)) throw new BridgeError("REFUSED", legacyOnly);
    return alone(() => ladder(onRung).to(to));
  };
  const recover = () => alone(async () => void ((await areFencesAtRest(pair)) || (await ladder().recover())));
  let nextLookMs = Number.NEGATIVE_INFINITY;
  const lookForOlderCopy = async (): Promise<void> => {
    if (older === undefined && systemClock.monotonicMs() < nextLookMs) return;
    const found = await findOlderCopy(pair);
    if (found !== undefined && !found.isSentAgain && found.why !== older?.why)
      onEvent({ kind: "older_copy", why: found.why });
    older = found;
    nextLookMs = systemClock.monotonicMs() + olderCopyMs;
  };
  const settle = async (): Promise<void> => {
    try {
      await recover();
    } catch (failure) {
      if (codeOf(failure) === "CONFLICT") nextLookMs = Number.NEGATIVE_INFINITY;
      else throw failure;
    }
    await lookForOlderCopy();
  };
  let wantedSinceMs: number | undefined;
  const goBack = oneAtATime(async () => {
    await settle();
    const fence = await pair.legacy.call("fence", null);
    const isWanted = direction()?.authority === "legacy" && fence.authority === "modern" && isFresh();
    wantedSinceMs = isWanted ? (wantedSinceMs ?? systemClock.monotonicMs()) : undefined;
    // A process that was suspended may see the moved fence before it sees the plan that moved it.
    if (wantedSinceMs === undefined || systemClock.monotonicMs() - wantedSinceMs < settledMs) return;
    onEvent({ kind: "returned", report: await cutover("legacy") });
  });
  const stopLooking = systemClock.every(lookMs, () => void goBack().catch(() => {}));
  const legacyPath = pathOf(settings, "legacy");
  const stopMeasuring = systemClock.every(walLookMs, () => {
    const bytes = legacyPath === undefined ? 0 : walBytes(legacyPath);
    if (bytes > walBytesMax) onEvent({ kind: "wal_large", bytes });
  });
  // This may fail because a living process is moving the authority now.
  await settle().catch(() => {});
  await bridge.countOwed();
  return {
    bridge,
    pair,
    backfill,
    cutover,
    ready: async (side) => {
      const why = isRefused(side) ? legacyOnly.what : await ladder().whyNot(side);
      return { open: why === undefined, why: why ?? `the authority can move to ${side}` };
    },
    olderCopy: () => older,
    close: async () => {
      stopLooking();
      stopMeasuring();
      await foreignRows.end();
      await writer?.end();
      await bridge.close();
    },
  };
}

const hold = (pair: PairSettings, lastsMs: number): Promise<HeldStore> =>
  holdRecordStore(pair.addresses.legacy, {
    folder: pair.folder,
    side: "legacy",
    isBeside: isBeside(pair),
    lastsMs,
    ...prepared,
  });

/** Throws REFUSED (AUTHORITY_DIFFERS) if the pair's fence names another side than the wanted one. */
export async function mustAgree(pair: Pair, wanted: Side): Promise<void> {
  const { authority } = await pair.legacy.call("fence", null);
  if (authority !== wanted)
    throw new BridgeError("REFUSED", {
      what: `AUTHORITY_DIFFERS: the pair's authority is ${authority}, and the phase wants ${wanted}`,
      fix: `move it with \`pnl-bridge db cutover --to ${wanted} --reason TEXT\`, or open the pair in another phase`,
    });
}
