import { readWorkbook, shownText } from "../../adapters/xlsx/index.ts";
import { parseFraction, zero } from "../../base/fraction.ts";
import { diffWorkbooks } from "../../bridges/reports/index.ts";
import type { Config } from "../../config/index.ts";
import type { ReportDiff } from "../../ports/report-diff.ts";

/** Compares two workbooks; the first is legacy's. Throws UNREADABLE and BAD_WORKBOOK. */
export async function diffReports(
  [legacy, modern]: readonly [legacy: string, modern: string],
  { validation }: Pick<Config, "validation">,
): Promise<ReportDiff> {
  return diffWorkbooks(await readWorkbook(legacy), await readWorkbook(modern), {
    tolerances: tolerancesOf(validation),
    shown: shownText,
  });
}

export const tolerancesOf = ({ positionThreshold, comparisonThreshold }: Config["validation"]) => ({
  position: parseFraction(positionThreshold) ?? zero,
  pnl: parseFraction(comparisonThreshold) ?? zero,
});
