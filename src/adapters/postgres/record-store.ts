/**
 * The modern store of the database bridge's pair in PostgreSQL.
 *
 * Each call is one transaction; `PostgresDatabase` finds out the outcome of a commit whose connection was
 * lost. Calls that write run under READ COMMITTED, so each statement sees what other transactions have
 * committed before it: a rule that needs a row unchanged locks the row when it reads it. Calls that read see
 * one state of the database.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { escapeIdentifier, type PoolClient } from "pg";
import { backOffMs } from "../../base/back-off.ts";
import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Dialect } from "../../durable/dialect.ts";
import { readingCalls, recordCalls, WriteUndone } from "../../durable/record-calls.ts";
import { runLater, type Statement, StatementRefused, type Work } from "../../durable/work.ts";
import type { Answer, Given, RecordCall, RecordStore, StoredRow } from "../../ports/record-store.ts";
import { PostgresDatabase } from "./database.ts";
import { type Target, targetOf } from "./failures.ts";
import { recordTables } from "./record-schema.ts";

export interface PostgresRecordOptions {
  /** The authoritative side of a pair of databases that has never been opened. */
  readonly authority: Side;
  /** How long a call may take. Default 30 000. */
  readonly callMsMax?: number;
}

/**
 * Opens modern's store. Creates the schema that the URL names (`?schema=desk`), or `newpnl`, and its tables
 * where they are missing. This function and the calls of the store throw the errors of
 * `openPostgresEvidenceStore`.
 */
export async function openPostgresRecordStore(
  url: string,
  { authority, callMsMax = 30_000 }: PostgresRecordOptions,
): Promise<RecordStore> {
  const store = new PostgresRecordStore(targetOf(url, recordTables.names), callMsMax);
  try {
    await store.prepare(authority);
    return store;
  } catch (error) {
    await store.close();
    throw error;
  }
}

const limits = {
  connectionsMax: 4,
  statementMsMax: 10_000,
  restMsMax: 5_000,
  connectMsMax: 5_000,
  pipelines: true,
};

/** Pauses before a transaction that the server ended in favour of another one runs again. */
const conflictPauses = { firstMs: 5, lastMs: 200 };

class PostgresRecordStore implements RecordStore {
  readonly side = "modern";
  readonly #schema: string;
  readonly #database: PostgresDatabase;
  readonly #calls: ReturnType<typeof recordCalls>;
  readonly #callMsMax: number;

  constructor(target: Target, callMsMax: number) {
    this.#schema = target.schema ?? "newpnl";
    this.#callMsMax = callMsMax;
    this.#calls = recordCalls(dialectOf(escapeIdentifier(this.#schema)));
    this.#database = new PostgresDatabase(target, recordTables, { ...limits, callMsMax });
  }

  async prepare(authority: Side): Promise<void> {
    await this.#database.migrate(this.#schema);
    await this.#database.run((call) =>
      call.write((client) =>
        client.query(
          `INSERT INTO ${escapeIdentifier(this.#schema)}.pnlb_fence (epoch, authority, incarnation)
           VALUES (1, $1, $2) ON CONFLICT DO NOTHING`,
          [authority, randomUUID()],
        ),
      ),
    );
  }

  async call<Name extends RecordCall>(name: Name, given: Given<Name>): Promise<Answer<Name>> {
    try {
      return await this.#transaction(name, given);
    } catch (failure) {
      if (undoneOf(failure) === undefined) throw failure;
    }
    // This write lost against another transaction, which may have been the same write and is committed now.
    try {
      return await this.#transaction(name, given);
    } catch (failure) {
      const undone = undoneOf(failure);
      if (undone === undefined) throw failure;
      // Only a call with a single write ends this way, so this answer is the only one of the call.
      return [undone.answer] as Answer<Name>;
    }
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  /** One call as a transaction, which runs again when the server ends it in favour of another one. */
  async #transaction<Name extends RecordCall>(name: Name, given: Given<Name>): Promise<Answer<Name>> {
    const work: (given: Given<Name>) => Work<Answer<Name>> = this.#calls[name];
    const run = (client: PoolClient): Promise<Answer<Name>> =>
      runLater(work(given), (statements) => answers(client, statements)).catch(undo);
    const endsMs = performance.now() + this.#callMsMax;
    for (let failures = 1; ; failures += 1) {
      try {
        return await this.#database.run((call) =>
          readingCalls.has(name) ? call.snapshot(run) : call.write(run),
        );
      } catch (failure) {
        if (!isLostRace(failure) || performance.now() > endsMs) throw failure;
      }
      await sleep(backOffMs(conflictPauses, failures, Math.random()));
    }
  }
}

/** The statements are sent together. After a failure the server refuses the rest of the transaction. */
async function answers(
  client: PoolClient,
  statements: readonly Statement[],
): Promise<readonly (readonly StoredRow[])[]> {
  const settled = await Promise.allSettled(statements.map((statement) => answer(client, statement)));
  return settled.map((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
}

async function answer(client: PoolClient, { sql, values }: Statement): Promise<readonly StoredRow[]> {
  let place = 0;
  try {
    const { rows, rowCount } = await client.query<StoredRow>(
      sql.replaceAll("?", () => `$${++place}`),
      [...values],
    );
    return rows.length === 0 && rowCount !== null && rowCount > 0 ? [{}] : rows;
  } catch (failure) {
    // Data that a type or rule of the database forbids, also by a trigger, or that no index can hold.
    if (/^(22|23|54000|P0001)/.test(codeOf(failure)))
      throw new StatementRefused(messageOf(failure), { cause: failure });
    throw failure;
  }
}

/** Throws, which ends the transaction. The connection stays in use, since the error is this program's own. */
function undo(failure: unknown): never {
  if (failure instanceof WriteUndone || failure instanceof StatementRefused)
    throw new BridgeError("REFUSED", { what: messageOf(failure), cause: failure });
  throw failure;
}

const undoneOf = (failure: unknown): WriteUndone | undefined =>
  failure instanceof BridgeError && failure.cause instanceof WriteUndone ? failure.cause : undefined;

/** A deadlock, or a serialisation failure: the same transaction may succeed when it runs again. */
const isLostRace = (failure: unknown): boolean =>
  failure instanceof BridgeError && /^40(001|P01)/.test(codeOf(failure.cause));

const dialectOf = (schema: string): Dialect => ({
  side: "modern",
  rowsOf: (table) => `${schema}.${table}`,
  own: (table) => `${schema}.pnlb_${table}`,
  forShare: " FOR SHARE",
  forUpdate: " FOR UPDATE",
  hasCheapSavepoints: false,
  keepsVersion: true,
  keepsMigrations: true,
});
