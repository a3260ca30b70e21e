export {
  type Config,
  changedKeys,
  configJsonSchema,
  defaultConfig,
  isLoopback,
  loadConfig,
  parseConfig,
  readConfigText,
  wholeFile,
} from "./config.ts";
export {
  type ConfigListing,
  type ConfigValue,
  configSources,
  listConfig,
  shownValue,
} from "./config-sources.ts";
export { type EditValue, editValue, editYaml, flowText, NumberText, type YamlEdit } from "./edit-yaml.ts";
export { type BuiltinConfig, ownMethodNames, type SystemConfig } from "./keys.ts";
export { type TokenHolder, type TokenRole, tokenRoles } from "./kinds.ts";
export {
  isFleetWide,
  isSameSection,
  type MigrationSection,
  migrationSection,
  readMigrationSection,
} from "./migration-section.ts";
export { type ConfigWatch, watchConfigFile } from "./watch-config-file.ts";
export { writeConfigFile } from "./write-config-file.ts";
