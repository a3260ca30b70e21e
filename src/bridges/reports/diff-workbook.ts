/** The comparison of two workbooks as a workbook. */
import type { ReportDiff, ReportDifference } from "../../ports/report-diff.ts";
import type { WrittenCell, WrittenSheet, WrittenWorkbook } from "../../ports/written-workbook.ts";

/** A sheet of a workbook holds little more. */
const rowsMax = 1_000_000;
/** The largest number of characters in a cell. */
const textMax = 32_767;
/** The significant digits that every spreadsheet program keeps. */
const digitsMax = 15;

const [textFormat, plainFormat] = ["@", "General"];

const columns: Readonly<Record<string, (one: ReportDifference) => WrittenCell>> = {
  Sheet: ({ sheet }) => textCell(sheet),
  Key: ({ key }) => textCell(key === null ? null : Object.values(key).join(" · ")),
  Column: ({ column }) => textCell(column),
  Class: (one) => textCell(one.class),
  Legacy: ({ legacy }) => textCell(legacy),
  Modern: ({ modern }) => textCell(modern),
  Difference: ({ difference }) => figureCell(difference),
  Tolerance: ({ tolerance }) => figureCell(tolerance),
  Cause: ({ cause }) => textCell(cause),
  Property: ({ what }) => textCell(what),
  Cells: ({ cells }) => ({ value: cells ?? null, format: plainFormat }),
};

/**
 * Returns the workbook of a comparison: a sheet with its result and counts, and one with a row for each
 * difference. Raw texts of cells are texts, which are cut where a cell cannot hold them. Figures are numbers
 * if a workbook holds them exactly, else texts.
 */
export function diffWorkbook(
  diff: ReportDiff,
  names: { readonly legacy: string; readonly modern: string },
): WrittenWorkbook {
  const differences = diff.differences.slice(0, rowsMax);
  return {
    title: "Report comparison",
    keywords: "pnl-bridge report comparison",
    footer: "Report comparison",
    sheets: [
      summarySheet(diff, names, diff.differences.length - differences.length),
      {
        name: "Differences",
        columns: Object.keys(columns).map((name) => ({
          name,
          format: ["Difference", "Tolerance", "Cells"].includes(name) ? plainFormat : textFormat,
        })),
        rows: differences.map((one) => Object.values(columns).map((cellOf) => cellOf(one))),
      },
    ],
  };
}

function summarySheet(
  { ok, counts, order, tieOut, drift, driftTooLarge, dateSystemsDiffer }: ReportDiff,
  { legacy, modern }: { readonly legacy: string; readonly modern: string },
  leftOut: number,
): WrittenSheet {
  const rows: (readonly [item: string, value: string | number])[] = [
    ["legacy", legacy],
    ["modern", modern],
    ["result", ok ? "the workbooks agree" : "the workbooks do not agree"],
    ...Object.entries(counts),
    ...order.map(({ what, sheet }) => [`other order of ${what}`, sheet ?? "the workbook"] as const),
    ...tieOut
      .filter(({ holds }) => !holds)
      .map(
        ({ name, workbook, sum, shown }) =>
          [
            `total that does not tie out: ${name}, ${workbook}`,
            `${shown ?? "no number"} against ${sum}`,
          ] as const,
      ),
    ...driftTooLarge.map((column) => [`drift that is too large: ${column}`, drift[column] ?? ""] as const),
  ];
  if (dateSystemsDiffer) rows.push(["dates", "one workbook counts days from 1900, the other from 1904"]);
  if (leftOut > 0) rows.push(["differences that this workbook cannot hold", leftOut]);
  return {
    name: "Summary",
    columns: [
      { name: "Item", format: textFormat },
      { name: "Value", format: textFormat },
    ],
    rows: rows.map(([item, value]) => [
      textCell(item),
      typeof value === "number" ? { value, format: plainFormat } : textCell(value),
    ]),
  };
}

const textCell = (text: string | null | undefined): WrittenCell => ({
  value: text === null || text === undefined ? null : text.slice(0, textMax).toWellFormed(),
  format: textFormat,
});

function figureCell(text: string | undefined): WrittenCell {
  if (text === undefined) return textCell(null);
  const digits = /^-?(\d+)(?:\.(\d+))?$/.exec(text)?.slice(1).join("").length ?? Number.POSITIVE_INFINITY;
  return digits <= digitsMax ? { value: Number(text), format: plainFormat } : textCell(text);
}
