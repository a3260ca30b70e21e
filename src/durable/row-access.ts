import type { RowChange, StoredRow } from "../ports/record-store.ts";
import type { Dialect } from "./dialect.ts";
import { askAll, type Statement, statement, type Work } from "./work.ts";

/** Reads and changes rows of the records, as opposed to those of the bridge. */
export class RowAccess {
  readonly #dialect: Dialect;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /**
   * Writes the columns of a change, or deletes the row. A new row is inserted; this fails if its key exists.
   */
  *change(change: RowChange, version: number, isNew: boolean): Work<void> {
    const [changed = []] = yield* askAll(this.changing(change, version, isNew));
    if (!isNew && change.set !== null && changed.length === 0)
      yield* askAll(this.changing(change, version, true));
  }

  /** The statement that inserts, deletes or updates a row; an update answers the rows that it found. */
  changing({ table, key, set, initial }: RowChange, version: number, isNew: boolean): Statement {
    const name = this.#dialect.rowsOf(table);
    if (set === null) return statement(`DELETE FROM ${name} WHERE ${whereOf(key)}`, ...Object.values(key));
    const values: StoredRow = this.#dialect.keepsVersion ? { ...set, version } : set;
    if (!isNew) {
      const sets = Object.keys(values).map((column) => `"${column}" = ?`);
      return statement(
        `UPDATE ${name} SET ${sets.join(", ")} WHERE ${whereOf(key)} RETURNING 1 AS updated`,
        ...Object.values(values),
        ...Object.values(key),
      );
    }
    const row = { ...key, ...initial, ...values };
    const columns = Object.keys(row);
    return statement(
      `INSERT INTO ${name} (${columns.map((column) => `"${column}"`).join(", ")})
       VALUES (${columns.map(() => "?").join(", ")})`,
      ...Object.values(row),
    );
  }

  /** The row that a change is about. */
  *read(change: RowChange): Work<StoredRow | undefined> {
    const [[row] = []] = yield* askAll(this.reading(change));
    return row;
  }

  /** The statement that reads the row that a change is about. */
  reading({ table, key }: Pick<RowChange, "table" | "key">): Statement {
    return statement(
      `SELECT * FROM ${this.#dialect.rowsOf(table)} WHERE ${whereOf(key)}`,
      ...Object.values(key),
    );
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
