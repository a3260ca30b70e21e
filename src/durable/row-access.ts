import type { RowChange, StoredRow } from "../ports/record-store.ts";
import type { Dialect } from "./dialect.ts";
import { ask, type Work } from "./work.ts";

/** Reads and changes rows of the records, as opposed to those of the bridge. */
export class RowAccess {
  readonly #dialect: Dialect;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Writes the columns of a change, or deletes the row. A new row is inserted; a key that is taken refuses it. */
  *change({ table, key, set, initial }: RowChange, version: number, isNew: boolean): Work<void> {
    const name = this.#dialect.rowsOf(table);
    if (set === null) {
      yield* ask(`DELETE FROM ${name} WHERE ${whereOf(key)}`, ...Object.values(key));
      return;
    }
    const values: StoredRow = this.#dialect.keepsVersion ? { ...set, version } : set;
    if (!isNew) {
      const sets = Object.keys(values).map((column) => `"${column}" = ?`);
      const updated = yield* ask(
        `UPDATE ${name} SET ${sets.join(", ")} WHERE ${whereOf(key)} RETURNING 1 AS updated`,
        ...Object.values(values),
        ...Object.values(key),
      );
      if (updated.length > 0) return;
    }
    const row = { ...key, ...initial, ...values };
    const columns = Object.keys(row);
    yield* ask(
      `INSERT INTO ${name} (${columns.map((column) => `"${column}"`).join(", ")})
       VALUES (${columns.map(() => "?").join(", ")})`,
      ...Object.values(row),
    );
  }

  /** The row that a change is about. */
  *read({ table, key }: RowChange): Work<StoredRow | undefined> {
    const [row] = yield* ask(
      `SELECT * FROM ${this.#dialect.rowsOf(table)} WHERE ${whereOf(key)}`,
      ...Object.values(key),
    );
    return row;
  }
}

/** Whether a row holds the columns that were written; null stands for no row. */
export const holds = (row: StoredRow | undefined, written: StoredRow | null): boolean =>
  written === null || row === undefined
    ? written === null && row === undefined
    : Object.entries(written).every(([column, value]) => row[column] === value);

const whereOf = (key: StoredRow): string =>
  Object.keys(key)
    .map((column) => `"${column}" = ?`)
    .join(" AND ");
