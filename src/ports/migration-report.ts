/** The content of the report of a migration: plain data that a page or a program can show. */
import type { Phase, Side } from "../domain/migration/phase.ts";
import type { JsonValue } from "./system.ts";
import type { EvidenceSource } from "./tallies.ts";

/** Users or books: the number of different ones, and the sum of the numbers of the single trading days. */
export interface Affected {
  readonly distinct: number;
  readonly days: number;
}

/**
 * The effects on users since the evidence began. Calls are never counted, because one screen makes hundreds
 * of them.
 */
export interface UserImpact {
  /** Users to whom modern answered, or should have answered. */
  readonly seen: Affected;
  /** Users to whom modern gave an answer that differs from legacy's beyond tolerance. */
  readonly wrong: Affected;
  readonly wrongBooks: Affected;
  /**
   * The minutes from the first wrong answer of each book and day to the last one, or to the correct one after
   * it.
   */
  readonly wrongMinutes: number;
  /**
   * The largest difference of a wrong figure, and the sum of the largest differences of each book and day.
   */
  readonly largest: number;
  readonly money: number;
  /** Users to whom legacy answered because modern could not, by reason. */
  readonly fellBack: Readonly<Record<string, Affected>>;
  /** Users to whom legacy gave an answer that lacked owed writes and was marked as stale. */
  readonly stale: Affected;
  readonly staleMs: number;
  /** Users to whom legacy gave an answer that lacked writes and was not marked as stale. */
  readonly unmarked: Affected;
  /** The share of modern's answers that were not compared; null while modern has answered nothing. */
  readonly unobserved: number | null;
}

/**
 * The time of paired calls of a method. Times are exact to within a tenth; null means that the call did not
 * end.
 */
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

/** The meaning of a gate, for people who do not know it. */
export interface GateMeaning {
  readonly proves: string;
  /** What the gate does not prove; null if that needs no warning. */
  readonly lacks: string | null;
  /** What a person does while the gate is not open. */
  readonly otherwise: string;
}

interface ReportedGate {
  readonly name: string;
  readonly title: string;
  readonly state: "open" | "closed" | "inconclusive";
  /** Whether the gate permits the move: it is open, or two people waive it. */
  readonly open: boolean;
  readonly why: string;
  readonly evidence?: JsonValue;
  /** Null for a gate that needs no statistics; its title says everything. */
  readonly meaning: GateMeaning | null;
}

/** One action of a person or a process, with the reason. */
export interface Deed {
  readonly at: string;
  readonly actor: string;
  readonly what: string;
  readonly reason: string;
}

export interface MigrationReport {
  readonly version: string;
  /** The time of the report, ISO 8601, UTC. */
  readonly at: string;
  readonly legacy: string;
  readonly modern: string;
  readonly phase: Phase;
  readonly epoch: number;
  /** The system that answers calls now, and the reason. */
  readonly answers: string;
  /** Remarks that a reader must know first, such as what was only simulated. */
  readonly remarks: readonly string[];
  /** The way to go back to legacy now, and whether it is possible. */
  readonly back: { readonly possible: boolean; readonly why: string; readonly command: string };
  readonly profile: "desk" | "trial";
  /** The phase whose gates are listed; null in the last phase. */
  readonly target: Phase | null;
  readonly gates: readonly ReportedGate[];
  /** The evidence that the gates judge; null if there is none, or if it cannot be read. */
  readonly evidence: {
    readonly key: string;
    readonly attempt: number;
    readonly looks: number;
    readonly build: string;
    /** The number of other keys under which there is evidence, which does not count now. */
    readonly otherKeys: number;
    readonly days: number;
    readonly firstDay: string | null;
    readonly lastDay: string | null;
  } | null;
  readonly metrics: MigrationMetrics | null;
  /** The moves of the phase, traffic and window, the rollbacks and triggers, oldest first. */
  readonly moves: readonly Deed[];
  /** Sign-offs, drills and recorded results, oldest first. */
  readonly signed: readonly Deed[];
  readonly waivers: readonly {
    readonly gate: string;
    readonly actors: readonly string[];
    readonly reason: string;
    readonly until: string;
  }[];
  readonly causes: readonly {
    readonly code: string;
    readonly limit: string | null;
    readonly owner: string;
    readonly until: string;
    readonly reason: string;
  }[];
  /** Open problems: quarantined, owed, parked and waiting rows, and lanes that are apart now. */
  readonly risks: readonly string[];
}
