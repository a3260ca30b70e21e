import type { QuarantinedRow } from "./backfill-calls.ts";
import type { RowChange, StoredRow } from "./stored-row.ts";

/** The calls to both stores that settle the writes of an abandoned store. */
export interface AbandonCalls {
  /**
   * Called on legacy's store with entries of modern's outbox. Returns for each entry the place at which
   * legacy applied it, or null if it did not, and legacy's present row for each of the changes.
   */
  received(given: {
    /** The incarnation of modern's store. */
    readonly source: string;
    readonly entries: readonly { readonly seq: number; readonly changes: readonly RowChange[] }[];
  }): readonly { readonly place: number | null; readonly rows: readonly (StoredRow | null)[] }[];
  /** Moves entries of modern's outbox into the quarantine. An entry that was moved before stays as it is. */
  handOver(given: {
    readonly entries: readonly {
      readonly seq: number;
      readonly rows: readonly {
        readonly aggregate: string;
        /** The version that the entry gave to the row. */
        readonly version: number;
        readonly quarantined: QuarantinedRow;
      }[];
    }[];
    readonly nowMs: number;
  }): null;
}
