import type { ReportDiff } from "../../ports/report-diff.ts";
import type { EvidenceSource, StoredEvidence } from "../../ports/tallies.ts";
import type { Trials } from "./trials.ts";

/** A result that a person or a program has recorded in the audit, such as that of a test run. */
export interface EvidenceRecord {
  /**
   * `tests`, `benchmarks`, `memory`, `leak`, `alert`, `scrape`, `readers`, `drill`, `reconcile`, `training`.
   */
  readonly kind: string;
  readonly atMs: number;
  readonly actor: string;
  /** The build of pnl-bridge that the result is about; null if the record names no build. */
  readonly build: string | null;
  readonly content: Readonly<Record<string, unknown>>;
}

/** A decision that a move may pass although a gate is not open. The waiver counts once two people gave it. */
export interface Waiver {
  readonly gate: string;
  readonly actors: readonly string[];
  readonly reason: string;
  /** The last day on which the waiver counts, YYYY-MM-DD. */
  readonly until: string;
}

/** An entry of the register of accepted causes. */
export interface AcceptedCause {
  readonly id: string;
  readonly code: string;
  readonly limit: string | null;
  readonly until: string;
}

/** Whether a mark of an instrument-day names a cause by its id or, in older marks, by its code. */
export const isMarkOf = (mark: string, { id, code }: AcceptedCause): boolean => mark === id || mark === code;

/** How legacy's and modern's daily reports of one trading day compare, as the audit has it. */
export interface JudgedReport {
  /** YYYY-MM-DD. */
  readonly date: string;
  /** `not compared` if the last content of both reports was not compared, or could not be. */
  readonly state: "accepted" | "not accepted" | "not compared";
  /** The reason of the state, for people. */
  readonly because: string;
  /** The number of differences of each class in the last comparison or, if later, in the last acceptance. */
  readonly counts?: ReportDiff["counts"];
  /** A sentence for each total that is not equal or drift that is too large, from the entry of `counts`. */
  readonly failedTotals?: readonly string[];
}

/** What the evidence gates judge, under one configuration. */
export interface EvidenceFacts {
  /** The evidence key, its number, and how often gates were judged under it; see `ports/tallies.ts`. */
  readonly key: string;
  readonly attempt: number;
  readonly looks: number;
  /** Sentences that name the parts of the systems' builds that the key lacks; absent if there are none. */
  readonly unseen?: readonly string[];
  readonly stored: StoredEvidence;
  readonly trials: Trials;
  /**
   * It is known whether an accepted cause explains the instrument-days before `day` that were last compared
   * at `atMs` or earlier. Absent: it is known of all instrument-days.
   */
  readonly settled?: { readonly day: string; readonly atMs: number };
  /** The time at which modern was last taken back into use; absent if modern was never out of use. */
  readonly backInUseMs?: number;
  readonly nowMs: number;
  /** The calendar day, YYYY-MM-DD. */
  readonly date: string;
  /** The running trading day, YYYY-MM-DD. */
  readonly today: string;
  /** The build of pnl-bridge that runs. */
  readonly build: string;
  /** The configured limits of `gates.accuracy` (rates of events), and the least number of trading days. */
  readonly limits: {
    readonly accuracy: Readonly<Record<EvidenceSource, number>>;
    readonly days: number;
  };
  readonly records: readonly EvidenceRecord[];
  readonly waivers: readonly Waiver[];
  /** The accepted causes: each explains differences of money up to its `limit`, until its last day. */
  readonly causes: readonly AcceptedCause[];
  /** The values that the configuration excludes from comparison until a last day. */
  readonly exclusions: readonly { readonly path: string; readonly owner: string; readonly until: string }[];
  /** The names of the edge features that the desk's business has; if absent, it has all of them. */
  readonly features?: readonly string[];
  /** Whether A/A calls are made (`shadow.control_percentage`). */
  readonly isNoiseMeasured: boolean;
  readonly hasAlertUrl: boolean;
  /** Whether a pair of databases is configured. */
  readonly hasPair: boolean;
  /** Whether `use_new_reports` is on, so that modern's daily reports may be given to users. */
  readonly usesReports: boolean;
  /** The comparison of the two daily reports of the last closed trading day for which one was tried. */
  readonly lastReport?: JudgedReport;
  /** The number of writes that legacy has not received yet; null if it is not known. */
  readonly owed: number | null;
  /** The number of rows in quarantine; null if it is not known. */
  readonly quarantined: number | null;
}

/** Returns the newest record of a kind by its own time; of several at that time, the one added last. */
export const newestOf = (
  { records }: Pick<EvidenceFacts, "records">,
  kind: string,
): EvidenceRecord | undefined =>
  records
    .filter((record) => record.kind === kind)
    .reduce<EvidenceRecord | undefined>(
      (newest, record) => (newest === undefined || record.atMs >= newest.atMs ? record : newest),
      undefined,
    );
