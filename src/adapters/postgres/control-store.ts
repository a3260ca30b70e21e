/**
 * The control store in PostgreSQL (13 or newer). Database triggers (control-schema.ts) apply the rules of a
 * change, so that an operator's SQL statement has the same effect as a change by this program.
 *
 * A process sends its changes and notes one after the other over one connection. Reads and heartbeats use
 * another, so that they continue while a transaction locks the row of the record.
 */
import { escapeIdentifier, type PoolClient } from "pg";
import { assert, BridgeError } from "../../base/errors.ts";
import { storable, storableJson } from "../../base/storable-text.ts";
import type {
  AuditNote,
  AuditRow,
  AuditSeal,
  ControlChange,
  ControlRecord,
  ControlStore,
  Instance,
  InstanceReport,
  SignOff,
  SignOffGiven,
} from "../../ports/control-store.ts";
import {
  assignmentsOf,
  auditColumns,
  auditRowOf,
  instanceColumns,
  instanceOf,
  noteJson,
  recordOf,
  selectedColumns,
  signOffColumns,
  signOffOf,
} from "./control-row.ts";
import { changeSetting, controlTables } from "./control-schema.ts";
import { ControlWatch } from "./control-watch.ts";
import { connectionOf, PostgresDatabase, type Row } from "./database.ts";
import { type Target, targetOf, withSchema } from "./failures.ts";

export interface PostgresControlOptions {
  /**
   * The schema of the tables. Schema and tables are created where they are missing. Default: the schema that
   * the URL names, else `public`.
   */
  readonly schema?: string;
  /** How long a call may take, all waiting included. Default 5 000. */
  readonly deadlineMs?: number;
}

const deadlineMsDefault = 5_000;
/** The longest time that an operator's statement waits for a process that hangs in the middle of a change. */
const restMsMax = 1_000;

/**
 * Connects, and creates the tables where they are missing. `url` has the form described at
 * `openPostgresEvidenceStore`. Throws BAD_CONFIG (the URL, the login), SYSTEM_DOWN, BAD_DATABASE (foreign
 * tables, or a newer version), UNWRITABLE (a missing right, a full disk), DATABASE_BUSY. The functions of the
 * store throw the same errors, and a failed call may be repeated. No error contains the password.
 */
export async function openPostgresControlStore(
  url: string,
  options: PostgresControlOptions = {},
): Promise<ControlStore> {
  const { deadlineMs = deadlineMsDefault } = options;
  assert(deadlineMs > 0, "deadlineMs is more than 0");
  const target = targetOf(url, controlTables.names);
  const schema = options.schema ?? target.schema ?? "public";
  const store = new PostgresControlStore(target, schema, deadlineMs);
  try {
    await store.migrate();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

class PostgresControlStore implements ControlStore {
  readonly where: string;
  readonly #target: Target;
  readonly #schema: string;
  /** The schema's name, quoted. */
  readonly #in: string;
  readonly #deadlineMs: number;
  readonly #database: PostgresDatabase;
  readonly #watchers = new Set<() => void>();
  #watch: ControlWatch | undefined;
  #isClosed = false;

  constructor(target: Target, schema: string, deadlineMs: number) {
    this.where = withSchema(target.where, schema);
    this.#target = target;
    this.#schema = schema;
    this.#in = escapeIdentifier(schema);
    this.#deadlineMs = deadlineMs;
    this.#database = new PostgresDatabase(target, controlTables, {
      connectionsMax: 2,
      statementMsMax: deadlineMs,
      restMsMax,
      connectMsMax: deadlineMs,
      callMsMax: deadlineMs,
    });
  }

  migrate(): Promise<void> {
    return this.#database.migrate(this.#schema);
  }

  read(): Promise<ControlRecord> {
    return this.#database.run(async (call) => {
      const [row] = await call.read(`SELECT ${selectedColumns(this.#in)} FROM ${this.#in}.config`, []);
      return recordOf(row ?? this.#noRow());
    });
  }

  watch(changed: () => void): () => void {
    // A new function for each watcher, so that the same callback can be registered twice.
    const watcher = (): void => {
      try {
        changed();
      } catch {
        // The others are still notified.
      }
    };
    if (this.#isClosed) return () => {};
    this.#watchers.add(watcher);
    this.#watch ??= this.#startWatch();
    return () => {
      if (!this.#watchers.delete(watcher) || this.#watchers.size > 0) return;
      void this.#watch?.stop();
      this.#watch = undefined;
    };
  }

  change(change: ControlChange): Promise<ControlRecord | null> {
    return this.#database.run((call) => call.writeInTurn((client) => this.#change(client, change)));
  }

  note(note: AuditNote): Promise<void> {
    const { actor, action, reason, evidence } = note;
    const values = [actor, action, reason].map(storable);
    return this.#database.run((call) =>
      call.writeInTurn(async (client) => {
        const epoch = await this.#lock(client);
        await client.query(
          `INSERT INTO ${this.#in}.audit (seq, at, actor, action, reason, epoch, evidence)
            SELECT coalesce(max(seq), 0) + 1, clock_timestamp(), $1, $2, $3, $4::bigint, $5::json FROM ${this.#in}.audit`,
          [...values, epoch, evidence === undefined ? null : storableJson(evidence)],
        );
      }),
    );
  }

  signOff({ gate, phase, actor, note, expiresAfterMs }: SignOffGiven): Promise<void> {
    return this.#database.run((call) =>
      call.write(async (client) => {
        await client.query(
          `INSERT INTO ${this.#in}.sign_offs (gate, phase, actor, note, at, expires_at, granted_epoch)
            SELECT $1, $2, $3, $4, at, at + $5::float8 * interval '1 millisecond', granted_epoch
            FROM ${this.#in}.config, date_trunc('milliseconds', clock_timestamp()) AS at`,
          [storable(gate), phase, storable(actor), storable(note), expiresAfterMs],
        );
      }),
    );
  }

  async signOffs(): Promise<readonly SignOff[]> {
    const notExpired = `${this.#in}.sign_offs WHERE expires_at > clock_timestamp() ORDER BY sign_offs.at, id`;
    const rows = await this.#rows(`SELECT ${signOffColumns} FROM ${notExpired}`);
    return rows.map(signOffOf);
  }

  async audit(after: number, limit: number): Promise<readonly AuditRow[]> {
    const rows = await this.#rows(
      `SELECT ${auditColumns} FROM ${this.#in}.audit WHERE seq > $1 ORDER BY seq LIMIT $2`,
      [after, limit],
    );
    return rows.map(auditRowOf);
  }

  async seals(after: number, limit: number): Promise<readonly AuditSeal[]> {
    const columns = "seq, previous_hash, hash";
    const rows = await this.#rows(
      `SELECT ${columns} FROM ${this.#in}.seals WHERE seq > $1 ORDER BY seq LIMIT $2`,
      [after, limit],
    );
    return rows.map(({ seq, previous_hash, hash }) => ({
      seq: Number(seq),
      previousHash: previous_hash as string,
      hash: hash as string,
    }));
  }

  seal(seals: readonly AuditSeal[]): Promise<boolean> {
    return this.#database.run(async (call) => {
      const [first] = seals;
      if (first === undefined) return true;
      try {
        return await call.write(async (client) => {
          const { rowCount } = await client.query(
            `INSERT INTO ${this.#in}.seals (seq, previous_hash, hash)
              SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[])
              WHERE $4::bigint = (SELECT coalesce(max(seq), 0) + 1 FROM ${this.#in}.seals)`,
            [
              seals.map(({ seq }) => seq),
              seals.map((seal) => seal.previousHash),
              seals.map(({ hash }) => hash),
              first.seq,
            ],
          );
          return rowCount === seals.length;
        });
      } catch (error) {
        // Two processes saw the same last seal; the primary key lets one of them insert.
        if ((error as { readonly code?: string }).code === uniqueViolation) return false;
        throw error;
      }
    });
  }

  heartbeat({ id, name, seenEpoch, drainedEpoch, report }: InstanceReport): Promise<void> {
    return this.#database.run((call) =>
      call.writeWithoutGuarantee(
        `INSERT INTO ${this.#in}.instances AS known (id, name, seen_epoch, drained_epoch, report, started_at, beat_at, beats)
          VALUES ($1, $2, $3, $4, $5, clock_timestamp(), clock_timestamp(), 1)
          ON CONFLICT (id) DO UPDATE SET name = excluded.name, seen_epoch = excluded.seen_epoch,
            drained_epoch = excluded.drained_epoch, report = excluded.report, beat_at = clock_timestamp(), beats = known.beats + 1`,
        [storable(id), storable(name), seenEpoch, drainedEpoch, storableJson(report)],
      ),
    );
  }

  async instances(): Promise<readonly Instance[]> {
    const rows = await this.#rows(
      `SELECT ${instanceColumns} FROM ${this.#in}.instances ORDER BY instances.started_at, id`,
    );
    return rows.map(instanceOf);
  }

  leave(id: string): Promise<void> {
    return this.#database.run((call) =>
      call.writeWithoutGuarantee(`DELETE FROM ${this.#in}.instances WHERE id = $1`, [storable(id)]),
    );
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watchers.clear();
    const watch = this.#watch;
    this.#watch = undefined;
    await Promise.all([watch?.stop(), this.#database.close()]);
  }

  #startWatch(): ControlWatch {
    return new ControlWatch({
      connection: connectionOf(this.#target, controlTables),
      schema: this.#schema,
      epochSql: `SELECT epoch FROM ${this.#in}.config`,
      answerMsMax: Math.min(this.#deadlineMs, 2_000),
      onChange: () => {
        for (const watcher of this.#watchers) watcher();
      },
    });
  }

  async #change(client: PoolClient, change: ControlChange): Promise<ControlRecord | null> {
    const { expectedEpoch, actor } = change;
    const { published } = change.set;
    const epoch = await this.#lock(client);
    if (expectedEpoch !== undefined && expectedEpoch !== epoch) return null;
    if (published !== undefined)
      await client.query(
        `INSERT INTO ${this.#in}.published (hash, text, phase, at, by) VALUES ($1, $2, $3, clock_timestamp(), $4)
          ON CONFLICT (hash) DO NOTHING`,
        [storable(published.hash), storable(published.text), published.phase, storable(actor)],
      );
    await client.query("SELECT set_config($1, $2, true)", [changeSetting, noteJson(change)]);
    const { sql, values } = assignmentsOf(change);
    const { rows } = await client.query<Row>(
      `UPDATE ${this.#in}.config SET ${sql} RETURNING ${selectedColumns(this.#in)}`,
      [...values],
    );
    return recordOf(rows[0] ?? this.#noRow());
  }

  /** Locks the record's row, as every addition to the audit requires. Resolves with the epoch. */
  async #lock(client: PoolClient): Promise<number> {
    const { rows } = await client.query<Row>(`SELECT epoch FROM ${this.#in}.config FOR NO KEY UPDATE`);
    return Number((rows[0] ?? this.#noRow()).epoch);
  }

  #rows(sql: string, values: readonly unknown[] = []): Promise<readonly Row[]> {
    return this.#database.run((call) => call.read(sql, values));
  }

  #noRow(): never {
    throw new BridgeError("BAD_DATABASE", {
      what: "the table config has lost its row",
      where: this.where,
      fix: "restore it from a backup; the fleet keeps its last plan meanwhile",
    });
  }
}

const uniqueViolation = "23505";
