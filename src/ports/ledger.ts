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
}

/** Files and data rows read: rows = accepted + duplicates + quarantined. */
export interface InputCounts {
  readonly files: number;
  readonly rows: number;
  readonly accepted: number;
  readonly duplicates: number;
}

/** What an instrument table says of a symbol. */
export interface DescribedSymbol {
  /** The canonical name; null where the symbol names a product but no instrument for certain. */
  readonly instrument: string | null;
  /** Money per point, decimal text. */
  readonly multiplier: string;
  /** ISO 4217. */
  readonly currency: string;
  /** What a person may want to know of how it was read. */
  readonly notes?: readonly { readonly code: NoteCode; readonly why: string }[];
}

/** Something about an accepted row that a person may want to know. */
export interface Note {
  readonly file: string;
  readonly line: number;
  readonly code: NoteCode;
  readonly why: string;
}
