import { namedKey, type RowKey, type SheetTable } from "./sheet-table.ts";

interface LayoutDifference {
  readonly what: string;
  readonly legacy: string | null;
  readonly modern: string | null;
}

/**
 * Returns the differences in the layout of two sheets, one for each part of the layout, such as the column
 * widths. Rows are named by their keys and columns by their headers, so that an inserted row alone causes no
 * difference.
 */
export function layoutDifferences(
  legacy: SheetTable,
  modern: SheetTable,
  key: RowKey,
): readonly LayoutDifference[] {
  const [a, b] = [layoutOf(legacy, key), layoutOf(modern, key)];
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((what) => {
    const [x = null, y = null] = [a.get(what), b.get(what)];
    return x === y ? [] : [{ what, legacy: x, modern: y }];
  });
}

function layoutOf(table: SheetTable, key: RowKey): ReadonlyMap<string, string> {
  const { sheet } = table;
  const names = new Map([...table.columns].map(([name, column]) => [column, name]));
  const columnName = (column: number): string => names.get(column) ?? `column ${column + 1}`;
  const rowNames = rowNamesOf(table, key);
  const rowName = (number: number): string => rowNames(number) ?? `row ${number}`;
  const parts: readonly (readonly [string, readonly string[]])[] = [
    ["visibility", sheet.visibility === "visible" ? [] : [sheet.visibility]],
    // A hidden row or a width without content changes nothing that a reader sees.
    ["hidden columns", [...sheet.hiddenColumns].filter((column) => names.has(column)).map(columnName)],
    ["hidden rows", [...sheet.hiddenRows].flatMap((number) => rowNames(number) ?? [])],
    [
      "column widths",
      [...sheet.widths].flatMap(([column, width]) =>
        names.has(column) ? [`${columnName(column)} ${Number(width)}`] : [],
      ),
    ],
    [
      "merged cells",
      sheet.merges.map(
        ({ firstRow, lastRow, firstColumn, lastColumn }) =>
          `${columnName(firstColumn)} of ${rowName(firstRow)}, ` +
          `${lastRow - firstRow + 1} × ${lastColumn - firstColumn + 1}`,
      ),
    ],
    ...[...sheet.layout].map(([part, text]) => [part, [text]] as const),
  ];
  return new Map(
    parts.flatMap(([what, texts]) => (texts.length === 0 ? [] : [[what, texts.toSorted().join(", ")]])),
  );
}

function rowNamesOf(table: SheetTable, key: RowKey): (number: number) => string | undefined {
  const { sheet } = table;
  let indexes: ReadonlyMap<number, number> | undefined;
  return (number) => {
    indexes ??= new Map(sheet.rowNumbers.map((row, index) => [row, index]));
    const index = indexes.get(number);
    if (index === undefined) return undefined;
    return index === 0 ? "the header" : Object.values(namedKey(table, index, key)).join(" ");
  };
}
