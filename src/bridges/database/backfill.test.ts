import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../adapters/host/index.ts";
import { openSqliteRecordStore } from "../../adapters/sqlite/index.ts";
import { describeSymbol } from "../../app/symbols/symbols.ts";
import { tradingDayRules } from "../../domain/market/trading-day.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { openDatabase } from "../../legacy-desk/database.ts";
import type { RecordCall, RecordStore } from "../../ports/record-store.ts";
import type { BridgeRecord } from "../../ports/records.ts";
import { until } from "../../testing/until.ts";
import {
  Backfill,
  type BackfillEvent,
  type BackfillOptions,
  backfillLimits,
  backfillTables,
} from "./backfill.ts";
import { DatabaseBridge } from "./database-bridge.ts";
import { ForeignRows, type ForeignRowsEvent } from "./foreign-rows.ts";

const zn = "XCMEFFDPSX20250919U0ZN";
const zf = "XCMEFFDPSX20250930U0ZF";
const tools = {
  describe: describeSymbol,
  dayRule: tradingDayRules["chicago-17"],
  digest: (text: string) => createHash("sha256").update(text).digest("hex"),
  book: "",
};
const lease = { name: "this process", lastsMs: 60_000, isDead: () => false };

let folder: string;
let paths: Readonly<Record<Side, string>>;
let stores: Record<Side, RecordStore>;
const closing: { close(): Promise<void> }[] = [];
const events: BackfillEvent[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-backfill-"));
  paths = { legacy: join(folder, "pnl_tracker.db"), modern: join(folder, "newpnl.db") };
  openDatabase(paths.legacy, { journal: "wal", busyTimeoutMs: 5_000 }).close();
  events.length = 0;
});
afterEach(async () => {
  // A bridge still uses its stores while it closes.
  for (const one of closing.splice(0)) await one.close();
  rmSync(folder, { recursive: true });
});

async function openStores(authority: Side = "legacy", busyMsMax = 5_000): Promise<void> {
  const open = (side: Side) => openSqliteRecordStore(paths[side], { side, authority, busyMsMax });
  stores = { legacy: await open("legacy"), modern: await open("modern") };
  closing.push(stores.legacy, stores.modern);
}

const backfill = (change: Partial<BackfillOptions> = {}): Backfill =>
  new Backfill({
    stores,
    tools,
    clock: systemClock,
    lease,
    tables: backfillTables,
    limits: backfillLimits,
    held: () => undefined,
    onEvent: (event) => void events.push(event),
    ...change,
  });

function bridge(authority: Side = "legacy"): DatabaseBridge {
  const made = new DatabaseBridge({
    stores,
    tools,
    clock: systemClock,
    draw: () => 0,
    direction: () => ({ authority, mirrors: true }),
    lease,
    keepsMs: 1e9,
    onEvent: () => {},
  });
  closing.unshift(made);
  return made;
}

/** Runs statements on a connection of the desk. */
function desk(...statements: readonly string[]): void {
  const database = new Database(paths.legacy);
  for (const statement of statements) database.exec(statement);
  database.close();
}

function rows(side: Side, sql: string): readonly unknown[] {
  const database = new Database(paths[side], { readonly: true });
  try {
    return database.prepare(sql).all();
  } finally {
    database.close();
  }
}

const deskTrade = (
  id: number | string,
  { symbol = zn, price = "110.515625", file = "trades_20250715.csv" } = {},
) =>
  `INSERT INTO processed_trades (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file)
   VALUES ('${id}', '${symbol}', '2025-07-15', '2025-07-15 13:08:35.561000', 2, ${price}, 'B', '${file}')`;
const deskPosition = (symbol: string, quantity: number) =>
  `INSERT OR REPLACE INTO positions (instrument_name, position_quantity, avg_cost, total_realized_pnl, unrealized_pnl, last_market_price, last_updated)
   VALUES ('${symbol}', ${quantity}, 110.5, 0.59375, 0, 110.5, '2025-07-15 16:00:00')`;
const deskPrice = (at: string, price: number) =>
  `INSERT INTO market_prices (bloomberg, asset_type, px_settle, px_last, upload_timestamp, upload_date, upload_hour, source_file)
   VALUES ('TYU5 Comdty', 'FUTURE', ${price + 1}, ${price}, '2025-07-15 ${at}', '2025-07-15', ${Number(at.slice(0, 2))}, 'f')`;
const trade = (id: number, book = ""): BridgeRecord => ({
  kind: "trade",
  id: String(id),
  symbol: zn,
  book,
  side: "B",
  quantity: "2",
  price: "110.515625",
  time: "2025-07-15T13:08:35.561-05:00",
  file: "trades_20250715.csv",
  line: id,
});
const position = (quantity: string, book = ""): BridgeRecord => ({
  kind: "position",
  symbol: zn,
  book,
  quantity,
  averagePrice: quantity === "0" ? null : "110.5",
  realized: "593.75",
  unrealized: "0",
  asOf: "2025-07-15T16:00:00-05:00",
});
const waiting = async () =>
  (await stores.modern.call("quarantine", { after: null, limit: 1_000 })).map(
    ({ table, code }) => `${table} ${code}`,
  );
const isHeld = (events: readonly BackfillEvent[], why: RegExp): boolean =>
  events.some((event) => event.kind === "waiting" && why.test(event.why));
/** Returns every row of every table, without the times of the last pass. */
const contents = (side: Side) =>
  rows(
    side,
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name <> 'pnlb_leases'",
  )
    .map((row) => Object.values(row as object)[0])
    .map((table) => [table, rows(side, `SELECT * FROM ${table}`)]);

describe.each(["legacy", "modern"] as const)("with %s as the authority", (authority) => {
  beforeEach(() => openStores(authority));

  it("every row of legacy enters modern at version 0 or waits with its reason, and legacy's rows stay as they are", async () => {
    desk(
      deskTrade(1),
      deskTrade(2, { symbol: "QQQQ" }),
      deskTrade(3, { price: "'awaiting data'" }),
      deskPosition(zn, 12),
    );
    desk(
      "INSERT INTO eod_pnl (trade_date, instrument_name, opening_position, closing_position, trades_count, realized_pnl, unrealized_pnl, total_pnl) VALUES ('20250715', 'X', 0, 1, 1, 0, 0, 0)",
    );
    const before = rows("legacy", "SELECT * FROM processed_trades");
    const report = await backfill().run({ pass: "backfill" });
    expect(report).toMatchObject({
      finished: true,
      tables: {
        processed_trades: {
          rows: 3,
          imported: 1,
          quarantined: { UNKNOWN_SYMBOL: 1, BAD_NUMBER: 1 },
          lost: { trade_timestamp: 1 },
        },
        positions: { rows: 1, imported: 1 },
        eod_pnl: { rows: 1, imported: 0, quarantined: { BAD_TIME: 1 } },
      },
    });
    expect(rows("modern", "SELECT trade_id, source_line, version FROM newpnl_trades")).toEqual([
      { trade_id: "1", source_line: null, version: 0 },
    ]);
    expect(rows("modern", "SELECT realized, mark FROM newpnl_positions")).toEqual([
      { realized: "593.75", mark: "110.5" },
    ]);
    expect(rows("legacy", "SELECT * FROM processed_trades")).toEqual(before);
    expect(await waiting()).toEqual([
      "eod_pnl BAD_TIME",
      "processed_trades UNKNOWN_SYMBOL",
      "processed_trades BAD_NUMBER",
    ]);
  });

  it("a second run changes no byte of a row", async () => {
    desk(
      deskTrade(1),
      deskTrade(2, { symbol: "QQQQ" }),
      deskPosition(zn, 12),
      deskPrice("14:00:00", 110),
      deskPrice("15:00:00", 111),
    );
    await backfill().run({ pass: "backfill" });
    const before = [contents("legacy"), contents("modern")];
    const report = await backfill().run({ pass: "backfill" });
    expect(report.tables.processed_trades).toMatchObject({ rows: 2, imported: 0 });
    // The row that counts the pass is the only one that differs, because each pass counts from zero.
    const isPass = ([table]: readonly unknown[]) => table === "pnlb_backfill";
    const plain = (all: typeof before) => all.map((tables) => tables.filter((one) => !isPass(one)));
    expect(plain([contents("legacy"), contents("modern")])).toEqual(plain(before));
  });

  it("the bridge continues to write a row that was backfilled, in both stores", async () => {
    desk(deskPosition(zn, 12));
    await backfill().run({ pass: "backfill" });
    const writer = bridge(authority);
    expect(await writer.write([position("13")], { idempotencyKey: "one" })).toMatchObject({
      kind: "acknowledged",
      version: 1,
    });
    expect(await writer.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
    expect(rows("legacy", "SELECT position_quantity FROM positions")).toEqual([{ position_quantity: 13 }]);
    expect(rows("modern", "SELECT quantity FROM newpnl_positions")).toEqual([{ quantity: "13" }]);
    expect(await writer.write([position("1", "UST")], { idempotencyKey: "two" })).toMatchObject({
      code: "BOOK_NOT_IN_LEGACY",
    });
  });

  it("rows that the bridge wrote, in whatever book, never count as foreign rows", async () => {
    const writer = bridge(authority);
    await writer.write([trade(1, "UST"), position("12", "UST")], { idempotencyKey: "one" });
    await writer.drain({ timeoutMs: 60_000 });
    const before = [contents("legacy"), contents("modern")];
    const report = await backfill().run({ pass: "backfill" });
    await backfill().run({ pass: "all_rows" });
    expect(report.tables.processed_trades).toMatchObject({ rows: 1, imported: 0, quarantined: {} });
    expect(rows("modern", "SELECT book FROM newpnl_trades")).toEqual([{ book: "UST" }]);
    expect(before[0]).toEqual(contents("legacy"));
  });

  it("a dry run counts the rows and changes nothing", async () => {
    desk(deskTrade(1), deskTrade(2, { symbol: "QQQQ" }));
    const before = [contents("legacy"), contents("modern")];
    expect(await backfill().run({ pass: "backfill", dryRun: true })).toMatchObject({
      tables: { processed_trades: { rows: 2, imported: 1, quarantined: { UNKNOWN_SYMBOL: 1 } } },
    });
    expect([contents("legacy"), contents("modern")]).toEqual(before);
  });

  it("a new row of the desk is imported, a changed and a deleted row wait with their values in both stores, and no row is reported twice", async () => {
    desk(deskTrade(1), deskTrade(2), deskPosition(zn, 12), deskPosition(zf, 3));
    await backfill().run({ pass: "backfill" });
    desk(
      deskTrade(3),
      "UPDATE processed_trades SET price = 99 WHERE trade_id = '1'",
      deskPosition(zn, 14),
      `DELETE FROM positions WHERE instrument_name = '${zf}'`,
    );
    expect((await backfill().run({ pass: "new_rows" })).tables).toMatchObject({
      processed_trades: { rows: 1, imported: 1 },
      positions: { rows: 1, imported: 0, quarantined: { FOREIGN_CHANGE: 1 } },
    });
    for (let look = 0; look < 2; look += 1) {
      await backfill().run({ pass: "all_rows" });
      expect(await waiting()).toEqual([
        "positions FOREIGN_CHANGE",
        "positions FOREIGN_DELETE",
        "processed_trades FOREIGN_CHANGE",
      ]);
    }
    expect(await stores.modern.call("quarantineCounts", null)).toMatchObject({ rows: 0, reviews: 3 });
    const [changed, deleted] = await stores.modern.call("quarantine", { after: null, limit: 2 });
    expect(deleted).toMatchObject({ legacy: null, modern: expect.stringContaining('"position_quantity":3') });
    expect(changed).toMatchObject({
      legacy: expect.stringContaining('"position_quantity":14'),
      modern: expect.stringContaining('"position_quantity":12'),
    });
    expect((await backfill().run({ pass: "new_rows" })).tables).toEqual({});
  });

  it("a row that a person has settled waits again only if it changes again", async () => {
    desk(deskPosition(zn, 12));
    await backfill().run({ pass: "backfill" });
    desk(deskPosition(zn, 14));
    await backfill().run({ pass: "all_rows" });
    const [entry] = await stores.modern.call("quarantine", { after: null, limit: 1 });
    if (entry === undefined) throw new Error("a review waits");
    const decided = { table: entry.table, key: entry.key, as: "seen", nowMs: 1 };
    expect(await stores.modern.call("settleQuarantine", decided)).toBe(true);
    expect(await stores.modern.call("settleQuarantine", decided)).toBe(false);
    await backfill().run({ pass: "all_rows" });
    expect(await waiting()).toEqual([]);
    desk("UPDATE positions SET position_quantity = 15");
    await backfill().run({ pass: "all_rows" });
    expect(await waiting()).toEqual(["positions FOREIGN_CHANGE"]);
  });

  it("a quarantined row that becomes readable is imported and no longer waits", async () => {
    desk(deskTrade(1));
    await backfill({ tools: { ...tools, describe: () => undefined } }).run({ pass: "backfill" });
    expect(await waiting()).toEqual(["processed_trades UNKNOWN_SYMBOL"]);
    await backfill().run({ pass: "backfill" });
    expect(await waiting()).toEqual([]);
    expect(rows("modern", "SELECT trade_id FROM newpnl_trades")).toEqual([{ trade_id: "1" }]);
  });
});

describe("a pass", () => {
  beforeEach(() => openStores());

  /** Runs `act` once, right before the first call with a name reaches a store. */
  function rightBefore(side: Side, name: RecordCall, act: () => unknown): void {
    const store = stores[side];
    let isDone = false;
    stores[side] = {
      ...store,
      call: async (call, given) => {
        if (call === name && !isDone) {
          isDone = true;
          await act();
        }
        return store.call(call, given);
      },
    };
  }

  it.each(["claimRows", "adopt"] as const)(
    "does not bring back a position that a write deletes while its chunk is in flight, before %s",
    async (call) => {
      desk(deskPosition(zn, 12));
      const writer = bridge();
      rightBefore(call === "adopt" ? "modern" : "legacy", call, async () => {
        await writer.write([position("0")], { idempotencyKey: "flat" });
        await writer.drain({ timeoutMs: 60_000 });
      });
      expect((await backfill().run({ pass: "backfill" })).finished).toBe(true);
      expect(await writer.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
      expect(rows("legacy", "SELECT * FROM positions")).toEqual([]);
      expect(rows("modern", "SELECT quantity FROM newpnl_positions")).toEqual([{ quantity: "0" }]);
    },
  );

  it("reads a row again that the desk changes, and skips one that it deletes, while the chunk is in flight", async () => {
    desk(deskPosition(zn, 12), deskPosition(zf, 3));
    rightBefore("legacy", "claimRows", () =>
      desk("UPDATE positions SET position_quantity = 13 WHERE id = 1", "DELETE FROM positions WHERE id = 2"),
    );
    await backfill().run({ pass: "backfill" });
    expect(rows("modern", "SELECT quantity FROM newpnl_positions")).toEqual([{ quantity: "13" }]);
    expect(await waiting()).toEqual([]);
  });

  it("ends at the highest id that the table had at the beginning, however fast rows are added", async () => {
    desk(deskTrade(1), deskTrade(2));
    let last = 2;
    const store = stores.legacy;
    stores.legacy = {
      ...store,
      call: (name, given) => {
        if (name === "rowsAfter") for (const until = last + 50; last < until; ) desk(deskTrade(++last));
        return store.call(name, given);
      },
    };
    const report = await backfill().run({ pass: "backfill" });
    expect(report).toMatchObject({ finished: true, tables: { processed_trades: { rows: 2 } } });
  });

  it("a run that was ended is resumed at the same place", async () => {
    // A chunk of 100 rows, the next one that is taken meanwhile, and a rest.
    desk(...Array.from({ length: 250 }, (_, id) => deskTrade(id)));
    const end = new AbortController();
    let pinned: unknown;
    const onEvent = () => {
      // A checkpoint of the whole WAL is possible only while no connection reads an older state.
      const database = new Database(paths.legacy);
      pinned = database.pragma("wal_checkpoint(RESTART)");
      database.close();
      end.abort();
    };
    const first = await backfill({ onEvent }).run({
      pass: "backfill",
      signal: end.signal,
    });
    expect(first).toMatchObject({ finished: false, tables: { processed_trades: { rows: 200 } } });
    expect(pinned).toMatchObject([{ busy: 0 }]);
    const second = await backfill().run({ pass: "backfill" });
    expect(second).toMatchObject({
      finished: true,
      tables: { processed_trades: { rows: 50, imported: 50 } },
    });
    expect(await stores.modern.call("passes", null)).toContainEqual(
      expect.objectContaining({ table: "processed_trades", next: 250, upper: 250, done: 250, imported: 250 }),
    );
  });

  it("waits while a person, an old owed write or a pass of another process holds it, and names the reason", async () => {
    desk(deskTrade(1));
    let reason: string | undefined = "the file HOLD is there";
    const run = backfill({ held: () => reason }).run({ pass: "backfill" });
    await until(() => isHeld(events, /HOLD/));
    expect(rows("modern", "SELECT * FROM newpnl_trades")).toEqual([]);
    reason = undefined;
    expect((await run).finished).toBe(true);

    desk(
      "INSERT INTO pnlb_outbox (idempotency_key, digest, rows, versions, at_ms, state) VALUES ('', '', '[]', '[]', 0, 'pending')",
    );
    const lagging = backfill().run({ pass: "backfill" });
    await until(() => isHeld(events, /owed to the mirror/));
    desk("UPDATE pnlb_outbox SET state = 'done'");
    expect((await lagging).finished).toBe(true);
    // Before dual_write the mirror gets no write, and waiting for it would never end.
    desk("UPDATE pnlb_outbox SET state = 'pending'");
    expect((await backfill({ isMirrored: () => false }).run({ pass: "backfill" })).finished).toBe(true);
    desk("UPDATE pnlb_outbox SET state = 'done'");

    await stores.modern.call("lease", {
      name: "backfill",
      holder: "another",
      nowMs: Date.now(),
      lastsMs: 60_000,
    });
    expect(await backfill().run({ pass: "new_rows" })).toEqual({ finished: false, tables: {} });
    const second = backfill().run({ pass: "backfill" });
    await until(() => isHeld(events, /another is reading/));
    await stores.modern.call("release", { name: "backfill", holder: "another" });
    expect((await second).finished).toBe(true);
  });

  it("gives its lease to a cut-over; a search for new rows then ends, and any other pass continues after the cut-over", async () => {
    desk(deskTrade(1));
    await backfill().run({ pass: "backfill" });
    desk(deskTrade(2));
    desk("UPDATE pnlb_fence SET step = 'to modern'");
    const cutover = { name: "backfill", holder: "a cut-over", nowMs: Date.now(), lastsMs: 60_000 };
    expect(await backfill().run({ pass: "new_rows" })).toMatchObject({ finished: false });
    const whole = backfill().run({ pass: "all_rows" });
    await until(() => isHeld(events, /a cut-over is under way/));
    expect(await stores.modern.call("lease", cutover)).toMatchObject({ kind: "held" });
    desk("UPDATE pnlb_fence SET step = ''");
    await until(() => isHeld(events, /a cut-over is reading/));
    await stores.modern.call("release", cutover);
    expect((await whole).finished).toBe(true);
    expect(rows("modern", "SELECT trade_id FROM newpnl_trades")).toHaveLength(2);
  });

  it("continues after a store was locked", async () => {
    await openStores("legacy", 100);
    desk(deskTrade(1));
    const foreign = new Database(paths.modern);
    rightBefore("modern", "adopt", () => foreign.exec("BEGIN IMMEDIATE"));
    const run = backfill().run({ pass: "backfill" });
    await until(() => isHeld(events, /locked/));
    foreign.exec("COMMIT");
    foreign.close();
    expect(await run).toMatchObject({ finished: true, tables: { processed_trades: { imported: 1 } } });
  });

  it("keeps the last price of a day in modern, in whatever order it reads the prices, and never guesses the kind of mark", async () => {
    desk(deskPrice("15:00:00", 111), deskPrice("14:00:00", 110));
    const { tables } = await backfill().run({ pass: "backfill" });
    expect(tables.market_prices).toMatchObject({
      rows: 2,
      imported: 1,
      superseded: 1,
      quarantined: {},
      lost: { px_settle: 2 },
    });
    desk(deskPrice("17:00:00", 112));
    await backfill().run({ pass: "new_rows" });
    await backfill().run({ pass: "all_rows" });
    expect(rows("modern", "SELECT mark_kind, trading_day, price, at FROM newpnl_marks")).toEqual([
      { mark_kind: "last_trade", trading_day: "2025-07-15", price: "112", at: "2025-07-15T17:00:00-05:00" },
    ]);
    expect(await waiting()).toEqual([]);
  });

  it("counts equal rows of one file as separate trades where legacy has no unique key, and counts a trade that is in two files once", async () => {
    desk(
      "CREATE TABLE without AS SELECT * FROM processed_trades",
      "DROP TABLE processed_trades",
      "CREATE TABLE processed_trades (id INTEGER PRIMARY KEY, trade_id TEXT, instrument_name TEXT, trade_date DATE, trade_timestamp DATETIME, quantity REAL, price REAL, side TEXT, source_file TEXT)",
      "DROP TABLE without",
      deskTrade(688),
      deskTrade(688),
      deskTrade(688, { price: "111" }),
      deskTrade(688, { file: "trades_20250716.csv" }),
    );
    await backfill().run({ pass: "backfill" });
    await backfill().run({ pass: "backfill" });
    expect(rows("modern", "SELECT price, occurrence FROM newpnl_trades ORDER BY price, occurrence")).toEqual([
      { price: "110.515625", occurrence: "1" },
      { price: "110.515625", occurrence: "2" },
      { price: "111", occurrence: "1" },
    ]);
    expect(await waiting()).toEqual(["processed_trades ALREADY_STORED"]);
  });

  it("reads `cto_trades`, which holds the trades once more, if `tables` names it", async () => {
    const cto = (id: string, action: string, quantity: number) =>
      `INSERT INTO cto_trades (Date, Time, Symbol, Action, Quantity, Price, Fees, Counterparty, tradeID, Type, source_file)
       VALUES ('2025-07-15', '13:08:35.561', 'TYU5 Comdty', '${action}', ${quantity}, 110.515625, 2.05, 'FRGM', '${id}', 'FUT', 'trades_20250715.csv')`;
    desk(
      `CREATE TABLE cto_trades (id INTEGER PRIMARY KEY AUTOINCREMENT, Date DATE NOT NULL, Time TIME NOT NULL, Symbol TEXT NOT NULL,
        Action TEXT NOT NULL, Quantity INTEGER NOT NULL, Price REAL NOT NULL, Fees REAL DEFAULT 0, Counterparty TEXT NOT NULL,
        tradeID TEXT NOT NULL, Type TEXT NOT NULL, source_file TEXT NOT NULL, processed_at DATETIME, is_sod BOOLEAN DEFAULT 0,
        is_exercise BOOLEAN DEFAULT 0)`,
      cto("1", "BUY", 2),
      cto("2", "SELL", -3),
      cto("3", "SELL", 3),
    );
    await backfill({ tables: ["cto_trades"] }).run({ pass: "backfill" });
    expect(
      rows(
        "modern",
        "SELECT trade_id, instrument, side, quantity, fee, traded_at FROM newpnl_trades ORDER BY trade_id",
      ),
    ).toEqual([
      {
        trade_id: "1",
        instrument: "ZNU2025",
        side: "B",
        quantity: "2",
        fee: "2.05",
        traded_at: "2025-07-15T13:08:35.561-05:00",
      },
      {
        trade_id: "2",
        instrument: "ZNU2025",
        side: "S",
        quantity: "3",
        fee: "2.05",
        traded_at: "2025-07-15T13:08:35.561-05:00",
      },
    ]);
    expect(await waiting()).toEqual(["cto_trades NOT_A_TRADE"]);
  });
});

it("a foreign row waits with its values in both stores, and nothing is overwritten, if modern has another row in its place", async () => {
  await openStores("modern");
  const writer = bridge("modern");
  desk(deskPosition(zn, 12));
  await writer.write([position("5")], { idempotencyKey: "one" });
  await until(async () => (await writer.drain({ timeoutMs: 0 })).owed === 1);
  await backfill().run({ pass: "backfill" });
  const [entry] = await stores.modern.call("quarantine", { after: null, limit: 10 });
  expect(entry).toMatchObject({
    kind: "review",
    code: "FOREIGN_ROW",
    legacy: expect.stringContaining('"position_quantity":12'),
    modern: expect.stringContaining('"quantity":"5"'),
  });
  await writer.drain({ timeoutMs: 0 });
  expect(rows("legacy", "SELECT position_quantity FROM positions")).toEqual([{ position_quantity: 12 }]);
});

it("a timer finds the desk's new trades while the bridge writes, and the changed ones at its next comparison", async () => {
  await openStores();
  desk(deskTrade(1), deskPosition(zf, 3));
  await backfill().run({ pass: "backfill" });
  const looks: ForeignRowsEvent[] = [];
  const foreign = new ForeignRows({
    backfill: backfill(),
    clock: systemClock,
    isWanted: () => true,
    everyMs: 10,
    compareEveryMs: 20,
    onEvent: (event) => void looks.push(event),
  });
  closing.unshift({ close: () => foreign.end() });
  const writer = bridge();
  for (let id = 100; id < 110; id += 1) {
    desk(deskTrade(`desk ${id}`));
    await writer.write([trade(id)], { idempotencyKey: String(id) });
  }
  desk(`UPDATE positions SET position_quantity = 4`);
  await until(() => rows("modern", "SELECT * FROM newpnl_trades").length === 21);
  await until(async () => (await waiting()).length === 1);
  expect(await waiting()).toEqual(["positions FOREIGN_CHANGE"]);
  expect(rows("legacy", "SELECT * FROM processed_trades")).toHaveLength(21);
  expect(looks.filter(({ kind }) => kind === "look_failed")).toEqual([]);
});
