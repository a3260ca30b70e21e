/**
 * The access to PostgreSQL (13 or newer) that all stores share: transactions on a few connections, with
 * limits, readable failures and a known outcome of each commit.
 *
 * If the connection breaks during a commit, the server is asked over another connection for the state of the
 * transaction. So a write that is reported as failed has not happened, and repeating it does not write twice.
 * If the connection breaks earlier, the transaction is repeated once. If the state cannot be determined in
 * time, the error says that it is unknown whether the commit succeeded.
 *
 * Settings apply to one transaction and not to the session, so that a pooler can be used.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type ClientConfig, Pool, type PoolClient } from "pg";
import { BridgeError } from "../../base/errors.ts";
import { failureOf, severityOf, type Target } from "./failures.ts";
import { migrate, type OwnedTables } from "./migrations.ts";

interface DatabaseLimits {
  readonly connectionsMax: number;
  /** How long one statement may take. */
  readonly statementMsMax: number;
  /**
   * How long a transaction with several statements may be idle between them. So a hung process holds a lock
   * no longer than this.
   */
  readonly restMsMax: number;
  /** How long connecting may take. */
  readonly connectMsMax: number;
  /** Whether statements may be sent before the earlier ones are answered. */
  readonly pipelines?: boolean;
  /** How long a call may take, all waiting included; infinity if only its statements are limited. */
  readonly callMsMax: number;
}

/**
 * All values are text, so that parsers which other code sets for `pg` in this process have no effect here.
 */
export type Row = Readonly<Record<string, string | null>>;

/** The settings of every connection. */
export const connectionOf = ({ url }: Target, { names }: OwnedTables): ClientConfig => ({
  application_name: `pnl-bridge ${names.name}`,
  connectionString: url,
  keepAlive: true,
  types: { getTypeParser: () => (text: string) => text },
});

export class PostgresDatabase {
  readonly #target: Target;
  readonly #owned: OwnedTables;
  readonly #limits: DatabaseLimits;
  readonly #pool: Pool;
  readonly #running = new Set<Promise<unknown>>();
  #lastInTurn: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(target: Target, owned: OwnedTables, limits: DatabaseLimits) {
    this.#target = target;
    this.#owned = owned;
    this.#limits = limits;
    // The types of `pg` lack the option.
    const pipeline = { pipeline: limits.pipelines ?? false };
    this.#pool = new Pool({
      ...connectionOf(target, owned),
      ...pipeline,
      max: limits.connectionsMax,
      connectionTimeoutMillis: limits.connectMsMax,
      // The server's own timeout is reported over the network, which may be broken; this one is local.
      query_timeout: limits.statementMsMax + limits.connectMsMax,
      idleTimeoutMillis: 30_000,
      allowExitOnIdle: true,
    });
    // An idle connection broke. The next use opens a new one, and reports the error if it cannot.
    this.#pool.on("error", () => {});
  }

  migrate(schema: string): Promise<void> {
    return this.run((call) =>
      call.write((client) => migrate(client, this.#owned, schema, this.#target.where)),
    );
  }

  /** Runs one call of a store. Its errors are BridgeErrors in plain words. */
  async run<T>(work: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined)
      throw new BridgeError("INTERNAL", { what: `the ${this.#owned.names.name} store is closed` });
    const call = new Call({
      pool: this.#pool,
      where: this.#target.where,
      owned: this.#owned,
      limits: this.#limits,
      inTurn: (work) => this.#inTurn(work),
    });
    const running = work(call);
    this.#running.add(running);
    // The caller may have stopped waiting by then.
    void running.catch(() => {}).then(() => this.#running.delete(running));
    try {
      return await call.inTime(running);
    } catch (error) {
      throw failureOf(error, this.#target.where, this.#owned.names);
    }
  }

  /** Waits for the calls that have begun, then closes all connections. */
  close(): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#running).then(() => this.#pool.end());
    return this.#closed;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastInTurn.then(work);
    this.#lastInTurn = turn.catch(() => {});
    return turn;
  }
}

interface CallParts {
  readonly pool: Pool;
  readonly where: string;
  readonly owned: OwnedTables;
  readonly limits: DatabaseLimits;
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
}

/** The database operations of one store call. */
class Call {
  readonly #parts: CallParts;
  readonly #endsMs: number;
  #waitsFor: "nothing" | "its turn" | "a commit" = "nothing";

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#endsMs = performance.now() + parts.limits.callMsMax;
  }

  /** Runs one statement that only reads. */
  async read<Read extends Row = Row>(sql: string, values: readonly unknown[]): Promise<readonly Read[]> {
    return this.#single<Read>("READ ONLY", sql, values);
  }

  /** Runs statements that only read and all see the same state of the database. */
  async snapshot<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.#connected(async (client) => {
      await client.query(
        `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${this.#limit}; ${this.#restLimit}`,
      );
      const done = await work(client);
      await client.query("COMMIT");
      return done;
    });
  }

  /**
   * Runs one statement whose effect may be lost: in a crash of the server, or if its answer does not arrive.
   */
  async writeWithoutGuarantee(sql: string, values: readonly unknown[]): Promise<void> {
    await this.#single("READ WRITE; SET LOCAL synchronous_commit = off", sql, values);
  }

  /**
   * Runs a transaction that writes. If it throws, nothing has been written, unless the error says that the
   * outcome of the commit is unknown. If the connection breaks before the commit, the server has undone the
   * transaction, and `work` runs once more on another connection: the server ends a connection that is idle
   * in a transaction, for example if the process was suspended for a second.
   */
  async write<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      let doubtful: { readonly transaction: string | null | undefined; readonly done: T } | undefined;
      try {
        return await this.#connected(async (client) => {
          await client.query(
            `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ${this.#limit}; ${this.#restLimit}; ${onDisk}`,
          );
          const done = await work(client);
          const { rows } = await client.query<Row>("SELECT pg_current_xact_id()::text AS transaction");
          doubtful = { transaction: rows[0]?.transaction, done };
          this.#waitsFor = "a commit";
          await client.query("COMMIT");
          return done;
        });
      } catch (error) {
        if (doubtful === undefined && tries === 1 && isBroken(error)) continue;
        if (doubtful === undefined || !(await this.#wasCommitted(doubtful.transaction, error))) throw error;
        return doubtful.done;
      }
    }
  }

  /** Like `write`, one transaction after the other, in the order of the calls. */
  writeInTurn<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    this.#waitsFor = "its turn";
    return this.#parts.inTurn(() => {
      this.#waitsFor = "nothing";
      return this.write(work);
    });
  }

  /** Settles as the work does, or rejects at the deadline. */
  async inTime<T>(work: Promise<T>): Promise<T> {
    if (this.#endsMs === Number.POSITIVE_INFINITY) return work;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(this.#late()), this.#parts.limits.callMsMax);
    try {
      return await Promise.race([work, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  #late(cause?: unknown): BridgeError {
    const { names } = this.#parts.owned;
    if (this.#waitsFor === "its turn")
      return new BridgeError("DATABASE_BUSY", {
        what: `an earlier write of this process is not finished after ${this.#parts.limits.callMsMax} ms`,
        where: this.#parts.where,
        fix: `look for the session that holds a lock on ${names.locks}`,
        cause,
      });
    const isDoubtful = this.#waitsFor === "a commit";
    return new BridgeError("SYSTEM_DOWN", {
      what: isDoubtful
        ? "PostgreSQL did not answer during a commit, and it is unknown whether the commit succeeded"
        : `PostgreSQL did not answer within ${this.#parts.limits.callMsMax} ms`,
      where: this.#parts.where,
      fix: isDoubtful
        ? "start PostgreSQL, then check for the write before you repeat it, or it may be written twice"
        : "start PostgreSQL, or check host and port of the URL",
      cause,
    });
  }

  get #leftMs(): number {
    return this.#endsMs - performance.now();
  }

  /** The server's limit is a little shorter than the caller's, because only the server knows the reason. */
  get #limit(): string {
    const { statementMsMax, callMsMax } = this.#parts.limits;
    const ownMs = this.#leftMs - Math.min(250, callMsMax / 8);
    return `SET LOCAL statement_timeout = ${Math.max(1, Math.floor(Math.min(statementMsMax, ownMs)))}`;
  }

  get #restLimit(): string {
    return `SET LOCAL idle_in_transaction_session_timeout = ${this.#parts.limits.restMsMax}`;
  }

  #single<Read extends Row>(mode: string, sql: string, values: readonly unknown[]): Promise<readonly Read[]> {
    return this.#connected(async (client) => {
      const begin = `BEGIN ${mode}; ${this.#limit}`;
      if (values.length === 0) {
        // One round trip: several statements give a list of results, which the types of `pg` lack.
        const results = [await client.query<Read>(`${begin}; ${sql}; COMMIT`)].flat();
        return results.at(-2)?.rows ?? [];
      }
      await client.query(begin);
      const { rows } = await client.query<Read>(sql, [...values]);
      await client.query("COMMIT");
      return rows;
    });
  }

  async #wasCommitted(transaction: string | null | undefined, cause: unknown): Promise<boolean> {
    for (const pauseMs of askAgainMs) {
      if (pauseMs > this.#leftMs) break;
      await sleep(pauseMs);
      const asked = this.read("SELECT pg_xact_status($1::xid8) AS status", [transaction]);
      const status = await asked.then(
        ([row]) => row?.status,
        () => "unknown",
      );
      if (status !== "unknown" && status !== "in progress") return status === "committed";
    }
    throw this.#late(cause);
  }

  async #connected<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    // At its deadline the caller has received the failure already.
    if (this.#leftMs <= 0) throw this.#late();
    const client = await this.#parts.pool.connect();
    // The query reports the error of a broken connection too.
    const ignore = (): void => {};
    client.on("error", ignore);
    let unusable: unknown;
    const leftMs = this.#leftMs;
    const timer =
      leftMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => void client.end(), leftMs);
    try {
      if (leftMs <= 0) throw this.#late();
      return await work(client);
    } catch (error) {
      // A connection is reused after an answer of the server, and never after silence.
      if (!isBroken(error)) await client.query("ROLLBACK").catch((failed) => (unusable = failed));
      else unusable = error;
      throw error;
    } finally {
      clearTimeout(timer);
      client.release(unusable !== undefined);
      client.off("error", ignore);
    }
  }
}

/** Whether an error is that of a connection, and not the server's answer to a statement. */
const isBroken = (error: unknown): boolean =>
  !(error instanceof BridgeError || error instanceof TypeError) && severityOf(error) !== "ERROR";

/** Pauses between queries for the state of a commit. A restarting server is usually back within them. */
const askAgainMs = [0, 100, 200, 400, 800, 1_600, 3_200];

/** Makes an acknowledged write survive a power cut even if the database has `synchronous_commit = off`. */
const onDisk =
  "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";
