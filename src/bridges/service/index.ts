export { type BreakerOptions, breakerDefaults } from "../core/breaker.ts";
export type { ServiceBridgeControl, ServiceBridgeHost } from "../core/bridge-core.ts";
export type { MethodCounters } from "../core/counters.ts";
export {
  type AnsweringOptions,
  type CallComparison,
  type FallbackReason,
  fallbackReasons,
  type MethodOptions,
  type ShadowOptions,
  type SideObservation,
  shadowDefaults,
} from "../core/options.ts";
export { type ShedReason, shedReasons } from "../core/shadow-lane.ts";
export {
  type BridgedService,
  bridgeServices,
  currentCall,
  type MethodName,
  type ServiceBridgeOptions,
} from "./create-service-bridge.ts";
export {
  type ConvertAnswer,
  PnLServiceBridge,
  type PnLServiceBridgeOptions,
  type ServiceAnswer,
} from "./pnl-service-bridge.ts";
