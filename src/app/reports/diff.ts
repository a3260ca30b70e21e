import { readWorkbook, shownText, workbookBytes } from "../../adapters/xlsx/index.ts";
import { parseFraction, zero } from "../../base/fraction.ts";
import { diffWorkbook, diffWorkbooks } from "../../bridges/reports/index.ts";
import type { Config } from "../../config/index.ts";
import type { ReportDiff } from "../../ports/report-diff.ts";
import type { Workbook } from "../../ports/workbook.ts";

export { keepHeapSmall } from "../../platform/small-heap.ts";
export { checkUnlocked } from "./check-unlocked.ts";

/** Returns the bytes of the workbook of a comparison. */
export const diffWorkbookBytes = (...comparison: Parameters<typeof diffWorkbook>): Promise<Uint8Array> =>
  workbookBytes(diffWorkbook(...comparison));

/** Compares two workbook files; the first is legacy's. Throws UNREADABLE and BAD_WORKBOOK. */
export async function diffReports(
  [legacy, modern]: readonly [legacy: string, modern: string],
  config: Pick<Config, "validation">,
): Promise<ReportDiff> {
  return diffBooks(await readWorkbook(legacy), await readWorkbook(modern), config);
}

/** Compares two workbooks within the tolerances of a configuration. */
export const diffBooks = (
  legacy: Workbook,
  modern: Workbook,
  { validation: { positionThreshold, comparisonThreshold } }: Pick<Config, "validation">,
): ReportDiff =>
  diffWorkbooks(legacy, modern, {
    tolerances: {
      position: parseFraction(positionThreshold) ?? zero,
      pnl: parseFraction(comparisonThreshold) ?? zero,
    },
    shown: shownText,
  });
