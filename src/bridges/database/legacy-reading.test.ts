import { createHash } from "node:crypto";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeSymbol } from "../../app/symbols/symbols.ts";
import { tradingDayRules } from "../../domain/market/trading-day.ts";
import { recordCalls } from "../../durable/record-calls.ts";
import { runNow } from "../../durable/work.ts";
import { openDatabase } from "../../legacy-desk/database.ts";
import type { LegacyRow } from "../../ports/backfill-calls.ts";
import type { RowChange, StoredRow } from "../../ports/record-store.ts";
import type { BridgeRecord } from "../../ports/records.ts";
import { columnsOf, fromLegacy, type LegacyTable, legacyShapes, type ReadRow } from "./legacy-reading.ts";
import { toLegacy } from "./legacy-rows.ts";
import { type Row, takeRecords } from "./record-intake.ts";

const tools = {
  describe: describeSymbol,
  dayRule: tradingDayRules["chicago-17"],
  digest: (text: string) => createHash("sha256").update(text).digest("hex"),
  book: "",
};
const calls = recordCalls({
  side: "legacy",
  rowsOf: (table) => table,
  own: (table) => `pnlb_${table}`,
  forShare: "",
  forUpdate: "",
  hasCheapSavepoints: true,
  keepsVersion: false,
  keepsMigrations: false,
});

/** Stores a row in the desk's own tables, with their types, and reads it as the backfill does. */
function stored(table: LegacyTable, values: StoredRow): LegacyRow {
  const database = openDatabase(":memory:", { journal: "rollback", busyTimeoutMs: 0 });
  try {
    const columns = Object.keys(values);
    database
      .prepare(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`)
      .run(...Object.values(values));
    const given = { table, columns: columnsOf(legacyShapes[table]), after: 0, upTo: 1, limit: 1 };
    const [row] = runNow(
      calls.rowsAfter(given),
      ({ sql, values }) => database.prepare(sql).all(...values) as StoredRow[],
    );
    if (row === undefined) throw new Error("the row is stored");
    return row;
  } finally {
    database.close();
  }
}

const read = (table: LegacyTable, values: StoredRow): ReadRow => {
  const found = fromLegacy(table, stored(table, values), tools);
  if ("code" in found) throw new Error(`${found.code}: ${found.because}`);
  return found;
};

const zn = "XCMEFFDPSX20250919U0ZN";
const bare = {
  processed_trades: {
    trade_id: "1",
    instrument_name: zn,
    trade_date: "2025-07-15",
    trade_timestamp: "2025-07-15 13:08:35.561",
    quantity: 2,
    price: 110.515625,
    side: "B",
    source_file: "trades_20250715.csv",
  },
  positions: {
    instrument_name: zn,
    position_quantity: 12,
    avg_cost: 110.5,
    total_realized_pnl: 0.59375,
    unrealized_pnl: 0,
    last_market_price: null,
    last_updated: "2025-07-15 16:00:00",
  },
  eod_pnl: {
    trade_date: "2025-07-15",
    instrument_name: zn,
    opening_position: 0,
    closing_position: -2,
    trades_count: 1,
    realized_pnl: 0.1,
    unrealized_pnl: 0.2,
    total_pnl: 0.3,
  },
  market_prices: {
    bloomberg: "TYU5 Comdty",
    asset_type: "FUTURE",
    px_settle: 110.5,
    px_last: 110.515625,
    upload_timestamp: "2025-07-15 14:00:00",
    upload_date: "2025-07-15",
    upload_hour: 14,
    source_file: "Futures_20250715_1400.csv",
  },
} as const satisfies Partial<Record<LegacyTable, StoredRow>>;
type Written = keyof typeof bare;

describe("fromLegacy", () => {
  it("reads points as exact money and wall time as an instant, and names the columns that modern does not keep", () => {
    expect(read("positions", bare.positions).row.values).toMatchObject({
      realized: "593.75",
      unrealized: "0",
      mark: null,
    });
    // 0.1 + 0.2 is not 0.3 in doubles; the shortest decimals add up.
    expect(read("eod_pnl", bare.eod_pnl)).toMatchObject({
      row: { values: { realized: "100", unrealized: "200" } },
      lost: [],
    });
    expect(read("eod_pnl", { ...bare.eod_pnl, total_pnl: 7 }).lost).toEqual(["total_pnl"]);
    expect(read("market_prices", bare.market_prices)).toMatchObject({
      row: { values: { mark_kind: "last_trade", price: "110.515625", at: "2025-07-15T14:00:00-05:00" } },
      lost: ["px_settle"],
    });
    expect(read("processed_trades", bare.processed_trades).row.values).toMatchObject({
      traded_at: "2025-07-15T13:08:35.561-05:00",
      source_line: null,
      fee: "0",
      occurrence: "1",
    });
    const flat = read("positions", { ...bare.positions, position_quantity: 0, avg_cost: 0 });
    expect(flat.row.values).toMatchObject({ quantity: "0", average_price: null });
  });

  it.each<[string, string, Written, StoredRow, RegExp]>([
    [
      "a whole number for a day",
      "BAD_TIME",
      "eod_pnl",
      { trade_date: "20250715" },
      /trade_date holds the number 20250715/,
    ],
    ["a day that does not exist", "BAD_TIME", "processed_trades", { trade_date: "2025-02-30" }, /trade_date/],
    [
      "a number for a time",
      "BAD_TIME",
      "processed_trades",
      { trade_timestamp: 1_752_600_000 },
      /trade_timestamp/,
    ],
    [
      "a time that occurs twice",
      "AMBIGUOUS_IN_LEGACY",
      "processed_trades",
      { trade_timestamp: "2025-11-02 01:30:00" },
      /occurs twice/,
    ],
    [
      "a time that never occurs",
      "BAD_TIME",
      "positions",
      { last_updated: "2025-03-09 02:30:00" },
      /does not occur/,
    ],
    [
      "text for a price",
      "BAD_NUMBER",
      "processed_trades",
      { price: "awaiting data" },
      /price holds the text "awaiting data"/,
    ],
    [
      "an integer that no double holds",
      "NOT_REPRESENTABLE",
      "eod_pnl",
      { closing_position: "9007199254740993" },
      /cannot hold 9007199254740993/,
    ],
    ["infinity", "BAD_NUMBER", "positions", { unrealized_pnl: Number.POSITIVE_INFINITY }, /unrealized_pnl/],
    [
      "a quantity of zero",
      "BAD_NUMBER",
      "processed_trades",
      { quantity: 0 },
      /quantity must be a decimal above zero/,
    ],
    ["an unknown side", "BAD_TEXT", "processed_trades", { side: "BUY" }, /must hold B or S/],
    ["an unknown symbol", "UNKNOWN_SYMBOL", "positions", { instrument_name: "QQQQ" }, /QQQQ/],
    ["the root of a product", "UNKNOWN_SYMBOL", "market_prices", { bloomberg: "TY" }, /TY/],
    ["NUL in a text", "BAD_TEXT", "processed_trades", { trade_id: "a\0b" }, /NUL/],
    ["an empty id", "BAD_RECORD", "processed_trades", { trade_id: "" }, /field id must be text/],
  ])("refuses %s as %s", (_, code, table, values, because) => {
    const found = fromLegacy(table, stored(table, { ...bare[table], ...values }), tools);
    expect(found).toMatchObject({ code, because: expect.stringMatching(because) });
  });

  it("refuses bytes that are not UTF-8, and a blob", () => {
    const database = new Database(":memory:");
    const [broken] = database.prepare("SELECT CAST(x'ff41' AS TEXT) AS text").pluck().all();
    database.close();
    const holding = (text: unknown) => ({ ...bare.positions, instrument_name: text as string });
    const [text, blob] = [
      stored("positions", bare.positions),
      stored("positions", holding(Buffer.from("Z"))),
    ];
    const cells = { ...text.cells, instrument_name: String(broken) };
    expect(fromLegacy("positions", { id: 1, cells }, tools)).toMatchObject({ code: "BAD_TEXT" });
    expect(fromLegacy("positions", blob, tools)).toMatchObject({
      code: "BAD_TEXT",
      because: 'instrument_name holds the blob "5A"; it must hold text',
    });
  });

  const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 });
  const size = fc.double({ noNaN: true, min: 1e-6, max: 1e6 });
  const when = fc
    .integer({ min: Date.UTC(2025, 2, 10, 6), max: Date.UTC(2025, 9, 31) })
    .map((ms) => new Date(ms).toISOString());
  const wall = when.map((iso) => iso.slice(0, 23).replace("T", " "));

  it("a row of legacy that is mapped to modern and back is unchanged, apart from the columns named as lost", () => {
    fc.assert(
      fc.property(number, number, size, wall, (realized, unrealized, quantity, time) => {
        const rows: readonly [Written, StoredRow][] = [
          [
            "processed_trades",
            { ...bare.processed_trades, quantity, price: realized, trade_timestamp: time },
          ],
          [
            "positions",
            {
              ...bare.positions,
              position_quantity: quantity,
              avg_cost: quantity,
              total_realized_pnl: realized,
              unrealized_pnl: unrealized,
              last_market_price: realized,
              last_updated: time,
            },
          ],
          [
            "eod_pnl",
            {
              ...bare.eod_pnl,
              realized_pnl: realized,
              unrealized_pnl: unrealized,
              total_pnl: realized + unrealized,
            },
          ],
          [
            "market_prices",
            {
              ...bare.market_prices,
              px_last: realized,
              upload_timestamp: time,
              upload_date: time.slice(0, 10),
            },
          ],
        ];
        for (const [table, values] of rows) {
          const { row, lost, stored: asStored } = read(table, values);
          const down = toLegacy(row);
          if ("code" in down) throw new Error(down.because);
          const kept = (change: RowChange) =>
            Object.fromEntries(Object.entries(change.set ?? {}).filter(([column]) => !lost.includes(column)));
          expect(kept(down.change)).toEqual(kept(asStored));
          const unexplained = lost.filter(
            (column) =>
              !["total_pnl", "px_settle", "trade_timestamp", "last_updated", "trade_date"].includes(column),
          );
          expect(unexplained).toEqual([]);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("a record that is mapped to legacy and back is unchanged, apart from what exists in modern only", () => {
    const text = number.map((value) => String(Math.round(value * 1e6) / 1e6));
    const positive = size.map(String);
    /**
     * Returns the values; those that legacy cannot hold are replaced by the defaults of a row from legacy.
     */
    const plain = ({ kind, values }: Row): Row["values"] => ({
      ...values,
      ...("unrealized" in values && { unrealized: values.unrealized ?? "0" }),
      ...(kind === "trade" && { fee: "0", source_line: null }),
      ...(kind === "price" && { mark_kind: "last_trade" }),
    });
    fc.assert(
      fc.property(text, fc.option(text), positive, when, (realized, unrealized, quantity, time) => {
        const day = time.slice(0, 10);
        const records: readonly BridgeRecord[] = [
          {
            kind: "trade",
            id: "1",
            symbol: zn,
            side: "S",
            quantity,
            price: realized,
            fee: "2.05",
            time,
            file: "manual.csv",
            line: 7,
          },
          {
            kind: "position",
            symbol: zn,
            quantity,
            averagePrice: quantity,
            realized,
            unrealized,
            mark: unrealized,
            asOf: time,
          },
          {
            kind: "price",
            symbol: zn,
            mark: realized,
            markKind: "close",
            tradingDay: day,
            at: `${day}T14:00:00-05:00`,
          },
          { kind: "daily_pnl", tradingDay: day, symbol: zn, quantity: "-3", realized, unrealized },
        ];
        const taken = takeRecords(records, tools);
        if ("refusal" in taken) throw new Error(taken.refusal.because);
        for (const row of taken.rows) {
          const down = toLegacy(row);
          if ("code" in down) throw new Error(down.because);
          const { table, key, set, initial } = down.change;
          const written = Object.keys(bare).find((name): name is Written => name === table);
          if (written === undefined) throw new Error(`${table} is mapped`);
          expect(plain(read(written, { ...initial, ...key, ...set }).row)).toEqual(plain(row));
        }
      }),
      { numRuns: 60 },
    );
  });
});
