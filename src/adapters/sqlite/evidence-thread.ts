/**
 * The thread that writes and reads an evidence file. The rows of an append arrive before its `append`
 * message, in batches that have no answer.
 */
import { deflateSync, inflateSync } from "node:zlib";
import type { Attempt, EvidenceDelta, StoredEvidence } from "../../ports/tallies.ts";
import {
  type CountRow,
  EvidenceFile,
  type EvidenceLimits,
  evidenceKind,
  type PageQuery,
} from "./evidence-file.ts";
import type { EvidenceRow, StoredRow } from "./evidence-row.ts";
import { serveFiles } from "./thread-answers.ts";

export interface ThreadData extends EvidenceLimits {
  readonly path: string;
  readonly busyMsMax: number;
}

/** The calls that the thread answers: name, argument and result. */
export interface EvidenceCalls {
  readonly open: (nothing: null) => null;
  readonly rows: (batch: { readonly rows: readonly EvidenceRow[]; readonly first: boolean }) => null;
  /** A request that is to be kept with the row of this index. */
  readonly keep: (request: { readonly index: number; readonly text: string }) => null;
  readonly append: (evidence: EvidenceDelta | null) => null;
  readonly evidence: (key: string) => StoredEvidence;
  readonly attempt: (asked: { readonly key: string; readonly isLook: boolean }) => Attempt;
  readonly page: (query: PageQuery) => readonly StoredRow[];
  readonly get: (id: string) => StoredRow | null;
  readonly request: (id: string) => string | null;
  readonly counts: (nothing: null) => readonly CountRow[];
  readonly close: (nothing: null) => null;
}

serveFiles(({ path, busyMsMax, ...limits }: ThreadData) => {
  const file = new EvidenceFile(path, limits);
  let received: EvidenceRow[] = [];
  const requests = new Map<number, Buffer>();

  const answers: EvidenceCalls = {
    open: () => {
      file.open();
      return null;
    },
    rows: ({ rows, first }) => {
      if (first) {
        received = [];
        requests.clear();
      }
      received.push(...rows);
      return null;
    },
    keep: ({ index, text }) => {
      requests.set(index, deflateSync(text));
      return null;
    },
    append: (evidence) => {
      file.append({ rows: received, requests, evidence });
      received = [];
      requests.clear();
      return null;
    },
    evidence: (key) => file.evidence(key),
    attempt: ({ key, isLook }) => file.attempt(key, isLook),
    page: (query) => file.page(query),
    get: (id) => file.get(id) ?? null,
    request: (id) => {
      const compressed = file.request(id);
      return compressed === undefined ? null : inflateSync(compressed).toString();
    },
    counts: () => file.counts(),
    close: () => {
      file.close();
      return null;
    },
  };

  return { answers, busyMsMax, noun: "the evidence file", whereOf: () => path, fix: evidenceKind.fix };
});
