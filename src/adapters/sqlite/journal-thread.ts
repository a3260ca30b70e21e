/** The thread in which the file watcher's journal is read and written. */
import type { FileJournalCall, FileJournalCalls } from "../../ports/file-journal.ts";
import { JournalFile, type JournalFileOptions } from "./journal-file.ts";
import { serveFiles } from "./thread-answers.ts";

export interface JournalThreadData extends JournalFileOptions {
  readonly busyMsMax: number;
}

export interface JournalThreadCalls extends FileJournalCalls {
  close(given: null): null;
}

serveFiles(({ busyMsMax, ...options }: JournalThreadData) => {
  let journal: JournalFile | undefined;

  /** Every name but `close` is a call of the journal, which the first call opens. */
  const answers = new Proxy({} as JournalThreadCalls, {
    get: (_, name: keyof JournalThreadCalls) =>
      name === "close"
        ? () => {
            journal?.close();
            return null;
          }
        : (given: unknown) => {
            journal ??= new JournalFile(options);
            return journal.call(name as FileJournalCall, given as never);
          },
  });

  return {
    answers,
    busyMsMax,
    noun: "the journal of the file watcher",
    whereOf: () => options.path,
    fix: "restore it from a backup",
  };
});
