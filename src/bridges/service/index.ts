export type { ServiceBridgeControl, ServiceBridgeHost } from "../core/bridge-core.ts";
export type { MethodCounters } from "../core/counters.ts";
export {
  type CallComparison,
  type FallbackReason,
  fallbackReasons,
  type MethodOptions,
} from "../core/options.ts";
export { shedReasons } from "../core/shadow-slots.ts";
export {
  type BridgedService,
  bridgeServices,
  currentCall,
  type ServiceBridgeOptions,
} from "./create-service-bridge.ts";
export {
  type ConvertAnswer,
  PnLServiceBridge,
  type PnLServiceBridgeOptions,
  type PnlTolerances,
  pnlComparison,
  type ServiceAnswer,
} from "./pnl-service-bridge.ts";
