import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findLedgers, type LedgerInput, readLedgers } from "../../adapters/csv/ledger-reader.ts";
import { parseDecimal } from "../../base/decimal.ts";
import { parsePrice } from "../../domain/market/price-notation.ts";
import { tradingDayRules } from "../../domain/market/trading-day.ts";
import { PnlEngine, statementOf } from "../../engine/index.ts";
import { LegacyDesk } from "../../legacy-desk/index.ts";
import { describerOf, symbolBridge } from "../symbols/symbols.ts";
import { type Desk, daysMax, generateDesk, symbolsMax } from "./index.ts";

const symbols = symbolBridge(undefined);
const describeSymbol = describerOf(symbols);

let folder: string;
let desk: Desk;
let read: LedgerInput;
/** The text of each file by its name. */
let texts: Map<string, string>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "demo-desk-"));
  desk = await generateDesk(join(folder, "default"));
  read = await readDesk(desk);
  texts = await textsOf(desk);
});
afterAll(() => rm(folder, { recursive: true }));

const dayRule = tradingDayRules["chicago-17"];
const readDesk = async ({ ledgers }: Desk): Promise<LedgerInput> =>
  readLedgers(await findLedgers([ledgers]), { dayRule, describe: describeSymbol });

const textsOf = async ({ files }: Desk): Promise<Map<string, string>> =>
  new Map(
    await Promise.all(files.map(async (path) => [basename(path), await readFile(path, "utf8")] as const)),
  );

const text = (name: string): string => texts.get(name) ?? expect.fail(`no ${name}`);
const rowsOf = (name: string): string[][] =>
  text(name)
    .split("\n")
    .slice(1)
    .filter((line) => line !== "")
    .map((line) => line.split(","));
const days = ["20250714", "20250715", "20250716", "20250717", "20250718"];
const allRows = (): string[][] => days.flatMap((day) => rowsOf(`trades_${day}.csv`));

describe("determinism", () => {
  test("the same seed writes the same bytes on every machine", async () => {
    const again = await generateDesk(join(folder, "again"), {
      seed: 1,
      days: 5,
      tradesPerDay: 60,
      symbols: 24,
    });
    expect(await textsOf(again)).toEqual(texts);
  });

  test("another seed writes other trades and other prices", async () => {
    const other = await textsOf(await generateDesk(join(folder, "other"), { seed: 2 }));
    expect([...other.keys()]).toEqual([...texts.keys()]);
    expect(other.get("trades_20250714.csv")).not.toBe(texts.get("trades_20250714.csv"));
    expect(other.get("Futures_20250714_1600.csv")).not.toBe(texts.get("Futures_20250714_1600.csv"));
  });
});

test("a desk has a ledger per day, an empty one of Saturday, and price files of two times a day", async () => {
  expect([...texts.keys()].sort()).toEqual(
    [
      ...days.map((day) => `trades_${day}.csv`),
      "trades_20250719.csv",
      ...days.flatMap((day) =>
        ["1400", "1600"].flatMap((at) => [`Futures_${day}_${at}.csv`, `Options_${day}_${at}.csv`]),
      ),
    ].sort(),
  );
  expect((await readdir(desk.ledgers)).length + (await readdir(desk.prices)).length).toBe(desk.files.length);
});

describe("the ledger reader", () => {
  test("accepts every row except the three that appear in two files", () => {
    expect({ ...read, trades: undefined, files: undefined, notes: undefined }).toMatchObject({
      quarantine: [],
      quarantined: 0,
      duplicates: 3,
      accepted: desk.trades,
      rows: desk.trades + 3,
    });
    expect(desk.trades).toBeGreaterThan(300);
    expect(desk.trades).toBeLessThan(360);
  });

  test("notes the unpadded date, start-of-day rows, expiries at zero and repeated rows", () => {
    const counts = Object.groupBy(read.notes, ({ code }) => code);
    expect(Object.keys(counts).sort()).toEqual([
      "DUPLICATE_ROW",
      "START_OF_DAY",
      "UNPADDED_DATE",
      "ZERO_PRICE",
    ]);
    expect(counts.DUPLICATE_ROW?.map(({ file, line }) => `${file}:${line}`)).toEqual(
      [2, 3, 4].map((n) => `trades_20250716.csv:${n}`),
    );
    expect(counts.START_OF_DAY).toHaveLength(4);
    expect(counts.UNPADDED_DATE).toHaveLength(1);
    const zeroDays = new Set(counts.ZERO_PRICE?.map(({ file }) => file));
    expect(zeroDays.size).toBeGreaterThan(2);
  });

  test("assigns every trade to the day of its file", async () => {
    const byFile = await readLedgers(await findLedgers([desk.ledgers]), {
      dayRule: tradingDayRules["file-name"],
      describe: describeSymbol,
    });
    expect([...read.trades.day.subarray(0, read.accepted)]).toEqual([
      ...byFile.trades.day.subarray(0, byFile.accepted),
    ]);
  });

  test("recognises the futures of all four products and both kinds of options", () => {
    const { instruments } = read.trades;
    const futures = instruments.filter(({ symbol }) => symbol.startsWith("XCMEFFDPSX"));
    expect(futures.map(({ instrument }) => instrument).sort()).toEqual([
      "ZBU2025",
      "ZFU2025",
      "ZNU2025",
      "ZTU2025",
    ]);
    expect(instruments.some(({ symbol }) => symbol.startsWith("XCMEOCADPS"))).toBe(true);
    expect(instruments.some(({ symbol }) => symbol.startsWith("XCMEOPADPS"))).toBe(true);
  });
});

describe("the oddities of the desk", () => {
  test("a session runs in time order from the evening before to four in the afternoon", () => {
    for (const [index, day] of days.entries()) {
      const date = `2025-07-${13 + index}`;
      const own = rowsOf(`trades_${day}.csv`).slice(index === 2 ? 3 : 0);
      const times = own.map(([, , time = ""]) => time.replace("2025-7-", "2025-07-"));
      expect((times[0] ?? "") >= `${date} 17`).toBe(true);
      expect(times[0]?.startsWith(date)).toBe(true);
      expect((times.at(-1) ?? "") < `2025-07-${14 + index} 16:00`).toBe(true);
      expect(times.map((time) => time.slice(0, 19))).toEqual(times.map((time) => time.slice(0, 19)).sort());
    }
  });

  test("quantities and whole prices end in .0, and prices are multiples of the tick", () => {
    const ticks: Record<string, number> = { ZN: 1 / 64, ZB: 1 / 32, ZF: 1 / 128, ZT: 1 / 256 };
    for (const [, symbol = "", , , quantity = "", price = ""] of allRows()) {
      expect(quantity).toMatch(/^[1-9]\d*\.0$/);
      expect(price.trim()).toMatch(/^\d+\.\d+$/);
      expect(Number(price) % (ticks[symbol.slice(-2)] ?? 1 / 64)).toBe(0);
    }
  });

  test("times have milliseconds, microseconds on Tuesday, and no fraction in rows entered by hand", () => {
    const shapes = (day: string) =>
      new Set(rowsOf(`trades_${day}.csv`).map(([, , time = ""]) => time.split(".")[1]?.length ?? 0));
    expect(shapes("20250714")).toEqual(new Set([3, 0]));
    expect(shapes("20250715")).toEqual(new Set([6, 0]));
    expect(shapes("20250716")).toEqual(new Set([6, 3, 0]));
  });

  test("Tuesday ends without newline, Thursday with blank lines, and Saturday has a header only", () => {
    const ends = [...days, "20250719"].map((day) => /\n*$/.exec(text(`trades_${day}.csv`))?.[0].length);
    expect(ends).toEqual([1, 0, 1, 3, 1, 1]);
    expect(text("trades_20250719.csv")).toBe(
      "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n",
    );
  });

  test("one date is unpadded, and one price has a space behind it", () => {
    expect(allRows().filter(([, , time = ""]) => /^2025-7-16 /.test(time))).toHaveLength(1);
    expect(allRows().filter(([, , , , , price = ""]) => price.endsWith(" "))).toHaveLength(1);
  });

  test("one id appears four times in a file, and its rows net to zero", () => {
    const byId = Object.groupBy(rowsOf("trades_20250717.csv"), ([id = ""]) => id);
    const repeated = Object.values(byId).filter((rows) => (rows?.length ?? 0) > 1);
    expect(repeated).toHaveLength(1);
    expect(repeated[0]).toHaveLength(4);
    expect(
      repeated[0]?.reduce(
        (sum, [, , , side, quantity]) => sum + (side === "B" ? 1 : -1) * Number(quantity),
        0,
      ),
    ).toBe(0);
  });

  test("Wednesday begins with the last three rows of Tuesday, all in one symbol", () => {
    const repeated = text("trades_20250716.csv").split("\n").slice(1, 4);
    expect(repeated).toEqual(text("trades_20250715.csv").split("\n").slice(-3));
    expect(new Set(repeated.map((row) => row.split(",")[1]))).toEqual(new Set(["XCMEFFDPSX20250930U0ZT"]));
  });

  test("fills share one time, and positions cross zero in one trade or become flat", () => {
    const symbolTimes = allRows().map(([, symbol, time]) => `${symbol} ${time}`);
    expect(new Set(symbolTimes).size).toBeLessThan(symbolTimes.length - 3);
    const positions = new Map<string, number>();
    let [crossed, flattened] = [0, 0];
    for (const [, symbol = "", , side, quantity] of allRows()) {
      const before = positions.get(symbol) ?? 0;
      const after = before + (side === "B" ? 1 : -1) * Number(quantity);
      if (before * after < 0) crossed += 1;
      if (before !== 0 && after === 0) flattened += 1;
      positions.set(symbol, after);
    }
    expect(crossed).toBeGreaterThan(5);
    expect(flattened).toBeGreaterThan(20);
  });

  test("an expiring option is closed on its day: at zero, or by a future at its strike", () => {
    const engine = new PnlEngine(read.trades, { method: "fifo" });
    engine.feed();
    const { positions } = statementOf(engine, { marks: "last_trade", asOfDay: 0, openedAt: () => false });
    const expired = positions.filter(({ symbol }) => /PS202507(14|15|16|17|18)/.test(symbol));
    expect(expired.length).toBeGreaterThan(5);
    expect(expired.filter(({ quantity }) => quantity !== "0")).toEqual([]);
    const strikes = allRows().filter(
      ([, symbol, time, , , price]) => symbol?.endsWith("ZN") && !time?.includes(".") && price !== "0.0",
    );
    expect(strikes.length).toBeGreaterThan(0);
    for (const [, , , , , price] of strikes) expect(Number(price) % 0.25).toBe(0);
  });
});

test("legacy and modern agree on everything except the symbol whose rows appear in two files", async () => {
  const engine = new PnlEngine(read.trades, { method: "fifo" });
  engine.feed();
  const { positions } = statementOf(engine, { marks: "last_trade", asOfDay: 0, openedAt: () => false });
  const legacy = await new LegacyDesk().history({ ledgers: await findLedgers([desk.ledgers]) });
  expect(legacy.errors).toEqual([]);
  const modern = new Map(positions.map((row) => [row.symbol, row]));
  const differing = legacy.positions.filter(({ symbol, quantity, realized }) => {
    const row = modern.get(symbol);
    return (
      Number(quantity) !== Number(row?.quantity) ||
      Number(realized) * Number(row?.multiplier) !== Number(row?.realized)
    );
  });
  expect(legacy.positions).toHaveLength(positions.length);
  expect(differing.map(({ symbol }) => symbol)).toEqual(["XCMEFFDPSX20250930U0ZT"]);
});

describe("prices", () => {
  test("futures files have the old format with roots and 32nds that look like decimals", () => {
    const [header, ...lines] = text("Futures_20250716_1600.csv").trimEnd().split("\n");
    expect(header).toBe("SYMBOL,PX_LAST,PX_SETTLE,");
    expect(lines.map((line) => line.split(",")[0])).toEqual(["TU", "FV", "TY", "US", "RX"]);
    for (const line of lines.slice(0, 4)) {
      const [, last = "", settle = "", empty] = line.split(",");
      expect(parsePrice(last, "point-32nds")).toBeDefined();
      expect(settle).toBe(last);
      expect(empty).toBe("");
    }
    expect(lines[4]).toMatch(/^RX,1\d\d\.\d{4},1\d\d\.\d{4},$/);
  });

  test("prices of the ten-year note match its trades only if read as 32nds", () => {
    for (const day of days) {
      const written = /^TY,([\d.]+),/m.exec(text(`Futures_${day}_1600.csv`))?.[1] ?? "";
      const { coefficient, scale } = parsePrice(written, "point-32nds") ?? expect.fail(written);
      const traded = rowsOf(`trades_${day}.csv`).filter(
        ([, symbol, , , , price]) => symbol?.endsWith("U0ZN") && Number(price) > 0,
      );
      const last = Number(traded.findLast(([, , time]) => time?.includes("."))?.[5]);
      expect(Math.abs(Number(coefficient) / 10 ** scale - last)).toBeLessThan(0.3);
    }
    const decimals = days.map((day) => /^TY,([\d.]+),/m.exec(text(`Futures_${day}_1600.csv`))?.[1]);
    expect(decimals.some((written) => Number(written) % (1 / 64) !== 0)).toBe(true);
  });

  test("at 14:00 the settlement is that of the day before", () => {
    const settle = (name: string): string[] =>
      text(name)
        .split("\n")
        .map((line) => line.split(",")[2] ?? "");
    expect(settle("Futures_20250716_1400.csv")).toEqual(settle("Futures_20250715_1600.csv"));
    expect(settle("Futures_20250716_1400.csv")).not.toEqual(settle("Futures_20250716_1600.csv"));
  });

  test("options have Bloomberg names and prices in 64ths, and expired ones have no price", () => {
    const [header, ...lines] = text("Options_20250716_1400.csv").trimEnd().split("\n");
    expect(header).toBe("SYMBOL,PX_LAST,PX_SETTLE,EXPIRE_DT,MONEYNESS,,");
    const rows = lines.map((line) => line.split(","));
    expect(rows.map(([symbol = ""]) => symbol.slice(0, 4))).toEqual(
      expect.arrayContaining(["VBYN", "TJPN", "TYWN", "TJWN", "3MN5"]),
    );
    for (const [symbol, last, settle, expiry = "", moneyness, ...empty] of rows) {
      expect(symbol).toMatch(/^(?:(?:VBY|TJP|TYW|TJW)N25[CP][1-5]|3MN5[CP]) 1\d\d\.\d{3} Comdty$/);
      expect(["OTM", "ITM"]).toContain(moneyness);
      expect(empty).toEqual(["", ""]);
      const gone = Number(expiry.split("/")[1]) < 16;
      for (const price of [last, settle])
        if (gone) expect(price).toBe("#N/A Field Not Applicable");
        else expect(Number(parseDecimal(price ?? "")?.coefficient) > 0 && Number(price) % (1 / 64)).toBe(0);
    }
  });
});

test("desks of other sizes are read without a refusal", async () => {
  for (const [name, options] of Object.entries({
    day: { days: 1 },
    month: { days: daysMax, tradesPerDay: 20 },
    single: { symbols: 1, days: 4 },
    many: { symbols: symbolsMax, days: 2, tradesPerDay: 2_000 },
  })) {
    const made = await generateDesk(join(folder, name), options);
    const input = await readDesk(made);
    expect([input.quarantined, input.accepted], name).toEqual([0, made.trades]);
    expect(input.notes.filter(({ code }) => code === "UNKNOWN_PRODUCT")).toEqual([]);
    if (name === "single") expect(input.trades.instruments).toHaveLength(1);
    if (name === "many") expect(input.trades.instruments.length).toBeGreaterThan(150);
    if (name === "month") {
      const all = [...(await textsOf(made)).values()].join("\n");
      const names = [
        "PS20250725Q0OZN/",
        "TYQ5C 11",
        "PS20250801Q0ZN1/",
        "1MQ5P 11",
        "PS20250822U0OZN/",
        "PS20250725N0ZN4/",
      ];
      expect(names.filter((part) => all.includes(part))).toEqual(names.slice(0, -1));
    }
  }
});

test("settings out of range are refused, and an unwritable folder is reported", async () => {
  await expect(generateDesk(folder, { days: 0 })).rejects.toThrow(
    "days must be a whole number from 1 to 30, not 0",
  );
  await expect(generateDesk(folder, { seed: 0.5 })).rejects.toThrow(RangeError);
  const file = join(folder, "a-file");
  await writeFile(file, "");
  await expect(generateDesk(join(file, "desk"))).rejects.toMatchObject({ code: "UNWRITABLE" });
});
