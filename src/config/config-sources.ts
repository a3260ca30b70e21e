import { readConfig, readConfigText, wholeFile } from "./config.ts";
import { keys } from "./keys.ts";
import { pathKey } from "./located-yaml.ts";
import { kindAt, valueAt } from "./table.ts";

/** A value in force and its source. */
export interface ConfigValue {
  /** Dotted: `migration.traffic_routing.new_system_percentage`. */
  readonly key: string;
  /** In the form of the file; secrets are masked. */
  readonly value: string | number | boolean | null | readonly string[];
  /**
   * The source of the value: `default`, `file:line:column`, or in a listing of the fleet the published
   * section or the control store.
   */
  readonly from: string;
  /** Present where the key has no effect in this version. */
  readonly hasNoEffect?: true;
}

/** A configuration as a list. */
export interface ConfigListing {
  readonly values: readonly ConfigValue[];
  /** Dotted names of keys that the file sets and that have no effect in this version. */
  readonly unused: readonly string[];
}

/**
 * Lists every value of a file, or of the built-in configuration, in the order of the table. Keys without an
 * effect are listed only if the file sets them. Throws as `loadConfig` does.
 */
export const listConfig = async (path: string | undefined): Promise<ConfigListing> =>
  path === undefined ? configSources("", "") : configSources(await readConfigText(path), path);

/** `listConfig` of a text that is already read. Throws as `parseConfig` does. */
export function configSources(text: string, file: string): ConfigListing {
  const { config, yaml } = readConfig(text, file);
  const values = [...leavesOf(wholeFile(config), [])].flatMap(({ path, value }): readonly ConfigValue[] => {
    const place = yaml.places.get(pathKey(path));
    // An empty key sets nothing. An explicit null counts as set if the value in force is null.
    const isSet =
      place !== undefined && (value === null ? place.shown !== "" : valueAt(yaml.value, path) !== null);
    const key = path.join(".");
    const from = isSet ? `${file}:${yaml.lineAndColumn(place.valueOffset)}` : "default";
    const row = keys.find((row) => row.path === key || key.startsWith(`${row.path}.`));
    if (row?.hasNoEffect !== true) return [{ key, value: shownValue(path, value), from }];
    return config.unused.includes(row.path)
      ? [{ key, value: shownValue(path, value), from, hasNoEffect: true }]
      : [];
  });
  return { values, unused: config.unused };
}

interface Leaf {
  readonly path: readonly string[];
  readonly value: ConfigValue["value"];
}

/** A list of texts is a leaf; a list of sections is a section whose keys are numbers. */
function* leavesOf(value: unknown, path: readonly string[]): Generator<Leaf> {
  if (value === undefined) return;
  const isTexts = Array.isArray(value) && value.every((item) => typeof item !== "object");
  if (typeof value !== "object" || value === null || isTexts) {
    yield { path, value: value as ConfigValue["value"] };
    return;
  }
  for (const [key, inner] of Object.entries(value)) yield* leavesOf(inner, [...path, key]);
}

/** The value with secrets masked, as the kind of its key requires. */
export function shownValue(path: readonly string[], value: ConfigValue["value"]): ConfigValue["value"] {
  return typeof value === "string" ? (kindAt(keys, path)?.show?.(value) ?? value) : value;
}
