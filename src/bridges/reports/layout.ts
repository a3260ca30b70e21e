/**
 * The sheets of the daily report, as the desk's macros know them: the names of sheets and columns, the
 * columns that identify a row, and the tolerance of each number.
 */

interface SheetLayout {
  /** The columns that identify a row. */
  readonly key: readonly string[];
  /** Columns of quantities and prices, which have the tolerance of positions; all others have that of P&L. */
  readonly positionColumns?: readonly string[];
  /** Key columns that hold a time; rows are paired by its second. */
  readonly timeKeys?: readonly string[];
  /** Columns that our report adds to the desk's. */
  readonly added?: readonly string[];
}

export const sheetLayouts: ReadonlyMap<string, SheetLayout> = new Map<string, SheetLayout>([
  ["Summary", { key: ["Metric"] }],
  [
    "Positions",
    {
      key: ["Symbol", "Type"],
      positionColumns: ["Net_Quantity", "Closed_Quantity", "Avg_Entry_Price", "Prior_Close", "Current_Price"],
    },
  ],
  [
    "Trades",
    {
      key: ["Trade_ID", "DateTime", "Symbol"],
      timeKeys: ["DateTime"],
      positionColumns: ["Quantity", "Price_Decimal"],
    },
  ],
  ["Risk_Matrix", { key: ["Position_ID", "Price_Change"], positionColumns: ["TYU5_Price", "Price_Change"] }],
  ["Position_Breakdown", { key: ["Symbol", "Description"], positionColumns: ["Quantity", "Price"] }],
]);

/** The document property that marks a report of the bridge. */
export const reportKeyword = "pnl-bridge daily report";

/** The texts that stand for a figure that is not available: that of our report, then that of legacy's. */
export const missingWords: ReadonlySet<string> = new Set(["not available", "awaiting data"]);

/** The metrics of Summary that count something, and are no money. */
export const countMetrics: ReadonlySet<string> = new Set(["Active Positions", "Total Trades"]);

/** The kind of tolerance that the numbers of a column have. */
export const toleranceOf = (sheet: string, column: string): "position" | "pnl" =>
  sheetLayouts.get(sheet)?.positionColumns?.includes(column) ? "position" : "pnl";

/** Whether the numbers of a column of a report are money, in a row with this key. */
export const isMoney = (
  sheet: string,
  column: string | null,
  key: Readonly<Record<string, string>> | null,
): boolean => column !== null && toleranceOf(sheet, column) === "pnl" && !countMetrics.has(key?.Metric ?? "");
