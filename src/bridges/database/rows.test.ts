import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeSymbol } from "../../app/symbols/symbols.ts";
import { parseFigure } from "../../base/fraction.ts";
import { nearestDouble } from "../../base/nearest-double.ts";
import { readInstant } from "../../domain/market/chicago-time.ts";
import { tradingDayRules } from "../../domain/market/trading-day.ts";
import type { BridgeRecord, PositionRecord, TradeRecord } from "../../ports/records.ts";
import { toLegacy } from "./legacy-rows.ts";
import { type Row, takeRecords } from "./record-intake.ts";

const tools = {
  describe: describeSymbol,
  dayRule: tradingDayRules["chicago-17"],
  digest: (text: string) => createHash("sha256").update(text).digest("hex"),
};
const zn = "XCMEFFDPSX20250919U0ZN";
const trade: TradeRecord = {
  kind: "trade",
  id: "148",
  symbol: zn,
  book: "UST",
  side: "B",
  quantity: "2",
  price: "110.515625",
  time: "2025-07-15T13:08:35.561-05:00",
  file: "trades_20250715.csv",
  line: 67,
};
const position: PositionRecord = {
  kind: "position",
  symbol: zn,
  quantity: "12",
  averagePrice: "1327/12",
  realized: "593.75",
  unrealized: null,
  asOf: "2025-07-15T16:00:00-05:00",
};
const price: BridgeRecord = {
  kind: "price",
  symbol: zn,
  mark: "110.5",
  markKind: "close",
  tradingDay: "2025-07-15",
  at: "2025-07-15T14:00:00-05:00",
};
const daily: BridgeRecord = {
  kind: "daily_pnl",
  tradingDay: "2025-07-15",
  symbol: zn,
  book: "UST",
  quantity: "-2.5",
  realized: "15.625",
  unrealized: "-31.25",
};

const take = (...records: readonly unknown[]) => takeRecords(records, tools);
const rowOf = (record: unknown): Row => {
  const taken = take(record);
  if ("refusal" in taken) throw new Error(taken.refusal.because);
  const [row] = taken.rows;
  if (row === undefined) throw new Error("the record has no row");
  return row;
};

describe("takeRecords", () => {
  it("reads each kind of record into the columns of modern's tables", () => {
    expect(rowOf(trade)).toMatchObject({
      multiplier: "1000",
      values: {
        instrument: "ZNU2025",
        quantity: "2",
        fee: "0",
        traded_at: trade.time,
        trading_day: "2025-07-15",
        occurrence: "1",
      },
    });
    expect(rowOf(position).values).toMatchObject({
      book: "",
      average_price: "1327/12",
      unrealized: null,
      mark: null,
    });
    expect(rowOf(price).values).toMatchObject({
      instrument: "ZNU2025",
      mark_kind: "close",
      price: "110.5",
      source: "",
    });
    expect(rowOf(daily).values).toMatchObject({ trading_day: "2025-07-15", book: "UST", quantity: "-2.5" });
  });

  it("gives equal records equal rows, however their numbers and times are written", () => {
    const same = {
      ...trade,
      quantity: "2.0",
      price: "1.10515625e2",
      time: "2025-07-15T18:08:35.561000Z",
      occurrence: 1,
      fee: "-0",
    };
    expect(rowOf(same)).toEqual(rowOf(trade));
    // The trade key contains the instrument and not the symbol, so all names of an instrument give one key.
    expect(rowOf({ ...trade, symbol: "TYU5 Comdty" }).values.trade_key).toBe(rowOf(trade).values.trade_key);
  });

  const others = {
    id: "149",
    symbol: "XCMEFFDPSX20250930U0ZF",
    book: "EGB",
    side: "S",
    quantity: "3",
    price: "110",
    occurrence: 2,
  };
  it.each([...Object.entries(others), ["time", "2025-07-15T13:08:35.561001-05:00"]])(
    "gives a trade with another %s another key",
    (field, value) => {
      expect(rowOf({ ...trade, [field]: value }).values.trade_key).not.toBe(rowOf(trade).values.trade_key);
    },
  );

  it.each([
    ["fee", "2.05"],
    ["file", "trades_20250716.csv"],
    ["line", 68],
  ])("makes the same trade key whatever the %s", (field, value) => {
    expect(rowOf({ ...trade, [field]: value }).values.trade_key).toBe(rowOf(trade).values.trade_key);
  });

  it.each([
    ["a value that is not a list", "BAD_RECORD", null],
    ["no record at all", "BAD_RECORD", []],
    ["a record that is not an object", "BAD_RECORD", ["trade"]],
    ["an unknown kind", "BAD_RECORD", [{ ...trade, kind: "fill" }]],
    [
      "an unknown field, with the one that was meant",
      "BAD_RECORD",
      [{ ...position, avgPrice: "110" }],
      /averagePrice/,
    ],
    ["a missing field", "BAD_RECORD", [{ ...trade, price: undefined }], /price is missing/],
    ["a number where text belongs", "BAD_RECORD", [{ ...trade, price: 110.5 }], /must be text/],
    ["no id", "BAD_RECORD", [{ ...trade, id: "" }]],
    ["a name longer than 200 characters", "BAD_RECORD", [{ ...trade, file: "f".repeat(201) }]],
    ["a side other than B and S", "BAD_RECORD", [{ ...trade, side: "buy" }]],
    ["a line number of 0", "BAD_RECORD", [{ ...trade, line: 0 }]],
    ["half of a surrogate pair", "BAD_TEXT", [{ ...trade, book: "U\ud800" }]],
    ["NUL", "BAD_TEXT", [{ ...trade, file: "a\0b" }]],
    ["NaN", "BAD_NUMBER", [{ ...trade, price: "NaN" }]],
    ["infinity", "BAD_NUMBER", [{ ...position, realized: "Infinity" }]],
    ["a quantity of zero", "BAD_NUMBER", [{ ...trade, quantity: "0" }]],
    ["a quotient by zero", "BAD_NUMBER", [{ ...position, averagePrice: "1/0" }]],
    ["more digits than any price has", "BAD_NUMBER", [{ ...trade, price: "1".repeat(401) }]],
    ["a time without an offset", "BAD_TIME", [{ ...trade, time: "2025-07-15T13:08:35" }]],
    ["nanoseconds", "BAD_TIME", [{ ...trade, time: "2025-07-15T13:08:35.5610000-05:00" }]],
    ["a day that does not exist", "BAD_TIME", [{ ...daily, tradingDay: "2025-02-30" }]],
    ["an unknown symbol", "UNKNOWN_SYMBOL", [{ ...trade, symbol: "QQQQ" }]],
    ["one row twice", "BAD_RECORD", [trade, position, trade], /records 1 and 3/],
  ])("refuses a write with %s", (_, code, records, because = /./) => {
    expect(takeRecords(records, tools)).toMatchObject({
      refusal: { code, because: expect.stringMatching(because) },
    });
  });
});

describe("toLegacy", () => {
  const legacyOf = (record: unknown) => {
    const mapped = toLegacy(rowOf(record));
    return "change" in mapped ? mapped.change : mapped;
  };

  it("maps each kind to its table, with money in points and times in Chicago wall time", () => {
    expect(legacyOf(trade)).toMatchObject({
      table: "processed_trades",
      key: { trade_id: "148", source_file: "trades_20250715.csv" },
      set: {
        trade_date: "2025-07-15",
        trade_timestamp: "2025-07-15 13:08:35.561",
        quantity: 2,
        price: 110.515625,
        side: "B",
      },
    });
    expect(legacyOf(position)).toMatchObject({
      table: "positions",
      set: { position_quantity: 12, avg_cost: 1327 / 12, total_realized_pnl: 0.59375, unrealized_pnl: 0 },
    });
    expect(legacyOf(price)).toMatchObject({
      table: "market_prices",
      set: { px_settle: 110.5, px_last: 110.5 },
      initial: { asset_type: "FUTURE", upload_hour: 14 },
    });
    expect(legacyOf(daily)).toMatchObject({
      table: "eod_pnl",
      set: { realized_pnl: 0.015625, total_pnl: -0.015625 },
    });
  });

  it("deletes the row of a flat position", () => {
    expect(legacyOf({ ...position, quantity: "-0", averagePrice: null })).toMatchObject({
      table: "positions",
      set: null,
    });
  });

  it("takes the day of a trade from its time if the file's name has no day", () => {
    const late = { ...trade, file: "manual.csv", time: "2025-07-16T02:00:00Z" };
    expect(legacyOf(late)).toMatchObject({ set: { trade_date: "2025-07-15" } });
  });

  it.each([
    ["a quantity that no double holds", "NOT_REPRESENTABLE", { ...trade, quantity: "9007199254740993" }],
    [
      "a price of more digits than a double has",
      "NOT_REPRESENTABLE",
      { ...trade, price: "110.1234567890123456" },
    ],
    ["a figure beyond all doubles", "NOT_REPRESENTABLE", { ...position, realized: "1e399" }],
    [
      "the first of two equal wall times",
      "AMBIGUOUS_IN_LEGACY",
      { ...trade, time: "2025-11-02T01:30:00-05:00" },
    ],
    [
      "the second of two equal wall times",
      "AMBIGUOUS_IN_LEGACY",
      { ...trade, time: "2025-11-02T01:30:00-06:00" },
    ],
  ])("refuses %s", (_, code, record) => {
    expect(legacyOf(record)).toMatchObject({ code, because: expect.any(String) });
  });

  it("stores exact fields so that they are read back unchanged, and derived fields as the nearest double", () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true, min: 1e-6, max: 1e9 }).map(String);
    const instant = fc
      .integer({ min: Date.UTC(2020, 0, 1), max: Date.UTC(2030, 0, 1) })
      .map((ms) => new Date(ms).toISOString());
    fc.assert(
      fc.property(number, number, number, instant, (quantity, mark, realized, time) => {
        const written = legacyOf({ ...trade, quantity, price: mark, time, symbol: zn });
        if ("code" in written) expect(written.code).toBe("AMBIGUOUS_IN_LEGACY");
        else {
          const { set } = written;
          const row = rowOf({ ...trade, quantity, price: mark, time });
          expect(
            rowOf({ ...trade, quantity: String(set?.quantity), price: String(set?.price), time }).values,
          ).toEqual(row.values);
          expect(readInstant(String(set?.trade_timestamp))?.instantUs).toBe(readInstant(time)?.instantUs);
        }
        const kept = legacyOf({ ...position, realized });
        const exact = parseFigure(realized);
        if (!("set" in kept) || exact === undefined) throw new Error("the position is not kept");
        const points = { numerator: exact.numerator, denominator: exact.denominator * 1000n };
        expect(kept.set?.total_realized_pnl).toBe(nearestDouble(points));
      }),
    );
  });
});
