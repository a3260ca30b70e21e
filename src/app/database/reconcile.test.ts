import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import type { Client } from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { variant } from "../../../test/campaigns.ts";
import { AttachedDaily } from "../../adapters/sqlite/index.ts";
import { defaultConfig } from "../../config/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { openDatabase as createLegacy } from "../../legacy-desk/database.ts";
import type { ReconcileReport } from "../../ports/reconcile.ts";
import type { BridgeRecord } from "../../ports/records.ts";
import { postgresMissing, startPostgres, type TestPostgres } from "../../testing/postgres.ts";
import { connected } from "../../testing/postgres-wire.ts";
import { connectionTo, runSql } from "../../testing/sqlite-files.ts";
import { openDatabaseBridge } from "./bridge.ts";
import { directionOfPhase, type OpenedDatabase, openDatabase } from "./open.ts";
import type { PairSettings } from "./pair.ts";
import { type ReconcileAsked, reconcilePair, recordReconcile } from "./reconcile.ts";
import { databaseStatus, databaseStatusText } from "./status.ts";

const zn = "XCMEFFDPSX20250919U0ZN";
const zb = "XCMEFFDPSX20250919U0ZB";
const trade = (id: number, more: object = {}): BridgeRecord => ({
  kind: "trade",
  id: String(id),
  symbol: zn,
  book: "UST",
  side: "B",
  quantity: "2",
  price: "110.515625",
  time: "2025-07-15T13:08:35.561-05:00",
  file: "trades_20250715.csv",
  line: id,
  ...more,
});
const records: readonly BridgeRecord[] = [
  trade(1),
  trade(2, { symbol: zb, side: "S" }),
  {
    kind: "position",
    symbol: zn,
    book: "UST",
    quantity: "12",
    averagePrice: "1327/12",
    realized: "593.75",
    unrealized: "-31.1",
    mark: "110.5",
    asOf: "2025-07-15T16:00:00-05:00",
  },
  {
    kind: "position",
    symbol: zb,
    book: "UST",
    quantity: "0",
    averagePrice: null,
    realized: "15.625",
    unrealized: "0",
    asOf: "2025-07-15T16:00:00-05:00",
  },
  {
    kind: "price",
    symbol: zn,
    mark: "110.5",
    markKind: "close",
    tradingDay: "2025-07-15",
    at: "2025-07-15T14:00:00-05:00",
  },
  ...["2025-07-15", "2025-07-16"].map(
    (tradingDay): BridgeRecord => ({
      kind: "daily_pnl",
      tradingDay,
      symbol: zn,
      book: "UST",
      quantity: "-2",
      realized: "15.7",
      unrealized: tradingDay === "2025-07-15" ? "-31.25" : null,
    }),
  ),
];

let folder: string;
let pair: PairSettings;
let paths: Readonly<Record<Side, string>>;
let opened: OpenedDatabase | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-reconcile-"));
  paths = { legacy: join(folder, "pnl_tracker.db"), modern: join(folder, "newpnl.db") };
  createLegacy(paths.legacy, { journal: "wal", busyTimeoutMs: 5_000 }).close();
  pair = {
    addresses: { legacy: `sqlite:${paths.legacy}`, modern: `sqlite:${paths.modern}` },
    folder,
    database: defaultConfig.database,
  };
});
afterEach(async () => {
  await opened?.close();
  opened = undefined;
  rmSync(folder, { recursive: true });
});

const open = async (): Promise<OpenedDatabase> => {
  opened = await openDatabase(pair, { direction: () => directionOfPhase("dual_write") });
  return opened;
};

const foreignTrade = (id: number): string =>
  `INSERT INTO processed_trades
   (trade_id, instrument_name, trade_date, trade_timestamp, quantity, price, side, source_file) VALUES
   ('F${id}', '${zn}', '2025-07-15', '2025-07-15 13:08:35.561000', 2, 110.515625, 'B', 'foreign.csv')`;

/** Files that the bridge has written, which most tests copy instead of writing them again. */
const template = mkdtempSync(join(tmpdir(), "pnl-bridge-reconcile-template-"));
afterAll(() => rmSync(template, { recursive: true }));

/** Makes a pair that the bridge has written and that agrees. */
async function written(): Promise<void> {
  const isInFiles = pair.addresses.modern === `sqlite:${paths.modern}`;
  if (isInFiles && existsSync(join(template, "newpnl.db")))
    return cpSync(template, folder, { recursive: true });
  await write();
  if (isInFiles) cpSync(folder, template, { recursive: true });
}

async function write(): Promise<void> {
  const { bridge, close } = await open();
  expect(await bridge.write(records, { idempotencyKey: "all" })).toMatchObject({ kind: "acknowledged" });
  expect(await bridge.drain({ timeoutMs: 60_000 })).toMatchObject({ drained: true });
  await close();
  opened = undefined;
}

const compared = (asked: ReconcileAsked = {}): Promise<ReconcileReport> =>
  reconcilePair({ pair, validation: defaultConfig.validation }, asked);

const found = ({ rows }: ReconcileReport) =>
  rows.map(({ kind, field, verdict, cause }) => [kind, field, verdict, cause]);

const quoted = (value: unknown): string => (typeof value === "string" ? `'${value}'` : String(value));

function valueIn(side: Side, sql: string): unknown {
  const database = new Database(paths[side], { readonly: true });
  const value = database.prepare(sql).pluck().get();
  database.close();
  return value;
}

/** Returns another legal value for a column of either store; both values are SQL text. */
function otherValue(old: string): string {
  if (old === "'B'") return "'S'";
  if (/^-?[\d.]+$/.test(old)) return "7.25";
  if (/^'-?[\d.]+(?:\/\d+)?'$/.test(old)) return "'7.25'";
  return old.includes("2025-") ? old.replace("2025-", "2024-") : old.replace(/'$/, "x'");
}

describe("a pair of SQLite files", () => {
  it("agrees in every kind after the bridge has written it, a flat position and a missing mark included", async () => {
    await written();
    const report = await compared();
    expect(report.rows).toEqual([]);
    expect(report).toMatchObject({
      ok: true,
      complete: true,
      position: 1,
      verdicts: { diverged: 0, error: 0, not_comparable: 0, within_tolerance: 0 },
    });
    expect(report.compared).toBe(2 * 6 + 6 + 1 + 2 * 4 + 2);
    await recordReconcile({ pair, validation: defaultConfig.validation }, report);
    const { pair: stores } = await open();
    expect(await stores.modern.call("lastReconcile", null)).toMatchObject({
      ok: true,
      complete: true,
      position: 1,
      breaks: 0,
      notComparable: 0,
    });
  });

  it("changes no byte of either database", async () => {
    await written();
    const images = () =>
      (["legacy", "modern"] as const).map((side) => {
        const database = new Database(paths[side], { readonly: true });
        const image = database.serialize().toString("base64");
        database.close();
        return image;
      });
    const before = images();
    await compared();
    expect(images()).toEqual(before);
  });

  const compareds: Readonly<Record<Side, Readonly<Record<string, readonly string[]>>>> = {
    legacy: {
      processed_trades: [
        "trade_id",
        "instrument_name",
        "trade_date",
        "trade_timestamp",
        "quantity",
        "price",
        "side",
        "source_file",
      ],
      positions: [
        "instrument_name",
        "position_quantity",
        "avg_cost",
        "total_realized_pnl",
        "unrealized_pnl",
        "last_market_price",
        "last_updated",
      ],
      eod_pnl: [
        "trade_date",
        "instrument_name",
        "closing_position",
        "realized_pnl",
        "unrealized_pnl",
        "total_pnl",
      ],
      market_prices: ["bloomberg", "upload_timestamp", "px_settle", "px_last"],
    },
    modern: {
      newpnl_trades: ["trade_id", "symbol", "side", "quantity", "price", "traded_at", "source_file"],
      newpnl_positions: ["symbol", "quantity", "average_price", "realized", "unrealized", "mark", "as_of"],
      newpnl_daily: ["trading_day", "symbol", "quantity", "realized", "unrealized"],
      newpnl_marks: ["symbol", "price", "at"],
    },
  };

  it("differs after a change of any compared column of either store, and agrees once the change is undone", async () => {
    await written();
    const kinds = ["trade", "position", "daily", "price"];
    for (const side of ["legacy", "modern"] as const) {
      const tables = Object.entries(compareds[side]);
      const symbol = side === "legacy" ? "instrument_name" : "symbol";
      // Each comparison sees one changed column of every table.
      for (let at = 0; at < Math.max(...tables.map(([, columns]) => columns.length)); at++) {
        const changes = tables.flatMap(([table, columns], index) => {
          const column = columns[at];
          if (column === undefined) return [];
          const isOne = table.endsWith("positions") ? `${symbol} = '${zn}'` : "true";
          const old = quoted(valueIn(side, `SELECT ${column} FROM ${table} WHERE ${isOne}`));
          return [{ kind: kinds[index], table, column, isOne, old, changed: otherValue(old) }];
        });
        for (const { table, column, isOne, old, changed } of changes)
          runSql(
            paths[side],
            `UPDATE ${table} SET ${column} = ${changed} WHERE ${column} IS ${old} AND ${isOne}`,
          );
        const { rows } = await compared();
        for (const { kind, table, column, changed } of changes)
          expect([side, table, column, changed, rows.some((row) => row.kind === kind)]).toEqual([
            side,
            table,
            column,
            changed,
            true,
          ]);
        for (const { table, column, old, changed } of changes)
          runSql(paths[side], `UPDATE ${table} SET ${column} = ${old} WHERE ${column} IS ${changed}`);
      }
    }
    expect((await compared()).rows).toEqual([]);
  });

  it.each<[what: string, side: Side, sql: string, row: readonly unknown[]]>([
    [
      "a trade that legacy lacks",
      "legacy",
      "DELETE FROM processed_trades WHERE trade_id = '1'",
      ["trade", "row", "diverged", "MISSING_IN_LEGACY"],
    ],
    [
      "a trade that modern lacks",
      "modern",
      "DELETE FROM newpnl_trades WHERE trade_id = '1'",
      ["trade", "row", "diverged", "MISSING_IN_MODERN"],
    ],
    [
      "a file's name with a trailing space",
      "legacy",
      "UPDATE processed_trades SET source_file = source_file || ' ' WHERE trade_id = '1'",
      ["trade", "row", "diverged", "MISSING_IN_MODERN"],
    ],
    [
      "an id in another case",
      "modern",
      "UPDATE newpnl_trades SET trade_id = 'a1' WHERE trade_id = '1'",
      ["trade", "row", "diverged", "MISSING_IN_LEGACY"],
    ],
    [
      "an integer in a DATE",
      "legacy",
      "UPDATE eod_pnl SET trade_date = 20250715 WHERE trade_date = '2025-07-15'",
      ["daily", "row", "diverged", "MISSING_IN_MODERN"],
    ],
    [
      "a DATE that is not text but looks like modern's",
      "modern",
      "UPDATE newpnl_daily SET trading_day = '20250715' WHERE trading_day = '2025-07-15'",
      ["daily", "row", "diverged", "MISSING_IN_LEGACY"],
    ],
    [
      "text in a number",
      "legacy",
      "UPDATE eod_pnl SET realized_pnl = 'awaiting data' WHERE trade_date = '2025-07-15'",
      ["daily", "realized", "not_comparable", "NOT_A_NUMBER"],
    ],
    [
      "NULL in legacy only",
      "legacy",
      "UPDATE positions SET last_market_price = NULL",
      ["position", "mark", "not_comparable", "NO_VALUE_IN_LEGACY"],
    ],
    [
      "a figure for a position without a mark",
      "legacy",
      "UPDATE eod_pnl SET unrealized_pnl = 3 WHERE trade_date = '2025-07-16'",
      ["daily", "unrealized", "not_comparable", "NO_VALUE_IN_MODERN"],
    ],
    [
      "the opposite sign",
      "legacy",
      "UPDATE positions SET position_quantity = -12",
      ["position", "quantity", "diverged", "SIGN_FLIP"],
    ],
    [
      "money where points belong",
      "legacy",
      "UPDATE positions SET total_realized_pnl = 593.75",
      ["position", "realized", "diverged", "MULTIPLIER"],
    ],
    [
      "a second book of one instrument",
      "modern",
      "INSERT INTO newpnl_daily SELECT trading_day, 'EGB', instrument, symbol, quantity, realized, unrealized, version FROM newpnl_daily WHERE trading_day = '2025-07-16'",
      ["daily", "row", "not_comparable", "BOOK_NOT_IN_LEGACY"],
    ],
    [
      "a trade that legacy's unique key forbids",
      "modern",
      `INSERT INTO newpnl_trades SELECT '${"f".repeat(64)}', trade_id, instrument, symbol, book, side, '5', price, fee, traded_at, trading_day, source_file, source_line, occurrence, version FROM newpnl_trades WHERE trade_id = '1'`,
      ["trade", "row", "not_comparable", "LEGACY_UNIQUE"],
    ],
    [
      "a total of legacy that is not the sum of its own parts",
      "legacy",
      "UPDATE eod_pnl SET total_pnl = total_pnl + 1 WHERE trade_date = '2025-07-16'",
      ["daily", "total", "not_comparable", "LEGACY_TOTAL"],
    ],
    [
      "a settlement price that legacy keeps beside the last price",
      "legacy",
      "UPDATE market_prices SET px_settle = px_settle + 1",
      ["price", "settle", "not_comparable", "LEGACY_SETTLE"],
    ],
  ])("differs, and the report names %s", async (_, side, sql, row) => {
    await written();
    runSql(paths[side], sql);
    const report = await compared();
    expect(found(report)).toContainEqual(row);
    expect(report.ok).toBe(false);
  });

  it("counts a difference within tolerance, and leaves an older price of legacy out", async () => {
    await written();
    runSql(paths.legacy, "UPDATE positions SET unrealized_pnl = unrealized_pnl + 0.000001");
    runSql(
      paths.legacy,
      `INSERT INTO market_prices (bloomberg, asset_type, px_settle, px_last, upload_timestamp, upload_date, upload_hour, source_file)
       VALUES ('${zn}', 'FUTURE', 1, 1, '2025-07-15 09:00:00', '2025-07-15', 9, 'a')`,
    );
    const report = await compared();
    expect(report).toMatchObject({ ok: true, rows: [], verdicts: { within_tolerance: 1 } });
    expect(Number(report.drift.unrealized)).toBeCloseTo(-0.001);
  });

  it("names the reason why a trade is in pnlb_unstorable, pairs no row of legacy with it, and the status counts it", async () => {
    const { bridge, pair: stores, close } = await open();
    const trades = [
      ...["2", "3", "4"].map((quantity) => trade(688, { quantity })),
      trade(1, { price: "0.1234567890123456789" }),
      trade(2, { time: "2025-11-02T01:30:00-05:00" }),
    ];
    await bridge.write(trades, { idempotencyKey: "all", keepsUnstorable: true });
    const removed = { ...trade(688, { quantity: "4" }), kind: "trade_removal" } as BridgeRecord;
    await bridge.write([removed], { idempotencyKey: "removal" });
    await bridge.drain({ timeoutMs: 60_000 });
    const status = await databaseStatus(stores, { direction: undefined, mode: "dual_write" });
    expect(status).toMatchObject({ unstorable: 3, quarantine: 0 });
    expect(databaseStatusText(status)).toContain("unstorable    3 trades in pnlb_unstorable");
    await close();
    opened = undefined;
    const report = await compared();
    expect(found(report).toSorted()).toEqual([
      ["trade", "row", "not_comparable", "AMBIGUOUS_IN_LEGACY"],
      ["trade", "row", "not_comparable", "LEGACY_UNIQUE"],
      ["trade", "row", "not_comparable", "NOT_REPRESENTABLE"],
    ]);
    expect(report).toMatchObject({ ok: false, unexplained: 0 });
    runSql(paths.legacy, "UPDATE processed_trades SET quantity = 3");
    expect(found(await compared())).toContainEqual(["trade", "quantity", "diverged", null]);
  });

  it("pairs the rows that legacy stores by itself, and names those that it counts twice", async () => {
    const { bridge, backfill, close } = await open();
    const read = async () => {
      for (const pass of ["new_rows", "all_rows"] as const) await backfill.run({ pass });
    };
    using legacy = connectionTo(paths.legacy, { timeout: 5_000 });
    const desk = (id: number, file = "trades_20250715.csv") =>
      legacy.exec(foreignTrade(id).replace("'F", "'").replace("foreign.csv", file));
    await backfill.run({ pass: "backfill" });
    const options = { keepsUnstorable: true, legacyHasOwn: true };
    const write = (key: string, ...given: readonly BridgeRecord[]) =>
      bridge.write(given, { ...options, idempotencyKey: key });
    const plain = (id: number, more: object = {}) => trade(id, { book: "", ...more });
    const stored = { kind: "acknowledged", version: 1 };
    expect(await write("one", plain(1), plain(1, { quantity: "9" }), plain(2))).toMatchObject(stored);
    expect(await write("two", plain(1))).toMatchObject({ code: "ALREADY_STORED" });
    desk(1);
    desk(1, "trades_20250716.csv");
    desk(3);
    await read();
    expect(await write("three", plain(3, { fee: "7" }))).toMatchObject(stored);
    const correction = { ...plain(1, { fee: "5" }), kind: "trade_correction" } as BridgeRecord;
    expect(await write("four", correction)).toMatchObject({ version: 2 });
    await read();
    expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
    expect(found(await compared()).toSorted()).toEqual([
      ["trade", "row", "diverged", "MISSING_IN_LEGACY"],
      ["trade", "row", "not_comparable", "LEGACY_DOUBLE_COUNT"],
      ["trade", "row", "not_comparable", "LEGACY_UNIQUE"],
    ]);
    desk(2);
    await read();
    // A person decides about a row that legacy counts twice.
    expect(await compared()).toMatchObject({ unexplained: 1, verdicts: { diverged: 0 } });
    using modern = connectionTo(paths.modern);
    const fees = modern.prepare("SELECT trade_id, fee, version FROM newpnl_trades ORDER BY trade_id, fee");
    expect(fees.raw().all()).toEqual([
      ["1", "0", 1],
      ["1", "5", 2],
      ["2", "0", 1],
      ["3", "7", 1],
    ]);
    // A trade that the bridge removes stays in legacy, and is not copied from there again.
    expect(
      await write("five", { ...plain(3, { fee: "7" }), kind: "trade_removal" } as BridgeRecord),
    ).toMatchObject({ version: 2 });
    await bridge.drain({ timeoutMs: 60_000 });
    await read();
    const ids = (database: typeof legacy, table: string) =>
      database.prepare(`SELECT DISTINCT trade_id FROM ${table} ORDER BY 1`).pluck().all();
    expect(ids(legacy, "processed_trades")).toEqual(["1", "2", "3"]);
    expect(ids(modern, "newpnl_trades")).toEqual(["1", "2"]);
    await close();
    opened = undefined;
  });

  it("only a write with keepsUnstorable may replace a trade that the backfill has copied", async () => {
    const { bridge, backfill, close } = await open();
    using legacy = connectionTo(paths.legacy, { timeout: 5_000 });
    legacy.exec(foreignTrade(1));
    await backfill.run({ pass: "backfill" });
    const same = trade(1, { id: "F1", book: "", file: "another.csv", fee: "7" });
    const write = (idempotencyKey: string, more: object = {}) =>
      bridge.write([same], { idempotencyKey, ...more });
    expect(await write("one")).toMatchObject({ code: "ALREADY_STORED" });
    const moved = await write("two", { keepsUnstorable: true });
    expect(moved).toMatchObject({ kind: "acknowledged", version: 1 });
    expect(await bridge.drain({ timeoutMs: 60_000 })).toEqual({ drained: true, owed: 0 });
    expect((await compared()).rows).toEqual([]);
    expect(legacy.prepare("SELECT source_file FROM processed_trades").raw().all()).toEqual([["another.csv"]]);
    await close();
    opened = undefined;
  });

  it("pairs the trades of a legacy without a unique key as multisets", async () => {
    await written();
    runSql(
      paths.legacy,
      `ALTER TABLE processed_trades RENAME TO old; CREATE TABLE processed_trades AS SELECT * FROM old; DROP TABLE old;
       INSERT INTO processed_trades SELECT * FROM processed_trades WHERE trade_id = '1';
       UPDATE processed_trades SET quantity = 5 WHERE rowid = (SELECT max(rowid) FROM processed_trades)`,
    );
    expect(found(await compared())).toEqual([["trade", "row", "diverged", "MISSING_IN_MODERN"]]);
    runSql(
      paths.modern,
      `INSERT INTO newpnl_trades SELECT '${"f".repeat(64)}', trade_id, instrument, symbol, book, side, '5', price, fee, traded_at,
       trading_day, source_file, source_line, occurrence, version FROM newpnl_trades WHERE trade_id = '1'`,
    );
    expect((await compared()).rows).toEqual([]);
  });

  it("a comparison of some kinds and days compares only these, and is not complete", async () => {
    await written();
    runSql(paths.legacy, "UPDATE eod_pnl SET closing_position = 9");
    expect(await compared({ kinds: ["trade"] })).toMatchObject({ ok: true, complete: false });
    const report = await compared({ from: "2025-07-16", to: "2025-07-16" });
    expect(report.rows.map(({ key }) => key)).toEqual([
      { book: "UST", symbol: zn, tradingDay: "2025-07-16" },
    ]);
  });

  it("reports a key whose write is still owed as one that cannot be compared", async () => {
    await written();
    runSql(paths.legacy, "UPDATE pnlb_outbox SET state = 'pending'; UPDATE eod_pnl SET closing_position = 9");
    const report = await compared({ waitMsMax: 0 });
    expect(found(report)).toContainEqual(["daily", "row", "not_comparable", "OWED"]);
    expect(report).toMatchObject({ ok: false, complete: false });
  });

  it("shows no difference while a writer, the relay and a program of the desk are at work", async () => {
    const { bridge, backfill } = await open();
    for (const pass of ["backfill", "new_rows"] as const) await backfill.run({ pass });
    using desk = connectionTo(paths.legacy, { timeout: 5_000 });
    let isOver = false;
    const writer = (async () => {
      for (let id = 1; !isOver; id++) {
        const [, , position] = records;
        const moved = { ...position, quantity: String(id) } as BridgeRecord;
        await bridge.write([trade(id), moved], { idempotencyKey: String(id) });
        if (id % 5 === 0) desk.exec(foreignTrade(id));
        await sleep(20);
      }
    })();
    const passes: ReconcileReport[] = [];
    try {
      while ((passes.at(-1)?.position ?? 0) < 20) {
        passes.push(await compared());
        // A pass blocks the event loop, so the writer can run only during this pause.
        await sleep(5);
      }
    } finally {
      isOver = true;
      await writer;
    }
    // Every write changes the position. If a pass always finds that such a write is owed, it reports OWED.
    for (const { rows } of passes) expect(rows.filter(({ cause }) => cause !== "OWED")).toEqual([]);
  });
});

it("a program that writes to the databases compares them in a separate process", async () => {
  const { legacy, modern } = pair.addresses;
  const bridge = await openDatabaseBridge({ legacy, modern, phase: "dual_write" });
  try {
    await bridge.write(records, { idempotencyKey: "all" });
    expect(await bridge.reconcile()).toMatchObject({ ok: true, complete: true, rows: [], position: 1 });
    expect(await bridge.status()).toMatchObject({ lastReconcile: { ok: true, breaks: 0, notComparable: 0 } });
    runSql(paths.legacy, "DROP TABLE eod_pnl");
    await expect(bridge.reconcile({ kinds: ["daily"] })).rejects.toMatchObject({ code: "BAD_DATABASE" });
  } finally {
    await bridge.close();
  }
});

it("finds each row whose key is hostile text, and pairs none with another", async () => {
  const { bridge, close } = await open();
  const files = ["é.csv", "e\u0301.csv", "E.csv", "e.csv", "e.csv ", "😀.csv", "\uffff.csv", "a\tb.csv"];
  for (const [index, file] of files.entries())
    expect(
      await bridge.write([trade(index + 1, { id: "1", quantity: String(index + 1), file })], {
        idempotencyKey: file,
      }),
    ).toMatchObject({
      kind: "acknowledged",
    });
  await bridge.drain({ timeoutMs: 60_000 });
  await close();
  opened = undefined;
  expect(await compared()).toMatchObject({ ok: true, rows: [] });
  runSql(paths.legacy, "DELETE FROM processed_trades WHERE source_file IN ('e.csv ', '😀.csv')");
  const { rows } = await compared();
  expect(rows.map(({ key }) => key.file).sort()).toEqual(["e.csv ", "😀.csv"].sort());
});

it(
  "finds each planted break among many ranges of rows, and lists at most 10,000 breaks",
  variant,
  async () => {
    await written();
    const days = (from: number, to: number) =>
      `WITH RECURSIVE d(n) AS (SELECT ${from} UNION ALL SELECT n + 1 FROM d WHERE n < ${to}),
       day(text) AS (SELECT date('1990-01-01', n || ' days') FROM d)`;
    const inLegacy = (from: number, to: number) =>
      `${days(from, to)} INSERT INTO eod_pnl (trade_date, instrument_name, opening_position, closing_position, trades_count,
       realized_pnl, unrealized_pnl, total_pnl) SELECT text, '${zn}', 0, 2, 0, 0.015625, 0.1, 0.115625 FROM day`;
    runSql(paths.legacy, inLegacy(0, 6_000));
    runSql(
      paths.modern,
      `${days(0, 6_000)} INSERT INTO newpnl_daily SELECT text, 'UST', 'ZNU2025', '${zn}', '2', '15.625', '100', 1 FROM day`,
    );
    using desk = connectionTo(paths.legacy);
    const pinned: unknown[] = [];
    // A checkpoint of the whole WAL is possible only while no connection reads an older state.
    const onProgress = () => pinned.push(desk.pragma("wal_checkpoint(RESTART)"));
    const all = await compared({ onProgress });
    expect(all).toMatchObject({ ok: true, rows: [], compared: 29 + 4 * 6_001 });
    expect(pinned.flat()).not.toContainEqual(expect.objectContaining({ busy: 1 }));
    expect(pinned.length).toBeGreaterThan(1);
    expect(await compared({ onFigure: () => {} })).toMatchObject({ ok: true, compared: all.compared });

    runSql(paths.modern, "UPDATE newpnl_daily SET realized = '15.7' WHERE trading_day = '1991-03-02'");
    runSql(paths.legacy, "UPDATE eod_pnl SET total_pnl = 0.2 WHERE trade_date = '2003-03-02'");
    runSql(paths.legacy, "UPDATE eod_pnl SET closing_position = 3 WHERE trade_date = '2006-01-01'");
    const planted = await compared();
    expect(planted.rows.map(({ key, field }) => [key.tradingDay, field])).toEqual([
      ["1991-03-02", "realized"],
      ["1991-03-02", "total"],
      ["2003-03-02", "total"],
      ["2006-01-01", "quantity"],
    ]);
    expect(planted.compared).toBe(all.compared);

    runSql(paths.legacy, inLegacy(20_000, 30_050));
    expect(await compared()).toMatchObject({ ok: false, rowsLeftOut: 10_051 + 4 - 10_000 });
  },
);

it("finds a daily row that legacy has twice because its table has no unique key", async () => {
  const row = (day: string): string => `('${day}', '${zn}', 0, 1, 0, 0.1, 0, 0.1)`;
  const days = ["2025-07-15", "2025-07-16"];
  runSql(
    paths.legacy,
    `CREATE TABLE other AS SELECT * FROM eod_pnl; DROP TABLE eod_pnl; ALTER TABLE other RENAME TO eod_pnl;
     CREATE INDEX by_day ON eod_pnl (trade_date, instrument_name);
     INSERT INTO eod_pnl (trade_date, instrument_name, opening_position, closing_position, trades_count,
       realized_pnl, unrealized_pnl, total_pnl) VALUES ${[...days, "2025-07-16"].map(row).join(", ")}`,
  );
  await (await open()).close();
  const inModern = days.map((day) => `('${day}', '', '${zn}', '${zn}', '1', '100', '0', 0)`);
  runSql(paths.modern, `INSERT INTO newpnl_daily VALUES ${inModern.join(", ")}`);
  const report = await compared();
  expect(report.rows.map(({ key, verdict }) => [key.tradingDay, verdict])).toEqual([["2025-07-16", "error"]]);
});

it("compares each range of both files by index searches only, also the first range", async () => {
  await written();
  const daily = new AttachedDaily(paths.legacy, paths.modern);
  const plans = [null, "2025-07-14"].map((after) => daily.plan({ after, upTo: "2025-07-16" }));
  daily.close();
  for (const plan of plans) {
    expect(plan.filter((step) => /^SCAN [lm]\b/.test(step))).toEqual([]);
    expect(plan.join("\n")).toContain("(trade_date=? AND instrument_name=?)");
  }
});

const missing = postgresMissing();
describe.skipIf(missing !== undefined)(`a pair of SQLite and PostgreSQL ${missing ?? ""}`, () => {
  let server: TestPostgres;
  let admin: Client;

  beforeAll(async () => {
    server = await startPostgres();
    admin = await connected(server.url);
  });
  afterAll(async () => {
    await admin.end();
    await server.stop();
  });

  it("agrees after the bridge has written it, and names the rows that are changed on the server", async () => {
    pair = { ...pair, addresses: { ...pair.addresses, modern: server.url } };
    await written();
    expect(await compared()).toMatchObject({ ok: true, complete: true, rows: [], position: 1 });
    for (const [sql, row] of [
      [
        "UPDATE newpnl.daily SET realized = realized + 1 WHERE trading_day = '2025-07-16'",
        ["daily", "realized"],
      ],
      ["UPDATE newpnl.positions SET average_price = '111' WHERE quantity <> 0", ["position", "averagePrice"]],
      ["UPDATE newpnl.marks SET price = 7", ["price", "settle"]],
      ["DELETE FROM newpnl.trades WHERE trade_id = '2'", ["trade", "row"]],
    ] as const) {
      await admin.query(sql);
      expect((await compared()).rows.map(({ kind, field }) => [kind, field])).toContainEqual(row);
    }
  });

  it("reads the writes that modern owes if modern is the authority", variant, async () => {
    pair = { ...pair, addresses: { ...pair.addresses, modern: `${server.url}?schema=second` } };
    opened = await openDatabase(pair, { direction: () => directionOfPhase("primary_switch") });
    expect(await opened.bridge.write(records, { idempotencyKey: "all" })).toMatchObject({
      kind: "acknowledged",
    });
    expect(await opened.bridge.drain({ timeoutMs: 60_000 })).toMatchObject({ drained: true });
    expect(await compared()).toMatchObject({ ok: true, complete: true, rows: [], position: 1 });
    await admin.query(
      "UPDATE second.daily SET quantity = 9; UPDATE second.pnlb_outbox SET state = 'parked', code = 'FOREIGN_ROW'",
    );
    expect(found(await compared({ waitMsMax: 0 }))).toContainEqual([
      "daily",
      "quantity",
      "diverged",
      "FOREIGN_ROW",
    ]);
  });
});
