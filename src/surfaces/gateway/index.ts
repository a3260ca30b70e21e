/** The bridge over HTTP. */
export type { CallNote, GatewayBridge, GatewayControl } from "./context.ts";
export { type Gateway, type GatewayLimits, type GatewayOptions, gatewayLimits, startGateway } from "./gateway.ts";
export { Observations } from "./observations.ts";
