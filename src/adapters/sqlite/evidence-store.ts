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
import { assert } from "../../base/errors.ts";
import { storable } from "../../base/storable-text.ts";
import type { ComparisonRecord, EvidenceQuery, EvidenceStore, StoredComparison } from "../../ports/evidence.ts";
import { AskedThread } from "./asked-thread.ts";
import { comparisonOf, rowOf } from "./evidence-row.ts";
import type { EvidenceQuestions, ThreadData } from "./evidence-thread.ts";
import { OpenCalls } from "./open-calls.ts";

export interface SqliteEvidenceOptions {
  /** Comparisons that are kept; the oldest beyond them are removed, and stay in the counts. Default 1 000 000. */
  readonly rowsMax: number;
  /** How long a lock that another process holds is waited for. Default 5 000. */
  readonly busyMsMax: number;
}

const sqliteEvidenceDefaults: SqliteEvidenceOptions = Object.freeze({ rowsMax: 1_000_000, busyMsMax: 5_000 });

/**
 * Opens the file; it and its folder are created where they are missing. Any number of processes may have it open.
 * Throws BAD_DATABASE (a file that is not ours, which is left as it is, or damaged, or of a newer version), UNWRITABLE,
 * DATABASE_BUSY. The functions of the store throw the same; after UNWRITABLE and DATABASE_BUSY they may be tried again.
 */
export async function openSqliteEvidenceStore(path: string, given: Partial<SqliteEvidenceOptions> = {}): Promise<EvidenceStore> {
  const options = { ...sqliteEvidenceDefaults, ...given };
  assert(Number.isSafeInteger(options.rowsMax) && options.rowsMax >= 0, "rowsMax is a whole number of 0 or more");
  const data: ThreadData = { path: resolve(path), ...options };
  const how = { name: "the evidence store", from: import.meta.url, module: "evidence-thread" };
  const thread = new AskedThread<EvidenceQuestions>({ ...how, data });
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
  readonly #thread: AskedThread<EvidenceQuestions>;
  readonly #calls = new OpenCalls("the evidence store");
  /** Appends come one after the other, in the order of the calls. */
  #lastAppend: Promise<unknown> = Promise.resolve();

  constructor(thread: AskedThread<EvidenceQuestions>) {
    this.#thread = thread;
  }

  append(records: readonly ComparisonRecord[]): Promise<void> {
    return this.#calls.run(async () => {
      const before = this.#lastAppend;
      const append = before.then(() => this.#append(records));
      this.#lastAppend = append.catch(() => {});
      await append;
    });
  }

  find({ method, verdict, limit }: EvidenceQuery): Promise<readonly StoredComparison[]> {
    return this.#calls.run(async () => {
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
    return this.#calls.run(async () => {
      if (!isId(id)) return undefined;
      const row = await this.#thread.ask("get", id);
      return row === null ? undefined : comparisonOf(row);
    });
  }

  counts(): ReturnType<EvidenceStore["counts"]> {
    return this.#calls.run(async () => {
      const rows = await this.#thread.ask("counts", null);
      return rows.map(([method, kind, verdict, count]) => ({ method, kind, verdict, count }));
    });
  }

  /** What was called before it is still done. */
  close(): Promise<void> {
    return this.#calls.close(() => this.#thread.end());
  }

  async #append(records: readonly ComparisonRecord[]): Promise<void> {
    if (records.length === 0) return;
    for (let from = 0; from < records.length; from += pieceRows) {
      if (from > 0) await othersFirst();
      this.#thread.tell("rows", { rows: records.slice(from, from + pieceRows).map(rowOf), first: from === 0 });
    }
    await this.#thread.ask("append", null);
  }
}

/** Below 2^63, in the one way to write it. */
const isId = (text: string): boolean => /^[1-9]\d{0,17}$/.test(text);
