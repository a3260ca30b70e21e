import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, test } from "vitest";
import { type WriteOptions, writeDatabase } from "./database.ts";
import { type LegacyMode, type PriceRow, runLegacy } from "./run.ts";
import { LegacyDesk } from "./service.ts";

const folder = mkdtempSync(join(tmpdir(), "legacy-database-"));
afterAll(() => rmSync(folder, { recursive: true }));
const now = () => new Date("2025-08-05T21:30:00Z");

let databases = 0;
const freshPath = (): string => join(folder, `pnl_tracker_${databases++}.db`);

/** Writes each ledger (`name` → rows) into one database; `ask` queries it. */
function written(
  ledgers: Readonly<Record<string, readonly string[]>>,
  options: WriteOptions & { mode?: LegacyMode } = {},
) {
  const path = freshPath();
  const paths = Object.entries(ledgers).map(([name, rows]) => {
    writeFileSync(
      join(folder, name),
      ["tradeId,instrumentName,marketTradeTime,buySell,quantity,price", ...rows].join("\n"),
    );
    return join(folder, name);
  });
  const report = writeDatabase(path, runLegacy({ ledgers: paths }, options.mode), { now, ...options });
  return { path, report, ask: (sql: string) => query(path, sql) };
}

function query(path: string, sql: string): unknown[] {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare(sql).raw().all();
  } finally {
    database.close();
  }
}

test("the tables have the real desk's columns (! means NOT NULL), unique constraints and indexes", () => {
  const { path, ask } = written({});
  const tables = ask(
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid",
  ).flat();
  const shape = tables.map((table) => {
    const columns = query(
      path,
      `SELECT name || ' ' || type || iif("notnull", '!', '') FROM pragma_table_info('${table}')`,
    ).flat();
    const indexes = query(
      path,
      `SELECT iif("unique", 'unique(', 'index(') || (SELECT group_concat(name) FROM pragma_index_info(list.name)) || ')'
       FROM pragma_index_list('${table}') AS list ORDER BY 1`,
    ).flat();
    return `${table}: ${[...columns, ...indexes].join(", ")}`;
  });
  expect(shape).toEqual([
    "market_prices: id INTEGER, bloomberg TEXT!, asset_type TEXT!, px_settle REAL!, px_last REAL!, px_bid REAL, px_ask REAL, opt_expire_dt TEXT, moneyness TEXT, upload_timestamp DATETIME!, upload_date DATE!, upload_hour INTEGER!, source_file TEXT!, created_at DATETIME, index(bloomberg,upload_date,upload_hour), unique(bloomberg,upload_timestamp)",
    "processed_trades: id INTEGER, trade_id TEXT!, instrument_name TEXT!, trade_date DATE!, trade_timestamp DATETIME!, quantity REAL!, price REAL!, side TEXT!, processed_at DATETIME, source_file TEXT!, unique(trade_id,source_file)",
    "pnl_snapshots: id INTEGER, snapshot_timestamp DATETIME!, instrument_name TEXT!, position INTEGER!, avg_cost REAL!, market_price REAL!, price_source TEXT!, price_upload_time DATETIME!, realized_pnl REAL!, unrealized_pnl REAL!, total_pnl REAL!, created_at DATETIME",
    "eod_pnl: id INTEGER, trade_date DATE!, instrument_name TEXT!, opening_position INTEGER!, closing_position INTEGER!, trades_count INTEGER!, realized_pnl REAL!, unrealized_pnl REAL!, total_pnl REAL!, avg_buy_price REAL, avg_sell_price REAL, created_at DATETIME, unique(trade_date,instrument_name)",
    "file_processing_log: id INTEGER, file_path TEXT!, file_type TEXT!, file_size INTEGER!, file_modified DATETIME!, processing_status TEXT!, error_message TEXT, rows_processed INTEGER, processing_started DATETIME, processing_completed DATETIME, created_at DATETIME",
    "pnl_audit_log: id INTEGER, calculation_timestamp DATETIME, instrument_name TEXT, calculation_type TEXT, trades_processed INTEGER, market_price_used REAL, price_source TEXT, realized_pnl REAL, unrealized_pnl REAL, created_at DATETIME",
    "positions: id INTEGER, instrument_name TEXT!, position_quantity REAL!, avg_cost REAL!, total_realized_pnl REAL!, unrealized_pnl REAL!, closed_quantity REAL!, last_market_price REAL, last_trade_id TEXT, last_updated DATETIME!, is_option BOOLEAN, option_strike REAL, option_expiry DATE, has_exercised_trades BOOLEAN, created_at DATETIME, short_quantity REAL!, match_history TEXT, unique(instrument_name)",
    "position_snapshots: id INTEGER, snapshot_type TEXT!, snapshot_timestamp DATETIME!, instrument_name TEXT!, position_quantity REAL!, avg_cost REAL!, total_realized_pnl REAL!, unrealized_pnl REAL!, market_price REAL, created_at DATETIME, index(snapshot_type,snapshot_timestamp), unique(snapshot_type,snapshot_timestamp,instrument_name)",
  ]);
});

describe("trades", () => {
  test("have the day in the file's name as trade_date, an unsigned quantity, and an id that stays text", () => {
    const { ask } = written({ "trades_20250805.csv": ["007,X,2025-08-4 17:20:00.123,S,2,100.5"] });
    const columns =
      "trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, processed_at, source_file";
    expect(ask(`SELECT ${columns} FROM processed_trades`)).toEqual([
      [
        "007",
        "X",
        "2025-08-05",
        "2025-08-04 17:20:00",
        2,
        100.5,
        "S",
        "2025-08-05 21:30:00",
        "trades_20250805.csv",
      ],
    ]);
  });

  test("quirk: keep only the first row of an id that is repeated in a file, with a wrong trade count, and both rows if they are in two files", () => {
    const row = (price: number) => `688,X,2025-08-05 10:00:00,B,1,${price}`;
    const { ask, report } = written({
      "trades_20250805.csv": [row(100), row(101), row(102)],
      "trades_20250806.csv": ["688,Y,2025-08-06 10:00:00,B,1,9"],
    });
    expect(report.tradesIgnored).toBe(2);
    expect(ask("SELECT instrument_name, price FROM processed_trades")).toEqual([
      ["X", 100],
      ["Y", 9],
    ]);
    expect(
      ask(
        "SELECT closing_position, trades_count FROM eod_pnl WHERE instrument_name = 'X' AND trade_date = '2025-08-05'",
      ),
    ).toEqual([[3, 1]]);
  });

  test("keep the rows before the bad row of a rejected file; its error is logged, and so is a missing file", () => {
    const { path, ask } = written({
      "trades_20250807.csv": ["1,X,2025-08-07 10:00:00,B,1,100", "2,X,2025-08-07 10:00:00,B,0,100"],
    });
    writeDatabase(path, runLegacy({ ledgers: [join(folder, "none.csv")] }), { now });
    expect(
      ask("SELECT file_type, processing_status, error_message, rows_processed FROM file_processing_log"),
    ).toEqual([
      ["trades", "error", "quantity must not be zero", 1],
      ["trades", "error", expect.stringContaining("ENOENT"), 0],
    ]);
    expect(ask("SELECT COUNT(*) FROM processed_trades")).toEqual([[1]]);
  });
});

describe("figures", () => {
  const history = {
    "trades_20250804.csv": [
      "1,X,2025-08-04 10:00:00,B,2.5,100",
      "2,Y,2025-08-04 10:00:00,B,1,7",
      "3,Y,2025-08-04 11:00:00,S,1,8",
    ],
    "trades_20250805.csv": ["4,X,2025-08-05 10:00:00,B,1,100", "5,X,2025-08-05 10:00:01,S,1,102"],
  };

  test("quirk: have positions that are cast to int in snapshots and end of day, and always the price source px_settle", () => {
    const { ask } = written(history);
    expect(
      ask(
        "SELECT instrument_name, position, market_price, price_source, realized_pnl, total_pnl FROM pnl_snapshots",
      ),
    ).toEqual([
      ["X", 2, 102, "px_settle", 2, 7],
      ["Y", 0, 0, "px_settle", 1, 1],
    ]);
    const columns =
      "trade_date, instrument_name, opening_position, closing_position, trades_count, realized_pnl, unrealized_pnl";
    expect(ask(`SELECT ${columns}, total_pnl, avg_buy_price, avg_sell_price FROM eod_pnl`)).toEqual([
      ["2025-08-04", "X", 0, 2, 1, 0, 0, 0, 100, null],
      ["2025-08-04", "Y", 0, 0, 2, 1, 0, 1, 7, 8],
      ["2025-08-05", "X", 0, 2, 2, 2, 5, 7, 100, 102],
    ]);
  });

  test("include a snapshot after each file in file-at-a-time mode", () => {
    const { ask } = written(history, { mode: "file-at-a-time" });
    expect(ask("SELECT instrument_name, position FROM pnl_snapshots")).toEqual([
      ["X", 2],
      ["Y", 0],
      ["X", 0],
    ]);
  });

  test("lose the position of a flat symbol with its realized P&L; quirk: a rounding remainder stays", () => {
    const at = "2025-08-05 12:00:00";
    const { path, ask } = written({
      "trades_20250803.csv": [
        `1,Y,${at},B,1,7`,
        `2,D,${at},B,0.1,1`,
        `3,D,${at},B,0.2,1`,
        `4,D,${at},S,0.3,1`,
      ],
    });
    const listed = () => ask("SELECT instrument_name, position_quantity FROM positions ORDER BY 1");
    expect(listed()).toEqual([
      ["D", 2.7755575615628914e-17],
      ["Y", 1],
    ]);
    writeDatabase(path, runLegacy({ ledgers: [join(folder, "trades_20250804.csv")] }), { now }); // This file closes Y.
    expect(listed().map((row) => (row as unknown[])[0])).toEqual(["D", "X"]);
  });

  test("mark options and zero prices in positions", () => {
    const { ask } = written({
      "trades_20250808.csv": [
        "1,XCMEOCADPS20250808Q0ZN2/112.75,2025-08-08 10:00:00,S,40,0.0",
        "2,XCMEFFDPSX20250919U0ZN,2025-08-08 10:00:00,B,2,111.5",
      ],
    });
    const columns =
      "is_option, option_strike, option_expiry, has_exercised_trades, short_quantity, last_trade_id, last_market_price";
    expect(ask(`SELECT ${columns} FROM positions ORDER BY id`)).toEqual([
      [1, 112.75, "2025-08-08", 1, 40, "1", 0],
      [0, null, null, 0, 0, "2", 111.5],
    ]);
  });

  test("stamp the start of the next session with 17:00 of the day that ended at 16:00", () => {
    const { ask } = written({ "trades_20250804.csv": history["trades_20250804.csv"] });
    const columns = "snapshot_type, snapshot_timestamp, position_quantity, total_realized_pnl";
    expect(ask(`SELECT ${columns} FROM position_snapshots WHERE instrument_name = 'Y'`)).toEqual([
      ["EOD", "2025-08-04 16:00:00", 0, 1],
      ["SOD", "2025-08-04 17:00:00", 0, 1],
    ]);
  });

  test("leave the audit log empty", () => {
    expect(written(history).ask("SELECT COUNT(*) FROM pnl_audit_log")).toEqual([[0]]);
  });
});

describe("the file", () => {
  const price = (given: Partial<PriceRow>): PriceRow => ({
    ...{
      bloomberg: "TY",
      assetType: "FUTURE",
      settle: 110.5,
      last: 110.6,
      uploadedAt: "2025-08-05 15:00:00",
      sourceFile: "p.csv",
    },
    ...given,
  });

  test("lacks market prices with a missing price or a settle of 0, and the second price of a moment", () => {
    const [missing, zero] = [
      price({ bloomberg: "A", last: null, bid: 1 }),
      price({ bloomberg: "B", settle: 0 }),
    ];
    const { ask, report } = written({}, { prices: [price({}), price({ settle: 111 }), missing, zero] });
    expect(report.pricesRejected).toBe(3);
    expect(ask("SELECT bloomberg, px_settle, upload_date, upload_hour FROM market_prices")).toEqual([
      ["TY", 110.5, "2025-08-05", 15],
    ]);
  });

  test("has a rollback journal by default, and a WAL on request", () => {
    const mode = (options: WriteOptions) => written({}, options).ask("PRAGMA journal_mode");
    expect([mode({}), mode({ journal: "wal" })]).toEqual([[["delete"]], [["wal"]]]);
  });

  test("gets one transaction per ledger: a failure in the second leaves the first complete and the second absent", () => {
    const { path, ask } = written({ "trades_20250809.csv": ["1,X,2025-08-09 10:00:00,B,1,1"] });
    const run = runLegacy(
      { ledgers: [join(folder, "trades_20250804.csv"), join(folder, "trades_20250805.csv")] },
      "file-at-a-time",
    );
    const database = new Database(path);
    database.exec(
      "CREATE TRIGGER fail BEFORE INSERT ON processed_trades WHEN NEW.trade_id = '5' BEGIN SELECT RAISE(ABORT, 'disk'); END",
    );
    database.close();
    expect(() => writeDatabase(path, run, { now })).toThrow("disk");
    expect(ask("SELECT trade_id FROM processed_trades ORDER BY id").flat()).toEqual(["1", "1", "2", "3"]);
    expect(ask("SELECT COUNT(*) FROM file_processing_log")).toEqual([[2]]);
    // Positions are written with the last file. It failed, so the position that it closes is still there.
    expect(ask("SELECT position_quantity FROM positions WHERE instrument_name = 'X'")).toEqual([[1]]);
  });

  test("is written with each history of a desk that has a database", async () => {
    const path = freshPath();
    await new LegacyDesk({ database: path, prices: [price({})] }).history({
      ledgers: [join(folder, "trades_20250804.csv")],
    });
    expect(
      query(path, "SELECT (SELECT COUNT(*) FROM processed_trades), (SELECT COUNT(*) FROM market_prices)"),
    ).toEqual([[3, 1]]);
  });
});
