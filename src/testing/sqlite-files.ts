/** Helpers for tests that create, read and damage SQLite files. */
import { writeFileSync } from "node:fs";
import Database from "better-sqlite3";

/**
 * Opens a connection as any other program would. It waits for no lock, and is closed at the end of its block.
 */
export function connectionTo(path: string, options: Database.Options = {}): Database.Database & Disposable {
  const database = new Database(path, { timeout: 0, ...options });
  return Object.assign(database, { [Symbol.dispose]: () => void database.close() });
}

export function runSql(path: string, statements: string): void {
  using database = connectionTo(path);
  database.exec(statements);
}

/** Files that a store must refuse and not change; `applicationId` is the store's own. */
export const foreignFiles = (applicationId: number): Readonly<Record<string, (path: string) => void>> => ({
  "a desk's database": (path) =>
    runSql(path, "CREATE TABLE processed_trades (trade_id); INSERT INTO processed_trades VALUES (1)"),
  "a database of another application": (path) => runSql(path, "PRAGMA application_id = 7"),
  "a database with a version": (path) => runSql(path, "PRAGMA user_version = 1"),
  "a database in WAL mode": (path) => runSql(path, "PRAGMA journal_mode = WAL; CREATE TABLE t (value)"),
  "a store of a later version": (path) =>
    runSql(path, `PRAGMA application_id = ${applicationId}; PRAGMA user_version = 99`),
  "a text": (path) => writeFileSync(path, "tradeId,instrumentName\n".repeat(100)),
  "a short text": (path) => writeFileSync(path, "x"),
});

/** The schema and the settings of a file, as text. */
export function schemaDump(path: string): string {
  using database = connectionTo(path, { readonly: true });
  const pragma = (name: string): unknown => database.pragma(name, { simple: true });
  const statements = database
    .prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid")
    .pluck()
    .all();
  const dump = [
    `application_id 0x${(pragma("application_id") as number).toString(16)}`,
    `user_version ${pragma("user_version")}`,
    `journal_mode ${pragma("journal_mode")}`,
    ...statements,
  ];
  return `\n${dump.join("\n").replaceAll(/\n +/g, "\n")}\n`;
}
