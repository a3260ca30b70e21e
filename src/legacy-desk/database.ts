/**
 * Writes the legacy desk's `pnl_tracker.db`: first-generation schema, with the two position tables that were
 * added later.
 *
 * Each ledger is one transaction, so a crash leaves complete ledgers. Writing a history to the same database
 * again adds rows to the append-only tables (pnl_snapshots, file_processing_log) and replaces or ignores rows
 * in the others, like a restart of the real desk.
 */
import Database from "better-sqlite3";
import { type DayFigures, dateOf, type PositionFigures, type Trade } from "./calculator.ts";
import type { FileRun, LegacyRun, PriceRow } from "./run.ts";

export interface WriteOptions {
  /** Written to market_prices before the first file. */
  readonly prices?: readonly PriceRow[];
  /** The clock for processed_at, created_at and similar columns. Default: the real one. */
  readonly now?: () => Date;
  /** Default: the rollback journal, as in the first generation; later versions used WAL. */
  readonly journal?: "rollback" | "wal";
  /** The longest wait for a lock. */
  readonly busyTimeoutMs?: number;
}

/** Number of rows that UNIQUE or NOT NULL refused, which the legacy desk ignores silently. */
interface WriteReport {
  readonly tradesIgnored: number;
  readonly pricesRejected: number;
}

/**
 * Writes a run, and creates the database if it is missing. Throws better-sqlite3's SqliteError (a lock, a
 * full disk).
 */
export function writeDatabase(path: string, run: LegacyRun, options: WriteOptions = {}): WriteReport {
  const { prices = [], now = () => new Date(), journal = "rollback", busyTimeoutMs = 5_000 } = options;
  const database = openDatabase(path, { journal, busyTimeoutMs });
  try {
    const write = statements(database);
    let pricesRejected = 0;
    let tradesIgnored = 0;
    database.transaction(() => {
      for (const row of prices) pricesRejected += write.price(row, instant(now())) ? 0 : 1;
    })();
    for (const file of run.files) {
      database.transaction(() => {
        const started = instant(now());
        for (const trade of file.trades) tradesIgnored += write.trade(trade, file, started) ? 0 : 1;
        if (file.calculation !== null) {
          for (const figures of file.calculation.positions) write.snapshot(figures, started);
          for (const figures of file.calculation.daily) write.endOfDay(figures, started);
        }
        if (file === run.files.at(-1)) {
          for (const figures of run.positions) write.position(figures, started);
          write.daySnapshots(run.daily, started);
        }
        write.log(file, started, instant(now()));
      })();
    }
    return { tradesIgnored, pricesRejected };
  } finally {
    database.close();
  }
}

/** Opens `pnl_tracker.db`, and creates file and tables where they are missing. The caller must close it. */
export function openDatabase(
  path: string,
  { journal, busyTimeoutMs }: { readonly journal: "rollback" | "wal"; readonly busyTimeoutMs: number },
): Database.Database {
  const database = new Database(path, { timeout: busyTimeoutMs });
  try {
    if (journal === "wal") database.pragma("journal_mode = WAL");
    // Checked first, because CREATE IF NOT EXISTS in a transaction takes a write lock even if all tables
    // exist.
    const missing =
      database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'position_snapshots'").get() === undefined;
    if (missing) database.transaction(() => database.exec(schema)).immediate();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Inserts one trade like the desk. Returns false if UNIQUE(trade_id, source_file) ignored it. */
export function insertTrade(
  database: Database.Database,
): (trade: Trade, file: Pick<FileRun, "name" | "date">, at: string) => boolean {
  // Quirk: of the rows with one id in a file only the first is stored, while the calculator counts all.
  const insert = database.prepare(`INSERT OR IGNORE INTO processed_trades
    (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, processed_at, source_file)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  return (trade, { name, date }, at) => {
    // The quantity is unsigned; the side gives the direction. Without a day in the file's name, the trade's
    // calendar date is used.
    const { id, symbol, time, quantity, price, side } = trade;
    return insert.run(id, symbol, date ?? dateOf(trade), time, quantity, price, side, at, name).changes === 1;
  };
}

/** UTC time in SQLite's format without an offset, to the second. */
export const instant = (at: Date): string => at.toISOString().slice(0, 19).replace("T", " ");

function statements(database: Database.Database) {
  // Quirk: settle and last are both NOT NULL, so one `#N/A` drops the whole row with its bid and ask.
  const price = database.prepare(`INSERT OR IGNORE INTO market_prices
    (bloomberg, asset_type, px_settle, px_last, px_bid, px_ask, opt_expire_dt, moneyness, upload_timestamp, upload_date, upload_hour,
     source_file, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const snapshot = database.prepare(`INSERT INTO pnl_snapshots
    (snapshot_timestamp, instrument_name, position, avg_cost, market_price, price_source, price_upload_time, realized_pnl,
     unrealized_pnl, total_pnl, created_at) VALUES (?, ?, ?, ?, ?, 'px_settle', ?, ?, ?, ?, ?)`);
  // Quirk: counts rows by the calendar date of the fill, over all files, after duplicates were ignored.
  const countTrades = database
    .prepare("SELECT COUNT(*) FROM processed_trades WHERE instrument_name = ? AND DATE(trade_timestamp) = ?")
    .pluck();
  // Quirk: opening_position is always 0. This stand-in writes the row at any hour; the real service writes it
  // only from 17:00 New York time on.
  const endOfDay = database.prepare(`INSERT OR REPLACE INTO eod_pnl
    (trade_date, instrument_name, opening_position, closing_position, trades_count, realized_pnl, unrealized_pnl, total_pnl,
     avg_buy_price, avg_sell_price, created_at) VALUES (?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const log = database.prepare(`INSERT INTO file_processing_log
    (file_path, file_type, file_size, file_modified, processing_status, error_message, rows_processed, processing_started,
     processing_completed, created_at) VALUES (?, 'trades', ?, ?, ?, ?, ?, ?, ?, ?)`);
  const position = database.prepare(`INSERT OR REPLACE INTO positions
    (instrument_name, position_quantity, avg_cost, total_realized_pnl, unrealized_pnl, closed_quantity, last_market_price,
     last_trade_id, last_updated, is_option, option_strike, option_expiry, has_exercised_trades, created_at, short_quantity)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const deletePosition = database.prepare("DELETE FROM positions WHERE instrument_name = ?");
  const daySnapshot = database.prepare(`INSERT OR REPLACE INTO position_snapshots
    (snapshot_type, snapshot_timestamp, instrument_name, position_quantity, avg_cost, total_realized_pnl, unrealized_pnl,
     market_price, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  return {
    trade: insertTrade(database),

    price(row: PriceRow, at: string): boolean {
      const {
        bloomberg,
        assetType,
        settle,
        last,
        bid = null,
        ask = null,
        expires = null,
        moneyness = null,
      } = row;
      const [date, hour] = [row.uploadedAt.slice(0, 10), Number(row.uploadedAt.slice(11, 13))];
      // Quirk: a settle of 0 is treated as missing.
      const given = [bloomberg, assetType, settle === 0 ? null : settle, last, bid, ask, expires, moneyness];
      return price.run(...given, row.uploadedAt, date, hour, row.sourceFile, at).changes === 1;
    },

    /** Quirk: the position is cast to int (2.5 becomes 2), and the source is always `px_settle`. */
    snapshot(
      { symbol, position, averageCost, marketClose, realized, summaryUnrealized }: PositionFigures,
      at: string,
    ): void {
      const total = realized + summaryUnrealized;
      snapshot.run(
        at,
        symbol,
        Math.trunc(position),
        averageCost,
        marketClose,
        at,
        realized,
        summaryUnrealized,
        total,
        at,
      );
    },

    endOfDay(day: DayFigures, at: string): void {
      const { symbol, date, position, realized, unrealized, total, averageBuy, averageSell } = day;
      const count = countTrades.get(symbol, date);
      endOfDay.run(
        date,
        symbol,
        Math.trunc(position),
        count,
        realized,
        unrealized,
        total,
        averageBuy,
        averageSell,
        at,
      );
    },

    log(file: FileRun, started: string, completed: string): void {
      const modified = file.modifiedMs === null ? started : instant(new Date(file.modifiedMs));
      const [status, message] = file.error === null ? ["completed", null] : ["error", file.error.why];
      log.run(
        file.path,
        file.sizeBytes,
        modified,
        status,
        message,
        file.trades.length,
        started,
        completed,
        completed,
      );
    },

    /**
     * Quirk: a row with quantity 0 is deleted, with its realized P&L; a remainder of 2.8e-17 is not 0 and
     * stays.
     */
    position(figures: PositionFigures, at: string): void {
      const {
        symbol,
        position: quantity,
        averageCost,
        realized,
        summaryUnrealized,
        closedQuantity,
      } = figures;
      if (quantity === 0) {
        deletePosition.run(symbol);
        return;
      }
      const option = /^XCMEO[CP]A.{3}(\d{4})(\d{2})(\d{2}).*\/(.+)$/.exec(symbol);
      const [, year, month, day, strike] = option ?? [];
      position.run(
        ...[
          symbol,
          quantity,
          averageCost,
          realized,
          summaryUnrealized,
          closedQuantity,
          figures.marketClose,
          figures.lastTradeId,
        ],
        ...[at, option === null ? 0 : 1, strike === undefined ? null : Number(strike)],
        ...[
          option === null ? null : `${year}-${month}-${day}`,
          figures.hasZeroPrice ? 1 : 0,
          at,
          Math.max(0, -quantity),
        ],
      );
    },

    /**
     * Quirk: the start-of-day state of the *next* session is stamped 17:00 of the day that ended at 16:00, so
     * a query that groups by calendar date puts it beside the end-of-day state of that day.
     */
    daySnapshots(daily: readonly DayFigures[], at: string): void {
      const realizedSoFar = new Map<string, number>();
      for (const { symbol, date, position, averageCost, realized, unrealized, marketClose } of daily) {
        const sum = (realizedSoFar.get(symbol) ?? 0) + realized;
        realizedSoFar.set(symbol, sum);
        for (const [type, hour] of [
          ["EOD", "16:00:00"],
          ["SOD", "17:00:00"],
        ]) {
          daySnapshot.run(
            type,
            `${date} ${hour}`,
            symbol,
            position,
            averageCost,
            sum,
            unrealized,
            marketClose,
            at,
          );
        }
      }
    },
  };
}

const schema = `
CREATE TABLE market_prices (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  bloomberg TEXT NOT NULL,
  asset_type TEXT NOT NULL,
  px_settle REAL NOT NULL,
  px_last REAL NOT NULL,
  px_bid REAL,
  px_ask REAL,
  opt_expire_dt TEXT,
  moneyness TEXT,
  upload_timestamp DATETIME NOT NULL,
  upload_date DATE NOT NULL,
  upload_hour INTEGER NOT NULL,
  source_file TEXT NOT NULL,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (bloomberg, upload_timestamp)
);
CREATE INDEX idx_market_prices_lookup ON market_prices (bloomberg, upload_date, upload_hour);

CREATE TABLE processed_trades (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  trade_id TEXT NOT NULL,
  instrument_name TEXT NOT NULL,
  trade_date DATE NOT NULL,
  trade_timestamp DATETIME NOT NULL,
  quantity REAL NOT NULL,
  price REAL NOT NULL,
  side TEXT NOT NULL,
  processed_at DATETIME DEFAULT CURRENT_TIMESTAMP,
  source_file TEXT NOT NULL,
  UNIQUE (trade_id, source_file)
);

CREATE TABLE pnl_snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  snapshot_timestamp DATETIME NOT NULL,
  instrument_name TEXT NOT NULL,
  position INTEGER NOT NULL,
  avg_cost REAL NOT NULL,
  market_price REAL NOT NULL,
  price_source TEXT NOT NULL,
  price_upload_time DATETIME NOT NULL,
  realized_pnl REAL NOT NULL,
  unrealized_pnl REAL NOT NULL,
  total_pnl REAL NOT NULL,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE eod_pnl (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  trade_date DATE NOT NULL,
  instrument_name TEXT NOT NULL,
  opening_position INTEGER NOT NULL,
  closing_position INTEGER NOT NULL,
  trades_count INTEGER NOT NULL,
  realized_pnl REAL NOT NULL,
  unrealized_pnl REAL NOT NULL,
  total_pnl REAL NOT NULL,
  avg_buy_price REAL,
  avg_sell_price REAL,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (trade_date, instrument_name)
);

CREATE TABLE file_processing_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  file_path TEXT NOT NULL,
  file_type TEXT NOT NULL,
  file_size INTEGER NOT NULL,
  file_modified DATETIME NOT NULL,
  processing_status TEXT NOT NULL,
  error_message TEXT,
  rows_processed INTEGER,
  processing_started DATETIME,
  processing_completed DATETIME,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP
);

-- Never written, neither by this stand-in nor by the real desk.
CREATE TABLE pnl_audit_log (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  calculation_timestamp DATETIME,
  instrument_name TEXT,
  calculation_type TEXT,
  trades_processed INTEGER,
  market_price_used REAL,
  price_source TEXT,
  realized_pnl REAL,
  unrealized_pnl REAL,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE positions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  instrument_name TEXT NOT NULL UNIQUE,
  position_quantity REAL NOT NULL,
  avg_cost REAL NOT NULL,
  total_realized_pnl REAL NOT NULL DEFAULT 0,
  unrealized_pnl REAL NOT NULL DEFAULT 0,
  closed_quantity REAL NOT NULL DEFAULT 0,
  last_market_price REAL,
  last_trade_id TEXT,
  last_updated DATETIME NOT NULL,
  is_option BOOLEAN,
  option_strike REAL,
  option_expiry DATE,
  has_exercised_trades BOOLEAN,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
  short_quantity REAL NOT NULL DEFAULT 0,
  match_history TEXT
);

CREATE TABLE position_snapshots (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  snapshot_type TEXT NOT NULL,
  snapshot_timestamp DATETIME NOT NULL,
  instrument_name TEXT NOT NULL,
  position_quantity REAL NOT NULL,
  avg_cost REAL NOT NULL,
  total_realized_pnl REAL NOT NULL,
  unrealized_pnl REAL NOT NULL,
  market_price REAL,
  created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
  UNIQUE (snapshot_type, snapshot_timestamp, instrument_name)
);
CREATE INDEX idx_position_snapshots_lookup ON position_snapshots (snapshot_type, snapshot_timestamp);
`;
