/**
 * One SQLite file of the database bridge's pair. It is synchronous, and record-thread.ts runs it.
 *
 * Each call is one transaction. An I/O error leaves no usable handle: the file is closed, and the next call
 * opens it again.
 */
import { existsSync, type StatsFs, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { BridgeError } from "../../base/errors.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Dialect } from "../../durable/dialect.ts";
import { readingCalls, recordCalls, WriteUndone } from "../../durable/record-calls.ts";
import { RowAccess } from "../../durable/row-access.ts";
import { numberIn, runNow, type Statement, StatementRefused, textIn, type Work } from "../../durable/work.ts";
import { realFile } from "../../platform/real-file.ts";
import { remoteFileSystems } from "../../platform/remote-file-systems.ts";
import type { Answer, Given, RecordCall, StoredRow } from "../../ports/record-store.ts";
import { Beside, besideFiles, besideTables, type Intent, legacyOnly, mustBeInPlace } from "./beside.ts";
import { changedTables, shapeOf } from "./legacy-shape.ts";
import { bridgeTables, modernTables } from "./record-schema.ts";

export interface RecordFileOptions {
  readonly path: string;
  readonly side: Side;
  /** The authoritative side of a pair of databases that has never been opened. */
  readonly authority: Side;
  readonly creates: boolean;
  /** Whether the bridge's tables are in a file beside legacy's. Default: no. */
  readonly isBeside?: boolean;
  /** Drawn at random; used only if the bridge's tables are created now. */
  readonly incarnation: string;
  /** The size above which legacy's WAL is emptied while nobody else writes. Default: 64 MB. */
  readonly walBytesMax?: number;
}

/**
 * The settings of each connection. SQLite forgets them when the file is closed, and a file in WAL mode comes
 * back with `synchronous = NORMAL`, which may lose an acknowledged commit in a power cut. Under a rollback
 * journal FULL may lose it too, because a commit removes the journal and only EXTRA syncs its folder.
 * Legacy's own programs do not enforce foreign keys. A checkpoint at the same time as another process's is
 * unsafe in versions of SQLite that a desk's Python may have, so legacy's connection makes none by itself.
 * The copies of pages for a savepoint stay in memory.
 */
const settings = {
  legacy: { synchronous: 3, temp_store: 2, foreign_keys: 0, busy_timeout: 0, wal_autocheckpoint: 0 },
  modern: { synchronous: 2, temp_store: 2, busy_timeout: 0 },
} as const satisfies Record<Side, Readonly<Record<string, number>>>;

export const walBytesMax = 64 * 2 ** 20;

/** Returns the size of a database's WAL, which SQLite keeps beside the file to which a link leads. */
export const walBytes = (path: string): number =>
  statSync(`${realFile(path)}-wal`, { throwIfNoEntry: false })?.size ?? 0;

/** How often the size of the WAL is checked. */
const walLookMs = 1_000;

/** Throws BAD_DATABASE for a file on a network file system. `typeOf` reads the type of a file system. */
export function mustBeLocal(
  path: string,
  typeOf: (folder: string) => Pick<StatsFs, "type"> = statfsSync,
): void {
  const remote = remoteFileSystems.get(typeOf(dirname(realFile(path))).type);
  if (remote !== undefined)
    throw new BridgeError("BAD_DATABASE", {
      what: `the database is on a network file system (${remote}), where SQLite's locks do not protect it`,
      where: path,
      fix: "run the bridge on the machine that holds the file, on its local disk",
    });
}

/** The calls that read or write the records themselves. */
const recordsCalls: ReadonlySet<RecordCall> = new Set(["write", "apply", "claimRows", "rehearse", "repair"]);

export class RecordFile {
  readonly #options: RecordFileOptions;
  readonly #calls: ReturnType<typeof recordCalls>;
  #database: Database.Database | undefined;
  #statements = new Map<string, Database.Statement>();
  /** Releases a write lock that is held for too long; undefined while none is held. */
  #holdTimer: NodeJS.Timeout | undefined;
  #isHolding = false;
  /** The files that are open, and device and inode of each. */
  #files: readonly string[] = [];
  #identity = "";
  #walLookMs = 0;
  /** A number that changes with each commit of another connection. */
  #foreignCommits = -1;
  /** The version of the file's schema at which legacy's tables were last found unchanged, and their shape. */
  #schemaVersion = -1;
  #shape = "";
  /** Undefined if the bridge's tables are in this file. */
  #beside: Beside | undefined;
  /** The changes of the bridge's tables in the transaction of a call, if they are beside legacy's file. */
  #made: Statement[] = [];

  constructor(options: RecordFileOptions) {
    this.#options = options;
    this.#calls = recordCalls(dialectOf(options.side));
  }

  call<Name extends RecordCall>(name: Name, given: Given<Name>): Answer<Name> {
    try {
      return this.#transaction(name, given);
    } catch (failure) {
      // Only a write that was alone in its call ends this way, and its answer is the call's only one.
      if (failure instanceof WriteUndone) return [failure.answer] as Answer<Name>;
      throw failure;
    }
  }

  /** Takes the write lock for the calls until `letGo`, or for `lastsMs` at most. */
  hold(lastsMs: number): null {
    if (this.#options.isBeside === true) throw new BridgeError("REFUSED", legacyOnly);
    this.#run({ sql: "BEGIN IMMEDIATE", values: [] });
    this.#isHolding = true;
    this.#holdTimer = setTimeout(() => this.#opened().exec("ROLLBACK"), lastsMs);
    return null;
  }

  letGo(how: "commit" | "rollback"): null {
    clearTimeout(this.#holdTimer);
    this.#mustHold();
    this.#isHolding = false;
    this.#opened().exec(how === "commit" ? "COMMIT" : "ROLLBACK");
    return null;
  }

  #mustHold(): void {
    if (this.#isHolding && !this.#opened().inTransaction)
      throw new BridgeError("DATABASE_BUSY", {
        what: "legacy's write lock was held for longer than the budget allows, and was released",
        where: this.#options.path,
        fix: "raise database.cutover_budget_ms, or try again when fewer writes come",
      });
  }

  close(): void {
    clearTimeout(this.#holdTimer);
    this.#isHolding = false;
    this.#database?.close();
    this.#beside?.close();
    this.#database = undefined;
    this.#beside = undefined;
    this.#statements = new Map();
  }

  #transaction<Name extends RecordCall>(name: Name, given: Given<Name>): Answer<Name> {
    const database = this.#opened();
    this.#mustHold();
    this.#mustBeSameFile();
    const isHolding = this.#isHolding;
    let intent: Intent | undefined;
    try {
      if (isHolding) this.#run({ sql: "SAVEPOINT call", values: [] });
      else if (readingCalls.has(name)) this.#run({ sql: "BEGIN", values: [] });
      else this.#begin();
      if (this.#options.side === "legacy" && recordsCalls.has(name)) this.#checkTables(database);
      const rows = this.#beside?.rowsOf(name, given, this.#shape) ?? [];
      this.#made = [];
      const work: (given: Given<Name>) => Work<Answer<Name>> = this.#calls[name];
      const value = runNow(work(given), (statement) => this.#run(statement));
      intent = this.#beside?.intend(rows, this.#made);
      this.#run({ sql: isHolding ? "RELEASE call" : "COMMIT", values: [] });
      if (intent !== undefined) this.#beside?.clear(intent);
      if (this.#options.side === "legacy" && !isHolding) this.#emptyWal(database);
      return value;
    } catch (failure) {
      // A full disk has ended the transaction already.
      const isOpen = database.open && database.inTransaction;
      if (isLost(failure) || (intent !== undefined && !isOpen)) this.close();
      else if (isOpen) {
        database.exec("ROLLBACK");
        if (intent !== undefined) this.#beside?.clear(intent);
      }
      if (name === "moveFence" && this.#options.isBeside === true && failure instanceof StatementRefused)
        throw new BridgeError("REFUSED", legacyOnly);
      throw failure;
    }
  }

  /** Begins a transaction that writes, after one that may be half done is settled. */
  #begin(): void {
    for (;;) {
      this.#run({ sql: "BEGIN IMMEDIATE", values: [] });
      const intent = this.#beside?.pending();
      if (intent === undefined) return;
      this.#beside?.settle(intent);
      this.#run({ sql: "COMMIT", values: [] });
      this.#beside?.clear(intent);
    }
  }

  #run({ sql, values }: Statement): readonly StoredRow[] {
    const database = this.#opened();
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    try {
      const rows = statement.reader
        ? (statement.all(...values) as StoredRow[])
        : statement.run(...values).changes > 0
          ? [{}]
          : [];
      if (this.#beside !== undefined && isKept(statement)) this.#made.push({ sql, values });
      return rows;
    } catch (failure) {
      if (failure instanceof Database.SqliteError && failure.code.startsWith("SQLITE_CONSTRAINT"))
        throw new StatementRefused(failure.message, { cause: failure });
      throw failure;
    }
  }

  /** Throws if another file has taken the place of this one: a write into it would be lost. */
  #mustBeSameFile(): void {
    const { path, side } = this.#options;
    if (this.#files.map(identityOf).join() !== this.#identity)
      throw new BridgeError("FILE_REPLACED", {
        what: `another file has taken the place of ${side}'s database, which this process has open`,
        where: path,
        fix: "end every process that uses the database, then start them again",
      });
  }

  /**
   * Empties a large WAL, which otherwise may stay large until legacy's own program is closed. The checkpoint
   * keeps all other writers out, and is made only if none of them has committed since the last check.
   */
  #emptyWal(database: Database.Database): void {
    const nowMs = performance.now();
    if (nowMs < this.#walLookMs) return;
    this.#walLookMs = nowMs + walLookMs;
    // Only the bridge opens its own file, so a checkpoint of it disturbs no program of legacy.
    if (this.#beside !== undefined) database.pragma("beside.wal_checkpoint(PASSIVE)");
    const { path, walBytesMax: bytesMax = walBytesMax } = this.#options;
    const foreign = Number(database.pragma("data_version", { simple: true }));
    const isQuiet = foreign === this.#foreignCommits;
    this.#foreignCommits = foreign;
    if (isQuiet && walBytes(path) > bytesMax) database.pragma("main.wal_checkpoint(TRUNCATE)");
  }

  /**
   * Compares legacy's tables with their accepted form, whenever anything in the file's schema has changed.
   * The tables of a new pair count as accepted.
   */
  #checkTables(database: Database.Database): void {
    const version = numberIn(this.#run({ sql: "PRAGMA schema_version", values: [] })[0], "schema_version");
    if (version === this.#schemaVersion) return;
    this.#statements = new Map();
    const shape = shapeOf(database);
    const [fence] = this.#run({ sql: "SELECT shape FROM pnlb_fence", values: [] });
    const accepted = textIn(fence, "shape");
    this.#shape = shape;
    if (accepted === "") this.#run({ sql: "UPDATE pnlb_fence SET shape = ?", values: [shape] });
    else if (accepted === shape) this.#schemaVersion = version;
    else
      throw new BridgeError("BAD_DATABASE", {
        what: `somebody has changed the columns or unique keys of legacy's ${changedTables(accepted, shape)}`,
        where: this.#options.path,
        fix: "change them back; or check that the mapping holds, and accept them with `pnl-bridge db init`",
      });
  }

  #opened(): Database.Database {
    if (this.#database !== undefined) return this.#database;
    const { path, side } = this.#options;
    mustBeLocal(path);
    const database = new Database(path, {
      timeout: 0,
      fileMustExist: side === "legacy" || !this.#options.creates,
    });
    try {
      if (side === "modern") database.pragma("journal_mode = WAL");
      for (const [name, value] of Object.entries(settings[side])) mustSet(database, name, value, path);
      this.#files = [path];
      if (this.#options.isBeside === true) this.#attach(database);
      else this.#createTables(database);
      this.#database = database;
      this.#identity = this.#files.map(identityOf).join();
      this.#schemaVersion = -1;
      if (this.#beside?.pending() !== undefined) {
        this.#begin();
        this.#run({ sql: "COMMIT", values: [] });
      }
    } catch (failure) {
      database.close();
      this.close();
      throw failure;
    }
    return database;
  }

  /**
   * Opens the bridge's own files beside legacy's. SQLite finds the bridge's tables there by their names
   * alone, because legacy's file has none of them.
   */
  #attach(database: Database.Database): void {
    const { path, side, creates } = this.#options;
    mustBeInPlace(path, { isBeside: true, isInside: hasBridge(database) });
    const { tables, intents } = besideFiles(path);
    if (!creates && !existsSync(tables)) throw this.#noTables();
    const own = new Database(tables, { timeout: 0 });
    try {
      own.pragma("journal_mode = WAL");
      this.#createTables(own);
    } finally {
      own.close();
    }
    database.prepare("ATTACH ? AS beside").run(tables);
    mustSet(database, "beside.synchronous", settings.legacy.synchronous, tables);
    this.#files = [path, tables, intents];
    this.#beside = new Beside(intents, {
      run: (statement) => this.#run(statement),
      access: new RowAccess(dialectOf(side)),
      quarantine: this.#calls.recordChunk,
    });
  }

  #noTables(): BridgeError {
    return new BridgeError("BAD_DATABASE", {
      what: `${this.#options.side}'s database has no tables of the database bridge`,
      where: this.#options.path,
      fix: "create them with `pnl-bridge db init`",
    });
  }

  /** Creates the bridge's tables where they are missing, and modern's own. */
  #createTables(database: Database.Database): void {
    const { path, side, authority, creates, incarnation, isBeside = false } = this.#options;
    if (hasTable(database, newestTable)) return;
    if (!creates) throw this.#noTables();
    if (side === "legacy" && !isBeside && !hasBridge(database))
      mustBeInPlace(path, { isBeside, isInside: false });
    if (isBeside && authority === "modern") throw new BridgeError("REFUSED", legacyOnly);
    const create = database.transaction(() => {
      database.exec(bridgeTables);
      if (isBeside) database.exec(besideTables);
      if (side === "modern") database.exec(modernTables);
      database
        .prepare("INSERT OR IGNORE INTO pnlb_fence (one, epoch, authority, incarnation) VALUES (1, 1, ?, ?)")
        .run(authority, incarnation);
    });
    create.immediate();
  }
}

/** Sets a setting of a connection and reads it back. */
function mustSet(database: Database.Database, name: string, value: number, where: string): void {
  database.pragma(`${name} = ${value}`);
  const found = database.pragma(name, { simple: true });
  if (found !== value)
    throw new BridgeError("BAD_DATABASE", {
      what: `SQLite keeps ${name} at ${found} instead of ${value}`,
      where,
      fix: "use the SQLite that comes with this package",
    });
}

const hasTable = (database: Database.Database, name: string): boolean =>
  database.prepare("SELECT 1 FROM main.sqlite_schema WHERE name = ?").get(name) !== undefined;

const hasBridge = (database: Database.Database): boolean => hasTable(database, "pnlb_reconciles");

/** The newest table of the bridge, which files of earlier releases lack. */
const newestTable = "pnlb_unstorable";

/**
 * Whether an intent stores a statement: one that changes the bridge's tables, or that is about a savepoint.
 */
const isKept = ({ source, readonly }: Database.Statement): boolean =>
  /^(SAVEPOINT|RELEASE|ROLLBACK TO) /.test(source) || (!readonly && source.includes("pnlb_"));

const dialectOf = (side: Side): Dialect => ({
  side,
  rowsOf: (table) => (side === "modern" ? `newpnl_${table}` : table),
  own: (table) => `pnlb_${table}`,
  forShare: "",
  forUpdate: "",
  hasCheapSavepoints: true,
  keepsVersion: side === "modern",
  keepsMigrations: false,
});

/** Whether, after this failure, the handle may show pages that never reached the disk. */
const isLost = (failure: unknown): boolean =>
  failure instanceof Database.SqliteError && /^SQLITE_(IOERR|CORRUPT|NOTADB)/.test(failure.code);

/** Empty if there is no file. */
function identityOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? "" : `${found.dev} ${found.ino}`;
}
