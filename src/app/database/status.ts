/** The status of the pair of databases for a person on duty. */
import { systemClock } from "../../adapters/host/index.ts";
import { messageOf } from "../../base/errors.ts";
import {
  abandonedStep,
  type Direction,
  findOlderCopy,
  mayLackWrites,
  type OlderCopy,
} from "../../bridges/database/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationMode } from "../../domain/migration/plan.ts";
import type { PassState } from "../../ports/backfill-calls.ts";
import type { Owed, RecordStore } from "../../ports/record-store.ts";
import type { Pair } from "./pair.ts";

export interface DatabaseStatus {
  /**
   * The authority that the plan names. Writes are refused as DRAINING while the other store is authoritative.
   */
  readonly shouldBe: Side;
  readonly authority: Side;
  /** The step of the move of the authority that is under way; empty if there is none. */
  readonly step: string;
  readonly epoch: number;
  readonly mode: MigrationMode;
  /** The owed writes; null for legacy while modern's database does not answer. */
  readonly owed: Readonly<Record<"toLegacy", OwedCount | null>> & Readonly<Record<"toModern", OwedCount>>;
  /** The reason why modern's database does not answer; modern's values are then null. Null if it answers. */
  readonly modernAway: string | null;
  /** The database that was restored from an older copy of itself, and what to do; null if none was found. */
  readonly olderCopy: { readonly side: Side; readonly why: string } | null;
  /** The rows of the writes that the other store refuses; of the first hundred writes at most. */
  readonly parked: readonly ParkedRow[];
  /** The last comparison of all rows. */
  readonly lastReconcile: {
    readonly at: string;
    readonly ok: boolean;
    readonly breaks: number;
    readonly notComparable: number;
  } | null;
  /** The number of rows of legacy that modern cannot hold; they wait for a person. */
  readonly quarantine: number | null;
  /**
   * The number of pairs of rows that differ, and of writes that legacy may or may not have; they wait for a
   * person.
   */
  readonly reviews: number | null;
  /** The number of trades in `pnlb_unstorable`, which legacy's own tables cannot hold. */
  readonly unstorable: number;
  /**
   * The rows that legacy's own programs wrote: the number that was copied into modern, and the number that
   * waits for a person.
   */
  readonly foreignRows: { readonly imported: number; readonly inReview: number } | null;
  /** Of the `total` rows of legacy, `done` have been read. */
  readonly backfill: { readonly done: number; readonly total: number; readonly running: boolean } | null;
  readonly canGoBack: { readonly now: boolean; readonly why: string };
}

type OwedCount = Pick<Owed, "count" | "oldestMs">;

interface ParkedRow {
  readonly aggregate: string;
  readonly code: string;
  readonly why: string;
  readonly sinceMs: number;
  /** The number of writes that have this row and wait with it. */
  readonly groups: number;
}

const parkedMax = 100;

export async function databaseStatus(
  pair: Pair,
  {
    direction,
    mode,
    olderCopy,
  }: {
    readonly direction: Direction | undefined;
    readonly mode: MigrationMode;
    /** Returns the result of the last search for a restored database. Default: searches now. */
    readonly olderCopy?: () => OlderCopy | undefined;
  },
): Promise<DatabaseStatus> {
  const nowMs = systemClock.nowMs();
  const [fence, toModern, ofLegacy, modern] = await Promise.all([
    pair.legacy.call("fence", null),
    pair.legacy.call("owed", { nowMs }),
    pair.legacy.call("quarantineCounts", null),
    modernStatus(pair.modern, nowMs).catch((failure) => ({ away: messageOf(failure) })),
  ]);
  const { authority, step, epoch } = fence;
  const older = olderCopy === undefined ? await findOlderCopy(pair).catch(() => undefined) : olderCopy();
  const isAway = authority === "modern" && "away" in modern;
  const entries = isAway ? [] : await pair[authority].call("parked", { limit: parkedMax });
  const parked = new Map<string, ParkedRow>();
  for (const { aggregates, code, because, atMs } of entries)
    for (const aggregate of aggregates) {
      const known = parked.get(aggregate);
      const row = { aggregate, code, why: because, sinceMs: Math.max(0, nowMs - atMs), groups: 0 };
      parked.set(aggregate, { ...(known ?? row), groups: (known?.groups ?? 0) + 1 });
    }
  return {
    shouldBe: direction?.authority ?? authority,
    authority,
    step,
    epoch,
    mode,
    owed: { toLegacy: "away" in modern ? null : countAndAge(modern.owed), toModern: countAndAge(toModern) },
    modernAway: "away" in modern ? modern.away : null,
    olderCopy: older === undefined ? null : { side: older.side, why: older.why },
    parked: [...parked.values()],
    lastReconcile: null,
    quarantine: null,
    reviews: null,
    unstorable: ofLegacy.unstorable,
    foreignRows: null,
    backfill: null,
    ...("away" in modern ? {} : modern.shown),
    ...(ofLegacy.reviews > 0 && {
      reviews: ofLegacy.reviews + ("away" in modern ? 0 : (modern.shown.reviews ?? 0)),
    }),
    canGoBack: canGoBack(authority, mode, older, "away" in modern ? undefined : modern.owed),
  };
}

/** The part of the status that only modern's database can answer. */
async function modernStatus(modern: RecordStore, nowMs: number) {
  const [passes, { rows, reviews }, owed, reconciled] = await Promise.all([
    modern.call("passes", null),
    modern.call("quarantineCounts", null),
    modern.call("owed", { nowMs }),
    modern.call("lastReconcile", null),
  ]);
  const shown: Pick<DatabaseStatus, "lastReconcile" | "quarantine" | "reviews" | "foreignRows" | "backfill"> =
    {
      lastReconcile: reconciled && {
        at: new Date(reconciled.atMs).toISOString(),
        ok: reconciled.ok,
        breaks: reconciled.breaks,
        notComparable: reconciled.notComparable,
      },
      quarantine: rows,
      reviews,
      foreignRows: {
        imported: sum(passes, ({ pass, imported }) => (pass === "backfill" ? 0 : imported)),
        inReview: reviews,
      },
      backfill: {
        done: sum(passes, ({ pass, next }) => (pass === "backfill" ? next : 0)),
        total: sum(passes, ({ pass, upper }) => (pass === "backfill" ? upper : 0)),
        running: passes.some(({ pass, next, upper }) => pass === "backfill" && next < upper),
      },
    };
  return { owed, shown };
}

const sum = (passes: readonly PassState[], of: (state: PassState) => number): number =>
  passes.reduce((total, state) => total + of(state), 0);

const countAndAge = ({ count, oldestMs }: Owed): OwedCount => ({ count, oldestMs });

/** `owed` is undefined while modern's database does not answer. */
function canGoBack(
  authority: Side,
  mode: MigrationMode,
  older: OlderCopy | undefined,
  owed: Owed | undefined,
): DatabaseStatus["canGoBack"] {
  if (mayLackWrites(older, "legacy"))
    return { now: false, why: `${older.side}'s database is an older copy of itself` };
  if (authority === "legacy") return { now: true, why: "legacy is authoritative" };
  if (owed === undefined)
    return {
      now: false,
      why:
        "it is unknown which writes legacy lacks, because modern's database does not answer: bring it back, or, " +
        "if it is lost, abandon it with db drain --abandon --reason TEXT",
    };
  if (mode === "new_only")
    return { now: false, why: `migration_mode is new_only: ${owed.count} writes are owed to legacy` };
  if (owed.parked > 0)
    return {
      now: false,
      why: `legacy refuses ${owed.parked} writes: plan their repair with db reconcile --plan FILE, then db repair FILE`,
    };
  return owed.count === 0
    ? { now: true, why: "legacy has every write" }
    : { now: false, why: `${owed.count} writes are on their way to legacy` };
}

export function databaseStatusText(status: DatabaseStatus): string {
  const {
    shouldBe,
    authority,
    step,
    epoch,
    owed,
    parked,
    quarantine,
    reviews,
    unstorable,
    foreignRows,
    backfill,
    lastReconcile,
    canGoBack,
    modernAway,
    olderCopy,
  } = status;
  const owes = (side: string, owed: OwedCount | null): string => {
    if (owed === null) return `the writes owed to ${side} are unknown`;
    const { count, oldestMs } = owed;
    return count === 0
      ? `nothing is owed to ${side}`
      : `${count} ${count === 1 ? "write is" : "writes are"} owed to ${side}, the oldest for ${seconds(oldestMs)}`;
  };
  return [
    `authority     ${authority}, epoch ${epoch}${shouldBe === authority ? "" : `; the plan names ${shouldBe}: writes are refused until the authority has moved`}`,
    ...(step === abandonedStep
      ? ["abandoned     modern's database must return, because it has the writes that legacy lacks"]
      : step === ""
        ? []
        : [`moving        ${step}`]),
    ...(modernAway === null ? [] : [`unreachable   modern's database does not answer: ${modernAway}`]),
    ...(olderCopy === null ? [] : [`restored      ${olderCopy.why}`]),
    `owed          ${owes("legacy", owed.toLegacy)}; ${owes("modern", owed.toModern)}`,
    ...(backfill === null ? [] : [`reconciled    ${reconciledText(lastReconcile)}`, backfillText(backfill)]),
    ...(foreignRows === null
      ? []
      : [`other writers ${foreignRows.imported} rows of legacy's own programs entered modern`]),
    ...(!quarantine && !reviews
      ? []
      : [
          `waiting       ${quarantine ?? "an unknown number of"} rows that modern cannot hold, ${reviews} rows to review`,
        ]),
    ...(unstorable === 0
      ? []
      : [
          `unstorable    ${unstorable} ${unstorable === 1 ? "trade" : "trades"} in pnlb_unstorable: legacy's own tables cannot hold them`,
        ]),
    `can go back   ${canGoBack.now ? "yes" : "no"}: ${canGoBack.why}`,
    ...parked.map(
      ({ aggregate, code, why, sinceMs, groups }) =>
        `parked        ${code} for ${seconds(sinceMs)}, ${groups} ${groups === 1 ? "write" : "writes"}: ${aggregate}: ${why}`,
    ),
  ].join("\n");
}

const backfillText = ({ done, total, running }: NonNullable<DatabaseStatus["backfill"]>): string =>
  `backfill      ${total === 0 ? "not run yet" : running ? `${done} of ${total} rows` : `complete, ${total} rows`}`;

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

const reconciledText = (last: DatabaseStatus["lastReconcile"]): string =>
  last === null
    ? "never: run `pnl-bridge db reconcile`"
    : `${last.at}: ${last.ok ? "equal" : `${last.breaks} figures differ, ${last.notComparable} cannot be compared`}`;
