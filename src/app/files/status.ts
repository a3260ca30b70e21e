/** The status of the watched files for a person on duty. */
import { statSync } from "node:fs";
import { systemClock } from "../../adapters/host/index.ts";
import { codeOf, messageOf } from "../../base/errors.ts";
import { formatInstant } from "../../domain/market/chicago-time.ts";
import { phasePolicies, type Side } from "../../domain/migration/phase.ts";
import { type MigrationPlan, writesOf } from "../../domain/migration/plan.ts";
import type {
  FileJournal,
  FileReport,
  FileState,
  JournalReport,
  JournalTotals,
  Review,
  ReviewRow,
} from "../../ports/file-journal.ts";
import type { LedgerTrade } from "../../ports/ledger-rows.ts";
import type { DatabaseStatus } from "../database/status.ts";
import type { ControlSettings } from "../stores.ts";
import { legacyWay, livingHolder, sinkNames, watchedRoots } from "./open.ts";

export interface FilesStatus {
  readonly roots: readonly RootStatus[];
  readonly sinks: Readonly<Record<Side, SinkStatus>>;
  readonly files: readonly FileStatus[];
  readonly reviews: readonly ShownReview[];
}

interface RootStatus {
  readonly path: string;
  readonly mode: string;
  readonly ok: boolean;
  /** The time at which the present state began. */
  readonly since: string;
  readonly error?: { readonly code: string; readonly since: string; readonly why: string };
}

interface SinkStatus {
  /** The number of trades that count and that the store has. */
  readonly rows: number;
  /** The age of the oldest claim that waits; 0 if none does. */
  readonly oldestUnappliedMs: number;
  /**
   * `off`: the watcher passes no rows to the store, because of the phase or because `watch.legacy_sink` is
   * `none`.
   */
  readonly state: "ok" | "behind" | "failing" | "calculates" | "off";
  readonly why?: string;
}

export interface FileStatus {
  /** Relative to the root. */
  readonly path: string;
  readonly root: string;
  readonly state: FileState;
  readonly rowsApplied: number;
  /** The number of rows that count for another file, which has them too. */
  readonly rowsElsewhere: number;
  readonly rowsRefused: number;
  readonly waiting?: { readonly why: string; readonly sinceMs: number };
  readonly refused?: {
    readonly code: string;
    readonly why: string;
    readonly fix: string;
    readonly since: string;
  };
  readonly revocable?: { readonly line: number };
}

export type ShownReview = ReturnType<typeof shownReview>;

interface StatusSources {
  readonly journal: FileJournal;
  readonly settings: ControlSettings;
  readonly plan: MigrationPlan;
  /** The writes that the databases owe each other; undefined while they are unknown. */
  readonly owed: DatabaseStatus["owed"] | undefined;
}

export async function filesStatus(sources: StatusSources): Promise<FilesStatus> {
  const { journal, settings } = sources;
  const [report, reviews] = await Promise.all([
    journal.call("report", { owed: toMirror(sources).count }),
    journal.call("reviews", null),
  ]);
  const nowMs = systemClock.nowMs();
  const isWatched = livingHolder(report) !== undefined;
  const known = new Map(report.roots.map((root) => [root.root, root]));
  return {
    roots: watchedRoots(settings).map((path) => rootStatus(path, known.get(path), isWatched)),
    sinks: await sinksStatus(sources, report.sinks),
    files: report.files.map((file) => fileStatus(file, nowMs)),
    reviews: reviews.map(shownReview),
  };
}

/** The totals for the metrics. */
export interface FilesSummary extends Omit<JournalTotals, "sinks"> {
  readonly sinks: FilesStatus["sinks"];
}

export async function filesSummary(sources: StatusSources): Promise<FilesSummary> {
  const totals = await sources.journal.call("totals", { owed: toMirror(sources).count });
  return { ...totals, sinks: await sinksStatus(sources, totals.sinks) };
}

/** Returns the writes that the authority owes the mirror. */
const toMirror = ({ plan, owed }: StatusSources) =>
  owed?.[writesOf(plan)[0] === "legacy" ? "toModern" : "toLegacy"] ?? nothing;

async function sinksStatus(
  sources: StatusSources,
  sinks: JournalReport["sinks"],
): Promise<FilesStatus["sinks"]> {
  const { journal, settings, plan } = sources;
  const nowMs = systemClock.nowMs();
  const sinkOf = async (name: string) => {
    const known = sinks.find(({ sink }) => sink === name);
    if (known !== undefined) return known;
    const [oldest] = await journal.call("claims", { sink: name, limit: 1 });
    return { failures: 0, why: "", rows: 0, mirrored: 0, oldestMs: oldest?.atMs ?? null };
  };
  const writes = writesOf(plan);
  const stores = await sinkOf(sinkNames.stores);
  const first = sinkStatus(stores, nowMs);
  const { count, oldestMs } = toMirror(sources);
  const second: SinkStatus = {
    ...first,
    rows: stores.mirrored,
    oldestUnappliedMs: Math.max(first.oldestUnappliedMs, oldestMs),
    state: first.state === "ok" && count > 0 ? "behind" : first.state,
  };
  const stored = (side: Side): SinkStatus => (writes[0] === side ? first : writes[1] === side ? second : off);
  const own = async () => sinkStatus(await sinkOf(sinkNames.own), nowMs);
  const calculated = async (): Promise<SinkStatus> => {
    const status = sinkStatus(await sinkOf(sinkNames.calculated), nowMs);
    return status.state === "ok" ? { ...status, state: "calculates" } : status;
  };
  const legacy = { records: () => stored("legacy"), own_entry: own, none: () => off };
  const modern = { stores: () => stored("modern"), calculates: calculated, nothing: () => off };
  return {
    legacy: await legacy[legacyWay(settings.config, plan)](),
    modern: await modern[phasePolicies[plan.phase].files.modern](),
  };
}

const off: SinkStatus = { rows: 0, oldestUnappliedMs: 0, state: "off" };

const nothing = { count: 0, oldestMs: 0 };

const sinkStatus = (
  {
    rows,
    failures,
    why,
    oldestMs,
  }: {
    readonly rows: number;
    readonly failures: number;
    readonly why: string;
    readonly oldestMs: number | null;
  },
  nowMs: number,
): SinkStatus => ({
  rows,
  oldestUnappliedMs: oldestMs === null ? 0 : Math.max(1, nowMs - oldestMs),
  state: failures > 0 ? "failing" : oldestMs === null ? "ok" : "behind",
  ...(why !== "" && { why }),
});

type KnownRoot = JournalReport["roots"][number];

/** Returns the state of a root: from the watcher, or from the file system if no watcher runs. */
function rootStatus(path: string, known: KnownRoot | undefined, isWatched: boolean): RootStatus {
  const { mode = "poll", ok = true, code = "", why = "", sinceMs = systemClock.nowMs() } = known ?? {};
  const seen = isWatched ? undefined : failureOf(path);
  const isOk = ok && seen === undefined;
  const since = new Date(seen !== undefined && ok ? systemClock.nowMs() : sinceMs).toISOString();
  const error = seen ?? { code, why };
  return { path, mode, ok: isOk, since, ...(isOk ? {} : { error: { ...error, since } }) };
}

function failureOf(path: string): { readonly code: string; readonly why: string } | undefined {
  try {
    if (statSync(path).isDirectory()) return undefined;
    return { code: "ENOTDIR", why: "it is not a folder" };
  } catch (failure) {
    return { code: codeOf(failure), why: messageOf(failure) };
  }
}

export const fileStatus = (
  {
    root,
    path,
    state,
    why,
    refusal,
    sinceMs,
    rowsApplied,
    rowsElsewhere,
    rowsRefused,
    revocable,
  }: FileReport,
  nowMs: number,
): FileStatus => ({
  ...{ path, root, state, rowsApplied, rowsElsewhere, rowsRefused },
  ...(state === "waiting" && {
    waiting: {
      why: why === "" ? "UNSETTLED because it is not read yet" : why,
      sinceMs: Math.max(0, nowMs - sinceMs),
    },
  }),
  ...(state === "refused" &&
    refusal !== undefined && { refused: { ...refusal, since: new Date(sinceMs).toISOString() } }),
  ...(revocable !== null && { revocable: { line: revocable.line } }),
});

export const shownReview = ({ sinceMs, decision, rows: _, path, root, ...review }: Review) => ({
  ...review,
  path: path === "" ? root : path,
  root,
  since: new Date(sinceMs).toISOString(),
  ...(decision !== null && { decision }),
});

export const reviewText = ({ id, kind, path, added, removed, changed, decision }: ShownReview): string =>
  `review ${id}, ${kind}: ${path}: ${added} added, ${removed} removed, ${changed} changed` +
  (decision === undefined ? "" : `; the decision to ${decision} is not carried out yet`);

/** Returns one line for each matter that needs a person; no line if all is well. */
export function attentionOf({ roots, sinks, files, reviews }: FilesStatus): {
  /** The folders that are lost, and the stores that lack rows. */
  readonly failures: readonly string[];
  /** The matters that wait for a person, or for the writer of a file. */
  readonly waiting: readonly string[];
} {
  return {
    failures: [
      ...roots.flatMap(({ path, error }) =>
        error === undefined ? [] : [`the folder ${path} is lost: ${error.code}: ${error.why}`],
      ),
      ...(["legacy", "modern"] as const).flatMap((side) => {
        const { state, why, oldestUnappliedMs } = sinks[side];
        return state === "failing" || state === "behind"
          ? [`${side} lacks rows, the oldest for ${seconds(oldestUnappliedMs)}${why ? `: ${why}` : ""}`]
          : [];
      }),
    ],
    waiting: [
      ...reviews.map(reviewText),
      ...files.flatMap(({ path, state, rowsRefused, waiting, refused }) => [
        ...(refused === undefined
          ? []
          : [`refused ${path}: ${refused.code}: ${refused.why}; ${refused.fix}`]),
        ...(waiting === undefined
          ? []
          : [`waiting ${path}: ${waiting.why}, for ${seconds(waiting.sinceMs)}`]),
        ...(state === "growing" ? [`growing ${path}`] : []),
        ...(rowsRefused === 0
          ? []
          : [`refused ${rowsRefused} ${rowsRefused === 1 ? "row" : "rows"} of ${path}`]),
      ]),
    ],
  };
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;

export function filesStatusText(status: FilesStatus): string {
  const { roots, sinks, files } = status;
  const { waiting, failures } = attentionOf(status);
  const states = Map.groupBy(files, ({ state }) => state);
  const sum = (of: (file: FileStatus) => number): number =>
    files.reduce((total, file) => total + of(file), 0);
  const sink = (side: "legacy" | "modern"): string => {
    const { rows, state } = sinks[side];
    return `${side} ${state === "off" ? "gets no rows here" : `has ${rows} rows (${state})`}`;
  };
  const counts = [...states].map(([state, { length }]) => `${length} ${state}`);
  return [
    ...roots.map(({ path, mode, ok }) => `folder  ${path}: ${ok ? mode : "lost"}`),
    `files   ${counts.length === 0 ? "none" : counts.join(", ")}`,
    `rows    ${sum(({ rowsApplied }) => rowsApplied)} applied, ${sum(({ rowsElsewhere }) => rowsElsewhere)} repeated elsewhere, ` +
      `${sum(({ rowsRefused }) => rowsRefused)} refused`,
    `stores  ${sink("legacy")}; ${sink("modern")}`,
    ...failures.map((line) => `FAILS   ${line}`),
    ...waiting.map((line) => `waits   ${line}`),
  ].join("\n");
}

const compared = ["side", "quantity", "symbol", "book", "price", "fee", "timeUs"] as const;

/** Returns a row of a review in one line; for a changed row, with the fields that differ. */
export function rowText({ what, line, was, is }: ReviewRow): string {
  const trade = is ?? was ?? {};
  const time = (timeUs: number | undefined): string => (timeUs === undefined ? "" : formatInstant(timeUs));
  const shown = (from: Partial<LedgerTrade>, field: (typeof compared)[number]): string =>
    field === "timeUs" ? time(from.timeUs) : (from[field] ?? "none");
  const differing = compared.filter(
    (field) => was !== undefined && is !== undefined && was[field] !== is[field],
  );
  const changes = differing.map(
    (field) =>
      `${field === "timeUs" ? "time" : field} ${shown(was ?? {}, field)} → ${shown(is ?? {}, field)}`,
  );
  // The review of a fee that a person must change in legacy holds only the new fee.
  if (what === "changed" && was === undefined) changes.push(`fee ${shown(trade, "fee")}`);
  const { id, side, quantity, symbol, price, timeUs } = trade;
  return [
    `${what} in line ${line}: trade ${id}, ${side} ${quantity} ${symbol} at ${price}, ${time(timeUs)}`,
    ...changes,
  ].join("; ");
}
