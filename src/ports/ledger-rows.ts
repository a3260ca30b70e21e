import type { QuarantineCode } from "../domain/market/finding-codes.ts";

/** A good row of a ledger. Decimals are canonical text. */
export interface LedgerTrade {
  /** 1-based line of the file. */
  readonly line: number;
  readonly id: string;
  /** As the file writes it. */
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

/** A row that no figure includes. */
export interface RefusedRow {
  readonly line: number;
  readonly code: QuarantineCode;
  /** The text of the row, cut to 200 characters. */
  readonly text: string;
  readonly why: string;
}

/** Where reading stands in a file: everything before `offset` is read. Plain JSON. */
export interface LedgerPlace {
  readonly offset: number;
  /** The number of newlines before `offset`. A last row that was taken without its newline adds none. */
  readonly line: number;
  /** The column names of the header; null before the header is read. */
  readonly columns: readonly string[] | null;
  /** Whether `offset` is inside a line that is already refused, so that its end is skipped. */
  readonly isInLongLine: boolean;
}

/** Why a whole file is refused. One message for the file, not one for each row. */
export interface LedgerRefusal {
  readonly code: string;
  readonly why: string;
  readonly fix: string;
}

export interface LedgerPiece {
  readonly trades: readonly LedgerTrade[];
  readonly refused: readonly RefusedRow[];
  /** Behind the last line that was read: at the line that stopped reading, if the file is refused. */
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
   * last line counts too, although no newline ends it; what is appended to it later is not read as a part of
   * it. With `passesNul` each line that has NUL bytes is refused as one row, and reading continues behind its
   * newline, also if the newline is not there yet.
   */
  read(
    /** Without its folder; the day in it may decide the trading day. */
    name: string,
    place: LedgerPlace,
    bytes: Uint8Array,
    options?: { readonly takesLast?: boolean; readonly passesNul?: boolean },
  ): LedgerPiece;
}

export const startOfLedger: LedgerPlace = { offset: 0, line: 0, columns: null, isInLongLine: false };
