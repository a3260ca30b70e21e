/** Tests that the bridge's reader reads what another library has written. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import exceljs from "exceljs";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readWorkbook } from "../../src/adapters/xlsx/index.ts";
import { cellTypes } from "../../src/ports/workbook.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pnl-bridge-report-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Texts without characters that exceljs itself cannot write. */
const anyText = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: XML cannot hold these characters.
  .filter((text) => !/[\u0000-\u001f\ufffe\uffff]|_x[0-9a-f]{4}_/i.test(text));
const anyCell = fc.oneof(
  fc
    .double({ noNaN: true, noDefaultInfinity: true })
    .map((value) => ({ value, type: "number", text: String(value) })),
  anyText.map((value) => ({ value, type: "text", text: value })),
  fc.boolean().map((value) => ({ value, type: "boolean", text: value ? "TRUE" : "FALSE" })),
  fc.constant({ value: { error: "#N/A" } as const, type: "error", text: "#N/A" }),
);

it("reads every value with the type and the text that exceljs wrote", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(anyCell, { minLength: 1, maxLength: 6 }), { maxLength: 8 }),
      async (rows) => {
        const book = new exceljs.Workbook();
        const sheet = book.addWorksheet("Sheet");
        for (const row of rows) sheet.addRow(row.map(({ value }) => value));
        const path = join(folder, "any.xlsx");
        await book.xlsx.writeFile(path);
        const [read] = (await readWorkbook(path)).sheets;
        const cells = [...(read?.texts ?? [])].map((text, at) => ({
          type: cellTypes[read?.types[at] ?? 0],
          text,
        }));
        expect(
          cells.map(({ type, text }) => ({ type, text: type === "number" ? String(Number(text)) : text })),
        ).toEqual(
          rows
            .flat()
            .map(({ type, text }) => ({ type, text: type === "number" ? String(Number(text)) : text })),
        );
      },
    ),
    { numRuns: 40 },
  );
});

it("reads a shared formula at each of its cells, with shifted references", async () => {
  const book = new exceljs.Workbook();
  const sheet = book.addWorksheet("Sheet");
  sheet.addRows([[1], [2], [3]]);
  sheet.fillFormula("B1:B3", "A1*2", [2, 4, 6]);
  const path = join(folder, "shared.xlsx");
  await book.xlsx.writeFile(path);
  const [read] = (await readWorkbook(path)).sheets;
  expect([...(read?.formulas.values() ?? [])]).toEqual(["A1*2", "A2*2", "A3*2"]);
});
