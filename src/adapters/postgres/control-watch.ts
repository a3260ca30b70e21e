import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, type ClientConfig } from "pg";
import { backOffMs } from "../../base/back-off.ts";
import { channel } from "./control-schema.ts";
import type { Row } from "./database.ts";

interface WatchOptions {
  readonly connection: ClientConfig;
  readonly schema: string;
  /** The statement that says the epoch. */
  readonly epochSql: string;
  /** How long the server may take to answer, or to be reached. */
  readonly answerMsMax: number;
  /** Told of a change, or that there may have been one. Must not throw. */
  readonly tell: () => void;
}

/** Between questions for the epoch: what a notification that was lost costs, and how long a dead connection goes unnoticed. */
const everyMs = 1_000;
/** Between attempts to connect. */
const reconnects = { firstMs: 50, lastMs: 1_000 };

/**
 * Listens on a connection of its own, and asks for the epoch every second on it: where a pooler swallows notifications, and where the
 * other end is gone without a word. A connection that breaks is made again, for as long as it takes. Keeps no process alive.
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

  /** Until the connection breaks or somebody stops it; says whether it was ever there. */
  async #listen(): Promise<boolean> {
    const { connection, schema, answerMsMax, tell, epochSql } = this.#options;
    const client = new Client({ ...connection, connectionTimeoutMillis: answerMsMax, query_timeout: answerMsMax });
    const broken = new AbortController();
    const breakOff = (): void => {
      broken.abort();
      void client.end().catch(() => {});
    };
    this.#stopped.signal.addEventListener("abort", breakOff);
    client.on("error", breakOff);
    client.on("end", breakOff);
    let known: string | undefined;
    client.on("notification", ({ payload = "" }) => {
      const gap = payload.indexOf(" ");
      if (payload.slice(gap + 1) !== schema || broken.signal.aborted) return;
      known = payload.slice(0, gap);
      tell();
    });
    let wasHeard = false;
    try {
      // A client that is ended while it connects says nothing more.
      const gone = once(broken.signal, "abort").then(() => Promise.reject(new Error("ended")));
      gone.catch(() => {});
      await Promise.race([client.connect(), gone]);
      // Of the pool's too, which is how it lets a process end; the types leave it out.
      (client as unknown as { unref(): void }).unref();
      await client.query(`LISTEN ${channel}`);
      while (!broken.signal.aborted) {
        // The server gives up first, so that no question waits there for a lock when nobody waits here.
        const results: unknown = await client.query(
          `BEGIN READ ONLY; SET LOCAL statement_timeout = ${Math.floor(answerMsMax / 2)}; ${epochSql}; COMMIT`,
        );
        const epoch = (results as readonly { readonly rows: readonly Row[] }[]).at(-2)?.rows[0]?.epoch ?? undefined;
        // The first time too: what came before is not known.
        if (epoch !== known && !broken.signal.aborted) tell();
        known = epoch;
        wasHeard = true;
        await pause(everyMs, broken.signal);
      }
    } catch {
      // Whoever asks the store learns what is wrong.
    } finally {
      this.#stopped.signal.removeEventListener("abort", breakOff);
      breakOff();
    }
    return wasHeard;
  }
}

/** Ends early, and without an error, when the signal comes. */
const pause = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal, ref: false }).catch(() => {});
