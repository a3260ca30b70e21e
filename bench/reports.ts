import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import exceljs from "exceljs";
import { writeXlsx } from "hucre/xlsx";
import { SaxesParser } from "saxes";
import { workbookBytes } from "../src/adapters/xlsx/index.ts";
import { openZip } from "../src/adapters/xlsx/zip-parts.ts";
import { generateLedgerFile } from "../src/app/demo-desk/index.ts";
import { diffReports } from "../src/app/reports/diff.ts";
import { defaultConfig } from "../src/config/index.ts";
import type { WrittenWorkbook } from "../src/ports/written-workbook.ts";
import { interleaved, ratio, timesOf } from "./measure.ts";
import { builtProgram, run } from "./program.ts";
import { type BenchResult, type BenchRow, megabytes, milliseconds } from "./report.ts";
import { inTemporaryFolder } from "./temporary.ts";

const repetitions = 3;

const columns = [
  ...["Trade_ID", "DateTime", "Symbol", "Action"].map((name) => ({ name, format: "@" })),
  { name: "Quantity", format: "#,##0" },
  { name: "Price_Decimal", format: "#,##0.000000" },
  { name: "Price_32nds", format: "@" },
  { name: "Fees", format: "#,##0.00" },
  { name: "Type", format: "@" },
  { name: "Realized_PNL", format: "#,##0.00;[Red]-#,##0.00" },
];

/** The values of a trade; realized P&L differs from row to row. Every hundredth has `more` of it. */
const valuesOf = (at: number, more = 0): (string | number)[] => {
  const realized = ((at * 7919) % 100_000) / 64 + (at % 100 === 0 ? more : 0);
  const seconds = String(at % 60).padStart(2, "0");
  const price = 110 + (at % 64) / 64;
  return [
    ...[`${at}`, `2025-07-24 13:08:${seconds}`, "XCMEFFDPSX20250919U0ZN", at % 2 === 0 ? "BUY" : "SELL"],
    ...[(at % 7) + 1, price, `110-${String((at % 64) / 2)}`, 0, "FUT", realized],
  ];
};

const bookOf = (rows: number, more = 0): WrittenWorkbook => ({
  title: "",
  keywords: "",
  footer: "",
  sheets: [
    {
      name: "Trades",
      columns,
      rows: Array.from({ length: rows }, (_, at) =>
        valuesOf(at, more).map((value, column) => ({ value, format: columns[column]?.format ?? "General" })),
      ),
    },
  ],
});

/** Measures the writer beside the bare libraries, and the comparison beside unpacking and parsing alone. */
export async function reports(): Promise<BenchResult> {
  const program = builtProgram();
  const written = 50_000;
  const book = bookOf(written);
  const rows = [columns.map(({ name }) => name), ...Array.from({ length: written }, (_, at) => valuesOf(at))];
  const plain = { name: "Trades", rows };
  const formatted = { ...plain, columns: columns.map(({ format }) => ({ numFmt: format, width: 20 })) };
  const writing = await interleaved(
    {
      ours: { run: () => workbookBytes(book) },
      hucre: { run: () => writeXlsx({ sheets: [formatted] }) },
      unformatted: { run: () => writeXlsx({ sheets: [plain] }) },
      exceljs: {
        run: async () => {
          const other = new exceljs.Workbook();
          const sheet = other.addWorksheet("Trades");
          for (const row of rows) sheet.addRow(row);
          await other.xlsx.writeBuffer();
        },
      },
    },
    repetitions,
  );
  return inTemporaryFolder(async (folder) => {
    const pairOf = async (rows: number): Promise<readonly [string, string]> => {
      const paths = [join(folder, `${rows}-a.xlsx`), join(folder, `${rows}-b.xlsx`)] as const;
      for (const [side, path] of paths.entries())
        await writeFile(path, await workbookBytes(bookOf(rows, side / 200)));
      return paths;
    };
    const [half, whole] = [await pairOf(50_000), await pairOf(100_000)];
    const { peakBytes } = run([process.execPath, program, "report", "diff", ...whole], folder);
    const daily = await dailyReports(program, folder);
    const comparing = await interleaved(
      {
        ours: { run: () => diffReports(whole, defaultConfig) },
        half: { run: () => diffReports(half, defaultConfig) },
        alone: { run: () => parseAlone(whole) },
      },
      repetitions,
    );
    return {
      name: "report",
      what: `Excel reports: a sheet of ${written} rows written with its formats, two workbooks of 100,000 rows with 1,000 differences compared; median of ${repetitions}`,
      rows: [
        {
          case: "write",
          measured: milliseconds(writing.ours.medianMs),
          ratio: ratio(writing.ours, writing.hucre),
          against: "hucre alone, the same formats",
          target: { atMost: 1.2 },
        },
        {
          case: "write",
          measured: milliseconds(writing.ours.medianMs),
          ratio: ratio(writing.ours, writing.unformatted),
          against: "hucre alone, no formats",
        },
        {
          case: "write",
          measured: milliseconds(writing.ours.medianMs),
          ratio: ratio(writing.ours, writing.exceljs),
          against: "exceljs, no formats",
          target: { atMost: 0.5 },
        },
        {
          case: "compare",
          measured: milliseconds(comparing.ours.medianMs),
          ratio: ratio(comparing.ours, comparing.alone),
          against: "unpacking and parsing alone",
          target: { atMost: 1.5 },
        },
        {
          case: "compare twice the rows",
          measured: milliseconds(comparing.ours.medianMs),
          ratio: ratio(comparing.ours, comparing.half),
          against: "half of the rows",
          target: { atMost: 2.5 },
        },
        ...daily,
        {
          case: "peak memory of report diff",
          measured: peakBytes === undefined ? "no GNU time" : megabytes(peakBytes),
          ...(peakBytes !== undefined && {
            ratio: peakBytes / 400e6,
            against: "400 MB",
            target: { atMost: 1 },
          }),
        },
      ],
    };
  });
}

/**
 * Measures `report daily` over 100,000 trades: modern's report alone, and with the comparison that phases
 * after `read_only` make.
 */
async function dailyReports(program: string, folder: string): Promise<readonly BenchRow[]> {
  const [ledger, config] = [join(folder, "trades_20250718.csv"), join(folder, "read_only.yaml")];
  await generateLedgerFile(ledger, { trades: 100_000 });
  await writeFile(config, "migration: { phase: read_only }\n");
  const args = ["--date", "2025-07-18", "--trades", ledger, "--side", "modern"];
  const rowsOf = (
    name: string,
    more: readonly string[],
    target?: BenchRow["target"],
  ): readonly BenchRow[] => {
    const command = [process.execPath, program, "report", "daily", ...args, ...more];
    const runs = Array.from({ length: repetitions }, () => run(command, folder));
    const { medianMs } = timesOf(runs.map(({ ms }) => ms));
    const peakBytes = Math.max(...runs.map((one) => one.peakBytes ?? Number.NaN));
    const targeted = target && { target };
    return [
      {
        case: `${name}, 100,000 trades`,
        measured: milliseconds(medianMs),
        ...{ ratio: medianMs / 3_000, against: "3 s", ...targeted },
      },
      {
        case: `peak memory of ${name}`,
        measured: Number.isNaN(peakBytes) ? "no GNU time" : megabytes(peakBytes),
        ...(!Number.isNaN(peakBytes) && { ratio: peakBytes / 250e6, against: "250 MB", ...targeted }),
      },
    ];
  };
  const out = (name: string): readonly string[] => ["--out", join(folder, name)];
  return [
    ...rowsOf("report daily", [...out("alone.xlsx"), "--config", config], { atMost: 1 }),
    ...rowsOf("report daily with a comparison", out("compared.xlsx")),
  ];
}

/**
 * Unpacks and parses the three large parts of two workbooks with the libraries of the comparison, and keeps
 * nothing.
 */
async function parseAlone(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const zip = await openZip(path);
    for (const part of ["xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "xl/styles.xml"]) {
      const parser = new SaxesParser<{ xmlns: false; position: false }>({ xmlns: false, position: false });
      for (const event of ["opentag", "closetag", "text"] as const) parser.on(event, () => {});
      for await (const piece of zip.text(part)) parser.write(piece);
      parser.close();
    }
  }
}
