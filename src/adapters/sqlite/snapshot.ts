/**
 * Reads one consistent state of an SQLite database that another process may be writing, without a lock that
 * blocks the writer.
 *
 * Even a read transaction takes a lock: under a rollback journal it makes a commit fail, and in WAL mode it
 * writes to the -shm file. So SQLite never opens the desk's file here. Its bytes are copied to a private
 * temporary folder, the database first and then its journal or WAL. The files beside the database before and
 * after the copy prove which state the copy holds:
 *
 * - neither journal nor WAL, and unchanged size, times and header (with the change counter): nobody wrote, so
 *   the copy is the state.
 * - the same hot journal before and after (by its nonce): one transaction was in progress all the time, or
 *   its writer was killed. The journal holds every page that it may have changed, so SQLite rolls the copy
 *   back to the state before the transaction.
 * - the same WAL generation before and after (by its salts): pages of the database change only to contents
 *   that the WAL holds, and the WAL only grows. SQLite replays the copied WAL up to its last valid commit.
 *
 * In any other case the copy is repeated, for a bounded time. A proved copy must also pass quick_check. The
 * first proof is weaker for a writer without a journal on disk (journal_mode MEMORY or OFF): only the file's
 * times show its writes, at the system's resolution.
 *
 * Opening and closing a file drops this process's POSIX locks on it, so a file that this process has open in
 * SQLite is refused.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextRound, setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { backOffMs } from "../../base/back-off.ts";
import { BridgeError, codeOf } from "../../base/errors.ts";
import { copyFile } from "../../platform/copy-file.ts";
import { mustNotBeDatabase } from "../../platform/open-files.ts";
import { holdTemporary, removeLeftovers, temporaryName } from "../../platform/temporaries.ts";

/** The first and the longest pause between two attempts. */
const pauses = { firstMs: 1, lastMs: 50 };
/**
 * After this many copies that were proved consistent and yet are damaged, the file itself is reported as
 * damaged.
 */
const damagedMax = 3;

/**
 * Returns the result of `read` on one consistent state. `read` gets a read-only connection to the copy, which
 * is closed and removed afterwards. Throws UNREADABLE, BAD_DATABASE (not SQLite, empty, encrypted, damaged),
 * DATABASE_BUSY after `waitMsMax`, UNWRITABLE (no space for the copy), INTERNAL if a thread of this process
 * has the file open, and the errors of `read`.
 */
export async function readSnapshot<T>(
  path: string,
  read: (database: Database.Database) => T,
  { waitMsMax }: { readonly waitMsMax: number },
): Promise<T> {
  mustNotBeDatabase(path);
  const source = realFile(path);
  await removeLeftovers(tmpdir());
  const started = performance.now();
  let damaged = 0;
  for (let failures = 1; ; failures += 1) {
    const attempt = await tryOnce(source, path, read);
    if (attempt.kind === "read") return attempt.value;
    if (attempt.kind === "damaged") {
      damaged += 1;
      if (damaged >= damagedMax) throw attempt.error;
    } else if (performance.now() - started > waitMsMax) {
      throw new BridgeError("DATABASE_BUSY", {
        what: `the database kept changing during copies for ${waitMsMax} ms`,
        where: path,
        fix: "try again when the desk writes less, or name a backup of the file",
      });
    }
    await sleep(backOffMs(pauses, failures));
  }
}

type Attempt<T> =
  | { readonly kind: "read"; readonly value: T }
  | { readonly kind: "changed" }
  | { readonly kind: "damaged"; readonly error: BridgeError };

/**
 * Makes one attempt in a temporary folder of its own, which is removed even if a signal ends the process
 * meanwhile.
 */
async function tryOnce<T>(
  source: string,
  path: string,
  read: (database: Database.Database) => T,
): Promise<Attempt<T>> {
  const folder = temporaryFolder();
  using _held = holdTemporary(folder);
  try {
    return copyAndRead(source, path, join(folder, "copy.db"), read);
  } finally {
    rmSync(folder, { recursive: true, force: true });
    // The event loop delivers a signal that came during the copy in its next round; its handler must still be
    // installed then.
    for (let round = 0; round < 2; round++) await nextRound();
  }
}

/** Synchronous, so that as little time as possible passes between the two inspections of the file. */
function copyAndRead<T>(
  source: string,
  path: string,
  copy: string,
  read: (database: Database.Database) => T,
): Attempt<T> {
  const before = look(source, path, "database");
  copyAs(source, copy, path);
  if (before.journal !== null && !copyIfThere(`${source}-journal`, `${copy}-journal`))
    return { kind: "changed" };
  if (before.wal !== null && !copyIfThere(`${source}-wal`, `${copy}-wal`)) return { kind: "changed" };
  if (!isOneState(before, look(source, path, "journals"))) return { kind: "changed" };
  const error = recover(copy, path);
  return error === undefined
    ? { kind: "read", value: readCopy(copy, path, read) }
    : { kind: "damaged", error };
}

interface Look {
  readonly inode: bigint;
  readonly sizeAndTimes: string;
  /**
   * The 100 bytes of the database header: page size, change counter (24-27), schema cookie, journal kind (18,
   * 19).
   */
  readonly header: string;
  /** The part of a hot journal that is constant during its transaction; null without a hot journal. */
  readonly journal: string | null;
  /** The part of a WAL that is constant until the WAL starts over; null without a WAL or for an empty one. */
  readonly wal: string | null;
}

const isOneState = (before: Look, after: Look): boolean => {
  if (before.inode !== after.inode || before.journal !== after.journal || before.wal !== after.wal)
    return false;
  if (before.journal !== null || before.wal !== null) return true;
  return before.sizeAndTimes === after.sizeAndTimes && before.header === after.header;
};

const magic = Buffer.from("SQLite format 3\0");
const journalMagic = Buffer.from("d9d505f920a163d7", "hex");

/**
 * Inspects the database and the journals beside it. The order matters. Before the copy the database comes
 * first: a transaction that has already changed its header either ends before the journal is read, or its
 * journal is found. After the copy the journals come first: a transaction that has ended by then has changed
 * the header.
 */
function look(source: string, path: string, first: "database" | "journals"): Look {
  const early = first === "database" ? headOf(source, 100, path) : undefined;
  const journal = headOf(`${source}-journal`, 28);
  const wal = headOf(`${source}-wal`, 32);
  const database = early ?? headOf(source, 100, path);
  if (database === undefined) throw unreadable(path, "ENOENT");
  const { bytes, stats } = database;
  if (stats.size === 0n) throw badDatabase(path, "the file is empty");
  if (!bytes.subarray(0, magic.length).equals(magic))
    throw badDatabase(path, "the file is not an SQLite database, or it is encrypted");
  return {
    inode: stats.ino,
    sizeAndTimes: `${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}`,
    header: bytes.toString("hex"),
    // A journal that is empty or has a zeroed header is finished. Bytes 8-11 count its pages and grow during
    // the transaction.
    journal: journal?.bytes.subarray(0, 8).equals(journalMagic)
      ? `${journal.stats.ino} ${journal.bytes.subarray(12).toString("hex")}`
      : null,
    wal:
      wal !== undefined && wal.bytes.length === 32 ? `${wal.stats.ino} ${wal.bytes.toString("hex")}` : null,
  };
}

/**
 * The first `length` bytes of a file, or all of a shorter one; undefined for a missing file. `shown` is its
 * name in errors.
 */
function headOf(file: string, length: number, shown = file) {
  let descriptor: number | undefined;
  try {
    // Without O_NONBLOCK, opening a pipe waits for a writer.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(descriptor).isFile()) throw notRegular(shown);
    const buffer = Buffer.alloc(length);
    const filled = readSync(descriptor, buffer, 0, length, 0);
    return { bytes: buffer.subarray(0, filled), stats: fstatSync(descriptor, { bigint: true }) };
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw cause instanceof BridgeError ? cause : unreadable(shown, cause);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function copyIfThere(from: string, to: string): boolean {
  try {
    copyAs(from, to);
    return true;
  } catch (error) {
    if (error instanceof BridgeError && codeOf(error.cause) === "ENOENT") return false;
    throw error;
  }
}

function copyAs(from: string, to: string, shown = from): void {
  try {
    copyFile(from, to);
  } catch (cause) {
    const code = codeOf(cause);
    throw ["ENOSPC", "EDQUOT", "EROFS", "EFBIG"].includes(code)
      ? noRoom(code, cause)
      : unreadable(shown, cause);
  }
}

/**
 * Lets SQLite roll the copy back or replay its WAL, and checks its integrity. Returns the error of a damaged
 * copy.
 */
function recover(copy: string, path: string): BridgeError | undefined {
  try {
    using database = opened(copy, false);
    const complaints = database.prepare<[], string>("PRAGMA quick_check(100)").pluck().all();
    const structural = complaints.find(
      (complaint) => complaint !== "ok" && !contentComplaint.test(complaint),
    );
    if (structural !== undefined) return badDatabase(path, `the database is damaged: ${structural}`);
    database.pragma("journal_mode = DELETE");
    return undefined;
  } catch (cause) {
    return explained(path, cause);
  }
}

/**
 * A line of quick_check about a value that breaks a rule of its table. The desk stored the value that way, so
 * the line does not mean that the copy is torn.
 */
const contentComplaint = /^(NULL|NUMERIC|TEXT|NON-\w+) value in |^CHECK constraint failed in /;

function readCopy<T>(copy: string, path: string, read: (database: Database.Database) => T): T {
  try {
    using database = opened(copy, true);
    database.pragma("query_only = 1");
    database.pragma("trusted_schema = 0");
    return read(database);
  } catch (cause) {
    throw cause instanceof Database.SqliteError ? explained(path, cause) : cause;
  }
}

function opened(copy: string, readonly: boolean): Database.Database & Disposable {
  const database = new Database(copy, { readonly, fileMustExist: true });
  return Object.assign(database, { [Symbol.dispose]: () => void database.close() });
}

/** Maps an SQLite failure on the copy to an error about the file or about this machine. */
function explained(path: string, cause: unknown): BridgeError {
  if (!(cause instanceof Database.SqliteError)) throw cause;
  if (cause.code === "SQLITE_FULL" || cause.code.startsWith("SQLITE_IOERR")) throw noRoom(cause.code, cause);
  if (cause.code === "SQLITE_NOTADB")
    return badDatabase(path, "the file is not an SQLite database, or it is encrypted", cause);
  return badDatabase(path, `the database is damaged: ${cause.message}`, cause);
}

function realFile(path: string): string {
  try {
    // SQLite keeps journals beside the target of a link.
    const real = realpathSync(path);
    if (!statSync(real).isFile()) throw notRegular(path);
    return real;
  } catch (cause) {
    throw cause instanceof BridgeError ? cause : unreadable(path, cause);
  }
}

function temporaryFolder(): string {
  try {
    const folder = join(tmpdir(), temporaryName());
    mkdirSync(folder, { mode: 0o700 });
    return folder;
  } catch (cause) {
    throw noRoom(codeOf(cause), cause);
  }
}

const notRegular = (path: string): BridgeError =>
  new BridgeError("UNREADABLE", {
    what: "this is not a regular file",
    where: path,
    fix: "name a regular file; the journals beside it must be regular files too",
  });

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "the database does not exist",
  EACCES: "permission to read the database, or the journal beside it, is denied",
};

function unreadable(path: string, cause: unknown): BridgeError {
  const code = typeof cause === "string" ? cause : codeOf(cause) || String(cause);
  return new BridgeError("UNREADABLE", {
    what: reasons[code] ?? `the database cannot be read: ${code}`,
    where: path,
    cause,
  });
}

const noRoom = (code: string, cause: unknown): BridgeError =>
  new BridgeError("UNWRITABLE", {
    what: `the database cannot be copied to the temporary folder: ${code}`,
    where: tmpdir(),
    fix: "free space there, or set TMPDIR to another folder",
    cause,
  });

export const badDatabase = (path: string, what: string, cause?: unknown): BridgeError =>
  new BridgeError("BAD_DATABASE", { what, where: path, fix: "name the desk's pnl_tracker.db", cause });
