/** Reads modern's store for reconcile. Each statement is a short reading transaction of its own. */

import { escapeIdentifier } from "pg";
import { BridgeError } from "../../base/errors.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { imagesOf } from "../../durable/row-images.ts";
import type { Cell, Cells, KeyRange, OutboxLook, ReadTable, StoreReader } from "../../ports/reconcile.ts";
import { PostgresDatabase, type Row } from "./database.ts";
import { targetOf } from "./failures.ts";
import { recordTables } from "./record-schema.ts";

const limits = {
  connectionsMax: 1,
  statementMsMax: 60_000,
  restMsMax: 5_000,
  connectMsMax: 5_000,
  callMsMax: 60_000,
};
/** The largest number of entries of an outbox that one read returns. */
const entriesMax = 10_000;

export async function openPostgresReader(url: string): Promise<StoreReader> {
  const target = targetOf(url, recordTables.names);
  const reader = new PostgresReader(
    new PostgresDatabase(target, recordTables, limits),
    target.schema ?? "newpnl",
    target.where,
  );
  await reader.authority();
  return reader;
}

class PostgresReader implements StoreReader {
  readonly #database: PostgresDatabase;
  readonly #schema: string;
  readonly #where: string;

  constructor(database: PostgresDatabase, schema: string, where: string) {
    this.#database = database;
    this.#schema = schema;
    this.#where = where;
  }

  async authority(): Promise<Side | null> {
    if (!(await this.#has("pnlb_fence"))) return null;
    const [row] = await this.#all(`SELECT authority FROM ${this.#name("pnlb_fence")}`);
    return row?.authority === "modern" ? "modern" : "legacy";
  }

  async outbox(since: number | null): Promise<OutboxLook> {
    const outbox = this.#name("pnlb_outbox");
    // Entries that were confirmed since the last read are found by `place`, because the entries are not
    // confirmed in the order of `seq`.
    const rows = await this.#all(
      `SELECT seq, rows, state, code, (SELECT coalesce(max(seq), 0) FROM ${outbox}) AS last,
         (SELECT coalesce(max(place), 0) FROM ${outbox}) AS mark
       FROM (SELECT 1) AS one LEFT JOIN ${outbox} ON state <> 'done' OR place > $1 LIMIT ${entriesMax}`,
      since ?? "9223372036854775807",
    );
    return {
      isCut: rows.length === entriesMax,
      last: Number(rows[0]?.last),
      mark: Number(rows[0]?.mark),
      entries: rows
        .filter(({ seq }) => seq !== null)
        .map(({ seq, rows: written, state, code }) => ({
          seq: Number(seq),
          isPending: state === "pending",
          code: state === "parked" ? (code ?? null) : null,
          images: imagesOf(written ?? "[]"),
        })),
    };
  }

  async reviewed(): ReturnType<StoreReader["reviewed"]> {
    if (!(await this.#has("pnlb_quarantine"))) return new Map();
    const rows = await this.#all(
      `SELECT key, code, settled_as AS "as" FROM ${this.#name("pnlb_quarantine")}`,
    );
    return new Map(
      rows.map(({ key, code, as }) => [String(key), { code: String(code), isAccepted: as === "accepted" }]),
    );
  }

  async keyAfter(table: ReadTable, after: string | null, count: number): Promise<string | null> {
    const key = `${escapeIdentifier(table.key)} COLLATE "C"`;
    const [row] = await this.#all(
      `SELECT ${key} AS key FROM ${await this.#table(table)} WHERE $1::text IS NULL OR ${key} > $1
       ORDER BY 1 LIMIT 1 OFFSET ${count - 1}`,
      after,
    );
    return row?.key ?? null;
  }

  async rows(table: ReadTable, { after, upTo }: KeyRange): Promise<readonly Cells[]> {
    const key = `${escapeIdentifier(table.key)} COLLATE "C"`;
    return this.#all(
      `SELECT ${columnsOf(table)} FROM ${await this.#table(table)}
       WHERE ($1::text IS NULL OR ${key} > $1) AND ($2::text IS NULL OR ${key} <= $2)`,
      after,
      upTo,
    );
  }

  async rowsOf(table: ReadTable, keys: readonly Cell[]): Promise<readonly Cells[]> {
    const texts = keys.filter((key) => typeof key === "string");
    return this.#all(
      `SELECT ${columnsOf(table)} FROM ${await this.#table(table)} WHERE ${escapeIdentifier(table.key)} = ANY($1)`,
      texts,
    );
  }

  async highestRow(): Promise<number> {
    return 0;
  }

  async newRowsReadTo({ table }: ReadTable): Promise<number | null> {
    if (!(await this.#has("pnlb_backfill"))) return null;
    const [row] = await this.#all(
      `SELECT max(next) AS next FROM ${this.#name("pnlb_backfill")} WHERE pass <> 'all_rows' AND source = $1`,
      table,
    );
    return row?.next == null ? null : Number(row.next);
  }

  async isUnique(): Promise<boolean> {
    return true;
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #table({ table }: ReadTable): Promise<string> {
    if (await this.#has(table)) return this.#name(table);
    throw new BridgeError("BAD_DATABASE", {
      what: `modern's database has no table ${this.#schema}.${table}`,
      where: this.#where,
      fix: "create the tables: pnl-bridge db init",
    });
  }

  #name(table: string): string {
    return `${escapeIdentifier(this.#schema)}.${table}`;
  }

  async #has(table: string): Promise<boolean> {
    const [row] = await this.#all("SELECT to_regclass($1) IS NOT NULL AS there", this.#name(table));
    return row?.there === "t";
  }

  #all(sql: string, ...values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#database.run((call) => call.read(sql, values));
  }
}

const columnsOf = ({ columns }: ReadTable): string => columns.map(escapeIdentifier).join(", ");
