import type { NoteCode, QuarantineCode } from "../domain/market/finding-codes.ts";

/** A row that was refused. It is in no number; a person must look at it. */
export interface Quarantined {
  readonly file: string;
  /** 1-based line of the file. */
  readonly line: number;
  readonly code: QuarantineCode;
  /** The row as it stands, cut to 200 characters. */
  readonly text: string;
  readonly why: string;
  /** Of the last entry of a list that is full: how many rows it stands for. Absent: one. */
  readonly more?: number;
}

/** Files and data rows read: rows = accepted + duplicates + quarantined. */
export interface InputCounts {
  readonly files: number;
  readonly rows: number;
  readonly accepted: number;
  readonly duplicates: number;
}

/** Something about an accepted row that a person may want to know. */
export interface Note {
  readonly file: string;
  readonly line: number;
  readonly code: NoteCode;
  readonly why: string;
  /** Of an entry for the rows of its code that are not listed: how many they are. Absent: one. */
  readonly more?: number;
}
