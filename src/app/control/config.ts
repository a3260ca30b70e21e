import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parse as parseYaml } from "yaml";
import { BridgeError } from "../../base/errors.ts";
import {
  type Config,
  type ConfigListing,
  type ConfigValue,
  configJsonSchema,
  configSources,
  type EditValue,
  editYaml,
  listConfig,
  loadConfig,
  readConfigText,
  writeConfigFile,
} from "../../config/index.ts";
import type { EffectivePlan, PlanSource, PlanValue } from "../../control/index.ts";
import type { ControlRecord } from "../../ports/control-store.ts";
import { type ControlSettings, sqliteFile } from "../stores.ts";
import { openOperator } from "./session.ts";

export type { ConfigListing, ConfigValue } from "../../config/index.ts";

/** Whether a file is a configuration; if not, the first thing in it that is wrong. */
export type Validation = { readonly ok: true; readonly config: Config } | { readonly ok: false; readonly error: BridgeError };

/** Throws UNREADABLE. */
export async function validateConfig(path: string): Promise<Validation> {
  try {
    return { ok: true, config: await loadConfig(path) };
  } catch (error) {
    if (error instanceof BridgeError && error.code === "BAD_CONFIG") return { ok: false, error };
    throw error;
  }
}

/**
 * Sets a value of a file, or removes it where none is given; every other character stays, comments included. `value` is YAML, as it would
 * stand behind the key. False where it stood so already. Throws BAD_CONFIG, with the file unchanged, where it would be none any more.
 */
export async function setConfigValue(path: string, key: string, value: string | undefined): Promise<boolean> {
  const text = await readConfigText(path);
  const edited = editYaml(text, [{ path: key, value: value === undefined ? undefined : yamlValue(key, value) }], path);
  if (edited === text) return false;
  await writeConfigFile(path, edited);
  return true;
}

function yamlValue(key: string, text: string): EditValue {
  try {
    return parseYaml(text) as EditValue;
  } catch (cause) {
    throw new BridgeError("BAD_USAGE", {
      what: `the value of ${key} is no YAML: ${text}`,
      mend: 'write 25, true, "text" or [a, b]',
      cause,
    });
  }
}

/** The listing, and why the control store could not be asked, where it could not. */
export type FleetListing = ConfigListing & { readonly store?: string };

/**
 * Every value in force and where it comes from: of the file, else of the built-in configuration; what the fleet goes by stands before
 * both, where there is a control store that has it. Throws as `loadConfig`.
 */
export async function showConfig(path: string | undefined): Promise<FleetListing> {
  const listing = await listConfig(path);
  if (path === undefined) return listing;
  const config = await loadConfig(path);
  const settings: ControlSettings = { config, folder: dirname(resolve(path)) };
  if (config.stores.control === null || !isThere(settings)) return listing;
  try {
    const session = await openOperator(settings);
    try {
      const { record, effective } = await session.operator.overview();
      return { ...listing, values: ofFleet(listing.values, record, effective) };
    } finally {
      await session.close();
    }
  } catch (failure) {
    if (failure instanceof BridgeError) return { ...listing, store: failure.line };
    throw failure;
  }
}

/** Looking must not make a store. */
function isThere({ config, folder }: ControlSettings): boolean {
  const file = sqliteFile(config.stores.control ?? "");
  return file === undefined || existsSync(resolve(folder, file));
}

function ofFleet(ofFile: readonly ConfigValue[], record: ControlRecord, { plan, from }: EffectivePlan): readonly ConfigValue[] {
  const { published } = record;
  const ofSection =
    published === null
      ? []
      : configSources(`{"migration":${published.text}}`, "").values.filter(({ key }) => key.startsWith("migration."));
  const said = new Map(ofSection.map((one) => [one.key, { ...one, from: `published ${published?.hash.slice(0, 12)}` }]));
  const sources: Readonly<Record<PlanSource, string>> = {
    default: "default",
    published: `published ${published?.hash.slice(0, 12)}`,
    config: `control store, by ${record.updatedBy} at ${record.updatedAt}`,
    latch: `control store, latched: ${record.latched}`,
    switch_file: "switch file",
    held: "control store; another value was asked for and is held, see status",
  };
  const ofPlan: readonly (readonly [PlanValue, string, ConfigValue["value"]])[] = [
    ["phase", "migration.phase", plan.phase],
    ["newSystemPercentage", "migration.traffic_routing.new_system_percentage", plan.newSystemPercentage],
    ["userWhitelist", "migration.traffic_routing.user_whitelist", [...plan.userWhitelist]],
    ["useNewPnlSystem", "config.use_new_pnl_system", plan.useNewPnlSystem],
    ["migrationMode", "config.migration_mode", plan.migrationMode],
  ];
  for (const [value, key, now] of ofPlan)
    if (from[value] !== "published" && (from[value] !== "default" || !said.has(key)))
      said.set(key, { key, value: now, from: sources[from[value]] });
  const keys = new Set(ofFile.map(({ key }) => key));
  const more = [...said.values()].filter(({ key }) => !keys.has(key));
  return [...ofFile.map((one) => said.get(one.key) ?? one), ...more];
}

/** JSON Schema of the file, for editors. */
export const configSchemaDocument = (): object => configJsonSchema();
