import type { OutboxEntry, RowChange, StoredRow } from "./stored-row.ts";

/** Where one store has the row of an aggregate. */
export interface RowPlace extends Pick<RowChange, "table" | "key"> {
  readonly aggregate: string;
}

/** How a store has one aggregate. */
export interface RowState {
  /** Null if neither a write nor the backfill has touched the aggregate. */
  readonly version: number | null;
  readonly claim: string | null;
  /** The columns that were written last; null if the row was deleted, or without a version. */
  readonly written: StoredRow | null;
  /**
   * The rows in the place of the aggregate, with all their columns. More than one only without a unique key.
   */
  readonly rows: readonly StoredRow[];
}

/** What a repair does to one aggregate in one store. */
export interface RowRepair {
  readonly aggregate: string;
  readonly change: RowChange;
  readonly claim: string | null;
  /** Null removes the version too, as if the store had never had the row. */
  readonly version: number | null;
}

export interface RepairAnswer {
  /**
   * - `done`: the row is repaired; `already`: it has been as the repair wants it.
   * - `changed`: somebody has changed the row or its version since it was seen. Nothing is done.
   * - `refused`: a rule of the database forbids the row. Nothing is done.
   */
  readonly kind: "done" | "already" | "changed" | "refused";
  readonly because: string;
}

/** The calls of a repair to the stores. */
export interface RepairCalls {
  rowStates(given: { readonly places: readonly RowPlace[] }): readonly RowState[];
  /** For each claim: the aggregate to which that row of legacy belongs, or null. */
  owners(given: { readonly claims: readonly string[] }): readonly (string | null)[];
  /** The books of modern's rows, which are part of a trade's identity. Legacy does not have them. */
  books(given: null): readonly string[];
  /** The entries that the other store has not confirmed, the oldest first, with the code of a parked one. */
  unsettled(given: { readonly limit: number }): readonly (OutboxEntry & { readonly code: string | null })[];
  /** How many of the entries have a number under which this store knows another write of the same source. */
  reusedNumbers(given: {
    readonly source: string;
    readonly entries: readonly Pick<OutboxEntry, "seq" | "digest">[];
  }): number;
  /** Repairs a row if the store has it as it was seen. Rejects with REFUSED if the authority has moved. */
  repair(given: {
    readonly epoch: number;
    readonly seen: RowState;
    readonly repair: RowRepair;
  }): RepairAnswer;
  /**
   * Records entries of the other store as applied if this store has all their rows in these versions or later
   * ones. The relay settles them then. Answers how many.
   */
  cover(given: { readonly source: string; readonly entries: readonly OutboxEntry[] }): number;
  /**
   * Gives the store another incarnation, if it has the one that the caller saw. Returns the one that it has
   * now.
   */
  renew(given: { readonly from: string; readonly to: string }): string;
  /** Counts the entries of the other store up to a place as applied. */
  skipTo(given: { readonly place: number }): null;
}
