import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import type { FileJournal } from "../../ports/file-journal.ts";
import { FileThread } from "./file-thread.ts";
import type { JournalThreadCalls, JournalThreadData } from "./journal-thread.ts";

/**
 * Opens the journal of the file watcher, and creates it where it is missing; `:memory:` is one that ends with
 * this process. Throws BAD_DATABASE, UNWRITABLE and DATABASE_BUSY, as its calls do.
 */
export async function openFileJournal(path: string, busyMsMax = 5_000): Promise<FileJournal> {
  const data: JournalThreadData = {
    path: path === ":memory:" ? path : resolve(path),
    incarnation: randomUUID(),
    busyMsMax,
  };
  const how = { name: "the journal of the file watcher", from: import.meta.url, module: "journal-thread" };
  const thread = new FileThread<JournalThreadCalls>({ ...how, data, path: data.path });
  try {
    await thread.call("incarnation", null);
  } catch (error) {
    await thread.end();
    throw error;
  }
  return { call: (name, given) => thread.call(name, given), close: () => thread.end() };
}
