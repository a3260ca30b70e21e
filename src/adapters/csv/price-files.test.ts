import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { symbolBridge } from "../../app/symbols/symbols.ts";
import { formatDecimal, lowest } from "../../base/decimal.ts";
import { BridgeError } from "../../base/errors.ts";
import { formatInstant } from "../../domain/market/chicago-time.ts";
import { formatPrice } from "../../domain/market/price-notation.ts";
import { formatDay, type TradingDayRule, tradingDayRules } from "../../domain/market/trading-day.ts";
import { findPriceFiles, priceFileBytesMax, readPriceFiles } from "./price-files.ts";

const symbols = symbolBridge(undefined);
const translate = (symbol: string, day: number) => symbols.canonical(symbol, "auto", day);

let folder = "";
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "price-files-"));
});
afterAll(() => rm(folder, { recursive: true }));

const freshFolder = async (): Promise<string> => {
  const path = join(folder, String(count++));
  await mkdir(path);
  return path;
};

/** Writes files into one new folder, in the order given. */
async function put(files: Readonly<Record<string, string | Uint8Array>>): Promise<readonly string[]> {
  const home = await freshFolder();
  const paths: string[] = [];
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(home, name, ".."), { recursive: true });
    await writeFile(join(home, name), content);
    paths.push(join(home, name));
  }
  return paths;
}

async function read(
  files: Readonly<Record<string, string | Uint8Array>>,
  dayRule: TradingDayRule = tradingDayRules["chicago-17"],
) {
  const input = await readPriceFiles(await put(files), { dayRule, translate });
  return {
    marks: input.prices.map(({ symbol, price }) => `${symbol} ${formatDecimal(price)}`),
    quarantine: input.quarantine.map(({ line, code }) => `${line} ${code}`),
    notes: input.notes.map(({ line, code }) => `${line} ${code}`),
    input,
  };
}

/** The error with which a file is refused as a whole. */
async function refusal(name: string, content: string | Uint8Array): Promise<BridgeError> {
  const error = await read({ [name]: content }).catch((thrown: unknown) => thrown);
  if (!(error instanceof BridgeError)) throw new Error(`expected a BridgeError, got ${String(error)}`);
  expect(error.line).not.toContain("\n");
  return error;
}

const futures1 = "SYMBOL,PX_LAST,PX_SETTLE,\n";
const futures2 = 'SYMBOL,PX_SETTLE_DEC,PX_300_DEC,"Settle Price = Today"\n';
const handMade = "symbol,current_price,flash_close,prior_close,last_updated\n";
const options1 = "SYMBOL,PX_LAST,PX_SETTLE,EXPIRE_DT,MONEYNESS,,\n";
const options2 = 'SYMBOL,LAST_PRICE,PX_SETTLE,"Settle Price = Today"\n';
const combined = "bloomberg,PX_SETTLE,PX_LAST,PX_BID,PX_ASK,OPT_EXPIRE_DT,MONEYNESS\n";

describe("name and header of a file decide the meaning of its prices:", () => {
  const check: readonly [what: string, name: string, content: string, marks: readonly string[]][] = [
    [
      "32nds that look like decimals (the Bund has decimals): the close",
      "Futures_20250716_1400.csv",
      `${futures1}TU,103.21125,103.1675,\nFV,108.0425,107.2675,\nTY,110.2,110.09,\nUS,112.05,111.31,\nRX,129.2336,129.1984,\n`,
      ["TU 103.66015625", "FV 108.1328125", "TY 110.625", "US 112.15625", "RX 129.2336"],
    ],
    [
      "the same file two hours later: the settlement",
      "Futures_20250716_1600.csv",
      `${futures1}TU,103.21125,103.1675,\nTY,110.2,110.09,\nRX,129.2336,129.1984,\n`,
      ["TU 103.5234375", "TY 110.28125", "RX 129.1984"],
    ],
    [
      "a name with a month code",
      "Futures_20250716_1400.csv",
      `${futures1}TYU5 Comdty,110.165,1,\n`,
      ["TYU5 Comdty 110.515625"],
    ],
    [
      "_DEC columns beside the 32nds: decimals",
      "Futures_20250716_1400.csv",
      "SYMBOL,PX_LAST,PX_SETTLE,PX_LAST_DEC,PX_SETTLE_DEC\nTY,110.2,110.09,110.625,110.28125\n",
      ["TY 110.625"],
    ],
    [
      "_DEC columns alone, at four o'clock",
      "Futures_20250716_1600.csv",
      "SYMBOL,PX_LAST_DEC,PX_SETTLE_DEC\nTY,110.625,110.28125\n",
      ["TY 110.28125"],
    ],
    [
      "Settle Price = Today: Y means the settlement, N the flash price, blank the settlement or else the flash price",
      "Futures_20250716_1400.csv",
      `${futures2}TYU5,110.1,110.2,Y\nTYZ5,110.3,110.4,N\nFVU5,108.1,108.2,\nFVZ5,#N/A N/A,108.4,\nTUU5,#N/A N/A,103.1,Y\n`,
      ["TYU5 110.1", "TYZ5 110.4", "FVU5 108.1", "FVZ5 108.4"],
    ],
    [
      "the same at four o'clock, with the text columns that the desk kept beside the decimal ones",
      "Futures_20250829_1600.csv",
      'SYMBOL,PX_SETTLE,PX_300,PX_SETTLE_DEC,PX_300_DEC,"Settle Price = Today"\nTU,103-20 7/8,,103.65234375,#N/A N/A,Y\nRX,129-65,,129.66,,\n',
      ["TU 103.65234375", "RX 129.66"],
    ],
    [
      "made by hand: the flash close, or the current price if there is no flash close",
      "Futures_20250724_1400.csv",
      `${handMade}TYU5 Comdty,111,111.0625,110,2025-07-24 14:00:00\nFVU5 Comdty,108.5,,108,2025-07-24 14:00:00`,
      ["TYU5 Comdty 111.0625", "FVU5 Comdty 108.5"],
    ],
    [
      "made by hand: the prior close",
      "Futures_20250724_1600.csv",
      `${handMade}TYU5 Comdty,111,111.5,110.25,x\n`,
      ["TYU5 Comdty 110.25"],
    ],
    [
      "options: decimals; zero and the feed's small sentinels are prices",
      "Options_20250717_1400.csv",
      `${options1}VBYN25P3 110.500 Comdty,0.0,1,7/21/2025,OTM,,\nVBYN25P3 110.250 Comdty,0.007,1,7/21/2025,OTM,,\nVBYN25C3 111 Comdty,.0156250,1,7/21/2025,OTM,,\n`,
      ["VBYN25P3 110.500 Comdty 0", "VBYN25P3 110.250 Comdty 0.007", "VBYN25C3 111 Comdty 0.015625"],
    ],
    [
      "COMB is not part of a name",
      "Options_20250717_1400.csv",
      `${options2}TYWQ25P1 COMB 115 Comdty,1.5,1.505,Y\n  TYWQ25P1  114.75  COMB  Comdty  ,1.25,1.255,N\n`,
      ["TYWQ25P1 115 Comdty 1.5", "TYWQ25P1 114.75 Comdty 1.25"],
    ],
    [
      "options at four o'clock: yesterday's settlement is ignored",
      "Options_20250717_1600.csv",
      `${options2}A,1.5,1.505,Y\nB,1.25,1.255,N\nC,1.1,1.2,\nD,1.1,#NAME?,\n`,
      ["A 1.505", "B 1.25", "C 1.2", "D 1.1"],
    ],
    [
      "the old combined file: decimals under the desk's own names",
      "market_prices_20250712_1400.csv",
      `${combined}TY,111.075,111.061772,111.06,111.07,,\nZN,111.075,111.061772,111.06,111.07,,\n`,
      ["TY 111.061772"],
    ],
    [
      "columns in another order",
      "Futures_20250716_1400.csv",
      "PX_SETTLE,SYMBOL,PX_LAST\n110.09,TY,110.2\n",
      ["TY 110.625"],
    ],
    [
      "a file name in another case, with an extra ending",
      "FUTURES_20250716_1400.copy.CSV",
      `${futures1}TY,110.2,1,\n`,
      ["TY 110.625"],
    ],
  ];
  it.each(check)("%s", async (_what, name, content, marks) => {
    const seen = await read({ [name]: content });
    expect(seen.marks).toEqual(marks);
    expect(seen.quarantine).toEqual([]);
  });

  it("every treasury price in 32nds or decimals is read exactly", async () => {
    const price = fc.record({ sixteenths: fc.bigInt({ min: 1n, max: 200n * 512n }), dec: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(price, async ({ sixteenths, dec }) => {
        const value = lowest(sixteenths * 1_953_125n, 9); // 512ths of a point
        const text = dec ? formatDecimal(value) : (formatPrice(value, "point-32nds") as string);
        const content = dec
          ? `SYMBOL,PX_LAST_DEC,PX_SETTLE_DEC\nTY,${text},1\n`
          : `${futures1}TY,${text},1,\n`;
        const { input } = await read({ "Futures_20250716_1400.csv": content });
        expect(input.prices.map((row) => row.price)).toEqual([value]);
      }),
      { numRuns: 60 },
    );
  });
});

describe("the moment in a file's name", () => {
  const windows: readonly [time: string, seen: string][] = [
    ["1344", "IGNORED_WINDOW"],
    ["1345", "close"],
    ["1400", "close"],
    ["1430", "close"],
    ["1431", "IGNORED_WINDOW"],
    ["1500", "IGNORED_WINDOW"],
    ["1544", "IGNORED_WINDOW"],
    ["1545", "sod_tomorrow"],
    ["1630", "sod_tomorrow"],
    ["1631", "IGNORED_WINDOW"],
    ["1700", "IGNORED_WINDOW"],
    ["0000", "IGNORED_WINDOW"],
  ];
  it.each(windows)("at %s gives %s", async (time, seen) => {
    const { input } = await read({
      [`Futures_20250716_${time}.csv`]: `${futures1}TY,110.2,110.2,\nXX,1,1,\n`,
    });
    expect([
      ...input.prices.map(({ kind }) => kind as string),
      ...input.notes.map(({ code }) => code),
    ]).toEqual([seen]);
    expect(input.quarantine.map(({ code }) => code)).toEqual(
      seen === "IGNORED_WINDOW" ? [] : ["UNKNOWN_CONVENTION"],
    );
  });

  it("is Chicago time, in summer and winter, exact to the minute", async () => {
    for (const [name, at] of [
      ["Futures_20250716_1400.csv", "2025-07-16T14:00:00-05:00"],
      ["Futures_20251201_1359.csv", "2025-12-01T13:59:00-06:00"],
    ] as const) {
      const { input } = await read({ [name]: `${futures1}TYZ5,110.2,1,\n` });
      expect(input.prices.map(({ atUs }) => formatInstant(atUs))).toEqual([at]);
    }
  });

  it.each([
    ["chicago-17", "2025-07-18"],
    ["after-14", "2025-07-19"],
    ["after-16", "2025-07-19"],
    ["after-17", "2025-07-18"],
    ["file-name", "2025-07-18"],
  ] as const)("assigns a Friday's settlement, under the day rule %s, to the day %s", async (rule, day) => {
    const { input } = await read(
      { "Futures_20250718_1600.csv": `${futures1}TY,110.2,110.2,\n` },
      tradingDayRules[rule],
    );
    expect(input.prices.map((row) => formatDay(row.day))).toEqual([day]);
  });

  it("decides by its calendar day which future a name means, under every day rule", async () => {
    const content = `${futures1}TYU5,110.2,110.2,\nFV,108,108,\n`;
    const { input } = await read({ "Futures_20250831_1600.csv": content }, tradingDayRules["after-16"]);
    expect(input.prices.map(({ instrument }) => instrument)).toEqual(["ZNU2025", "ZFU2025"]);
  });

  it("in a delivery month, makes a future without a month (TY) ambiguous, with a note", async () => {
    const { input, notes } = await read({
      "Futures_20250917_1400.csv": `${futures1}TY,110.2,1,\nTYZ5,110,1,\n`,
    });
    expect(input.prices.map(({ symbol, instrument }) => [symbol, instrument])).toEqual([
      ["TY", null],
      ["TYZ5", "ZNZ2025"],
    ]);
    expect(notes).toEqual(["2 AMBIGUOUS_ROOT"]);
  });
});

describe("the reader of price rows", () => {
  it("counts rows without a price, and never reads them as zero", async () => {
    const rows = [
      "A,#N/A Field Not Applicable,1,7/14/2025,OTM,,",
      "B,#N/A Requesting Data...,1,7/14/2025,OTM,,",
      "C,,1,7/14/2025,OTM,,",
      "D,-2146826238,1,7/14/2025,OTM,,",
      "E,1000000.5,1,7/14/2025,OTM,,",
      "F,nan,1,7/14/2025,OTM,,",
      "nan,0.5,1,7/14/2025,OTM,,",
      "0.0,0.5,1,7/14/2025,OTM,,",
      ",0.5,1,7/14/2025,OTM,,",
      "G,0.5,#N/A,7/14/2025,OTM,,",
    ];
    const seen = await read({ "Options_20250717_1400.csv": `${options1}${rows.join("\n")}\n` });
    expect(seen.marks).toEqual(["G 0.5"]);
    expect(seen.quarantine).toEqual([]);
    expect(seen.input.notes).toEqual([
      {
        file: "Options_20250717_1400.csv",
        line: 1,
        code: "NO_PRICE",
        why: "9 rows have no price for this moment and give no mark",
      },
    ]);
  });

  const refused: readonly [what: string, row: string, code: string][] = [
    ["an unreadable number", "TY,110-20,1,", "BAD_PRICE"],
    ["32 of 32nds", "TY,110.32,1,", "BAD_PRICE"],
    ["a future with a price of zero", "RX,0.0,1,", "BAD_PRICE"],
    ["a future with a negative price", "RX,-1,1,", "BAD_PRICE"],
    ["a product with an unknown price convention", "ES,6400.25,1,", "UNKNOWN_CONVENTION"],
    ["a line cut off", "TY,110.2", "MISSING_COLUMN"],
    ["a line cut off before its last comma", "TY,110.2,110.0", "MISSING_COLUMN"],
    ["a value in a column without a name", "TY,110.2,1,7", "SURPLUS_COLUMN"],
    ["a surplus column", "TY,110.2,1,,7", "SURPLUS_COLUMN"],
    ["an open quote", '"TY,110.2,1,', "BAD_QUOTING"],
    ["NUL bytes after a crash", "TY,110.2,1,\0\0", "NOT_TEXT"],
  ];
  it.each(refused)("refuses %s, and reads the other rows", async (_what, row, code) => {
    const seen = await read({ "Futures_20250716_1400.csv": `${futures1}US,112.05,1,\n${row}\nFV,108,1,\n` });
    expect(seen.marks).toEqual(["US 112.15625", "FV 108"]);
    expect(seen.input.quarantine).toMatchObject([
      { file: "Futures_20250716_1400.csv", line: 3, code, text: row.replaceAll("\0", "·") },
    ]);
  });

  it("refuses a negative option price and an unknown flag", async () => {
    const negative = await read({ "Options_20250717_1400.csv": `${options1}A,-0.5,1,7/14/2025,OTM,,\n` });
    expect([negative.marks, negative.quarantine]).toEqual([[], ["2 BAD_PRICE"]]);
    const flag = await read({ "Futures_20250716_1400.csv": `${futures2}TYU5,110.1,110.2,maybe\n` });
    expect([flag.marks, flag.quarantine]).toEqual([[], ["2 BAD_FLAG"]]);
  });

  it("counts a repeated price once, and refuses all of several prices of one instrument", async () => {
    const row = (symbol: string, price: string): string => `${symbol},${price},1,7/21/2025,OTM,,\n`;
    const content =
      options1 +
      row("A", "0.5") +
      row("B", "1") +
      row("A", "0.50") +
      row("C", "2") +
      row("B", "1.5") +
      row("B", "1");
    const seen = await read({ "Options_20250717_1400.csv": content });
    expect(seen.marks).toEqual(["A 0.5", "C 2"]);
    expect(seen.quarantine).toEqual(["3 CONFLICTING_PRICE", "6 CONFLICTING_PRICE", "7 CONFLICTING_PRICE"]);
    expect(seen.notes).toEqual(["4 REPEATED_PRICE"]);
    expect(seen.input.quarantine[0]?.why).toBe(
      "B is 1 here and 1.5 in Options_20250717_1400.csv:6, for the same moment",
    );
  });

  it("sees no conflict between a row without a price and one with a price", async () => {
    const seen = await read({
      "Options_20250717_1400.csv": `${options1}A,#N/A,1,x,OTM,,\nA,0.5,1,x,ITM,,\n`,
    });
    expect([seen.marks, seen.quarantine, seen.notes]).toEqual([["A 0.5"], [], ["1 NO_PRICE"]]);
  });

  it("recognises one future under two names", async () => {
    const seen = await read({
      "market_prices_20250712_1400.csv": `${combined}TY,1,111.06,,,,\nZN,1,111.07,,,,\nFV,1,108,,,,\nZF,1,108,,,,\n`,
    });
    expect([seen.marks, seen.quarantine]).toEqual([
      ["FV 108"],
      ["2 CONFLICTING_PRICE", "3 CONFLICTING_PRICE"],
    ]);
  });

  it("refuses different prices in two files of one moment, but not of different moments", async () => {
    const seen = await read({
      "a/Futures_20250716_1400.csv": `${futures1}TY,110.2,1,\nFV,108,1,\n`,
      "b/Futures_20250716_1400.csv": `${futures1}TY,110.21,1,\nFV,108,1,\n`,
      "b/Futures_20250717_1400.csv": `${futures1}TY,110.22,1,\n`,
    });
    expect(seen.marks).toEqual(["FV 108", "TY 110.6875"]);
    expect(seen.quarantine).toEqual(["2 CONFLICTING_PRICE", "2 CONFLICTING_PRICE"]);
    expect(seen.input.files.map((name) => basename(join(name, "..")))).toEqual(["a", "b", "."]);
    expect(seen.input.quarantine.map(({ file }) => file)).toEqual(seen.input.files.slice(0, 2));
  });

  it("reads a BOM, CRLF, blank lines, a missing final newline, spaces and quotes alike", async () => {
    const odd = '\r\n SYMBOL , PX_LAST ,"PX_SETTLE",\r\n\r\n "TY" , 110.2 ,1,\r\n\r\nFV,"108",1,';
    const bytes = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(odd)]);
    const { input } = await read({ "Futures_20250716_1400.csv": bytes });
    expect(input.prices.map(({ symbol, price, line }) => [symbol, formatDecimal(price), line])).toEqual([
      ["TY", "110.625", 4],
      ["FV", "108", 6],
    ]);
    expect(input.quarantine).toEqual([]);
  });
});

describe("a file as a whole", () => {
  const bad: readonly [what: string, name: string, content: string | Uint8Array, says: string][] = [
    [
      "an unknown header",
      "Futures_20250716_1400.csv",
      "SYMBOL,BID,ASK\nTY,1,2\n",
      "the columns SYMBOL,BID,ASK",
    ],
    [
      "a header that lacks a column",
      "Futures_20250716_1400.csv",
      "SYMBOL,PX_LAST,\nTY,1,\n",
      "the columns SYMBOL,PX_LAST",
    ],
    [
      "a header with a column twice",
      "Futures_20250716_1400.csv",
      "SYMBOL,PX_LAST,PX_LAST,PX_SETTLE\n",
      "PX_LAST,PX_LAST",
    ],
    [
      "a header in another case",
      "Futures_20250716_1400.csv",
      "symbol,px_last,px_settle,\nTY,1,2,\n",
      "the columns symbol,px_last",
    ],
    [
      "the header of another family",
      "Options_20250716_1400.csv",
      `${futures1}TY,110.2,1,\n`,
      "(Futures_ files have them)",
    ],
    [
      "the header of another family, at a time that gives no marks",
      "Futures_20250716_1500.csv",
      options1,
      "(Options_ files have them)",
    ],
    [
      "no time in the name",
      "Futures_20250716.csv",
      `${futures1}TY,110.2,1,\n`,
      "does not give its kind and moment",
    ],
    [
      "an impossible day in the name",
      "Futures_20250231_1400.csv",
      futures1,
      "does not give its kind and moment",
    ],
    [
      "an impossible hour in the name",
      "Futures_20250716_2400.csv",
      futures1,
      "does not give its kind and moment",
    ],
    ["seconds in the name", "Futures_20250716_140000.csv", futures1, "does not give its kind and moment"],
    ["no family in the name", "prices_20250716_1400.csv", futures1, "does not give its kind and moment"],
    ["an empty file", "Futures_20250716_1400.csv", "", "the file is empty"],
    ["a file of blank lines", "Futures_20250716_1400.csv", "\r\n\n", "the file is empty"],
    [
      "a workbook",
      "Futures_20250716_1400.csv",
      Uint8Array.from([80, 75, 3, 4, 20, 0, 6, 0, 8, 0]),
      "the file is not CSV text",
    ],
    [
      "bytes",
      "Futures_20250716_1400.csv",
      Uint8Array.from([200, 1, 13, 7, 255, 27, 91, 65]),
      "no Futures_ file has the columns",
    ],
  ];
  it.each(bad)("is refused with one line: %s", async (_what, name, content, says) => {
    const error = await refusal(name, content);
    expect(error.code).toBe("BAD_PRICE_FILE");
    expect(error.where).toContain(name);
    expect(error.line).toContain(says);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a terminal would obey them
    expect(error.line).not.toMatch(/[\u0000-\u001f]/);
  });

  it("is refused with the names of the known families", async () => {
    const { line } = await refusal("Futures_20250716_1400.csv", "A,B\n");
    for (const header of [futures1, futures2, handMade, options1, options2])
      for (const column of header.trim().replaceAll('"', "").split(",")) expect(line).toContain(column);
  });

  it("may consist of a header alone", async () => {
    expect(await read({ "Futures_20250716_1400.csv": futures1 })).toMatchObject({
      marks: [],
      quarantine: [],
      notes: [],
    });
  });

  it("is refused unread if it is too large, a folder, or missing", async () => {
    const [path = ""] = await put({ "Futures_20250716_1400.csv": futures1 });
    const options = { dayRule: tradingDayRules.calendar, translate };
    await truncate(path, priceFileBytesMax + 1);
    await expect(readPriceFiles([path], options)).rejects.toMatchObject({ code: "BAD_PRICE_FILE" });
    await expect(readPriceFiles([join(path, "..")], options)).rejects.toMatchObject({ code: "UNREADABLE" });
    await expect(readPriceFiles([`${path}x`], options)).rejects.toMatchObject({ code: "UNREADABLE" });
  });

  it("is reported to onProgress after it is read", async () => {
    const paths = await put({
      "Futures_20250716_1400.csv": `${futures1}TY,110.2,1,\nFV,108,1,\n`,
      "Futures_20250716_1600.csv": `${futures1}TY,110.2,1,\n`,
    });
    const seen: unknown[] = [];
    await readPriceFiles(paths, {
      dayRule: tradingDayRules.calendar,
      translate,
      onProgress: (done) => seen.push(done),
    });
    expect(seen).toEqual([
      { bytes: 48, bytesTotal: 86, rows: 2 },
      { bytes: 86, bytesTotal: 86, rows: 3 },
    ]);
  });
});

describe("findPriceFiles", () => {
  it("lists the price files of a folder and of its futures and options, in order of time, each once", async () => {
    const [first = ""] = await put({
      "market_prices_20250716_1500.csv": "",
      "futures/Futures_20250716_1600.csv": "",
      "futures/Futures_20250716_1400.csv": "",
      "options/Options_20250715_1400.csv": "",
      "options/notes.csv": "",
      "other/Futures_20250717_1400.csv": "",
      "trades_20250716.csv": "",
      "Futures_20250718_1400.csv/readme.txt": "",
    });
    const home = join(first, "..");
    await symlink("futures/Futures_20250716_1400.csv", join(home, "Futures_20250716_1400.csv"));
    const names = (await findPriceFiles([home, first, join(home, "futures")])).map((path) =>
      path.slice(home.length + 1),
    );
    expect(names).toEqual([
      "options/Options_20250715_1400.csv",
      "Futures_20250716_1400.csv",
      "market_prices_20250716_1500.csv",
      "futures/Futures_20250716_1600.csv",
    ]);
  });

  it("refuses a folder without price files, a missing path, and links in a circle", async () => {
    const home = await freshFolder();
    await expect(findPriceFiles([home])).rejects.toMatchObject({ code: "NO_INPUT" });
    await expect(findPriceFiles([join(home, "none")])).rejects.toMatchObject({ code: "UNREADABLE" });
    await symlink("futures", join(home, "futures"));
    await expect(findPriceFiles([home])).rejects.toMatchObject({
      code: "UNREADABLE",
      message: expect.stringContaining("circle"),
    });
  });
});

const desk = "../shared/data/prices";
describe.skipIf(!existsSync(desk))("the desk's own files", () => {
  it("give the marks that were computed by hand", async () => {
    const input = await readPriceFiles(await findPriceFiles([desk]), {
      dayRule: tradingDayRules["chicago-17"],
      translate,
    });
    expect(input.files).toHaveLength(6);
    const at = (file: string) =>
      input.prices
        .filter((row) => row.file === file)
        .map(({ symbol, instrument, price }) => `${symbol} ${instrument} ${formatDecimal(price)}`);
    expect(at("Futures_20250716_1400.csv")).toEqual([
      "TU ZTU2025 103.6640625",
      "FV ZFU2025 108.1328125",
      "TY ZNU2025 110.625",
      "US ZBU2025 112.15625",
      "RX RXU2025 129.2336",
    ]);
    expect(at("Futures_20250717_1600.csv")).toContain("TY ZNU2025 110.515625");
    expect(at("Futures_20250724_1600.csv")).toEqual([
      "TYU5 Comdty ZNU2025 111.0625",
      "FVU5 Comdty ZFU2025 108.5703125",
      "TYZ5 Comdty ZNZ2025 110.78125",
      "USU5 Comdty ZBU2025 113.4375",
      "RXU5 Comdty RXU2025 130.45",
    ]);
    expect(at("market_prices_20250712_1500.head.csv")).toEqual([]);
    expect(input.notes.filter(({ code }) => code === "IGNORED_WINDOW").map(({ file }) => file)).toEqual([
      "market_prices_20250712_1500.head.csv",
    ]);
    // Of the 168 rows, 28 have no settlement, and 12 repeat a strike at the money, at the same price.
    const options = at("Options_20250717_1600.head169.csv");
    expect(options).toHaveLength(128);
    expect(options).toContain("TYWN25C3 112.250 Comdty ZN-2025-07-WY3-C112.250 0");
    expect(input.quarantine).toEqual([]);
    expect(
      input.notes
        .filter(({ file }) => file.startsWith("Options"))
        .map(({ code, why }) => [code, why.split(" ")[0]]),
    ).toEqual([
      ["NO_PRICE", "28"],
      ["REPEATED_PRICE", "12"],
    ]);
  });
});
