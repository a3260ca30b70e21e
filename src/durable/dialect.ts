import type { Side } from "../domain/migration/phase.ts";

/** The differences between SQLite and PostgreSQL that the calls must know. */
export interface Dialect {
  readonly side: Side;
  /** The full name of a table of the records. */
  readonly rowsOf: (table: string) => string;
  /** The full name of a table of the bridge. */
  readonly own: (table: OwnTable) => string;
  /**
   * The clause at the end of a SELECT that locks its rows: `forShare` so that nobody changes them,
   * `forUpdate` because this transaction will change them.
   */
  readonly forShare: string;
  readonly forUpdate: string;
  /**
   * Whether each write of a group with one commit gets a savepoint. Without it, one refused write undoes the
   * group.
   */
  readonly hasCheapSavepoints: boolean;
  /** Whether the tables of the records have a column `version`. */
  readonly keepsVersion: boolean;
  /** Whether the bridge has a table `migrations` beside its common ones. */
  readonly keepsMigrations: boolean;
}

/** The bridge's own tables, which both databases have. */
export const ownTables = [
  "fence",
  "keys",
  "versions",
  "outbox",
  "inbox",
  "leases",
  "backfill",
  "quarantine",
  "reconciles",
  "unstorable",
] as const;

export type OwnTable = (typeof ownTables)[number] | "migrations";
