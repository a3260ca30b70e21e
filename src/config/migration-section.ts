/**
 * The section `migration:` as the whole fleet goes by it: published in the control store as one text, which is the same for files
 * that mean the same. JSON with sorted keys, which leaves out only what has no value.
 */
import { BridgeError } from "../base/errors.ts";
import type { TriggerLimits } from "../control/index.ts";
import type { PlanInput } from "../domain/migration/plan.ts";
import { type Config, configBytesMax, readConfig, wholeFile } from "./config.ts";
import { keys } from "./keys.ts";

/** What a published section says. */
export interface MigrationSection {
  readonly plan: Required<
    Pick<PlanInput, "phase" | "flags" | "newSystemPercentage" | "userWhitelist" | "userDenylist" | "bucketBy">
  >;
  readonly validation: Config["validation"];
  readonly twoPerson: Config["approvals"]["twoPerson"];
  readonly triggers: TriggerLimits;
  /** Dotted names of what an older program has published and no process obeys: it belongs to each process. */
  readonly ignored: readonly string[];
}

/** Whether a key is one for the whole fleet. Logs and alerts belong to each process. */
export const isFleetWide = (key: string): boolean =>
  key.startsWith("migration.") && !key.startsWith("migration.monitoring.");

const fleetKeys = keys.filter(({ path }) => isFleetWide(path));

export const migrationSection = (config: Config): string =>
  JSON.stringify(sorted(wholeFile(config, fleetKeys).migration));

/** Whether published texts mean the same: an older program has left out keys that hold by default now. */
export function isSameSection(one: string, other: string): boolean {
  try {
    return one === other || migrationSection(readWithin(one)) === migrationSection(readWithin(other));
  } catch {
    return false;
  }
}

/** A character of the file may be six in JSON. */
const textBytesMax = 6 * configBytesMax;

/**
 * Reads a section back. Throws BAD_CONFIG for a text that is none: somebody has edited it, or a newer program wrote it. What an older
 * one left out has its default.
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

/** JSON is YAML, and is checked as what the file says; a key that stands twice is found, too. */
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
    fix: "a newer pnl-bridge may have written it: upgrade this one, or publish this file's",
    cause,
  });

/** With the keys of every object in order, and without keys that have no value: a key that is off by default changes no text. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const said = Object.entries(value).filter(([, inner]) => inner !== null);
  const entries = said.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
