/**
 * Comparisons in an SQLite file of their own, beside the control store: `evidence.db`. See evidence-file.ts for what is promised of
 * the file, and the port for what a store promises.
 *
 * SQLite is synchronous, and an acknowledged append waits for the disk: usually for some milliseconds, and for a hundred when the
 * disk is busy. In the thread that answers calls that would delay answers, so the file lives in a thread of its own. What remains here
 * is to copy the rows: half a millisecond for each piece, and other work in between. An idle store keeps no process alive.
 */
import { resolve } from "node:path";
import { setImmediate as othersFirst } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { assert, BridgeError } from "../../domain/errors.ts";
import { storable } from "../../domain/storable-text.ts";
import type { CallVerdict, ComparisonRecord, EvidenceQuery, EvidenceStore, StoredComparison } from "../../ports/evidence.ts";
import { comparisonOf, type EvidenceRow, rowOf } from "./evidence-row.ts";
import type { FromThread, Questions, ThreadData, ToThread } from "./evidence-thread.ts";

export interface SqliteEvidenceOptions {
  /** Comparisons that are kept; the oldest beyond them are removed, and stay in the counts. Default 1 000 000. */
  readonly rowsMax: number;
  /** How long a lock that another process holds is waited for. Default 5 000. */
  readonly busyMsMax: number;
}

export const sqliteEvidenceDefaults: SqliteEvidenceOptions = Object.freeze({ rowsMax: 1_000_000, busyMsMax: 5_000 });

/**
 * Opens the file; it and its folder are created where they are missing. Any number of processes may have it open.
 * Throws BAD_DATABASE (a file that is not ours, which is left as it is, or damaged, or of a newer version), UNWRITABLE,
 * DATABASE_BUSY. The functions of the store throw the same; after UNWRITABLE and DATABASE_BUSY they may be tried again.
 */
export async function openSqliteEvidenceStore(path: string, given: Partial<SqliteEvidenceOptions> = {}): Promise<EvidenceStore> {
  const options = { ...sqliteEvidenceDefaults, ...given };
  assert(Number.isSafeInteger(options.rowsMax) && options.rowsMax >= 0, "rowsMax is a whole number of 0 or more");
  const thread = new EvidenceThread({ path: resolve(path), ...options });
  try {
    await thread.ask("open", null);
  } catch (error) {
    await thread.end();
    throw error;
  }
  return new SqliteEvidenceStore(thread);
}

/** Rows that are copied to the thread in one go, and that come back in one page. */
const pieceRows = 250;

class SqliteEvidenceStore implements EvidenceStore {
  readonly #thread: EvidenceThread;
  readonly #running = new Set<Promise<unknown>>();
  /** Appends come one after the other, in the order of the calls. */
  #lastAppend: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | undefined;

  constructor(thread: EvidenceThread) {
    this.#thread = thread;
  }

  append(records: readonly ComparisonRecord[]): Promise<void> {
    return this.#run(async () => {
      const before = this.#lastAppend;
      const append = before.then(() => this.#append(records));
      this.#lastAppend = append.catch(() => {});
      await append;
    });
  }

  find({ method, verdict, limit }: EvidenceQuery): Promise<readonly StoredComparison[]> {
    return this.#run(async () => {
      const asked = { method: method === undefined ? undefined : storable(method), verdict };
      const found: StoredComparison[] = [];
      while (found.length < limit) {
        const most = Math.min(pieceRows, limit - found.length);
        const rows = await this.#thread.ask("page", { ...asked, before: found.at(-1)?.id, limit: most });
        for (const row of rows) found.push(comparisonOf(row));
        if (rows.length < most) break;
      }
      return found;
    });
  }

  get(id: string): Promise<StoredComparison | undefined> {
    return this.#run(async () => {
      if (!isId(id)) return undefined;
      const row = await this.#thread.ask("get", id);
      return row === null ? undefined : comparisonOf(row);
    });
  }

  counts(): ReturnType<EvidenceStore["counts"]> {
    return this.#run(async () => {
      const rows = await this.#thread.ask("counts", null);
      return rows.map(([method, kind, verdict, count]) => ({
        method,
        kind: kind as ComparisonRecord["kind"],
        verdict: verdict as CallVerdict,
        count,
      }));
    });
  }

  /** What was called before it is still done. */
  close(): Promise<void> {
    this.#closed ??= Promise.allSettled(this.#running).then(() => this.#thread.end());
    return this.#closed;
  }

  async #append(records: readonly ComparisonRecord[]): Promise<void> {
    if (records.length === 0) return;
    for (let from = 0; from < records.length; from += pieceRows) {
      if (from > 0) await othersFirst();
      this.#thread.hand(records.slice(from, from + pieceRows).map(rowOf), from === 0);
    }
    await this.#thread.ask("append", null);
  }

  async #run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed !== undefined) throw new BridgeError("INTERNAL", { what: "the evidence store is closed" });
    const running = work();
    this.#running.add(running);
    try {
      return await running;
    } finally {
      this.#running.delete(running);
    }
  }
}

/** Below 2^63, in the one way to write it. */
const isId = (text: string): boolean => /^[1-9]\d{0,17}$/.test(text);

/** Asks the thread and keeps the process alive until it has answered. */
class EvidenceThread {
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  readonly #waiting = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void }
  >();
  #lastNumber = 0;
  /** Why there is no thread any longer. */
  #gone: BridgeError | undefined;

  constructor(data: ThreadData) {
    // The compiler does not rewrite this name, unlike those of imports.
    const name = import.meta.url.endsWith(".ts") ? "./evidence-thread.ts" : "./evidence-thread.js";
    this.#worker = new Worker(new URL(name, import.meta.url), { workerData: data, execArgv: [], name: "evidence" });
    this.#worker.unref();
    this.#worker.on("message", (message: FromThread) => this.#answered(message));
    this.#worker.on("error", (cause) => this.#fail(`the thread of the evidence store failed: ${cause}`, cause));
    this.#ended = new Promise((ended) => {
      this.#worker.on("exit", () => {
        this.#fail("the thread of the evidence store has ended", undefined);
        ended();
      });
    });
  }

  /** Rows for the next `append`. */
  hand(rows: readonly EvidenceRow[], first: boolean): void {
    this.#post({ rows, first });
  }

  ask<Ask extends keyof Questions>(ask: Ask, given: Parameters<Questions[Ask]>[0]): Promise<ReturnType<Questions[Ask]>> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== undefined) {
        reject(this.#gone);
        return;
      }
      this.#lastNumber += 1;
      this.#waiting.set(this.#lastNumber, { resolve: resolve as (value: unknown) => void, reject });
      this.#worker.ref();
      this.#post({ number: this.#lastNumber, ask, given });
    });
  }

  async end(): Promise<void> {
    if (this.#gone === undefined) await this.ask("close", null).catch(() => {});
    this.#worker.ref();
    await this.#ended;
  }

  #post(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #answered(message: FromThread): void {
    const waiting = this.#waiting.get(message.number);
    this.#waiting.delete(message.number);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ("failure" in message) waiting?.reject(new BridgeError(message.failure.code, message.failure));
    else waiting?.resolve(message.value);
  }

  #fail(what: string, cause: unknown): void {
    this.#gone ??= new BridgeError("INTERNAL", { what, cause });
    for (const { reject } of this.#waiting.values()) reject(this.#gone);
    this.#waiting.clear();
  }
}
