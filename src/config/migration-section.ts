/**
 * The section `migration:` that the whole fleet follows, published in the control store as one text. Files
 * with the same meaning give the same text: JSON with sorted keys, which leaves out only keys without a
 * value.
 */
import { BridgeError } from "../base/errors.ts";
import type { TriggerLimits } from "../control/index.ts";
import type { PlanInput } from "../domain/migration/plan.ts";
import { type Config, configBytesMax, readConfig, wholeFile } from "./config.ts";
import { keys } from "./keys.ts";

/** The values of a published section. */
export interface MigrationSection {
  readonly plan: Required<
    Pick<PlanInput, "phase" | "flags" | "newSystemPercentage" | "userWhitelist" | "userDenylist" | "bucketBy">
  >;
  readonly validation: Config["validation"];
  readonly twoPerson: Config["approvals"]["twoPerson"];
  readonly triggers: TriggerLimits;
  /**
   * Dotted names of published keys that are ignored: an older program published keys that each process sets
   * for itself.
   */
  readonly ignored: readonly string[];
}

/** Whether a key applies to the whole fleet. Each process sets logs and alerts for itself. */
export const isFleetWide = (key: string): boolean =>
  key.startsWith("migration.") && !key.startsWith("migration.monitoring.");

const fleetKeys = keys.filter(({ path }) => isFleetWide(path));

/** The text to publish for a configuration. */
export const migrationSection = (config: Config): string =>
  JSON.stringify(sorted(wholeFile(config, fleetKeys).migration));

/**
 * Whether two published texts have the same meaning. An older program left out keys that have defaults now.
 */
export function isSameSection(one: string, other: string): boolean {
  try {
    return one === other || migrationSection(readWithin(one)) === migrationSection(readWithin(other));
  } catch {
    return false;
  }
}

/** One character of the file may become six in JSON. */
const textBytesMax = 6 * configBytesMax;

/**
 * Reads a published section. Keys that an older program left out have their defaults. Throws BAD_CONFIG for a
 * text that is not a section, because somebody edited it or a newer program wrote it.
 */
export function readMigrationSection(text: string): MigrationSection {
  const published = parsed(text);
  if (typeof published !== "object" || published === null || !Object.hasOwn(published, "phase"))
    throw refusal("it has no phase");
  const { plan, validation, monitoring, approvals, triggers } = readWithin(text);
  const { phase, flags, newSystemPercentage, userWhitelist, userDenylist, bucketBy } = plan;
  return {
    plan: { phase, flags, newSystemPercentage, userWhitelist, userDenylist, bucketBy },
    validation,
    twoPerson: approvals.twoPerson,
    triggers,
    ignored: monitoring.alertUrl === null ? [] : ["migration.monitoring.alert_url"],
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refusal("it is not JSON", cause);
  }
}

/** Checks the text as the section of a file, which works because JSON is YAML. Finds duplicate keys, too. */
function readWithin(text: string): Config {
  try {
    return readConfig(`{"migration":${text}}`, "", textBytesMax).config;
  } catch (cause) {
    if (!(cause instanceof BridgeError)) throw cause;
    throw refusal(cause.message, cause);
  }
}

const refusal = (what: string, cause?: unknown): BridgeError =>
  new BridgeError("BAD_CONFIG", {
    what: `the published section "migration" cannot be read: ${what}`,
    fix: "a newer pnl-bridge may have written it: upgrade this one, or run `config publish` with your file",
    cause,
  });

/**
 * Sorts the keys of every object and drops null values, so that a new key that is off by default changes no
 * published text.
 */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const said = Object.entries(value).filter(([, inner]) => inner !== null);
  const entries = said.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
