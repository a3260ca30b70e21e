/** Archives legacy's database, and removes the bridge from both databases. */
import { existsSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import { type Archive, archiveSqlite, besideFiles, checkArchive } from "../../adapters/sqlite/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { modernKeys } from "../../bridges/database/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { ownTables } from "../../durable/dialect.ts";
import { checkNew } from "../../platform/output.ts";
import { realFile } from "../../platform/real-file.ts";
import type { OwnObject } from "../../ports/leaving-calls.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import { byOf, settingsOf } from "../control/session.ts";
import { note } from "./command-session.ts";
import { type Evidence, evidenceNames, evidenceOf } from "./leaving-evidence.ts";
import { isBeside, openSide, type PairSettings, pairOf, pathOf, prepared } from "./pair.ts";
import { isPrepared } from "./reconcile.ts";

export interface ArchiveCommand {
  readonly config?: string;
  readonly out: string;
  /** The number of days that must have passed since a call or write last reached legacy. */
  readonly days: number;
  /** Evidence for which a person vouches, because the bridge cannot know it or a person knows better. */
  readonly accept: readonly string[];
  readonly removeBridge: boolean;
  /**
   * Confirms the removal. Without it, `removeBridge` only lists the objects to remove, and nothing is
   * written.
   */
  readonly yes: boolean;
  readonly reason: string;
  readonly actor?: string;
}

interface ArchiveReport {
  /** Whether the archive exists. Nothing is archived or removed without evidence. */
  readonly archived: boolean;
  readonly out: string;
  readonly evidence: readonly Evidence[];
  /**
   * The tables that were verified, each with the number and the digest of its rows, which are equal in the
   * database and the archive.
   */
  readonly tables: Archive;
  /** The objects that the bridge has created in each database. */
  readonly objects: Readonly<Record<Side, readonly OwnObject[]>> | null;
  readonly removed: boolean;
  /**
   * The number of rows of each of modern's tables, which could be read and written without the bridge; null
   * if this call has not removed the bridge from modern.
   */
  readonly proved: Readonly<Record<string, number>> | null;
}

/**
 * Archives legacy's database if nothing uses it any longer, and removes the bridge from both databases if
 * `removeBridge` is set. A removal may be repeated: it verifies the archive again, and continues where the
 * last one ended. Throws BAD_CONFIG, BAD_USAGE, and the errors of `archiveSqlite`.
 */
export async function archiveLegacy(options: ArchiveCommand): Promise<ArchiveReport> {
  const unknown = options.accept.find((name) => !evidenceNames.some((one) => one === name));
  if (unknown !== undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `${JSON.stringify(unknown)} is not the name of any evidence`,
      fix: `name some of ${evidenceNames.join(",")}`,
    });
  const settings = await settingsOf(options);
  const pair = pairOf(settings);
  const legacy = pathOf(pair, "legacy");
  if (legacy === undefined)
    throw new BridgeError("BAD_CONFIG", {
      what: "legacy's database must be a SQLite file",
      fix: "write stores: { legacy: sqlite:FILE }",
    });
  const [file, out] = [realFile(legacy), resolve(options.out)];
  if (!options.removeBridge) await checkNew(out, "name a new file with --out");
  const isMade = existsSync(out);
  const has = { legacy: await isPrepared(pair, "legacy"), modern: await isPrepared(pair, "modern") };
  // With an archive, a database without the bridge's tables means that an earlier removal has begun.
  const hasBegun = isMade && !(has.legacy && has.modern);
  const evidence = await evidenceOf(settings, { ...options, pair, file, hasBegun });
  const nothing = { out, evidence, tables: {}, objects: null, removed: false, proved: null };
  if (!evidence.every(({ holds, accepted }) => holds || accepted)) return { archived: isMade, ...nothing };
  const objects = options.removeBridge ? await ownObjects(pair, has) : null;
  if (objects !== null && !options.yes) return { archived: isMade, ...nothing, objects };
  const tables = isMade ? checkArchive(file, out, ownNames) : archiveSqlite(file, out);
  const found = { out, tables, evidence: evidence.map((one) => ({ ...one })) };
  if (!isMade) await note(settings, byOf(options), "archive", found);
  if (objects === null) return { archived: true, ...nothing, tables };
  const proved = await removeBridge(pair, has);
  if (has.legacy || has.modern) await note(settings, byOf(options), "remove-bridge", { ...found, proved });
  return { archived: true, ...nothing, tables, objects, removed: true, proved };
}

/**
 * The names of the bridge's tables, and of SQLite's own table of counters, which has a row for one of them.
 */
const ownNames: ReadonlySet<string> = new Set([
  ...ownTables.map((name) => `pnlb_${name}`),
  "sqlite_sequence",
]);

type Has = Readonly<Record<Side, boolean>>;

async function ownObjects(pair: PairSettings, has: Has): Promise<Record<Side, readonly OwnObject[]>> {
  const objectsOf = (side: Side) =>
    has[side] ? withStore(pair, side, (store) => store.call("ownObjects", null)) : [];
  const legacy = isBeside(pair)
    ? filesOf(pair).map((name) => ({ kind: "file", name, rows: null }) as const)
    : await objectsOf("legacy");
  return { legacy, modern: await objectsOf("modern") };
}

/** Returns the bridge's own files beside legacy's database. */
const filesOf = (pair: PairSettings): readonly string[] =>
  Object.values(besideFiles(pathOf(pair, "legacy") ?? "")).filter((file) => existsSync(file));

/**
 * Removes the bridge from the databases that still have its tables, each in one transaction. Modern's
 * database is first: as long as legacy has its fence, no writer of the bridge writes to legacy.
 */
export async function removeBridge(pair: PairSettings, has: Has): Promise<ArchiveReport["proved"]> {
  const proved = has.modern
    ? await withStore(pair, "modern", (store) => store.call("removeBridge", { keys: modernKeys }))
    : null;
  if (isBeside(pair))
    for (const file of filesOf(pair))
      for (const end of ["", "-wal", "-shm"]) rmSync(file + end, { force: true });
  else if (has.legacy) await withStore(pair, "legacy", (store) => store.call("removeBridge", { keys: {} }));
  return proved;
}

async function withStore<T>(
  pair: PairSettings,
  side: Side,
  work: (store: RecordStore) => Promise<T>,
): Promise<T> {
  const store = await openSide(pair, side, prepared);
  return work(store).finally(() => store.close());
}
