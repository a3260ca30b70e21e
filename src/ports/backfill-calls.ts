import type { RowWrite, StoredRow, StoredValue } from "./stored-row.ts";

/** A value of legacy's file as SQLite stores it, whatever type its column declares. */
export type LegacyCell =
  | StoredValue
  /** A value that the program cannot hold as it is: the digits of an integer, or a blob in hexadecimal. */
  | { readonly type: "integer" | "blob"; readonly value: string };

export interface LegacyRow {
  /** SQLite's rowid, which is the column `id`. */
  readonly id: number;
  readonly cells: Readonly<Record<string, LegacyCell>>;
}

/** A row that is copied from one store into the other without a write of the bridge. It gets version 0. */
export interface AdoptedRow extends Pick<RowWrite, "aggregate" | "change"> {
  /** Null for every row after the first under a key that legacy does not keep unique. */
  readonly claim: string | null;
  /** Whether a later row of legacy takes the place of an earlier one that has the same aggregate. */
  readonly isReplaceable: boolean;
}

/** A row of legacy that gets version 0 in legacy's own store. */
export interface ClaimedRow extends AdoptedRow {
  readonly id: number;
  /** Whether a row without a version may get one; otherwise the answer is `unclaimed`. */
  readonly mayClaim: boolean;
}

export interface AdoptAnswer {
  /**
   * - `adopted`: the row has version 0 now; `known`: it already had version 0.
   * - `written`: a write has touched the row, and the row holds what was written.
   * - `differs`: somebody else has changed the row, or the store has another row in its place.
   * - `repeated`: the aggregate already belongs to another row of legacy.
   * - `gone`, `moved`: legacy's row was deleted, or changed, since it was read.
   * - `unclaimed`: the row has no version, and may not get one.
   */
  readonly kind: "adopted" | "known" | "written" | "differs" | "repeated" | "gone" | "moved" | "unclaimed";
  /** The other row, if the answer is about one: as the store holds it or as last written; otherwise null. */
  readonly has: StoredRow | null;
}

/**
 * `backfill`: all rows, once. `new_rows`: rows with a higher id than the last pass read. `all_rows`: all rows
 * again, to find changed ones.
 */
export type PassName = "backfill" | "new_rows" | "all_rows";

/** The progress of a pass over one table of legacy. */
export interface PassState {
  readonly pass: PassName;
  readonly table: string;
  /** The highest id that the pass reads. */
  readonly upper: number;
  /** Every id up to this one is done. */
  readonly next: number;
  /** Counts of this pass: rows read, rows that entered modern, rows that wait for a person. */
  readonly done: number;
  readonly imported: number;
  readonly quarantined: number;
}

/** A row that waits for a person. */
export interface QuarantinedRow {
  /** `row`: modern cannot hold the row. `review`: the two stores have different rows. */
  readonly kind: "row" | "review";
  readonly table: string;
  /** The row of legacy, as in a claim. */
  readonly key: string;
  readonly code: string;
  readonly because: string;
  /** The row of legacy, and what it is compared with, as JSON; null if there is no row. */
  readonly legacy: string | null;
  readonly modern: string | null;
}

interface QuarantineEntry extends QuarantinedRow {
  readonly atMs: number;
}

/** A chunk of a pass that is done. */
export interface ChunkRecord {
  /** The state of the pass; if it is null, only the rows are recorded. */
  readonly pass: PassState | null;
  readonly quarantined: readonly QuarantinedRow[];
  /** The keys of rows that need no person, as in a claim. */
  readonly imported: readonly string[];
  readonly nowMs: number;
}

/** A row that is gone although the store has a version of it. */
export interface MissingRow {
  readonly claim: string;
  readonly written: StoredRow;
}

/** The calls of the backfill, and of the import of foreign rows, to the stores. */
export interface BackfillCalls {
  /** Returns the highest id of a table of legacy; 0 for an empty table, null for a missing one. */
  upperMark(given: { readonly table: string }): number | null;
  /** Returns rows of a table of legacy in the order of their ids, after one id and up to another. */
  rowsAfter(given: {
    readonly table: string;
    readonly columns: readonly string[];
    readonly after: number;
    readonly upTo: number;
    readonly limit: number;
  }): readonly LegacyRow[];
  /**
   * Returns the rows of legacy that have the same key as an earlier row. `place` numbers the rows with one
   * key, `occurrence` those that are equal in all of the columns; both count from 1, in the order of the ids.
   */
  repeats(given: {
    readonly table: string;
    readonly key: readonly string[];
    readonly columns: readonly string[];
  }): readonly { readonly id: number; readonly occurrence: number; readonly place: number }[];
  /**
   * Gives version 0 to rows of one page of legacy that have none, as long as they hold what was read. Changes
   * no row.
   */
  claimRows(given: { readonly rows: readonly ClaimedRow[] }): readonly AdoptAnswer[];
  /**
   * Inserts rows that no write has touched yet, and leaves every other row alone. Returns one answer for each
   * row. With `chunk`, it also records the chunk and adds the adopted rows to the pass's `imported`. It
   * records nothing if an answer is `differs` or `repeated`, because that row may wait for a person.
   */
  adopt(given: {
    readonly rows: readonly AdoptedRow[];
    readonly chunk?: ChunkRecord;
  }): readonly AdoptAnswer[];
  /** Returns rows of legacy that have a version and are gone. `next` is null after the last aggregate. */
  missingRows(given: {
    /** The key columns of each table. */
    readonly keys: Readonly<Record<string, readonly string[]>>;
    readonly after: string;
    readonly limit: number;
  }): { readonly missing: readonly MissingRow[]; readonly next: string | null };
  passes(given: null): readonly PassState[];
  /**
   * Records that a chunk is done: the state of the pass, the rows that wait for a person, and the rows that
   * no longer need one. A row that a person has settled waits again only if it has changed.
   */
  recordChunk(given: ChunkRecord): null;
  /**
   * Returns a page of the rows that wait for a person, in the order of table and key; `after` is the last row
   * of the previous page.
   */
  quarantine(given: {
    readonly after: { readonly table: string; readonly key: string } | null;
    readonly limit: number;
  }): readonly QuarantineEntry[];
  /** Records what a person has decided about a row. Returns whether the row was waiting. */
  settleQuarantine(given: {
    readonly table: string;
    readonly key: string;
    readonly as: string;
    readonly nowMs: number;
  }): boolean;
  quarantineCounts(given: null): {
    readonly rows: number;
    readonly reviews: number;
    /** The number of trades in `pnlb_unstorable`. */
    readonly unstorable: number;
  };
  /** Accepts the columns and unique keys of legacy's tables as they are now. */
  acceptTables(given: null): null;
}
