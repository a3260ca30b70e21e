/**
 * Stores comparisons in PostgreSQL, in tables of their own.
 *
 * An append is one transaction: ids from the head row, batches of comparisons by UNNEST of arrays, counts,
 * pruning. Other work of the process runs between the batches, since writing arrays as text takes time.
 * Appends run one after the other, in the order of the calls.
 */

import { setImmediate as othersFirst } from "node:timers/promises";
import { promisify } from "node:util";
import * as zlib from "node:zlib";
import { escapeIdentifier, type PoolClient } from "pg";
import { assert, BridgeError } from "../../base/errors.ts";
import { at } from "../../base/present.ts";
import { storable, storableJson, storableOrNull } from "../../base/storable-text.ts";
import {
  type ComparisonRecord,
  type EvidenceQuery,
  type EvidenceStore,
  type NewComparison,
  requestsPerDayDefault,
  type StoredComparison,
} from "../../ports/evidence.ts";
import type { Attempt, EvidenceDelta, StoredEvidence } from "../../ports/tallies.ts";
import { PostgresDatabase, type Row } from "./database.ts";
import { evidenceTables } from "./evidence-schema.ts";
import { addEvidence, evidenceUnder, nextAttempt } from "./evidence-tallies.ts";
import { type Target, targetOf } from "./failures.ts";

export interface PostgresEvidenceOptions {
  /**
   * The schema of the tables. Schema and tables are created where they are missing. Default: the schema that
   * the URL names, else `pnl_bridge`.
   */
  readonly schema: string;
  /** Number of comparisons to keep. Older ones are removed, and remain in the counts. Default 1 000 000. */
  readonly rowsMax: number;
  /** Number of requests to keep for each UTC day, compressed. Default 200. */
  readonly requestsPerDay: number;
  /** How long one statement may take. Default 10 000. */
  readonly statementMsMax: number;
  /** How long connecting may take. Default 5 000. */
  readonly connectMsMax: number;
}

export const postgresEvidenceDefaults: PostgresEvidenceOptions = Object.freeze({
  schema: "pnl_bridge",
  rowsMax: 1_000_000,
  requestsPerDay: requestsPerDayDefault,
  statementMsMax: 10_000,
  connectMsMax: 5_000,
});

/**
 * Connects, and creates the tables where they are missing. `url` is
 * `postgres://user:password@host:port/database`; `?sslmode=verify-full` turns on TLS, with the paths
 * `sslrootcert`, `sslcert` and `sslkey` where needed; `?schema=desk` names a schema. Throws BAD_CONFIG (the
 * URL, the login), SYSTEM_DOWN, BAD_DATABASE (foreign tables, or a newer version), UNWRITABLE (a missing
 * right, a full disk), DATABASE_BUSY. The functions of the store throw the same errors, and a failed call may
 * be repeated. No error contains the password.
 */
export async function openPostgresEvidenceStore(
  url: string,
  given: Partial<PostgresEvidenceOptions> = {},
): Promise<EvidenceStore> {
  const target = targetOf(url, evidenceTables.names);
  const options = {
    ...postgresEvidenceDefaults,
    ...(target.schema === undefined ? {} : { schema: target.schema }),
    ...given,
  };
  assert(
    Number.isSafeInteger(options.rowsMax) && options.rowsMax >= 0,
    "rowsMax is a whole number of 0 or more",
  );
  const store = new PostgresEvidenceStore(target, options);
  try {
    await store.migrate();
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Number of comparisons in one statement, and in one page. */
const batchRows = 250;
/**
 * An append removes at most this many old comparisons more than it adds: a lowered limit is reached step by
 * step.
 */
const pruneMax = 5_000;

type Value = string | number | null;
interface Column {
  readonly name: string;
  readonly type: string;
  readonly of: (record: ComparisonRecord) => Value;
}

const columns: readonly Column[] = [
  { name: "at", type: "text", of: ({ at }) => storable(at) },
  { name: "method", type: "text", of: ({ method }) => storable(method) },
  { name: "epoch", type: "bigint", of: ({ epoch }) => epoch },
  { name: "answered", type: "text", of: ({ answered }) => answered },
  { name: "kind", type: "text", of: ({ kind }) => kind },
  { name: "verdict", type: "text", of: ({ verdict }) => verdict },
  { name: "unit", type: "text", of: ({ unit }) => storableOrNull(unit) },
  { name: "fingerprint", type: "text", of: ({ fingerprint }) => storable(fingerprint) },
  { name: "legacy_ms", type: "double precision", of: ({ legacyMs }) => legacyMs },
  { name: "modern_ms", type: "double precision", of: ({ modernMs }) => modernMs },
  { name: "legacy_error", type: "text", of: ({ legacyError }) => storableOrNull(legacyError) },
  { name: "modern_error", type: "text", of: ({ modernError }) => storableOrNull(modernError) },
  { name: "fields", type: "jsonb", of: ({ fields }) => (fields.length === 0 ? "[]" : storableJson(fields)) },
  { name: "more", type: "bigint", of: ({ more }) => more },
  { name: "excluded", type: "bigint", of: ({ excluded }) => excluded },
  { name: "request", type: "text", of: ({ request }) => request },
];

class PostgresEvidenceStore implements EvidenceStore {
  readonly #options: PostgresEvidenceOptions;
  readonly #where: string;
  readonly #database: PostgresDatabase;
  readonly #sql: Statements;
  readonly #schema: string;

  constructor(target: Target, options: PostgresEvidenceOptions) {
    const { statementMsMax, connectMsMax } = options;
    this.#options = options;
    this.#where = target.where;
    this.#schema = escapeIdentifier(options.schema);
    this.#sql = statementsFor(this.#schema);
    // One connection appends, the other reads.
    const connectionsMax = 2;
    const limits = {
      statementMsMax,
      restMsMax: statementMsMax,
      connectMsMax,
      callMsMax: Number.POSITIVE_INFINITY,
    };
    this.#database = new PostgresDatabase(target, evidenceTables, { connectionsMax, ...limits });
  }

  migrate(): Promise<void> {
    return this.#database.migrate(this.#options.schema);
  }

  append(records: readonly NewComparison[], evidence?: EvidenceDelta): Promise<void> {
    return this.#database.run(async (call) => {
      if (records.length === 0 && evidence === undefined) return;
      await call.writeInTurn(async (client) => {
        await this.#insert(client, records);
        if (evidence !== undefined) await addEvidence(client, this.#schema, evidence);
      });
    });
  }

  evidence(key: string): Promise<StoredEvidence> {
    return this.#database.run((call) => call.snapshot((client) => evidenceUnder(client, this.#schema, key)));
  }

  attempt(key: string, isLook: boolean): Promise<Attempt> {
    return this.#database.run((call) =>
      call.writeInTurn(async (client) => {
        // Locks the head row, so that two processes never begin the same attempt.
        await client.query(this.#sql.advance, [0]);
        return nextAttempt(client, this.#schema, { key, isLook });
      }),
    );
  }

  find({ method, verdict, unit, before, limit }: EvidenceQuery): Promise<readonly StoredComparison[]> {
    return this.#database.run(async (call) => {
      if (before !== undefined && !isId(before)) return [];
      const found: StoredComparison[] = [];
      while (found.length < limit) {
        const pageRows = Math.min(batchRows, limit - found.length);
        const conditions = [
          { sql: "method =", value: method === undefined ? undefined : storable(method) },
          { sql: "verdict =", value: verdict },
          { sql: "unit =", value: unit === undefined ? undefined : storable(unit) },
          { sql: "id <", value: found.at(-1)?.id ?? before },
        ].filter(({ value }) => value !== undefined);
        const where = conditions.map(({ sql }, index) => `${sql} $${index + 1}`).join(" AND ");
        const sql = `${this.#sql.select} ${where === "" ? "" : `WHERE ${where}`} ORDER BY id DESC LIMIT $${conditions.length + 1}`;
        const rows = await call.read<ComparisonRow>(sql, [...conditions.map(({ value }) => value), pageRows]);
        for (const row of rows) found.push(comparisonOf(row));
        if (rows.length < pageRows) break;
      }
      return found;
    });
  }

  get(id: string): Promise<StoredComparison | undefined> {
    return this.#database.run(async (call) => {
      if (!isId(id)) return undefined;
      const [row] = await call.read<ComparisonRow>(`${this.#sql.select} WHERE id = $1`, [id]);
      return row === undefined ? undefined : comparisonOf(row);
    });
  }

  request(id: string): Promise<string | undefined> {
    return this.#database.run(async (call) => {
      if (!isId(id)) return undefined;
      const [row] = await call.read<Row & { readonly request: string }>(this.#sql.request, [id]);
      return row && String(await inflate(Buffer.from(row.request, "hex")));
    });
  }

  counts(): ReturnType<EvidenceStore["counts"]> {
    return this.#database.run(async (call) => {
      const rows = await call.read<CountRow>(this.#sql.counts, []);
      return rows.map((row) => ({ ...row, count: Number(row.count) }));
    });
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #insert(client: PoolClient, records: readonly NewComparison[]): Promise<void> {
    const { rows } = await client.query<Row>(this.#sql.advance, [records.length]);
    if (rows[0] === undefined)
      throw new BridgeError("BAD_DATABASE", {
        what: "the table evidence_head has lost its row",
        where: this.#where,
        fix: "insert a row with the highest id of comparisons",
      });
    const last = Number(rows[0].last_id);
    for (let from = 0; from < records.length; from += batchRows) {
      if (from > 0) await othersFirst();
      const batch = records.slice(from, from + batchRows);
      await client.query(this.#sql.insert, [
        last - records.length + from,
        ...columns.map(({ of }) => batch.map(of)),
      ]);
    }
    for (const [index, record] of records.entries())
      if (record.requestText !== undefined) {
        const id = last - records.length + 1 + index;
        const compressed = await deflate(record.requestText);
        const day = storable(record.at).slice(0, 10);
        const kept = await client.query(this.#sql.keep, [id, day, compressed, this.#options.requestsPerDay]);
        if (kept.rowCount === 0) await client.query(this.#sql.refuse, [id]);
      }
    await client.query(this.#sql.count, countsOf(records));
    const pruned = await client.query(this.#sql.prune, [
      last - this.#options.rowsMax,
      records.length + pruneMax,
    ]);
    if (pruned.rowCount !== 0) await client.query(this.#sql.pruneRequests);
  }
}

const [deflate, inflate] = [promisify<string, Buffer>(zlib.deflate), promisify<Buffer, Buffer>(zlib.inflate)];

interface Statements {
  readonly advance: string;
  readonly insert: string;
  readonly count: string;
  readonly prune: string;
  readonly select: string;
  readonly counts: string;
  readonly keep: string;
  readonly refuse: string;
  readonly pruneRequests: string;
  readonly request: string;
}

function statementsFor(schema: string): Statements {
  const names = columns.map(({ name }) => name);
  // Arrays of jsonb would need one more level of escapes.
  const arrays = columns.map(({ type }, index) => `$${index + 2}::${type === "jsonb" ? "text" : type}[]`);
  return {
    advance: `UPDATE ${schema}.evidence_head SET last_id = last_id + $1 RETURNING last_id`,
    insert: `INSERT INTO ${schema}.comparisons (id, ${names.join(", ")})
      SELECT $1::bigint + place, ${columns.map(({ name, type }) => `${name}::${type}`).join(", ")}
      FROM unnest(${arrays.join(", ")}) WITH ORDINALITY AS given (${names.join(", ")}, place)`,
    count: `INSERT INTO ${schema}.comparison_counts AS so_far (method, kind, verdict, count)
      SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[])
      ON CONFLICT (method, kind, verdict) DO UPDATE SET count = so_far.count + excluded.count`,
    prune: `DELETE FROM ${schema}.comparisons
      WHERE id <= least($1::bigint, (SELECT min(id) FROM ${schema}.comparisons) - 1 + $2::bigint)`,
    select: `SELECT id, ${names.join(", ")} FROM ${schema}.comparisons`,
    counts: `SELECT method, kind, verdict, count FROM ${schema}.comparison_counts`,
    keep: `INSERT INTO ${schema}.comparison_requests (id, day, request) SELECT $1::bigint, $2::text, $3::bytea
      WHERE (SELECT count(*) FROM ${schema}.comparison_requests WHERE day = $2::text) < $4::bigint`,
    refuse: `UPDATE ${schema}.comparisons SET request = 'daily_limit' WHERE id = $1`,
    pruneRequests: `DELETE FROM ${schema}.comparison_requests
      WHERE id < coalesce((SELECT min(id) FROM ${schema}.comparisons), 9223372036854775807)`,
    request: `SELECT encode(request, 'hex') AS request FROM ${schema}.comparison_requests WHERE id = $1`,
  };
}

/** Parallel columns of methods, kinds, verdicts and counts, one entry per group. */
function countsOf(records: readonly ComparisonRecord[]): Value[][] {
  const groups = [
    ...Map.groupBy(records, ({ method, kind, verdict }) => `${kind} ${verdict} ${method}`).values(),
  ];
  const firsts = groups.map((group) => at(group, 0));
  return [
    firsts.map(({ method }) => storable(method)),
    firsts.map(({ kind }) => kind),
    firsts.map(({ verdict }) => verdict),
    groups.map(({ length }) => length),
  ];
}

/** Only this store writes these columns, so their texts are always values of these types. */
type CountRow = Row & Pick<ComparisonRecord, "method" | "kind" | "verdict">;
type ComparisonRow = CountRow &
  Pick<ComparisonRecord, "answered" | "request"> &
  Readonly<Record<"id" | "at" | "fingerprint" | "fields", string>>;

const comparisonOf = (row: ComparisonRow): StoredComparison => ({
  id: row.id,
  at: row.at,
  method: row.method,
  epoch: Number(row.epoch),
  answered: row.answered,
  kind: row.kind,
  verdict: row.verdict,
  unit: row.unit ?? null,
  fingerprint: row.fingerprint,
  legacyMs: numberOrNull(row.legacy_ms),
  modernMs: numberOrNull(row.modern_ms),
  legacyError: row.legacy_error ?? null,
  modernError: row.modern_error ?? null,
  fields: JSON.parse(row.fields),
  more: Number(row.more),
  excluded: Number(row.excluded),
  request: row.request ?? null,
});

/** A positive integer of at most 18 digits in its canonical form. */
const isId = (text: string): boolean => /^[1-9]\d{0,17}$/.test(text);
const numberOrNull = (text: string | null | undefined): number | null => (text == null ? null : Number(text));
