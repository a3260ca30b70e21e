/**
 * One SQLite file of the database bridge's pair, synchronous: it lives in the thread of record-thread.ts.
 *
 * A write is one transaction over rows, idempotency key, versions and one outbox entry. Several writes share a commit, each
 * under a savepoint. A full disk ends the whole transaction; then every write of the group is tried again alone. An error of the disk leaves no usable handle behind: the file
 * closes it, and the next question opens another.
 */
import Database from "better-sqlite3";
import { Refused } from "../../base/refused.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type {
  Fence,
  MirrorAnswer,
  MirrorWrite,
  OutboxEntry,
  RowChange,
  StoreAnswer,
  StoredValue,
  StoreRefusalCode,
  StoreWrite,
} from "../../ports/record-store.ts";
import { bridgeTables, modernTables } from "./record-schema.ts";

export interface RecordFileOptions {
  readonly path: string;
  readonly side: Side;
  /** Which side is authoritative in a pair that nothing has opened before. */
  readonly authority: Side;
}

const StoreRefused = Refused<StoreRefusalCode>;

export class RecordFile {
  readonly #options: RecordFileOptions;
  #database: Database.Database | undefined;
  #statements = new Map<string, Database.Statement>();

  constructor(options: RecordFileOptions) {
    this.#options = options;
  }

  /** Creates the bridge's tables where they are missing, and modern's own. */
  open(incarnation: string): Fence {
    const database = this.#current;
    const isReady =
      database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'pnlb_inbox'").get() !== undefined;
    if (!isReady)
      database
        .transaction(() => {
          database.exec(bridgeTables);
          if (this.#options.side === "modern") database.exec(modernTables);
          database
            .prepare(
              "INSERT OR IGNORE INTO pnlb_fence (one, epoch, authority, incarnation) VALUES (1, 1, ?, ?)",
            )
            .run(this.#options.authority, incarnation);
        })
        .immediate();
    return this.fence();
  }

  fence(): Fence {
    return this.#prepare("SELECT epoch, authority FROM pnlb_fence").get() as Fence;
  }

  write(writes: readonly StoreWrite[], epoch: number, atMs: number): readonly StoreAnswer[] {
    try {
      return this.#inTransaction(() => writes.map((write) => this.#writeOne(write, epoch, atMs)));
    } catch (failure) {
      // The transaction is gone, and with it every write of the group: each is tried again alone.
      if (
        writes.length === 1 ||
        !(failure instanceof Database.SqliteError) ||
        !/^SQLITE_FULL/.test(failure.code)
      )
        throw failure;
      return writes.map((write) => this.#inTransaction(() => this.#writeOne(write, epoch, atMs)));
    }
  }

  pending(limit: number): readonly OutboxEntry[] {
    const entries = this.#prepare(
      "SELECT seq, rows FROM pnlb_outbox WHERE state = 'pending' ORDER BY seq LIMIT ?",
    ).all(limit);
    return (entries as { readonly seq: number; readonly rows: string }[]).map(({ seq, rows }) => ({
      seq,
      rows: JSON.parse(rows),
    }));
  }

  apply(entries: readonly MirrorWrite[]): readonly MirrorAnswer[] {
    return this.#inTransaction(() => entries.map((entry) => this.#applyOne(entry)));
  }

  confirm(seqs: readonly number[]): void {
    const done = this.#prepare("UPDATE pnlb_outbox SET state = 'done' WHERE seq = ?");
    this.#inTransaction(() => seqs.forEach((seq) => void done.run(seq)));
  }

  park(seq: number, code: string, because: string): void {
    this.#prepare("UPDATE pnlb_outbox SET state = 'parked', code = ?, because = ? WHERE seq = ?").run(
      code,
      because,
      seq,
    );
  }

  owed(nowMs: number): { readonly count: number; readonly oldestMs: number } {
    const { count, atMs } = this.#prepare(
      "SELECT count(*) AS count, min(at_ms) AS atMs FROM pnlb_outbox WHERE state <> 'done'",
    ).get() as {
      readonly count: number;
      readonly atMs: number | null;
    };
    return { count, oldestMs: atMs === null ? 0 : Math.max(0, nowMs - atMs) };
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
    this.#statements = new Map();
  }

  get #current(): Database.Database {
    if (this.#database !== undefined) return this.#database;
    const database = new Database(this.#options.path, { timeout: 0 });
    // A file in WAL mode comes back with NORMAL, which may lose an acknowledged commit in a power cut.
    database.pragma("synchronous = FULL");
    // A checkpoint beside another process's is unsafe in versions of SQLite that a desk's Python may have.
    if (this.#options.side === "legacy") database.pragma("wal_autocheckpoint = 0");
    else database.pragma("journal_mode = WAL");
    this.#database = database;
    return database;
  }

  #prepare(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#current.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #inTransaction<T>(work: () => T): T {
    try {
      return this.#current.transaction(work).immediate();
    } catch (failure) {
      if (failure instanceof Database.SqliteError && /^SQLITE_(IOERR|CORRUPT|NOTADB)/.test(failure.code))
        this.close();
      throw failure;
    }
  }

  /** In the group's transaction. A refused write leaves nothing behind; its neighbours are not touched. */
  #writeOne(write: StoreWrite, epoch: number, atMs: number): StoreAnswer {
    try {
      return this.#current.transaction(() => this.#writeRows(write, epoch, atMs))();
    } catch (failure) {
      if (failure instanceof StoreRefused) return { kind: "refused", ...failure.refusal };
      if (failure instanceof Database.SqliteError && /^SQLITE_CONSTRAINT/.test(failure.code))
        return {
          kind: "refused",
          code: "CONFLICT",
          because: `the store's rules forbid it: ${failure.message}`,
        };
      throw failure;
    }
  }

  #writeRows({ idempotencyKey, digest, rows }: StoreWrite, epoch: number, atMs: number): StoreAnswer {
    const known = this.#prepare("SELECT digest, version FROM pnlb_keys WHERE idempotency_key = ?").get(
      idempotencyKey,
    ) as { readonly digest: string; readonly version: number } | undefined;
    if (known !== undefined) {
      if (known.digest !== digest)
        throw new StoreRefused("KEY_REUSED", "this idempotency key belongs to a write with other records");
      return { kind: "acknowledged", version: known.version };
    }
    const fence = this.fence();
    if (fence.epoch !== epoch || fence.authority !== this.#options.side)
      throw new StoreRefused("DRAINING", "the authority is moving to the other store; try again");
    const sent = rows.map(({ aggregate, isFinal, change, image }) => {
      const version = this.#versionOf(aggregate) + 1;
      if (isFinal && version > 1)
        throw new StoreRefused(
          "ALREADY_STORED",
          `a trade of this write is stored under another idempotency key: ${aggregate}`,
        );
      this.#change(change);
      this.#setVersion(aggregate, version, change);
      return { aggregate, version, image };
    });
    const version = Math.max(...sent.map((row) => row.version));
    this.#prepare("INSERT INTO pnlb_keys (idempotency_key, digest, version) VALUES (?, ?, ?)").run(
      idempotencyKey,
      digest,
      version,
    );
    this.#prepare("INSERT INTO pnlb_outbox (rows, at_ms) VALUES (?, ?)").run(JSON.stringify(sent), atMs);
    return { kind: "acknowledged", version };
  }

  /** Under a savepoint of its own, so that a parked entry leaves nothing behind. */
  #applyOne({ seq, rows }: MirrorWrite): MirrorAnswer {
    try {
      this.#current.transaction(() => {
        if (this.#prepare("SELECT 1 FROM pnlb_inbox WHERE seq = ?").get(seq) !== undefined) return;
        for (const { aggregate, version, change } of rows) {
          const stored = this.#versionOf(aggregate);
          if (stored !== version - 1)
            throw new Error(
              `VERSION_GAP: version ${version} of ${aggregate} came, and the store has ${stored}`,
            );
          if (!this.#isAsWritten(change, this.#versions(aggregate)?.written ?? "null"))
            throw new Error(`FOREIGN_ROW: somebody else has changed the row of ${aggregate}`);
          this.#change(change);
          if (!this.#isAsWritten(change, JSON.stringify(change.set)))
            throw new Error(`CHANGED_VALUE: the row of ${aggregate} does not read back as it was written`);
          this.#setVersion(aggregate, version, change);
        }
        this.#prepare("INSERT INTO pnlb_inbox (seq) VALUES (?)").run(seq);
      })();
      return { kind: "applied" };
    } catch (failure) {
      if (failure instanceof Database.SqliteError && !/^SQLITE_CONSTRAINT/.test(failure.code)) throw failure;
      const because = failure instanceof Error ? failure.message : String(failure);
      const [, code = "CONFLICT"] = /^([A-Z_]+): /.exec(because) ?? [];
      return { kind: "parked", code, because };
    }
  }

  #versions(aggregate: string): { readonly version: number; readonly written: string } | undefined {
    const row = this.#prepare("SELECT version, written FROM pnlb_versions WHERE aggregate = ?").get(
      aggregate,
    );
    return row as { readonly version: number; readonly written: string } | undefined;
  }

  #versionOf(aggregate: string): number {
    return this.#versions(aggregate)?.version ?? 0;
  }

  #setVersion(aggregate: string, version: number, { set }: RowChange): void {
    this.#prepare(
      `INSERT INTO pnlb_versions (aggregate, version, written) VALUES (?, ?, ?)
       ON CONFLICT (aggregate) DO UPDATE SET version = excluded.version, written = excluded.written`,
    ).run(aggregate, version, JSON.stringify(set));
  }

  #change({ table, key, set, initial }: RowChange): void {
    const where = whereOf(key);
    if (set === null) {
      this.#prepare(`DELETE FROM ${this.#nameOf(table)} WHERE ${where}`).run(...Object.values(key));
      return;
    }
    const sets = Object.keys(set).map((column) => `"${column}" = ?`);
    const updated = this.#prepare(`UPDATE ${this.#nameOf(table)} SET ${sets.join(", ")} WHERE ${where}`).run(
      ...Object.values(set),
      ...Object.values(key),
    );
    if (updated.changes > 0) return;
    const row = { ...key, ...initial, ...set };
    const columns = Object.keys(row).map((column) => `"${column}"`);
    this.#prepare(
      `INSERT INTO ${this.#nameOf(table)} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`,
    ).run(...Object.values(row));
  }

  /** Whether the row holds the columns that were written; `null` stands for no row. A column's affinity or a trigger shows here. */
  #isAsWritten({ table, key }: RowChange, written: string): boolean {
    const row = this.#prepare(`SELECT * FROM ${this.#nameOf(table)} WHERE ${whereOf(key)}`).get(
      ...Object.values(key),
    );
    const stored = row as Readonly<Record<string, StoredValue>> | undefined;
    const columns: RowChange["set"] = JSON.parse(written);
    if (columns === null || stored === undefined) return columns === null && stored === undefined;
    return Object.entries(columns).every(([column, value]) => stored[column] === value);
  }

  #nameOf(table: string): string {
    return this.#options.side === "modern" ? `newpnl_${table}` : table;
  }
}

const whereOf = (key: RowChange["key"]): string =>
  Object.keys(key)
    .map((column) => `"${column}" = ?`)
    .join(" AND ");
