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

/** What `config set` has done. */
export interface ConfigChange {
  /** False where the file said so already. */
  readonly changed: boolean;
  /** The value as the file says it now, without a secret; undefined where the key was removed. */
  readonly value: string | undefined;
}

/**
 * Sets a value of a file, or removes it where none is given; every other character stays, comments included. `value` is
 * YAML, as it would stand behind the key; numbers are written as they are given. Throws BAD_CONFIG, with the file
 * unchanged, where it would be no configuration any more, and BAD_USAGE for a value that is no YAML.
 */
export async function setConfigValue(path: string, key: string, value: string | undefined): Promise<ConfigChange> {
  const text = await readConfigText(path);
  const wanted = value === undefined ? undefined : typedValue(key, value);
  const edited = editYaml(text, [{ path: key, value: wanted }], path);
  if (edited !== text) await writeConfigFile(path, edited);
  return { changed: edited !== text, value: wanted === undefined ? undefined : writtenWithoutSecret(key, wanted) };
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
      what: `the value of ${key} is no YAML: ${cause.message}`,
      fix: 'write 25, true, "text" or [a, b]',
      cause,
    });
  }
}

/** A listing, with what the control store says. */
export interface FleetListing extends ConfigListing {
  /** Why the control store could not be asked. */
  readonly store?: string;
  /** Dotted names of what an older version has published and no process obeys. */
  readonly ignored?: readonly string[];
}

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
      const ignored = record.published === null ? [] : readMigrationSection(record.published.text).ignored;
      return { ...listing, values: ofFleet(listing.values, record, effective), ...(ignored.length > 0 && { ignored }) };
    } finally {
      await session.close();
    }
  } catch (failure) {
    if (failure instanceof BridgeError) return { ...listing, store: failure.line };
    throw failure;
  }
}

/** Looking must not make a store. */
function isThere(settings: ControlSettings): boolean {
  const file = controlFile(settings);
  return file === undefined || existsSync(file);
}

function ofFleet(ofFile: readonly ConfigValue[], record: ControlRecord, { plan, from }: EffectivePlan): readonly ConfigValue[] {
  const { published } = record;
  const ofSection =
    published === null ? [] : configSources(`{"migration":${published.text}}`, "").values.filter(({ key }) => isFleetWide(key));
  const said = new Map(ofSection.map((one) => [one.key, { ...one, from: `published ${published?.hash.slice(0, 12)}` }]));
  const sources: Readonly<Record<PlanSource, string>> = {
    default: "default",
    published: `published ${published?.hash.slice(0, 12)}`,
    store: `control store, by ${record.updatedBy} at ${record.updatedAt}`,
    latch: `control store, latched: ${record.latched}`,
    switch_file: "switch file",
    held: "control store; another value was asked for and is held, see status",
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
    if (from[value] !== "published" && (from[value] !== "default" || !said.has(key)))
      said.set(key, { key, value: now, from: sources[from[value]] });
  const keys = new Set(ofFile.map(({ key }) => key));
  const more = [...said.values()].filter(({ key }) => !keys.has(key));
  return [...ofFile.map((one) => said.get(one.key) ?? one), ...more];
}

/** JSON Schema of the file, for editors. */
export const configSchemaDocument = (): object => configJsonSchema();
