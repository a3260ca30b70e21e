/**
 * Synchronous access to the file of comparisons, for the thread of evidence-thread.ts, where waiting for the
 * disk delays no answer.
 *
 * An append is one transaction, on disk when the function returns. It also adds to the counts, which remain
 * when their comparisons are pruned. Ids rise in the order of storing and are never reused (AUTOINCREMENT). A
 * failed transaction consumes no id, so ids have no gaps, and the last id gives those of the newest n.
 *
 * If the file was removed or replaced, the next use opens or creates the file at the path: an open handle
 * would keep writing to a file that no longer has a name. The check costs one stat per use.
 */
import type Database from "better-sqlite3";
import type { Verdict } from "../../domain/migration/verdict.ts";
import type { ComparisonRecord } from "../../ports/evidence.ts";
import type { Attempt, EvidenceDelta, StoredEvidence } from "../../ports/tallies.ts";
import { columns, type EvidenceRow, type StoredRow } from "./evidence-row.ts";
import { EvidenceTallies, methodsMigration, talliesMigration } from "./evidence-tallies.ts";
import { inodeOf, type OwnedKind, openOwned } from "./owned-file.ts";

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
  `ALTER TABLE comparisons ADD COLUMN more INTEGER NOT NULL DEFAULT 0;
   ALTER TABLE comparisons ADD COLUMN excluded INTEGER NOT NULL DEFAULT 0;`,
  `ALTER TABLE comparisons ADD COLUMN request TEXT;
   CREATE TABLE comparison_requests (
     id INTEGER PRIMARY KEY,
     day TEXT NOT NULL,
     request BLOB NOT NULL
   );
   CREATE INDEX comparison_requests_by_day ON comparison_requests (day);`,
  talliesMigration,
  methodsMigration,
];

export const evidenceKind: OwnedKind = {
  /** "pnle". */
  applicationId: 0x706e6c65,
  migrations,
  synchronous: "FULL",
  fix: "name a new file for evidence; it is created",
};
/**
 * An append removes at most this many old comparisons more than it adds: a lowered limit is reached step by
 * step.
 */
const pruneMax = 5_000;

export interface EvidenceLimits {
  /** Number of comparisons to keep. */
  readonly rowsMax: number;
  /** Number of requests to keep for each UTC day. */
  readonly requestsPerDay: number;
}

export interface Appended {
  readonly rows: readonly EvidenceRow[];
  /** The compressed requests, by the index of their row. */
  readonly requests: ReadonlyMap<number, Buffer>;
  readonly evidence: EvidenceDelta | null;
}

export interface PageQuery {
  readonly method: string | undefined;
  readonly verdict: string | undefined;
  readonly unit: string | undefined;
  /** Only comparisons with a lower id. */
  readonly before: string | undefined;
  readonly limit: number;
}

export type CountRow = readonly [
  method: string,
  kind: ComparisonRecord["kind"],
  verdict: Verdict,
  count: number,
];

/**
 * Any function may throw SqliteError SQLITE_BUSY, and then changes nothing, while another connection holds a
 * lock: try again.
 */
export class EvidenceFile {
  readonly #path: string;
  readonly #limits: EvidenceLimits;
  #connection: Connection | undefined;

  constructor(path: string, limits: EvidenceLimits) {
    this.#path = path;
    this.#limits = limits;
  }

  /**
   * Creates the file and its folder where they are missing. Throws BAD_DATABASE for another program's file,
   * which stays unchanged.
   */
  open(): void {
    this.#current();
  }

  append({ evidence, ...rows }: Appended): void {
    this.#current().append(rows, evidence, this.#limits);
  }

  evidence(key: string): StoredEvidence {
    return this.#current().tallies.of(key);
  }

  attempt(key: string, isLook: boolean): Attempt {
    return this.#current().tallies.attempt(key, isLook);
  }

  /** Newest first. */
  page(query: PageQuery): readonly StoredRow[] {
    return this.#current().page(query);
  }

  get(id: string): StoredRow | undefined {
    return this.#current().get(id);
  }

  /** Returns the compressed request of a comparison. */
  request(id: string): Buffer | undefined {
    return this.#current().request(id);
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
  readonly #requests: RequestStatements;
  readonly tallies: EvidenceTallies;
  readonly #pages = new Map<string, Database.Statement<unknown[], StoredRow>>();

  constructor(path: string) {
    this.database = openOwned(path, evidenceKind);
    this.inode = inodeOf(path);
    const { database } = this;
    this.#insert = database.prepare(
      `INSERT INTO comparisons (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    );
    this.#count = database.prepare(
      "INSERT INTO comparison_counts VALUES (?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
    );
    this.#prune = database.prepare(
      `DELETE FROM comparisons WHERE id <= min(
         (SELECT max(id) FROM comparisons) - ?,
         (SELECT min(id) FROM comparisons) - 1 + ?)`,
    );
    this.#requests = requestStatements(database);
    this.tallies = new EvidenceTallies(database);
  }

  append(
    { rows, requests }: Omit<Appended, "evidence">,
    evidence: EvidenceDelta | null,
    { rowsMax, requestsPerDay }: EvidenceLimits,
  ): void {
    this.database
      .transaction(() => {
        for (const [index, row] of rows.entries()) {
          const { lastInsertRowid } = this.#insert.run(row);
          const request = requests.get(index);
          if (request === undefined) continue;
          const day = row[0].slice(0, 10);
          if ((this.#requests.count.get(day) ?? 0) < requestsPerDay)
            this.#requests.insert.run(lastInsertRowid, day, request);
          else this.#requests.refuse.run(lastInsertRowid);
        }
        for (const count of countsOf(rows)) this.#count.run(count);
        if (evidence !== null) this.tallies.add(evidence);
        const { changes } = this.#prune.run(rowsMax, rows.length + pruneMax);
        if (changes > 0) this.#requests.prune.run();
      })
      .immediate();
  }

  page({ method, verdict, unit, before, limit }: PageQuery): readonly StoredRow[] {
    const conditions = [
      { sql: "method = ?", value: method },
      { sql: "verdict = ?", value: verdict },
      { sql: "unit = ?", value: unit },
      { sql: "id < ?", value: before === undefined ? undefined : BigInt(before) },
    ].filter(({ value }) => value !== undefined);
    const where = conditions.map(({ sql }) => sql).join(" AND ");
    return this.#select(where, "ORDER BY id DESC LIMIT ?").all(
      ...conditions.map(({ value }) => value),
      limit,
    );
  }

  get(id: string): StoredRow | undefined {
    return this.#select("id = ?", "").get(BigInt(id));
  }

  request(id: string): Buffer | undefined {
    return this.#requests.get.get(BigInt(id));
  }

  counts(): readonly CountRow[] {
    return this.database
      .prepare<[], CountRow>("SELECT method, kind, verdict, count FROM comparison_counts")
      .raw(true)
      .all();
  }

  #select(where: string, rest: string): Database.Statement<unknown[], StoredRow> {
    const condition = where === "" ? "" : `WHERE ${where}`;
    const sql = `SELECT CAST(id AS TEXT), ${columns.join(", ")} FROM comparisons ${condition} ${rest}`;
    let statement = this.#pages.get(sql);
    if (statement === undefined) {
      statement = this.database.prepare<unknown[], StoredRow>(sql).raw(true);
      this.#pages.set(sql, statement);
    }
    return statement;
  }
}

interface RequestStatements {
  readonly insert: Database.Statement<[number | bigint, string, Buffer]>;
  readonly count: Database.Statement<[string], number>;
  readonly refuse: Database.Statement<[number | bigint]>;
  readonly prune: Database.Statement<[]>;
  readonly get: Database.Statement<[bigint], Buffer>;
}

const requestStatements = (database: Database.Database): RequestStatements => ({
  insert: database.prepare("INSERT INTO comparison_requests (id, day, request) VALUES (?, ?, ?)"),
  count: database
    .prepare<[string], number>("SELECT count(*) FROM comparison_requests WHERE day = ?")
    .pluck(true),
  refuse: database.prepare("UPDATE comparisons SET request = 'daily_limit' WHERE id = ?"),
  prune: database.prepare(
    `DELETE FROM comparison_requests
     WHERE id < ifnull((SELECT min(id) FROM comparisons), 9223372036854775807)`,
  ),
  get: database.prepare<[bigint], Buffer>("SELECT request FROM comparison_requests WHERE id = ?").pluck(true),
});

function countsOf(rows: readonly EvidenceRow[]): Iterable<CountRow> {
  const counts = new Map<string, CountRow>();
  for (const [, method, , , kind, verdict] of rows) {
    const key = `${kind} ${verdict} ${method}`;
    counts.set(key, [method, kind, verdict, (counts.get(key)?.[3] ?? 0) + 1]);
  }
  return counts.values();
}
