/** The file watcher's journal in one SQLite file. It is synchronous, and journal-thread.ts runs it. */
import { hash } from "node:crypto";
import Database from "better-sqlite3";
import {
  journalCalls,
  journalFormat,
  journalTables,
  readingJournalCalls,
} from "../../durable/file-journal.ts";
import { runNow, type Statement, StatementRefused, type Work } from "../../durable/work.ts";
import { tradeKeyText } from "../../engine/trade-key.ts";
import type { FileJournalCall, FileJournalCalls } from "../../ports/file-journal.ts";
import type { StoredRow } from "../../ports/record-store.ts";
import { openOwned } from "./owned-file.ts";

export interface JournalFileOptions {
  /** `:memory:` for a journal that ends with the process. */
  readonly path: string;
  /** Drawn at random; used only if the journal is created now. */
  readonly incarnation: string;
}

export class JournalFile {
  readonly #database: Database.Database;
  readonly #calls = journalCalls((trade) =>
    // The key that the trade has as the first occurrence, so that equal rows have one key.
    hash("sha256", tradeKeyText({ ...trade, instantUs: trade.timeUs, occurrence: 1 })).slice(0, 32),
  );
  readonly #statements = new Map<string, Database.Statement>();

  constructor({ path, incarnation }: JournalFileOptions) {
    this.#database =
      path === ":memory:"
        ? new Database(path).exec(journalTables)
        : openOwned(path, {
            applicationId: 0x706e6c66,
            migrations: [journalTables],
            synchronous: "FULL",
            fix: "name another file, or restore the journal from a backup",
          });
    this.#database
      .prepare("INSERT OR IGNORE INTO lease VALUES (1, ?, 0, '', 0, ?)")
      .run(incarnation, journalFormat);
  }

  /** Runs one call as one transaction. */
  call<Name extends FileJournalCall>(
    name: Name,
    given: Parameters<FileJournalCalls[Name]>[0],
  ): ReturnType<FileJournalCalls[Name]> {
    const work: (given: Parameters<FileJournalCalls[Name]>[0]) => Work<ReturnType<FileJournalCalls[Name]>> =
      this.#calls[name];
    this.#database.exec(readingJournalCalls.has(name) ? "BEGIN" : "BEGIN IMMEDIATE");
    try {
      const answer = runNow(work(given), (statement) => this.#run(statement));
      this.#database.exec("COMMIT");
      return answer;
    } catch (failure) {
      // A full disk has ended the transaction already.
      if (this.#database.inTransaction) this.#database.exec("ROLLBACK");
      throw failure;
    }
  }

  close(): void {
    this.#database.close();
  }

  #run({ sql, values }: Statement): readonly StoredRow[] {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    try {
      if (statement.reader) return statement.all(...values) as StoredRow[];
      return statement.run(...values).changes > 0 ? [{}] : [];
    } catch (failure) {
      if (failure instanceof Database.SqliteError && failure.code.startsWith("SQLITE_CONSTRAINT"))
        throw new StatementRefused(failure.message, { cause: failure });
      throw failure;
    }
  }
}
