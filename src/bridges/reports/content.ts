import { canonicalDecimal } from "../../base/decimal.ts";
import type { LazyList } from "../../base/lazy-list.ts";
import { type CellType, cellTypes, type Workbook } from "../../ports/workbook.ts";
import type { WrittenCell, WrittenSheet } from "../../ports/written-workbook.ts";
import { typeOf } from "./report.ts";
import { cellIndex, keyOf, keysOf, keyText, ownKeyOf, tableOf, typeAt } from "./sheet-table.ts";

/**
 * The content of a workbook as lines of text, for a hash: sheet, key, column, type, raw text, formula and
 * number format (none for a text) of every cell that has a value or a formula. Looks, widths, footers
 * and document properties are left out.
 */
export function* contentLines({ sheets, styles }: Pick<Workbook, "sheets" | "styles">): Generator<string> {
  for (const sheet of sheets) {
    const table = tableOf(sheet);
    const keys = keysOf(table, ownKeyOf(sheet.name, table.columns));
    const lines = new SheetLines(sheet.name, table.columns);
    yield lines.first;
    for (const [at, row] of table.records.entries()) {
      let cells = "";
      for (let index = sheet.starts[row] ?? 0; index < (sheet.starts[row + 1] ?? 0); index++)
        cells += lines.cell(sheet.columns[index] ?? 0, typeAt(sheet, index), sheet.texts[index] ?? "", {
          format: styles[sheet.styles[index] ?? 0]?.format ?? "General",
          formula: sheet.formulas.get(index),
        });
      yield lines.row(keys[at] ?? "", cells);
    }
  }
}

/**
 * The rows of a sheet that is written. While they are read, `see` is called with the lines that
 * `contentLines` gives for the sheet in the written workbook. The columns' names are distinct and not empty.
 */
export function rowsWithContent(
  { name, columns, rows }: WrittenSheet,
  see: (line: string) => void,
): LazyList<readonly WrittenCell[]> {
  const places = new Map(columns.map((column, at) => [column.name, at]));
  const key = ownKeyOf(name, places);
  const keyPlaces = key.names.map((column) => places.get(column) ?? -1);
  return {
    length: rows.length,
    *[Symbol.iterator]() {
      const lines = new SheetLines(name, places);
      see(lines.first);
      for (const row of rows) {
        let cells = "";
        for (let at = 0; at < row.length; at++) {
          const cell = row[at] as WrittenCell;
          cells += lines.cell(at, typeOf(cell.value), textOf(cell.value), cell);
        }
        const keys = keyPlaces.map((at, place) => {
          const value = row[at]?.value ?? null;
          return keyText(textOf(value), typeof value === "number", key.isTime[place] === true);
        });
        if (cells !== "") see(lines.row(keyOf(keys), cells));
        yield row;
      }
    },
  };
}

const textOf = (value: WrittenCell["value"]): string => (value === null ? "" : String(value));

interface CellForm {
  readonly format: string;
  readonly formula?: string | undefined;
}

/** The lines of one sheet. Writes brackets and numbers itself, since to stringify each cell is slower. */
class SheetLines {
  readonly first: string;
  readonly #sheet: string;
  /** The text before the value of a cell, by type, then by column. */
  readonly #begins: ReadonlyMap<CellType, readonly string[]>;
  /** The text after the value of a cell without a formula, by format. */
  readonly #ends = new Map<string, string>();

  constructor(sheet: string, columns: ReadonlyMap<string, number>) {
    this.first = `${JSON.stringify([sheet, ...columns.keys()])}\n`;
    this.#sheet = `[${JSON.stringify(sheet)},`;
    const begins = (type: CellType): readonly string[] => {
      const found: string[] = [];
      for (const [name, column] of columns) found[column] = ` [${JSON.stringify(name)},"${type}",`;
      return found;
    };
    this.#begins = new Map(cellTypes.map((type) => [type, begins(type)]));
  }

  cell(column: number, type: CellType, text: string, { format, formula }: CellForm): string {
    if (type === "blank" && formula === undefined) return "";
    const begin = this.#begins.get(type)?.[column] ?? ` ["","${type}",`;
    const value = type === "number" ? `"${text}"` : JSON.stringify(text);
    const shown = type === "text" ? "" : format;
    if (formula !== undefined) return `${begin}${value},${JSON.stringify(formula)},${JSON.stringify(shown)}]`;
    return begin + value + this.#endOf(shown);
  }

  row(key: string, cells: string): string {
    return `${this.#sheet}${JSON.stringify(key)}]${cells}\n`;
  }

  #endOf(format: string): string {
    const known = this.#ends.get(format);
    if (known !== undefined) return known;
    const end = `,"",${JSON.stringify(format)}]`;
    this.#ends.set(format, end);
    return end;
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
