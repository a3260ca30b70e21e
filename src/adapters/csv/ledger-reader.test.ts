import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { parse } from "csv-parse/sync";
import { Decimal } from "decimal.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runs, variant } from "../../../test/campaigns.ts";
import { describerOf, symbolBridge } from "../../app/symbols/symbols.ts";
import { formatDecimal } from "../../base/decimal.ts";
import { BridgeError } from "../../base/errors.ts";
import { formatInstant, parseInstant } from "../../domain/market/chicago-time.ts";
import { findingCount } from "../../domain/market/finding-codes.ts";
import { formatDay, tradingDayRules } from "../../domain/market/trading-day.ts";
import { ledgerColumns } from "./ledger-lines.ts";
import { findLedgers, type LedgerInput, type LedgerOptions, readLedgers } from "./ledger-reader.ts";
import { notesMaxPerCode, quarantineMax } from "./note-log.ts";
import { lineBytesMax } from "./row-fields.ts";

const symbols = symbolBridge(undefined);
const describeSymbol = describerOf(symbols);

let folder = "";
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ledgers-"));
});
afterAll(() => rm(folder, { recursive: true }));

type Content = string | Uint8Array;
const header = `${ledgerColumns.join(",")}\n`;
const known = { instrument: null, multiplier: "1", currency: "USD" };
const options: LedgerOptions = { dayRule: tradingDayRules["chicago-17"], describe: () => known };

/** Writes files into one new folder, in the order given. */
async function put(files: Readonly<Record<string, Content>>): Promise<readonly string[]> {
  const home = join(folder, String(count++));
  await mkdir(home);
  const paths: string[] = [];
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(home, name, ".."), { recursive: true });
    await writeFile(join(home, name), content);
    paths.push(join(home, name));
  }
  return paths;
}

const readFiles = async (
  files: Readonly<Record<string, Content>>,
  given: Partial<LedgerOptions> = {},
  chunkBytes?: number,
) => readLedgers(await put(files), { ...options, ...given }, chunkBytes);
const readOne = (content: Content, given: Partial<LedgerOptions> = {}, chunkBytes?: number) =>
  readFiles({ "trades_20250724.csv": content }, given, chunkBytes);
const readRows = (...rows: readonly string[]) => readOne(header + rows.map((row) => `${row}\n`).join(""));

/** All fields of each trade as text. */
function tradesOf({ trades, files }: LedgerInput) {
  return Array.from({ length: trades.length }, (_, trade) => {
    const { book, symbol } = trades.instruments[
      trades.lane[trade] as number
    ] as (typeof trades.instruments)[number];
    const fee = trades.fee.get(trade);
    return {
      id: trades.id(trade),
      symbol,
      time: formatInstant(trades.timeUs[trade] as number),
      side: trades.side[trade] === 1 ? "B" : "S",
      quantity: formatDecimal(trades.quantity.at(trade)),
      price: formatDecimal(trades.price.at(trade)),
      ...(book === undefined ? {} : { book }),
      ...(fee === undefined ? {} : { fee: formatDecimal(fee) }),
      day: formatDay(trades.day[trade] as number),
      at: `${files[trades.file[trade] as number]}:${trades.line[trade]}`,
    };
  });
}
/** Returns the whole result of reading in a form that can be compared. */
const shown = (input: LedgerInput) => {
  const { quarantine, notes, rows, accepted, duplicates, quarantined } = input;
  return { trades: tradesOf(input), quarantine, notes, rows, accepted, duplicates, quarantined };
};
const codes = (found: readonly { readonly line: number; readonly code: string }[]) =>
  found.map(({ line, code }) => `${line} ${code}`);
const counts = ({ rows, accepted, duplicates, quarantined }: LedgerInput) => [
  rows,
  accepted,
  duplicates,
  quarantined,
];

const good = "7,X,2025-07-24 09:30:59.046,B,1.0,110.015625";
const goodTrade = {
  id: "7",
  symbol: "X",
  time: "2025-07-24T09:30:59.046-05:00",
  side: "B",
  quantity: "1",
  price: "110.015625",
  day: "2025-07-24",
  at: "trades_20250724.csv:2",
};

describe("the reader of one file", () => {
  it("reads every field of a row", async () => {
    const input = await readRows(good);
    expect(shown(input)).toEqual({
      trades: [goodTrade],
      quarantine: [],
      notes: [],
      rows: 1,
      accepted: 1,
      duplicates: 0,
      quarantined: 0,
    });
  });

  const bytesOf = (...parts: readonly (string | readonly number[])[]) =>
    Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.from(part))));
  const bom = [0xef, 0xbb, 0xbf];
  it.each<[string, Content]>([
    ["no newline at the end", header + good],
    ["CRLF", `${header}${good}\n`.replaceAll("\n", "\r\n")],
    ["CRLF, and no newline at the end", `${header}${good}`.replaceAll("\n", "\r\n")],
    ["a BOM", bytesOf(bom, header, good)],
    ["a BOM before its row", bytesOf(header, bom, good)],
    ["a BOM and CRLF", bytesOf(bom, `${header}${good}\n`.replaceAll("\n", "\r\n"))],
    ["blank lines after it", `${header}${good}\n\n \t\n\r\n\n`],
    [
      "spaces and tabs around the fields",
      `${header.replaceAll(",", " , ")} ${good.replaceAll(",", "\t, ")}  \n`,
    ],
    ["quotes", `"${header.trim().replaceAll(",", '","')}"\n"${good.replaceAll(",", '","')}"`],
    ["quotes with spaces outside and inside", `${header} " ${good.replaceAll(",", ' " , " ')} " \n`],
    ["another form of the same numbers", `${header}7,X,2025-07-24 09:30:59.046000,B,+1,1.10015625e2\n`],
    [
      "leading and trailing zeros",
      `${header}7,X,2025-07-24 09:30:59.04600,B,0001.000000000000000000000000,0110.0156250\n`,
    ],
  ])("reads the same trade with %s", async (_what, content) => {
    const input = await readOne(content);
    expect(tradesOf(input)).toEqual([goodTrade]);
    expect([input.quarantine, input.notes, input.rows]).toEqual([[], [], 1]);
  });

  it("counts blank lines as lines and not as rows", async () => {
    const input = await readOne(`${header}\n\n${good}\n  \nbad\n`);
    expect(tradesOf(input).map(({ at }) => at)).toEqual(["trades_20250724.csv:4"]);
    expect([codes(input.quarantine), counts(input)]).toEqual([["6 MISSING_COLUMN"], [2, 1, 0, 1]]);
  });

  it("reads mixed fractions of a second to the microsecond", async () => {
    const times = [
      "09:30:59",
      "09:30:59.0",
      "09:30:59.9",
      "09:30:59.046",
      "09:30:59.986000",
      "09:30:59.000001",
      "23:59:59.999999",
    ];
    const input = await readRows(...times.map((time) => `1,X,2025-07-24 ${time},B,1,1`));
    expect(tradesOf(input).map(({ time }) => time.slice(11, -6))).toEqual([
      "09:30:59",
      "09:30:59",
      "09:30:59.900",
      "09:30:59.046",
      "09:30:59.986",
      "09:30:59.000001",
      "23:59:59.999999",
    ]);
    expect(input.notes).toEqual([]);
  });

  it("finds no rows in a header alone", async () => {
    for (const content of [header, header.trim(), `${header}\n\n`]) {
      const input = await readOne(content);
      expect([counts(input), input.quarantine, input.notes]).toEqual([[0, 0, 0, 0], [], []]);
    }
  });

  it("accepts the columns in any order, with books and fees", async () => {
    const input = await readOne(
      [
        "fee,price,quantity,buySell,marketTradeTime,instrumentName,tradeId,book",
        "1.25,110,2,S,2025-07-24 09:00:00,X,1,UST",
        ",110,2,S,2025-07-24 09:00:00,X,2,",
        "-0.5,110,2,S,2025-07-24 09:00:00,X,3,Crédit agricole",
        "zero,110,2,S,2025-07-24 09:00:00,X,4,UST",
      ].join("\n"),
    );
    expect(tradesOf(input).map(({ id, book, fee }) => [id, book, fee])).toEqual([
      ["1", "UST", "1.25"],
      ["2", undefined, undefined],
      ["3", "Crédit agricole", "-0.5"],
    ]);
    expect(codes(input.quarantine)).toEqual(["5 BAD_FEE"]);
    expect(input.trades.instruments).toHaveLength(3);
  });

  it("does not give the fee of a refused row to the next trade", async () => {
    const withFee = `${header.trim()},fee\n1,X,never,B,1,1,7.5\n`;
    const input = await readFiles({ "trades_20250723.csv": withFee, "trades_20250724.csv": header + good });
    expect(tradesOf(input)).toEqual([goodTrade]);
  });

  it("distinguishes books that differ in one byte, in a file that is not UTF-8", async () => {
    const row = (byte: number) =>
      Buffer.concat([Buffer.from(`${good},Caf`), Buffer.from([byte]), Buffer.from("\n")]);
    const input = await readOne(
      Buffer.concat([Buffer.from(`${header.trim()},book\n`), row(0xe8), row(0xe9)]),
    );
    expect(tradesOf(input).map(({ book }) => book)).toEqual(["Cafè", "Café"]);
    expect(input.trades.instruments).toHaveLength(2);
  });

  it("keeps numbers of forty digits, and ids of any length, exactly", async () => {
    const quantity = "1234567890123456789012345678901234567890";
    const price = "0.1234567890123456789012345678901234567891";
    const ids = ["9007199254740993", "999999999999999", "007", "TRD20250715_006", "0", "-1", "1e3"];
    const input = await readRows(...ids.map((id) => `${id},X,2025-07-24 09:00:00,B,${quantity},${price}`));
    expect(tradesOf(input).map(({ id, quantity, price }) => [id, quantity, price])).toEqual(
      ids.map((id) => [id, quantity, price]),
    );
  });

  it("accepts prices of zero, negative prices and rows of midnight, with a note", async () => {
    const input = await readRows(
      "1,X,2025-07-24 00:00:00.000,B,1000.0,0.0",
      "2,X,2025-07-24 00:00:00.500,B,1,110",
      "3,X,2025-07-24 15:00:00,S,500,0",
      "4,X,2025-07-24 15:00:01,S,500,-0.25",
      "5,X,2025-07-24 00:00,S,1,1",
    );
    expect(tradesOf(input).map(({ price }) => price)).toEqual(["0", "110", "0", "-0.25"]);
    expect(codes(input.notes)).toEqual([
      "2 ZERO_PRICE",
      "2 START_OF_DAY",
      "4 ZERO_PRICE",
      "5 NEGATIVE_PRICE",
    ]);
    expect(codes(input.quarantine)).toEqual(["6 BAD_TIME"]);
  });

  it("accepts an unknown product, with one note", async () => {
    const input = await readOne(`${header}${good}\n${good}\n`, { describe: () => undefined });
    expect(input.trades.instruments).toEqual([
      { symbol: "X", instrument: null, multiplier: "1", currency: "XXX" },
    ]);
    expect([codes(input.notes), input.accepted]).toEqual([["2 UNKNOWN_PRODUCT"], 2]);
  });
});

describe("a bad row goes to quarantine", () => {
  const rows: readonly [what: string, row: string, code: string, says?: string][] = [
    ["an unknown side", "7,X,2025-07-24 09:00:00,X,1,1", "BAD_SIDE", '"X"'],
    ["a side in small letters", "7,X,2025-07-24 09:00:00,b,1,1", "BAD_SIDE"],
    ["a side in full", "7,X,2025-07-24 09:00:00,BUY,1,1", "BAD_SIDE"],
    ["no side", "7,X,2025-07-24 09:00:00,,1,1", "BAD_SIDE"],
    ["a negative quantity", "7,X,2025-07-24 09:00:00,B,-1,1", "BAD_QUANTITY", "above zero, not -1"],
    ["a quantity of zero", "7,X,2025-07-24 09:00:00,B,0.0,1", "BAD_QUANTITY", "above zero"],
    ["a quantity of minus zero", "7,X,2025-07-24 09:00:00,B,-0,1", "BAD_QUANTITY"],
    [
      "a negative quantity of many digits",
      `7,X,2025-07-24 09:00:00,B,-${"9".repeat(30)},1`,
      "BAD_QUANTITY",
      "above zero",
    ],
    ["no quantity", "7,X,2025-07-24 09:00:00,B,,1", "BAD_QUANTITY"],
    ["an unreadable quantity", "7,X,2025-07-24 09:00:00,B,1.0.0,1", "BAD_QUANTITY", '"1.0.0"'],
    ["a thousands separator in quotes", '7,X,2025-07-24 09:00:00,B,"1,000",1', "BAD_QUANTITY", "1,000"],
    ["an unreadable price", "7,X,2025-07-24 09:00:00,B,1,110-16", "BAD_PRICE", '"110-16"'],
    ["no price", "7,X,2025-07-24 09:00:00,B,1,", "BAD_PRICE"],
    ["a lone point", "7,X,2025-07-24 09:00:00,B,1,.", "BAD_PRICE"],
    ["a lone sign", "7,X,2025-07-24 09:00:00,B,1,-", "BAD_PRICE"],
    ["not a number", "7,X,2025-07-24 09:00:00,B,1,nan", "BAD_PRICE"],
    ["an endless number", "7,X,2025-07-24 09:00:00,B,1,1e999", "BAD_PRICE"],
    ["a hexadecimal number", "7,X,2025-07-24 09:00:00,B,1,0x10", "BAD_PRICE"],
    ["a row of commas", ",,,,,", "EMPTY_ROW", "every field of the row is empty; delete the line"],
    ["no id", ",X,2025-07-24 09:00:00,B,1,1", "BAD_ID"],
    ["no instrument", "7,,2025-07-24 09:00:00,B,1,1", "BAD_SYMBOL"],
    ["no time", "7,X,,B,1,1", "BAD_TIME"],
    ["a date alone", "7,X,2025-07-24,B,1,1", "BAD_TIME"],
    ["a date that does not exist", "7,X,2025-02-29 09:00:00,B,1,1", "BAD_TIME", "2025-02-29"],
    ["a date that does not exist, without its zeros", "7,X,2025-2-29 09:00:00,B,1,1", "BAD_TIME"],
    ["an hour that does not exist", "7,X,2025-07-24 24:00:00,B,1,1", "BAD_TIME"],
    ["a minute that does not exist", "7,X,2025-07-24 09:60:00,B,1,1", "BAD_TIME"],
    ["a leap second", "7,X,2025-07-24 09:59:60,B,1,1", "BAD_TIME"],
    ["an ambiguous date", "7,X,07/08/2025 09:00:00,B,1,1", "BAD_TIME"],
    ["half a microsecond", "7,X,2025-07-24 09:00:00.0000005,B,1,1", "BAD_TIME"],
    ["a letter in the fraction", "7,X,2025-07-24 09:00:00.00O,B,1,1", "BAD_TIME"],
    ["a year before Chicago's clock is known", "7,X,1066-10-14 09:00:00,B,1,1", "BAD_TIME"],
    ["a year for which Chicago's clock is not known yet", "7,X,9999-12-31 09:00:00,B,1,1", "BAD_TIME"],
    [
      "an hour that daylight time skips",
      "7,X,2025-03-09 02:30:00,B,1,1",
      "BAD_TIME",
      "does not exist in Chicago",
    ],
    [
      "an hour that daylight time skips, on a date without its zeros",
      "7,X,2025-3-9 02:30:00,B,1,1",
      "BAD_TIME",
    ],
    ["a missing column", "7,X,2025-07-24 09:00:00,B,1", "MISSING_COLUMN", "only 5 of the 6"],
    ["two quotes", '""', "MISSING_COLUMN"],
    ["one quote", '"', "BAD_QUOTING"],
    ["one word", "nonsense", "MISSING_COLUMN", "only 1 of the 6"],
    ["a surplus column", "7,X,2025-07-24 09:00:00,B,1,1,", "SURPLUS_COLUMN", "7 columns"],
    ["a hundred columns", ",".repeat(99), "SURPLUS_COLUMN"],
    ["an open quote", '7,"X,2025-07-24 09:00:00,B,1,1', "BAD_QUOTING"],
    ["text behind a quote", '7,"X"Y,2025-07-24 09:00:00,B,1,1', "BAD_QUOTING"],
    ["the header again", header.trim(), "BAD_SIDE"],
    ["a NUL byte in a symbol", "7,X\0,2025-07-24 09:00:00,B,1,1", "NOT_TEXT"],
    ["a date of NUL bytes", `7,X,${"\0".repeat(10)} 09:00:00,B,1,1`, "NOT_TEXT"],
  ];
  it.each(rows)("%s", async (_what, row, code, says = "") => {
    const input = await readOne(`${header}${row}\n${good}\n`);
    const text = row.replaceAll("\0", "·");
    expect(input.quarantine).toEqual([
      { file: "trades_20250724.csv", line: 2, code, text, why: expect.stringContaining(says) },
    ]);
    expect(tradesOf(input)).toEqual([{ ...goodTrade, at: "trades_20250724.csv:3" }]);
    expect(counts(input)).toEqual([2, 1, 0, 1]);
    // The row is refused alike without a final newline, with CRLF, and at the end of the buffer.
    for (const content of [header + row, `${header}${row}\r\n`])
      expect((await readOne(content)).quarantine).toMatchObject([{ code, text }]);
  });

  it("as a whole if a quoted field extends over several lines, none of which is read as a row", async () => {
    const inner = "8,X,2025-07-24 09:00:00,B,1000,1";
    const last = good.replace("7,", "9,");
    for (const chunk of [undefined, 1, 7, 100]) {
      const content = `${header}6,"X\n${inner}\n""\n",2025-07-24 09:00:00,B,1,1\n${last}\n`;
      const input = await readOne(content, {}, chunk);
      expect(tradesOf(input)).toEqual([{ ...goodTrade, id: "9", at: "trades_20250724.csv:6" }]);
      expect(input.quarantine).toMatchObject([
        {
          line: 2,
          code: "BAD_QUOTING",
          why: "a quoted field extends over 4 lines; write each row in one line",
        },
      ]);
      expect(counts(input)).toEqual([2, 1, 0, 1]);
    }
  });

  it("by itself if its quote is never closed, and the rows after it are read", async () => {
    const rows = `${good}\n`.repeat(2_000);
    for (const chunk of [undefined, 1_000]) {
      const input = await readOne(`${header}7,"X,2025-07-24 09:00:00,B,1,1\n${rows}`, {}, chunk);
      expect([counts(input), codes(input.quarantine)]).toEqual([[2_001, 2_000, 0, 1], ["2 BAD_QUOTING"]]);
    }
  });

  it("with its text cut to 200 characters and without control characters", async () => {
    const [short, long] = (await readRows("a\u001b[31m\tb", "é".repeat(300))).quarantine;
    expect(short?.text).toBe("a·[31m b");
    expect(long?.text).toBe(`${"é".repeat(200)}…`);
  });

  it("if the day rule file-name finds no day in the file's name", async () => {
    const rule = { dayRule: tradingDayRules["file-name"] };
    const none = await readFiles({ "trades_latest.csv": `${header}${good}\n` }, rule);
    expect([codes(none.quarantine), counts(none)]).toEqual([["2 NO_TRADING_DAY"], [1, 0, 0, 1]]);
    const named = await readFiles({ "trades_20250801.csv": `${header}${good}\n` }, rule);
    expect(tradesOf(named).map(({ day }) => day)).toEqual(["2025-08-01"]);
    const impossible = await readFiles({ "trades_20250231.csv": `${header}${good}\n` }, rule);
    expect(codes(impossible.quarantine)).toEqual(["2 NO_TRADING_DAY"]);
  });

  it("if a crash left it half-written, and the rows before it are accepted", async () => {
    for (const tail of ["\0".repeat(5_000), `8,X,2025-07-24 09${"\0".repeat(5_000)}`, "8,X,2025-07-2"]) {
      const input = await readOne(`${header}${good}\n${tail}`);
      expect(tradesOf(input)).toEqual([goodTrade]);
      expect(codes(input.quarantine)).toEqual([tail.includes("\0") ? "3 NOT_TEXT" : "3 MISSING_COLUMN"]);
    }
  });

  it("never because of earlier bytes in the read buffer", async () => {
    // After the last read, the buffer still has bytes of an earlier line behind the file's end. Here they
    // begin with a quote.
    const last = '"8","X","2025-07-24 09:00:00","B","1","1"';
    const before = `${"9".repeat(last.length)}"""\n`;
    const input = await readOne(header + before + last, {}, before.length);
    expect(tradesOf(input).map(({ id }) => id)).toEqual(["8"]);
  });

  it("and is listed up to the hundred thousandth, then counted", { timeout: 120_000 }, async () => {
    const bad = 100_500;
    const input = await readOne(`${header}${"x\n".repeat(bad)}${good}\n`);
    expect(counts(input)).toEqual([bad + 1, 1, 0, bad]);
    expect(input.quarantine).toHaveLength(quarantineMax + 1);
    expect(input.quarantine.at(-1)).toMatchObject({ code: "MORE", why: "and 500 more refused rows" });
    expect(input.quarantine.at(-2)).toMatchObject({ line: quarantineMax + 1 });
    expect(findingCount(input.quarantine)).toBe(bad);
  });

  it("but a row with a note is accepted; a thousand notes of a kind are listed, then counted", async () => {
    const input = await readOne(header + "1,X,2025-07-24 09:00:00,B,1,0\n".repeat(notesMaxPerCode + 5));
    expect(input.notes).toHaveLength(notesMaxPerCode + 1);
    expect(input.notes.at(-1)).toMatchObject({
      code: "ZERO_PRICE",
      why: "and 5 more rows like the 1000 listed",
    });
    expect(findingCount(input.notes)).toBe(notesMaxPerCode + 5);
  });
});

describe("a time that can be read", () => {
  it.each<[time: string, instant: string, note: string | undefined]>([
    ["2025-08-1 15:59:00.908", "2025-08-01T15:59:00.908-05:00", "UNPADDED_DATE"],
    ["2025-8-01 15:59:00", "2025-08-01T15:59:00-05:00", "UNPADDED_DATE"],
    ["2025-08-01 9:05:00", "2025-08-01T09:05:00-05:00", "TIME_FORM"],
    ["2025-08-01T15:59:00", "2025-08-01T15:59:00-05:00", "TIME_FORM"],
    ["2025-08-01T15:59:00Z", "2025-08-01T10:59:00-05:00", "TIME_FORM"],
    ["2025-08-01 15:59:00.5+02:00", "2025-08-01T08:59:00.500-05:00", "TIME_FORM"],
    ["2025-08-01 15:59:00.123456000", "2025-08-01T15:59:00.123456-05:00", "TIME_FORM"],
    ["2025-12-01 15:59:00", "2025-12-01T15:59:00-06:00", undefined],
    ["2025-11-02 00:59:59", "2025-11-02T00:59:59-05:00", undefined],
    ["2025-11-02 01:30:00", "2025-11-02T01:30:00-05:00", "AMBIGUOUS_TIME"],
    ["2025-11-02 01:30:00-06:00", "2025-11-02T01:30:00-06:00", "TIME_FORM"],
    ["2025-11-02 02:00:00", "2025-11-02T02:00:00-06:00", undefined],
    ["2025-03-09 01:59:59", "2025-03-09T01:59:59-06:00", undefined],
    ["2025-03-09 03:00:00", "2025-03-09T03:00:00-05:00", undefined],
  ])("%s is read as %s", async (time, instant, note) => {
    const input = await readRows(`1,X,${time},B,1,1`);
    expect(tradesOf(input).map((trade) => trade.time)).toEqual([instant]);
    expect(input.notes.map(({ code }) => code)).toEqual(note === undefined ? [] : [note]);
    expect(tradesOf(input)[0]?.time).toBe(formatInstant(parseInstant(instant) as number));
  });

  it("after 17:00 belongs to the next business day", async () => {
    const input = await readRows(
      "1,X,2025-07-24 16:59:59,B,1,1",
      "2,X,2025-07-24 17:00:00,B,1,1",
      "3,X,2025-07-25 17:00:00,B,1,1",
    );
    expect(tradesOf(input).map(({ day }) => day)).toEqual(["2025-07-24", "2025-07-25", "2025-07-28"]);
  });
});

describe("the reader of several files", () => {
  const row = (id: number | string, time = "09:00:00.000", price = "1") =>
    `${id},X,2025-07-24 ${time},B,1,${price}\n`;

  it("keeps rows and ids that repeat within a file", async () => {
    const input = await readOne(header + row(92) + row(92) + row(92, "09:00:01"));
    expect(counts(input)).toEqual([3, 3, 0, 0]);
  });

  it("keeps ids that other files use for other trades", async () => {
    const ids = Array.from({ length: 153 }, (_, place) => 352 + place);
    const input = await readFiles({
      "trades_20250801.csv": header + ids.map((id) => row(id, "09:00:00", `${id}`)).join(""),
      "trades_20250804.csv": header + ids.map((id) => row(id, "10:00:00", `${id}.5`)).join(""),
    });
    expect([counts(input), input.notes]).toEqual([[306, 306, 0, 0], []]);
  });

  it("counts a row of two files once, even if its seconds and numbers have different decimals", async () => {
    const input = await readFiles({
      "trades_20250723.csv": `${header}5,X,2025-07-24 17:20:36.986000,S,1.0,111.140625\n`,
      "trades_20250724.csv": `${header}5,X ,2025-07-24 17:20:36.986,S,1,111.1406250`,
    });
    expect(tradesOf(input).map(({ at }) => at)).toEqual(["trades_20250723.csv:2"]);
    expect(input.notes).toEqual([
      {
        file: "trades_20250724.csv",
        line: 2,
        code: "DUPLICATE_ROW",
        why: "dropped: the same row is already in trades_20250723.csv:2",
      },
    ]);
    expect(counts(input)).toEqual([2, 1, 1, 0]);
  });

  /** Reads one trade in a first file, and the given row in a second file. */
  const readTogether = async (other: string) => {
    const head = `${header.trim()},book,fee\n`;
    const first = "5,X,2025-07-24 09:00:00.046123,S,1,111,UST,0.5";
    const input = await readFiles({ "a.csv": `${head}${first}\n`, "b.csv": `${head}${other}\n` });
    return { input, found: input.notes.map(({ code, file, line, why }) => `${file}:${line} ${code} ${why}`) };
  };

  it.each<[what: string, other: string]>([
    ["the quantity", "5,X,2025-07-24 09:00:00.046123,S,1.1,111,UST,0.5"],
    ["the price", "5,X,2025-07-24 09:00:00.046123,S,1,11.1,UST,0.5"],
    ["the side", "5,X,2025-07-24 09:00:00.046123,B,1,111,UST,0.5"],
    ["the symbol", "5,Y,2025-07-24 09:00:00.046123,S,1,111,UST,0.5"],
    ["the book", "5,X,2025-07-24 09:00:00.046123,S,1,111,RV,0.5"],
    ["the time", "5,X,2025-07-24 09:00:00.046124,S,1,111,UST,0.5"],
  ])(
    "counts two rows of one id that differ only in %s, and notes that one may be wrong",
    async (what, other) => {
      const { input, found } = await readTogether(other);
      expect(counts(input)).toEqual([2, 2, 0, 0]);
      expect(found).toEqual([
        `b.csv:2 CONFLICTING_TRADE two trades count: this one and a.csv:2, with the same id and second; they differ in ${what}; remove the wrong one`,
      ]);
    },
  );

  it.each<[what: string, other: string]>([
    ["the fraction of the second", "5,X,2025-07-24 09:00:00.046,S,1,111,UST,0.5"],
    ["the fraction of the second", "5,X,2025-07-24 09:00:00,S,1,111,UST,0.5"],
    ["the book", "5,X,2025-07-24 09:00:00.046123,S,1,111,,0.5"],
    ["the fee", "5,X,2025-07-24 09:00:00.046123,S,1,111,UST,"],
    ["the fee", "5,X,2025-07-24 09:00:00.046123,S,1,111,UST,7"],
  ])("counts a trade once if the second file lacks or changes %s", async (what, other) => {
    const { input, found } = await readTogether(other);
    expect(counts(input)).toEqual([2, 1, 1, 0]);
    expect(found).toEqual([
      `b.csv:2 DUPLICATE_ROW dropped: the same trade is already in a.csv:2 and differs in ${what}`,
    ]);
    expect(tradesOf(input)).toMatchObject([
      { fee: "0.5", book: "UST", time: "2025-07-24T09:00:00.046123-05:00" },
    ]);
  });

  it("takes the fee from the later file if the first has none", async () => {
    const input = await readFiles({
      "a.csv": `${header}5,X,2025-07-24 09:00:00,S,1,111\n`,
      "b.csv": `${header.trim()},fee\n5,X,2025-07-24 09:00:00,S,1,111,1.25\n`,
    });
    expect(tradesOf(input)).toMatchObject([{ id: "5", fee: "1.25" }]);
  });

  it.each<[what: string, other: string]>([
    ["another id", "6,X,2025-07-24 09:00:00.046123,S,1,111,UST,0.5"],
    ["another second", "5,X,2025-07-24 09:00:01.046123,S,1,111,UST,0.5"],
    ["two differences", "5,X,2025-07-24 09:00:00.046123,S,2,112,UST,0.5"],
  ])("counts a row with %s as another trade, without a note", async (_what, other) => {
    const { input, found } = await readTogether(other);
    expect([counts(input), found]).toEqual([[2, 2, 0, 0], []]);
  });

  it("drops at most as many rows with a truncated time as the other file has with the full time", async () => {
    const whole = `${row(1, "09:00:00.046123")}${row(1, "09:00:00.046456")}`;
    const cut = row(1, "09:00:00.046").repeat(3);
    for (const files of [
      { "a.csv": header + whole, "b.csv": header + cut, "c.csv": header + whole },
      { "a.csv": header + cut, "b.csv": header + whole, "c.csv": header + cut },
    ])
      expect((await readFiles(files)).accepted).toBe(3);
  });

  it("compares a bounded number of rows when very many share an id and a second", async () => {
    const many = (price: number) =>
      header +
      Array.from({ length: 20_000 }, (_, place) => row(1, "09:00:00", `${price + 2 * place}`)).join("");
    const input = await readFiles({ "a.csv": many(1), "b.csv": many(2) });
    expect(input.accepted).toBe(40_000);
  });

  it("counts each row as often as the file that has it most often", async () => {
    const model = fc.array(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 12 }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(model, async (files) => {
        // Ids and numbers of all widths, to use every way of comparing.
        const line = (kind: number) =>
          [
            "1,X,2025-07-24 09:00:00,B,1,1",
            "A,X,2025-07-24 09:00:00,B,1,1",
            `1,X,2025-07-24 09:00:00,B,1,1.${"1".repeat(30)}`,
          ][kind] ?? row(kind);
        const input = await readFiles(
          Object.fromEntries(
            files.map((kinds, place) => [
              `${place}.csv`,
              header + kinds.map((kind) => `${line(kind)}\n`).join(""),
            ]),
          ),
        );
        const most = [0, 1, 2, 3, 4].map((kind) =>
          Math.max(...files.map((kinds) => kinds.filter((other) => other === kind).length)),
        );
        const rows = files.flat().length;
        const accepted = most.reduce((a, b) => a + b, 0);
        expect(counts(input)).toEqual([rows, accepted, rows - accepted, 0]);
      }),
      { numRuns: runs(8, 100) },
    );
  });

  it("remembers thousands of rows", async () => {
    const many = (from: number) =>
      header + Array.from({ length: 5_000 }, (_, place) => row(from + place)).join("");
    const input = await readFiles({ "a.csv": many(0), "b.csv": many(2_500), "c.csv": many(0) });
    expect(counts(input)).toEqual([15_000, 7_500, 7_500, 0]);
    expect(new Set(tradesOf(input).map(({ id }) => id)).size).toBe(7_500);
  });

  it("names files without their folder, and by path if two have the same name", async () => {
    const paths = await put({
      "a/trades_20250724.csv": `${header}x\n`,
      "b/trades_20250724.csv": `${header}x\n`,
      "c.csv": `${header}x\n`,
    });
    const input = await readLedgers(paths, options);
    expect(input.files).toEqual([paths[0], paths[1], "c.csv"]);
    expect(input.quarantine.map(({ file }) => file)).toEqual(input.files);
  });
});

describe("lines and chunks", () => {
  it.each([lineBytesMax - 1, lineBytesMax, lineBytesMax + 1, 3 * lineBytesMax])(
    "read or refuse a line of %d bytes alike for every size of chunk",
    async (length) => {
      const content = `${header}${good}\n${good.padEnd(length, " ")}\n${good}\n${" ".repeat(length)}`;
      const whole = shown(await readOne(content));
      expect(codes(whole.quarantine)).toEqual(
        length > lineBytesMax ? ["3 LINE_TOO_LONG", "5 LINE_TOO_LONG"] : [],
      );
      expect(whole.trades.map(({ at }) => at.split(":")[1])).toEqual(
        length > lineBytesMax ? ["2", "4"] : ["2", "3", "4"],
      );
      expect(whole.quarantine.every(({ text }) => text.length <= 201)).toBe(true);
      for (const chunk of [997, 4_096, lineBytesMax, lineBytesMax + 1, 100_000])
        expect(shown(await readOne(content, {}, chunk))).toEqual(whole);
    },
  );

  it("refuse an endless line without keeping it in memory", async () => {
    const [path = ""] = await put({ "trades_20250724.csv": `${header}${good}\n` });
    await truncate(path, 16 << 20);
    const input = await readLedgers([path], options);
    expect([input.accepted, codes(input.quarantine)]).toEqual([1, ["3 LINE_TOO_LONG"]]);
  });

  it("do not mix symbols and books when the read buffer is reused", async () => {
    const rows = Array.from({ length: 5_000 }, (_, row) => {
      const [symbol, book] = [`XCMEFFDPSX20250919U0ZN-${(row * 7) % 101}`, `BOOK-${(row * 3) % 11}`];
      return { symbol, book, text: `${row},${symbol},2025-07-24 09:00:00.000,B,1.0,110.5,${book}\n` };
    });
    const content = `${ledgerColumns.join(",")},book\n${rows.map(({ text }) => text).join("")}`;
    for (const chunk of [1_000, 65_536, undefined]) {
      const input = await readOne(content, {}, chunk);
      expect(tradesOf(input).map(({ symbol, book }) => ({ symbol, book }))).toEqual(
        rows.map(({ symbol, book }) => ({ symbol, book })),
      );
    }
  });

  it("give the same result for every size of chunk", variant, async () => {
    const content = `\ufeff${header.trim()},book\r\n${good},Ünï\r\n\n"8","X, ""Y""",2025-08-1 09:00:00, S ,1e1,.5,\nbad\n9,X,2025-07-24 00:00:00,B,1,0,b`;
    const whole = shown(await readOne(content));
    expect([whole.trades.length, whole.quarantine.length, whole.notes.length]).toEqual([3, 1, 3]);
    for (let chunk = 1; chunk <= Buffer.byteLength(content) + 1; chunk++)
      expect(shown(await readOne(content, {}, chunk)), `chunks of ${chunk}`).toEqual(whole);
  });

  it("report progress up to the end of the file", async () => {
    const seen: { readonly bytes: number; readonly bytesTotal: number; readonly rows: number }[] = [];
    const content = header + `${good}\n`.repeat(50);
    await readFiles({ "a.csv": content, "b.csv": content }, { onProgress: (done) => seen.push(done) }, 256);
    expect(seen.at(-1)).toEqual({ bytes: 2 * content.length, bytesTotal: 2 * content.length, rows: 100 });
    expect(seen.every(({ bytes }, place) => bytes >= (seen[place - 1]?.bytes ?? 0))).toBe(true);
    expect(seen.length).toBeGreaterThan(10);
  });
});

/** Reads a ledger with csv-parse and decimal.js: an independent judgement of which rows are valid. */
function oracle(content: string): readonly (readonly string[])[] {
  const records: string[][] = parse(content, {
    bom: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
  });
  const trim = (text: string) => text.replaceAll(/^[ \t\r]+|[ \t\r]+$/g, "");
  const number = (text: string) =>
    /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? new Decimal(text) : undefined;
  return records.slice(1).flatMap((record) => {
    const [id = "", symbol = "", time = "", side = "", quantity = "", price = ""] = record.map(trim);
    const [many, each] = [number(quantity), number(price)];
    const timeRead = times.get(time);
    const fits =
      record.length === 6 &&
      id !== "" &&
      symbol !== "" &&
      (side === "B" || side === "S") &&
      timeRead !== undefined;
    if (!fits || many === undefined || each === undefined || !many.isPositive() || many.isZero()) return [];
    return [[id, symbol, timeRead, side, many.toFixed(), each.isZero() ? "0" : each.toFixed()]];
  });
}
Decimal.set({ precision: 200 });

const times = new Map([
  ["2025-07-24 09:30:59", "2025-07-24T09:30:59-05:00"],
  ["2025-07-24 09:30:59.046", "2025-07-24T09:30:59.046-05:00"],
  ["2025-07-24 09:30:59.046001", "2025-07-24T09:30:59.046001-05:00"],
  ["2025-01-02 00:00:00.000", "2025-01-02T00:00:00-06:00"],
  ["2024-02-29 23:59:59.9", "2024-02-29T23:59:59.900-06:00"],
  ["2025-08-1 15:59:00.908", "2025-08-01T15:59:00.908-05:00"],
  ["2025-11-02 01:15:00", "2025-11-02T01:15:00-05:00"],
]);

const digits = fc.string({ unit: fc.constantFrom("0", "1", "5", "9"), maxLength: 24 });
const numbers = fc
  .tuple(
    fc.constantFrom("", "", "", "-", "+"),
    digits,
    fc.constantFrom("", "."),
    digits,
    fc.constantFrom("", "", "", "e2", "E-3"),
  )
  .map((parts) => parts.join(""));
const mostly = <T>(usual: fc.Arbitrary<T>, odd: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: odd });
const fields = fc.tuple(
  mostly(
    fc.constantFrom("1", "92", "007", "TRD_1", "999999999999999", "9007199254740993"),
    fc.constantFrom("", "a,b", '"'),
  ),
  mostly(fc.constantFrom("X", "XCMEFFDPSX20250919U0ZN", 'A "B", C', "Ünï"), fc.constant("")),
  mostly(
    fc.constantFrom(...times.keys()),
    fc.constantFrom("", "2025-03-09 02:30:00", "2025-02-30 09:00:00", "soon"),
  ),
  mostly(fc.constantFrom("B", "S"), fc.constantFrom("b", "", "BS")),
  mostly(fc.constantFrom("1", "1.0", "1000", "0.25", ".5", "3."), numbers),
  mostly(fc.constantFrom("110.015625", "0.0", "-0", "-0.5", "1.5e-7"), numbers),
);
const spaces = fc.constantFrom("", "", "", " ", "\t", "  ");
const line = fc
  .tuple(
    mostly(fc.constant(6), fc.constantFrom(1, 5, 7)),
    fields,
    fc.array(fc.tuple(fc.boolean(), spaces, spaces, spaces), { minLength: 7, maxLength: 7 }),
  )
  .map(([length, texts, styles]) =>
    Array.from({ length }, (_, place) => {
      const [quotes, before, inside, after] = styles[place] as [boolean, string, string, string];
      const text = texts[place] ?? "more";
      return quotes || /[",]/.test(text)
        ? `${before}"${text.replaceAll('"', '""')}${inside}"${after}`
        : before + text + after;
    }).join(","),
  );
const ledger = fc
  .record({
    lines: fc.array(mostly(line, fc.constantFrom("", "  ")), { maxLength: 12 }),
    end: fc.constantFrom("\n", "\r\n"),
    bom: fc.boolean(),
    closed: fc.boolean(),
  })
  .map(
    ({ lines, end, bom, closed }) =>
      (bom ? "\ufeff" : "") + [header.trim(), ...lines].join(end) + (closed ? end : ""),
  );

describe("the ledger reader", () => {
  it("accepts the same rows with the same values as csv-parse, in chunks of any size, and loses none", {
    timeout: 120_000,
  }, async () => {
    let accepted = 0;
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(ledger, fc.integer({ min: 1, max: 300 }), async (content, chunk) => {
        const input = await readOne(content, {}, chunk);
        expect(
          tradesOf(input).map(({ id, symbol, time, side, quantity, price }) => [
            id,
            symbol,
            time,
            side,
            quantity,
            price,
          ]),
        ).toEqual(oracle(content));
        const rows = content
          .split(/\r?\n/)
          .slice(1)
          .filter((text) => /[^ \t]/.test(text)).length;
        expect([input.rows, input.duplicates]).toEqual([rows, 0]);
        expect(input.rows).toBe(input.accepted + input.duplicates + input.quarantined);
        expect(input.quarantine).toHaveLength(input.quarantined);
        accepted += input.accepted;
        refused += input.quarantined;
      }),
      { numRuns: runs(40, 400) },
    );
    // The generated ledgers contain enough accepted and enough refused rows.
    expect(Math.min(accepted, refused)).toBeGreaterThan(runs(15, 200));
  });

  it("accounts for every row of several files, with the same result for every size of chunk", {
    timeout: 120_000,
  }, async () => {
    const two = fc.tuple(ledger, ledger, fc.integer({ min: 1, max: 300 }));
    await fc.assert(
      fc.asyncProperty(two, async ([first, second, chunk]) => {
        const paths = await put({ "a.csv": first, "b.csv": second, "c.csv": first });
        const input = await readLedgers(paths, options);
        expect(input.rows).toBe(input.accepted + input.duplicates + input.quarantined);
        const alone = await readLedgers(paths.slice(0, 1), options);
        expect(input.duplicates).toBeGreaterThanOrEqual(alone.accepted);
        expect(shown(await readLedgers(paths, options, chunk))).toEqual(shown(input));
      }),
      { numRuns: runs(8, 100) },
    );
  });

  it("reads arbitrary bytes into rows and quarantine, or fails with one clear error", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 400 }),
        fc.boolean(),
        fc.integer({ min: 1, max: 64 }),
        async (bytes, headed, chunk) => {
          const content = headed ? Buffer.concat([Buffer.from(header), bytes]) : bytes;
          const input = await readOne(content, {}, chunk).catch((error: unknown) => error);
          if (input instanceof BridgeError) expect([headed, input.code]).toEqual([false, "BAD_LEDGER"]);
          else
            expect((input as LedgerInput).rows).toBe(
              (input as LedgerInput).accepted + (input as LedgerInput).quarantined,
            );
        },
      ),
      { numRuns: runs(20, 300) },
    );
  });
});

describe("unusable files", () => {
  it.each<[what: string, content: Content, says: string]>([
    ["an empty file", "", "the file is empty"],
    ["another table", "a,b,c\n1,2,3\n", "not the header of a trade ledger"],
    ["a ledger without its header", `${good}\n`, "not the header of a trade ledger"],
    [
      "a header that lacks a column",
      "tradeId,instrumentName,marketTradeTime,buySell,quantity\n",
      "lacks price",
    ],
    ["a header with an unknown column", `${header.trim()},trader\n`, "trader"],
    ["a header with a column twice", `${header.trim()},price\n`, "repeated column: price"],
    [
      "a header in another case",
      header.toUpperCase(),
      'trade ledger: the column "TRADEID" must be written tradeId',
    ],
    [
      "one name in another case",
      header.replace("price", "Price"),
      'the header lacks price: the column "Price" must be written price',
    ],
    ["a header that ends in a comma", `${header.trim()},\n`, "column 7 has no name"],
    ["UTF-16", Buffer.from(`\ufeff${header}`, "utf16le"), "it is UTF-16 text; save it as UTF-8"],
    ["big-endian UTF-16", Buffer.from(`\ufeff${header}`, "utf16le").swap16(), "it is UTF-16 text"],
    ["UTF-16 without a byte-order mark", Buffer.from(header, "utf16le"), "it is UTF-16 text"],
    [
      "columns separated by semicolons",
      header.replaceAll(",", ";"),
      "its columns are separated by semicolons; separate columns by commas",
    ],
    ["columns separated by tabs", header.replaceAll(",", "\t"), "its columns are separated by tabs"],
    [
      "Excel's first line",
      `sep=,\n${header}`,
      "it begins with a line sep=…, which Excel adds; delete the first line",
    ],
    [
      "lines that end in CR",
      `${header}${good}\n`.replaceAll("\n", "\r"),
      "its lines end in CR alone; end lines with LF or CRLF",
    ],
    ["two byte-order marks", `\ufeff\ufeff${header}`, "two byte-order marks; remove one of them"],
    [
      "a spreadsheet",
      Buffer.from("PK\u0003\u0004rest"),
      "it is a spreadsheet or a zip archive; export it as CSV UTF-8",
    ],
    [
      "bytes",
      Uint8Array.from({ length: 5_000 }, (_, place) => (place * 7919) % 251),
      "not the header of a trade ledger",
    ],
    ["one endless line", "x".repeat(lineBytesMax * 3), "not the header of a trade ledger"],
  ])("(%s) are refused with one line", async (_what, content, says) => {
    for (const chunk of [undefined, 100]) {
      const error = await readOne(content, {}, chunk).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(BridgeError);
      const { code, line, where } = error as BridgeError;
      expect([code, basename(where)]).toEqual(["BAD_LEDGER", "trades_20250724.csv:1"]);
      for (const part of says.split("; ")) expect(line).toContain(part);
      expect(line).not.toMatch(/\p{Cc}/u);
    }
  });

  it("of two gigabytes of NUL bytes are refused at once", async () => {
    const [path = ""] = await put({ "trades_20250724.csv": "" });
    await truncate(path, 2 * 1024 ** 3);
    let bytesRead = 0;
    const reading = readLedgers([path], { ...options, onProgress: ({ bytes }) => (bytesRead = bytes) });
    await expect(reading).rejects.toMatchObject({ code: "BAD_LEDGER" });
    expect(bytesRead).toBe(0);
  });

  it("that are missing, or are not regular files, are refused", async () => {
    const [path = ""] = await put({ "trades_20250724.csv": header });
    await expect(readLedgers([join(path, "..")], options)).rejects.toMatchObject({ code: "UNREADABLE" });
    await expect(readLedgers([`${path}x`], options)).rejects.toMatchObject({ code: "UNREADABLE" });
    await expect(readLedgers([join(path, "below.csv")], options)).rejects.toMatchObject({
      code: "UNREADABLE",
    });
    await expect(readLedgers(["/dev/null"], options)).rejects.toMatchObject({ code: "UNREADABLE" });
  });
});

describe("findLedgers", () => {
  it("lists a folder's ledgers in the order of their days, each once, even if links lead to it", async () => {
    const [path = ""] = await put({
      "trades_20250724.csv": "",
      "trades_20241231.CSV": "",
      "trades_final.csv": "",
      "trades_20250101.csv/readme.txt": "",
      "Futures_20250724_1400.csv": "",
      "sub/trades_20250102.csv": "",
    });
    const home = join(path, "..");
    await symlink("trades_20250724.csv", join(home, "trades_20250725.csv"));
    await symlink("sub/trades_20250102.csv", join(home, "trades_20250103.csv"));
    await symlink(home, `${home}-link`);
    const names = (await findLedgers([home, path, `${home}-link`, join(home, "sub")])).map((found) =>
      basename(found),
    );
    // A linked file keeps the name under which it was found first.
    expect(names).toEqual([
      "trades_final.csv",
      "trades_20241231.CSV",
      "trades_20250103.csv",
      "trades_20250724.csv",
    ]);
  });

  it("accepts a file with any name", async () => {
    const paths = await put({ "whatever.txt": "" });
    expect(await findLedgers(paths)).toEqual(paths);
  });

  it("refuses missing paths, folders without ledgers, and links in a circle", async () => {
    const [path = ""] = await put({ "notes.txt": "" });
    const home = join(path, "..");
    await expect(findLedgers([home])).rejects.toMatchObject({ code: "NO_INPUT", where: home });
    await expect(findLedgers([join(home, "none")])).rejects.toMatchObject({
      code: "UNREADABLE",
      message: expect.stringContaining("no such"),
    });
    await symlink("trades_1.csv", join(home, "trades_1.csv"));
    await expect(findLedgers([home])).rejects.toMatchObject({
      code: "UNREADABLE",
      message: expect.stringContaining("circle"),
    });
    await expect(findLedgers([join(home, "trades_1.csv")])).rejects.toMatchObject({ code: "UNREADABLE" });
    await rm(join(home, "trades_1.csv"));
    await symlink("gone.csv", join(home, "trades_2.csv"));
    await expect(findLedgers([home])).rejects.toMatchObject({
      code: "UNREADABLE",
      message: expect.stringContaining("no such"),
    });
  });
});

const desk = "../shared/data";
describe.skipIf(!existsSync(desk))("the desk's own ledgers", () => {
  const ledgers = (...paths: readonly string[]) =>
    readLedgers(
      paths.map((path) => join(desk, path)),
      { ...options, describe: describeSymbol },
    );
  const linesOf = (path: string) =>
    readFileSync(join(desk, path), "utf8")
      .split("\n")
      .filter((text) => text.trim() !== "").length - 1;

  it("are read without a refused row", async () => {
    for (const kind of ["ledgers", "ledgers-mock", "ledgers-module"]) {
      const paths = await findLedgers([join(desk, kind)]);
      for (const path of paths) {
        const input = await readLedgers([path], { ...options, describe: describeSymbol });
        expect([basename(path), ...counts(input)]).toEqual([
          basename(path),
          linesOf(path.slice(desk.length)),
          input.rows,
          0,
          0,
        ]);
      }
    }
  });

  it("have four rows of 0716 again in 0717", async () => {
    const input = await ledgers("ledgers/trades_20250716.csv", "ledgers/trades_20250717.csv");
    expect(counts(input)).toEqual([12, 8, 4, 0]);
    expect(codes(input.notes.filter(({ code }) => code === "DUPLICATE_ROW"))).toEqual(
      [2, 3, 4, 5].map((at) => `${at} DUPLICATE_ROW`),
    );
  });

  it("have the first fourteen rows of the mock 0712 again in 0714", async () => {
    const input = await ledgers("ledgers-mock/trades_20250712.csv", "ledgers/trades_20250714.csv");
    expect(input.duplicates).toBe(14);
    expect(input.notes.filter(({ code }) => code === "DUPLICATE_ROW").map(({ line }) => line)).toEqual(
      Array.from({ length: 14 }, (_, place) => place + 2),
    );
  });

  it("have the same nine trades in both files of 0722, in microseconds and in milliseconds", async () => {
    const input = await ledgers("ledgers/trades_20250722.csv", "ledgers-module/trades_20250722.csv");
    expect(counts(input)).toEqual([18, 9, 9, 0]);
  });

  it("have two trades of id 92 in 0729, and four of ids 843 and 844 in 0807 and 0808", async () => {
    const july = await ledgers("ledgers/trades_20250729.csv");
    expect(tradesOf(july).filter(({ id }) => id === "92")).toHaveLength(2);
    const august = await ledgers("ledgers/trades_20250807.csv", "ledgers/trades_20250808.csv");
    expect(tradesOf(august).filter(({ id }) => id === "843" || id === "844")).toHaveLength(4);
    expect(august.duplicates).toBe(0);
    expect(codes(august.notes.filter(({ code }) => code === "ZERO_PRICE"))).toEqual([
      "54 ZERO_PRICE",
      "55 ZERO_PRICE",
      "33 ZERO_PRICE",
    ]);
  });

  it("have a date without its zero in 0801, no rows in 0830, and a start of day in 0721", async () => {
    const input = await ledgers("ledgers/trades_20250801.csv");
    expect(codes(input.notes.filter(({ code }) => code === "UNPADDED_DATE"))).toHaveLength(1);
    expect(tradesOf(input).find(({ id }) => id === "624")?.time).toBe("2025-08-01T15:59:00.908-05:00");
    expect(counts(await ledgers("ledgers/trades_20250830.csv"))).toEqual([0, 0, 0, 0]);
    expect(codes((await ledgers("ledgers/trades_20250721.csv")).notes)).toContain("2 START_OF_DAY");
  });
});
