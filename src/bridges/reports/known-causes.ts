import { compare, fraction, multiply, parseFigure } from "../../base/fraction.ts";
import type { ReportDifference } from "../../ports/report-diff.ts";
import { missingWords, sheetLayouts } from "./layout.ts";

/** Known defects of legacy's report that cause differences between it and the bridge's report. */
export const reportCauses = {
  STRIKE_LOST: "legacy's report drops the strike of an option, so its row has another name",
  TRUNCATED_32NDS: "legacy's report cuts off the parts of a 32nd",
  REPEATED_TRADE: "legacy counts a trade again that an earlier file holds too",
  RUNNING_TOTAL: "legacy's risk matrix adds up the positions at each price step, and counts an option as 0",
  MISSING_WORDS: "both reports lack the figure, and say so in other words",
  TU_MULTIPLIER: "legacy's report counts 1000 dollars a point for every product",
} as const;

type ReportCause = keyof typeof reportCauses;

/**
 * The cause of a difference between legacy's report and the bridge's; undefined if it is none of the known
 * ones.
 */
export function reportCauseOf(found: ReportDifference): ReportCause | undefined {
  return rules.find(([, holds]) => holds(found))?.[0];
}

const rules: readonly (readonly [ReportCause, (found: ReportDifference) => boolean])[] = [
  [
    "STRIKE_LOST",
    ({ class: kind, key }) => kind.startsWith("only_in_") && isOption(Object.values(key ?? {})[0]),
  ],
  [
    "REPEATED_TRADE",
    ({ sheet, class: kind, keyIsNotUnique }) =>
      sheet === "Trades" && kind === "only_in_legacy" && keyIsNotUnique === true,
  ],
  ["MISSING_WORDS", ({ legacy, modern }) => isMissing(legacy) && isMissing(modern)],
  [
    "TRUNCATED_32NDS",
    ({ legacy, modern }) =>
      modern !== null && legacy !== null && modern.startsWith(`${legacy}.`) && legacy.includes("-"),
  ],
  ["RUNNING_TOTAL", ({ sheet, column }) => sheet === "Risk_Matrix" && column === "Scenario_PNL"],
  [
    "TU_MULTIPLIER",
    ({ sheet, key, column, legacy, modern }) =>
      Object.values(key ?? {}).some(isTwoYearNote) && isMoney(sheet, column) && isDouble(legacy, modern),
  ],
];

const isMissing = (text: string | null): boolean => missingWords.has(text ?? "");

/** Options of the desk, with or without their strike. */
const isOption = (name = ""): boolean => /^(?:POS_)?XCMEO[CP]/.test(name);

/** Two-year notes of the desk, in symbols and in position ids. */
const isTwoYearNote = (name: string): boolean => /^(?:POS_)?XCMEFF\w+ZT(?:_\d+)?$/.test(name);

const isMoney = (sheet: string, column: string | null): boolean =>
  column !== null && sheetLayouts.get(sheet)?.positionColumns?.includes(column) !== true;

function isDouble(legacy: string | null, modern: string | null): boolean {
  const [a, b] = [parseFigure(legacy ?? ""), parseFigure(modern ?? "")];
  if (a === undefined || b === undefined || a.numerator === 0n) return false;
  return compare(multiply(a, fraction(2n)), b) === 0;
}
