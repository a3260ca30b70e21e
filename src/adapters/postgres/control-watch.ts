import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type ClientConfig } from "pg";
import { backOffMs } from "../../base/back-off.ts";
import { channel } from "./control-schema.ts";
import type { Row } from "./database.ts";

interface WatchOptions {
  readonly connection: ClientConfig;
  readonly schema: string;
  /** The statement that selects the epoch. */
  readonly epochSql: string;
  /** How long the server may take to accept the connection, and to answer. */
  readonly answerMsMax: number;
  /** Called after a change, and whenever one may have been missed. Must not throw. */
  readonly onChange: () => void;
}

/**
 * Interval of the polls: the longest delay after a lost notification. A poll over a dead connection fails at
 * most `answerMsMax` after it began.
 */
const pollMs = 1_000;
/** Pauses between attempts to connect. */
const reconnects = { firstMs: 50, lastMs: 1_000 };

/**
 * Listens for changes on a connection of its own. It also polls the epoch every second, in case a pooler
 * drops notifications or the other end died silently. Reconnects without limit after a break. Does not keep
 * the process alive.
 */
export class ControlWatch {
  readonly #options: WatchOptions;
  readonly #stopped = new AbortController();
  readonly #ended: Promise<void>;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#ended = this.#run();
  }

  stop(): Promise<void> {
    this.#stopped.abort();
    return this.#ended;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopped.signal.aborted; ) {
      failures = (await this.#listen()) ? 0 : failures + 1;
      await pause(backOffMs(reconnects, failures), this.#stopped.signal);
    }
  }

  /**
   * Listens until the connection breaks or the watch is stopped. Resolves with whether the server ever
   * answered.
   */
  async #listen(): Promise<boolean> {
    const { connection, schema, answerMsMax, onChange, epochSql } = this.#options;
    const client = new Client({
      ...connection,
      connectionTimeoutMillis: answerMsMax,
      query_timeout: answerMsMax,
    });
    const broken = new AbortController();
    const disconnect = (): void => {
      broken.abort();
      void client.end().catch(() => {});
    };
    this.#stopped.signal.addEventListener("abort", disconnect);
    client.on("error", disconnect);
    client.on("end", disconnect);
    let lastEpoch: string | undefined;
    client.on("notification", ({ payload = "" }) => {
      const gap = payload.indexOf(" ");
      if (payload.slice(gap + 1) !== schema || broken.signal.aborted) return;
      lastEpoch = payload.slice(0, gap);
      onChange();
    });
    let hasAnswered = false;
    try {
      // A client that is ended while it connects emits nothing more.
      const disconnected = once(broken.signal, "abort").then(() => Promise.reject(new Error("ended")));
      disconnected.catch(() => {});
      await Promise.race([client.connect(), disconnected]);
      // Lets the process end, as the pool of `pg` does for its clients; the types of `pg` lack the method.
      (client as unknown as { unref(): void }).unref();
      await client.query(`LISTEN ${channel}`);
      while (!broken.signal.aborted) {
        // The server's timeout is shorter, so that no query waits there for a lock after this side has given
        // up.
        const results: unknown = await client.query(
          `BEGIN READ ONLY; SET LOCAL statement_timeout = ${Math.floor(answerMsMax / 2)}; ${epochSql}; COMMIT`,
        );
        const epoch =
          (results as readonly { readonly rows: readonly Row[] }[]).at(-2)?.rows[0]?.epoch ?? undefined;
        // The first answer is reported as a change too, since earlier changes are unknown.
        if (epoch !== lastEpoch && !broken.signal.aborted) onChange();
        lastEpoch = epoch;
        hasAnswered = true;
        await pause(pollMs, broken.signal);
      }
    } catch {
      // The calls of the store report the failure.
    } finally {
      this.#stopped.signal.removeEventListener("abort", disconnect);
      disconnect();
    }
    return hasAnswered;
  }
}

/** Waits; resolves early, without an error, when the signal is aborted. */
const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal, ref: false }).catch(() => {});
