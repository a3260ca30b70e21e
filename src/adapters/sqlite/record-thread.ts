/** The thread in which one file of the database bridge is read and written. */
import { workerData } from "node:worker_threads";
import type { RecordCalls } from "../../ports/record-store.ts";
import { RecordFile, type RecordFileOptions } from "./record-file.ts";
import { answerCalls } from "./thread-answers.ts";

export interface RecordThreadData extends RecordFileOptions {
  readonly busyMsMax: number;
}

export interface RecordThreadCalls extends RecordCalls {
  close(given: null): null;
}

const { busyMsMax, ...options }: RecordThreadData = workerData;
const file = new RecordFile(options);

/** Every name but `close` is a call of the store. */
const answers = new Proxy({} as RecordThreadCalls, {
  get: (_, name: keyof RecordThreadCalls) => (given: never) => {
    if (name !== "close") return file.call(name, given);
    file.close();
    return null;
  },
});

answerCalls(answers, {
  busyMsMax,
  noun: `${options.side}'s database`,
  whereOf: () => options.path,
  fix: "restore it from a backup",
});
