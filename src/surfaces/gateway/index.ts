/** The bridge over HTTP. */
export type { GatewayControl } from "./context.ts";
export { type Gateway, type GatewayOptions, startGateway } from "./gateway.ts";
export { Observations } from "./observations.ts";
