/**
 * The evidence of the gates in PostgreSQL: one row for each lane, day and method, and tables of counts, of
 * processes and of attempts. Lane days and counts are sent as one JSON text each. `schema` is the escaped
 * name of the schema.
 */
import type { PoolClient } from "pg";
import { storable, storableJson } from "../../base/storable-text.ts";
import type { Attempt, EvidenceDelta, LaneDay, StoredEvidence, Tally } from "../../ports/tallies.ts";

type Numbers<Row> = { readonly [Name in keyof Row]: Row[Name] extends number | null ? unknown : Row[Name] };

/** Adds evidence within the caller's transaction. */
export async function addEvidence(
  client: PoolClient,
  schema: string,
  evidence: EvidenceDelta,
): Promise<void> {
  const { key, process, at, day, ended, laneDays, tallies } = evidence;
  if (laneDays.length > 0)
    await client.query(
      `INSERT INTO ${schema}.lane_days AS so_far
       SELECT $1, given.* FROM jsonb_to_recordset($2::jsonb) AS given (source text, day text, book text,
         symbol text, "group" text, at text, apart text, accepted text, money double precision,
         "quantityApart" boolean, signed double precision, weight double precision, method text)
       ON CONFLICT (key, source, day, book, symbol, method) DO UPDATE SET "group" = excluded."group",
         at = excluded.at, apart = excluded.apart, accepted = excluded.accepted, money = excluded.money,
         quantity_apart = excluded.quantity_apart, signed = excluded.signed, weight = excluded.weight
       WHERE excluded.at >= so_far.at`,
      [key, storableJson(laneDays)],
    );
  if (tallies.length > 0)
    await client.query(
      `INSERT INTO ${schema}.tallies AS so_far
       SELECT $1, given.* FROM jsonb_to_recordset($2::jsonb) AS given (source text, signal text, stratum text,
         n double precision, k double precision, amount double precision, largest double precision)
       ON CONFLICT (key, source, signal, stratum) DO UPDATE SET n = so_far.n + excluded.n,
         k = so_far.k + excluded.k, amount = so_far.amount + excluded.amount,
         largest = greatest(so_far.largest, excluded.largest)`,
      [key, storableJson(tallies)],
    );
  await client.query(
    `INSERT INTO ${schema}.evidence_processes AS so_far VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (key, process) DO UPDATE SET at = excluded.at, day = greatest(so_far.day, excluded.day),
       ended = excluded.ended`,
    [key, storable(process), at, day, ended],
  );
}

export async function evidenceUnder(
  client: PoolClient,
  schema: string,
  key: string,
): Promise<StoredEvidence> {
  const select = async <Row>(columns: string, table: string): Promise<Row[]> => {
    const { rows } = await client.query(`SELECT ${columns} FROM ${schema}.${table} WHERE key = $1`, [key]);
    return rows;
  };
  const laneDays = await select<Numbers<Omit<LaneDay, "quantityApart">> & { readonly quantity: string }>(
    `source, day, book, symbol, "group", at, apart, accepted, money, quantity_apart::text AS quantity,
     signed, weight, method`,
    "lane_days",
  );
  const tallies = await select<Numbers<Tally>>("source, signal, stratum, n, k, amount, largest", "tallies");
  const processes = await select<{ process: string; at: string; day: string; ended: string }>(
    "process, at, day, ended::text AS ended",
    "evidence_processes",
  );
  const others = await client.query(
    `SELECT key, max(at) AS at FROM ${schema}.evidence_processes WHERE key <> $1 GROUP BY key`,
    [key],
  );
  return {
    laneDays: laneDays.map(({ quantity, money, ...rest }) => ({
      ...rest,
      money: money === null ? null : Number(money),
      quantityApart: quantity === "true",
      signed: Number(rest.signed),
      weight: Number(rest.weight),
    })),
    tallies: tallies.map(({ n, k, amount, largest, ...rest }) => ({
      ...rest,
      ...{ n: Number(n), k: Number(k), amount: Number(amount), largest: Number(largest) },
    })),
    processes: processes.map((row) => ({ ...row, ended: row.ended === "true" })),
    others: others.rows,
  };
}

/** The caller's transaction must exclude other callers. */
export async function nextAttempt(
  client: PoolClient,
  schema: string,
  { key, isLook }: { readonly key: string; readonly isLook: boolean },
): Promise<Attempt> {
  const table = `${schema}.evidence_attempts`;
  await client.query(
    `INSERT INTO ${table} SELECT coalesce(max(attempt), 0) + 1, $1, 0 FROM ${table}
     HAVING (SELECT key FROM ${table} ORDER BY attempt DESC LIMIT 1) IS DISTINCT FROM $1`,
    [key],
  );
  if (isLook)
    await client.query(
      `UPDATE ${table} SET looks = looks + 1 WHERE attempt = (SELECT max(attempt) FROM ${table})`,
    );
  const { rows } = await client.query(
    `SELECT max(attempt) AS attempt, sum(looks) AS looks FROM ${table} WHERE key = $1`,
    [key],
  );
  return { attempt: Number(rows[0]?.attempt), looks: Number(rows[0]?.looks) };
}
