import {
  absolute,
  add,
  compare,
  type Fraction,
  fraction,
  parseFigure,
  subtract,
  zero,
} from "../../base/fraction.ts";
import type { TieOut } from "../../ports/report-diff.ts";
import type { Workbook } from "../../ports/workbook.ts";
import { numberText } from "./judge-cells.ts";
import { countMetrics } from "./layout.ts";
import { cellIndex, type SheetTable, tableOf, typeAt } from "./sheet-table.ts";

/** The rows of a report, summed up. */
interface RowSums {
  readonly realized: Fraction;
  readonly unrealized: Fraction;
  readonly positions: Fraction;
  readonly trades: Fraction;
}

/** A figure of Summary, and the sum that it must equal. */
interface TieOutRule {
  readonly name: string;
  readonly sum: (sums: RowSums) => Fraction;
}

const rules: readonly TieOutRule[] = [
  { name: "Total PNL", sum: ({ realized, unrealized }) => add(realized, unrealized) },
  { name: "Realized PNL", sum: ({ realized }) => realized },
  { name: "Unrealized PNL", sum: ({ unrealized }) => unrealized },
  { name: "Active Positions", sum: ({ positions }) => positions },
  { name: "Total Trades", sum: ({ trades }) => trades },
];

interface SummedReport {
  readonly summary: SheetTable;
  readonly sums: RowSums;
}

/**
 * Compares the figures of the sheet Summary with the sums of the rows of Positions and Trades, in each
 * workbook that has these sheets, and these sums of both workbooks with each other. Sums of money may differ
 * by `allowed`; counts must be equal.
 */
export function tieOutsOf(legacy: Workbook, modern: Workbook, allowed: Fraction): readonly TieOut[] {
  const books = [
    { workbook: "legacy", report: summed(legacy) },
    { workbook: "modern", report: summed(modern) },
  ] as const;
  const within = books.flatMap(({ workbook, report }) =>
    report === undefined
      ? []
      : rules.flatMap((rule) => {
          const shown = shownIn(report.summary, rule.name);
          return shown === undefined
            ? []
            : [tied(rule, workbook, { sum: rule.sum(report.sums), shown, allowed })];
        }),
  );
  const [a, b] = books.map(({ report }) => report?.sums);
  const across =
    a === undefined || b === undefined
      ? []
      : rules.map((rule) =>
          tied(rule, "both", { sum: rule.sum(b), shown: numberText(rule.sum(a)), allowed }),
        );
  return [...within, ...across];
}

function tied(
  { name }: TieOutRule,
  workbook: TieOut["workbook"],
  { sum, shown, allowed }: { readonly sum: Fraction; readonly shown: string; readonly allowed: Fraction },
): TieOut {
  const number = parseFigure(shown);
  const holds =
    number !== undefined &&
    compare(absolute(subtract(number, sum)), countMetrics.has(name) ? zero : allowed) <= 0;
  return { name, workbook, sum: numberText(sum), shown: number === undefined ? null : shown, holds };
}

/** Returns undefined for a workbook that lacks a sheet of the report. */
function summed({ sheets }: Workbook): SummedReport | undefined {
  const [summary, positions, trades] = ["Summary", "Positions", "Trades"].map((name) =>
    sheets.find((one) => one.name === name),
  );
  if (summary === undefined || positions === undefined || trades === undefined) return undefined;
  const [open, all] = [tableOf(positions), tableOf(trades)];
  const count = ({ records }: SheetTable): Fraction => fraction(BigInt(records.length));
  const sums = {
    realized: columnSum(all, "Realized_PNL"),
    unrealized: columnSum(open, "Unrealized_PNL"),
    positions: count(open),
    trades: count(all),
  };
  return { summary: tableOf(summary), sums };
}

/** The raw text of a figure of Summary; undefined if it has no row with this name. */
function shownIn({ sheet, columns, records }: SheetTable, metric: string): string | undefined {
  const [names, values] = [columns.get("Metric") ?? -1, columns.get("Value") ?? -1];
  const row = records.find((one) => sheet.texts[cellIndex(sheet, one, names)] === metric);
  return row === undefined ? undefined : (sheet.texts[cellIndex(sheet, row, values)] ?? "");
}

/** The exact sum of the numbers of a column; texts such as `not available` are left out. */
function columnSum({ sheet, columns, records }: SheetTable, name: string): Fraction {
  const column = columns.get(name) ?? -1;
  let sum = zero;
  for (const row of records) {
    const index = cellIndex(sheet, row, column);
    if (typeAt(sheet, index) === "number") sum = add(sum, parseFigure(sheet.texts[index] ?? "") ?? zero);
  }
  return sum;
}
