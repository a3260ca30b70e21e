export { type CommandOptions, CommandSystem } from "./command-system.ts";
export { workerErrors } from "./protocol.ts";
