import type { Side } from "../domain/migration/phase.ts";
import type { Verdict } from "../domain/migration/verdict.ts";

/** One stored comparison of a call. Values are decimal text or JSON text, cut to a readable length. */
export interface ComparisonRecord {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly method: string;
  readonly epoch: number;
  readonly answered: Side;
  /** `aa` compares legacy with itself, to measure noise. */
  readonly kind: "ab" | "aa";
  readonly verdict: Verdict;
  /** The book or user by which the call was routed; null if it had neither. */
  readonly unit: string | null;
  /** The fingerprint of the request; equal requests have equal fingerprints. */
  readonly fingerprint: string;
  readonly legacyMs: number | null;
  readonly modernMs: number | null;
  readonly legacyError: string | null;
  readonly modernError: string | null;
  /** The unequal fields, up to the limit of the comparison. */
  readonly fields: readonly FieldRecord[];
  /** The number of unequal fields beyond that limit. */
  readonly more: number;
  /** The number of values that an exclusion left out. */
  readonly excluded: number;
}

export interface FieldRecord {
  readonly path: string;
  /**
   * The list entry: the values of its keys (`EGB BUND`), or its place (`3`); null if the path contains no
   * list.
   */
  readonly entry: string | null;
  readonly verdict: Verdict;
  readonly legacy: string | null;
  readonly modern: string | null;
  readonly difference: string | null;
}

export interface EvidenceQuery {
  readonly method?: string;
  readonly verdict?: Verdict;
  /** The maximum number of results, newest first. */
  readonly limit: number;
}

export interface StoredComparison extends ComparisonRecord {
  readonly id: string;
}

/**
 * Keeps comparisons across restarts, beside the control store and never in it. One contract suite tests every
 * adapter.
 */
export interface EvidenceStore {
  /** Stores all records or none. */
  append(records: readonly ComparisonRecord[]): Promise<void>;
  find(query: EvidenceQuery): Promise<readonly StoredComparison[]>;
  get(id: string): Promise<StoredComparison | undefined>;
  /** Returns the number of comparisons by method and verdict, including pruned ones. */
  counts(): Promise<
    readonly {
      readonly method: string;
      readonly kind: "ab" | "aa";
      readonly verdict: Verdict;
      readonly count: number;
    }[]
  >;
  close(): Promise<void>;
}
