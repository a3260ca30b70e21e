/** The kinds of difference that one place of two workbooks can have. */
export type DifferenceClass =
  | "value"
  | "type"
  | "format"
  | "formula"
  | "error"
  | "only_in_legacy"
  | "only_in_modern"
  | "within_tolerance"
  | "appearance"
  | "order";

/** The classes of which any number is allowed in workbooks that agree. */
export const harmlessClasses: ReadonlySet<DifferenceClass> = new Set([
  "within_tolerance",
  "appearance",
  "order",
]);

/** The comparison of two workbooks. This is the JSON of `report diff --json`. */
export interface ReportDiff {
  /**
   * Every difference is within tolerance, of order or of appearance; totals tie out; no drift is too large.
   */
  readonly ok: boolean;
  readonly sheets: readonly { readonly name: string; readonly in: "both" | "legacy" | "modern" }[];
  readonly differences: readonly ReportDifference[];
  /** Sheets, columns and rows that both workbooks have in another order. */
  readonly order: readonly OrderNote[];
  readonly tieOut: readonly TieOut[];
  /**
   * The signed sum of the differences within tolerance, by column; by sheet and column if several sheets have
   * the column.
   */
  readonly drift: Readonly<Record<string, string>>;
  /** The columns whose drift is above the tolerance of P&L times the number of paired rows. */
  readonly driftTooLarge: readonly string[];
  readonly counts: Readonly<Partial<Record<DifferenceClass, number>>>;
  /** The two workbooks count serial dates from different years; dates are compared as days. */
  readonly dateSystemsDiffer: boolean;
}

export interface ReportDifference {
  readonly sheet: string;
  /** The row by its key columns; null for a whole sheet, a whole column, or a part of the layout. */
  readonly key: Readonly<Record<string, string>> | null;
  /** Null for a whole row or sheet. */
  readonly column: string | null;
  readonly class: DifferenceClass;
  /** Raw cell texts; null where there is nothing. */
  readonly legacy: string | null;
  readonly modern: string | null;
  /** modern - legacy, of two numbers. */
  readonly difference?: string;
  readonly tolerance?: string;
  /** The cause of the difference, or `unexplained`; absent where the class needs none. */
  readonly cause?: string;
  /** The compared property, of the classes `format`, `formula` and `appearance`. */
  readonly what?: string;
  /** Several rows of a side have this key. */
  readonly keyIsNotUnique?: true;
  /** The number of cells that look different in this way; the key is that of the first. */
  readonly cells?: number;
}

export interface OrderNote {
  readonly what: "sheets" | "columns" | "rows";
  readonly sheet?: string;
}

/** A figure of the sheet Summary against the rows that it sums up. */
export interface TieOut {
  readonly name: string;
  /** `both` compares the sums of the rows of the two workbooks. */
  readonly workbook: "legacy" | "modern" | "both";
  readonly sum: string;
  /** The shown figure, or legacy's sum where two workbooks are compared; null if it is no number. */
  readonly shown: string | null;
  readonly holds: boolean;
}
