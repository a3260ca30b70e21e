export {
  closingTrades,
  computePnl,
  type MatchRow,
  matchRows,
  noDayRule,
  type PnlRequest,
  type PnlResult,
  type RejectedTrade,
  runRequest,
  type TradeInput,
} from "./compute-pnl.ts";
export { DecimalColumn, tens } from "./decimal-column.ts";
export { expiryNotes } from "./expiry-notes.ts";
export { MarkBook, type MarkKind, markKinds } from "./marks.ts";
export { type Method, methods } from "./matcher.ts";
export { PnlEngine } from "./pnl-engine.ts";
export {
  type CurrencyTotal,
  closesOf,
  type Statement,
  type StatementOptions,
  type StatementPosition,
  statementOf,
  type Totals,
} from "./statement.ts";
export { ownName, TradeColumns } from "./trade-columns.ts";
export {
  ambiguousTime,
  checkReading,
  type Describe,
  type DescribedSymbol,
  type Refusal,
  readAsOf,
  refusals,
  TradeIntake,
} from "./trade-intake.ts";
export { zeroPriceLotsOf } from "./zero-price-lots.ts";
