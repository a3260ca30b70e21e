/**
 * Reads the legacy desk's own `pnl_tracker.db`, also while the desk is writing it, and changes nothing there.
 */
import type Database from "better-sqlite3";
import { formatDecimal, parseDecimal } from "../../base/decimal.ts";
import { badDatabase, readSnapshot } from "./snapshot.ts";

/**
 * One consistent state of the desk's database. Values are text as they were stored: a float as its shortest decimal text, a whole
 * number with all its digits, `awaiting data` as it came, a blob as `x'…'`; NULL, and a column that is not there, are null.
 */
export interface LegacyDatabase {
  /** In the order in which the desk stored them. */
  readonly trades: readonly StoredTrade[];
  readonly positions: readonly Row<"positions">[];
  readonly endOfDay: readonly Row<"eod_pnl">[];
  /** Of each instrument the one that was stored last. */
  readonly snapshots: readonly Row<"pnl_snapshots">[];
  /** Those of type EOD, in letters of any case. */
  readonly positionSnapshots: readonly Row<"position_snapshots">[];
  /** Types of position snapshots that are neither EOD nor SOD, and how many rows each has. */
  readonly otherSnapshots: ReadonlyMap<string, number>;
  /** Tables that have the columns which their rows need; the others give no rows. */
  readonly tables: ReadonlySet<LegacyTable>;
  /** Without `columns` the whole table is missing. A table that lacks a needed column gives no rows. */
  readonly missing: readonly Missing[];
}

interface Missing {
  readonly table: string;
  readonly columns?: readonly string[];
}

interface ReadOptions {
  /** How long a database that keeps changing is tried again. */
  readonly waitMsMax: number;
  /** A table with more rows is refused. */
  readonly rowsMax: number;
}

const readDefaults: ReadOptions = Object.freeze({ waitMsMax: 10_000, rowsMax: 5_000_000 });

/**
 * Throws UNREADABLE (no such file), BAD_DATABASE (no SQLite, empty, encrypted, damaged, too large; or without the table of trades or
 * one of its needed columns: then all that is missing is listed), DATABASE_BUSY (kept changing), UNWRITABLE (no room for a copy).
 * This process must not have the file open in SQLite.
 */
export function readLegacyDatabase(path: string, given: Partial<ReadOptions> = {}): Promise<LegacyDatabase> {
  const { waitMsMax, rowsMax } = { ...readDefaults, ...given };
  return readSnapshot(path, (database) => new Reader(database, path, rowsMax).read(), { waitMsMax });
}

/** By field, the desk's column; without the needed ones a row of the table says nothing. */
interface Shape {
  readonly needed: Readonly<Record<string, string>>;
  readonly further: Readonly<Record<string, string>>;
}

const shapes = {
  processed_trades: {
    needed: {
      tradeId: "trade_id",
      instrumentName: "instrument_name",
      tradeTimestamp: "trade_timestamp",
      quantity: "quantity",
      price: "price",
      side: "side",
    },
    further: { tradeDate: "trade_date", sourceFile: "source_file" },
  },
  positions: {
    needed: { instrumentName: "instrument_name" },
    further: {
      positionQuantity: "position_quantity",
      avgCost: "avg_cost",
      totalRealizedPnl: "total_realized_pnl",
      unrealizedPnl: "unrealized_pnl",
      closedQuantity: "closed_quantity",
      lastMarketPrice: "last_market_price",
      lastTradeId: "last_trade_id",
      lastUpdated: "last_updated",
    },
  },
  eod_pnl: {
    needed: { tradeDate: "trade_date", instrumentName: "instrument_name" },
    further: {
      closingPosition: "closing_position",
      tradesCount: "trades_count",
      realizedPnl: "realized_pnl",
      unrealizedPnl: "unrealized_pnl",
      totalPnl: "total_pnl",
    },
  },
  pnl_snapshots: {
    needed: { instrumentName: "instrument_name" },
    further: {
      snapshotTimestamp: "snapshot_timestamp",
      position: "position",
      avgCost: "avg_cost",
      marketPrice: "market_price",
      realizedPnl: "realized_pnl",
      unrealizedPnl: "unrealized_pnl",
      totalPnl: "total_pnl",
    },
  },
  position_snapshots: {
    needed: { snapshotType: "snapshot_type", snapshotTimestamp: "snapshot_timestamp", instrumentName: "instrument_name" },
    further: {
      positionQuantity: "position_quantity",
      avgCost: "avg_cost",
      totalRealizedPnl: "total_realized_pnl",
      unrealizedPnl: "unrealized_pnl",
      marketPrice: "market_price",
    },
  },
} as const satisfies Record<string, Shape>;

export type LegacyTable = keyof typeof shapes;
const legacyTables = Object.keys(shapes).filter((table): table is LegacyTable => table in shapes);
type Field<T extends LegacyTable> = keyof (typeof shapes)[T]["needed"] | keyof (typeof shapes)[T]["further"];
/** `rowid` is null where the table has none (a view). */
type Row<T extends LegacyTable> = { readonly [field in Field<T> | "rowid"]: string | null };

export type StoredTrade = Row<"processed_trades">;

class Reader {
  readonly #database: Database.Database;
  readonly #path: string;
  readonly #rowsMax: number;
  readonly #missing: Missing[] = [];
  /** Lower-case names of the columns that are there, by table: SQLite does not tell cases apart, and the desk's versions drift. */
  readonly #columns = new Map<LegacyTable, ReadonlySet<string>>();

  constructor(database: Database.Database, path: string, rowsMax: number) {
    this.#database = database;
    this.#path = path;
    this.#rowsMax = rowsMax;
    for (const table of legacyTables) this.#survey(table);
  }

  read(): LegacyDatabase {
    if (!this.#usable("processed_trades"))
      throw badDatabase(this.#path, `the database lacks ${this.#missing.map(named).join("; ")}`);
    const latest = new Map<string | null, Row<"pnl_snapshots">>();
    for (const row of this.#rows("pnl_snapshots")) latest.set(row.instrumentName?.trim() ?? null, row);
    const positionSnapshots: Row<"position_snapshots">[] = [];
    const otherSnapshots = new Map<string, number>();
    for (const row of this.#rows("position_snapshots")) {
      const type = row.snapshotType?.trim().toUpperCase() ?? "NULL";
      if (type === "EOD") positionSnapshots.push(row);
      else if (type !== "SOD") otherSnapshots.set(type, (otherSnapshots.get(type) ?? 0) + 1);
    }
    return {
      trades: [...this.#rows("processed_trades")],
      positions: [...this.#rows("positions")],
      endOfDay: [...this.#rows("eod_pnl")],
      snapshots: [...latest.values()],
      positionSnapshots,
      otherSnapshots,
      tables: new Set(legacyTables.filter((table) => this.#usable(table))),
      missing: this.#missing,
    };
  }

  #survey(table: LegacyTable): void {
    const found = this.#database.prepare<[string], string>("SELECT lower(name) FROM pragma_table_xinfo(?)").pluck().all(table);
    if (found.length === 0) {
      this.#missing.push({ table });
      return;
    }
    this.#columns.set(table, new Set(found));
    const { needed, further } = shapes[table];
    const columns = [...Object.values(needed), ...Object.values(further)].filter((column) => !found.includes(column));
    if (columns.length > 0) this.#missing.push({ table, columns });
  }

  #usable(table: LegacyTable): boolean {
    const there = this.#columns.get(table);
    return there !== undefined && Object.values(shapes[table].needed).every((column) => there.has(column));
  }

  /** In the order of the rowid, which is that of storing. */
  *#rows<T extends LegacyTable>(table: T): Generator<Row<T>> {
    if (!this.#usable(table)) return;
    const { needed, further }: Shape = shapes[table];
    const wanted = Object.entries({ ...needed, ...further });
    const there = this.#columns.get(table);
    const ordered = this.#hasRowid(table);
    const values = [ordered ? "rowid" : "NULL", ...wanted.map(([, column]) => (there?.has(column) ? `"${column}"` : "NULL"))];
    const statement = this.#database.prepare<[], unknown[]>(
      `SELECT ${values.join(", ")} FROM "${table}" ${ordered ? "ORDER BY rowid" : ""}`,
    );
    const fields = ["rowid", ...wanted.map(([field]) => field)];
    let count = 0;
    for (const cells of statement.raw(true).safeIntegers(true).iterate()) {
      count += 1;
      if (count > this.#rowsMax) throw badDatabase(this.#path, `${table} has more than ${this.#rowsMax} rows`);
      yield Object.fromEntries(fields.map((field, index) => [field, textOf(cells[index])])) as Row<T>;
    }
  }

  #hasRowid(table: LegacyTable): boolean {
    const kind = this.#database.prepare<[string], { type: string; wr: number }>(
      "SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'",
    );
    const { type, wr } = kind.get(table) ?? { type: "", wr: 1 };
    return type === "table" && wr === 0;
  }
}

const named = ({ table, columns }: Missing): string => (columns === undefined ? table : `${table} (${columns.join(", ")})`);

/** Longer blobs are cut: a person shall see that there is one, nobody calculates with it. */
const blobBytesMax = 64;

/** A cell as text. A float becomes the shortest decimal that reads back as the same float, without exponent. */
function textOf(cell: unknown): string | null {
  if (cell === null || cell === undefined) return null;
  if (Buffer.isBuffer(cell))
    return `x'${cell.subarray(0, blobBytesMax).toString("hex")}${cell.length > blobBytesMax ? "…" : ""}'`;
  if (typeof cell !== "number") return String(cell);
  const decimal = parseDecimal(String(cell));
  // An infinity, which SQLite can store, stays a word.
  return decimal === undefined ? String(cell) : formatDecimal(decimal);
}
