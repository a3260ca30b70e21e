import type { Side } from "../domain/migration/phase.ts";
import type { Verdict } from "../domain/migration/verdict.ts";
import type { ParityReport, ParityRow } from "./parity-report.ts";
import type { RowImage } from "./stored-row.ts";

export const reconcileKinds = ["trade", "position", "daily", "price"] as const;
export type ReconcileKind = (typeof reconcileKinds)[number];

/** A value exactly as a database holds it: an INTEGER is a bigint, a REAL is a number, a BLOB is bytes. */
export type Cell = string | number | bigint | null | Uint8Array;
export type Cells = Readonly<Record<string, Cell>>;

/** A table of one store, as reconcile reads it. */
export interface ReadTable {
  /** Without the namespace that the store adds. */
  readonly table: string;
  /** Ranges are cut by this column, in order of bytes. */
  readonly key: string;
  readonly columns: readonly string[];
}

/**
 * Keys above `after` up to and including `upTo`. Null means no limit; such a range includes keys that are not
 * text.
 */
export interface KeyRange {
  readonly after: string | null;
  readonly upTo: string | null;
}

/** The writes that one store owes, and the state of its outbox. */
export interface OutboxLook {
  /** The highest number of an entry; 0 if there was none. */
  readonly last: number;
  /** The argument of a later read that returns the entries confirmed in between. */
  readonly mark: number;
  /** Whether there are more entries than one read returns. */
  readonly isCut: boolean;
  /** Entries that the mirror has not confirmed, and those that it has confirmed since the mark. */
  readonly entries: readonly {
    readonly seq: number;
    readonly isPending: boolean;
    /** The code with which the mirror refused the entry; null if it did not. */
    readonly code: string | null;
    /** The canonical rows, as JSON. */
    readonly images: readonly RowImage[];
  }[];
}

/** Reads one store. Each call is one short read. Rejects with BAD_DATABASE, DATABASE_BUSY and SYSTEM_DOWN. */
export interface StoreReader {
  /** Returns the authority that this store records; null if it has no tables of the bridge. */
  authority(): Promise<Side | null>;
  /**
   * Reads the outbox. `since` is the mark of an earlier read; with null, only unconfirmed entries are
   * returned.
   */
  outbox(since: number | null): Promise<OutboxLook>;
  /** Returns the key of the row that is `count` rows after the key `after`; null if fewer rows follow. */
  keyAfter(table: ReadTable, after: string | null, count: number): Promise<string | null>;
  rows(table: ReadTable, range: KeyRange): Promise<readonly Cells[]>;
  /** Returns the rows with these keys as they are now. */
  rowsOf(table: ReadTable, keys: readonly Cell[]): Promise<readonly Cells[]>;
  /**
   * Returns the rows of legacy that wait or waited for a person, by table and key as in a claim: the code of
   * each, and whether a person has accepted it.
   */
  reviewed(): Promise<ReadonlyMap<string, { readonly code: string; readonly isAccepted: boolean }>>;
  /** Returns the highest row id of a table of legacy; 0 for an empty table. */
  highestRow(table: ReadTable): Promise<number>;
  /**
   * Returns the last row of that table that the backfill or the search for new rows has read; null if neither
   * ran.
   */
  newRowsReadTo(table: ReadTable): Promise<number | null>;
  /** Returns whether a unique key of the table consists of these columns. */
  isUnique(table: ReadTable, columns: readonly string[]): Promise<boolean>;
  close(): Promise<void>;
}

/** Compares a range inside the databases. It may find equal rows unequal, and never the reverse. */
export interface RangeFilter {
  /**
   * Returns the number of rows of legacy in the range, and whether all rows of both sides are certainly
   * equal.
   */
  look(range: KeyRange): Promise<{ readonly rows: number; readonly areEqual: boolean }>;
  /** Tells the filter the book and the multiplier of a symbol. It never finds rows of other symbols equal. */
  learn(symbol: string, book: string, multiplier: string): void;
}

export interface PairReader {
  readonly legacy: StoreReader;
  readonly modern: StoreReader;
  /** For daily rows; undefined if one query cannot read both stores. */
  readonly daily: RangeFilter | undefined;
}

export interface ReconcileRow extends Omit<ParityRow, "kind" | "key"> {
  readonly kind: ReconcileKind;
  readonly key: Readonly<Record<string, string>>;
}

/** The result of one pass over both stores. Rows that agree are counted only. */
export interface ReconcileReport extends Omit<ParityReport, "rows"> {
  readonly rows: readonly ReconcileRow[];
  /** The number of further rows that do not agree. */
  readonly rowsLeftOut: number;
  /** The number of the authority's last write when the pass began; 0 without the bridge's tables. */
  readonly position: number;
  /** True if every kind and every day was compared, and no write was owed for the rows that differ. */
  readonly complete: boolean;
  /** ISO 8601, UTC. */
  readonly at: string;
  /**
   * The number of figures that are not equal and have no known reason: they differ, or they cannot be
   * compared. A habit of legacy (`LEGACY_…`) and a row that a person has accepted are known reasons.
   */
  readonly unexplained: number;
}

/** One compared figure, for a listing of all of them. */
export interface ReconcileFigure {
  readonly row: ReconcileRow;
  /** The day of the row; empty if it has none. */
  readonly date: string;
  /** Whether a person has accepted the row of legacy as it is. */
  readonly isAccepted?: boolean;
}

/** A row that does not agree, with the values of both stores. */
export interface ReconcileBreak {
  readonly kind: ReconcileKind;
  readonly key: ReconcileRow["key"];
  readonly verdict: Verdict;
  readonly causes: readonly string[];
  readonly legacy: readonly Cells[];
  readonly modern: readonly Cells[];
}
