/**
 * Reads the stores of the pair for reconcile, on read-only connections of its own, in short reads. A table
 * that has no index by the key is copied once into a temporary table that has one.
 */

import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import { BridgeError, codeOf, messageOf } from "../../base/errors.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { imagesOf } from "../../durable/row-images.ts";
import type {
  Cell,
  Cells,
  KeyRange,
  OutboxLook,
  RangeFilter,
  ReadTable,
  StoreReader,
} from "../../ports/reconcile.ts";
import { besideFiles } from "./beside.ts";

/** The longest wait for the lock of a writer. */
const busyMsMax = 5_000;
/** The number of rows that one read copies. */
const copyRows = 20_000;
/** The largest number of entries of an outbox that one read returns. */
const entriesMax = 10_000;
/** The number of keys that one statement looks up. */
const keysMax = 500;

export class SqliteReader implements StoreReader {
  readonly #path: string;
  readonly #side: Side;
  readonly #database: Database.Database;
  readonly #tables = new Map<string, string>();
  readonly #statements = new Map<string, Database.Statement<Cell[]>>();

  /** Throws BAD_DATABASE if the file cannot be read as a database. */
  constructor(path: string, side: Side, { isBeside = false } = {}) {
    this.#path = path;
    this.#side = side;
    this.#database = openReadOnly(path);
    const { tables } = besideFiles(path);
    if (isBeside && existsSync(tables))
      translated(tables, () => this.#database.prepare("ATTACH ? AS beside").run(tables));
  }

  async authority(): Promise<Side | null> {
    if (!this.#has("pnlb_fence")) return null;
    const [row] = this.#all("SELECT authority FROM pnlb_fence");
    return row?.authority === "modern" ? "modern" : "legacy";
  }

  async outbox(since: number | null): Promise<OutboxLook> {
    const [top] = this.#all("SELECT coalesce(max(seq), 0) AS last FROM pnlb_outbox");
    const entries = this.#all(
      `SELECT seq, rows, state, code FROM pnlb_outbox WHERE state <> 'done'
       UNION ALL SELECT seq, rows, state, code FROM pnlb_outbox WHERE seq > ? AND state = 'done' LIMIT ${entriesMax}`,
      BigInt(since ?? Number.MAX_SAFE_INTEGER),
    );
    const last = Number(top?.last);
    return {
      isCut: entries.length === entriesMax,
      last,
      // SQLite has one writer at a time, so the numbers are in the order of the commits.
      mark: last,
      entries: entries.map(({ seq, rows, state, code }) => ({
        seq: Number(seq),
        isPending: state === "pending",
        code: state === "parked" ? String(code) : null,
        images: imagesOf(String(rows)),
      })),
    };
  }

  async reviewed(): ReturnType<StoreReader["reviewed"]> {
    if (!this.#has("pnlb_quarantine")) return new Map();
    const rows = this.#all('SELECT key, code, settled_as AS "as" FROM pnlb_quarantine');
    return new Map(
      rows.map(({ key, code, as }) => [String(key), { code: String(code), isAccepted: as === "accepted" }]),
    );
  }

  async keyAfter(table: ReadTable, after: string | null, count: number): Promise<string | null> {
    const key = `"${table.key}"`;
    const [row] = this.#all(
      `SELECT ${key} AS key FROM ${this.#indexed(table)} ${after === null ? "" : `WHERE ${key} > ?`}
       ORDER BY ${key} LIMIT 1 OFFSET ${count - 1}`,
      ...(after === null ? [] : [after]),
    );
    // A key that is not text sorts before or after all texts, so it ends no range.
    return typeof row?.key === "string" ? row.key : null;
  }

  async rows(table: ReadTable, range: KeyRange): Promise<readonly Cells[]> {
    const { where, values } = rangeOf(`"${table.key}"`, range);
    const select = `SELECT ${columnsOf(table)} FROM ${this.#indexed(table)} WHERE`;
    // One condition for both parts, with OR, would read the whole table.
    const withNull = isFirst(range) ? ` UNION ALL ${select} "${table.key}" IS NULL` : "";
    return this.#all(`${select} ${where}${withNull}`, ...values);
  }

  async rowsOf(table: ReadTable, keys: readonly Cell[]): Promise<readonly Cells[]> {
    const found: Cells[] = [];
    for (let from = 0; from < keys.length; from += keysMax) {
      const some = keys.slice(from, from + keysMax);
      found.push(
        ...this.#all(
          `SELECT ${columnsOf(table)} FROM ${this.#name(table)}
           WHERE "${table.key}" IN (${some.map(() => "?").join(", ")}) OR ("${table.key}" IS NULL AND ?)`,
          ...some,
          some.includes(null) ? 1n : 0n,
        ),
      );
    }
    return found;
  }

  async highestRow(table: ReadTable): Promise<number> {
    const [row] = this.#all(`SELECT max(_rowid_) AS last FROM ${this.#name(table)}`);
    return Number(row?.last ?? 0);
  }

  async newRowsReadTo({ table }: ReadTable): Promise<number | null> {
    if (!this.#has("pnlb_backfill")) return null;
    const [row] = this.#all(
      "SELECT max(next) AS next FROM pnlb_backfill WHERE pass <> 'all_rows' AND source = ?",
      table,
    );
    return row?.next == null ? null : Number(row.next);
  }

  async isUnique(table: ReadTable, columns: readonly string[]): Promise<boolean> {
    const wanted = [...columns].sort().join();
    return this.#indexes(table).some(({ unique, names }) => unique && [...names].sort().join() === wanted);
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #name({ table }: ReadTable): string {
    return this.#side === "modern" ? `newpnl_${table}` : table;
  }

  /** The table, or a copy of it that is indexed by the key. */
  #indexed(table: ReadTable): string {
    const known = this.#tables.get(table.table);
    if (known !== undefined) return known;
    this.#mustHave(table);
    const isIndexed = this.#indexes(table).some(({ names }) => names[0] === table.key);
    const name = isIndexed ? this.#name(table) : this.#copied(table);
    this.#tables.set(table.table, name);
    return name;
  }

  #copied(table: ReadTable): string {
    const copy = `temp."pnlb_copy_${table.table}"`;
    const database = this.#database;
    database.exec(`CREATE TABLE ${copy} (${columnsOf(table)})`);
    const [{ sql } = { sql: "" }] = this.#all(
      "SELECT sql FROM sqlite_schema WHERE name = ?",
      this.#name(table),
    );
    if (/WITHOUT ROWID/i.test(String(sql)))
      database.exec(`INSERT INTO ${copy} SELECT ${columnsOf(table)} FROM ${this.#name(table)}`);
    else
      for (let after: Cell = -(2n ** 63n); after !== null; ) {
        const [end]: readonly Cells[] = this.#all(
          `SELECT max(id) AS id FROM (SELECT rowid AS id FROM ${this.#name(table)} WHERE rowid > ?
           ORDER BY rowid LIMIT ${copyRows})`,
          after,
        );
        const upTo: Cell = end?.id ?? null;
        if (upTo !== null)
          database
            .prepare<Cell[]>(
              `INSERT INTO ${copy} SELECT ${columnsOf(table)} FROM ${this.#name(table)} WHERE rowid > ? AND rowid <= ?`,
            )
            .run(after, upTo);
        after = upTo;
      }
    database.exec(
      `CREATE INDEX temp."pnlb_by_${table.table}" ON "pnlb_copy_${table.table}" ("${table.key}")`,
    );
    return copy;
  }

  #mustHave(table: ReadTable): void {
    const there = new Set(
      this.#all("SELECT name FROM pragma_table_info(?)", this.#name(table)).map(({ name }) => name),
    );
    const missing = table.columns.filter((column) => !there.has(column));
    if (missing.length === 0) return;
    throw new BridgeError("BAD_DATABASE", {
      what:
        there.size === 0
          ? `${this.#side}'s database has no table ${this.#name(table)}`
          : `the table ${this.#name(table)} of ${this.#side}'s database lacks ${missing.join(", ")}`,
      where: this.#path,
      fix:
        this.#side === "modern"
          ? "create the tables: pnl-bridge db init"
          : "name the desk's database, or leave this kind of rows out with --kinds",
    });
  }

  #has(table: string): boolean {
    return this.#all("SELECT 1 FROM pragma_table_list(?)", table).length > 0;
  }

  #indexes(table: ReadTable): readonly { readonly unique: boolean; readonly names: readonly string[] }[] {
    return this.#all(
      `SELECT name, "unique" AS is_unique FROM pragma_index_list(?) WHERE partial = 0`,
      this.#name(table),
    ).map(({ name, is_unique }) => ({
      unique: is_unique === 1n,
      names: this.#all(
        "SELECT name, coll FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno",
        name ?? null,
      ).map((column) => (column.coll === "BINARY" ? String(column.name) : "")),
    }));
  }

  #all(sql: string, ...values: readonly Cell[]): readonly Cells[] {
    return translated(this.#path, () => {
      let statement = this.#statements.get(sql);
      if (statement === undefined) {
        statement = this.#database.prepare<Cell[]>(sql);
        this.#statements.set(sql, statement);
      }
      return statement.all(...values) as Cells[];
    });
  }
}

/**
 * Compares daily rows of two SQLite files in one query over both. Legacy's points, times the multiplier, are
 * compared with modern's money up to the last two bits of a double; rows that differ by more are judged
 * exactly afterwards. Legacy's rows must have a unique key, else a row of modern would count more than once.
 */
export class AttachedDaily implements RangeFilter {
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Database.Statement<Cell[]>>();
  readonly #legacyPath: string;
  readonly #known = new Map<string, string>();
  /** Symbols that are not in the table of known symbols yet. */
  #learned: (readonly [symbol: string, book: string, multiplier: number])[] = [];

  constructor(legacyPath: string, modernPath: string) {
    this.#legacyPath = legacyPath;
    this.#database = openReadOnly(legacyPath);
    this.#database.prepare("ATTACH ? AS modern").run(modernPath);
    // The table fits into one page, so that a look-up costs little.
    this.#database.pragma("temp.page_size = 65536");
    this.#database.exec(
      "CREATE TABLE temp.known (symbol TEXT PRIMARY KEY, book TEXT NOT NULL, multiplier REAL NOT NULL) WITHOUT ROWID",
    );
  }

  learn(symbol: string, book: string, multiplier: string): void {
    const fact = `${multiplier} ${book}`;
    if (this.#known.get(symbol) === fact) return;
    this.#known.set(symbol, fact);
    this.#learned.push([symbol, book, Number(multiplier)]);
  }

  #storeLearned(): void {
    if (this.#learned.length === 0) return;
    const insert = this.#database.prepare("INSERT OR REPLACE INTO temp.known VALUES (?, ?, ?)");
    this.#database.transaction(() => {
      for (const fact of this.#learned) insert.run(...fact);
    })();
    this.#learned = [];
  }

  async look(range: KeyRange): Promise<{ readonly rows: number; readonly areEqual: boolean }> {
    const { sql, values } = this.query(range);
    return translated(this.#legacyPath, () => {
      this.#storeLearned();
      let statement = this.#statements.get(sql);
      if (statement === undefined) {
        statement = this.#database.prepare<Cell[]>(sql);
        this.#statements.set(sql, statement);
      }
      const { legacy, modern, equal } = statement.get(...values) as Record<string, bigint>;
      return { rows: Number(legacy), areEqual: legacy === modern && modern === equal };
    });
  }

  /** The statement that compares a range. Tests explain its plan. */
  query(range: KeyRange): { readonly sql: string; readonly values: readonly Cell[] } {
    const legacy = rangeOf("l.trade_date", range);
    const modern = rangeOf("m.trading_day", range);
    const same = (a: string, b: string, size: string): string =>
      `(${a} = ${b} OR abs(${a} - (${b})) <= 4.5e-16 * ${size})`;
    const points = (column: string, money: string): string =>
      same(`l.${column} * k.multiplier`, money, `abs(${money})`);
    const parts = ["l.realized_pnl", "l.unrealized_pnl"] as const;
    const withNull = isFirst(range) ? "+ (SELECT count(*) FROM main.eod_pnl WHERE trade_date IS NULL)" : "";
    return {
      sql: `SELECT count(*) AS modern, count(l.trade_date) AS equal,
          (SELECT count(*) FROM main.eod_pnl AS l WHERE ${legacy.where}) ${withNull} AS legacy
        FROM modern.newpnl_daily AS m
        LEFT JOIN temp.known AS k ON k.symbol = m.symbol AND k.book = m.book
        LEFT JOIN main.eod_pnl AS l ON ${this.#isText("trade_date", "m.trading_day")}
          AND ${this.#isText("instrument_name", "m.symbol")} AND l.closing_position = m.quantity
          AND ${points("realized_pnl", "CAST(m.realized AS REAL)")}
          AND ${points("unrealized_pnl", "CAST(coalesce(m.unrealized, '0') AS REAL)")}
          AND ${same("l.total_pnl", parts.join(" + "), `(abs(${parts[0]}) + abs(${parts[1]}))`)}
        WHERE ${modern.where}`,
      values: [...legacy.values, ...modern.values],
    };
  }

  /** The plan of the statement, a line for each step. */
  plan(range: KeyRange): readonly string[] {
    const { sql, values } = this.query(range);
    const steps = this.#database.prepare<Cell[]>(`EXPLAIN QUERY PLAN ${sql}`).all(...values) as Cells[];
    return steps.map(({ detail }) => String(detail));
  }

  close(): void {
    this.#database.close();
  }

  /**
   * The condition that a column of legacy holds the text of a column of modern. The unary plus keeps SQLite
   * from converting legacy's values, so that it can use an index. For a column that is not declared as text,
   * SQLite may convert modern's text to a number. Numbers sort before every text, so `>= ''` excludes them.
   */
  #isText(column: string, modern: string): string {
    const isEqual = `l.${column} = +${modern}`;
    return this.#isDeclaredText(column) ? isEqual : `${isEqual} AND l.${column} >= ''`;
  }

  #isDeclaredText(column: string): boolean {
    const [row] = this.#database
      .prepare<Cell[]>("SELECT type FROM pragma_table_info('eod_pnl') WHERE name = ?")
      .all(column) as Cells[];
    return /CHAR|CLOB|TEXT/i.test(String(row?.type));
  }
}

function openReadOnly(path: string): Database.Database {
  return translated(path, () => {
    const database = new Database(path, { readonly: true, timeout: busyMsMax });
    database.defaultSafeIntegers();
    // Temporary tables are kept in files, so that memory stays bounded.
    database.pragma("temp_store = FILE");
    return database;
  });
}

/** Runs work on a file. Failures of SQLite become DATABASE_BUSY and BAD_DATABASE. */
export function translated<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const code = codeOf(cause);
    if (!code.startsWith("SQLITE")) throw cause;
    if (/^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(code))
      throw new BridgeError("DATABASE_BUSY", {
        what: "another process keeps the database locked",
        where: path,
        fix: "end the transaction that holds the lock",
        cause,
      });
    throw new BridgeError("BAD_DATABASE", {
      what: `the database cannot be read: ${messageOf(cause)}`,
      where: path,
      fix: "check the path, the rights and the file",
      cause,
    });
  }
}

const columnsOf = ({ columns }: ReadTable): string => columns.map((column) => `"${column}"`).join(", ");

/** Whether a range also has the rows whose key is NULL, which `rangeOf` leaves out. */
const isFirst = ({ after, upTo }: KeyRange): boolean => after === null && upTo !== null;

function rangeOf(
  key: string,
  { after, upTo }: KeyRange,
): { readonly where: string; readonly values: readonly Cell[] } {
  const parts = [after === null ? [] : [`${key} > ?`], upTo === null ? [] : [`${key} <= ?`]].flat();
  return {
    where: parts.length === 0 ? "1" : parts.join(" AND "),
    values: [after, upTo].filter((value) => value !== null),
  };
}
