/**
 * A daily report as a value. The workbook is one rendering of it, the JSON document beside it another.
 * Numbers are exact: decimal text, or `p/q`.
 */
import { parseFigure } from "../../base/fraction.ts";
import { type LazyList, lazyMap } from "../../base/lazy-list.ts";
import { nearestDouble } from "../../base/nearest-double.ts";
import { present } from "../../base/present.ts";
import type { CellStyle, CellType, Workbook, WorkbookSheet } from "../../ports/workbook.ts";
import { cellTypes } from "../../ports/workbook.ts";
import type { WrittenCell, WrittenSheet, WrittenWorkbook } from "../../ports/written-workbook.ts";
import { reportKeyword } from "./layout.ts";

/** The kind of values in a column; it decides the type and the number format of its cells. */
export type ColumnKind = "text" | "quantity" | "price" | "money" | "count";

export interface ReportColumn {
  readonly name: string;
  readonly kind: ColumnKind;
}

/**
 * A number as text in a column of numbers, otherwise a text. Null is a figure that is not available, an empty
 * text is a blank. `words` is a text in a column of numbers; `formula` is a number that the workbook
 * computes.
 */
export type ReportValue =
  | string
  | null
  | { readonly words: string }
  | { readonly formula: string; readonly result: string; readonly kind?: ColumnKind };

export interface ReportSheet {
  readonly name: string;
  readonly columns: readonly ReportColumn[];
  readonly rows: LazyList<readonly ReportValue[]>;
}

export interface DailyReport {
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly source: "legacy" | "modern";
  /** The last instant whose trades count, ISO 8601. */
  readonly asOf: string;
  readonly dayRule: string;
  /** The zone of the times. */
  readonly zone: string;
  readonly sheets: readonly ReportSheet[];
}

/** The words in place of a figure that is not available. */
const notAvailable = "not available";

const formats: Readonly<Record<ColumnKind, string>> = {
  text: "@",
  quantity: "#,##0",
  price: "#,##0.000000",
  money: "#,##0.00;[Red]-#,##0.00",
  count: "#,##0",
};

/** The significant digits that every spreadsheet program keeps. */
const digitsMax = 15;

function writtenCell(value: ReportValue, column: ReportColumn): WrittenCell {
  if (value === null) return { value: notAvailable, format: "General", isMissing: true };
  if (value === "") return { value: null, format: "General" };
  if (typeof value === "object" && "words" in value) return { value: value.words, format: formats.text };
  const [text, kind, formula] =
    typeof value === "string"
      ? [value, column.kind, undefined]
      : [value.result, value.kind ?? column.kind, value.formula];
  if (kind === "text") return { value: text, format: formats.text };
  const number = storedNumber(text);
  // A part of a contract would be rounded away by the format of whole quantities.
  const format = kind === "quantity" && !Number.isInteger(number) ? "General" : formats[kind];
  return { value: number, format, ...(formula !== undefined && { formula }) };
}

/** The number that the workbook stores. It is rounded if the exact value has more digits, or no end. */
function storedNumber(text: string): number {
  const plain = Number(text);
  if (text.length <= digitsMax && Number.isFinite(plain)) return plain;
  const exact = present(parseFigure(text), `${text} is a figure`);
  return Number(nearestDouble(exact).toPrecision(digitsMax));
}

/** The sheets of a report as they are written. */
export const writtenSheets = ({ sheets }: DailyReport): readonly WrittenSheet[] =>
  sheets.map(({ name, columns, rows }) => ({
    name,
    columns: columns.map((column) => ({ name: column.name, format: formats[column.kind] })),
    rows: lazyMap(rows, (row) => columns.map((column, at) => writtenCell(valueAt(row, at), column))),
  }));

/** Returns the workbook of these sheets as a reader would return it from a file, without its layout. */
export function asWorkbook(sheets: readonly WrittenSheet[]): Workbook {
  const { styles, styleOf } = styleTable();
  return {
    sheets: sheets.map((sheet) => asSheet(sheet, styleOf)),
    styles,
    isFrom1904: false,
    keywords: reportKeyword,
  };
}

function styleTable() {
  const styles: CellStyle[] = [];
  const places = new Map<string, number>();
  const styleOf = (format: string): number => {
    const place = places.get(format) ?? styles.push({ format, isDate: false, look: "" }) - 1;
    places.set(format, place);
    return place;
  };
  styleOf("General");
  return { styles, styleOf };
}

function asSheet({ name, columns, rows }: WrittenSheet, styleOf: (format: string) => number): WorkbookSheet {
  const width = columns.length;
  const size = (rows.length + 1) * width;
  const [places, types, styles] = [new Uint16Array(size), new Uint8Array(size), new Uint16Array(size)];
  const texts: string[] = [];
  const formulas = new Map<number, string>();
  const add = ({ value, format, formula }: WrittenCell): void => {
    const at = texts.length;
    texts.push(value === null ? "" : String(value));
    places[at] = at % width;
    types[at] = cellTypes.indexOf(typeOf(value));
    styles[at] = styleOf(format);
    if (formula !== undefined) formulas.set(at, formula);
  };
  for (const column of columns) add({ value: column.name, format: "General" });
  for (const row of rows) for (const cell of row) add(cell);
  return {
    name,
    visibility: "visible",
    rowNumbers: Array.from({ length: rows.length + 1 }, (_, at) => at + 1),
    starts: Array.from({ length: rows.length + 2 }, (_, at) => at * width),
    columns: places,
    types,
    texts,
    styles,
    formulas,
    hiddenRows: new Set(),
    hiddenColumns: new Set(),
    widths: new Map(),
    merges: [],
    layout: new Map(),
  };
}

/** The type that a value has in the written workbook. */
export const typeOf = (value: WrittenCell["value"]): CellType =>
  value === null || value === "" ? "blank" : typeof value === "number" ? "number" : "text";

/** The JSON document beside the workbook: every figure exact, and null where it is not available. */
export const reportDocument = ({ sheets, ...facts }: DailyReport, contentHash: string) => ({
  ...facts,
  contentHash,
  sheets: Object.fromEntries(
    sheets.map(({ name, columns, rows }) => [
      name,
      lazyMap(rows, (row) => {
        // Unlike Object.fromEntries, makes no list for each cell.
        const entry: Record<string, string | null> = {};
        for (const [at, { name }] of columns.entries()) entry[name] = documentValue(valueAt(row, at));
        return entry;
      }),
    ]),
  ),
});

/** A value that a row lacks is a blank; null is a figure that is not available. */
const valueAt = (row: readonly ReportValue[], at: number): ReportValue => {
  const value = row[at];
  return value === undefined ? "" : value;
};

const documentValue = (value: ReportValue): string | null =>
  typeof value !== "object" || value === null ? value : "words" in value ? value.words : value.result;

/**
 * The workbook that is written. Its footer names the source of the figures, and never the time of writing.
 */
export function writtenReport(
  { date, source, asOf, dayRule, zone }: DailyReport,
  sheets: readonly WrittenSheet[],
  contentHash: string,
): WrittenWorkbook {
  return {
    title: `Daily P&L ${date}`,
    keywords: reportKeyword,
    footer: `${source} P&L of ${date}, as of ${asOf}, day rule ${dayRule}, times in ${zone}, content ${contentHash.slice(0, 16)}`,
    sheets,
  };
}
