/**
 * The evidence of the gates: the counts and sums that remain when comparisons are pruned. Those of several
 * processes are added up. They are kept under an evidence key, a text that changes with the content of the
 * builds, the configuration, the tolerances and the tables of symbols.
 */

/** `replay`: a history; `live`: legacy answered and modern was its shadow; `served`: modern answered. */
const evidenceSources = ["replay", "live", "served"] as const;
export type EvidenceSource = (typeof evidenceSources)[number];

/** The id of a cause that a rehearsal assumes to be accepted. Its register has no entries. */
export const assumedCause = "assumed";

/** The mark of a lane-day that accepted causes explain: their ids, each once; null if there are none. */
export const markOf = (ids: Iterable<string>): string | null => [...new Set(ids)].join(" ") || null;

/** The ids of the accepted causes in the mark of a lane-day. */
export const idsIn = ({ accepted }: Pick<LaneDay, "accepted">): readonly string[] =>
  accepted?.split(" ") ?? [];

/**
 * One lane (book and symbol) on one trading day, as the last comparison of one method on that day found it.
 */
export interface LaneDay {
  readonly source: EvidenceSource;
  /** The trading day, YYYY-MM-DD. */
  readonly day: string;
  /** Empty if there is no book. */
  readonly book: string;
  /** A symbol, or `#` and the request for an answer that has no rows with symbols. */
  readonly symbol: string;
  /** The method whose answers were compared. Empty for a replay, and in evidence of earlier versions. */
  readonly method: string;
  /** The class of the product: `future`, `option`, `summary`, …; the gates judge each class separately. */
  readonly group: string;
  /** The time of the comparison, ISO 8601, UTC. */
  readonly at: string;
  /** The path of the first field that differs beyond tolerance; null if the lane agrees. */
  readonly apart: string | null;
  /**
   * The mark of the accepted causes that explain the difference (see `markOf`); null if there are none. The
   * id of an entry of the register is a number.
   */
  readonly accepted: string | null;
  /** The largest difference of money, without its sign; null if it is unknown. */
  readonly money: number | null;
  readonly quantityApart: boolean;
  /** The sum of the differences of money, modern minus legacy, also of those within tolerance. */
  readonly signed: number;
  /** The compared sum of |quantity × price|. */
  readonly weight: number;
}

/** Counts of one signal and stratum; all but `largest` add up. */
export interface Tally {
  readonly source: EvidenceSource;
  readonly signal: string;
  readonly stratum: string;
  readonly n: number;
  readonly k: number;
  readonly amount: number;
  readonly largest: number;
}

/** A process that gathers evidence. */
export interface EvidenceProcess {
  readonly process: string;
  /** The time of its last write, ISO 8601, UTC. */
  readonly at: string;
  /** The latest trading day that it has seen; empty if none. */
  readonly day: string;
  /** Whether it has recorded its end. */
  readonly ended: boolean;
}

/** The evidence that one process adds. */
export interface EvidenceDelta extends EvidenceProcess {
  readonly key: string;
  readonly laneDays: readonly LaneDay[];
  readonly tallies: readonly Tally[];
}

/** All evidence under one key. */
export interface StoredEvidence {
  readonly laneDays: readonly LaneDay[];
  readonly tallies: readonly Tally[];
  readonly processes: readonly EvidenceProcess[];
  /** The other keys under which processes have written, with the time of the last write. */
  readonly others: readonly { readonly key: string; readonly at: string }[];
}

/** Each change of the key begins an attempt. If an earlier key returns, its evidence counts again. */
export interface Attempt {
  readonly attempt: number;
  /** The number of times that gates were judged under the key. */
  readonly looks: number;
}
