export {
  type CommandCounters,
  type CommandLimits,
  type CommandOptions,
  CommandSystem,
  commandDefaults,
} from "./command-system.ts";
export { protocolVersion, workerErrors } from "./protocol.ts";
export type { LogSource } from "./worker-process.ts";
