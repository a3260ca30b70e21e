/** Leaving legacy: its database is archived once the records show that nothing uses it any more. */
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { type Archive, archiveSqlite, checkArchive } from "../../adapters/sqlite/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { sqliteFile } from "../../base/store-address.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { ownTables } from "../../durable/dialect.ts";
import { usersOf } from "../../platform/open-files.ts";
import { realFile } from "../../platform/real-file.ts";
import type { ControlStore } from "../../ports/control-store.ts";
import type { OwnObject } from "../../ports/leaving-calls.ts";
import { byOf, openOperator, settingsOf } from "../control/session.ts";
import type { ControlSettings } from "../stores.ts";
import { note, withDatabase } from "./commands.ts";
import { type PairSettings, pairOf, prepared, withPair } from "./pair.ts";
import { isPrepared } from "./reconcile.ts";
import { ownObjects, removeBridge } from "./remove-bridge.ts";

export interface ArchiveCommand {
  readonly config?: string;
  readonly out: string;
  /** For how long nothing may have reached legacy. */
  readonly days: number;
  /** Evidence for which a person vouches, because the bridge cannot know it or a person knows better. */
  readonly accept: readonly string[];
  readonly removeBridge: boolean;
  /** Without it, `removeBridge` only lists what would be removed, and nothing is written. */
  readonly yes: boolean;
  readonly reason: string;
  readonly actor?: string;
}

export interface ArchiveReport {
  /** Whether the archive exists and is verified. Nothing is archived or removed without evidence. */
  readonly archived: boolean;
  readonly out: string;
  readonly evidence: readonly Evidence[];
  /** The rows of each table, as they are in the database and in the archive. */
  readonly tables: Archive;
  /** What the bridge has put into each database; empty for a database that has nothing of it. */
  readonly objects: Readonly<Record<Side, readonly OwnObject[]>> | null;
  readonly removed: boolean;
  /** The rows of modern's tables, which were read and written without the bridge; null if it was not removed now. */
  readonly proved: Readonly<Record<string, number>> | null;
}

const evidenceNames = ["window", "fleet", "writes", "files", "rows"] as const;

interface Evidence {
  readonly name: (typeof evidenceNames)[number];
  readonly holds: boolean;
  readonly why: string;
  /** Whether a person vouches for it. */
  readonly accepted: boolean;
}

type Finding = Pick<Evidence, "holds" | "why">;

const dayMs = 86_400_000;

/**
 * Archives legacy's database if nothing uses it any more, and removes the bridge from both databases if that is
 * asked for. May be repeated: an archive that exists is verified again, and a removal goes on where it ended.
 * Throws BAD_CONFIG, BAD_USAGE, and what `archiveSqlite` throws.
 */
export async function archiveLegacy(options: ArchiveCommand): Promise<ArchiveReport> {
  const unknown = options.accept.find((name) => !evidenceNames.some((one) => one === name));
  if (unknown !== undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `there is no evidence ${JSON.stringify(unknown)}`,
      fix: `name some of ${evidenceNames.join(",")}`,
    });
  const settings = await settingsOf(options);
  const pair = pairOf(settings);
  const address = sqliteFile(pair.addresses.legacy);
  if (address === undefined)
    throw new BridgeError("BAD_CONFIG", {
      what: "legacy's database must be a SQLite file",
      fix: "write stores: { legacy: sqlite:FILE }",
    });
  const file = realFile(resolve(pair.folder, address));
  const out = resolve(options.out);
  const isLater = options.removeBridge && existsSync(out);
  const has = { legacy: await isPrepared(pair, "legacy"), modern: await isPrepared(pair, "modern") };
  // One database without the bridge's tables: an earlier removal has begun, and there was evidence for it.
  const isBegun = isLater && !(has.legacy && has.modern);
  const evidence = isBegun ? [] : await evidenceOf(settings, pair, { file, ...options });
  const nothing = { out, evidence, tables: {}, objects: null, removed: false, proved: null };
  if (!evidence.every(({ holds, accepted }) => holds || accepted)) return { archived: false, ...nothing };
  const objects = options.removeBridge ? await ownObjects(pair, has) : null;
  if (options.removeBridge && !options.yes) return { archived: existsSync(out), ...nothing, objects };
  const tables = isLater ? checkArchive(file, out, ownNames) : archiveSqlite(file, out);
  const by = byOf(options);
  const found = evidence.map((one) => ({ ...one }));
  if (!isLater) await note(settings, by, "archive", { out, tables, evidence: found });
  if (objects === null) return { archived: true, ...nothing, tables };
  const proved = await removeBridge(pair, has);
  if (has.legacy || has.modern) await note(settings, by, "remove-bridge", { out, proved });
  return { archived: true, ...nothing, tables, objects, removed: true, proved };
}

/** SQLite's own table of counters has a row for a table of the bridge. */
const ownNames: ReadonlySet<string> = new Set([
  ...ownTables.map((name) => `pnlb_${name}`),
  "sqlite_sequence",
]);

async function evidenceOf(
  settings: ControlSettings,
  pair: PairSettings,
  {
    file,
    days,
    accept,
    config,
  }: Pick<ArchiveCommand, "days" | "accept" | "config"> & { readonly file: string },
): Promise<readonly Evidence[]> {
  const sinceMs = systemClock.nowMs() - days * dayMs;
  const { window, fleet } = await fromControlStore(settings, days, sinceMs);
  const found: Record<Evidence["name"], Finding> = {
    window,
    fleet,
    writes: await writesOf(pair, days, sinceMs),
    files: notOpen(file),
    rows: { holds: false, why: "not compared, because other evidence is missing" },
  };
  const evidence = (): readonly Evidence[] =>
    evidenceNames.map((name) => ({ name, ...found[name], accepted: accept.includes(name) }));
  // The comparison brings rows into modern, so it comes last.
  if (evidence().every(({ name, holds, accepted }) => name === "rows" || holds || accepted))
    found.rows = await rowsOf(config === undefined ? {} : { config });
  return evidence();
}

/** Since when no call is sent to legacy, and which processes of the fleet may not know of it. */
async function fromControlStore(settings: ControlSettings, days: number, sinceMs: number) {
  if (settings.config.stores.control === null) {
    const unknown = { holds: false, why: "unknown, because no control store is configured" };
    return { window: unknown, fleet: unknown };
  }
  const session = await openOperator(settings);
  try {
    const instances = await session.store.instances();
    const live = instances.filter(({ ageMs }) => ageMs <= settings.config.control.leaseMs);
    const names = live.map(({ name, ageMs }) => `${name}, seen ${Math.round(ageMs / 1_000)} s ago`);
    const fleet =
      live.length === 0
        ? { holds: true, why: "no process of the fleet is running" }
        : { holds: false, why: `processes of the fleet are running: ${names.join("; ")}: stop them` };
    return { window: await windowOf(session.store, days, sinceMs), fleet };
  } finally {
    await session.close();
  }
}

/** After its window is closed, neither a plan nor a kill switch sends a call or a write to legacy. */
async function windowOf(store: ControlStore, days: number, sinceMs: number): Promise<Finding> {
  if ((await store.read()).legacyWindow !== "closed")
    return {
      holds: false,
      why: "calls may still reach legacy: in cleanup, close its window with `pnl-bridge sign-off legacy_window`",
    };
  const closed = await closedAt(store);
  if (closed === undefined)
    return { holds: false, why: "the audit does not say when legacy's window was closed" };
  return {
    holds: Date.parse(closed) <= sinceMs,
    why: `no call reaches legacy since its window was closed at ${closed}; ${days} days are required`,
  };
}

async function closedAt(store: ControlStore): Promise<string | undefined> {
  for (let after = 0; ; ) {
    const rows = await store.audit(after, 1_000);
    const row = rows.find(({ after }) => JSON.parse(after ?? "{}").legacy_window === "closed");
    if (row !== undefined) return row.at;
    const last = rows.at(-1);
    if (last === undefined) return undefined;
    after = last.seq;
  }
}

/** By the outboxes: the last write that legacy took, or got from modern. */
const writesOf = (pair: PairSettings, days: number, sinceMs: number): Promise<Finding> =>
  withPair(pair, prepared, async ({ legacy, modern }) => {
    const { authority } = await legacy.call("fence", null);
    if (authority === "legacy") return { holds: false, why: "legacy is authoritative" };
    const { acknowledgedMs } = await legacy.call("lastMove", null);
    const { settledMs } = await modern.call("lastMove", null);
    const lastMs = Math.max(acknowledgedMs, settledMs);
    const last =
      lastMs === 0
        ? "no write to legacy is kept"
        : `the last write to legacy was at ${new Date(lastMs).toISOString()}`;
    return {
      holds: lastMs <= sinceMs,
      why: `by both outboxes, ${last}; ${days} days without one are required`,
    };
  });

function notOpen(file: string): Finding {
  const found = usersOf([file, `${file}-wal`, `${file}-shm`]);
  if (found === undefined)
    return { holds: false, why: "unknown: this system does not show who has a file open" };
  const { users, hidden } = found;
  if (users.length > 0)
    return { holds: false, why: `other processes have legacy's database open: ${users.join(", ")}` };
  const unseen = hidden === 0 ? "" : `; ${hidden} processes of other users could not be looked into`;
  return { holds: true, why: `no other process of this host has legacy's database open${unseen}` };
}

/**
 * Compares each row of legacy with what the bridge wrote or read last. A new row enters modern, so that it is not
 * lost, and every other change waits for a person.
 */
const rowsOf = (options: { readonly config?: string }): Promise<Finding> =>
  withDatabase(options, async ({ backfill, pair }) => {
    const last = await pair.modern.call("lastReconcile", null);
    if (last === null)
      return { holds: false, why: "the databases were never compared: pnl-bridge db reconcile" };
    // Writes that legacy is owed since its window was closed make a comparison incomplete, not wrong.
    if (!last.ok && (last.breaks > 0 || last.complete))
      return { holds: false, why: "the last comparison found differences: pnl-bridge db reconcile" };
    const { finished, tables } = await backfill.run({ pass: "all_rows", isUrgent: true });
    const imported = Object.values(tables).reduce((sum, table) => sum + table.imported, 0);
    const { rows, reviews } = await pair.modern.call("quarantineCounts", null);
    if (!finished) return { holds: false, why: "another process is reading legacy's rows" };
    if (rows + reviews > 0)
      return { holds: false, why: `${rows + reviews} rows wait for a person: pnl-bridge db review` };
    const at = new Date(last.atMs).toISOString();
    return imported === 0
      ? { holds: true, why: `no other program has written to legacy since the comparison at ${at}` }
      : {
          holds: false,
          why: `another program wrote ${imported} rows to legacy, which entered modern now; try again`,
        };
  });
