/** The stand-in of the legacy P&L system. Foreign to the rest: it takes types from `ports` and shares no code. */
export {
  type Calculation,
  Calculator,
  type DayFigures,
  LegacyRejection,
  type PositionFigures,
  type Side,
  type Trade,
} from "./calculator.ts";
export { openDatabase, type PriceRow, type WriteOptions, type WriteReport, writeDatabase } from "./database.ts";
export { type LedgerFile, parseLedger, readLedger } from "./ledger-file.ts";
export { LegacyDeskService, type LegacyServiceOptions } from "./pnl-service.ts";
export { type FileRun, type LegacyMode, type LegacyRun, runLegacy } from "./run.ts";
export { LegacyDesk, type LegacyDeskOptions } from "./service.ts";
