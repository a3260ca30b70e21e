/**
 * The thread in which an evidence file is written and read. Rows to append come ahead of their `append`, in pieces, without an answer.
 */
import { workerData } from "node:worker_threads";
import { type CountRow, EvidenceFile, evidenceKind, type PageQuery } from "./evidence-file.ts";
import type { EvidenceRow, StoredRow } from "./evidence-row.ts";
import { answerQuestions } from "./thread-answers.ts";

export interface ThreadData {
  readonly path: string;
  readonly rowsMax: number;
  readonly busyMsMax: number;
}

/** By what is asked: what comes with it, and the answer. */
export interface EvidenceQuestions {
  readonly open: (nothing: null) => null;
  readonly rows: (piece: { readonly rows: readonly EvidenceRow[]; readonly first: boolean }) => null;
  readonly append: (nothing: null) => null;
  readonly page: (query: PageQuery) => readonly StoredRow[];
  readonly get: (id: string) => StoredRow | null;
  readonly counts: (nothing: null) => readonly CountRow[];
  readonly close: (nothing: null) => null;
}

const { path, rowsMax, busyMsMax }: ThreadData = workerData;
const file = new EvidenceFile(path, rowsMax);
let taken: EvidenceRow[] = [];

const answers: EvidenceQuestions = {
  open: () => {
    file.open();
    return null;
  },
  rows: ({ rows, first }) => {
    if (first) taken = [];
    taken.push(...rows);
    return null;
  },
  append: () => {
    file.append(taken);
    taken = [];
    return null;
  },
  page: (query) => file.page(query),
  get: (id) => file.get(id) ?? null,
  counts: () => file.counts(),
  close: () => {
    file.close();
    return null;
  },
};

answerQuestions(answers, { busyMsMax, noun: "the file of evidence", whereOf: () => path, fix: evidenceKind.fix });
