export {
  AnswerComparer,
  type AnswerComparison,
  type AnswerOptions,
  type Exclusion,
  type FieldDifference,
  Sightings,
} from "./answers.ts";
export type { ComparisonOptions, Conversion, Tolerance } from "./options.ts";
export { comparisonDefaults, flatHasNoAveragePrice, pointsToMoney, tolerancesFrom, unpricedDayHasNoValue } from "./options.ts";
export type {
  Cause,
  ComparisonReport,
  ComparisonRow,
  DailyRow,
  Field,
  Invariant,
  Kind,
  PositionRow,
  RowKey,
  Side,
  SnapshotRow,
  SystemAnswer,
  SystemError,
  Verdict,
} from "./report.ts";
export { agrees, causes, fields, fieldsOf, verdicts } from "./report.ts";
export { PnLComparisonValidator } from "./validator.ts";
