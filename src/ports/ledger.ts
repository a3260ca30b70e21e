import type { NoteCode, QuarantineCode } from "../domain/market/finding-codes.ts";

/** A refused row. No figure includes it; a person must check it. */
export interface Quarantined {
  readonly file: string;
  /** 1-based line of the file. */
  readonly line: number;
  readonly code: QuarantineCode;
  /** The text of the row, cut to 200 characters. */
  readonly text: string;
  readonly why: string;
  /** The number of rows that the last entry of a full list represents; absent for one row. */
  readonly more?: number;
}

/** The number of files and data rows read; rows = accepted + duplicates + quarantined. */
export interface InputCounts {
  readonly files: number;
  readonly rows: number;
  readonly accepted: number;
  readonly duplicates: number;
}

/** A remark on an accepted row. */
export interface Note {
  readonly file: string;
  readonly line: number;
  readonly code: NoteCode;
  readonly why: string;
  /** The number of unlisted rows of the same code that this entry represents; absent for one row. */
  readonly more?: number;
}
