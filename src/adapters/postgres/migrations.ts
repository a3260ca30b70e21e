import { escapeIdentifier, type PoolClient } from "pg";
import { BridgeError } from "../../base/errors.ts";
import type { StoreNames } from "./failures.ts";

export interface OwnedTables {
  readonly names: StoreNames;
  /** Step n takes a schema from version n to n + 1; `schema` is quoted. A released step is never changed. */
  readonly migrations: readonly ((schema: string) => string)[];
}

/**
 * Creates or updates the tables, inside a transaction. Processes that start at the same time take turns. If
 * the tables are current, it needs only the right to read. Throws BAD_DATABASE for a version that is newer
 * than this program.
 */
export async function migrate(
  client: PoolClient,
  owned: OwnedTables,
  schema: string,
  where: string,
): Promise<void> {
  const { names, migrations } = owned;
  await client.query("SELECT pg_advisory_xact_lock($1, hashtext($2))", [lockClass, schema]);
  const quoted = escapeIdentifier(schema);
  const versions = `${quoted}.${names.versions}`;
  const { rows } = await client.query(
    "SELECT to_regnamespace($1) AS namespace, to_regclass($2) AS migrations",
    [quoted, versions],
  );
  if (rows[0]?.namespace === null) await client.query(`CREATE SCHEMA ${quoted}`);
  if (rows[0]?.migrations === null)
    await client.query(
      `CREATE TABLE ${versions} (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
  const found = await client.query(`SELECT coalesce(max(version), 0) AS version FROM ${versions}`);
  const version = Number(found.rows[0]?.version);
  if (version > migrations.length)
    throw new BridgeError("BAD_DATABASE", {
      what: `${names.tables} in schema ${schema} have version ${version}, this pnl-bridge knows ${migrations.length}`,
      where,
      fix: "start the newer pnl-bridge, or name another schema",
    });
  for (const [index, step] of migrations.entries()) {
    if (index < version) continue;
    await client.query(step(quoted));
    await client.query(`INSERT INTO ${versions} (version) VALUES ($1)`, [index + 1]);
  }
}

/**
 * The bytes of the text "pnle". All programs of a database share its advisory locks, so ours have a class of
 * their own. All stores use this class, because they may create the same schema.
 */
const lockClass = 0x706e6c65;
