export type { BuiltinConfig, CommandConfig, Config, HttpConfig, ModuleConfig, SystemConfig } from "./config.ts";
export { configJsonSchema, defaultConfig, loadConfig, parseConfig } from "./config.ts";
