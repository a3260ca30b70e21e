export {
  computePnl,
  type MatchRow,
  matchRows,
  type PnlRequest,
  type PnlResult,
  type RejectedTrade,
  type TradeInput,
} from "./compute-pnl.ts";
export { DecimalColumn, tens } from "./decimal-column.ts";
export { expiryNotes } from "./expiry-notes.ts";
export { type Mark, MarkBook, type MarkKind } from "./marks.ts";
export { type Method, methods } from "./matcher.ts";
export { PnlEngine, type PnlEngineOptions } from "./pnl-engine.ts";
export {
  type CurrencyTotal,
  closesOf,
  type LotRow,
  type Statement,
  type StatementDay,
  type StatementOptions,
  type StatementPosition,
  statementOf,
  type Totals,
} from "./statement.ts";
export { type Instrument, instrumentOf, TradeColumns } from "./trade-columns.ts";
export {
  ambiguousTime,
  type Describe,
  type DescribedSymbol,
  type Refusal,
  readAsOf,
  refusals,
  TradeIntake,
  tradeIdentity,
} from "./trade-intake.ts";
export { zeroPriceLotsOf } from "./zero-price-lots.ts";
