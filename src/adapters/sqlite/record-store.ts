import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import type { Side } from "../../domain/migration/phase.ts";
import type { HeldStore, RecordStore } from "../../ports/record-store.ts";
import { FileThread } from "./file-thread.ts";
import { packGiven, unpackAnswer } from "./packed-rows.ts";
import type { RecordThreadCalls, RecordThreadData } from "./record-thread.ts";

export interface SqliteRecordOptions {
  readonly side: Side;
  /** The authoritative side of a pair of databases that has never been opened. */
  readonly authority: Side;
  /** Whether missing tables of the bridge are created; else BAD_DATABASE is thrown. Default: yes. */
  readonly creates?: boolean;
  /** Whether the bridge's tables are in a file beside legacy's. Default: no. */
  readonly isBeside?: boolean;
  /** The longest wait for a lock of another process. Default 5 000. */
  readonly busyMsMax?: number;
}

/**
 * Opens one SQLite file of the database bridge's pair and creates the bridge's tables in it; the file itself
 * is created on the modern side only. Throws BAD_DATABASE, UNWRITABLE and DATABASE_BUSY, as its calls do.
 */
export async function openSqliteRecordStore(
  path: string,
  options: SqliteRecordOptions,
): Promise<RecordStore> {
  const thread = await openThread(path, options);
  return storeOver(thread, options.side);
}

/**
 * Opens a file a second time and takes its write lock, for at most `lastsMs`. Throws DATABASE_BUSY if another
 * process keeps the lock.
 */
export async function holdSqliteRecordStore(
  path: string,
  { lastsMs, ...options }: SqliteRecordOptions & { readonly lastsMs: number },
): Promise<HeldStore> {
  const thread = await openThread(path, options);
  try {
    await thread.call("hold", lastsMs);
  } catch (error) {
    await thread.end();
    throw error;
  }
  return {
    ...storeOver(thread, options.side),
    letGo: async (how) => {
      await thread.call("letGo", how);
    },
  };
}

const storeOver = (thread: FileThread<RecordThreadCalls>, side: Side): RecordStore => ({
  side,
  // The thread unpacks the argument and packs the answer.
  call: async (name, given) => {
    const answer = await thread.call(name, packGiven(given) as typeof given);
    return unpackAnswer(name, answer) as typeof answer;
  },
  close: () => thread.end(),
});

async function openThread(
  path: string,
  { side, authority, creates = true, isBeside = false, busyMsMax = 5_000 }: SqliteRecordOptions,
): Promise<FileThread<RecordThreadCalls>> {
  const data: RecordThreadData = {
    path: resolve(path),
    side,
    authority,
    creates,
    isBeside: isBeside && side === "legacy",
    busyMsMax,
    incarnation: randomUUID(),
  };
  const how = { name: `${side}'s database`, from: import.meta.url, module: "record-thread" };
  const thread = new FileThread<RecordThreadCalls>({ ...how, data, path: data.path });
  try {
    await thread.call("fence", null);
    return thread;
  } catch (error) {
    await thread.end();
    throw error;
  }
}
