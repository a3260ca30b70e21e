import type { RowChange, StoredRow } from "../ports/record-store.ts";
import type { Dialect } from "./dialect.ts";
import { askAll, type Statement, statement, type Work } from "./work.ts";

/** Reads and changes rows of the records, as opposed to those of the bridge. */
export class RowAccess {
  readonly #dialect: Dialect;
  readonly #texts = new Map<string, string>();

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /**
   * Writes the columns of a change, or deletes the row. A new row is inserted; this fails if its key exists.
   */
  *change(change: RowChange, version: number, isNew: boolean): Work<void> {
    yield* this.changeAll([{ change, version, isNew }]);
  }

  /** As `change`, for several rows, in any order. */
  *changeAll(
    rows: readonly { readonly change: RowChange; readonly version: number; readonly isNew: boolean }[],
  ): Work<void> {
    const changed = yield rows.map(({ change, version, isNew }) => this.changing(change, version, isNew));
    const missing = rows.filter(
      ({ change, isNew }, at) => !isNew && change.set !== null && changed[at]?.length === 0,
    );
    if (missing.length > 0) yield missing.map(({ change, version }) => this.changing(change, version, true));
  }

  /** The statement that inserts, deletes or updates a row; an update answers the rows that it found. */
  changing({ table, key, set, initial }: RowChange, version: number, isNew: boolean): Statement {
    const name = this.#dialect.rowsOf(table);
    if (set === null) return statement(`DELETE FROM ${name} WHERE ${whereOf(key)}`, ...Object.values(key));
    const values: StoredRow = this.#dialect.keepsVersion ? { ...set, version } : set;
    const row = isNew ? { ...key, ...initial, ...values } : values;
    const columns = Object.keys(row);
    if (!isNew)
      return statement(
        this.#sql(`UPDATE ${name} ${columns} ${Object.keys(key)}`, () => {
          const sets = columns.map((column) => `"${column}" = ?`);
          return `UPDATE ${name} SET ${sets.join(", ")} WHERE ${whereOf(key)} RETURNING 1 AS updated`;
        }),
        ...Object.values(values),
        ...Object.values(key),
      );
    return statement(
      this.#sql(
        `INSERT ${name} ${columns}`,
        () => `INSERT INTO ${name} (${columns.map((column) => `"${column}"`).join(", ")})
               VALUES (${columns.map(() => "?").join(", ")})`,
      ),
      ...Object.values(row),
    );
  }

  /** Caches the text of a statement. The name must contain everything in which two texts can differ. */
  #sql(name: string, make: () => string): string {
    const known = this.#texts.get(name);
    if (known !== undefined) return known;
    const text = make();
    this.#texts.set(name, text);
    return text;
  }

  /** The row that a change is about. */
  *read(change: RowChange): Work<StoredRow | undefined> {
    const [[row] = []] = yield* askAll(this.reading(change));
    return row;
  }

  /** The statement that reads the row that a change is about. */
  reading({ table, key }: Pick<RowChange, "table" | "key">): Statement {
    const name = this.#dialect.rowsOf(table);
    return statement(
      this.#sql(`SELECT ${name} ${Object.keys(key)}`, () => `SELECT * FROM ${name} WHERE ${whereOf(key)}`),
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
