/**
 * The file of comparisons, synchronous: it lives in the thread of evidence-thread.ts, where waiting for the disk delays nobody.
 *
 * An append is one transaction, on disk when it returns. It also adds to the counts, which stay when their comparisons are pruned.
 * Ids are given in the order of storing and never again (AUTOINCREMENT); a transaction that fails gives none, so they have no
 * gaps, and "the newest n" is arithmetic.
 *
 * Where the file was removed or replaced, the next use opens or creates the one at its path: an open handle would go on writing into
 * a file that nobody can find. That costs one stat.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { BridgeError } from "../../domain/errors.ts";
import { columns, type EvidenceRow, type StoredRow } from "./evidence-row.ts";

/** Step n brings a file from version n to n + 1. A step that was released is never changed. */
const migrations: readonly string[] = [
  `CREATE TABLE comparisons (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     at TEXT NOT NULL,
     method TEXT NOT NULL,
     epoch INTEGER NOT NULL,
     answered TEXT NOT NULL,
     kind TEXT NOT NULL,
     verdict TEXT NOT NULL,
     unit TEXT,
     fingerprint TEXT NOT NULL,
     legacy_ms REAL,
     modern_ms REAL,
     legacy_error TEXT,
     modern_error TEXT,
     fields TEXT NOT NULL
   );
   CREATE INDEX comparisons_by_method ON comparisons (method);
   CREATE INDEX comparisons_by_verdict ON comparisons (verdict);
   CREATE INDEX comparisons_by_method_and_verdict ON comparisons (method, verdict);
   CREATE TABLE comparison_counts (
     method TEXT NOT NULL,
     kind TEXT NOT NULL,
     verdict TEXT NOT NULL,
     count INTEGER NOT NULL,
     PRIMARY KEY (method, kind, verdict)
   ) WITHOUT ROWID;`,
];

/** In the header of the file, by which `file` and we tell it from other databases: "pnle". */
const applicationId = 0x706e6c65;
/** Beyond what an append adds, how many old comparisons it removes at most: a limit that was lowered is reached step by step. */
const pruneMax = 5_000;

export interface PageQuery {
  readonly method: string | undefined;
  readonly verdict: string | undefined;
  /** Only ids below it. */
  readonly before: string | undefined;
  readonly limit: number;
}

export type CountRow = readonly [method: string, kind: string, verdict: string, count: number];

/** Every function throws SqliteError SQLITE_BUSY, with nothing changed, where another connection holds the lock: try again. */
export class EvidenceFile {
  readonly #path: string;
  readonly #rowsMax: number;
  #connection: Connection | undefined;

  constructor(path: string, rowsMax: number) {
    this.#path = path;
    this.#rowsMax = rowsMax;
  }

  /** Creates the file and its folder where they are missing. Throws BAD_DATABASE, untouched, for a file that is not ours. */
  open(): void {
    this.#current();
  }

  append(rows: readonly EvidenceRow[]): void {
    this.#current().append(rows, this.#rowsMax);
  }

  /** Newest first. */
  page(query: PageQuery): readonly StoredRow[] {
    return this.#current().page(query);
  }

  get(id: string): StoredRow | undefined {
    return this.#current().get(id);
  }

  counts(): readonly CountRow[] {
    return this.#current().counts();
  }

  close(): void {
    this.#connection?.database.close();
    this.#connection = undefined;
  }

  #current(): Connection {
    if (this.#connection !== undefined && this.#connection.inode !== inodeOf(this.#path)) this.close();
    this.#connection ??= new Connection(this.#path);
    return this.#connection;
  }
}

class Connection {
  readonly database: Database.Database;
  readonly inode: bigint | undefined;
  readonly #insert: Database.Statement<unknown[]>;
  readonly #count: Database.Statement<unknown[]>;
  readonly #prune: Database.Statement<unknown[]>;
  readonly #pages = new Map<string, Database.Statement<unknown[], StoredRow>>();

  constructor(path: string) {
    this.database = openedFile(path);
    this.inode = inodeOf(path);
    const { database } = this;
    this.#insert = database.prepare(
      `INSERT INTO comparisons (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    );
    this.#count = database.prepare(
      "INSERT INTO comparison_counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
    );
    this.#prune = database.prepare(
      `DELETE FROM comparisons WHERE id <= min(
         (SELECT max(id) FROM comparisons) - ?,
         (SELECT min(id) FROM comparisons) - 1 + ?)`,
    );
  }

  append(rows: readonly EvidenceRow[], rowsMax: number): void {
    this.database
      .transaction(() => {
        for (const row of rows) this.#insert.run(row);
        for (const count of countsOf(rows)) this.#count.run(count);
        this.#prune.run(rowsMax, rows.length + pruneMax);
      })
      .immediate();
  }

  page({ method, verdict, before, limit }: PageQuery): readonly StoredRow[] {
    const conditions = [
      { sql: "method = ?", value: method },
      { sql: "verdict = ?", value: verdict },
      { sql: "id < ?", value: before === undefined ? undefined : BigInt(before) },
    ].filter(({ value }) => value !== undefined);
    const where = conditions.map(({ sql }) => sql).join(" AND ");
    return this.#select(where, "ORDER BY id DESC LIMIT ?").all(...conditions.map(({ value }) => value), limit);
  }

  get(id: string): StoredRow | undefined {
    return this.#select("id = ?", "").get(BigInt(id));
  }

  counts(): readonly CountRow[] {
    return this.database.prepare<[], CountRow>("SELECT method, kind, verdict, count FROM comparison_counts").raw(true).all();
  }

  #select(where: string, rest: string): Database.Statement<unknown[], StoredRow> {
    const sql = `SELECT CAST(id AS TEXT), ${columns.join(", ")} FROM comparisons ${where === "" ? "" : `WHERE ${where}`} ${rest}`;
    let statement = this.#pages.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare<unknown[], StoredRow>(sql).raw(true);
      this.#pages.set(sql, statement);
    }
    return statement;
  }
}

function countsOf(rows: readonly EvidenceRow[]): Iterable<CountRow> {
  const counts = new Map<string, CountRow>();
  for (const [, method, , , kind, verdict] of rows) {
    const key = `${kind} ${verdict} ${method}`;
    counts.set(key, [method, kind, verdict, (counts.get(key)?.[3] ?? 0) + 1]);
  }
  return counts.values();
}

function openedFile(path: string): Database.Database {
  mkdirSync(dirname(path), { recursive: true });
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  // What is shorter than a header SQLite takes for empty, and would write over it.
  if (size > 0 && size < 512) throw badEvidence(path, "the file is no SQLite database");
  // Waiting inside SQLite would also keep readers waiting, and in steps that a writer in a tight loop outlasts.
  const database = new Database(path, { timeout: 0 });
  try {
    const version = versionOf(database, path);
    database.pragma("journal_mode = WAL");
    // What an append acknowledges survives a power cut; in WAL mode the default does not.
    database.pragma("synchronous = FULL");
    if (version < migrations.length) database.transaction(() => migrate(database, path)).immediate();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function migrate(database: Database.Database, path: string): void {
  // Again, under the lock: somebody else may have been faster.
  for (const step of migrations.slice(versionOf(database, path))) database.exec(step);
  database.pragma(`application_id = ${applicationId}`);
  database.pragma(`user_version = ${migrations.length}`);
}

/** 0 for an empty database, which becomes ours. */
function versionOf(database: Database.Database, path: string): number {
  // In one transaction, so that a migration cannot come between.
  const [id, version, objects] = database.transaction(() => [
    database.pragma("application_id", { simple: true }) as number,
    database.pragma("user_version", { simple: true }) as number,
    database.prepare("SELECT count(*) FROM sqlite_schema").pluck().get() as number,
  ])() as [number, number, number];
  if (id === 0 && version === 0 && objects === 0) return 0;
  if (id !== applicationId) throw badEvidence(path, "the file is a database of somebody else");
  if (version > migrations.length)
    throw badEvidence(path, `the file has version ${version}, this pnl-bridge knows ${migrations.length}`);
  return version;
}

export const badEvidence = (path: string, what: string, cause?: unknown): BridgeError =>
  new BridgeError("BAD_DATABASE", { what, where: path, mend: "name another file for evidence; it is created", cause });

/** Undefined where there is no file. */
const inodeOf = (path: string): bigint | undefined => statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
