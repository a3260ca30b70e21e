export { systemClock } from "./clock.ts";
export { type HostLimits, HostMonitor, hostLimits } from "./load.ts";
