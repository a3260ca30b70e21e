/**
 * LibreOffice reads the same cells from both workbooks as the bridge's reader does. Its flat ODS format has
 * each value as it is stored and as it is shown.
 */
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { SaxesParser } from "saxes";
import { describe, expect, it } from "vitest";
import { readWorkbook } from "../../src/adapters/xlsx/index.ts";
import { cellTypes } from "../../src/ports/workbook.ts";
import { isLongRun } from "../campaigns.ts";
import { pnlBridge } from "../cli/run-cli.ts";

/** The start of LibreOffice costs more than all other tests of reports. */
const missing = !isLongRun("reports")
  ? "runs only in the campaign `reports`; a short run reads the workbooks with exceljs and with Python"
  : spawnSync("soffice", ["--version"]).status === 0
    ? undefined
    : "LibreOffice is not installed";
/** The start of LibreOffice takes long on a busy machine. */
const limitMs = 360_000;

/** The cells of every sheet of a flat ODS document, in order, as `sheet type value`. */
function cellsOf(fods: string): readonly string[] {
  const parser = new SaxesParser<{ xmlns: false }>({ xmlns: false });
  const found: string[] = [];
  let sheet = "";
  let row: string[] = [];
  let cell: { type: string; value: string } | undefined;
  let text = "";
  // Equal neighbouring cells, and equal rows, are written once, with the count of repetitions.
  let [columns, rows] = [1, 1];
  parser.on("opentag", ({ name, attributes }) => {
    if (name === "table:table") sheet = attributes["table:name"] ?? "";
    if (name === "table:table-row") {
      row = [];
      rows = Number(attributes["table:number-rows-repeated"] ?? 1);
    }
    if (name !== "table:table-cell") return;
    text = "";
    columns = Number(attributes["table:number-columns-repeated"] ?? 1);
    const type = attributes["office:value-type"];
    cell = type === undefined ? undefined : { type, value: attributes["office:value"] ?? "" };
  });
  parser.on("text", (piece) => {
    text += piece;
  });
  parser.on("closetag", ({ name }) => {
    if (name === "table:table-row")
      for (let copy = 0; copy < rows && row.length > 0; copy++) found.push(...row);
    if (name !== "table:table-cell" || cell === undefined) return;
    const shown = cell.type === "string" ? `string ${text.trim()}` : `number ${Number(cell.value)}`;
    for (let copy = 0; copy < columns; copy++) row.push(`${sheet} ${shown}`);
    cell = undefined;
  });
  parser.write(fods).close();
  return found;
}

describe.skipIf(missing !== undefined)(`LibreOffice (${missing ?? "installed"})`, () => {
  it(
    "agrees on every sheet, type and value of both workbooks, and computes the same totals",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-report-"));
      try {
        await mkdir(join(folder, "ledger"));
        await writeFile(
          join(folder, "ledger/trades_20250724.csv"),
          "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n" +
            "1,XCMEFFDPSX20250919U0ZN,2025-07-24 09:00:00.000,B,3.0,110.515625\n" +
            "2,XCMEFFDPSX20250919U0ZN,2025-07-24 10:00:00.000,S,1.0,110.75\n",
        );
        const sides = ["legacy", "modern"].map((side) => ({ side, path: join(folder, `${side}.xlsx`) }));
        for (const { side, path } of sides) {
          const trades = ["--trades", join(folder, "ledger"), "--side", side];
          await pnlBridge(["report", "daily", "--date", "2025-07-24", "--out", path, ...trades]);
        }
        // Starting LibreOffice takes most of the time, so one run converts both workbooks. The run has its
        // own profile, so that it shares none with another run.
        const profile = `-env:UserInstallation=${pathToFileURL(join(folder, "profile")).href}`;
        const to = [
          "--headless",
          "--convert-to",
          "fods",
          "--outdir",
          folder,
          ...sides.map(({ path }) => path),
        ];
        const ended = spawnSync("soffice", [profile, ...to], { timeout: limitMs - 60_000, encoding: "utf8" });
        for (const { side, path } of sides) {
          const fods = await readFile(join(folder, `${side}.fods`), "utf8").catch(() => undefined);
          if (fods === undefined)
            throw new Error(`LibreOffice wrote no ${side}.fods: ${JSON.stringify(ended)}`);
          const seen = cellsOf(fods);
          const { sheets } = await readWorkbook(path);
          const ours = sheets.flatMap((sheet) =>
            sheet.texts.flatMap((text, at) => {
              const type = cellTypes[sheet.types[at] ?? 0];
              if (type === "blank") return [];
              return [`${sheet.name} ${type === "number" ? `number ${Number(text)}` : `string ${text}`}`];
            }),
          );
          expect(ours.length).toBeGreaterThan(100);
          expect(seen).toEqual(ours);
        }
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    limitMs,
  );
});
