/** A table or an index that the bridge has put into a database. */
export interface OwnObject {
  readonly kind: "table" | "index" | "file";
  readonly name: string;
  /** The rows of a table; null for an index. */
  readonly rows: number | null;
}

/** What leaving the bridge asks of both stores. */
export interface LeavingCalls {
  /** When the last write was acknowledged here, and when the other store got the last one; 0 for never. */
  lastMove(given: null): { readonly acknowledgedMs: number; readonly settledMs: number };
  /** Everything that the bridge has put into this database. */
  ownObjects(given: null): readonly OwnObject[];
  /**
   * Removes everything that the bridge has put into this database; the store cannot be used afterwards. Then
   * proves, in the same transaction, that the tables of the records can be read and written: one row of each
   * is read, deleted, inserted, updated and read back, and these changes are rolled back. Removes nothing and
   * throws REFUSED if the proof fails. Answers how many rows each of these tables has.
   */
  removeBridge(given: {
    /** The key columns of the tables that stay in use. */
    readonly keys: Readonly<Record<string, readonly string[]>>;
  }): Readonly<Record<string, number>>;
}
