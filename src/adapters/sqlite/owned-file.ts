/**
 * A database file that is this program's own, synchronous: for the threads in which such files live, where waiting for the disk delays
 * nobody. Its header says whose it is, and which version of the schema it has; a file that is somebody else's is left as it is.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { BridgeError } from "../../base/errors.ts";

export interface OwnedKind {
  /** In the header of the file, by which `file` and we tell it from other databases. */
  readonly applicationId: number;
  /** Step n brings a file from version n to n + 1. A step that was released is never changed. */
  readonly migrations: readonly string[];
  /** FULL: what was committed survives a power cut. NORMAL: it survives the death of every process, and no commit waits for the disk. */
  readonly synchronous: "FULL" | "NORMAL";
  /** How to fix it where the file is not what it should be. */
  readonly fix: string;
}

/**
 * Creates the file and its folder where they are missing, unless it `mustExist`. Throws BAD_DATABASE for a file that is not ours, and
 * SqliteError SQLITE_BUSY, with nothing changed, where another connection holds the lock. Of a file that has its version nothing is
 * written, and no lock that a writer could feel is taken.
 */
export function openOwned(path: string, kind: OwnedKind, { mustExist = false } = {}): Database.Database {
  if (!mustExist) mkdirSync(dirname(path), { recursive: true });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  // What is shorter than a header SQLite takes for empty, and would write over it.
  if (size > 0 && size < 512) throw badOwned(path, kind, "the file is no SQLite database");
  // Waiting inside SQLite would also keep readers waiting, and in steps that a writer in a tight loop outlasts.
  const database = new Database(path, { timeout: 0, fileMustExist: mustExist });
  try {
    const version = versionOf(database, path, kind);
    // Somebody is putting a copy back, or has emptied it: what is made here now would be a store that nobody has filled.
    if (mustExist && version === 0)
      throw new BridgeError("SYSTEM_DOWN", { what: "the file is there again, and empty", where: path, fix: "bring it back" });
    database.pragma("journal_mode = WAL");
    database.pragma(`synchronous = ${kind.synchronous}`);
    if (version < kind.migrations.length) database.transaction(() => migrate(database, path, kind)).immediate();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

const badOwned = (path: string, { fix }: OwnedKind, what: string): BridgeError =>
  new BridgeError("BAD_DATABASE", { what, where: path, fix });

/** Undefined where there is no file. */
export const inodeOf = (path: string): bigint | undefined => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;

export const isDamage = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code);

/** Another process has just moved the file aside: SQLite misses a part of it that it has seen. */
export const isMovedAway = (error: unknown): boolean =>
  error instanceof Database.SqliteError && error.code === "SQLITE_IOERR_DELETE_NOENT";

function migrate(database: Database.Database, path: string, kind: OwnedKind): void {
  // Again, under the lock: somebody else may have been faster.
  for (const step of kind.migrations.slice(versionOf(database, path, kind))) database.exec(step);
  database.pragma(`application_id = ${kind.applicationId}`);
  database.pragma(`user_version = ${kind.migrations.length}`);
}

/** 0 for an empty database, which becomes ours. */
function versionOf(database: Database.Database, path: string, kind: OwnedKind): number {
  // In one transaction, so that a migration cannot come between.
  const { id, version, objects } = database.transaction(() => ({
    id: database.pragma("application_id", { simple: true }),
    version: Number(database.pragma("user_version", { simple: true })),
    objects: database.prepare("SELECT count(*) FROM sqlite_schema").pluck().get(),
  }))();
  if (id === 0 && version === 0 && objects === 0) return 0;
  if (id !== kind.applicationId) throw badOwned(path, kind, "the file is a database of somebody else");
  const known = kind.migrations.length;
  if (version > known) throw badOwned(path, kind, `the file has version ${version}, this pnl-bridge knows ${known}`);
  return version;
}
