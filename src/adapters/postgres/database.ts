/**
 * What both stores need of PostgreSQL (13 or newer): transactions on a few connections, with limits, failures in words, and an answer
 * to the question what became of a commit.
 *
 * When the connection breaks while a commit is under way, the server is asked on another one what became of the transaction: a write
 * that is said to have failed has not taken place, so who tries again does not write twice. Only where that cannot be found out in
 * time, the error says so.
 *
 * Settings are made in each transaction and not in the session, so that a pooler may stand between.
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
  /** How long a transaction that writes may rest between its statements: a process that hangs holds a lock no longer. */
  readonly restMsMax: number;
  /** How long a connection may take to be made. */
  readonly connectMsMax: number;
  /** How long a call may take, with all its waiting; infinity where only its statements are limited. */
  readonly callMsMax: number;
}

/** All values come as text: whoever changes the parsers of `pg` for all of a process does not change ours. */
export type Row = Readonly<Record<string, string | null>>;

/** How a connection is made, whoever makes it. */
export const connectionOf = ({ url }: Target, { kept }: OwnedTables): ClientConfig => ({
  application_name: `pnl-bridge ${kept.name}`,
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
    this.#pool = new Pool({
      ...connectionOf(target, owned),
      max: limits.connectionsMax,
      connectionTimeoutMillis: limits.connectMsMax,
      // Where the network is silent, the server's own limit does not come through.
      query_timeout: limits.statementMsMax + limits.connectMsMax,
      idleTimeoutMillis: 30_000,
      allowExitOnIdle: true,
    });
    // An idle connection that breaks: the next use makes a new one, and says what is wrong if it cannot.
    this.#pool.on("error", () => {});
  }

  migrate(schema: string): Promise<void> {
    return this.run((call) => call.write((client) => migrate(client, this.#owned, schema, this.#target.where)));
  }

  /** One call of a store; what it throws says what is wrong. */
  async run<T>(work: (call: Call) => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new BridgeError("INTERNAL", { what: `the ${this.#owned.kept.name} store is closed` });
    const call = new Call({
      pool: this.#pool,
      where: this.#target.where,
      owned: this.#owned,
      limits: this.#limits,
      inTurn: (work) => this.#inTurn(work),
    });
    const running = work(call);
    this.#running.add(running);
    // The caller may be gone by then.
    void running.catch(() => {}).then(() => this.#running.delete(running));
    try {
      return await call.inTime(running);
    } catch (error) {
      throw failureOf(error, this.#target.where, this.#owned.kept);
    }
  }

  /** What was called before it is still done. */
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

/** What a call does with the database. */
class Call {
  readonly #parts: CallParts;
  readonly #endsMs: number;
  #waitsFor: "nothing" | "its turn" | "a commit" = "nothing";

  constructor(parts: CallParts) {
    this.#parts = parts;
    this.#endsMs = performance.now() + parts.limits.callMsMax;
  }

  /** One statement that only reads. */
  async read<Read extends Row = Row>(sql: string, values: readonly unknown[]): Promise<readonly Read[]> {
    return this.#single<Read>("READ ONLY", sql, values);
  }

  /** One statement that may be lost, even after it: in a crash of the server, or where its answer does not arrive. */
  async mention(sql: string, values: readonly unknown[]): Promise<void> {
    await this.#single("READ WRITE; SET LOCAL synchronous_commit = off", sql, values);
  }

  /** A transaction that writes. When it throws, nothing has been written. */
  async write<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    let doubtful: { readonly transaction: string | null | undefined; readonly done: T } | undefined;
    try {
      return await this.#connected(async (client) => {
        await client.query(`BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; ${this.#limit}; ${this.#restLimit}; ${onDisk}`);
        const done = await work(client);
        const { rows } = await client.query<Row>("SELECT pg_current_xact_id()::text AS transaction");
        doubtful = { transaction: rows[0]?.transaction, done };
        this.#waitsFor = "a commit";
        await client.query("COMMIT");
        return done;
      });
    } catch (error) {
      if (doubtful === undefined || !(await this.#wasCommitted(doubtful.transaction, error))) throw error;
      return doubtful.done;
    }
  }

  /** The same, one after the other, in the order of the calls. */
  writeInTurn<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    this.#waitsFor = "its turn";
    return this.#parts.inTurn(() => {
      this.#waitsFor = "nothing";
      return this.write(work);
    });
  }

  /** What the work comes to, or why it has not by the end of the time. */
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
    const { kept } = this.#parts.owned;
    if (this.#waitsFor === "its turn")
      return new BridgeError("DATABASE_BUSY", {
        what: `what this process wrote before is not done after ${this.#parts.limits.callMsMax} ms`,
        where: this.#parts.where,
        fix: `look for what holds a lock on ${kept.locks}`,
        cause,
      });
    const isDoubtful = this.#waitsFor === "a commit";
    return new BridgeError("SYSTEM_DOWN", {
      what: isDoubtful
        ? "PostgreSQL does not answer during a commit, and whether it took place cannot be found out"
        : `PostgreSQL does not answer within ${this.#parts.limits.callMsMax} ms`,
      where: this.#parts.where,
      fix: isDoubtful ? "start it; then look, or some of it may be written twice" : "start it, or check host and port of the URL",
      cause,
    });
  }

  get #leftMs(): number {
    return this.#endsMs - performance.now();
  }

  /** The server gives up a little earlier than we do: it knows why. */
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
        // All at once: several statements have a list of results, which the types of `pg` leave out.
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
    // Its caller has been told that it failed.
    if (this.#leftMs <= 0) throw this.#late();
    const client = await this.#parts.pool.connect();
    // What a broken connection has to say, its query says as well.
    const ignore = (): void => {};
    client.on("error", ignore);
    let unusable: unknown;
    const leftMs = this.#leftMs;
    const timer = leftMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => void client.end(), leftMs);
    try {
      if (leftMs <= 0) throw this.#late();
      return await work(client);
    } catch (error) {
      // After an answer of the server the connection is good; after silence nothing more is asked of it.
      const answered = error instanceof BridgeError || severityOf(error) === "ERROR";
      if (answered) await client.query("ROLLBACK").catch((failed) => (unusable = failed));
      else unusable = error;
      throw error;
    } finally {
      clearTimeout(timer);
      client.release(unusable !== undefined);
      client.off("error", ignore);
    }
  }
}

/** Pauses between questions what became of a commit. A server that starts again is back within them, as a rule. */
const askAgainMs = [0, 100, 200, 400, 800, 1_600, 3_200];

/** What a write acknowledges survives a power cut, however the database is set up. */
const onDisk = "SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";
