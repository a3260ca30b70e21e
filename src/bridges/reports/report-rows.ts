import { add, type Fraction, multiply, parseFigure } from "../../base/fraction.ts";
import type { Workbook } from "../../ports/workbook.ts";
import { cellIndex, type SheetTable, tableOf, typeAt } from "./sheet-table.ts";

/** One row of a sheet, by the names of its columns. A row of no sheet is blank. */
export class Row {
  readonly #table: SheetTable | undefined;
  readonly at: number;

  constructor(table: SheetTable | undefined, at: number) {
    this.#table = table;
    this.at = at;
  }

  text(column: string): string {
    return this.#table?.sheet.texts[this.#index(column)] ?? "";
  }

  /** Undefined if the cell holds no number. */
  figure(column: string): Fraction | undefined {
    const sheet = this.#table?.sheet;
    const index = this.#index(column);
    return sheet !== undefined && index >= 0 && typeAt(sheet, index) === "number"
      ? parseFigure(sheet.texts[index] ?? "")
      : undefined;
  }

  /** The row before; the header is the one before the first. */
  before(): Row {
    return new Row(this.#table, this.at - 1);
  }

  #index(column: string): number {
    const table = this.#table;
    return table === undefined ? -1 : cellIndex(table.sheet, this.at, table.columns.get(column) ?? -1);
  }
}

/** The rows of a sheet; none if the workbook lacks it. */
export function rowsOf({ sheets }: Workbook, name: string): readonly Row[] {
  const sheet = sheets.find((one) => one.name === name);
  if (sheet === undefined) return [];
  const table = tableOf(sheet);
  return table.records.map((at) => new Row(table, at));
}

const noRow = new Row(undefined, 0);

/** The row of each symbol in the sheet Positions; a blank row if it has none or several. */
export function positionsOf(workbook: Workbook): (symbol: string) => Row {
  const rows = Map.groupBy(rowsOf(workbook, "Positions"), (row) => row.text("Symbol"));
  return (symbol) => {
    const [row = noRow, ...others] = rows.get(symbol) ?? [];
    return others.length === 0 ? row : noRow;
  };
}

/** The sum; undefined if a term is. */
export const sum = (...terms: readonly (Fraction | undefined)[]): Fraction | undefined =>
  terms.reduce((a, b) => a && b && add(a, b));

/** The product; undefined if a factor is. */
export const product = (...factors: readonly (Fraction | undefined)[]): Fraction | undefined =>
  factors.reduce((a, b) => a && b && multiply(a, b));
