/** Tests that the bridge's reader reads what another library has written. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, deflateRawSync } from "node:zlib";
import exceljs from "exceljs";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readWorkbook } from "../../src/adapters/xlsx/index.ts";
import { readSheet } from "../../src/adapters/xlsx/read-sheet.ts";
import { openZip } from "../../src/adapters/xlsx/zip-parts.ts";
import { cellTypes } from "../../src/ports/workbook.ts";
import { isLongRun } from "../campaigns.ts";
import { zipOf } from "./raw-workbook.ts";

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
    { numRuns: isLongRun("reports") ? 40 : 15 },
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

it("refuses a part that is larger than 256 MB when unpacked, before it unpacks the part", async () => {
  const file = zipOf({ a: Buffer.from("small") }, false);
  file.writeUInt32LE(2 ** 28 + 1, file.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 24);
  const { text } = await openZip("bomb.xlsx", file);
  await expect(text("a").next()).rejects.toThrow(/more than 268435456 bytes/);
});

it.runIf(isLongRun("reports"))(
  "stops unpacking a part of 1 GB of zeros that claims to be small",
  async () => {
    const zeros = deflateRawSync(Buffer.alloc(2 ** 24), { finishFlush: constants.Z_FULL_FLUSH });
    const file = zipOf({ a: Buffer.concat(Array(64).fill(zeros)) }, false);
    // Both headers of the part say that it is packed.
    for (const at of [8, file.indexOf(Buffer.from([0x50, 0x4b, 1, 2])) + 10]) file.writeUInt16LE(8, at);
    const { text } = await openZip("bomb.xlsx", file);
    let length = 0;
    const unpack = async (): Promise<void> => {
      for await (const piece of text("a")) length += piece.length;
    };
    await expect(unpack()).rejects.toThrow(/more than 268435456 bytes/);
    expect(length).toBeLessThanOrEqual(268_435_456);
  },
);

describe("a cell of the plain form", () => {
  const cell = '<c r="A1" s="1"><v>7</v></c>';
  const sheet = (row: string): string => `<worksheet><sheetData>${row}</sheetData></worksheet>`;
  /** Reads one sheet in pieces of a length, and returns the texts of its cells. */
  async function textsOf(xml: string, length: number): Promise<readonly string[]> {
    const pieces = async function* () {
      for (let at = 0; at < xml.length; at += length) yield xml.slice(at, at + length);
    };
    const part = { name: "A", visibility: "visible", isFrom1904: false, cellsLeft: 9, where: "A" } as const;
    const { texts } = await readSheet(pieces(), { ...part, sharedTexts: ["zero", "one"] });
    return texts;
  }

  it.each([
    ["is read as the parser reads it", `<row>${cell}<c r="B1" t="s"><v>1</v></c></row>`, ["7", "one"]],
    ["is read with its attributes in any order", `<row><c r="A1" s="1" t="s"><v>0</v></c></row>`, ["zero"]],
    [
      "is read beside others",
      `<row><c r="A1"><f>1+1</f><v>2</v></c><c r="B1"><v>3</v></c></row>`,
      ["2", "3"],
    ],
    ["does not count in a comment", `<row><!--<row>${cell}-->${cell}</row>`, ["7"]],
    [
      "does not count in a CDATA section",
      `<row><c r="A1" t="str"><v><![CDATA[<row>${cell}]]></v></c></row>`,
      [`<row>${cell}`],
    ],
  ])("%s, in pieces of any length", async (_, row, texts) => {
    for (let length = 1; length <= sheet(row).length; length++)
      expect(await textsOf(sheet(row), length)).toEqual(texts);
  });

  it("counts an ISO day as spreadsheet programs do, which have a 29 February 1900", async () => {
    const days = ["1900-02-28", "1900-03-01", "2025-07-24T12:00:00"];
    const cells = days.map((day, at) => `<c r="${"ABC"[at]}1" t="d"><v>${day}</v></c>`);
    expect(await textsOf(sheet(`<row>${cells.join("")}</row>`), 1_000)).toEqual(["59", "61", "45862.5"]);
  });

  it.each([
    ["behind the end of the document", `${sheet("")}${cell}`],
    ["with an attribute that stands twice", sheet('<row><c r="A1" s="1" s="1"><v>7</v></c></row>')],
    ["without its end", sheet('<row><c r="A1"><v>7</v></row>')],
  ])("is refused %s", async (_, xml) => {
    for (const length of [1, 7, xml.length])
      await expect(textsOf(xml, length)).rejects.toMatchObject({ code: "BAD_WORKBOOK" });
  });
});
