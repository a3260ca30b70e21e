/** What goes into a comparison of two histories, and what comes out of it. */
import type { Side } from "../domain/migration/phase.ts";
import type { Verdict } from "../domain/migration/verdict.ts";
import type { DailyRow, PositionRow, SystemError } from "../ports/pnl-system.ts";

/** Where a position stood at the end of a day; realized since inception. For systems that keep such a history. */
export interface SnapshotRow extends PositionRow {
  readonly tradingDay: string;
}

/** One system's answer about one history. Numbers are decimal text or `p/q`; null means that the system says there is none. */
export interface SystemAnswer {
  readonly system: string;
  /** The name of the trading-day rule its daily rows follow. */
  readonly dayRule: string;
  readonly positions: readonly PositionRow[];
  readonly daily: readonly DailyRow[];
  readonly snapshots?: readonly SnapshotRow[];
  /** What the system itself refused. */
  readonly errors: readonly SystemError[];
}

/** The compared fields of each kind of row, in report order. The table is the design: nothing else names fields. */
export const fieldsOf = {
  position: ["quantity", "averagePrice", "realized", "unrealized"],
  daily: ["realized", "unrealized", "total"],
  snapshot: ["quantity", "averagePrice", "realized", "unrealized"],
} as const;
export type Kind = keyof typeof fieldsOf;
export type Field = (typeof fieldsOf)[Kind][number];
/** Every compared field once. */
export const fields: readonly Field[] = [...new Set<Field>([...fieldsOf.position, ...fieldsOf.daily])];

/**
 * Why a row is not equal, as far as the two values themselves prove it. Deeper causes (which trades, which day rule, which
 * price) need the history and are found elsewhere; until then the cause is null.
 */
export const causes = {
  MISSING_IN_LEGACY: "modern has the row, legacy has not",
  MISSING_IN_MODERN: "legacy has the row, modern has not",
  DUPLICATE_KEY: "a side has several rows with this key, so none of them is compared",
  NOT_A_NUMBER: "a side answered text where a number belongs",
  NO_VALUE_IN_LEGACY: "modern has a number, legacy says there is none",
  NO_VALUE_IN_MODERN: "legacy has a number, modern says there is none",
  NO_MULTIPLIER: "the contract multiplier of the symbol is not known, so points cannot become money",
  LOT_ORDER: "same quantity and same realized + unrealized, split differently: lots were closed in another order",
  SIGN_FLIP: "exactly the opposite number",
  MULTIPLIER: "exactly a contract multiplier (1000 or 2000) apart",
} as const;
export type Cause = keyof typeof causes;

export interface RowKey {
  readonly book?: string;
  readonly symbol: string;
  /** Only in daily rows and snapshots. */
  readonly tradingDay?: string;
}

export interface ComparisonRow {
  readonly kind: Kind;
  readonly key: RowKey;
  /** `row` where the row as a whole is missing or duplicated: then `legacy` and `modern` count the rows of each side. */
  readonly field: Field | "row";
  /** After conversion; lowest terms; text that is no number as it came; null where the system says there is none. */
  readonly legacy: string | null;
  readonly modern: string | null;
  /** modern - legacy. Null where there are not two numbers. */
  readonly difference: string | null;
  /** How far apart the two may be here, in the field's unit. Null where there are not two numbers. */
  readonly tolerance: string | null;
  readonly verdict: Verdict;
  readonly cause: Cause | null;
  /** A figure of this row has no printable exact text and stands rounded to 18 decimals. The verdict comes from the exact one. */
  readonly rounded?: true;
  /** Of a row that is missing on one side: what the other side says, after conversion. */
  readonly present?: Readonly<Record<string, string | null>>;
  /** Of a duplicated key: where it is duplicated. */
  readonly duplicatedIn?: readonly Side[];
}

/** realized + unrealized of one position on both sides. Holds whatever order lots are closed in, so it tells lot order from error. */
export interface Invariant {
  readonly book?: string;
  readonly symbol: string;
  readonly name: "realized_plus_unrealized";
  readonly legacy: string;
  readonly modern: string;
  readonly holds: boolean;
}

export interface ComparisonReport {
  /** There is a comparison, every verdict is equal or within tolerance, and neither system refused anything. */
  readonly ok: boolean;
  /** The number of comparisons: of `rows`, and the sum of `verdicts`. */
  readonly compared: number;
  readonly verdicts: Readonly<Record<Verdict, number>>;
  /** Every comparison: positions, daily rows, snapshots, then by book, symbol, trading day, then in the order of `fieldsOf`. */
  readonly rows: readonly ComparisonRow[];
  /** What was converted at the edge, in declared order. Only rules that applied to at least one row. */
  readonly conversions: readonly { readonly system: Side; readonly field: Field; readonly rule: string }[];
  readonly dayRules: Readonly<Record<Side, string>>;
  /** By field, the signed sum of the differences that were within tolerance: small ones of one sign add up here. */
  readonly drift: Readonly<Record<Field, string>>;
  readonly invariants: readonly Invariant[];
  readonly legacy: { readonly system: string; readonly errors: readonly SystemError[] };
  readonly modern: { readonly system: string; readonly errors: readonly SystemError[] };
}
