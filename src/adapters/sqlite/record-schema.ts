/**
 * The tables of the database bridge in SQLite. Modern's own tables are STRICT and keep decimals as text. The
 * bridge's tables begin with `pnlb_`. Both databases have them, legacy's in its file or in one beside it. No
 * other table is created or altered.
 */

const decimal = (column: string): string =>
  `${column} TEXT CHECK (${column} GLOB '[-0-9]*' AND ${column} NOT GLOB '*[^-./0-9]*')`;

export const modernTables = `
CREATE TABLE IF NOT EXISTS newpnl_trades (
  trade_key TEXT PRIMARY KEY CHECK (length(trade_key) = 64), trade_id TEXT NOT NULL, instrument TEXT NOT NULL,
  symbol TEXT NOT NULL, book TEXT NOT NULL, side TEXT NOT NULL CHECK (side IN ('B', 'S')),
  ${decimal("quantity")} NOT NULL, ${decimal("price")} NOT NULL, ${decimal("fee")} NOT NULL,
  traded_at TEXT NOT NULL, trading_day TEXT, source_file TEXT NOT NULL, source_line TEXT,
  occurrence TEXT NOT NULL, version INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS newpnl_positions (
  book TEXT NOT NULL, instrument TEXT NOT NULL, symbol TEXT NOT NULL, ${decimal("quantity")} NOT NULL,
  ${decimal("average_price")}, ${decimal("realized")} NOT NULL, ${decimal("unrealized")}, ${decimal("mark")},
  as_of TEXT NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (book, symbol)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newpnl_daily (
  trading_day TEXT NOT NULL, book TEXT NOT NULL, instrument TEXT NOT NULL, symbol TEXT NOT NULL,
  ${decimal("quantity")} NOT NULL, ${decimal("realized")} NOT NULL, ${decimal("unrealized")},
  version INTEGER NOT NULL, PRIMARY KEY (trading_day, book, symbol)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS newpnl_marks (
  instrument TEXT NOT NULL, mark_kind TEXT NOT NULL, trading_day TEXT NOT NULL, symbol TEXT NOT NULL,
  ${decimal("price")} NOT NULL, at TEXT NOT NULL, source TEXT NOT NULL,
  version INTEGER NOT NULL, PRIMARY KEY (instrument, mark_kind, trading_day)) STRICT, WITHOUT ROWID;`;

/**
 * No value of `pnlb_outbox.seq` is used twice, because the entry with the highest one is never deleted. In
 * `pnlb_fence`, `forgotten` is the highest number and `forgotten_place` the highest place of the deleted
 * entries of the outbox. `relay_token` is the highest token of a lease under which entries were applied, and
 * `applied` the place of the last applied entry. `pnlb_versions` is not WITHOUT ROWID, because its rows are
 * wide and are found by two keys; it may be WITHOUT ROWID in files of earlier versions. `shape` describes
 * legacy's accepted tables; if it is empty, the present tables are accepted. `pnlb_unstorable` has the trades
 * that legacy's own tables cannot hold; it is empty in modern.
 */
export const bridgeTables = `
CREATE TABLE IF NOT EXISTS pnlb_fence (
  one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL,
  authority TEXT NOT NULL CHECK (authority IN ('legacy', 'modern')), step TEXT NOT NULL DEFAULT '',
  incarnation TEXT NOT NULL, relay_token INTEGER NOT NULL DEFAULT 0, applied INTEGER NOT NULL DEFAULT 0,
  forgotten INTEGER NOT NULL DEFAULT 0, forgotten_place INTEGER NOT NULL DEFAULT 0,
  shape TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE IF NOT EXISTS pnlb_keys (
  idempotency_key TEXT PRIMARY KEY, digest TEXT NOT NULL, version INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pnlb_versions (
  aggregate TEXT NOT NULL PRIMARY KEY, claim TEXT UNIQUE, version INTEGER NOT NULL, written TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS pnlb_outbox (
  seq INTEGER PRIMARY KEY, idempotency_key TEXT NOT NULL, digest TEXT NOT NULL, rows TEXT NOT NULL,
  versions TEXT NOT NULL, at_ms INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'done', 'parked')),
  place INTEGER, settled_ms INTEGER, code TEXT, because TEXT) STRICT;
CREATE INDEX IF NOT EXISTS pnlb_outbox_pending ON pnlb_outbox (seq) WHERE state <> 'done';
CREATE TABLE IF NOT EXISTS pnlb_inbox (
  source TEXT NOT NULL, seq INTEGER NOT NULL, place INTEGER NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (source, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pnlb_backfill (
  pass TEXT NOT NULL, source TEXT NOT NULL, upper INTEGER NOT NULL, next INTEGER NOT NULL, done INTEGER NOT NULL,
  imported INTEGER NOT NULL, quarantined INTEGER NOT NULL, PRIMARY KEY (pass, source)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pnlb_quarantine (
  source TEXT NOT NULL, key TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN ('row', 'review')),
  code TEXT NOT NULL, because TEXT NOT NULL, legacy TEXT, modern TEXT, at_ms INTEGER NOT NULL,
  settled_ms INTEGER, settled_as TEXT, PRIMARY KEY (source, key)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pnlb_leases (
  name TEXT PRIMARY KEY, holder TEXT NOT NULL, until_ms INTEGER NOT NULL, token INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pnlb_reconciles (
  at_ms INTEGER PRIMARY KEY, ok INTEGER NOT NULL, complete INTEGER NOT NULL, position INTEGER NOT NULL,
  breaks INTEGER NOT NULL, not_comparable INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS pnlb_unstorable (
  aggregate TEXT PRIMARY KEY, row TEXT NOT NULL, cause TEXT NOT NULL) STRICT, WITHOUT ROWID;`;
