/** Reads the legacy desk's own `pnl_tracker.db` without changing it, also while the desk writes to it. */
import Database from "better-sqlite3";
import { formatDecimal, parseDecimal } from "../../base/decimal.ts";
import { badDatabase, readSnapshot } from "./snapshot.ts";

/**
 * One consistent state of the desk's database. Values are the stored ones as text: a float as its shortest
 * decimal text, a whole number with all its digits, a text such as `awaiting data` unchanged, a blob as
 * `x'…'`. NULL and a missing column are null.
 */
export interface LegacyDatabase {
  /** In the order in which the desk stored them. */
  readonly trades: readonly StoredTrade[];
  readonly positions: readonly Row<"positions">[];
  readonly endOfDay: readonly Row<"eod_pnl">[];
  /** The last stored snapshot of each instrument. */
  readonly snapshots: readonly Row<"pnl_snapshots">[];
  /** The snapshots of type EOD, upper or lower case. */
  readonly positionSnapshots: readonly Row<"position_snapshots">[];
  /** Number of rows by type, for position snapshots that are neither EOD nor SOD. */
  readonly otherSnapshots: ReadonlyMap<string, number>;
  /** Tables that have all needed columns; the others give no rows. */
  readonly tables: ReadonlySet<LegacyTable>;
  /** Missing tables and columns. An entry without `columns` means that the whole table is missing. */
  readonly missing: readonly Missing[];
}

interface Missing {
  readonly table: string;
  readonly columns?: readonly string[];
}

interface ReadOptions {
  /** How long to retry while the database keeps changing. */
  readonly waitMsMax: number;
  /** A table with more rows is refused. */
  readonly rowsMax: number;
}

const readDefaults: ReadOptions = Object.freeze({ waitMsMax: 10_000, rowsMax: 5_000_000 });

/**
 * Reads the whole database. Throws UNREADABLE (no such file), BAD_DATABASE (not SQLite, empty, encrypted,
 * damaged or too large; or without the table of trades or one of its needed columns, in which case the
 * message lists everything that is missing), DATABASE_BUSY (the database kept changing), UNWRITABLE (no space
 * for a copy). This process must not have the file open in SQLite.
 */
export function readLegacyDatabase(path: string, given: Partial<ReadOptions> = {}): Promise<LegacyDatabase> {
  const { waitMsMax, rowsMax } = { ...readDefaults, ...given };
  return readSnapshot(path, (database) => new Reader(database, path, rowsMax).read(), { waitMsMax });
}

/**
 * Whether the desk's database holds a trade; undefined if that is not known now (locked, or no such table).
 * Reads one row, and holds a lock only while it reads.
 */
export function hasLegacyTrades(path: string): boolean | undefined {
  let database: Database.Database | undefined;
  try {
    database = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
    return database.prepare("SELECT 1 FROM processed_trades LIMIT 1").get() !== undefined;
  } catch {
    return undefined;
  } finally {
    database?.close();
  }
}

/** The desk's column for each field. A row is useless without the needed columns. */
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
    needed: {
      snapshotType: "snapshot_type",
      snapshotTimestamp: "snapshot_timestamp",
      instrumentName: "instrument_name",
    },
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
  /**
   * Existing columns by table, in lower case: SQLite ignores the case of names, and it varies between
   * versions of the desk.
   */
  readonly #columns = new Map<LegacyTable, ReadonlySet<string>>();

  constructor(database: Database.Database, path: string, rowsMax: number) {
    this.#database = database;
    this.#path = path;
    this.#rowsMax = rowsMax;
    for (const table of legacyTables) this.#readColumns(table);
  }

  read(): LegacyDatabase {
    if (!this.#isUsable("processed_trades"))
      throw badDatabase(this.#path, `the database lacks ${this.#missing.map(missingText).join("; ")}`);
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
      tables: new Set(legacyTables.filter((table) => this.#isUsable(table))),
      missing: this.#missing,
    };
  }

  #readColumns(table: LegacyTable): void {
    const found = this.#database
      .prepare<[string], string>("SELECT lower(name) FROM pragma_table_xinfo(?)")
      .pluck()
      .all(table);
    if (found.length === 0) {
      this.#missing.push({ table });
      return;
    }
    this.#columns.set(table, new Set(found));
    const { needed, further } = shapes[table];
    const columns = [...Object.values(needed), ...Object.values(further)].filter(
      (column) => !found.includes(column),
    );
    if (columns.length > 0) this.#missing.push({ table, columns });
  }

  #isUsable(table: LegacyTable): boolean {
    const existing = this.#columns.get(table);
    return (
      existing !== undefined && Object.values(shapes[table].needed).every((column) => existing.has(column))
    );
  }

  /** Yields the rows by rowid, which is the order of storing. */
  *#rows<T extends LegacyTable>(table: T): Generator<Row<T>> {
    if (!this.#isUsable(table)) return;
    const { needed, further }: Shape = shapes[table];
    const wanted = Object.entries({ ...needed, ...further });
    const existing = this.#columns.get(table);
    const hasRowid = this.#hasRowid(table);
    const columns = wanted.map(([, column]) => (existing?.has(column) ? `"${column}"` : "NULL"));
    const values = [hasRowid ? "rowid" : "NULL", ...columns];
    const statement = this.#database.prepare<[], unknown[]>(
      `SELECT ${values.join(", ")} FROM "${table}" ${hasRowid ? "ORDER BY rowid" : ""}`,
    );
    const fields = ["rowid", ...wanted.map(([field]) => field)];
    let count = 0;
    for (const cells of statement.raw(true).safeIntegers(true).iterate()) {
      count += 1;
      if (count > this.#rowsMax)
        throw badDatabase(this.#path, `${table} has more than ${this.#rowsMax} rows`);
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

const missingText = ({ table, columns }: Missing): string =>
  columns === undefined ? table : `${table} (${columns.join(", ")})`;

/** Longer blobs are cut: the text only shows a person that the cell is a blob. */
const blobBytesMax = 64;

/**
 * A cell as text. A float becomes the shortest decimal that reads back as the same float, without exponent.
 */
function textOf(cell: unknown): string | null {
  if (cell === null || cell === undefined) return null;
  if (Buffer.isBuffer(cell))
    return `x'${cell.subarray(0, blobBytesMax).toString("hex")}${cell.length > blobBytesMax ? "…" : ""}'`;
  if (typeof cell !== "number") return String(cell);
  const decimal = parseDecimal(String(cell));
  // SQLite can store infinities; they stay the words "Infinity" and "-Infinity".
  return decimal === undefined ? String(cell) : formatDecimal(decimal);
}
