import type { Side } from "../domain/migration/phase.ts";

/** How one database differs from another. */
export interface Dialect {
  readonly side: Side;
  /** The full name of a table of the records. */
  readonly rowsOf: (table: string) => string;
  /** The full name of a table of the bridge. */
  readonly own: (table: OwnTable) => string;
  /** Ends a SELECT of rows that must not change, or that the transaction changes later. */
  readonly forShare: string;
  readonly forUpdate: string;
  /** Whether a write that shares a commit gets a savepoint; without one, the whole group is refused. */
  readonly hasCheapSavepoints: boolean;
  /** Whether the tables of the records have a column `version`. */
  readonly keepsVersion: boolean;
}

export type OwnTable =
  | "fence"
  | "keys"
  | "versions"
  | "outbox"
  | "inbox"
  | "leases"
  | "backfill"
  | "quarantine"
  | "reconciles";
