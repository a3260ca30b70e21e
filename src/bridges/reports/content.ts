import { canonicalDecimal } from "../../base/decimal.ts";
import type { Workbook, WorkbookSheet } from "../../ports/workbook.ts";
import { cellTypes } from "../../ports/workbook.ts";
import { cellIndex, keysOf, rowKeyOf, tableOf, typeAt } from "./sheet-table.ts";

/** The sheets of a workbook, or pieces of them in order. Each piece begins with the names of the columns. */
export interface Content extends Pick<Workbook, "styles"> {
  readonly sheets: Iterable<WorkbookSheet>;
}

/**
 * The content of a workbook as lines of text, for a hash: sheet, key, column, type, raw text, formula and
 * number format (none for a text) of every cell that has a value or a formula. Looks, widths, footers
 * and document properties are left out.
 */
export function* contentLines({ sheets, styles }: Content): Generator<string> {
  let last: string | undefined;
  for (const sheet of sheets) {
    const table = tableOf(sheet);
    const keys = keysOf(table, rowKeyOf(table, table));
    // A lazy content knows the styles of a piece only now.
    const formats = styles.map(({ format }) => JSON.stringify(format));
    const names = new Map([...table.columns].map(([name, column]) => [column, JSON.stringify(name)]));
    if (sheet.name !== last) yield `${JSON.stringify([sheet.name, ...table.columns.keys()])}\n`;
    last = sheet.name;
    for (const [at, row] of table.records.entries()) {
      let cells = "";
      for (let index = sheet.starts[row] ?? 0; index < (sheet.starts[row + 1] ?? 0); index++) {
        const type = cellTypes[sheet.types[index] ?? 0];
        const formula = sheet.formulas.get(index);
        if (type === "blank" && formula === undefined) continue;
        const column = names.get(sheet.columns[index] ?? 0) ?? '""';
        const format = type === "text" ? '""' : (formats[sheet.styles[index] ?? 0] ?? '"General"');
        // Writes the brackets and numbers here, because that is faster than to stringify each.
        const text = sheet.texts[index] ?? "";
        const value = type === "number" ? `"${text}"` : JSON.stringify(text);
        cells += ` [${column},"${type}",${value},${formula === undefined ? '""' : JSON.stringify(formula)},${format}]`;
      }
      yield `${JSON.stringify([sheet.name, keys[at]])}${cells === "" ? " " : cells}\n`;
    }
  }
}

/** The rows of each sheet by the names of the columns, for the document beside a workbook that was read. */
export const workbookDocument = ({ sheets }: Workbook): Readonly<Record<string, readonly object[]>> =>
  Object.fromEntries(
    sheets.map((sheet) => {
      const table = tableOf(sheet);
      const rows = table.records.map((row) =>
        Object.fromEntries(
          [...table.columns].map(([name, column]) => {
            const index = cellIndex(sheet, row, column);
            const text = sheet.texts[index] ?? "";
            return [name, typeAt(sheet, index) === "number" ? (canonicalDecimal(text) ?? text) : text];
          }),
        ),
      );
      return [sheet.name, rows];
    }),
  );
