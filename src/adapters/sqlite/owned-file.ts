/**
 * Opens database files that belong to this program. Synchronous, for the threads that own such files, where
 * waiting for the disk delays no answer. The header of a file names its program and its schema version;
 * another program's file is never changed.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { BridgeError } from "../../base/errors.ts";

export interface OwnedKind {
  /** SQLite's `application_id`, stored in the header, which distinguishes the file from other databases. */
  readonly applicationId: number;
  /** Step n takes a file from version n to n + 1. A released step is never changed. */
  readonly migrations: readonly string[];
  /**
   * FULL: commits survive a power cut. NORMAL: commits survive the death of every process, and none waits for
   * the disk.
   */
  readonly synchronous: "FULL" | "NORMAL";
  /** The fix in messages about a foreign, damaged or newer file. */
  readonly fix: string;
}

/**
 * Opens the file and brings its schema to the current version. Creates the file and its folder where they are
 * missing, unless `mustExist`. Throws BAD_DATABASE for another program's file, and SqliteError SQLITE_BUSY,
 * with nothing changed, while another connection holds a lock that is needed. Opening a file of the current
 * version writes nothing and takes no lock that blocks a writer.
 */
export function openOwned(path: string, kind: OwnedKind, { mustExist = false } = {}): Database.Database {
  if (!mustExist) mkdirSync(dirname(path), { recursive: true });
  const found = statSync(path, { throwIfNoEntry: false });
  // SQLite treats a file that is shorter than a header as empty, and would overwrite it.
  if (found?.isFile() && found.size > 0 && found.size < 512)
    throw badOwned(path, kind, "the file is not an SQLite database");
  // No busy timeout: a wait inside SQLite blocks the thread's reads too, and its pauses lose against a writer
  // in a tight loop.
  const database = new Database(path, { timeout: 0, fileMustExist: mustExist });
  try {
    const version = versionOf(database, path, kind);
    // A copy is being restored, or the file was emptied. Creating the schema now would make an empty store.
    if (mustExist && version === 0)
      throw new BridgeError("SYSTEM_DOWN", {
        what: "the file is empty after it was missing",
        where: path,
        fix: "restore it from a backup",
      });
    database.pragma("journal_mode = WAL");
    database.pragma(`synchronous = ${kind.synchronous}`);
    if (version < kind.migrations.length)
      database.transaction(() => migrate(database, path, kind)).immediate();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

const badOwned = (path: string, { fix }: OwnedKind, what: string): BridgeError =>
  new BridgeError("BAD_DATABASE", { what, where: path, fix });

/** Undefined if the file does not exist. */
export const inodeOf = (path: string): bigint | undefined =>
  statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;

export const isDamage = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code);

/** Whether another process has just moved the file aside: SQLite no longer finds a part of it. */
export const isMovedAway = (error: unknown): boolean =>
  error instanceof Database.SqliteError && /^SQLITE_IOERR_(DELETE_NOENT|FSTAT)$/.test(error.code);

function migrate(database: Database.Database, path: string, kind: OwnedKind): void {
  // Reads the version again under the lock: another process may have migrated the file.
  for (const step of kind.migrations.slice(versionOf(database, path, kind))) database.exec(step);
  database.pragma(`application_id = ${kind.applicationId}`);
  database.pragma(`user_version = ${kind.migrations.length}`);
}

/** 0 for an empty database, which becomes ours. */
function versionOf(database: Database.Database, path: string, kind: OwnedKind): number {
  // One transaction, so that no migration happens between the reads.
  const { id, version, objects } = database.transaction(() => ({
    id: database.pragma("application_id", { simple: true }),
    version: Number(database.pragma("user_version", { simple: true })),
    objects: database.prepare("SELECT count(*) FROM sqlite_schema").pluck().get(),
  }))();
  if (id === 0 && version === 0 && objects === 0) return 0;
  if (id !== kind.applicationId) throw badOwned(path, kind, "the file is another program's database");
  const known = kind.migrations.length;
  if (version > known)
    throw badOwned(path, kind, `the file has version ${version}, this pnl-bridge knows ${known}`);
  return version;
}
