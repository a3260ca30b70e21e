import type { LazyList } from "../base/lazy-list.ts";

/** A workbook that is to be written. */
export interface WrittenWorkbook {
  readonly title: string;
  readonly keywords: string;
  /** Printed at the bottom of each page. */
  readonly footer: string;
  readonly sheets: readonly WrittenSheet[];
}

/** The first row holds the names of the columns. */
export interface WrittenSheet {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly format: string }[];
  /** Read several times; they may be made each time, since a sheet may have a million of them. */
  readonly rows: LazyList<readonly WrittenCell[]>;
}

export interface WrittenCell {
  /** Null is a blank cell. With a formula it is its result, a number. */
  readonly value: string | number | null;
  readonly format: string;
  readonly formula?: string;
  /** Words in place of a figure. */
  readonly isMissing?: true;
}
