/** The daily report of both systems over real and small ledgers. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { watch } from "node:fs";
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import exceljs from "exceljs";
import { SaxesParser } from "saxes";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readWorkbook, workbookBytes } from "../../src/adapters/xlsx/index.ts";
import { openZip } from "../../src/adapters/xlsx/zip-parts.ts";
import { generateLedgerFile } from "../../src/app/demo-desk/index.ts";
import { contentHashOf } from "../../src/app/reports/build.ts";
import { closeOfDay, dayOfText } from "../../src/app/reports/figures.ts";
import { add, type Fraction, formatFraction, parseFraction, zero } from "../../src/base/fraction.ts";
import { reportCauses } from "../../src/bridges/reports/known-causes.ts";
import type { ReportDiff } from "../../src/ports/report-diff.ts";
import { cellTypes, type Workbook } from "../../src/ports/workbook.ts";
import { isLongRun } from "../campaigns.ts";
import { main, pnlBridge, pnlBridgeAlone, type Ran, root } from "../cli/run-cli.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";
import { causeChecks } from "./cause-checks.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pnl-bridge-report-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const header = "tradeId,instrumentName,marketTradeTime,buySell,quantity,price";
const future = "XCMEFFDPSX20250919U0ZN";
const put = (strike: string): string => `XCMEOPADPS20250728N0VY4/${strike}`;
/** A desk of three days: an open future, a flat one that realized a profit, and two strikes of one series. */
const rows = [
  `1,${future},2025-07-23 09:00:00.000,B,3.0,110.515625`,
  `2,${future},2025-07-24 09:00:01.500,S,1.0,110.75`,
  `3,XCMEFFDPSX20250919U0ZF,2025-07-24 10:00:00.000,B,2.0,108.25`,
  `4,XCMEFFDPSX20250919U0ZF,2025-07-24 10:30:00.000,S,2.0,108.5`,
  `5,${put("110.25")},2025-07-24 11:00:00.000,B,10.0,0.015625`,
  `6,${put("110.5")},2025-07-24 11:00:01.000,S,5.0,0.03125`,
  `7,${future},2025-07-25 09:00:00.000,B,1.0,111.0`,
];
async function ledgers(name: string, lines: readonly string[] = rows): Promise<string> {
  const path = join(folder, name);
  await mkdir(path, { recursive: true });
  for (const day of ["2025-07-23", "2025-07-24", "2025-07-25"]) {
    const ofDay = lines.filter((line) => line.split(",")[2]?.startsWith(day));
    await writeFile(
      join(path, `trades_${day.replaceAll("-", "")}.csv`),
      `${[header, ...ofDay].join("\n")}\n`,
    );
  }
  return path;
}

const daily = (out: string, trades: string, ...more: string[]) =>
  pnlBridge([
    "report",
    "daily",
    "--date",
    "2025-07-24",
    "--out",
    join(folder, out),
    "--trades",
    trades,
    ...more,
  ]);

/** The report of the small desk from one side, as the command wrote it. */
interface Written {
  readonly ran: Ran;
  readonly path: string;
  readonly trades: string;
}
const writtenReports = new Map<string, Promise<Written>>();
/** Writes the report of the small desk, once for all tests of this file. */
function written(side: "legacy" | "modern"): Promise<Written> {
  const write = async (): Promise<Written> => {
    const trades = await ledgers("small");
    return {
      ran: await daily(`${side}.xlsx`, trades, "--side", side),
      path: join(folder, `${side}.xlsx`),
      trades,
    };
  };
  const found = writtenReports.get(side) ?? write();
  writtenReports.set(side, found);
  return found;
}

/** The rows of a sheet by column name, with types. */
function sheetRows(book: Workbook, name: string): readonly Readonly<Record<string, string>>[] {
  const sheet = book.sheets.find((one) => one.name === name);
  if (sheet === undefined) throw new Error(`no sheet ${name}`);
  const cells = sheet.rowNumbers.map((_, row) => {
    const found = new Map<number, string>();
    for (let at = sheet.starts[row] ?? 0; at < (sheet.starts[row + 1] ?? 0); at++)
      found.set(sheet.columns[at] ?? 0, sheet.texts[at] ?? "");
    return found;
  });
  return cells
    .slice(1)
    .map((row) =>
      Object.fromEntries([...(cells[0] ?? [])].map(([column, head]) => [head, row.get(column) ?? ""])),
    );
}

const sum = (texts: readonly (string | null)[]): string =>
  formatFraction(texts.reduce<Fraction>((total, text) => add(total, parseFraction(text ?? "") ?? zero), zero))
    .text;

describe("report daily", () => {
  it("holds the trades and figures up to the close of the day, with totals that tie exactly to the rows", async () => {
    const { ran, path, trades } = await written("modern");
    const { code, out } = ran;
    expect({ code, first: out.split("\n")[0] }).toEqual({
      code: 0,
      first: `modern's report of 2025-07-24: ${path}`,
    });
    const book = await readWorkbook(path);
    expect(book.sheets.map(({ name }) => name)).toEqual([
      ...["Summary", "Positions", "Trades", "Risk_Matrix", "Position_Breakdown"],
    ]);
    const json = JSON.parse(await readFile(join(folder, "modern.json"), "utf8"));
    expect(json.sheets.Trades.map((trade: { Trade_ID: string }) => trade.Trade_ID)).toEqual([..."123456"]);
    const summary = Object.fromEntries(
      json.sheets.Summary.map((row: { Metric: string; Value: string }) => [row.Metric, row.Value]),
    );
    const column = (sheet: string, name: string) =>
      json.sheets[sheet].map((row: Record<string, string>) => row[name]);
    expect(summary).toEqual({
      "Total PNL": sum([summary["Realized PNL"], summary["Unrealized PNL"]]),
      "Daily PNL": "1203.125",
      "Realized PNL": sum(column("Trades", "Realized_PNL")),
      "Unrealized PNL": sum(column("Positions", "Unrealized_PNL")),
      "Active Positions": "3",
      "Total Trades": "6",
    });
    // The command `pnl` prints the same figures for the same trades.
    const asOf = ["--as-of", "2025-07-24T23:59:59", "--day-rule", "calendar"];
    const pnl = JSON.parse((await pnlBridge(["pnl", "--trades", trades, ...asOf, "--json"])).out);
    expect([summary["Realized PNL"], summary["Unrealized PNL"], summary["Total PNL"]]).toEqual([
      ...[pnl.totals.USD.realized, pnl.totals.USD.unrealized, pnl.totals.USD.total],
    ]);
    expect(sheetRows(book, "Positions").map(({ Symbol: symbol, Type: type }) => `${symbol} ${type}`)).toEqual(
      [`${future} FUT`, `${put("110.25")} PUT`, `${put("110.5")} PUT`],
    );
    // The scenarios of a future are exact; those of an option are not available.
    const risk = sheetRows(book, "Risk_Matrix");
    expect(risk).toHaveLength(39);
    expect(risk.filter((row) => row.Position_ID?.includes("/")).map((row) => row.Scenario_PNL)).toEqual(
      Array(26).fill("not available"),
    );
    expect(risk[0]).toMatchObject({ Price_Change: "-3", Scenario_PNL: "-6000" });
    const again = contentHashOf(book);
    expect(json.contentHash).toBe(again);
  });

  it("gives the P&L of each scenario of a future without a mark, and no price", async () => {
    const marks = join(folder, "marks.json");
    await writeFile(marks, JSON.stringify({ [put("110.25")]: 0.02 }));
    const { code } = await daily(
      "unmarked.xlsx",
      await ledgers("unmarked"),
      "--side",
      "modern",
      "--marks",
      marks,
    );
    expect(code).toBe(0);
    const risk = sheetRows(await readWorkbook(join(folder, "unmarked.xlsx")), "Risk_Matrix");
    expect(risk.filter((row) => row.Position_ID === `POS_${future}_001`).slice(0, 2)).toMatchObject([
      { Price_Change: "-3", TYU5_Price: "not available", Scenario_PNL: "-6000" },
      { Price_Change: "-2.5", TYU5_Price: "not available", Scenario_PNL: "-5000" },
    ]);
  });

  it("writes the same bytes for the same figures, at any time and in any time zone", async () => {
    const { path, trades } = await written("modern");
    const args = ["report", "daily", "--date", "2025-07-24", "--side", "modern", "--trades", trades];
    const inZone = async (zone: string): Promise<boolean> => {
      const out = join(folder, `${zone.replace("/", " ")}.xlsx`);
      const ran = await pnlBridgeAlone([...args, "--out", out], { cwd: folder, env: { TZ: zone } });
      expect(ran.code).toBe(0);
      return (await readFile(out)).equals(await readFile(path));
    };
    expect(await Promise.all(["America/Chicago", "Asia/Kolkata"].map(inZone))).toEqual([true, true]);
  });

  it("formats, freezes, filters and prints the sheets, and names the source below each page", async () => {
    const book = new exceljs.Workbook();
    await book.xlsx.readFile((await written("modern")).path);
    for (const sheet of book.worksheets) {
      expect(sheet.views[0]).toMatchObject({ state: "frozen", ySplit: 1 });
      expect(sheet.autoFilter).toBeTruthy();
      expect(sheet.pageSetup).toMatchObject({
        orientation: "landscape",
        fitToWidth: 1,
        printTitlesRow: "1:1",
      });
      expect(sheet.headerFooter.oddFooter).toMatch(
        /^&Lmodern P&&L of 2025-07-24, as of 2025-07-24T23:59:59.999999-05:00, day rule calendar, times in America\/Chicago, content [0-9a-f]{16}&RPage &P of &N$/,
      );
    }
    const position = book.getWorksheet("Positions")?.getRow(2);
    expect([3, 5, 11].map((column) => position?.getCell(column).numFmt)).toEqual([
      ...["#,##0", "#,##0.000000", "#,##0.00;[Red]-#,##0.00"],
    ]);
    expect(book.getWorksheet("Trades")?.getCell("A2")).toMatchObject({ value: "1", numFmt: "@" });
    expect(book.getWorksheet("Summary")?.getCell("B4").value).toEqual({
      formula: "SUM(Trades!J:J)",
      result: 734.375,
    });
  });
});

describe("the close of a day", () => {
  // 2025-07-25 was a Friday; Chicago is five hours behind UTC.
  it.each([
    ["2025-07-25", "chicago-17", "2025-07-25T21:59:59.999Z"],
    ["2025-07-26", "chicago-17", "2025-07-25T21:59:59.999Z"],
    ["2025-07-27", "chicago-17", "2025-07-25T21:59:59.999Z"],
    ["2025-07-28", "chicago-17", "2025-07-28T21:59:59.999Z"],
    ["2025-07-26", "calendar", "2025-07-27T04:59:59.999Z"],
    ["2025-07-26", "after-14", "2025-07-26T18:59:59.999Z"],
  ] as const)("of %s under the rule %s is %s", (date, rule, close) => {
    expect(new Date(Math.floor(closeOfDay(dayOfText(date), rule) / 1_000)).toISOString()).toBe(close);
  });
});

describe("a value of a workbook", () => {
  const write = (value: unknown) =>
    workbookBytes({
      title: "",
      keywords: "",
      footer: "",
      sheets: [
        {
          name: "A",
          columns: [{ name: "A", format: "@" }],
          rows: [[{ value: value as string, format: "@" }]],
        },
      ],
    });

  it.each([
    [Number.NaN, "NaN is no number"],
    [Number.POSITIVE_INFINITY, "Infinity is no number"],
    [Number.NEGATIVE_INFINITY, "-Infinity is no number"],
    [1n, "a value of the type bigint"],
    [undefined, "a value of the type undefined"],
    [new Date(0), "a value of the type object"],
    [Number("12345678901234567"), "more than 15 digits"],
    [0.1 + 0.2, "more than 15 digits"],
    ["x".repeat(40_000), "40000 characters"],
    ["\ud800", "half of a character pair"],
  ])("is refused with its place and its reason if a cell cannot hold it: %s", async (value, why) => {
    await expect(write(value)).rejects.toMatchObject({ code: "UNWRITABLE", where: "A, row 2, column A" });
    await expect(write(value)).rejects.toThrow(why);
  });

  it.each([
    "=cmd|' /C calc'!A0",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\u0001",
    "_x0001_",
    "00123",
    "1E5",
    "#N/A",
    "&<>\"'",
  ])("stays unchanged and never becomes a formula if it is a hostile text: %j", async (text) => {
    const path = join(folder, "hostile.xlsx");
    await writeFile(path, await write(text));
    const [sheet] = (await readWorkbook(path)).sheets;
    expect([sheet?.texts[1], cellTypes[sheet?.types[1] ?? 0], sheet?.formulas.size]).toEqual([
      text,
      "text",
      0,
    ]);
    const book = new exceljs.Workbook();
    await book.xlsx.readFile(path);
    // exceljs does not decode the escapes of characters.
    if (text.charCodeAt(0) >= 32 && !text.includes("_x"))
      expect(book.worksheets[0]?.getCell("A2").text).toBe(text);
  });
});

const python = spawnSync("python3", ["--version"]).status === 0;

describe("other readers", () => {
  /** Every cell of a workbook as `sheet!A1 type value`, by exceljs. */
  async function byExceljs(path: string): Promise<readonly string[]> {
    const book = new exceljs.Workbook();
    await book.xlsx.readFile(path);
    const found: string[] = [];
    for (const sheet of book.worksheets)
      sheet.eachRow((row) =>
        row.eachCell((cell) => {
          const value = cell.formula === undefined ? cell.value : cell.result;
          if (value !== "") found.push(`${sheet.name}!${cell.address} ${typeof value} ${value}`);
        }),
      );
    return found;
  }

  const letters = (column: number): string => String.fromCharCode(65 + column);
  const ours = ({ sheets }: Workbook): readonly string[] =>
    sheets.flatMap((sheet) =>
      sheet.rowNumbers.flatMap((row, index) => {
        const cells: string[] = [];
        for (let at = sheet.starts[index] ?? 0; at < (sheet.starts[index + 1] ?? 0); at++) {
          const type = cellTypes[sheet.types[at] ?? 0];
          const text = sheet.texts[at] ?? "";
          const value = type === "number" ? `number ${Number(text)}` : `string ${text}`;
          if (type !== "blank") cells.push(`${sheet.name}!${letters(sheet.columns[at] ?? 0)}${row} ${value}`);
        }
        return cells;
      }),
    );

  const sides = ["legacy", "modern"] as const;

  it.each(sides)("exceljs agrees on every sheet, type and value of the workbook of %s", async (side) => {
    const { path } = await written(side);
    const cells = ours(await readWorkbook(path));
    expect(cells.length).toBeGreaterThan(200);
    expect(await byExceljs(path)).toEqual(cells);
  });

  const needed = python ? "" : " (skipped: python3 is not installed)";
  it.skipIf(!python).each(sides)(
    `Python's standard library agrees on every sheet, type and value of the workbook of %s${needed}`,
    async (side) => {
      const { path } = await written(side);
      const script = join(root, "test/reports/read_workbook.py");
      const read = spawnSync("python3", [script, path], { encoding: "utf8" });
      expect(read.stderr).toBe("");
      const numbers = (line: string): string =>
        line.replace(/ number (.*)$/, (_, text: string) => ` number ${Number(text)}`);
      const lines = read.stdout.trimEnd().split("\n");
      expect(lines.map((line) => numbers(JSON.parse(line)))).toEqual(ours(await readWorkbook(path)));
    },
  );
});

it("has the elements of each sheet in the order of the format, else spreadsheet programs offer a repair", async () => {
  const inOrder = [
    ...[
      "sheetPr",
      "dimension",
      "sheetViews",
      "sheetFormatPr",
      "cols",
      "sheetData",
      "autoFilter",
      "mergeCells",
    ],
    ...[
      "conditionalFormatting",
      "dataValidations",
      "printOptions",
      "pageMargins",
      "pageSetup",
      "headerFooter",
    ],
  ];
  const { path } = await written("modern");
  const zip = await openZip(path, await readFile(path));
  const parts = zip.names.filter((name) => name.startsWith("xl/worksheets/sheet"));
  expect(parts).toHaveLength(5);
  for (const part of parts) {
    const found: string[] = [];
    let depth = 0;
    const parser = new SaxesParser();
    parser.on("opentag", ({ name }) => void (++depth === 2 && found.push(name)));
    parser.on("closetag", () => void depth--);
    for await (const piece of zip.text(part)) parser.write(piece);
    parser.close();
    expect(found).toEqual(inOrder.filter((name) => found.includes(name)));
    expect(found).toContain("sheetData");
  }
});

describe.runIf(isLongRun("reports"))("the report of many trades", () => {
  it("needs little memory, because its rows are made while they are written", async () => {
    const [trades, count] = [join(folder, "many"), 30_000];
    await mkdir(trades);
    await generateLedgerFile(join(trades, "trades_20250718.csv"), { trades: count });
    const out = join(folder, "many.xlsx");
    const config = join(folder, "read_only.yaml");
    await writeFile(config, "migration: { phase: read_only }\n");
    const args = ["--date", "2025-07-18", "--side", "modern", "--out", out, "--trades", trades];
    // A program that holds the cells of the workbook ends here for lack of memory.
    const env = { NODE_OPTIONS: "--max-old-space-size=96" };
    const { code, err } = await pnlBridgeAlone(["report", "daily", "--config", config, ...args], { env });
    expect({ code, err }).toMatchObject({ code: 0 });
    const sheet = (await readWorkbook(out)).sheets.find(({ name }) => name === "Trades");
    expect(sheet?.rowNumbers.length).toBe(1 + count);
  });
});

describe("the files of a report", () => {
  it.each([
    ["Excel", (name: string) => `~$${name}`],
    ["LibreOffice", (name: string) => `.~lock.${name}#`],
  ])("stay unchanged while the workbook is open in %s", async (program, lockOf) => {
    const name = `open-${program}.xlsx`;
    const trades = await ledgers("open");
    await writeFile(join(folder, name), "old");
    await writeFile(join(folder, lockOf(name)), "");
    const { code, out, err } = await daily(name, trades, "--side", "modern");
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err).toMatch(/^UNWRITABLE: the workbook is open: .*\n$/);
    expect(await readFile(join(folder, name), "utf8")).toBe("old");
    await expect(access(join(folder, `open-${program}.json`))).rejects.toThrow("ENOENT");
  });

  it("are the old ones or the new ones if the command is killed at any time", async () => {
    const trades = await ledgers("killed");
    const out = join(folder, "killed.xlsx");
    await daily("killed.xlsx", trades, "--side", "legacy");
    const before = await readFile(out);
    const args = [
      "report",
      "daily",
      "--date",
      "2025-07-24",
      "--out",
      out,
      "--trades",
      trades,
      "--side",
      "modern",
    ];
    const whole = [before.toString("hex")];
    for (const changes of isLongRun("reports") ? [1, 2, 3, 4, 5] : [2]) {
      const child = spawn(process.execPath, [main, ...args], { cwd: folder });
      // Killed after so many changes of the folder: while it writes its files, on a machine of any speed.
      let seen = 0;
      const watcher = watch(folder, () => {
        seen += 1;
        if (seen === changes) child.kill("SIGKILL");
      });
      const [code] = await once(child, "exit");
      watcher.close();
      const now = (await readFile(out)).toString("hex");
      if (code === 0) whole.push(now);
      else if (!whole.includes(now)) await readWorkbook(out);
    }
    // Leftovers of killed runs are removed by the next one.
    await daily("killed.xlsx", trades, "--side", "modern");
    expect(
      (await readdir(folder)).filter(
        (name) => name.includes("killed") && !/^killed(\.xlsx|(\.diff)?\.json)?$/.test(name),
      ),
    ).toEqual([]);
  });
});

describe.skipIf(!hasSharedData)("the real ledgers of July (needs the shared data)", () => {
  it.each([
    [
      "2025-07-24",
      [
        "Position_Breakdown Daily_PNL: unexplained",
        ...Array.from({ length: 3 }, () => "Position_Breakdown row: MISSING_IN_MODERN"),
        "Positions Avg_Entry_Price_32nds: unexplained",
        "Positions Daily_PNL: unexplained",
        "Positions Unrealized_PNL_Close: NO_VALUE_IN_MODERN",
        "Summary Value: unexplained",
      ],
    ],
    [
      "2025-07-31",
      [
        ...Array.from({ length: 3 }, () => "Position_Breakdown row: MISSING_IN_MODERN"),
        "Positions Avg_Entry_Price_32nds: unexplained",
      ],
    ],
  ])(
    "give two reports of %s; each different value has a text, a key, and a tolerance or a proved cause, except for the listed ones",
    async (date, expected) => {
      const files = (await readdir(join(sharedData, "ledgers"))).filter((name) =>
        name.startsWith("trades_202507"),
      );
      const trades = files.map((name) => join(sharedData, "ledgers", name));
      const paths = ["legacy", "modern"].map((side) => join(folder, `${date}-${side}.xlsx`));
      for (const [at, side] of ["legacy", "modern"].entries()) {
        const args = ["--date", date, "--side", side, "--out", paths[at] ?? ""];
        const { code } = await pnlBridge([
          "report",
          "daily",
          ...args,
          "--trades",
          ...trades,
          "--prices",
          join(sharedData, "prices"),
        ]);
        expect(code).toBe(0);
      }
      const [legacy = "", modern = ""] = paths;
      const { code, out } = await pnlBridge(["report", "diff", legacy, modern, "--json"]);
      expect(code).toBe(1);
      const { differences }: ReportDiff = JSON.parse(out);
      expect(differences.length).toBeGreaterThan(100);
      const checks = causeChecks(await readWorkbook(legacy), await readWorkbook(modern), differences);
      for (const one of differences) {
        if (one.class === "appearance") continue;
        expect(one.legacy ?? one.modern).toEqual(expect.any(String));
        expect(one.key).not.toBeNull();
        if (one.class === "within_tolerance") expect(one.tolerance).toBeDefined();
        else expect(checks(one), JSON.stringify(one)).toBe(true);
      }
      const unproved = differences.flatMap(({ sheet, column, cause }) =>
        cause === undefined || cause in reportCauses ? [] : [`${sheet} ${column ?? "row"}: ${cause}`],
      );
      expect(unproved.toSorted()).toEqual(expected);
    },
  );
});
