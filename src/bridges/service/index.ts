export type { ServiceBridgeControl, ServiceBridgeHost } from "../core/bridge-core.ts";
export type { MethodCounters } from "../core/counters.ts";
export {
  type CallComparison,
  type FallbackReason,
  fallbackReasons,
  type MethodOptions,
} from "../core/options.ts";
export { shedReasons } from "../core/shadow-slots.ts";
export type { PnlTolerances } from "../core/tolerances.ts";
export {
  type BridgedService,
  bridgeServices,
  currentCall,
  type ServiceBridgeOptions,
} from "./create-service-bridge.ts";
export {
  type ConvertAnswer,
  excludedPaths,
  PnLServiceBridge,
  type PnLServiceBridgeOptions,
  pnlComparison,
  type ServiceAnswer,
} from "./pnl-service-bridge.ts";
