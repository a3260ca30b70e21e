import type { Side } from "../domain/migration/phase.ts";
import type { Verdict } from "../domain/migration/verdict.ts";
import type { Explanation } from "./explanation.ts";
import type { InputCounts, Note } from "./ledger.ts";
import type { SystemError } from "./pnl-system.ts";

/**
 * A parity report: the comparison of one history on both systems, and further facts from the caller
 * (quarantine, the trades behind a difference). Numbers are decimal text or `p/q`. This is the JSON of
 * `replay --json` and `compare --json`.
 */
export interface ParityReport {
  /**
   * True if there is a comparison, every verdict is equal or within tolerance, and no input was refused or
   * left out.
   */
  readonly ok: boolean;
  /** The number of comparisons: the length of `rows` and the sum of `verdicts`. */
  readonly compared: number;
  readonly verdicts: Readonly<Record<Verdict, number>>;
  /** Sums, counts and groups of the rows; in JSON only. */
  readonly summary?: ParitySummary;
  readonly rows: readonly ParityRow[];
  /** The conversions that applied to at least one row, in declared order. */
  readonly conversions: readonly { readonly system: Side; readonly field: string; readonly rule: string }[];
  readonly dayRules: Readonly<Record<Side, string>>;
  /**
   * The signed sum of the differences within tolerance, by field; it shows small differences of one sign that
   * add up.
   */
  readonly drift: Readonly<Record<string, string>>;
  readonly invariants: readonly ParityInvariant[];
  readonly legacy: ParitySystem;
  readonly modern: ParitySystem;
  /** Input that neither system received. Added by the reader of the input, like the other optional fields. */
  readonly quarantine?: readonly ParityQuarantined[];
  /** The lot method of modern. */
  readonly method?: string;
  readonly input?: InputCounts;
  readonly notes?: readonly Note[];
  /** Days after the end of legacy's stored results, which were not compared; then the report is not ok. */
  readonly notCompared?: readonly NotCompared[];
  /** The part of the P&L that depends on lots opened at a price of 0, by the modern engine. */
  readonly zeroPriceLots?: ZeroPriceLots;
  /** The errors of the desk's own symbol translators for these symbols. */
  readonly legacySymbols?: LegacySymbols;
  /** The program that made the report, and the time (ISO 8601, UTC). */
  readonly generated?: { readonly product: string; readonly version: string; readonly at: string };
  /** Every file that was read. */
  readonly inputs?: readonly InputFile[];
  /** The known facts of each symbol in the rows. */
  readonly instruments?: readonly ReportedInstrument[];
  /**
   * The explanations, one for each group of instruments with a row that does not agree; the largest
   * difference first.
   */
  readonly explanations?: readonly Explanation[];
  /** The meaning of each code that the report uses: causes, refusals and notes. */
  readonly codes?: Readonly<Record<string, string>>;
}

/** A file as it was when the run began. A file of trades or prices has row counts as well. */
export interface InputFile {
  readonly kind: "trades" | "prices" | "marks" | "calendar" | "config" | "database";
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  /**
   * Somebody wrote or replaced the file while the run read it, so the digest may not be that of what was
   * read.
   */
  readonly changed?: true;
  readonly rows?: number;
  readonly accepted?: number;
  /** Rows of trades that an earlier file holds too. */
  readonly duplicates?: number;
  readonly refused?: number;
}

export interface ReportedInstrument {
  /** The symbol as the rows write it. */
  readonly symbol: string;
  /** The canonical name; null where the symbol names no known instrument. */
  readonly instrument: string | null;
  /** A name for people, such as `10-year note, Sep 2025`; null if the symbol names no known instrument. */
  readonly title: string | null;
  /** ISO 4217; null if it is not known. */
  readonly currency: string | null;
}

/**
 * The figures that a person asks for first. All sums are exact. Money of an unknown currency is summed under
 * `null`.
 */
export interface ParitySummary {
  /** Positions by the verdict of their worst figure. */
  readonly positions: Readonly<Record<Verdict, number>>;
  /** The sums of the positions, by currency. */
  readonly totals: readonly CurrencyTotals[];
  /** The sums of the daily totals, by trading day and currency. */
  readonly days: readonly DayTotal[];
  /** Figures that do not agree, grouped by cause: the worst verdict first, then the most money. */
  readonly causes: readonly CauseGroup[];
}

interface CurrencyTotals {
  readonly currency: string | null;
  readonly realized: SummedPair;
  readonly unrealized: SummedPair;
  readonly total: SummedPair;
}

interface DayTotal extends SummedPair {
  readonly tradingDay: string;
  readonly currency: string | null;
  /** The number of daily figures of the day that do not agree. */
  readonly apart: number;
}

export interface SummedPair {
  readonly legacy: string;
  readonly modern: string;
  /** modern - legacy. */
  readonly difference: string;
  /** For each side, the number of figures that it lacks and that its sum therefore leaves out. */
  readonly absent: Readonly<Record<Side, number>>;
}

export interface CauseGroup {
  /** Codes; several if only all of these rules together give the figure. Empty if no cause is known. */
  readonly causes: readonly string[];
  readonly figures: Readonly<Partial<Record<Verdict, number>>>;
  readonly money: readonly CauseMoney[];
  readonly symbols: readonly string[];
  readonly tradingDays: readonly string[];
  /** The trades behind the rows, each once. */
  readonly trades: NonNullable<ParityRow["trades"]>;
}

/**
 * The differences of a group. A field is null if no such difference is known, because one side has no number.
 */
interface CauseMoney {
  readonly currency: string | null;
  /** Sum of the differences of realized and unrealized P&L of positions. */
  readonly positions: string | null;
  /** Sum of the differences of daily totals. */
  readonly days: string | null;
  /** The largest difference of one figure of money, with its sign. */
  readonly largest: string;
}

export interface NotCompared {
  readonly kind: "daily" | "snapshot";
  readonly tradingDays: readonly string[];
  readonly why: string;
}

/**
 * P&L in money that depends on lots opened at a price of 0: mostly start-of-day positions whose cost is in no
 * file. If two systems agree on it, they only agree on a guess.
 */
export interface ZeroPriceLots {
  readonly positions: readonly {
    readonly book?: string;
    readonly symbol: string;
    readonly currency: string;
    readonly realized: string;
    /** Null if such lots are open and have no mark. */
    readonly unrealized: string | null;
  }[];
  /** Realized + unrealized by currency: the part that depends on such lots, and the total. */
  readonly totals: Readonly<Record<string, { readonly resting: string; readonly total: string }>>;
}

/**
 * Errors of the desk's own translators; `view` names the translator. Symbols are those of the ledgers,
 * instruments are canonical names.
 */
export interface LegacySymbols {
  /** Several instruments with one text, whose positions the translator would net. */
  readonly merges: readonly {
    readonly view: string;
    readonly text: string;
    readonly instruments: readonly string[];
    readonly symbols: readonly string[];
  }[];
  /** One instrument with several texts, whose lots the translator would never match. */
  readonly splits: readonly {
    readonly view: string;
    readonly instrument: string;
    readonly texts: readonly string[];
    readonly symbols: readonly string[];
  }[];
  /** Symbols that the translator does not translate. */
  readonly lost: readonly { readonly view: string; readonly symbols: readonly string[] }[];
}

export interface ParityRow {
  readonly kind: "position" | "daily" | "snapshot";
  readonly key: { readonly book?: string; readonly symbol: string; readonly tradingDay?: string };
  /**
   * A compared field, or `row` if the whole row is missing or duplicated; then the two values are numbers of
   * rows.
   */
  readonly field: string;
  /**
   * The value after conversion, in lowest terms; other text unchanged; null if the system reports no value.
   */
  readonly legacy: string | null;
  readonly modern: string | null;
  /** modern - legacy; null unless both are numbers. */
  readonly difference: string | null;
  /** The allowed difference, in the unit of the field; null unless both are numbers. */
  readonly tolerance: string | null;
  readonly verdict: Verdict;
  /** The code of the cause; null if it is unknown or if there is nothing to explain. */
  readonly cause: string | null;
  /** The causes that only together are proved, if no single one is; `cause` is the first of them. */
  readonly causes?: readonly string[];
  /** The id of the explanation that the row belongs to. */
  readonly explanation?: string;
  /**
   * Set if a figure has no printable exact text and is rounded to 18 decimals. The verdict uses the exact
   * figure.
   */
  readonly rounded?: true;
  /** The other side's values by field, if the row is missing on one side. */
  readonly present?: Readonly<Record<string, string | null>>;
  readonly duplicatedIn?: readonly Side[];
  /** The trades that cause the difference, if they were found. */
  readonly trades?: readonly { readonly file: string; readonly line: number; readonly id: string }[];
}

/**
 * A sum over one position that does not depend on lot order, so that it distinguishes lot order from error.
 */
export interface ParityInvariant {
  readonly book?: string;
  readonly symbol: string;
  readonly name: string;
  readonly legacy: string;
  readonly modern: string;
  readonly holds: boolean;
}

export interface ParitySystem {
  readonly system: string;
  readonly errors: readonly SystemError[];
}

interface ParityQuarantined {
  readonly file: string;
  readonly line?: number;
  readonly code: string;
  readonly text?: string;
  readonly why: string;
  readonly more?: number;
}
