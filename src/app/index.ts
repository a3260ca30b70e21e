/** What `pnl-bridge` exports to programs. */
export {
  type QuarantinedSymbol,
  type SymbolBridgeOptions,
  type SymbolCounters,
  SymbolTranslationBridge,
  type Translated,
  type Translation,
  type Untranslated,
  type Variants,
} from "../bridges/symbols/index.ts";
export {
  type ComparisonOptions,
  type ComparisonReport,
  PnLComparisonValidator,
  pointsToMoney,
  type SystemAnswer,
  type Tolerance,
} from "../comparison/index.ts";
export { type Config, defaultConfig, loadConfig } from "../config/index.ts";
export { BridgeError, errorCatalogue } from "../domain/errors.ts";
export { LegacyDesk } from "../legacy-desk/index.ts";
export type { ParityReport, ParityRow } from "../ports/parity-report.ts";
export type { DailyRow, HistoryRequest, HistoryRows, PnlSystem, PositionRow } from "../ports/pnl-system.ts";
export {
  compareInstruments,
  type ExpiryOverrides,
  type Instrument,
  type InstrumentFacts,
  instrumentFacts,
} from "../symbols/index.ts";
export { computePnl, type PnlRequest, type PnlResult, type TradeInput } from "./engine.ts";
export { type ReplayOptions, replay } from "./parity.ts";
export { type PnlRun, type PnlRunOptions, pnlDocument, runPnl } from "./pnl-run.ts";
export { readOverrides } from "./symbol-commands.ts";
