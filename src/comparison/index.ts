export {
  AnswerComparer,
  type AnswerComparison,
  type AnswerOptions,
  type Exclusion,
  type FieldDifference,
} from "./answers.ts";
export { judgeNumbers } from "./judgement.ts";
export type { ComparisonOptions, Conversion, Tolerance } from "./options.ts";
export { comparisonDefaults, flatHasNoAveragePrice, pointsToMoney, tolerancesFrom, unpricedDayHasNoValue } from "./options.ts";
export type {
  Cause,
  ComparisonReport,
  ComparisonRow,
  Field,
  Kind,
  SnapshotRow,
  SystemAnswer,
} from "./report.ts";
export { causes, fields, fieldsOf } from "./report.ts";
export { Sightings } from "./sightings.ts";
export { PnLComparisonValidator } from "./validator.ts";
