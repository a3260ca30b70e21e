/**
 * Stores comparisons in an SQLite file of their own beside the control store, `evidence.db`. evidence-file.ts
 * states the promises about the file, and src/ports/evidence.ts those of every evidence store.
 *
 * SQLite is synchronous, and an acknowledged append waits for the disk: usually some milliseconds, a hundred
 * when the disk is busy. On the thread that answers calls this would delay answers, so a thread of its own
 * writes the file. The calling thread only copies the rows: half a millisecond per batch, with other work in
 * between. An idle store keeps no process alive.
 */

import { resolve } from "node:path";
import { setImmediate as yieldToOthers } from "node:timers/promises";
import { assert } from "../../base/errors.ts";
import { storable } from "../../base/storable-text.ts";
import {
  type EvidenceQuery,
  type EvidenceStore,
  type NewComparison,
  requestsPerDayDefault,
  type StoredComparison,
} from "../../ports/evidence.ts";
import type { Attempt, EvidenceDelta, StoredEvidence } from "../../ports/tallies.ts";
import { comparisonOf, rowOf } from "./evidence-row.ts";
import type { EvidenceCalls, ThreadData } from "./evidence-thread.ts";
import { FileThread } from "./file-thread.ts";
import { OpenCalls } from "./open-calls.ts";

export interface SqliteEvidenceOptions {
  /** Number of comparisons to keep. Older ones are removed, and remain in the counts. Default 1 000 000. */
  readonly rowsMax: number;
  /** Number of requests to keep for each UTC day, compressed. Default 200. */
  readonly requestsPerDay: number;
  /** How long a call waits for a lock that another process holds. Default 5 000. */
  readonly busyMsMax: number;
}

const sqliteEvidenceDefaults: SqliteEvidenceOptions = Object.freeze({
  rowsMax: 1_000_000,
  requestsPerDay: requestsPerDayDefault,
  busyMsMax: 5_000,
});

/**
 * Opens the file, and creates it and its folder where they are missing. Any number of processes may have it
 * open. Throws BAD_DATABASE (another program's file, which stays unchanged, a damaged one, or one of a newer
 * version), UNWRITABLE, DATABASE_BUSY. The functions of the store throw the same errors; a call may be
 * repeated after UNWRITABLE and DATABASE_BUSY.
 */
export async function openSqliteEvidenceStore(
  path: string,
  given: Partial<SqliteEvidenceOptions> = {},
): Promise<EvidenceStore> {
  const options = { ...sqliteEvidenceDefaults, ...given };
  assert(
    Number.isSafeInteger(options.rowsMax) && options.rowsMax >= 0,
    "rowsMax is a whole number of 0 or more",
  );
  const data: ThreadData = { path: resolve(path), ...options };
  const how = { name: "the evidence store", from: import.meta.url, module: "evidence-thread" };
  const thread = new FileThread<EvidenceCalls>({ ...how, data, path: data.path });
  try {
    await thread.call("open", null);
  } catch (error) {
    await thread.end();
    throw error;
  }
  return new SqliteEvidenceStore(thread);
}

/** Number of rows in one message to the thread, and in one page from it. */
const batchRows = 250;

class SqliteEvidenceStore implements EvidenceStore {
  readonly #thread: FileThread<EvidenceCalls>;
  readonly #calls = new OpenCalls("the evidence store");
  /** Appends run one after the other, in the order of the calls. */
  #lastAppend: Promise<unknown> = Promise.resolve();

  constructor(thread: FileThread<EvidenceCalls>) {
    this.#thread = thread;
  }

  append(records: readonly NewComparison[], evidence?: EvidenceDelta): Promise<void> {
    return this.#calls.run(async () => {
      const before = this.#lastAppend;
      const append = before.then(() => this.#append(records, evidence));
      this.#lastAppend = append.catch(() => {});
      await append;
    });
  }

  evidence(key: string): Promise<StoredEvidence> {
    return this.#calls.run(() => this.#thread.call("evidence", key));
  }

  attempt(key: string, isLook: boolean): Promise<Attempt> {
    return this.#calls.run(() => this.#thread.call("attempt", { key, isLook }));
  }

  find({ method, verdict, unit, before, limit }: EvidenceQuery): Promise<readonly StoredComparison[]> {
    return this.#calls.run(async () => {
      if (before !== undefined && !isId(before)) return [];
      const text = (given: string | undefined) => (given === undefined ? undefined : storable(given));
      const asked = { method: text(method), verdict, unit: text(unit) };
      const found: StoredComparison[] = [];
      while (found.length < limit) {
        const pageRows = Math.min(batchRows, limit - found.length);
        const rows = await this.#thread.call("page", {
          ...asked,
          before: found.at(-1)?.id ?? before,
          limit: pageRows,
        });
        for (const row of rows) found.push(comparisonOf(row));
        if (rows.length < pageRows) break;
      }
      return found;
    });
  }

  get(id: string): Promise<StoredComparison | undefined> {
    return this.#calls.run(async () => {
      if (!isId(id)) return undefined;
      const row = await this.#thread.call("get", id);
      return row === null ? undefined : comparisonOf(row);
    });
  }

  request(id: string): Promise<string | undefined> {
    return this.#calls.run(async () =>
      isId(id) ? ((await this.#thread.call("request", id)) ?? undefined) : undefined,
    );
  }

  counts(): ReturnType<EvidenceStore["counts"]> {
    return this.#calls.run(async () => {
      const rows = await this.#thread.call("counts", null);
      return rows.map(([method, kind, verdict, count]) => ({ method, kind, verdict, count }));
    });
  }

  /** Finishes the calls made before it. */
  close(): Promise<void> {
    return this.#calls.close(() => this.#thread.end());
  }

  async #append(records: readonly NewComparison[], evidence: EvidenceDelta | undefined): Promise<void> {
    if (records.length === 0 && evidence === undefined) return;
    if (records.length === 0) this.#thread.tell("rows", { rows: [], first: true });
    for (let from = 0; from < records.length; from += batchRows) {
      if (from > 0) await yieldToOthers();
      this.#thread.tell("rows", {
        rows: records.slice(from, from + batchRows).map(rowOf),
        first: from === 0,
      });
    }
    for (const [index, { requestText: text }] of records.entries()) {
      if (text === undefined) continue;
      await yieldToOthers();
      this.#thread.tell("keep", { index, text });
    }
    await this.#thread.call("append", evidence ?? null);
  }
}

/** Whether a text is a positive integer of at most 18 digits without leading zeros. */
const isId = (text: string): boolean => /^[1-9]\d{0,17}$/.test(text);
