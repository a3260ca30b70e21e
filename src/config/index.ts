export type { Config, SystemConfig } from "./config.ts";
export { configJsonSchema, defaultConfig, loadConfig, parseConfig } from "./config.ts";
