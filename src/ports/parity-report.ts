import type { Side } from "../domain/migration/phase.ts";
import type { Verdict } from "../domain/migration/verdict.ts";
import type { InputCounts, Note } from "./ledger.ts";
import type { SystemError } from "./pnl-system.ts";

/**
 * What a parity report tells people and files: the comparison of one history on both systems, and what the caller knows
 * besides (quarantine, the trades behind a difference). Numbers are decimal text or `p/q`. This is the JSON of
 * `replay --json` and `compare --json`.
 */
export interface ParityReport {
  /** There is a comparison, every verdict is equal or within tolerance, and nothing was refused or left out. */
  readonly ok: boolean;
  /** The number of comparisons: of `rows`, and the sum of `verdicts`. */
  readonly compared: number;
  readonly verdicts: Readonly<Record<Verdict, number>>;
  readonly rows: readonly ParityRow[];
  /** What was converted at the edge, in declared order. Only rules that applied to at least one row. */
  readonly conversions: readonly { readonly system: Side; readonly field: string; readonly rule: string }[];
  readonly dayRules: Readonly<Record<Side, string>>;
  /** By field, the signed sum of the differences within tolerance: small ones of one sign add up here. */
  readonly drift: Readonly<Record<string, string>>;
  readonly invariants: readonly ParityInvariant[];
  readonly legacy: ParitySystem;
  readonly modern: ParitySystem;
  /** Input that neither system was given. Added by whoever read the input. */
  readonly quarantine?: readonly ParityQuarantined[];
  /** How modern closed lots, what it read, and what is worth knowing of that; added likewise. */
  readonly method?: string;
  readonly input?: InputCounts;
  readonly notes?: readonly Note[];
  /** What legacy was not asked for because its stored results end before it: then the report is not ok. */
  readonly notCompared?: readonly NotCompared[];
  /** What rests on lots that were opened at a price of 0, by the modern engine; added likewise. */
  readonly zeroPriceLots?: ZeroPriceLots;
  /** What the desk's own symbol translators would have made of the symbols; added likewise. */
  readonly legacySymbols?: LegacySymbols;
}

export interface NotCompared {
  readonly kind: "daily" | "snapshot";
  readonly tradingDays: readonly string[];
  readonly why: string;
}

/**
 * P&L in money that rests on lots opened at a price of 0: mostly start-of-day positions whose cost is in no file. Two
 * systems that agree on it agree on a guess.
 */
export interface ZeroPriceLots {
  readonly positions: readonly {
    readonly book?: string;
    readonly symbol: string;
    readonly currency: string;
    readonly realized: string;
    /** Null where such lots are open and have no mark. */
    readonly unrealized: string | null;
  }[];
  /** By currency: what rests on such lots, and the whole; realized + unrealized. */
  readonly totals: Readonly<Record<string, { readonly resting: string; readonly total: string }>>;
}

/** By `view`, one of the desk's translators. Symbols are as in the ledgers, instruments canonical names. */
export interface LegacySymbols {
  /** Several instruments under one text: their positions would have been netted. */
  readonly merges: readonly {
    readonly view: string;
    readonly text: string;
    readonly instruments: readonly string[];
    readonly symbols: readonly string[];
  }[];
  /** One instrument under several texts: its lots would never have met. */
  readonly splits: readonly {
    readonly view: string;
    readonly instrument: string;
    readonly texts: readonly string[];
    readonly symbols: readonly string[];
  }[];
  /** Symbols that it had no name for. */
  readonly lost: readonly { readonly view: string; readonly symbols: readonly string[] }[];
}

export interface ParityRow {
  readonly kind: "position" | "daily" | "snapshot";
  readonly key: { readonly book?: string; readonly symbol: string; readonly tradingDay?: string };
  /** A compared field, or `row` where the whole row is missing or duplicated: then the two values count rows. */
  readonly field: string;
  /** After conversion; lowest terms; text that is no number as it came; null where the system says there is none. */
  readonly legacy: string | null;
  readonly modern: string | null;
  /** modern - legacy; null where there are not two numbers. */
  readonly difference: string | null;
  /** How far apart the two may be here, in the field's unit; null where there are not two numbers. */
  readonly tolerance: string | null;
  readonly verdict: Verdict;
  /** A code; null where it is not known, or where there is nothing to explain. */
  readonly cause: string | null;
  /** Where no single rule gives legacy's figure: all that do together; `cause` is the first of them. */
  readonly causes?: readonly string[];
  /** A figure has no printable exact text and stands rounded to 18 decimals. The verdict comes from the exact one. */
  readonly rounded?: true;
  /** Of a row missing on one side: the other side's values by field. */
  readonly present?: Readonly<Record<string, string | null>>;
  readonly duplicatedIn?: readonly Side[];
  /** The trades that the difference comes from, where somebody has found them. */
  readonly trades?: readonly { readonly file: string; readonly line: number; readonly id: string }[];
}

/** A sum of one position that holds whatever order lots are closed in, so it tells lot order from error. */
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
