export { type BreakerOptions, breakerDefaults } from "./breaker.ts";
export type { ServiceBridgeControl, ServiceBridgeHost } from "./bridge-core.ts";
export type { MethodCounters } from "./counters.ts";
export {
  type BridgedService,
  bridgeServices,
  currentCall,
  type MethodName,
  type ServiceBridgeOptions,
} from "./create-service-bridge.ts";
export {
  type AnsweringOptions,
  type CallComparison,
  type FallbackReason,
  fallbackReasons,
  type MethodOptions,
  type ShadowOptions,
  type SideObservation,
  shadowDefaults,
} from "./options.ts";
export {
  type ConvertAnswer,
  PnLServiceBridge,
  type PnLServiceBridgeOptions,
  type ServiceAnswer,
} from "./pnl-service-bridge.ts";
export { type ShedReason, shedReasons } from "./shadow-lane.ts";
