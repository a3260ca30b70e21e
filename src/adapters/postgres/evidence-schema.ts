import { escapeIdentifier, type PoolClient } from "pg";
import { BridgeError } from "../../domain/errors.ts";

/** Step n brings a schema from version n to n + 1; `schema` is quoted. A step that was released is never changed. */
const migrations: readonly ((schema: string) => string)[] = [
  // Ids come from the head row and not from a sequence: a sequence has gaps where transactions fail, and then "the newest n" would
  // have to be counted. Its lock also makes the order of ids that of commits.
  (schema) => `
    CREATE TABLE ${schema}.evidence_head (
      only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
      last_id bigint NOT NULL
    );
    INSERT INTO ${schema}.evidence_head (last_id) VALUES (0);
    CREATE TABLE ${schema}.comparisons (
      id bigint PRIMARY KEY,
      at text NOT NULL,
      method text NOT NULL,
      epoch bigint NOT NULL,
      answered text NOT NULL,
      kind text NOT NULL,
      verdict text NOT NULL,
      unit text,
      fingerprint text NOT NULL,
      legacy_ms double precision,
      modern_ms double precision,
      legacy_error text,
      modern_error text,
      fields jsonb NOT NULL
    );
    CREATE INDEX comparisons_by_method ON ${schema}.comparisons (method, id);
    CREATE INDEX comparisons_by_verdict ON ${schema}.comparisons (verdict, id);
    CREATE INDEX comparisons_by_method_and_verdict ON ${schema}.comparisons (method, verdict, id);
    CREATE TABLE ${schema}.comparison_counts (
      method text NOT NULL,
      kind text NOT NULL,
      verdict text NOT NULL,
      count bigint NOT NULL,
      PRIMARY KEY (method, kind, verdict)
    );`,
];

/**
 * Makes or brings up to date the tables of evidence, inside a transaction. One at a time, whoever starts at once; where all is there,
 * it needs no right but to read. Throws BAD_DATABASE for a version that is newer than this program.
 */
export async function migrate(client: PoolClient, schema: string, where: string): Promise<void> {
  await client.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [lockClass, schema]);
  const quoted = escapeIdentifier(schema);
  const { rows } = await client.query("SELECT to_regnamespace($1) AS namespace, to_regclass($2) AS migrations", [
    quoted,
    `${quoted}.evidence_migrations`,
  ]);
  if (rows[0]?.namespace === null) await client.query(`CREATE SCHEMA ${quoted}`);
  if (rows[0]?.migrations === null)
    await client.query(
      `CREATE TABLE ${quoted}.evidence_migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
  const found = await client.query(`SELECT coalesce(max(version), 0) AS version FROM ${quoted}.evidence_migrations`);
  const version = Number(found.rows[0]?.version);
  if (version > migrations.length)
    throw new BridgeError("BAD_DATABASE", {
      what: `the tables of evidence in schema ${schema} have version ${version}, this pnl-bridge knows ${migrations.length}`,
      where,
      mend: "start the newer pnl-bridge, or name another schema",
    });
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    await client.query(step(quoted));
    await client.query(`INSERT INTO ${quoted}.evidence_migrations (version) VALUES ($1)`, [index + 1]);
  }
}

/** "pnle": an advisory lock is one for a whole database, whoever uses it. */
const lockClass = 0x706e6c65;
