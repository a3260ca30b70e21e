import type { Side } from "../domain/migration/phase.ts";
import type { Verdict } from "../domain/migration/verdict.ts";

/** One comparison of a call, as it is kept. Values are decimal text or JSON text, cut to what a person can read. */
export interface ComparisonRecord {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly method: string;
  readonly epoch: number;
  readonly answered: Side;
  /** `aa` compares legacy with itself, to measure noise. */
  readonly kind: "ab" | "aa";
  readonly verdict: Verdict;
  /** Book or user by which the call was routed; null where it had none. */
  readonly unit: string | null;
  /** Of the request: equal requests have equal ones. */
  readonly fingerprint: string;
  readonly legacyMs: number | null;
  readonly modernMs: number | null;
  readonly legacyError: string | null;
  readonly modernError: string | null;
  /** The fields that are not equal, at most so many. */
  readonly fields: readonly FieldRecord[];
}

export interface FieldRecord {
  readonly path: string;
  /** Which entry of the lists on the path; null where there are none. */
  readonly entry: string | null;
  readonly verdict: Verdict;
  readonly legacy: string | null;
  readonly modern: string | null;
  readonly difference: string | null;
}

export interface EvidenceQuery {
  readonly method?: string;
  readonly verdict?: Verdict;
  /** Newest first; at most this many. */
  readonly limit: number;
}

export interface StoredComparison extends ComparisonRecord {
  readonly id: string;
}

/** Where comparisons survive a restart. Beside the control store, never in it. One contract suite for every adapter. */
export interface EvidenceStore {
  /** All of them or none. */
  append(records: readonly ComparisonRecord[]): Promise<void>;
  find(query: EvidenceQuery): Promise<readonly StoredComparison[]>;
  get(id: string): Promise<StoredComparison | undefined>;
  /** How many comparisons there were, by method and verdict, those that have been pruned included. */
  counts(): Promise<
    readonly { readonly method: string; readonly kind: "ab" | "aa"; readonly verdict: Verdict; readonly count: number }[]
  >;
  close(): Promise<void>;
}
