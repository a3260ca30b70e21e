/** The thread in which one file of the database bridge is read and written. */
import { workerData } from "node:worker_threads";
import type {
  Fence,
  MirrorAnswer,
  MirrorWrite,
  OutboxEntry,
  StoreAnswer,
  StoreWrite,
} from "../../ports/record-store.ts";
import { RecordFile, type RecordFileOptions } from "./record-file.ts";
import { answerCalls } from "./thread-answers.ts";

export interface RecordThreadData extends RecordFileOptions {
  readonly busyMsMax: number;
}

export interface RecordCalls {
  readonly open: (incarnation: string) => Fence;
  readonly fence: (nothing: null) => Fence;
  readonly write: (given: {
    readonly writes: readonly StoreWrite[];
    readonly epoch: number;
  }) => readonly StoreAnswer[];
  readonly pending: (limit: number) => readonly OutboxEntry[];
  readonly apply: (entries: readonly MirrorWrite[]) => readonly MirrorAnswer[];
  readonly confirm: (seqs: readonly number[]) => null;
  readonly park: (given: { readonly seq: number; readonly code: string; readonly because: string }) => null;
  readonly owed: (nothing: null) => { readonly count: number; readonly oldestMs: number };
  readonly close: (nothing: null) => null;
}

const { busyMsMax, ...options }: RecordThreadData = workerData;
const file = new RecordFile(options);

const answers: RecordCalls = {
  open: (incarnation) => file.open(incarnation),
  fence: () => file.fence(),
  write: ({ writes, epoch }) => file.write(writes, epoch, Date.now()),
  pending: (limit) => file.pending(limit),
  apply: (entries) => file.apply(entries),
  confirm: (seqs) => {
    file.confirm(seqs);
    return null;
  },
  park: ({ seq, code, because }) => {
    file.park(seq, code, because);
    return null;
  },
  owed: () => file.owed(Date.now()),
  close: () => {
    file.close();
    return null;
  },
};

answerCalls(answers, {
  busyMsMax,
  noun: `${options.side}'s database`,
  whereOf: () => options.path,
  fix: "restore it from a backup",
});
