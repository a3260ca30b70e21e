/** A table, an index or a file that the bridge has created. */
export interface OwnObject {
  readonly kind: "table" | "index" | "file";
  readonly name: string;
  /** The number of rows of a table; otherwise null. */
  readonly rows: number | null;
}

/** The store calls that are needed to leave the bridge. */
export interface LeavingCalls {
  /**
   * Returns the time when this store last acknowledged a write, and the time when the other store last
   * received one; 0 means never.
   */
  lastMove(given: null): { readonly acknowledgedMs: number; readonly settledMs: number };
  /** Returns every table and index that the bridge has created in this database. */
  ownObjects(given: null): readonly OwnObject[];
  /**
   * Removes everything that the bridge has created in this database; the store cannot be used afterwards.
   * Then proves, in the same transaction, that the tables of the records can be read and written: one row of
   * each is read, deleted, inserted, updated and read back, and these changes are rolled back. Removes
   * nothing and throws REFUSED if the proof fails. Returns the number of rows of each of these tables.
   */
  removeBridge(given: {
    /** The key columns of the tables that stay in use. */
    readonly keys: Readonly<Record<string, readonly string[]>>;
  }): Readonly<Record<string, number>>;
}
