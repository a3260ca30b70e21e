/**
 * The configuration: the content of `pnl_migration_config.yaml`, checked as a whole and completed with
 * defaults.
 *
 * @example
 * const text = "migration: { validation: { comparison_threshold: 0.05 } }";
 * parseConfig(text, "desk.yaml").validation.comparisonThreshold; // "0.05"
 */
import { isUtf8 } from "node:buffer";
import { open, stat } from "node:fs/promises";
import { BlockList, isIP, isIPv6 } from "node:net";
import { z } from "zod";
import { BridgeError, codeOf } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { type MigrationPlan, planOf } from "../domain/migration/plan.ts";
import { type FileValues, keys } from "./keys.ts";
import { type LocatedYaml, type Problem, pathKey, readYaml, withoutUser } from "./located-yaml.ts";
import { fileOf, type Key, keysAt, kindAt, sectionOf, sectionOfKey, valueAt, valuesOf } from "./table.ts";

export const configBytesMax = 1_000_000;

type Migration = FileValues["migration"];
type PlanSections = Pick<Migration, "phase" | "featureFlags" | "trafficRouting">;

/**
 * The values of the file. The sections of `migration:` are at the top level here; those that describe the
 * plan become `plan`.
 */
export interface Config extends Omit<FileValues, "migration">, Omit<Migration, keyof PlanSections> {
  /** The plan that the file asks for; the control plane decides whether it is in force. */
  readonly plan: MigrationPlan;
  /**
   * Dotted names of keys that the file sets and that have no effect in this version, in the order of the
   * table.
   */
  readonly unused: readonly string[];
}

/**
 * Reads and checks a file. Throws UNREADABLE for a file that cannot be read, and BAD_CONFIG for a text that
 * is not UTF-8 or that `parseConfig` refuses.
 */
export const loadConfig = async (path: string): Promise<Config> =>
  parseConfig(await readConfigText(path), path);

/**
 * The text of the file, unchecked. Throws UNREADABLE; BAD_CONFIG for a text that is too long or not UTF-8.
 */
export async function readConfigText(path: string): Promise<string> {
  const bytes = await readAtMost(path, configBytesMax);
  if (isUtf8(bytes)) return bytes.toString();
  const what = "the file is not UTF-8 text";
  throw new BridgeError("BAD_CONFIG", {
    what,
    where: `${path}:${firstNotUtf8(bytes)}`,
    fix: "save it as UTF-8",
  });
}

/**
 * Checks a text and returns its configuration. Throws BAD_CONFIG for the first error in the file, with
 * `file:line:column` and the nearest known key. Syntax errors come before all others, because the rest of a
 * broken text has no certain meaning.
 */
export const parseConfig = (text: string, file: string): Config => readConfig(text, file).config;

/** `parseConfig`, together with the position of every key and value in the text. */
export function readConfig(
  text: string,
  file: string,
  bytesMax = configBytesMax,
): { readonly config: Config; readonly yaml: LocatedYaml } {
  if (Buffer.byteLength(text) > bytesMax) throw tooLong(file);
  const yaml = readYaml(withoutByteOrderMark(text));
  const { data, problems } = checked(yaml);
  const first = problems.toSorted((a, b) => a.offset - b.offset)[0];
  if (first !== undefined) {
    const { what, fix, offset } = first;
    throw new BridgeError("BAD_CONFIG", { what, fix, where: `${file}:${yaml.lineAndColumn(offset)}` });
  }
  const refuse = (
    paths: readonly string[],
    { what, fix }: { readonly what: string; readonly fix: string },
  ): never => {
    const place = paths
      .map((path) => yaml.places.get(pathKey(path.split("."))))
      .find((place) => place !== undefined);
    throw new BridgeError("BAD_CONFIG", {
      what,
      fix,
      where: `${file}:${yaml.lineAndColumn(place?.valueOffset ?? 0)}`,
    });
  };
  const config = complete(data, (failure) => {
    // A contradiction within the plan is reported at the phase, or at the section if no phase is set.
    refuse(["migration.phase", "migration"], { what: failure.message, fix: failure.fix });
  });
  const contradiction = contradictionIn(config);
  if (contradiction !== undefined) refuse(contradiction.at, contradiction);
  return { config, yaml };
}

/** The text without its byte order mark, if any. */
export const withoutByteOrderMark = (text: string): string =>
  text.startsWith("\uFEFF") ? text.slice(1) : text;

interface Contradiction {
  /** Dotted names of the contradicting values; the error is reported at the first one that the file sets. */
  readonly at: readonly string[];
  readonly what: string;
  readonly fix: string;
}

function contradictionIn({ gateway, control }: Config): Contradiction | undefined {
  const { host } = gateway.listen;
  if (!isLoopback(host) && gateway.tokens.length === 0)
    return {
      at: ["gateway.listen"],
      what: `gateway.listen is reachable from other machines (${host}), which requires tokens`,
      fix: "name their environment variables under gateway.tokens, or listen on 127.0.0.1",
    };
  const { heartbeatMs, staleMs, leaseMs } = control;
  if (heartbeatMs >= staleMs)
    return {
      at: ["control.stale_ms", "control.heartbeat_ms"],
      what: `control.heartbeat_ms (${heartbeatMs}) must be less than control.stale_ms (${staleMs})`,
      fix: "raise control.stale_ms or lower control.heartbeat_ms, else a process is stale before each heartbeat",
    };
  if (staleMs >= leaseMs)
    return {
      at: ["control.lease_ms", "control.stale_ms"],
      what: `control.stale_ms (${staleMs}) must be less than control.lease_ms (${leaseMs})`,
      fix: "raise control.lease_ms, so that a process knows that it is stale before others consider it gone",
    };
  return undefined;
}

/** Whether an address is reachable from this machine only. */
export const isLoopback = (host: string): boolean =>
  host.toLowerCase() === "localhost" ||
  (isIP(host) !== 0 && loopback.check(host, isIPv6(host) ? "ipv6" : "ipv4"));

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

const configSchema = sectionOf(keys);

/** JSON Schema (draft 2020-12) of the file, for editors: each key with its meaning and its default. */
export const configJsonSchema = (): Readonly<Record<string, unknown>> =>
  z.toJSONSchema(configSchema, {
    io: "input",
    override: ({ zodSchema, jsonSchema }) => {
      // The library leaves out the default of a value that it transforms.
      const { default: byDefault } = z.globalRegistry.get(zodSchema) ?? {};
      if (byDefault !== undefined) Object.assign(jsonSchema, { default: byDefault });
    },
  });

function complete(file: unknown, contradicts?: (failure: BridgeError) => void): Config {
  const { migration, ...others } = valuesOf(keys, file);
  const { phase, featureFlags, trafficRouting, ...rest } = migration;
  const plan = planIn({ phase, featureFlags, trafficRouting }, contradicts);
  const isUnused = ({ path, hasNoEffect }: (typeof keys)[number]): boolean =>
    hasNoEffect === true && (valueAt(file, path.split(".")) ?? null) !== null;
  return frozen({ ...others, ...rest, plan, unused: keys.filter(isUnused).map(({ path }) => path) });
}

function planIn(
  { phase, featureFlags, trafficRouting }: PlanSections,
  contradicts?: (failure: BridgeError) => void,
) {
  const { useNewCalculator: calculator, useNewStorage: storage, useNewReports: reports } = featureFlags;
  try {
    return planOf({ phase, flags: { calculator, storage, reports }, ...trafficRouting });
  } catch (failure) {
    if (failure instanceof BridgeError) contradicts?.(failure);
    throw failure;
  }
}

function planSections({
  phase,
  flags,
  newSystemPercentage,
  userWhitelist,
  userDenylist,
  bucketBy,
}: MigrationPlan): PlanSections {
  return {
    phase,
    featureFlags: {
      useNewCalculator: flags.calculator,
      useNewStorage: flags.storage,
      useNewReports: flags.reports,
    },
    trafficRouting: {
      newSystemPercentage,
      userWhitelist: [...userWhitelist].toSorted(),
      userDenylist: [...userDenylist].toSorted(),
      bucketBy,
    },
  };
}

/**
 * The file that sets every value of a configuration, defaults included. Parsing it gives that configuration
 * again, except for its `unused`. Users and phases are sorted, without duplicates. With `rows`, the file
 * contains these keys only.
 */
export const wholeFile = (config: Config, rows: readonly Key[] = keys): Readonly<Record<string, unknown>> =>
  fileOf(rows, { ...config, migration: { ...config, ...planSections(config.plan) } });

/** The keys whose values differ between two configurations; keys without an effect are left out. */
export function changedKeys(before: Config, after: Config): readonly string[] {
  const textOf = (config: Config, row: Key): string => JSON.stringify(wholeFile(config, [row]));
  return keys
    .filter((row) => !row.hasNoEffect && textOf(before, row) !== textOf(after, row))
    .map(({ path }) => path);
}

/** The configuration of an empty file. */
export const defaultConfig: Config = complete({});

function checked(yaml: LocatedYaml): { readonly data?: unknown; readonly problems: readonly Problem[] } {
  if (yaml.value === undefined) return { problems: yaml.problems };
  // The file is empty or has only comments.
  if (yaml.value === null) return { data: {}, problems: yaml.problems };
  const result = configSchema.safeParse(yaml.value);
  if (result.success) return { data: result.data, problems: yaml.problems };
  return { problems: [...yaml.problems, ...result.error.issues.flatMap((issue) => problemsOf(issue, yaml))] };
}

function problemsOf(issue: z.core.$ZodIssue, yaml: LocatedYaml): readonly Problem[] {
  const { path } = issue;
  const { value, places } = yaml;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      offset: places.get(pathKey([...path, key]))?.keyOffset ?? 0,
      what: `unknown key "${withoutUser([...path, key].join("."))}"`,
      fix: keyHint(path.map(String), key),
    }));
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    // The value may have one of two forms: report the errors of the form that it has.
    const [first = [], ...others] = issue.errors;
    const issues = others.find((errors) => !errors.some(isOfOtherForm)) ?? first;
    return issues.flatMap((inner) => problemsOf({ ...inner, path: [...path, ...inner.path] }, yaml));
  }
  const place = places.get(pathKey(path));
  const name = path.length === 0 ? "the file" : path.join(".");
  if (place === undefined) {
    // The key is missing: report it at its section.
    const offset = places.get(pathKey(path.slice(0, -1)))?.keyOffset ?? 0;
    return [{ offset, what: `${name} is missing`, fix: `it ${issue.message}` }];
  }
  if (kindAt(keys, path.map(String))?.isSecret)
    return [{ offset: place.valueOffset, what: `${name} ${issue.message}`, fix: "" }];
  const shown = place.shown === "" ? "empty" : place.shown;
  const meant = nearest(String(valueAt(value, path.map(String))), choices(issue));
  const fix = meant === undefined ? "" : `did you mean "${meant}"?`;
  return [{ offset: place.valueOffset, what: `${name} ${issue.message}, not ${shown}`, fix }];
}

const isOfOtherForm = ({ code, path }: z.core.$ZodIssue): boolean =>
  code === "invalid_type" && path.length === 0;

/** The texts that the key accepts. */
function choices(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code === "invalid_value") return issue.values.map(String);
  return "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
}

/**
 * The hint for an unknown key: the nearest key of its section, else the section in which it belongs, else all
 * keys of its section.
 */
function keyHint(section: readonly string[], key: string): string {
  const known = keysAt(keys, section);
  const meant = nearest(key, known);
  if (meant !== undefined) return `did you mean "${meant}"?`;
  const home = sectionOfKey(keys, key);
  if (home !== undefined)
    return home === "" ? "it belongs at the top of the file" : `it belongs under "${home}"`;
  return `the keys here are ${known.join(", ")}`;
}

async function readAtMost(path: string, bytesMax: number): Promise<Buffer> {
  try {
    // Checked before opening: a pipe would wait for its writer, and a device has no end.
    if (!(await stat(path)).isFile())
      throw new BridgeError("UNREADABLE", { what: "this is not a regular file", where: path });
    await using file = await open(path);
    const buffer = Buffer.alloc(bytesMax + 1);
    let filled = 0;
    for (let more = true; more && filled < buffer.length; ) {
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled);
      filled += bytesRead;
      more = bytesRead > 0;
    }
    if (filled > bytesMax) throw tooLong(path);
    return buffer.subarray(0, filled);
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    const code = codeOf(cause);
    const what = reasons[code] ?? `the configuration cannot be read: ${code || String(cause)}`;
    throw new BridgeError("UNREADABLE", { what, where: path, cause });
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such configuration file",
  EACCES: "permission to read the configuration is denied",
};

const tooLong = (file: string): BridgeError =>
  new BridgeError("BAD_CONFIG", {
    what: `the file is longer than ${configBytesMax} bytes`,
    where: `${file}:1:1`,
    fix: "check that the path is that of the configuration, or shorten the file",
  });

/** `line:column` of the first byte that is not valid UTF-8. */
function firstNotUtf8(bytes: Buffer): string {
  const replaced = Buffer.from(bytes.toString());
  const offset = bytes.findIndex((byte, index) => byte !== replaced[index]);
  const lines = bytes.subarray(0, Math.max(0, offset)).toString().split("\n");
  return `${lines.length}:${(lines.at(-1) ?? "").length + 1}`;
}

/** The value, deeply frozen. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) frozen(inner);
  }
  return value;
}
