import { compare, type Fraction, fraction, multiply, zero } from "../../base/fraction.ts";
import { judgeNumbers } from "../../comparison/index.ts";
import type { DifferenceClass } from "../../ports/report-diff.ts";
import type { Workbook } from "../../ports/workbook.ts";
import { isMoney, missingWords, toleranceOf } from "./layout.ts";
import { is32ndsCut, isLot, RepeatedTrades } from "./repeated-trades.ts";
import { positionsOf, type Row, sum } from "./report-rows.ts";

/** Known defects of legacy's report that cause differences between it and the bridge's report. */
export const reportCauses = {
  STRIKE_LOST: "legacy's report drops the strike of an option, so its row has another name",
  TRUNCATED_32NDS: "legacy's report cuts off the parts of a 32nd",
  REPEATED_TRADE: "legacy counts a trade more often than modern, and that is the whole difference",
  RUNNING_TOTAL: "legacy's risk matrix adds up the positions at each price step, and counts an option as 0",
  ASSUMED_PRICE:
    "legacy's risk matrix shows a price where the bridge's shows none; without a mark it starts from the average price",
  REALIZED_ONLY: "legacy's report gives the realized P&L as the total of a position without a mark",
  NO_DAY: "the P&L of the day of a position is missing in legacy's report, and 0 in the bridge's",
  MISSING_WORDS: "both reports lack the figure, and say so in other words",
  TU_MULTIPLIER: "legacy's report counts 1000 dollars a point for every product",
} as const;

type ReportCause = keyof typeof reportCauses;

/** A column of two rows that stand for the same thing. */
interface Place {
  readonly sheet: string;
  readonly column: string;
  readonly class: DifferenceClass;
  readonly legacy: Row;
  readonly modern: Row;
}

type TwoRows = Pick<Place, "sheet" | "legacy" | "modern">;
type DifferingCell = Pick<Place, "column" | "class">;

type Rows = Readonly<Record<"legacy" | "modern", readonly Row[]>>;
type CausesByRow = ReadonlyMap<number, ReportCause>;

/** The most rows of modern that are tried as the partner of one row of legacy. */
const triesMax = 50;

/**
 * Proves causes of differences between legacy's own report and the bridge's. Each cause is checked with the
 * rows of the two workbooks: a difference that no check explains has none of these causes.
 */
export class ReportCauses {
  readonly #tolerances: Readonly<Record<"position" | "pnl", Fraction>>;
  readonly #positions: Readonly<Record<"legacy" | "modern", (symbol: string) => Row>>;
  readonly #trades: RepeatedTrades;
  readonly #lots = new Map<string, boolean>();

  constructor(
    legacy: Workbook,
    modern: Workbook,
    tolerances: Readonly<Record<"position" | "pnl", Fraction>>,
  ) {
    this.#tolerances = tolerances;
    this.#positions = { legacy: positionsOf(legacy), modern: positionsOf(modern) };
    this.#trades = new RepeatedTrades(legacy, modern, this.#positions.modern);
  }

  /** The cause of the difference of two paired rows in a column; undefined if none is proved. */
  ofCell(place: Place): ReportCause | undefined {
    if (place.class !== "value" && place.class !== "type") return undefined;
    return this.#rules.find(([, holds]) => holds(place))?.[0];
  }

  /**
   * The causes of rows that one side lacks, by row. `differing` returns the cells of two rows that differ by
   * more than a harmless class. Compares each row with at most `triesMax` others.
   */
  ofRows(
    sheet: string,
    key: readonly string[],
    only: Rows,
    differing: (x: Row, y: Row) => readonly DifferingCell[],
  ): Readonly<Record<"legacy" | "modern", CausesByRow>> {
    const causes = { legacy: new Map<number, ReportCause>(), modern: new Map<number, ReportCause>() };
    const keyOf = (row: Row): string => key.map((name) => withoutStrike(name, row.text(name))).join("\u0000");
    const renamed = Map.groupBy(
      only.modern.filter((row) => hasStrike(symbolOf(row))),
      keyOf,
    );
    const repeated = new Set(sheet === "Trades" ? this.#trades.among(only.legacy) : []);
    for (const legacy of only.legacy) {
      if (repeated.has(legacy) || this.#isRepeatedLot(sheet, legacy))
        causes.legacy.set(legacy.at, "REPEATED_TRADE");
      if (hasStrike(symbolOf(legacy))) continue;
      const candidates = renamed.get(keyOf(legacy)) ?? [];
      for (const [at, modern] of candidates.slice(0, triesMax).entries()) {
        const cause = this.#ofRenamed({ sheet, legacy, modern }, differing(legacy, modern));
        if (cause === undefined) continue;
        causes.legacy.set(legacy.at, cause);
        causes.modern.set(modern.at, cause);
        candidates.splice(at, 1);
        break;
      }
    }
    return causes;
  }

  #isRepeatedLot(sheet: string, legacy: Row): boolean {
    return sheet === "Position_Breakdown" && isLot(legacy) && this.#isInLotsOf(symbolOf(legacy));
  }

  /** The cause of a row whose partner has a strike in its name: every other cell is equal or explained. */
  #ofRenamed(rows: TwoRows, differing: readonly DifferingCell[]): ReportCause | undefined {
    let cause: ReportCause = "STRIKE_LOST";
    for (const cell of differing) {
      const { column } = cell;
      const [a, b] = [rows.legacy.text(column), rows.modern.text(column)];
      if (namingColumns.has(column) && withoutStrike(column, b) === a) continue;
      const found = this.ofCell({ ...rows, ...cell });
      if (found === undefined) return undefined;
      if (found === "REPEATED_TRADE") cause = found;
    }
    return cause;
  }

  readonly #rules: readonly (readonly [ReportCause, (place: Place) => boolean])[] = [
    ["MISSING_WORDS", ({ column, legacy, modern }) => isMissing(legacy, column) && isMissing(modern, column)],
    ["TRUNCATED_32NDS", ({ column, legacy, modern }) => is32ndsCut(legacy.text(column), modern.text(column))],
    [
      "NO_DAY",
      ({ column, legacy, modern }) =>
        column === "Daily_PNL" && isMissing(legacy, column) && modern.figure(column)?.numerator === 0n,
    ],
    ["REALIZED_ONLY", (place) => this.#isRealizedOnly(place)],
    ["ASSUMED_PRICE", (place) => this.#isAssumedPrice(place)],
    ["RUNNING_TOTAL", (place) => this.#isRunningTotal(place)],
    ["REPEATED_TRADE", (place) => this.#hasRepeatedTrade(place)],
    ["TU_MULTIPLIER", (place) => this.#isTwoYearMultiplier(place)],
  ];

  #isRealizedOnly(place: Place): boolean {
    const isTotal = ["Positions.Total_PNL", "Position_Breakdown.Inception_PNL"].includes(nameOf(place));
    if (!isTotal || !isMissing(place.modern, place.column)) return false;
    const position = this.#positions.modern(symbolOf(place.modern));
    return isMissing(position, "Unrealized_PNL") && this.#isLegacy(place, position.figure("Realized_PNL"));
  }

  #isAssumedPrice(place: Place): boolean {
    const { legacy, modern } = place;
    if (!isMissing(modern, place.column)) return false;
    if (nameOf(place) === "Risk_Matrix.TYU5_Price_32nds")
      return legacy.text(place.column) === cutTo32nds(legacy.figure("TYU5_Price"));
    if (nameOf(place) !== "Risk_Matrix.TYU5_Price") return false;
    const symbol = symbolOf(modern);
    // Several options share a name in legacy's report, so that only modern's tells which position this is.
    const position = this.#positions[isOption(symbol) ? "modern" : "legacy"](symbol);
    const price = position.figure("Current_Price") ?? position.figure("Avg_Entry_Price");
    return this.#isLegacy(place, sum(price, legacy.figure("Price_Change")));
  }

  #isRunningTotal(place: Place): boolean {
    if (nameOf(place) !== "Risk_Matrix.Scenario_PNL") return false;
    const { legacy, modern, column } = place;
    const before = legacy.before();
    const isFirst = before.text("Price_Change") !== legacy.text("Price_Change");
    const countsNothing = isOption(symbolOf(modern)) && isMissing(modern, column);
    return this.#isLegacy(
      place,
      sum(isFirst ? zero : before.figure(column), countsNothing ? zero : modern.figure(column)),
    );
  }

  #hasRepeatedTrade(place: Place): boolean {
    const { sheet, column, legacy, modern } = place;
    const symbol = symbolOf(modern);
    if (nameOf(place) === "Position_Breakdown.Notes")
      return this.#trades.isInCountOf(symbol, legacy.text(column), modern.text(column));
    if (sheet === "Position_Breakdown" && isLot(legacy))
      return lotColumns.has(column) && this.#isInLotsOf(symbol);
    return this.#isLegacy(
      place,
      sum(modern.figure(column), this.#trades.addedTo(nameOf(place), symbol, modern)),
    );
  }

  #isInLotsOf(symbol: string): boolean {
    const known = this.#lots.get(symbol) ?? this.#trades.isInLotsOf(symbol);
    this.#lots.set(symbol, known);
    return known;
  }

  #isTwoYearMultiplier({ sheet, column, legacy, modern }: Place): boolean {
    const [a, b] = [legacy.figure(column), modern.figure(column)];
    if (
      !isTwoYearNote(symbolOf(modern)) ||
      !isMoney(sheet, column, null) ||
      a === undefined ||
      b === undefined
    )
      return false;
    return a.numerator !== 0n && compare(multiply(a, fraction(2n)), b) === 0;
  }

  /** Whether legacy's figure is this one, within the tolerance of its column. */
  #isLegacy({ sheet, column, legacy }: Place, expected: Fraction | undefined): boolean {
    const figure = legacy.figure(column);
    const allowed = this.#tolerances[toleranceOf(sheet, column)];
    return (
      figure !== undefined &&
      expected !== undefined &&
      judgeNumbers(figure, expected, allowed).verdict !== "diverged"
    );
  }
}

const nameOf = ({ sheet, column }: Place): string => `${sheet}.${column}`;

const isMissing = (row: Row, column: string): boolean => missingWords.has(row.text(column));

/** The symbol of a row; in the risk matrix it is a part of the position's name. */
const symbolOf = (row: Row): string =>
  row.text("Symbol") || (/^POS_(.*)_\d+$/.exec(row.text("Position_ID"))?.[1] ?? "");

/** Options of the desk, with or without their strike. */
const isOption = (symbol: string): boolean => /^XCMEO[CP]/.test(symbol);
const hasStrike = (symbol: string): boolean => isOption(symbol) && symbol.includes("/");
const isTwoYearNote = (symbol: string): boolean => /^XCMEFF\w+ZT$/.test(symbol);

/** The columns that name an instrument. */
const namingColumns: ReadonlySet<string> = new Set(["Symbol", "Type", "Position_ID", "Description"]);

/** The columns that tell one open lot of an instrument from another. */
const lotColumns: ReadonlySet<string> = new Set(["Quantity", "Price"]);

/** Returns the text that a report without strikes has in place of this one. */
const withoutStrike = (column: string, text: string): string =>
  column === "Type" ? text.slice(0, 1) : text.replace(/\/[\d.]+/, "");

/** The price in points and whole 32nds, as legacy's report writes it. */
function cutTo32nds(price: Fraction | undefined): string | undefined {
  if (price === undefined) return undefined;
  const parts = floor(multiply(price, fraction(32n)));
  const handle = floor(price);
  return `${handle}-${String(parts - 32n * handle).padStart(2, "0")}`;
}

const floor = ({ numerator, denominator }: Fraction): bigint =>
  numerator / denominator - (numerator % denominator < 0n ? 1n : 0n);
