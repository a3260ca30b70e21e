/**
 * The thread that writes and reads an evidence file. The rows of an append arrive before its `append`
 * message, in batches that have no answer.
 */
import { type CountRow, EvidenceFile, evidenceKind, type PageQuery } from "./evidence-file.ts";
import type { EvidenceRow, StoredRow } from "./evidence-row.ts";
import { serveFiles } from "./thread-answers.ts";

export interface ThreadData {
  readonly path: string;
  readonly rowsMax: number;
  readonly busyMsMax: number;
}

/** The calls that the thread answers: name, argument and result. */
export interface EvidenceCalls {
  readonly open: (nothing: null) => null;
  readonly rows: (batch: { readonly rows: readonly EvidenceRow[]; readonly first: boolean }) => null;
  readonly append: (nothing: null) => null;
  readonly page: (query: PageQuery) => readonly StoredRow[];
  readonly get: (id: string) => StoredRow | null;
  readonly counts: (nothing: null) => readonly CountRow[];
  readonly close: (nothing: null) => null;
}

serveFiles(({ path, rowsMax, busyMsMax }: ThreadData) => {
  const file = new EvidenceFile(path, rowsMax);
  let received: EvidenceRow[] = [];

  const answers: EvidenceCalls = {
    open: () => {
      file.open();
      return null;
    },
    rows: ({ rows, first }) => {
      if (first) received = [];
      received.push(...rows);
      return null;
    },
    append: () => {
      file.append(received);
      received = [];
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

  return { answers, busyMsMax, noun: "the evidence file", whereOf: () => path, fix: evidenceKind.fix };
});
