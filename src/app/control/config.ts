import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import {
  type Config,
  type ConfigListing,
  type ConfigValue,
  configJsonSchema,
  configSources,
  type EditValue,
  editValue,
  editYaml,
  flowText,
  isFleetWide,
  listConfig,
  loadConfig,
  readConfigText,
  readMigrationSection,
  shownValue,
  writeConfigFile,
} from "../../config/index.ts";
import type { EffectivePlan, PlanSource, PlanValue } from "../../control/index.ts";
import type { ControlRecord } from "../../ports/control-store.ts";
import { type ControlSettings, controlFile } from "../stores.ts";
import { openOperator } from "./session.ts";

export type { ConfigValue } from "../../config/index.ts";

/** The result of a validation: the configuration, or the first error in the file. */
export type Validation =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly error: BridgeError };

/** Validates a configuration file. Throws UNREADABLE if it cannot be read. */
export async function validateConfig(path: string): Promise<Validation> {
  try {
    return { ok: true, config: await loadConfig(path) };
  } catch (error) {
    if (error instanceof BridgeError && error.code === "BAD_CONFIG") return { ok: false, error };
    throw error;
  }
}

/** The result of `config set`. */
export interface ConfigChange {
  /** False if the file already had this value. */
  readonly changed: boolean;
  /** The value in the file, with secrets hidden; undefined if the key was removed. */
  readonly value: string | undefined;
}

/**
 * Sets a value of a file, or removes the key if `value` is undefined. Every other character of the file
 * stays, including comments. `value` is YAML, as written after the key; numbers are kept as given. Throws
 * BAD_USAGE for a value that is not YAML, and BAD_CONFIG if the file would become invalid; the file is then
 * unchanged.
 */
export async function setConfigValue(
  path: string,
  key: string,
  value: string | undefined,
): Promise<ConfigChange> {
  const text = await readConfigText(path);
  const wanted = value === undefined ? undefined : typedValue(key, value);
  const edited = editYaml(text, [{ path: key, value: wanted }], path);
  if (edited !== text) await writeConfigFile(path, edited);
  return {
    changed: edited !== text,
    value: wanted === undefined ? undefined : writtenWithoutSecret(key, wanted),
  };
}

function writtenWithoutSecret(key: string, value: EditValue): string {
  const shown = typeof value === "string" ? shownValue(key.split("."), value) : value;
  return shown === value ? flowText(value) : String(shown);
}

function typedValue(key: string, text: string): EditValue {
  try {
    return editValue(text);
  } catch (cause) {
    if (!(cause instanceof BridgeError)) throw cause;
    throw new BridgeError("BAD_USAGE", {
      what: `the value of ${key} is not valid YAML: ${cause.message}`,
      fix: 'write a YAML value, such as 25, true, "text" or [a, b]',
      cause,
    });
  }
}

/** A listing of the configuration, with the values of the control store. */
export interface FleetListing extends ConfigListing {
  /** The reason why the control store could not be read. Absent if it could. */
  readonly store?: string;
  /** Dotted names of keys that an older version has published and that no process obeys. */
  readonly ignored?: readonly string[];
}

/**
 * Lists every value in force and its source: the file, else the built-in configuration. If a control store
 * exists, the values that the fleet follows take precedence. Throws the errors of `loadConfig`.
 */
export async function showConfig(path: string | undefined): Promise<FleetListing> {
  const listing = await listConfig(path);
  if (path === undefined) return listing;
  const config = await loadConfig(path);
  const settings: ControlSettings = { config, folder: dirname(resolve(path)) };
  if (config.stores.control === null || !storeExists(settings)) return listing;
  try {
    const session = await openOperator(settings);
    try {
      const { record, effective } = await session.operator.overview();
      const ignored = record.published === null ? [] : readMigrationSection(record.published.text).ignored;
      return {
        ...listing,
        values: withFleetValues(listing.values, record, effective),
        ...(ignored.length > 0 && { ignored }),
      };
    } finally {
      await session.close();
    }
  } catch (failure) {
    if (failure instanceof BridgeError) return { ...listing, store: failure.line };
    throw failure;
  }
}

/** Whether the control store exists. Showing the configuration must not create it. */
function storeExists(settings: ControlSettings): boolean {
  const file = controlFile(settings);
  return file === undefined || existsSync(file);
}

function withFleetValues(
  ofFile: readonly ConfigValue[],
  record: ControlRecord,
  { plan, from }: EffectivePlan,
): readonly ConfigValue[] {
  const { published } = record;
  const ofSection =
    published === null
      ? []
      : configSources(`{"migration":${published.text}}`, "").values.filter(({ key }) => isFleetWide(key));
  const fleetValues = new Map(
    ofSection.map((one) => [one.key, { ...one, from: `published ${published?.hash.slice(0, 12)}` }]),
  );
  const sources: Readonly<Record<PlanSource, string>> = {
    default: "default",
    published: `published ${published?.hash.slice(0, 12)}`,
    store: `control store, by ${record.updatedBy} at ${record.updatedAt}`,
    latch: `control store, latched: ${record.latched}`,
    switch_file: "switch file",
    held: "control store; another value was requested and is held, see status",
  };
  const ofPlan: readonly (readonly [PlanValue, string, ConfigValue["value"]])[] = [
    ["phase", "migration.phase", plan.phase],
    ["newSystemPercentage", "migration.traffic_routing.new_system_percentage", plan.newSystemPercentage],
    ["userWhitelist", "migration.traffic_routing.user_whitelist", [...plan.userWhitelist]],
    ["userDenylist", "migration.traffic_routing.user_denylist", [...plan.userDenylist]],
    ["useNewPnlSystem", "config.use_new_pnl_system", plan.useNewPnlSystem],
    ["migrationMode", "config.migration_mode", plan.migrationMode],
  ];
  for (const [value, key, now] of ofPlan)
    if (from[value] !== "published" && (from[value] !== "default" || !fleetValues.has(key)))
      fleetValues.set(key, { key, value: now, from: sources[from[value]] });
  const keys = new Set(ofFile.map(({ key }) => key));
  const more = [...fleetValues.values()].filter(({ key }) => !keys.has(key));
  return [...ofFile.map((one) => fleetValues.get(one.key) ?? one), ...more];
}

/** Returns the JSON Schema of the file, for editors. */
export const configSchemaDocument = (): object => configJsonSchema();
