import type { QuarantineCode } from "../domain/market/finding-codes.ts";

/** A good row of a ledger. Decimals are canonical text. */
export interface LedgerTrade {
  /** 1-based line of the file. */
  readonly line: number;
  readonly id: string;
  /** The symbol as the file writes it. */
  readonly symbol: string;
  /** The canonical name, or the symbol's own name if it has none. */
  readonly instrument: string;
  /** `""` for a row without a book. */
  readonly book: string;
  readonly side: "B" | "S";
  readonly quantity: string;
  readonly price: string;
  /** Null if the row names none. */
  readonly fee: string | null;
  /** Microseconds since 1970 UTC. */
  readonly timeUs: number;
  /** The trading day, in days since 1970. */
  readonly day: number;
}

/** A refused row; no figure includes it. */
export interface RefusedRow {
  readonly line: number;
  readonly code: QuarantineCode;
  /** The text of the row, cut to 200 characters. */
  readonly text: string;
  readonly why: string;
}

/** The place that reading has reached in a file: everything before `offset` is read. Plain JSON. */
export interface LedgerPlace {
  readonly offset: number;
  /** The number of newlines before `offset`. A last row that was read without its newline adds none. */
  readonly line: number;
  /** The column names of the header; null before the header is read. */
  readonly columns: readonly string[] | null;
  /** Whether `offset` is inside a line that is already refused, so that its end is skipped. */
  readonly isInLongLine: boolean;
}

/** The reason why a whole file is refused: one message for the file, not one for each row. */
export interface LedgerRefusal {
  readonly code: string;
  readonly why: string;
  readonly fix: string;
}

export interface LedgerPiece {
  readonly trades: readonly LedgerTrade[];
  readonly refused: readonly RefusedRow[];
  /**
   * The position after the last line that was read. If the file is refused, this is the start of the line for
   * which it is refused.
   */
  readonly place: LedgerPlace;
  /** Whether the line at `place` has NUL bytes: data that has not arrived yet, or damage. */
  readonly isAtNul: boolean;
  /** Set if the file as a whole is refused from here on; rows before that count. */
  readonly refusal?: LedgerRefusal;
}

/** Reads the rows of ledgers piece by piece, and keeps nothing between pieces. */
export interface LedgerRows {
  /**
   * Reads the lines that end within `bytes`, which begin at `place.offset` of the file. With `takesLast` the
   * last line counts too, although it has no newline; bytes that are appended to it later do not belong to
   * it. With `passesNul` each line that has NUL bytes is refused as one row, and reading continues after its
   * newline, even if the newline has not arrived yet.
   */
  read(
    /** The file's name without its folder; the day in it may decide the trading day. */
    name: string,
    place: LedgerPlace,
    bytes: Uint8Array,
    options?: { readonly takesLast?: boolean; readonly passesNul?: boolean },
  ): LedgerPiece;
}

export const startOfLedger: LedgerPlace = { offset: 0, line: 0, columns: null, isInLongLine: false };
