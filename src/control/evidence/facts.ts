import type { EvidenceSource, StoredEvidence } from "../../ports/tallies.ts";
import type { Trials } from "./trials.ts";

/** Something that a person or a program has recorded in the audit. */
export interface EvidenceRecord {
  /**
   * `tests`, `benchmarks`, `memory`, `leak`, `alert`, `scrape`, `readers`, `drill`, `reconcile`, `training`.
   */
  readonly kind: string;
  readonly atMs: number;
  readonly actor: string;
  /** The build of the program that the record is about; null if the record names no build. */
  readonly build: string | null;
  readonly content: Readonly<Record<string, unknown>>;
}

/** An exception that people have made for a gate. It counts when two people have made it. */
export interface Waiver {
  readonly gate: string;
  readonly actors: readonly string[];
  readonly reason: string;
  /** The last day, YYYY-MM-DD. */
  readonly until: string;
}

/** What the audit says of the two daily reports of a trading day. */
export interface JudgedReport {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** `not compared` if one of the two reports could not be built. */
  readonly state: "accepted" | "not accepted" | "not compared";
  /** A sentence for people. */
  readonly because: string;
}

/** The facts that the evidence gates of a configuration judge. */
export interface EvidenceFacts {
  readonly key: string;
  readonly attempt: number;
  readonly looks: number;
  readonly stored: StoredEvidence;
  readonly trials: Trials;
  /** The time at which modern was taken back into use last; absent if it never was out of use. */
  readonly backInUseMs?: number;
  readonly nowMs: number;
  /** The calendar day and the running trading day, YYYY-MM-DD. */
  readonly date: string;
  readonly today: string;
  readonly build: string;
  readonly limits: {
    readonly accuracy: Readonly<Record<EvidenceSource, number>>;
    readonly days: number;
  };
  readonly records: readonly EvidenceRecord[];
  readonly waivers: readonly Waiver[];
  readonly causes: readonly {
    readonly code: string;
    readonly limit: string | null;
    readonly until: string;
  }[];
  readonly exclusions: readonly { readonly path: string; readonly owner: string; readonly until: string }[];
  /** The edge features that the desk's business has; absent: all that are known. */
  readonly features?: readonly string[];
  readonly isNoiseMeasured: boolean;
  readonly hasAlertUrl: boolean;
  readonly hasPair: boolean;
  /** Whether `use_new_reports` is on, so that modern's daily reports may be given to users. */
  readonly usesReports: boolean;
  /** The reports of the last day that has ended and on which a comparison of both was tried. */
  readonly lastReport?: JudgedReport;
  readonly owed: number;
  readonly quarantined: number | null;
}
