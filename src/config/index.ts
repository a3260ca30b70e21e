export type {
  BuiltinConfig,
  CommandConfig,
  Config,
  ControlConfig,
  GatewayConfig,
  HttpConfig,
  ModuleConfig,
  SystemConfig,
  TokenRole,
} from "./config.ts";
export { configJsonSchema, defaultConfig, isLoopback, loadConfig, parseConfig, readConfigText, tokenRoles } from "./config.ts";
export { type ConfigListing, type ConfigValue, configSources, listConfig } from "./config-sources.ts";
export { type EditValue, editYaml, type YamlEdit } from "./edit-yaml.ts";
export { type MigrationSection, migrationSection, readMigrationSection } from "./migration-section.ts";
export { type ConfigWatch, watchConfigFile } from "./watch-config-file.ts";
export { writeConfigFile } from "./write-config-file.ts";
