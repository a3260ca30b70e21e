/** The exports of the package `pnl-bridge`. */
export { HttpSystem } from "../adapters/http/index.ts";
export { type CommandOptions, CommandSystem } from "../adapters/worker/index.ts";
export { BridgeError, errorCatalogue } from "../base/errors.ts";
export {
  type BridgedService,
  type CallComparison,
  currentCall,
  type FallbackReason,
  type MethodCounters,
  type MethodOptions,
  type PnLServiceBridge,
  type ServiceAnswer,
  type ServiceBridgeControl,
  type ServiceBridgeOptions,
} from "../bridges/service/index.ts";
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
export type {
  ControlEvent,
  EffectivePlan,
  Freshness,
  GateReport,
  MoveResult,
  Operator,
  RollbackResult,
} from "../control/index.ts";
export type { MigrationPlan, PlanInput } from "../domain/migration/plan.ts";
export type { CallKey } from "../domain/migration/route.ts";
export { type FailureClass, SystemFailure } from "../domain/migration/system-failure.ts";
export { LegacyDesk } from "../legacy-desk/index.ts";
export type { OwedWrites } from "../ports/owed-writes.ts";
export type { ParityReport, ParityRow } from "../ports/parity-report.ts";
export type { PnlService } from "../ports/pnl-service.ts";
export type { DailyRow, HistoryRequest, HistoryRows, PnlSystem, PositionRow } from "../ports/pnl-system.ts";
export type { BridgedSystem, JsonValue, SystemCall } from "../ports/system.ts";
export {
  compareInstruments,
  type ExpiryOverrides,
  type Instrument,
  type InstrumentFacts,
  instrumentFacts,
} from "../symbols/index.ts";
export { type InThread, type InThreadOptions, inThread } from "./bridge/in-thread.ts";
export { createPnlBridge, type PnlBridge, type PnlBridgeOptions } from "./bridge/pnl-bridge.ts";
export { createServiceBridge } from "./bridge/service.ts";
export type { ControlPlane } from "./control/control-plane.ts";
export type { Status } from "./control/status.ts";
export {
  type DatabaseBridgeSettings,
  type OpenDatabaseBridge,
  openDatabaseBridge,
} from "./database/bridge.ts";
export { computePnl, type PnlRequest, type PnlResult, type TradeInput } from "./engine.ts";
export { type PnlRun, type PnlRunOptions, pnlDocument, runPnl } from "./parity/pnl-run.ts";
export { type ReplayOptions, replay } from "./parity/replay.ts";
export { readOverrides } from "./symbols/commands.ts";
