import type { OutboxEntry, RowChange, StoredRow } from "./stored-row.ts";

/** The table and the key under which one store keeps the row of an aggregate. */
export interface RowPlace extends Pick<RowChange, "table" | "key"> {
  readonly aggregate: string;
}

/** The state of one aggregate in one store. */
export interface RowState {
  /** Null if neither a write nor the backfill has touched the aggregate. */
  readonly version: number | null;
  readonly claim: string | null;
  /** The columns that were written last; null if the row was deleted, or without a version. */
  readonly written: StoredRow | null;
  /**
   * The rows in the place of the aggregate, with all their columns. There can be several only in a table
   * without a unique key.
   */
  readonly rows: readonly StoredRow[];
}

/** The change that a repair makes to one aggregate in one store. */
export interface RowRepair {
  readonly aggregate: string;
  readonly change: RowChange;
  readonly claim: string | null;
  /** Null removes the version too, as if the store had never had the row. */
  readonly version: number | null;
}

export interface RepairAnswer {
  /**
   * - `done`: the row is repaired; `already`: it was already in the state that the repair requires.
   * - `changed`: somebody has changed the row or its version since `seen` was read. Nothing is done.
   * - `refused`: a rule of the database forbids the row. Nothing is done.
   */
  readonly kind: "done" | "already" | "changed" | "refused";
  readonly because: string;
}

/** The calls of a repair to the stores. */
export interface RepairCalls {
  rowStates(given: { readonly places: readonly RowPlace[] }): readonly RowState[];
  /** Returns for each claim the aggregate to which that row of legacy belongs, or null. */
  owners(given: { readonly claims: readonly string[] }): readonly (string | null)[];
  /**
   * Returns the books of modern's rows. A book is a part of a trade's identity in modern; legacy does not
   * have books.
   */
  books(given: null): readonly string[];
  /**
   * Returns the entries that the other store has not confirmed, the oldest first, with the code of a parked
   * one.
   */
  unsettled(given: { readonly limit: number }): readonly (OutboxEntry & { readonly code: string | null })[];
  /** Counts the entries whose number this store already knows from another write of the same source. */
  reusedNumbers(given: {
    readonly source: string;
    readonly entries: readonly Pick<OutboxEntry, "seq" | "digest">[];
  }): number;
  /** Returns the aggregates after one and up to another, in the order of their names, with their versions. */
  versionsAfter(given: {
    readonly after: string;
    readonly upTo: string;
    readonly limit: number;
  }): readonly { readonly aggregate: string; readonly version: number }[];
  /**
   * Repairs a row if it is unchanged since `seen` was read. Rejects with REFUSED if the store has another
   * fence than `fence`, because the authority has moved.
   */
  repair(given: {
    readonly fence: { readonly epoch: number; readonly step: string };
    readonly seen: RowState;
    readonly repair: RowRepair;
  }): RepairAnswer;
  /**
   * Records an entry of the other store as applied if this store has all its rows, in the entry's versions or
   * later ones; the relay then settles it. Returns the number of entries recorded.
   */
  cover(given: { readonly source: string; readonly entries: readonly OutboxEntry[] }): number;
  /**
   * Gives the store the incarnation `to` if it has the incarnation `from`. Returns the present incarnation.
   */
  renew(given: { readonly from: string; readonly to: string }): string;
  /** Records that the entries of the other store up to a place count as applied. */
  skipTo(given: { readonly place: number }): null;
}
