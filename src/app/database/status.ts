/** What a person on duty must know of the pair of databases. */
import { systemClock } from "../../adapters/host/index.ts";
import type { Direction } from "../../bridges/database/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationMode } from "../../domain/migration/plan.ts";
import type { PassState } from "../../ports/backfill-calls.ts";
import type { Owed } from "../../ports/record-store.ts";
import type { Pair } from "./pair.ts";

export interface DatabaseStatus {
  /** The store that the plan wants to be authoritative. Writes are refused as DRAINING while another one is. */
  readonly shouldBe: Side;
  readonly authority: Side;
  /** The move of the authority that is under way; empty if none is. */
  readonly step: string;
  readonly epoch: number;
  readonly mode: MigrationMode;
  readonly owed: Readonly<Record<"toLegacy" | "toModern", Pick<Owed, "count" | "oldestMs">>>;
  /** Writes that the other store refuses, by row. At most a hundred. */
  readonly parked: readonly ParkedRow[];
  /** The last comparison of all rows. */
  readonly lastReconcile: {
    readonly at: string;
    readonly ok: boolean;
    readonly breaks: number;
    readonly notComparable: number;
  } | null;
  /** Rows of legacy that modern cannot hold, and pairs of rows that differ. They wait for a person. */
  readonly quarantine: number;
  readonly reviews: number;
  /** Rows that legacy's own programs wrote: those that entered modern, and those that wait for a person. */
  readonly foreignRows: { readonly imported: number; readonly inReview: number };
  /** Rows of legacy, of which `done` are read. */
  readonly backfill: { readonly done: number; readonly total: number; readonly running: boolean };
  readonly canGoBack: { readonly now: boolean; readonly why: string };
}

interface ParkedRow {
  readonly aggregate: string;
  readonly code: string;
  readonly why: string;
  readonly sinceMs: number;
  /** How many writes need this row and wait with it. */
  readonly groups: number;
}

const parkedMax = 100;

export async function databaseStatus(
  pair: Pair,
  { direction, mode }: { readonly direction: Direction | undefined; readonly mode: MigrationMode },
): Promise<DatabaseStatus> {
  const nowMs = systemClock.nowMs();
  const [fence, passes, waiting, toModern, toLegacy, reconciled] = await Promise.all([
    pair.legacy.call("fence", null),
    pair.modern.call("passes", null),
    pair.modern.call("quarantineCounts", null),
    pair.legacy.call("owed", { nowMs }),
    pair.modern.call("owed", { nowMs }),
    pair.modern.call("lastReconcile", null),
  ]);
  const { authority, step, epoch } = fence;
  const entries = await pair[authority].call("parked", { limit: parkedMax });
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
    owed: { toLegacy: countAndAge(toLegacy), toModern: countAndAge(toModern) },
    parked: [...parked.values()],
    lastReconcile: reconciled && {
      at: new Date(reconciled.atMs).toISOString(),
      ok: reconciled.ok,
      breaks: reconciled.breaks,
      notComparable: reconciled.notComparable,
    },
    quarantine: waiting.rows,
    reviews: waiting.reviews,
    foreignRows: {
      imported: sum(passes, ({ pass, imported }) => (pass === "backfill" ? 0 : imported)),
      inReview: waiting.reviews,
    },
    backfill: {
      done: sum(passes, ({ pass, next }) => (pass === "backfill" ? next : 0)),
      total: sum(passes, ({ pass, upper }) => (pass === "backfill" ? upper : 0)),
      running: passes.some(({ pass, next, upper }) => pass === "backfill" && next < upper),
    },
    canGoBack: canGoBack(authority, mode, toLegacy),
  };
}

const sum = (passes: readonly PassState[], of: (state: PassState) => number): number =>
  passes.reduce((total, state) => total + of(state), 0);

const countAndAge = ({ count, oldestMs }: Owed): Pick<Owed, "count" | "oldestMs"> => ({ count, oldestMs });

function canGoBack(authority: Side, mode: MigrationMode, owed: Owed): DatabaseStatus["canGoBack"] {
  if (authority === "legacy") return { now: true, why: "legacy is authoritative" };
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
    foreignRows,
    backfill,
    lastReconcile,
    canGoBack,
  } = status;
  const owes = (side: string, { count, oldestMs }: Pick<Owed, "count" | "oldestMs">): string =>
    count === 0
      ? `nothing is owed to ${side}`
      : `${count} ${count === 1 ? "write is" : "writes are"} owed to ${side}, the oldest for ${seconds(oldestMs)}`;
  return [
    `authority     ${authority}, epoch ${epoch}${shouldBe === authority ? "" : `; the plan wants ${shouldBe}: writes are refused until it has moved`}`,
    ...(step === "" ? [] : [`moving        ${step}`]),
    `owed          ${owes("legacy", owed.toLegacy)}; ${owes("modern", owed.toModern)}`,
    `reconciled    ${reconciledText(lastReconcile)}`,
    `backfill      ${backfill.total === 0 ? "not run yet" : backfill.running ? `${backfill.done} of ${backfill.total} rows` : `complete, ${backfill.total} rows`}`,
    `other writers ${foreignRows.imported} rows of legacy's own programs entered modern`,
    ...(quarantine + reviews === 0
      ? []
      : [`waiting       ${quarantine} rows that modern cannot hold, ${reviews} pairs of rows that differ`]),
    `can go back   ${canGoBack.now ? "yes" : "no"}: ${canGoBack.why}`,
    ...parked.map(
      ({ aggregate, code, why, sinceMs, groups }) =>
        `parked        ${code} for ${seconds(sinceMs)}, ${groups} ${groups === 1 ? "write" : "writes"}: ${aggregate}: ${why}`,
    ),
  ].join("\n");
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

const reconciledText = (last: DatabaseStatus["lastReconcile"]): string =>
  last === null
    ? "never: run `pnl-bridge db reconcile`"
    : `${last.at}: ${last.ok ? "equal" : `${last.breaks} figures differ, ${last.notComparable} cannot be compared`}`;
