import type { RowChange, StoredRow } from "../ports/record-store.ts";
import type { Dialect } from "./dialect.ts";
import { askAll, type Statement, statement, type Work } from "./work.ts";

interface Text {
  readonly columns: readonly string[];
  readonly keys: readonly string[];
  readonly sql: string;
}

/** Reads and changes the rows of records. Other modules read and write the bridge's own tables. */
export class RowAccess {
  readonly #dialect: Dialect;
  readonly #last: Readonly<Record<Verb, Map<string, Text>>> = {
    SELECT: new Map(),
    DELETE: new Map(),
    UPDATE: new Map(),
    INSERT: new Map(),
    ADD: new Map(),
  };

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /**
   * Writes the columns of a change, or deletes the row. If `isNew`, the row is inserted, and the insert fails
   * if its key exists. Otherwise the row is updated, or inserted if it is missing.
   */
  *change(change: RowChange, version: number, isNew: boolean): Work<void> {
    yield* this.changeAll([{ change, version, isNew }]);
  }

  /** Like `change`, for several rows. Their order does not matter. */
  *changeAll(
    rows: readonly { readonly change: RowChange; readonly version: number; readonly isNew: boolean }[],
  ): Work<void> {
    const changed = yield rows.map(({ change, version, isNew }) => this.changing(change, version, isNew));
    const missing = rows.filter(
      ({ change, isNew }, at) => !isNew && change.set !== null && changed[at]?.length === 0,
    );
    if (missing.length > 0) yield missing.map(({ change, version }) => this.changing(change, version, true));
  }

  /**
   * Returns the statement that inserts, deletes or updates a row; an update returns a row only if it found
   * one.
   */
  changing({ table, key, set, initial }: RowChange, version: number, isNew: boolean): Statement {
    const keys = Object.keys(key);
    if (set === null) return statement(this.#sql("DELETE", table, [], keys), ...Object.values(key));
    const values: StoredRow = this.#dialect.keepsVersion ? { ...set, version } : set;
    if (!isNew) {
      const sql = this.#sql("UPDATE", table, Object.keys(values), keys);
      return statement(sql, ...Object.values(values), ...Object.values(key));
    }
    return this.#inserting("INSERT", table, { ...key, ...initial, ...values });
  }

  /**
   * The statement that inserts a row at version 0 unless its key exists; its result shows whether the row was
   * inserted.
   */
  adding({ table, key, set, initial }: RowChange): Statement {
    const version = this.#dialect.keepsVersion ? { version: 0 } : {};
    return this.#inserting("ADD", table, { ...key, ...initial, ...set, ...version });
  }

  #inserting(verb: "INSERT" | "ADD", table: string, row: StoredRow): Statement {
    return statement(this.#sql(verb, table, Object.keys(row), []), ...Object.values(row));
  }

  /** Reads the row that a change is about. */
  *read(change: RowChange): Work<StoredRow | undefined> {
    const [row] = yield* this.readAll(change);
    return row;
  }

  /** Reads the rows that a change is about; there can be several only in a table without a unique key. */
  *readAll(change: RowChange): Work<readonly StoredRow[]> {
    const [rows = []] = yield* askAll(this.reading(change));
    return rows;
  }

  /** Returns the statement that reads the row that a change is about. */
  reading({ table, key }: Pick<RowChange, "table" | "key">): Statement {
    return statement(this.#sql("SELECT", table, [], Object.keys(key)), ...Object.values(key));
  }

  /**
   * Returns the text of a statement. The last text of each table is cached, because most rows of a table need
   * the same one.
   */
  #sql(verb: Verb, table: string, columns: readonly string[], keys: readonly string[]): string {
    const known = this.#last[verb].get(table);
    if (known !== undefined && areEqual(known.columns, columns) && areEqual(known.keys, keys))
      return known.sql;
    const sql = texts[verb](this.#dialect.rowsOf(table), columns, keys);
    this.#last[verb].set(table, { columns, keys, sql });
    return sql;
  }
}

const inserted = (table: string, columns: readonly string[]): string =>
  `INSERT INTO ${table} (${columns.map((column) => `"${column}"`).join(", ")})
   VALUES (${columns.map(() => "?").join(", ")})`;

const texts = {
  SELECT: (table, _, keys) => `SELECT * FROM ${table} WHERE ${equal(keys).join(" AND ")}`,
  DELETE: (table, _, keys) => `DELETE FROM ${table} WHERE ${equal(keys).join(" AND ")}`,
  UPDATE: (table, columns, keys) =>
    `UPDATE ${table} SET ${equal(columns).join(", ")} WHERE ${equal(keys).join(" AND ")}`,
  INSERT: inserted,
  ADD: (table, columns) => `${inserted(table, columns)} ON CONFLICT DO NOTHING`,
} satisfies Record<string, (table: string, columns: readonly string[], keys: readonly string[]) => string>;

type Verb = keyof typeof texts;

const equal = (columns: readonly string[]): string[] => columns.map((column) => `"${column}" = ?`);

const areEqual = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((column, at) => b[at] === column);

/** Whether a row holds the columns that were written; null means that there is no row. */
export const holds = (row: StoredRow | undefined, written: StoredRow | null): boolean =>
  written === null || row === undefined
    ? written === null && row === undefined
    : Object.keys(written).every((column) => row[column] === written[column]);
