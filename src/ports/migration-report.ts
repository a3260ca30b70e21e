/** What the report of a migration says: plain data that a page or a program can show. */
import type { Side } from "../domain/migration/phase.ts";
import type { EvidenceSource } from "./tallies.ts";

/** Users or books: how many different ones, and the sum over trading days of those of each day. */
export interface Affected {
  readonly distinct: number;
  readonly days: number;
}

/** What users saw since the evidence began. Calls are never counted: one screen asks hundreds of times. */
export interface UserImpact {
  /** Users to whom modern answered, or should have answered. */
  readonly seen: Affected;
  /** Users to whom modern gave an answer that differs from legacy's beyond tolerance. */
  readonly wrong: Affected;
  readonly wrongBooks: Affected;
  /** From the first wrong answer of a book and day to the last one or to the right one after it. */
  readonly wrongMinutes: number;
  /** The largest wrong figure's difference, and the sum of the largest ones of each book and day. */
  readonly largest: number;
  readonly money: number;
  /** Users to whom legacy answered because modern could not, by reason. */
  readonly fellBack: Readonly<Record<string, Affected>>;
  /** Users to whom legacy answered without writes that it was owed, with a mark that says so. */
  readonly stale: Affected;
  readonly staleMs: number;
  /** Users to whom legacy answered without a mark while it was no longer written. */
  readonly unmarked: Affected;
  /** The share of modern's answers that nobody compared; null while modern has answered nothing. */
  readonly unobserved: number | null;
}

/** The time of paired calls of a method. Times are known to within a tenth; null is a call without an end. */
export interface CalculationTime {
  readonly method: string;
  readonly pairs: number;
  /** The pairs in which modern took more than 1.1 times as long. */
  readonly slower: number;
  readonly p50Ms: Readonly<Record<Side, number | null>>;
  readonly p99Ms: Readonly<Record<Side, number | null>>;
}

/** The five metrics of a migration, from the evidence of one key. */
export interface MigrationMetrics {
  readonly calculationTime: readonly CalculationTime[];
  /** The last measurement of both systems in fresh processes; null if none is recorded. */
  readonly memory: {
    readonly at: string;
    readonly pairs: number;
    /** The median of modern's peak over legacy's. */
    readonly ratio: number;
    /** The medians of the peaks in bytes; null if the measurement has only ratios. */
    readonly bytes: Readonly<Record<Side, number>> | null;
  } | null;
  /** Instrument-days that began in agreement, and those of them that ended apart without accepted cause. */
  readonly accuracy: readonly {
    readonly source: EvidenceSource;
    readonly trials: number;
    readonly events: number;
    /** The rate of events is below this with a confidence of 95 %, however often one looks. */
    readonly upper: number;
  }[];
  /** Minutes with calls of a method, and those of them in which modern failed and legacy did not. */
  readonly errors: { readonly minutes: number; readonly failed: number };
  readonly impact: UserImpact;
}

/** What a gate says about the migration, for people who do not know it. */
export interface GateMeaning {
  readonly proves: string;
  /** Null if it leaves nothing open that is worth a warning. */
  readonly lacks: string | null;
  /** What to do while it is not open. */
  readonly otherwise: string;
}
