import { readConfig, readConfigText } from "./config.ts";
import { pathKey } from "./located-yaml.ts";
import { wholeFile } from "./whole-file.ts";

/** A value that is in force, and who said so. */
export interface ConfigValue {
  /** Dotted: `migration.traffic_routing.new_system_percentage`. */
  readonly key: string;
  /** As in the file; without what is secret in it. */
  readonly value: string | number | boolean | null | readonly string[];
  /** `default`, or `file:line:column`. */
  readonly from: string;
}

/** A configuration as a list. */
export interface ConfigListing {
  readonly values: readonly ConfigValue[];
  /** Dotted names of what the file says and nothing obeys yet. */
  readonly unused: readonly string[];
}

/** Of a file, or of the built-in one: every value, in the order of the contract. Throws as `loadConfig`. */
export const listConfig = async (path: string | undefined): Promise<ConfigListing> =>
  path === undefined ? configSources("", "") : configSources(await readConfigText(path), path);

/** Throws as `parseConfig`. */
export function configSources(text: string, file: string): ConfigListing {
  const { config, yaml } = readConfig(text, file);
  const values = [...leavesOf(wholeFile(config), [])].map(({ path, value }): ConfigValue => {
    const place = yaml.places.get(pathKey(path));
    // A key without a value says nothing; one that says null says it where null is what holds.
    const isSaid = place !== undefined && (value === null ? place.shown !== "" : saidAt(yaml.value, path) !== null);
    const key = path.join(".");
    return { key, value: shown(key, value), from: isSaid ? `${file}:${yaml.lineAndColumn(place.valueOffset)}` : "default" };
  });
  return { values, unused: config.unused };
}

interface Leaf {
  readonly path: readonly string[];
  readonly value: ConfigValue["value"];
}

function* leavesOf(value: unknown, path: readonly string[]): Generator<Leaf> {
  if (value === undefined) return;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    yield { path, value: value as ConfigValue["value"] };
    return;
  }
  for (const [key, inner] of Object.entries(value)) yield* leavesOf(inner, [...path, key]);
}

const saidAt = (file: unknown, path: readonly string[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Readonly<Record<string, unknown>> | null)?.[key], file);

/** Webhooks are known to whoever knows their path; a database's address may have a password, before its host or behind it. */
function shown(key: string, value: ConfigValue["value"]): ConfigValue["value"] {
  if (typeof value !== "string") return value;
  if (key === "migration.monitoring.alert_url") return `${new URL(value).origin}/…`;
  if (key === "stores.control" && value.startsWith("sqlite:")) return value;
  if (key === "stores.control" || /^systems\.(?:legacy|modern)\.url$/.test(key))
    return value.replace(/\/\/.*@/s, "//…@").replace(/[?#].*/s, "?…");
  return value;
}
