/**
 * One SQLite file of the database bridge's pair, synchronous: it lives in the thread of record-thread.ts.
 *
 * Each call is one transaction. An I/O error leaves no usable handle: the file is closed, and the next call
 * opens it again.
 */
import Database from "better-sqlite3";
import { BridgeError } from "../../base/errors.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Dialect } from "../../durable/dialect.ts";
import { readingCalls, recordCalls, WriteUndone } from "../../durable/record-calls.ts";
import { runNow, type Statement, StatementRefused, type Work } from "../../durable/work.ts";
import type { Answer, Given, RecordCall, StoredRow } from "../../ports/record-store.ts";
import { bridgeTables, modernTables } from "./record-schema.ts";

export interface RecordFileOptions {
  readonly path: string;
  readonly side: Side;
  /** Which side is authoritative in a pair that nothing has opened before. */
  readonly authority: Side;
  readonly creates: boolean;
  /** Drawn by chance; kept if the file has the bridge's tables already. */
  readonly incarnation: string;
}

export class RecordFile {
  readonly #options: RecordFileOptions;
  readonly #calls: ReturnType<typeof recordCalls>;
  #database: Database.Database | undefined;
  #statements = new Map<string, Database.Statement>();
  /** Ends a hold that lasts too long; undefined while nothing is held. */
  #holdTimer: NodeJS.Timeout | undefined;
  #isHolding = false;

  constructor(options: RecordFileOptions) {
    this.#options = options;
    this.#calls = recordCalls(dialectOf(options.side));
  }

  call<Name extends RecordCall>(name: Name, given: Given<Name>): Answer<Name> {
    const work: (given: Given<Name>) => Work<Answer<Name>> = this.#calls[name];
    try {
      return this.#transaction(readingCalls.has(name) ? "BEGIN" : "BEGIN IMMEDIATE", work(given));
    } catch (failure) {
      // Only a write that was alone in its call ends this way, and its answer is the call's only one.
      if (failure instanceof WriteUndone) return [failure.answer] as Answer<Name>;
      throw failure;
    }
  }

  /** Takes the write lock for the calls until `letGo`, or for `lastsMs` at most. */
  hold(lastsMs: number): null {
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
        what: "legacy's write lock was held for longer than the budget allows, and was let go",
        where: this.#options.path,
        fix: "raise database.cutover_budget_ms, or try again when fewer writes come",
      });
  }

  close(): void {
    clearTimeout(this.#holdTimer);
    this.#isHolding = false;
    this.#database?.close();
    this.#database = undefined;
    this.#statements = new Map();
  }

  #transaction<T>(begin: string, work: Work<T>): T {
    const database = this.#opened();
    this.#mustHold();
    const isHolding = this.#isHolding;
    this.#run({ sql: isHolding ? "SAVEPOINT call" : begin, values: [] });
    try {
      const value = runNow(work, (statement) => this.#run(statement));
      this.#run({ sql: isHolding ? "RELEASE call" : "COMMIT", values: [] });
      return value;
    } catch (failure) {
      // A full disk has ended the transaction already.
      if (isLost(failure)) this.close();
      else if (database.inTransaction) database.exec("ROLLBACK");
      throw failure;
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
      if (statement.reader) return statement.all(...values) as StoredRow[];
      statement.run(...values);
      return [];
    } catch (failure) {
      if (failure instanceof Database.SqliteError && failure.code.startsWith("SQLITE_CONSTRAINT"))
        throw new StatementRefused(failure.message, { cause: failure });
      throw failure;
    }
  }

  #opened(): Database.Database {
    if (this.#database !== undefined) return this.#database;
    const { path, side } = this.#options;
    const database = new Database(path, {
      timeout: 0,
      fileMustExist: side === "legacy" || !this.#options.creates,
    });
    try {
      if (side === "modern") database.pragma("journal_mode = WAL");
      // A file in WAL mode comes back with NORMAL, which may lose an acknowledged commit in a power cut.
      database.pragma("synchronous = FULL");
      // A checkpoint beside another process's is unsafe in versions of SQLite that a desk's Python may have.
      if (side === "legacy") database.pragma("wal_autocheckpoint = 0");
      // As legacy's own programs have it: Python's driver does not enforce foreign keys.
      if (side === "legacy") database.pragma("foreign_keys = OFF");
      this.#createTables(database);
    } catch (failure) {
      database.close();
      throw failure;
    }
    this.#database = database;
    return database;
  }

  /** Creates the bridge's tables where they are missing, and modern's own. */
  #createTables(database: Database.Database): void {
    const { path, side, authority, creates, incarnation } = this.#options;
    const isReady = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'pnlb_leases'").get();
    if (isReady !== undefined) return;
    if (!creates)
      throw new BridgeError("BAD_DATABASE", {
        what: `${side}'s database has no tables of the database bridge`,
        where: path,
        fix: "create them with `pnl-bridge db init`",
      });
    const create = database.transaction(() => {
      database.exec(bridgeTables);
      if (side === "modern") database.exec(modernTables);
      database
        .prepare("INSERT OR IGNORE INTO pnlb_fence (one, epoch, authority, incarnation) VALUES (1, 1, ?, ?)")
        .run(authority, incarnation);
    });
    create.immediate();
  }
}

const dialectOf = (side: Side): Dialect => ({
  side,
  rowsOf: (table) => (side === "modern" ? `newpnl_${table}` : table),
  own: (table) => `pnlb_${table}`,
  forShare: "",
  forUpdate: "",
  hasCheapSavepoints: true,
  keepsVersion: side === "modern",
});

/** After these the handle may show pages that never reached the disk. */
const isLost = (failure: unknown): boolean =>
  failure instanceof Database.SqliteError && /^SQLITE_(IOERR|CORRUPT|NOTADB)/.test(failure.code);
