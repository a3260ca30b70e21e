import type { Side } from "../domain/migration/phase.ts";
import type { Verdict } from "../domain/migration/verdict.ts";
import type { Attempt, EvidenceDelta, StoredEvidence } from "./tallies.ts";

/**
 * Whether the request of a diverged comparison is kept, or why it is not: its JSON is larger than
 * `requestTextMax`, the day has its full number of requests already, or JSON cannot express it.
 */
export type RequestState = "kept" | "too_large" | "daily_limit" | "not_json";

/** The largest JSON text of a request with both answers that is kept, in UTF-16 units. */
export const requestTextMax = 1_048_576;

/** The number of requests that are kept for each UTC day, unless a configuration names another one. */
export const requestsPerDayDefault = 200;

/** One stored comparison of a call. Values are decimal text or JSON text, cut to a readable length. */
export interface ComparisonRecord {
  /** ISO 8601, UTC. */
  readonly at: string;
  readonly method: string;
  readonly epoch: number;
  readonly answered: Side;
  /** `aa` compares the side that answered with itself, to measure noise. */
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
  /** Null if no request is due: only a divergence of a method whose rows can be explained has one. */
  readonly request: RequestState | null;
}

export interface NewComparison extends ComparisonRecord {
  /** The JSON text of the request and both answers, present if `request` is `kept`. */
  readonly requestText?: string;
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
  /** The book or user that decided the route. */
  readonly unit?: string;
  /** Only comparisons that are older than the one with this id. */
  readonly before?: string;
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
  /**
   * Stores all records and the evidence that they add, or none of it. Beyond the store's limit of requests
   * for a day (UTC, by `at`), a request becomes `daily_limit`, and its text is not stored.
   */
  append(records: readonly NewComparison[], evidence?: EvidenceDelta): Promise<void>;
  /** Returns the evidence under a key. Its size grows with lanes, days and methods, not with comparisons. */
  evidence(key: string): Promise<StoredEvidence>;
  /**
   * Returns the number of the present attempt, and begins the next one if the key has changed. `isLook` says
   * that somebody judges the gates now, which is counted.
   */
  attempt(key: string, isLook: boolean): Promise<Attempt>;
  find(query: EvidenceQuery): Promise<readonly StoredComparison[]>;
  get(id: string): Promise<StoredComparison | undefined>;
  /** Returns the text of a kept request; undefined if it is not kept or was pruned with its comparison. */
  request(id: string): Promise<string | undefined>;
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
