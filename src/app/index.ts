/** What `pnl-bridge` exports to programs. */
export { HttpSystem } from "../adapters/http/index.ts";
export { type CommandOptions, CommandSystem } from "../adapters/worker/index.ts";
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
export { BridgeError, errorCatalogue } from "../domain/errors.ts";
export type { MigrationPlan, PlanInput } from "../domain/plan.ts";
export type { CallKey } from "../domain/route.ts";
export { type FailureClass, SystemFailure } from "../domain/system-failure.ts";
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
export type { ControlPlane, Status } from "./control-plane.ts";
export { computePnl, type PnlRequest, type PnlResult, type TradeInput } from "./engine.ts";
export { type InThread, type InThreadOptions, inThread } from "./in-thread.ts";
export { type ReplayOptions, replay } from "./parity.ts";
export { createPnlBridge, type PnlBridge, type PnlBridgeOptions } from "./pnl-bridge.ts";
export { type PnlRun, type PnlRunOptions, pnlDocument, runPnl } from "./pnl-run.ts";
export { createServiceBridge } from "./service.ts";
export { readOverrides } from "./symbol-commands.ts";
