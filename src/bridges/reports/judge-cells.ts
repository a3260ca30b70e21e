import { add, type Fraction, formatFraction, fraction, parseFigure } from "../../base/fraction.ts";
import { present } from "../../base/present.ts";
import { judgeNumbers, relationOf } from "../../comparison/index.ts";
import type { DifferenceClass } from "../../ports/report-diff.ts";
import type { CellStyle, Workbook } from "../../ports/workbook.ts";
import { missingWords } from "./layout.ts";
import { type Cell, daysBetweenSystems } from "./sheet-table.ts";

/** The facts about the two workbooks on which the comparison of two cells depends. */
export interface Judging {
  readonly legacy: Workbook;
  readonly modern: Workbook;
  /** Whether a side is a report of the bridge. */
  readonly isOurs: { readonly legacy: boolean; readonly modern: boolean };
  /** The text that a spreadsheet program shows for a raw number. */
  readonly shown: (raw: string, format: string, isFrom1904: boolean) => string;
}

/** A difference of two cells, without its place. */
export interface CellDifference {
  readonly class: DifferenceClass;
  readonly difference?: Fraction;
  readonly tolerance?: Fraction;
  readonly cause?: string;
  readonly what?: string;
  /** The two texts, where they are not those of the cells. */
  readonly texts?: readonly [legacy: string, modern: string];
}

/** The cause of a difference for which no other cause is proved. */
export const unexplained = "unexplained";

/**
 * Compares two cells. Returns the first difference in this order: error, formula without a result, type,
 * value, formula, format, look.
 */
export function judgeCells(
  a: Cell,
  b: Cell,
  allowed: Fraction,
  judging: Judging,
): CellDifference | undefined {
  return (
    errorDifference(a, b) ??
    uncomputedDifference(a, b) ??
    typeDifference(a, b) ??
    valueDifference(a, b, allowed, judging) ??
    formulaDifference(a, b, judging) ??
    styleDifference(a, b, judging)
  );
}

function errorDifference(a: Cell, b: Cell): CellDifference | undefined {
  if (a.type !== "error" && b.type !== "error") return undefined;
  return a.type === b.type && a.text === b.text ? undefined : { class: "error", cause: unexplained };
}

const isUncomputed = ({ type, formula }: Cell): boolean => type === "blank" && formula !== undefined;

/** A formula without a stored result has no value: it equals only the same formula without one. */
function uncomputedDifference(a: Cell, b: Cell): CellDifference | undefined {
  if (!isUncomputed(a) && !isUncomputed(b)) return undefined;
  if (isUncomputed(a) && isUncomputed(b) && a.formula === b.formula) return undefined;
  return { class: "formula", what: "no stored result", cause: unexplained, texts: formulaTexts(a, b) };
}

function typeDifference(a: Cell, b: Cell): CellDifference | undefined {
  if (a.type === b.type) return undefined;
  const blankText = [a.type, b.type].every((type) => type === "blank" || type === "text");
  if (blankText) return { class: "value", cause: unexplained };
  return { class: "type", cause: causeOfTypes(a, b) };
}

function causeOfTypes(a: Cell, b: Cell): string {
  const isMissing = ({ type, text }: Cell): boolean => type === "blank" || missingWords.has(text);
  if (a.type === "number" && isMissing(b)) return "NO_VALUE_IN_MODERN";
  if (b.type === "number" && isMissing(a)) return "NO_VALUE_IN_LEGACY";
  return [a.type, b.type].includes("number") ? "NOT_A_NUMBER" : unexplained;
}

function valueDifference(a: Cell, b: Cell, allowed: Fraction, judging: Judging): CellDifference | undefined {
  if (a.type !== "number") return a.text === b.text ? undefined : { class: "value", cause: unexplained };
  const [x, y] = [numberOf(a, judging.legacy), numberOf(b, judging.modern)];
  const { verdict, difference } = judgeNumbers(x, y, allowed);
  if (verdict === "equal") return undefined;
  const numbers = { difference, tolerance: allowed };
  if (verdict === "within_tolerance") return { class: "within_tolerance", ...numbers };
  return { class: "value", ...numbers, cause: relationOf(x, y, true) ?? unexplained };
}

function numberOf({ text, style }: Cell, { isFrom1904, styles }: Workbook): Fraction {
  const number = present(parseFigure(text), "the text of a number can be read");
  return isFrom1904 && styles[style]?.isDate === true
    ? add(number, fraction(BigInt(daysBetweenSystems)))
    : number;
}

/**
 * Two cells of equal values may have different formulas. A formula of the bridge's report is an addition, and
 * no fault, if the other workbook is not of the bridge and has none in this cell.
 */
function formulaDifference(a: Cell, b: Cell, { isOurs }: Judging): CellDifference | undefined {
  if (a.formula === b.formula) return undefined;
  const isAddition =
    (isOurs.modern && !isOurs.legacy && a.formula === undefined) ||
    (isOurs.legacy && !isOurs.modern && b.formula === undefined);
  if (isAddition) return { class: "appearance", what: "formula", texts: formulaTexts(a, b) };
  return { class: "formula", what: "formula", cause: unexplained, texts: formulaTexts(a, b) };
}

const formulaTexts = (a: Cell, b: Cell): readonly [string, string] => {
  const text = (cell: Cell): string => (cell.formula === undefined ? cell.text : `=${cell.formula}`);
  return [text(a), text(b)];
};

const general = "General";

function styleDifference(a: Cell, b: Cell, judging: Judging): CellDifference | undefined {
  const { legacy, modern, isOurs } = judging;
  const [x, y] = [styleOf(a, legacy), styleOf(b, modern)];
  if (x.format !== y.format) {
    const texts = [x.format, y.format] as const;
    // The desk's own workbook has no formats, so those of our report are an addition.
    const isAddition =
      (isOurs.modern && !isOurs.legacy && x.format === general) ||
      (isOurs.legacy && !isOurs.modern && y.format === general);
    // The shown texts are computed last, because they take longest.
    const isFault =
      !isAddition &&
      a.type === "number" &&
      judging.shown(a.text, x.format, legacy.isFrom1904) !==
        judging.shown(b.text, y.format, modern.isFrom1904);
    if (isFault) return { class: "format", what: "format", texts, cause: unexplained };
    return { class: "appearance", what: "format", texts };
  }
  return x.look === y.look ? undefined : { class: "appearance", what: "look", texts: [x.look, y.look] };
}

const noStyle: CellStyle = { format: general, isDate: false, look: "" };
const styleOf = ({ style }: Cell, { styles }: Workbook): CellStyle => styles[style] ?? noStyle;

/** Whether two styles are the same for every value. */
export const areAlike = (a: CellStyle | undefined = noStyle, b: CellStyle | undefined = noStyle): boolean =>
  a.format === b.format && a.look === b.look;

/** The exact text of a number for JSON. */
export const numberText = (value: Fraction): string => formatFraction(value).text;
