import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import type { Side } from "../../domain/migration/phase.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import { FileThread } from "./file-thread.ts";
import type { RecordCalls, RecordThreadData } from "./record-thread.ts";

export interface SqliteRecordOptions {
  readonly side: Side;
  /** Which side is authoritative in a pair that nobody has opened before. */
  readonly authority: Side;
  /** How long a lock of another process is waited for. Default 5 000. */
  readonly busyMsMax?: number;
}

/**
 * Opens one SQLite file of the database bridge's pair and creates the bridge's tables in it; the file itself is created on
 * the modern side only. Throws BAD_DATABASE, UNWRITABLE and DATABASE_BUSY, as the functions of the store do.
 */
export async function openSqliteRecordStore(
  path: string,
  options: SqliteRecordOptions,
): Promise<RecordStore> {
  const { side, authority, busyMsMax = 5_000 } = options;
  const data: RecordThreadData = { path: resolve(path), side, authority, busyMsMax };
  const how = { name: `${side}'s database`, from: import.meta.url, module: "record-thread" };
  const thread = new FileThread<RecordCalls>({ ...how, data });
  try {
    await thread.call("open", randomUUID());
  } catch (error) {
    await thread.end();
    throw error;
  }
  return {
    side,
    fence: () => thread.call("fence", null),
    write: (writes, epoch) => thread.call("write", { writes, epoch }),
    pending: (limit) => thread.call("pending", limit),
    apply: (entries) => thread.call("apply", entries),
    confirm: async (seqs) => void (await thread.call("confirm", seqs)),
    park: async (seq, code, because) => void (await thread.call("park", { seq, code, because })),
    owed: () => thread.call("owed", null),
    close: () => thread.end(),
  };
}
