import type { QuarantinedRow } from "./backfill-calls.ts";
import type { RowChange, StoredRow } from "./stored-row.ts";

/** What settling the writes of an abandoned store asks of both stores. */
export interface AbandonCalls {
  /** Whether legacy has applied entries of modern's outbox, at which place, and the rows that it has in their place. */
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
        /** The version that the entry has given to the row. */
        readonly version: number;
        readonly quarantined: QuarantinedRow;
      }[];
    }[];
    readonly nowMs: number;
  }): null;
}
