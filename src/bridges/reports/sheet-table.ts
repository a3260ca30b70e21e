import { type CellType, cellTypes, type Workbook, type WorkbookSheet } from "../../ports/workbook.ts";
import { sheetLayouts } from "./layout.ts";

/** A cell as the comparison needs it. An absent cell is blank. */
export interface Cell {
  readonly type: CellType;
  readonly text: string;
  readonly style: number;
  readonly formula: string | undefined;
}

const absentCell: Cell = { type: "blank", text: "", style: 0, formula: undefined };

/** A sheet as a table: the first row names the columns, each further row with content is a record. */
export interface SheetTable {
  readonly sheet: WorkbookSheet;
  /** Column names, each once, with the column of the sheet; a repeated name has its number behind it. */
  readonly columns: ReadonlyMap<string, number>;
  /** The indexes of the records in the rows of the sheet. */
  readonly records: readonly number[];
}

const columnsMax = 16_384;

export function tableOf(sheet: WorkbookSheet): SheetTable {
  const columns = new Map<string, number>();
  // Marks columns in an array: a set of a million entries would cost more than the comparison of a sheet.
  const isUnnamed = new Uint8Array(columnsMax);
  let end = 0;
  for (let at = 0; at < sheet.columns.length; at++) {
    if (!hasContent(sheet, at)) continue;
    const column = sheet.columns[at] ?? 0;
    isUnnamed[column] = 1;
    end = Math.max(end, column + 1);
  }
  for (let at = 0; at < (sheet.starts[1] ?? 0); at++) {
    const column = sheet.columns[at] ?? 0;
    const text = sheet.texts[at] ?? "";
    if (text === "") continue;
    isUnnamed[column] = 0;
    let name = text;
    for (let copy = 2; columns.has(name); copy++) name = `${text} (${copy})`;
    columns.set(name, column);
  }
  for (let column = 0; column < end; column++)
    if (isUnnamed[column] === 1) columns.set(`column ${columnLetters(column)}`, column);
  const records: number[] = [];
  for (let row = 1; row < sheet.rowNumbers.length; row++) {
    const end = sheet.starts[row + 1] ?? 0;
    let at = sheet.starts[row] ?? 0;
    while (at < end && !hasContent(sheet, at)) at += 1;
    if (at < end) records.push(row);
  }
  return { sheet, columns, records };
}

/** Whether a cell has a value or a formula. Spreadsheet programs also store blank cells that have a style. */
const hasContent = ({ types, formulas }: WorkbookSheet, index: number): boolean =>
  types[index] !== blankType || formulas.has(index);

function columnLetters(column: number): string {
  const letter = String.fromCharCode(65 + (column % 26));
  return column < 26 ? letter : columnLetters(Math.floor(column / 26) - 1) + letter;
}

/** The index of the cell of a row in a column; -1 if there is none. Linear in the cells of the row. */
export function cellIndex({ starts, columns }: WorkbookSheet, row: number, column: number): number {
  const end = starts[row + 1] ?? 0;
  for (let at = starts[row] ?? 0; at < end; at++) if (columns[at] === column) return at;
  return -1;
}

export const cellAt = (sheet: WorkbookSheet, index: number): Cell =>
  index < 0
    ? absentCell
    : {
        type: typeAt(sheet, index),
        text: sheet.texts[index] ?? "",
        style: sheet.styles[index] ?? 0,
        formula: sheet.formulas.get(index),
      };

const blankType = cellTypes.indexOf("blank");
const numberType = cellTypes.indexOf("number");

export const typeAt = ({ types }: WorkbookSheet, index: number): CellType =>
  cellTypes[types[index] ?? 0] ?? "blank";

/** How the rows of two sheets of one name are identified. */
export interface RowKey {
  readonly names: readonly string[];
  readonly isTime: readonly boolean[];
}

/**
 * Chooses the columns that identify a row: those of the layout if both sheets have them, else the first
 * column. Where the sheets begin with different columns, the one with more distinct values is chosen, or else
 * the one that holds texts, so that exchanging the sides changes nothing.
 */
export function rowKeyOf(legacy: SheetTable, modern: SheetTable): RowKey {
  const both = (name: string): boolean => legacy.columns.has(name) && modern.columns.has(name);
  const known = layoutKeyOf(legacy.sheet.name, both);
  if (known !== undefined) return known;
  const firsts = [legacy, modern].map(({ columns }) => [...columns.keys()].find(both));
  const names = [...new Set(firsts)].filter((name) => name !== undefined);
  const rank = (name: string): number => {
    const keys = [legacy, modern].map((table) => keysOf(table, { names: [name], isTime: [false] }));
    const distinct = Math.min(...keys.map((texts) => new Set(texts).size));
    return 2 * distinct + (keys.flat().every((text) => Number.isFinite(Number(text))) ? 0 : 1);
  };
  const [name] = names.length < 2 ? names : names.toSorted((a, b) => rank(b) - rank(a) || (a < b ? -1 : 1));
  return { names: name === undefined ? [] : [name], isTime: [false] };
}

/** The columns that identify a row of one sheet: those of the layout if it has them, else the first. */
export const ownKeyOf = (sheet: string, columns: SheetTable["columns"]): RowKey =>
  layoutKeyOf(sheet, (name) => columns.has(name)) ?? {
    names: [...columns.keys()].slice(0, 1),
    isTime: [false],
  };

function layoutKeyOf(sheet: string, has: (name: string) => boolean): RowKey | undefined {
  const layout = sheetLayouts.get(sheet);
  return layout?.key.every(has)
    ? { names: layout.key, isTime: layout.key.map((name) => layout.timeKeys?.includes(name) ?? false) }
    : undefined;
}

/** The days from the beginning of the 1900 system to that of the 1904 system. */
export const daysBetweenSystems = 1462;

/**
 * The key of each record, as one text. With `book`, numbers shown as dates are counted in the 1900 system.
 */
export function keysOf(table: SheetTable, { names, isTime }: RowKey, book?: Workbook): readonly string[] {
  const textOf = keyTexts(table.sheet, book);
  const columns = names.map((name) => table.columns.get(name) ?? -1);
  return table.records.map((row) =>
    keyOf(columns.map((column, at) => textOf(cellIndex(table.sheet, row, column), isTime[at] === true))),
  );
}

/** Returns a function that gives the text by which a cell is compared in keys. */
function keyTexts(
  { texts, types, styles }: WorkbookSheet,
  book?: Workbook,
): (index: number, isTime: boolean) => string {
  const from1904 = book?.isFrom1904 === true ? book : undefined;
  return (index, isTime) => {
    const text = texts[index] ?? "";
    const isNumber = types[index] === numberType;
    const isShifted = isNumber && from1904?.styles[styles[index] ?? 0]?.isDate === true;
    return keyText(isShifted ? String(Number(text) + daysBetweenSystems) : text, isNumber, isTime);
  };
}

/** The key of a row as one text, from those of its cells. */
export const keyOf = (texts: readonly string[]): string => texts.join("\u0000");

/** A number counts to 15 digits, as a spreadsheet program compares; a time counts to the second. */
export function keyText(text: string, isNumber: boolean, isTime: boolean): string {
  if (isTime) return text.replace("T", " ").slice(0, "2025-07-24 13:08:35".length);
  return isNumber ? String(Number(Number(text).toPrecision(15)) + 0) : text;
}

/** The key of a record for a person, by column name, with raw texts. */
export const namedKey = (
  table: SheetTable,
  row: number,
  { names }: RowKey,
): Readonly<Record<string, string>> =>
  Object.fromEntries(
    names.map((name) => {
      const index = cellIndex(table.sheet, row, table.columns.get(name) ?? -1);
      return [name, table.sheet.texts[index] ?? ""];
    }),
  );

/**
 * Returns functions that give everything that a record holds as one text, by the names of its columns: as the
 * file stores it, and with numbers to 15 digits and dates in the 1900 system.
 */
export function recordTexts(
  { sheet, columns, records }: SheetTable,
  names: readonly string[],
  book: Workbook,
): readonly ((at: number) => string)[] {
  const keyTextOf = keyTexts(sheet, book);
  const storedText = (index: number): string => sheet.texts[index] ?? "";
  return [storedText, (index: number) => keyTextOf(index, false)].map(
    (textOf) => (at) =>
      names
        .map((name) => {
          const index = cellIndex(sheet, records[at] ?? 0, columns.get(name) ?? -1);
          return `${sheet.types[index] ?? 0} ${textOf(index)} ${sheet.formulas.get(index) ?? ""}`;
        })
        .join("\u0000"),
  );
}
