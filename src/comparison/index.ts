export {
  AnswerComparer,
  type AnswerComparison,
  type AnswerOptions,
  notComparable,
  type RowDifference,
} from "./answers.ts";
export { judgeNumbers, relationOf, toleranceFrom } from "./judgement.ts";
export type { ComparisonOptions, Tolerance } from "./options.ts";
export { flatHasNoAveragePrice, pointsToMoney, tolerancesFrom, unpricedDayHasNoValue } from "./options.ts";
export type { ComparisonReport, ComparisonRow, SnapshotRow, SystemAnswer } from "./report.ts";
export { causes } from "./report.ts";
export { Sightings } from "./sightings.ts";
export { PnLComparisonValidator } from "./validator.ts";
