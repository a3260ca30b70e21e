/**
 * Compares two workbooks: sheets by name, columns by header, rows by key. Each difference has one class, both
 * raw texts, and a cause where the class needs one. Linear in the cells of both.
 */
import { absolute, add, compare, type Fraction, fraction, multiply, zero } from "../../base/fraction.ts";
import {
  type DifferenceClass,
  harmlessClasses,
  type OrderNote,
  type ReportDiff,
  type ReportDifference,
  type TieOut,
} from "../../ports/report-diff.ts";
import type { Workbook, WorkbookSheet } from "../../ports/workbook.ts";
import {
  areAlike,
  type CellDifference,
  type Judging,
  judgeCells,
  numberText,
  unexplained,
} from "./judge-cells.ts";
import { ReportCauses } from "./known-causes.ts";
import { isMoney, reportKeyword, sheetLayouts, toleranceOf } from "./layout.ts";
import { pairRecords } from "./pair-records.ts";
import { Row } from "./report-rows.ts";
import { layoutDifferences } from "./sheet-layout.ts";
import {
  type Cell,
  cellAt,
  keysOf,
  namedKey,
  type RowKey,
  recordTexts,
  rowKeyOf,
  type SheetTable,
  tableOf,
} from "./sheet-table.ts";
import { tieOutsOf } from "./tie-out.ts";

export interface DiffOptions {
  /** The largest difference of quantities and prices, and of P&L, that is within tolerance. */
  readonly tolerances: { readonly position: Fraction; readonly pnl: Fraction };
  readonly shown: Judging["shown"];
}

export function diffWorkbooks(legacy: Workbook, modern: Workbook, options: DiffOptions): ReportDiff {
  const names = [...new Set([...legacy.sheets, ...modern.sheets].map(({ name }) => name))];
  const pairs = names.map((name) => ({
    name,
    legacy: legacy.sheets.find((sheet) => sheet.name === name),
    modern: modern.sheets.find((sheet) => sheet.name === name),
  }));
  const diff = new WorkbookDiff(legacy, modern, options);
  for (const pair of pairs) diff.addSheets(pair);
  if (!inOneOrder(legacy.sheets, modern.sheets)) diff.order.push({ what: "sheets" });
  const tieOut = tieOutsOf(legacy, modern, options.tolerances.pnl);
  return diff.result(
    pairs.map((pair) => ({ name: pair.name, in: sideOf(pair) ?? "both" })),
    tieOut,
  );
}

type OneSide = "legacy" | "modern";
type ByClass = Partial<Record<DifferenceClass, number>>;

interface Drift {
  readonly sheet: string;
  readonly column: string;
  readonly sum: Fraction;
  readonly allowed: Fraction;
}

class WorkbookDiff {
  readonly order: OrderNote[] = [];
  readonly #options: DiffOptions;
  readonly #judging: Judging;
  readonly #differences: ReportDifference[] = [];
  readonly #drift: Drift[] = [];
  /** Known causes, if legacy's own report is compared with the bridge's. Built when first needed. */
  readonly #causes: () => ReportCauses | undefined;

  constructor(legacy: Workbook, modern: Workbook, options: DiffOptions) {
    this.#options = options;
    let causes: ReportCauses | undefined;
    this.#causes = () => {
      if (!isReport(modern) || isReport(legacy)) return undefined;
      causes ??= new ReportCauses(legacy, modern, options.tolerances);
      return causes;
    };
    const isOurs = { legacy: isReport(legacy), modern: isReport(modern) };
    this.#judging = { legacy, modern, isOurs, shown: options.shown };
  }

  result(sheets: ReportDiff["sheets"], tieOut: readonly TieOut[]): ReportDiff {
    const counts: ByClass = {};
    for (const one of this.#differences) counts[one.class] = (counts[one.class] ?? 0) + 1;
    if (this.order.length > 0) counts.order = this.order.length;
    const often = new Set(
      this.#drift.map(({ column }) => column).filter((column, at, all) => all.indexOf(column) !== at),
    );
    const named = this.#drift.map((drift) => ({
      ...drift,
      name: often.has(drift.column) ? `${drift.sheet}.${drift.column}` : drift.column,
    }));
    const driftTooLarge = named
      .filter(({ sum, allowed }) => compare(absolute(sum), allowed) > 0)
      .map(({ name }) => name);
    return {
      ok:
        this.#differences.every((one) => harmlessClasses.has(one.class)) &&
        tieOut.every(({ holds }) => holds) &&
        driftTooLarge.length === 0,
      sheets,
      differences: this.#differences,
      order: this.order,
      tieOut,
      drift: Object.fromEntries(named.map(({ name, sum }) => [name, numberText(sum)])),
      driftTooLarge,
      counts,
      dateSystemsDiffer: this.#judging.legacy.isFrom1904 !== this.#judging.modern.isFrom1904,
    };
  }

  addSheets(pair: SheetPair): void {
    const { name, legacy, modern } = pair;
    const side = sideOf(pair);
    if (side !== undefined) {
      const rows = `${(legacy ?? modern)?.rowNumbers.length ?? 0} rows`;
      this.#differences.push({ sheet: name, key: null, column: null, ...onlyIn(side, rows) });
    }
    if (legacy === undefined || modern === undefined) return;
    const tables = { legacy: tableOf(legacy), modern: tableOf(modern) };
    const key = rowKeyOf(tables.legacy, tables.modern);
    for (const found of layoutDifferences(tables.legacy, tables.modern, key))
      this.#differences.push({ sheet: name, key: null, column: null, class: "appearance", ...found });
    this.#addColumns(tables);
    this.#addRows(tables, key);
  }

  #addColumns({ legacy, modern }: TablePair): void {
    const sheet = legacy.sheet.name;
    for (const side of ["legacy", "modern"] as const) {
      const [own, other] = side === "legacy" ? [legacy, modern] : [modern, legacy];
      const isAdded = (column: string): boolean =>
        this.#judging.isOurs[side] && sheetLayouts.get(sheet)?.added?.includes(column) === true;
      for (const column of own.columns.keys())
        if (!other.columns.has(column)) {
          const found = onlyIn(side, column);
          const added = { ...found, class: "appearance", what: "added column" } as const;
          this.#differences.push({ sheet, key: null, column, ...(isAdded(column) ? added : found) });
        }
    }
    const [a, b] = [
      commonInOrder(legacy.columns, modern.columns),
      commonInOrder(modern.columns, legacy.columns),
    ];
    if (a.some((column, at) => column !== b[at])) this.order.push({ what: "columns", sheet });
    this.#addHeaderStyles({ legacy, modern });
  }

  #addHeaderStyles(tables: TablePair): void {
    const names = commonInOrder(tables.legacy.columns, tables.modern.columns);
    if (tables.legacy.sheet.rowNumbers.length === 0 || tables.modern.sheet.rowNumbers.length === 0) return;
    const compared = new RowComparison(tables, names, this.#options, this.#judging);
    // The texts of two headers are equal, so only their looks and formulas can differ.
    for (const { column, found, cells } of compared.row(0, 0))
      if (found.class === "appearance" || found.class === "formula")
        this.#addCell({
          sheet: tables.legacy.sheet.name,
          key: null,
          column: names[column] ?? null,
          found,
          cells,
        });
    for (const looked of compared.looks()) this.#addLook(looked, tables, { names: [], isTime: [] });
  }

  #addRows(tables: TablePair, key: RowKey): void {
    const { legacy, modern } = tables;
    const sheet = legacy.sheet.name;
    const names = commonInOrder(legacy.columns, modern.columns);
    const { pairs, onlyLegacy, onlyModern, repeated, repeatedOnly, inOrder } = pairRecords({
      legacy: keysOf(legacy, key, this.#judging.legacy),
      modern: keysOf(modern, key, this.#judging.modern),
      legacyTexts: recordTexts(legacy, names, this.#judging.legacy),
      modernTexts: recordTexts(modern, names, this.#judging.modern),
    });
    if (!inOrder) this.order.push({ what: "rows", sheet });
    const compared = new RowComparison(tables, names, this.#options, this.#judging);
    for (const [a, b] of pairs) {
      const [x, y] = [legacy.records[a] ?? 0, modern.records[b] ?? 0];
      for (const { column, found, cells } of compared.row(x, y)) {
        const place = {
          sheet,
          column: names[column] ?? "",
          class: found.class,
          legacy: new Row(legacy, x),
          modern: new Row(modern, y),
        };
        const cause = found.cause && this.#causes()?.ofCell(place);
        this.#addCell({
          sheet,
          key: namedKey(legacy, x, key),
          column: place.column,
          found: cause === undefined ? found : { ...found, cause },
          cells,
          ...(repeated.has(a) && { keyIsNotUnique: true }),
        });
      }
    }
    for (const looked of compared.looks()) this.#addLook(looked, tables, key);
    const allowed = multiply(this.#options.tolerances.pnl, fraction(BigInt(pairs.length)));
    this.#drift.push(...compared.drifts().map((drift) => ({ ...drift, allowed })));
    const only = {
      legacy: onlyLegacy.map((at) => new Row(legacy, legacy.records[at] ?? 0)),
      modern: onlyModern.map((at) => new Row(modern, modern.records[at] ?? 0)),
    };
    // A separate comparison, so that rows that are only tried add nothing to the drift of the paired rows.
    const tried = new RowComparison(tables, names, this.#options, this.#judging);
    const causes =
      onlyLegacy.length === 0
        ? undefined
        : this.#causes()?.ofRows(sheet, key.names, only, (x, y) =>
            tried
              .row(x.at, y.at)
              .flatMap(({ column, found }) =>
                found.cause === undefined ? [] : [{ column: names[column] ?? "", class: found.class }],
              ),
          );
    for (const [side, table, list] of [
      ["legacy", legacy, onlyLegacy],
      ["modern", modern, onlyModern],
    ] as const)
      for (const at of list) {
        const row = table.records[at] ?? 0;
        const cause = causes?.[side].get(row);
        this.#differences.push({
          sheet,
          key: namedKey(table, row, key),
          column: null,
          ...onlyIn(side, rowText(table.sheet, row)),
          ...(cause !== undefined && { cause }),
          ...(repeatedOnly[side].has(at) && { keyIsNotUnique: true }),
        });
      }
  }

  #addLook({ row, column, found, cells, count }: Looked, { legacy }: TablePair, key: RowKey): void {
    const named = key.names.length === 0 ? null : namedKey(legacy, row, key);
    this.#addCell({ sheet: legacy.sheet.name, key: named, column, found, cells, count });
  }

  #addCell({ sheet, key, column, found, cells: [a, b], count, keyIsNotUnique }: PlacedCell): void {
    const { difference, tolerance, texts, ...rest } = found;
    // A quantity or a price may be a thousand times another one by chance.
    const isChance = rest.cause === "MULTIPLIER" && !isMoney(sheet, column, key);
    this.#differences.push({
      sheet,
      key,
      column,
      legacy: texts?.[0] ?? textOrNull(a),
      modern: texts?.[1] ?? textOrNull(b),
      ...rest,
      ...(isChance && { cause: unexplained }),
      ...(difference && { difference: numberText(difference) }),
      ...(tolerance && { tolerance: numberText(tolerance) }),
      ...(count !== undefined && count > 1 && { cells: count }),
      ...(keyIsNotUnique && { keyIsNotUnique }),
    });
  }
}

interface SheetPair {
  readonly name: string;
  readonly legacy: WorkbookSheet | undefined;
  readonly modern: WorkbookSheet | undefined;
}
interface TablePair {
  readonly legacy: SheetTable;
  readonly modern: SheetTable;
}
type CellPair = readonly [Cell, Cell];
interface PlacedCell {
  readonly sheet: string;
  readonly key: ReportDifference["key"];
  readonly column: string | null;
  readonly found: CellDifference;
  readonly cells: CellPair;
  readonly count?: number;
  readonly keyIsNotUnique?: true;
}
interface FoundCell {
  /** The index in the common columns. */
  readonly column: number;
  readonly found: CellDifference;
  readonly cells: CellPair;
}
/** Cells that look different in the same way; the row and the column are those of the first. */
interface Looked {
  readonly row: number;
  readonly column: string;
  readonly found: CellDifference;
  readonly cells: CellPair;
  count: number;
}

/** Compares paired rows. Differences of looks are collected, because a whole sheet may have the same one. */
class RowComparison {
  readonly #tables: TablePair;
  readonly #names: readonly string[];
  readonly #judging: Judging;
  readonly #columns: readonly { readonly a: number; readonly b: number; readonly allowed: Fraction }[];
  readonly #drifts: (Fraction | undefined)[];
  /** For each column of a sheet, the index of the cell of the current row. */
  readonly #cells: { readonly legacy: Int32Array; readonly modern: Int32Array };
  readonly #looks = new Map<string, Looked>();
  readonly #alike = new Map<number, boolean>();

  constructor(tables: TablePair, names: readonly string[], options: DiffOptions, judging: Judging) {
    this.#tables = tables;
    this.#names = names;
    this.#judging = judging;
    const { name: sheet } = tables.legacy.sheet;
    this.#columns = names.map((name) => ({
      a: tables.legacy.columns.get(name) ?? -1,
      b: tables.modern.columns.get(name) ?? -1,
      allowed: options.tolerances[toleranceOf(sheet, name)],
    }));
    this.#drifts = names.map(() => undefined);
    const places = ({ columns }: SheetTable): Int32Array =>
      new Int32Array(Math.max(-1, ...columns.values()) + 1).fill(-1);
    this.#cells = { legacy: places(tables.legacy), modern: places(tables.modern) };
  }

  /** The differences of two rows of the sheets, except those of looks. */
  row(x: number, y: number): readonly FoundCell[] {
    const { legacy, modern } = this.#tables;
    place(legacy.sheet, x, this.#cells.legacy);
    place(modern.sheet, y, this.#cells.modern);
    let found: FoundCell[] | undefined;
    for (let at = 0; at < this.#columns.length; at++) {
      const { a = -1, b = -1 } = this.#columns[at] ?? {};
      const [i, j] = [this.#cells.legacy[a] ?? -1, this.#cells.modern[b] ?? -1];
      if ((i < 0 && j < 0) || this.#isPlainlyEqual(i, j)) continue;
      const one = this.#judge(at, i, j, x);
      if (one !== undefined) {
        found ??= [];
        found.push(one);
      }
    }
    unplace(legacy.sheet, x, this.#cells.legacy);
    unplace(modern.sheet, y, this.#cells.modern);
    return found ?? none;
  }

  looks(): Iterable<Looked> {
    return this.#looks.values();
  }

  drifts(): readonly Omit<Drift, "allowed">[] {
    const sheet = this.#tables.legacy.sheet.name;
    return this.#names.flatMap((column, at) => {
      const sum = this.#drifts[at];
      return sum === undefined ? [] : [{ sheet, column, sum }];
    });
  }

  /** The quick path of most cells: same type, text and style, and no formula. */
  #isPlainlyEqual(i: number, j: number): boolean {
    if (i < 0 || j < 0) return false;
    const [a, b] = [this.#tables.legacy.sheet, this.#tables.modern.sheet];
    return (
      a.types[i] === b.types[j] &&
      a.texts[i] === b.texts[j] &&
      ((a.formulas.size === 0 && b.formulas.size === 0) || a.formulas.get(i) === b.formulas.get(j)) &&
      this.#areAlike(a.styles[i] ?? 0, b.styles[j] ?? 0)
    );
  }

  #areAlike(a: number, b: number): boolean {
    const pair = a * 65_536 + b;
    const known = this.#alike.get(pair);
    if (known !== undefined) return known;
    const { legacy, modern } = this.#judging;
    const [x, y] = [legacy.styles[a], modern.styles[b]];
    const isSameDay = legacy.isFrom1904 === modern.isFrom1904 || (x?.isDate !== true && y?.isDate !== true);
    const alike = areAlike(x, y) && isSameDay;
    this.#alike.set(pair, alike);
    return alike;
  }

  #judge(at: number, i: number, j: number, x: number): FoundCell | undefined {
    const { legacy, modern } = this.#tables;
    const cells = [cellAt(legacy.sheet, i), cellAt(modern.sheet, j)] as const;
    const found = judgeCells(...cells, this.#columns[at]?.allowed ?? zero, this.#judging);
    if (found === undefined) return undefined;
    if (found.class === "within_tolerance" && found.difference !== undefined)
      this.#drifts[at] = add(this.#drifts[at] ?? zero, found.difference);
    if (found.class !== "appearance") return { column: at, found, cells };
    const kind = `${found.what} ${found.what === "formula" ? at : `${found.texts?.join("\u0000")}`}`;
    const known = this.#looks.get(kind);
    if (known !== undefined) known.count += 1;
    else this.#looks.set(kind, { row: x, column: this.#names[at] ?? "", found, cells, count: 1 });
    return undefined;
  }
}

const none: readonly FoundCell[] = [];

function place({ starts, columns }: WorkbookSheet, row: number, places: Int32Array): void {
  for (let at = starts[row] ?? 0; at < (starts[row + 1] ?? 0); at++) places[columns[at] ?? 0] = at;
}

function unplace({ starts, columns }: WorkbookSheet, row: number, places: Int32Array): void {
  for (let at = starts[row] ?? 0; at < (starts[row + 1] ?? 0); at++) places[columns[at] ?? 0] = -1;
}

const isReport = ({ keywords }: Workbook): boolean => keywords.includes(reportKeyword);

const sideOf = ({ legacy, modern }: SheetPair): OneSide | undefined =>
  modern === undefined ? "legacy" : legacy === undefined ? "modern" : undefined;

const onlyIn = (side: OneSide, text: string) =>
  side === "legacy"
    ? ({ class: "only_in_legacy", legacy: text, modern: null, cause: "MISSING_IN_MODERN" } as const)
    : ({ class: "only_in_modern", legacy: null, modern: text, cause: "MISSING_IN_LEGACY" } as const);

const textOrNull = ({ type, text }: Cell): string | null => (type === "blank" ? null : text);

const rowText = ({ starts, texts }: WorkbookSheet, row: number): string =>
  texts.slice(starts[row], starts[row + 1]).join(" | ");

const commonInOrder = (
  own: ReadonlyMap<string, number>,
  other: ReadonlyMap<string, number>,
): readonly string[] =>
  [...own]
    .filter(([name]) => other.has(name))
    .sort(([, a], [, b]) => a - b)
    .map(([name]) => name);

function inOneOrder(legacy: readonly WorkbookSheet[], modern: readonly WorkbookSheet[]): boolean {
  const names = (sheets: readonly WorkbookSheet[], other: readonly WorkbookSheet[]): readonly string[] =>
    sheets.map(({ name }) => name).filter((name) => other.some((sheet) => sheet.name === name));
  const [a, b] = [names(legacy, modern), names(modern, legacy)];
  return a.every((name, at) => name === b[at]);
}
