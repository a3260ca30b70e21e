import { beforeAll, expect, test } from "vitest";
import { readWorkbook } from "../../src/adapters/xlsx/index.ts";
import { contentHashOf } from "../../src/app/reports/build.ts";
import type { DifferenceClass } from "../../src/ports/report-diff.ts";
import { isLongRun } from "../campaigns.ts";
import {
  number,
  type RawCell,
  type RawSheet,
  type RawWorkbook,
  stylesXml,
  text,
  workbookFolder,
} from "./raw-workbook.ts";

const { diffOf, saved } = workbookFolder();

const heads = (...names: string[]): RawCell[] => names.map((name) => text(name));

/** A small daily report, and a sheet of another kind with every type of cell. */
function report(): RawWorkbook {
  return {
    styles: stylesXml,
    sheets: [
      {
        name: "Summary",
        rows: [
          heads("Metric", "Value", "Details"),
          [text("Total PNL"), number("125"), text("Realized + Unrealized")],
          [text("Realized PNL"), number("100"), text("")],
          [text("Unrealized PNL"), number("25"), text("")],
          [text("Active Positions"), number("2"), text("")],
          [text("Total Trades"), number("3"), text("")],
        ],
      },
      {
        name: "Positions",
        before: '<cols><col min="1" max="1" width="20"/></cols>',
        rows: [
          heads("Symbol", "Type", "Net_Quantity", "Avg_Entry_Price", "Unrealized_PNL", "Daily_PNL"),
          [
            text("ZN"),
            text("FUT"),
            number("3"),
            number("110.515625"),
            number("25", 1),
            text("awaiting data"),
          ],
          [text("VY3"), text("P"), number("-2"), number("0.02"), number("0"), number("-15.625")],
        ],
        after: '<mergeCells count="1"><mergeCell ref="H1:I2"/></mergeCells>',
      },
      {
        name: "Trades",
        rows: [
          heads("Trade_ID", "DateTime", "Symbol", "Action", "Quantity", "Price_Decimal", "Realized_PNL"),
          [
            text("46"),
            text("2025-07-24 13:08:35"),
            text("ZN"),
            text("BUY"),
            number("5"),
            number("110.5"),
            number("0"),
          ],
          [
            text("47"),
            text("2025-07-24 13:09:00"),
            text("ZN"),
            text("SELL"),
            number("2"),
            number("110.55"),
            number("100"),
          ],
          [
            text("48"),
            text("2025-07-24 13:10:00"),
            text("VY3"),
            text("SELL"),
            number("2"),
            number("0.02"),
            number("0"),
          ],
        ],
      },
      {
        name: "Other",
        before:
          '<sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" state="frozen"/></sheetView></sheetViews>',
        rows: [
          heads("Id", "Amount", "Flag", "Error", "Day", "Sum", "Note", "Amount"),
          ...[1, 2, 3, 4].map((id): RawCell[] => [
            text(`row ${id}`),
            number(`${id}234.5`, 1),
            { t: "b", v: "1" },
            { t: "e", v: "#N/A" },
            number(`${45862 + id}`, 4),
            { f: `B${id + 1}*2`, v: `${id * 2}469` },
            text(`note ${id}`),
            number("0.3"),
          ]),
        ],
      },
    ],
  };
}

let original = "";
beforeAll(async () => {
  original = await saved(report());
});

/** Writes the report with a change, and returns its path. */
const savedWith = (change: Change): Promise<string> => {
  const book = report();
  change(book);
  return saved(book);
};

type Change = (book: RawWorkbook) => void;

function sheetOf(book: RawWorkbook, name: string): RawSheet {
  const found = book.sheets.find((sheet) => sheet.name === name);
  if (found === undefined) throw new Error(`no sheet ${name}`);
  return found;
}

/** Replaces one cell; `place` is its address in the sheet, such as F3. */
const cell =
  (sheet: string, place: string, change: RawCell): Change =>
  (book) => {
    const row = sheetOf(book, sheet).rows[Number(place.slice(1)) - 1] ?? [];
    row[place.charCodeAt(0) - 65] = change;
  };
const restyled =
  (sheet: string, place: string, s: number): Change =>
  (book) => {
    const found = sheetOf(book, sheet).rows[Number(place.slice(1)) - 1]?.[place.charCodeAt(0) - 65];
    if (found !== undefined) found.s = s;
  };
const rows =
  (sheet: string, change: (rows: RawCell[][]) => RawCell[][]): Change =>
  (book) => {
    const found = sheetOf(book, sheet);
    found.rows = change(found.rows);
  };
const permuted = (order: readonly number[]) => (all: RawCell[][]) =>
  all.map((row) => order.map((at) => row[at] ?? {}));
const part =
  (sheet: string, change: Partial<RawSheet>): Change =>
  (book) => {
    Object.assign(sheetOf(book, sheet), change);
  };

/**
 * Single changes of a workbook, each with the class that it must have. A change of a total, or of a row that
 * the total sums up, also makes the total differ from its rows.
 */
const mutations: readonly (readonly [string, DifferenceClass, Change])[] = [
  ["a number in its last cent", "value", cell("Positions", "F3", number("-15.605"))],
  ["a number by its sign", "value", cell("Positions", "F3", number("15.625"))],
  ["a number by a factor", "value", cell("Positions", "F3", number("-15625"))],
  ["a price by one tick", "value", cell("Trades", "F2", number("110.515625"))],
  ["a quantity", "value", cell("Positions", "C2", number("4"))],
  ["a large number in its last digit", "value", cell("Other", "B2", number("123456789012345.67", 1))],
  ["a number to zero", "value", cell("Positions", "F3", number("0"))],
  ["a text in its case", "value", cell("Trades", "D2", text("Buy"))],
  ["a text by a space at its end", "value", cell("Other", "G2", text("note 1 "))],
  ["a text by a space at its start", "value", cell("Other", "G2", text(" note 1"))],
  ["a text with a no-break space", "value", cell("Other", "G2", text("note\u00a01"))],
  ["a time by half a second", "value", cell("Trades", "B2", text("2025-07-24 13:08:35.500"))],
  ["a text to another text", "value", cell("Other", "G2", text("awaiting data"))],
  ["a text to nothing", "value", cell("Other", "G2", {})],
  ["a text to an empty text", "value", cell("Other", "G2", text(""))],
  ["a text where nothing was", "value", cell("Summary", "C3", text("of all trades"))],
  ["a truth value", "value", cell("Other", "C2", { t: "b", v: "0" })],
  ["a date by a day", "value", cell("Other", "E2", number("45864", 4))],
  ["a stored result that is stale", "value", cell("Other", "F2", { f: "B2*2", v: "2400" })],
  ["a total that no longer ties", "value", cell("Summary", "B2", number("126"))],
  ["a row of a total", "value", cell("Trades", "G3", number("101"))],
  ["a number with an exponent", "value", cell("Positions", "F3", number("-1.5625E+3"))],
  ["a number to its text", "type", cell("Positions", "F3", text("-15.625"))],
  ["a number to a text with thousands separators", "type", cell("Other", "B2", text("1,234.5"))],
  ["a number to `awaiting data`", "type", cell("Positions", "F3", text("awaiting data"))],
  ["a number to `not available`", "type", cell("Positions", "F3", text("not available"))],
  ["a number to nothing", "type", cell("Positions", "F3", {})],
  ["a number to an empty text", "type", cell("Positions", "F3", text(""))],
  ["a number where a text was", "type", cell("Positions", "F2", number("0"))],
  ["a truth value to its text", "type", cell("Other", "C2", text("TRUE"))],
  ["a truth value to a number", "type", cell("Other", "C2", number("1"))],
  ["a date to its text", "type", cell("Other", "E2", text("2025-07-25"))],
  ["a number where nothing was", "type", cell("Summary", "C3", number("0"))],
  ["a number to an error", "error", cell("Positions", "F3", { t: "e", v: "#DIV/0!" })],
  ["an error to another error", "error", cell("Other", "D2", { t: "e", v: "#VALUE!" })],
  ["an error to its text", "error", cell("Other", "D2", text("#N/A"))],
  ["an error to nothing", "error", cell("Other", "D2", {})],
  ["a number to NaN", "error", cell("Positions", "F3", number("NaN"))],
  ["a number to a hexadecimal text", "error", cell("Positions", "F3", number("0x10"))],
  ["a number that no program can hold", "error", cell("Positions", "E3", number("1e-5000"))],
  ["a date to a text that is no date", "error", cell("Other", "E2", { t: "d", v: "2025-07-45", s: 4 })],
  ["a formula to its value", "formula", cell("Other", "F2", number("2469"))],
  ["a value to a formula", "formula", cell("Other", "B2", { f: "1000+234.5", v: "1234.5", s: 1 })],
  ["a formula to another one of the same value", "formula", cell("Other", "F2", { f: "2*B2", v: "2469" })],
  ["a formula without its stored result", "formula", cell("Other", "F2", { f: "B2*2" })],
  ["a formula without a result where a number was", "formula", cell("Positions", "F3", { f: "1+1" })],
  ["a number format by its decimals", "format", restyled("Other", "B2", 2)],
  ["a number format to none", "format", restyled("Other", "B2", 0)],
  ["a date to its number", "format", restyled("Other", "E2", 0)],
  ["a number to a date", "format", restyled("Positions", "C2", 4)],
  ["a number to a built-in format of money", "format", restyled("Positions", "C2", 9)],
  ["a number to a date in the form of a language", "format", restyled("Positions", "C2", 10)],
  ["a missing row", "only_in_legacy", rows("Other", (all) => all.filter((_, at) => at !== 2))],
  ["a missing last row", "only_in_legacy", rows("Other", (all) => all.slice(0, -1))],
  ["a missing column", "only_in_legacy", rows("Other", permuted([0, 1, 2, 3, 4, 5, 7]))],
  ["a missing sheet", "only_in_legacy", (book) => void book.sheets.pop()],
  [
    "an additional row",
    "only_in_modern",
    rows("Other", (all) => all.toSpliced(3, 0, [text("row 9"), number("1")])),
  ],
  [
    "a repeated row",
    "only_in_modern",
    rows("Other", (all) => all.toSpliced(3, 0, structuredClone(all[2] ?? []))),
  ],
  [
    "an additional column",
    "only_in_modern",
    rows("Other", (all) => all.map((row, at) => [...row, text(at === 0 ? "New" : "x")])),
  ],
  [
    "an additional sheet",
    "only_in_modern",
    (book) => void book.sheets.push({ name: "More", rows: [[text("A")]] }),
  ],
  [
    "an additional hidden sheet",
    "only_in_modern",
    (book) => void book.sheets.push({ name: "More", state: "veryHidden", rows: [] }),
  ],
  ["a number within the tolerance", "within_tolerance", cell("Positions", "F3", number("-15.62"))],
  ["a number by float dust", "within_tolerance", cell("Other", "H3", number("0.30000000000000004"))],
  ["a price by float dust", "within_tolerance", cell("Positions", "D3", number("0.019999999999999997"))],
  [
    "a hidden column",
    "appearance",
    part("Positions", { before: '<cols><col min="1" max="1" width="20" hidden="1"/></cols>' }),
  ],
  ["a hidden sheet", "appearance", part("Other", { state: "hidden" })],
  ["a very hidden sheet", "appearance", part("Other", { state: "veryHidden" })],
  ["a hidden row", "appearance", part("Other", { hiddenRows: [3] })],
  ["merged cells", "appearance", part("Positions", { after: "" })],
  ["rows in another order", "order", rows("Other", ([head = [], ...rest]) => [head, ...rest.toReversed()])],
];

/** A short run makes every third change. */
const some = <T>(changes: readonly T[]): readonly T[] =>
  isLongRun("reports") ? changes : changes.filter((_, at) => at % 3 === 1);

test.each(some(mutations))("one change is found once and with its class: %s", async (_, expected, change) => {
  const mutated = await savedWith(change);
  const found = await diffOf(original, mutated);
  expect(found.counts).toEqual({ [expected]: 1 });
  expect(found.ok).toBe(["within_tolerance", "appearance", "order"].includes(expected));
  const [one] = found.differences;
  if (expected !== "order") expect(one).toMatchObject({ class: expected });
  // Exchanging the sides mirrors the result.
  const mirrored = await diffOf(mutated, original);
  const mirror: Readonly<Record<string, string>> = {
    only_in_legacy: "only_in_modern",
    only_in_modern: "only_in_legacy",
  };
  expect(mirrored.counts).toEqual({ [mirror[expected] ?? expected]: 1 });
  const [other] = mirrored.differences;
  expect([other?.sheet, other?.column, other?.legacy, other?.modern]).toEqual([
    one?.sheet,
    one?.column,
    one?.modern,
    one?.legacy,
  ]);
  if (one?.difference !== undefined) expect(Number(other?.difference)).toBe(-Number(one.difference));
});

/** Adds a row and a column of blank cells with a style, as spreadsheet programs store them. */
const blankCells: Change = (book) => {
  for (const { rows } of book.sheets) {
    for (const row of rows) row.push({ s: 6 });
    rows.push([{ s: 6 }, { s: 6 }]);
  }
};

/** Changes that are no difference of content. */
const harmless: readonly (readonly [string, Change])[] = [
  ["nothing at all", () => undefined],
  ["a row and a column of blank cells with a style", blankCells],
  ["sheets in another order", (book) => void book.sheets.reverse()],
  ["columns in another order", rows("Other", permuted([6, 5, 4, 3, 2, 1, 7, 0]))],
  ["columns of Positions in another order", rows("Positions", permuted([5, 4, 3, 2, 1, 0]))],
  ["rows of Trades in another order", rows("Trades", ([head = [], ...rest]) => [head, ...rest.toReversed()])],
  ["-0 for 0", cell("Positions", "E3", number("-0"))],
  ["0.0 for 0", cell("Positions", "E3", number("0.0"))],
  ["a trailing zero", cell("Positions", "F3", number("-15.6250"))],
  ["an exponent of the same value", cell("Positions", "F3", number("-1.5625E1"))],
  ["an empty text for nothing", cell("Summary", "C3", {})],
  ["an empty value for nothing", cell("Summary", "C3", { v: "" })],
  ["an empty date for nothing", cell("Summary", "C3", { t: "d", v: "" })],
  ["an empty shared text for nothing", cell("Summary", "C4", { t: "str", v: "" })],
  ["a text stored as a formula's text without a formula", cell("Other", "G2", { t: "str", v: "note 1" })],
  ["a bold red font", restyled("Other", "G2", 5)],
  ["a yellow fill", restyled("Other", "G2", 6)],
  ["another alignment", restyled("Other", "B2", 7)],
  ["a colour in a number format that shows the same", restyled("Other", "B2", 3)],
  ["a text format for a text", restyled("Other", "A2", 8)],
  ["another width", part("Positions", { before: '<cols><col min="1" max="1" width="33"/></cols>' })],
  [
    "the same width from a column that does not exist",
    part("Positions", { before: '<cols><col min="-900000000000" max="1" width="20"/></cols>' }),
  ],
  ["no frozen row", part("Other", { before: "" })],
  ["a filter", part("Other", { after: '<autoFilter ref="A1:H5"/>' })],
  ["another print set-up", part("Other", { after: '<pageSetup orientation="landscape"/>' })],
  ["a date stored as ISO text", cell("Other", "E2", { t: "d", v: "2025-07-25", s: 4 })],
  [
    "a shared formula",
    (book) => {
      const sheet = sheetOf(book, "Other");
      for (const [at, row] of sheet.rows.entries()) {
        const [, first = ""] = ["", "B2*2"];
        if (at === 1) row[5] = { ...row[5], f: first, fAttributes: ' t="shared" ref="F2:F5" si="0"' };
        if (at > 1) row[5] = { ...row[5], f: "", fAttributes: ' t="shared" si="0"' };
      }
    },
  ],
];

test.each(some(harmless))("a harmless change does not fail: %s", async (_, change) => {
  const found = await diffOf(original, await savedWith(change));
  expect(found.differences.filter((one) => one.class !== "appearance")).toEqual([]);
  expect(found.ok).toBe(true);
});

test("the tables have at least sixty changes that are found and twenty that are harmless", () => {
  expect(mutations.length).toBeGreaterThanOrEqual(60);
  expect(harmless.length).toBeGreaterThanOrEqual(20);
});

test("blank cells with a style are no part of the content that a person accepts", async () => {
  const hashOf = async (path: string) => contentHashOf(await readWorkbook(path));
  expect(await hashOf(await savedWith(blankCells))).toBe(await hashOf(original));
});
