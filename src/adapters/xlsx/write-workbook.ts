/**
 * Writes the workbook of a report. Every value is checked first, because the writing library silently drops a
 * value that it cannot store.
 */
import { type Cell, type CellValue, colToLetter, type WriteSheet, writeXlsx } from "hucre/xlsx";
import { BridgeError } from "../../base/errors.ts";
import type { WrittenCell, WrittenSheet, WrittenWorkbook } from "../../ports/written-workbook.ts";

const rowsMax = 1_048_576;
const textMax = 32_767;
const digitsMax = 15;

/** The fixed time in the file: the same figures give the same bytes. */
const noTime = new Date(0);

/** Throws UNWRITABLE for a value or a sheet that a workbook cannot hold. */
export function checkWorkbook({ sheets }: WrittenWorkbook): void {
  for (const { name, columns, rows } of sheets) {
    if (rows.length >= rowsMax)
      throw refused(name, `the sheet has ${rows.length} rows, more than a workbook can hold`);
    for (const [at, row] of rows.entries())
      for (const [column, { value }] of row.entries()) {
        const why = reasonToRefuse(value);
        if (why !== undefined) throw refused(`${name}, row ${at + 2}, column ${columns[column]?.name}`, why);
      }
  }
}

/** Returns the bytes of the workbook. Throws the errors of `checkWorkbook`. */
export async function workbookBytes(book: WrittenWorkbook): Promise<Uint8Array> {
  checkWorkbook(book);
  const { title, keywords } = book;
  return writeXlsx({
    sheets: book.sheets.map((sheet) => writtenSheet(sheet, book.footer)),
    properties: { title, keywords, creator: "pnl-bridge", created: noTime, modified: noTime },
    // LibreOffice shows a filter only if this name exists.
    namedRanges: book.sheets.map((sheet) => ({
      name: "_xlnm._FilterDatabase",
      range: `'${sheet.name.replaceAll("'", "''")}'!${filterOf(sheet).replaceAll(/[A-Z]+|\d+/g, "$$$&")}`,
      scope: sheet.name,
    })),
  });
}

const filterOf = ({ columns, rows }: WrittenSheet): string =>
  `A1:${colToLetter(columns.length - 1)}${rows.length + 1}`;

const headStyle = { font: { bold: true } };
const missingStyle = { font: { italic: true, color: { rgb: "808080" } }, numFmt: "General" };

function writtenSheet(sheet: WrittenSheet, footer: string): WriteSheet {
  const { name, columns, rows } = sheet;
  const cells = new Map<string, Partial<Cell>>();
  const widths = columns.map((column) => column.name.length);
  for (const [at, column] of columns.entries())
    cells.set(`0,${at}`, { value: column.name, style: headStyle });
  const values = rows.map((row, at) =>
    row.map((cell, column) => {
      const { formula, isMissing, format } = cell;
      const value = storedValue(cell.value);
      widths[column] = Math.max(widths[column] ?? 0, lengthOf(value));
      if (formula !== undefined)
        cells.set(`${at + 1},${column}`, { value, formula, formulaResult: value, style: { numFmt: format } });
      // The library makes an error value of a plain text such as #N/A.
      else if (typeof value === "string" && value.startsWith("#"))
        cells.set(`${at + 1},${column}`, { value, richText: [{ text: value }], style: { numFmt: format } });
      else if (isMissing) cells.set(`${at + 1},${column}`, { value, style: missingStyle });
      else if (value !== null && format !== columns[column]?.format)
        cells.set(`${at + 1},${column}`, { value, style: { numFmt: format } });
      return value;
    }),
  );
  return {
    name,
    columns: columns.map(({ format }, at) => ({
      style: { numFmt: format },
      width: Math.min(widths[at] ?? 0, 40) + 2,
    })),
    rows: [columns.map((column) => column.name), ...values],
    cells,
    freezePane: { rows: 1 },
    autoFilter: { range: filterOf(sheet) },
    pageSetup: {
      orientation: "landscape",
      fitToPage: true,
      fitToWidth: 1,
      fitToHeight: 0,
      printTitlesRow: "$1:$1",
    },
    headerFooter: { oddFooter: `&L${footer.replaceAll("&", "&&")}&RPage &P of &N` },
  };
}

/** The room that a value needs: money has a group sign for each three digits. */
const lengthOf = (value: CellValue): number =>
  typeof value === "number"
    ? Math.ceil(String(Math.trunc(value)).length * 1.34) + 4
    : String(value ?? "").length;

/** The reason why a workbook cannot hold a value; undefined if it can. */
function reasonToRefuse(value: unknown): string | undefined {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return `${value} is no number that a workbook can hold`;
    // A number with a short text has few digits, so most numbers skip the slower `toPrecision`.
    if (String(value).length > digitsMax && Number(value.toPrecision(digitsMax)) !== value)
      return `${value} has more than ${digitsMax} digits`;
    return undefined;
  }
  if (value === null) return undefined;
  if (typeof value !== "string") return `a value of the type ${typeof value} cannot be stored`;
  if (value.length > textMax) return `the text has ${value.length} characters, more than ${textMax}`;
  return value.isWellFormed() ? undefined : "the text has half of a character pair";
}

function storedValue(value: WrittenCell["value"]): WrittenCell["value"] {
  if (typeof value === "number") return Object.is(value, -0) ? 0 : value;
  // A text that looks like the escape of a character would be read as that character.
  return value?.includes("_x") ? value.replaceAll(/_(?=x[0-9A-Fa-f]{4}_)/g, "_x005F_") : value;
}

const refused = (where: string, what: string): BridgeError =>
  new BridgeError("UNWRITABLE", { what, where, fix: "correct the value in the source of the report" });
