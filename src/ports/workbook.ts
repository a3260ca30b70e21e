/** A workbook as its file stores it: raw texts, nothing rounded or calculated. */
export interface Workbook {
  readonly sheets: readonly WorkbookSheet[];
  /** The styles that the cells name by index. */
  readonly styles: readonly CellStyle[];
  /** Serial dates count from 1904, not from 1900. */
  readonly isFrom1904: boolean;
  /** The keywords of the document properties; the bridge's own reports are recognised by them. */
  readonly keywords: string;
}

export interface CellStyle {
  /** The number format code; `General` without one. */
  readonly format: string;
  /** The format shows a number as a date: with a day, a month or a year. */
  readonly isDate: boolean;
  /** Font, fill, border and alignment as one text; equal texts look the same. */
  readonly look: string;
}

export const cellTypes = ["blank", "number", "text", "boolean", "error"] as const;
export type CellType = (typeof cellTypes)[number];

/**
 * The cells of one sheet, in typed arrays because a sheet may have a million cells. Row `r` has the
 * cells from `starts[r]` to before `starts[r + 1]`, with ascending columns. Rows without cells are absent.
 */
export interface WorkbookSheet {
  readonly name: string;
  readonly visibility: "visible" | "hidden" | "veryHidden";
  /** The number of each row, from 1. */
  readonly rowNumbers: readonly number[];
  readonly starts: readonly number[];
  /** The column of each cell, from 0. */
  readonly columns: Uint16Array;
  /** The type of each cell, as its place in `cellTypes`. */
  readonly types: Uint8Array;
  /** The raw text of each cell; empty for a blank one. That of a number can be read exactly. */
  readonly texts: readonly string[];
  /** Each cell's index in the styles of the workbook. */
  readonly styles: Uint16Array;
  /** Formulas by cell. A formula without a stored result is a blank cell with a formula. */
  readonly formulas: ReadonlyMap<number, string>;
  readonly hiddenRows: ReadonlySet<number>;
  readonly hiddenColumns: ReadonlySet<number>;
  /** Column widths by column, from 0, as written. */
  readonly widths: ReadonlyMap<number, string>;
  readonly merges: readonly CellRange[];
  /** Frozen panes, filter, print set-up and other parts of the layout, each as one text. */
  readonly layout: ReadonlyMap<string, string>;
}

/** A rectangle of cells: rows from 1, columns from 0, both ends included. */
export interface CellRange {
  readonly firstRow: number;
  readonly lastRow: number;
  readonly firstColumn: number;
  readonly lastColumn: number;
}
