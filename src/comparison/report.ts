/** What goes into a comparison of two histories, and what comes out of it. */
import type { ParityReport, ParityRow } from "../ports/parity-report.ts";
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

export interface ComparisonRow extends ParityRow {
  readonly kind: Kind;
  readonly field: Field | "row";
  readonly cause: Cause | null;
}

export interface ComparisonReport extends ParityReport {
  /**
   * Every comparison: positions, daily rows, snapshots, then by book, symbol, trading day, then in the order of
   * `fieldsOf`.
   */
  readonly rows: readonly ComparisonRow[];
  readonly drift: Readonly<Record<Field, string>>;
}
