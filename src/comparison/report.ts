/** The input and the result of a comparison of two histories. */
import type { ParityReport, ParityRow } from "../ports/parity-report.ts";
import type { DailyRow, PositionRow, SystemError } from "../ports/pnl-system.ts";

/**
 * A position at the end of a day, with realized P&L since inception, from a system that keeps such a history.
 */
export interface SnapshotRow extends PositionRow {
  readonly tradingDay: string;
}

/**
 * One system's answer about one history. Numbers are decimal text or `p/q`; null means that the system
 * reports no value.
 */
export interface SystemAnswer {
  readonly system: string;
  /** The name of the trading-day rule of its daily rows. */
  readonly dayRule: string;
  readonly positions: readonly PositionRow[];
  readonly daily: readonly DailyRow[];
  readonly snapshots?: readonly SnapshotRow[];
  /** Input that the system itself refused. */
  readonly errors: readonly SystemError[];
}

/**
 * The compared fields of each kind of row, in the order of a report. All other code takes the fields from
 * this table.
 */
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
 * The reasons for an unequal row that follow from the two values alone. The values only suggest LOT_ORDER,
 * SIGN_FLIP and MULTIPLIER: where the history is known, a search confirms or removes them. Only that search
 * finds other causes (trades, day rule, price); without it the cause is null.
 */
export const causes = {
  MISSING_IN_LEGACY: "modern has the row, but legacy lacks it",
  MISSING_IN_MODERN: "legacy has the row, but modern lacks it",
  DUPLICATE_KEY: "a side has several rows with this key, so none of them is compared",
  NOT_A_NUMBER: "a side has text instead of a number",
  NO_VALUE_IN_LEGACY: "modern has a number, legacy reports no value",
  NO_VALUE_IN_MODERN: "legacy has a number, modern reports no value",
  NO_MULTIPLIER: "the contract multiplier of the symbol is not known, so points cannot be converted to money",
  LOT_ORDER:
    "same quantity and same realized + unrealized, but a different split: lots were closed in another order",
  SIGN_FLIP: "the two numbers are exactly opposite",
  MULTIPLIER: "the numbers differ by exactly the factor of a contract multiplier (1000 or 2000)",
} as const;
export type Cause = keyof typeof causes;

export interface ComparisonRow extends ParityRow {
  readonly kind: Kind;
  readonly field: Field | "row";
  readonly cause: Cause | null;
}

export interface ComparisonReport extends ParityReport {
  /**
   * Every comparison, in order of kind (positions, daily rows, snapshots), book, symbol, trading day, and the
   * fields of `fieldsOf`.
   */
  readonly rows: readonly ComparisonRow[];
  readonly drift: Readonly<Record<Field, string>>;
}
