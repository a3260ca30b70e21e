/**
 * The configuration: what `pnl_migration_config.yaml` says, checked as a whole and completed with defaults.
 *
 * @example parseConfig("migration: { validation: { comparison_threshold: 0.05 } }", "desk.yaml").validation.comparisonThreshold // "0.05"
 */
import { isUtf8 } from "node:buffer";
import { open, stat } from "node:fs/promises";
import { BlockList, isIP, isIPv6 } from "node:net";
import { z } from "zod";
import { BridgeError, unreachable } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { type Phase, phases } from "../domain/migration/phase.ts";
import { type MigrationPlan, planOf } from "../domain/migration/plan.ts";
import { type TriggerLimits, triggerDefaults } from "../domain/migration/trigger-limits.ts";
import { type LocatedYaml, type Problem, pathKey, readYaml, withoutUser } from "./located-yaml.ts";
import { type ConfigFile, configSchema, type legacyModes, type pnlUnits, secretValues, unreadSections } from "./schema.ts";

export const configBytesMax = 1_000_000;

export interface Config {
  readonly systems: { readonly legacy: SystemConfig; readonly modern: SystemConfig };
  /** Thresholds are plain decimal text, exactly as written, 0 or more. */
  readonly validation: {
    /** For P&L. */
    readonly comparisonThreshold: string;
    /** For quantities and prices. */
    readonly positionThreshold: string;
    readonly alertOnMismatch: boolean;
  };
  /** What the file says of the migration; whether it may be is the control plane's to say. */
  readonly plan: MigrationPlan;
  /** The desk's folders; null where the file names none. */
  readonly watch: { readonly tradeLedger: string | null; readonly marketPrices: string | null };
  /** `sqlite:FILE` or a PostgreSQL URL; null where the file names none. What changes often stands beside it. */
  readonly stores: { readonly control: string | null };
  readonly monitoring: {
    /** One structured line a call, else only of divergences and errors. */
    readonly logAllCalculations: boolean;
    readonly performanceTracking: boolean;
    /** Holds a secret, as webhooks do. */
    readonly alertUrl: string | null;
  };
  /** Phases that a second person must approve, in their order. */
  readonly approvals: { readonly twoPerson: readonly Phase[] };
  readonly triggers: TriggerLimits;
  readonly gateway: GatewayConfig;
  readonly control: ControlConfig;
  /** Dotted names of what the file says and nothing reads yet, in the order of the contract. */
  readonly unused: readonly string[];
}

export const tokenRoles = ["viewer", "operator", "admin"] as const;
export type TokenRole = (typeof tokenRoles)[number];

export interface GatewayConfig {
  /** A name or an address, IPv6 without brackets. */
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** The environment variable that holds the token of each role. Beyond this machine there is at least one. */
  readonly tokens: Readonly<Record<TokenRole, string | null>>;
  /** Host names, with a port or without, in small letters, by which it is also reached. */
  readonly allowedHosts: readonly string[];
  /** 0: no limit. */
  readonly rateLimitPerS: number;
}

/** How a process lives in the fleet: heartbeat < stale < lease. */
export interface ControlConfig {
  /** Null: made of host, program and process id. */
  readonly instance: string | null;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly staleMs: number;
  readonly pollMs: number;
}

export type SystemConfig = BuiltinConfig | ModuleConfig | CommandConfig | HttpConfig;

/** The stand-in of the legacy desk, whose P&L is in points, and the modern engine. */
export type BuiltinConfig =
  | { readonly kind: "builtin"; readonly name: "legacy-desk"; readonly mode: (typeof legacyModes)[number] }
  | { readonly kind: "builtin"; readonly name: "modern-engine" };

interface ForeignConfig {
  /** For reports: what it is reached by. */
  readonly name: string;
  readonly pnlIn: (typeof pnlUnits)[number];
  /** Undefined: the default of its role. */
  readonly timeoutMs: number | undefined;
}

export interface ModuleConfig extends ForeignConfig {
  readonly kind: "module";
  /** A module, with `#exportName` where it is not the default export. */
  readonly path: string;
  readonly isolation: "none" | "thread";
}

export interface CommandConfig extends ForeignConfig {
  readonly kind: "command";
  readonly command: readonly string[];
  readonly cwd: string | undefined;
}

export interface HttpConfig extends ForeignConfig {
  readonly kind: "http";
  readonly url: string;
  readonly authorizationEnv: string | undefined;
  readonly caFile: string | undefined;
}

/** What holds where the file is silent. */
export const defaultConfig: Config = frozen({
  systems: {
    legacy: { kind: "builtin", name: "legacy-desk", mode: "chained" },
    modern: { kind: "builtin", name: "modern-engine" },
  },
  validation: { comparisonThreshold: "0.01", positionThreshold: "0.0001", alertOnMismatch: true },
  plan: planOf({ phase: "shadow_mode" }),
  watch: { tradeLedger: null, marketPrices: null },
  stores: { control: null },
  monitoring: { logAllCalculations: true, performanceTracking: true, alertUrl: null },
  approvals: { twoPerson: [] },
  triggers: triggerDefaults,
  gateway: {
    host: "127.0.0.1",
    port: 8080,
    tokens: { viewer: null, operator: null, admin: null },
    allowedHosts: [],
    rateLimitPerS: 0,
  },
  control: { instance: null, heartbeatMs: 1_000, leaseMs: 60_000, staleMs: 5_000, pollMs: 1_000 },
  unused: [],
});

/** Throws UNREADABLE where there is no such file, BAD_CONFIG as `parseConfig` does, and where it is no UTF-8. */
export const loadConfig = async (path: string): Promise<Config> => parseConfig(await readConfigText(path), path);

/** The text of the file, unchecked. Throws UNREADABLE, and BAD_CONFIG for what is too long or no UTF-8. */
export async function readConfigText(path: string): Promise<string> {
  const bytes = await readAtMost(path, configBytesMax);
  if (isUtf8(bytes)) return bytes.toString();
  const what = "the file is not UTF-8 text";
  throw new BridgeError("BAD_CONFIG", { what, where: `${path}:${firstNotUtf8(bytes)}`, mend: "save it as UTF-8" });
}

/**
 * Throws BAD_CONFIG for the first thing in the file that is wrong, with `file:line:column` and the nearest known key. Where the
 * syntax is broken, that is said first: what the rest means is not known then.
 */
export const parseConfig = (text: string, file: string): Config => readConfig(text, file).config;

/** `parseConfig`, with the place of everything that the file says. */
export function readConfig(
  text: string,
  file: string,
  bytesMax = configBytesMax,
): { readonly config: Config; readonly yaml: LocatedYaml } {
  if (Buffer.byteLength(text) > bytesMax) throw tooLong(file);
  const yaml = readYaml(withoutMark(text));
  const { data, problems } = checked(yaml);
  const first = problems.toSorted((a, b) => a.offset - b.offset)[0];
  if (first !== undefined) {
    const { what, mend, offset } = first;
    throw new BridgeError("BAD_CONFIG", { what, mend, where: `${file}:${yaml.lineAndColumn(offset)}` });
  }
  const refuse = (paths: readonly string[], { what, mend }: { readonly what: string; readonly mend: string }): never => {
    const place = paths.map((path) => yaml.places.get(pathKey(path.split(".")))).find((place) => place !== undefined);
    throw new BridgeError("BAD_CONFIG", { what, mend, where: `${file}:${yaml.lineAndColumn(place?.valueOffset ?? 0)}` });
  };
  const config = complete(data ?? {}, (failure) => {
    // What contradicts each other is said at the phase, or at the section.
    refuse(["migration.phase", "migration"], { what: failure.message, mend: failure.mend });
  });
  const contradiction = contradictionIn(config);
  if (contradiction !== undefined) refuse(contradiction.at, contradiction);
  return { config, yaml };
}

/** Without a byte order mark. */
export const withoutMark = (text: string): string => (text.startsWith("\uFEFF") ? text.slice(1) : text);

interface Contradiction {
  /** Dotted names of the values that it is between; the first that the file has is where it is said. */
  readonly at: readonly string[];
  readonly what: string;
  readonly mend: string;
}

function contradictionIn({ gateway, control }: Config): Contradiction | undefined {
  if (!isLoopback(gateway.host) && tokenRoles.every((role) => gateway.tokens[role] === null))
    return {
      at: ["gateway.listen"],
      what: `gateway.listen is beyond this machine (${gateway.host}), and there are no tokens`,
      mend: "name their environment variables under gateway.tokens, or listen on 127.0.0.1",
    };
  const { heartbeatMs, staleMs, leaseMs } = control;
  if (heartbeatMs >= staleMs)
    return {
      at: ["control.stale_ms", "control.heartbeat_ms"],
      what: `control.heartbeat_ms (${heartbeatMs}) must be less than control.stale_ms (${staleMs})`,
      mend: "a process that is stale sooner than it says that it lives is always stale",
    };
  if (staleMs >= leaseMs)
    return {
      at: ["control.lease_ms", "control.stale_ms"],
      what: `control.stale_ms (${staleMs}) must be less than control.lease_ms (${leaseMs})`,
      mend: "a process must know that it is stale before others take it for gone",
    };
  return undefined;
}

/** Whether nobody but this machine can reach an address. */
export const isLoopback = (host: string): boolean =>
  host.toLowerCase() === "localhost" || (isIP(host) !== 0 && loopback.check(host, isIPv6(host) ? "ipv6" : "ipv4"));

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** JSON Schema (draft 2020-12) of the file, for editors. */
export const configJsonSchema = (): Readonly<Record<string, unknown>> => z.toJSONSchema(configSchema, { io: "input" });

function complete(file: ConfigFile, contradicts: (failure: BridgeError) => void): Config {
  const { validation, monitoring, approvals, triggers } = file.migration ?? {};
  const { gateway, control } = file;
  const defaults = defaultConfig;
  return frozen({
    systems: {
      legacy: file.systems?.legacy ? completeSystem(file.systems.legacy) : defaults.systems.legacy,
      modern: file.systems?.modern ? completeSystem(file.systems.modern) : defaults.systems.modern,
    },
    validation: {
      comparisonThreshold: validation?.comparison_threshold ?? defaults.validation.comparisonThreshold,
      positionThreshold: validation?.position_threshold ?? defaults.validation.positionThreshold,
      alertOnMismatch: validation?.alert_on_mismatch ?? defaults.validation.alertOnMismatch,
    },
    plan: planIn(file, contradicts),
    watch: { tradeLedger: file.watch?.trade_ledger ?? null, marketPrices: file.watch?.market_prices ?? null },
    stores: { control: file.stores?.control ?? null },
    monitoring: {
      logAllCalculations: monitoring?.log_all_calculations ?? defaults.monitoring.logAllCalculations,
      performanceTracking: monitoring?.performance_tracking ?? defaults.monitoring.performanceTracking,
      alertUrl: monitoring?.alert_url ?? null,
    },
    approvals: { twoPerson: phases.filter((phase) => approvals?.two_person?.includes(phase)) },
    triggers: {
      errorRate: triggers?.error_rate ?? defaults.triggers.errorRate,
      errorCallsMin: triggers?.error_calls_min ?? defaults.triggers.errorCallsMin,
      windowS: triggers?.window_s ?? defaults.triggers.windowS,
      servedMismatch: triggers?.served_mismatch ?? defaults.triggers.servedMismatch,
      quarantine: triggers?.quarantine ?? defaults.triggers.quarantine,
      owedAgeS: triggers?.owed_age_s ?? defaults.triggers.owedAgeS,
    },
    gateway: {
      ...(gateway?.listen ?? { host: defaults.gateway.host, port: defaults.gateway.port }),
      tokens: {
        viewer: gateway?.tokens?.viewer ?? null,
        operator: gateway?.tokens?.operator ?? null,
        admin: gateway?.tokens?.admin ?? null,
      },
      allowedHosts: gateway?.allowed_hosts ?? [],
      rateLimitPerS: gateway?.rate_limit_per_s ?? defaults.gateway.rateLimitPerS,
    },
    control: {
      instance: control?.instance ?? null,
      heartbeatMs: control?.heartbeat_ms ?? defaults.control.heartbeatMs,
      leaseMs: control?.lease_ms ?? defaults.control.leaseMs,
      staleMs: control?.stale_ms ?? defaults.control.staleMs,
      pollMs: control?.poll_ms ?? defaults.control.pollMs,
    },
    unused: unreadSections.filter((name) => valueAt(file, name) !== undefined),
  });
}

type SystemInFile = NonNullable<NonNullable<ConfigFile["systems"]>["legacy"]>;

function completeSystem(given: SystemInFile): SystemConfig {
  switch (given.kind) {
    case "builtin":
      return given.name === "modern-engine"
        ? { kind: "builtin", name: "modern-engine" }
        : { kind: "builtin", name: "legacy-desk", mode: given.mode ?? "chained" };
    case "module":
      return { kind: "module", name: given.path, path: given.path, isolation: given.isolation ?? "none", ...foreign(given) };
    case "command":
      return { kind: "command", name: given.command.join(" "), command: given.command, cwd: given.cwd, ...foreign(given) };
    case "http":
      return {
        kind: "http",
        // Reports and errors name it, and a query may hold a secret.
        name: given.url.replace(/[?#].*/, ""),
        url: given.url,
        authorizationEnv: given.authorization_env,
        caFile: given.ca_file,
        ...foreign(given),
      };
    default:
      return unreachable(given);
  }
}

const foreign = (given: Exclude<SystemInFile, { readonly kind: "builtin" }>): Pick<ForeignConfig, "pnlIn" | "timeoutMs"> => ({
  pnlIn: given.pnl_in ?? "money",
  timeoutMs: given.timeout_ms,
});

function planIn({ migration }: ConfigFile, contradicts: (failure: BridgeError) => void): MigrationPlan {
  const flags = migration?.feature_flags ?? {};
  const traffic = migration?.traffic_routing ?? {};
  try {
    return planOf({
      phase: migration?.phase ?? defaultConfig.plan.phase,
      flags: {
        calculator: flags.use_new_calculator ?? false,
        storage: flags.use_new_storage ?? false,
        reports: flags.use_new_reports ?? false,
      },
      newSystemPercentage: traffic.new_system_percentage ?? 0,
      userWhitelist: traffic.user_whitelist ?? [],
      userDenylist: traffic.user_denylist ?? [],
      bucketBy: traffic.bucket_by ?? "book",
    });
  } catch (failure) {
    if (failure instanceof BridgeError) contradicts(failure);
    throw failure;
  }
}

/** Undefined also where a section is empty. */
function valueAt(file: unknown, dotted: string): unknown {
  let value = file;
  for (const name of dotted.split(".")) value = (value as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  return value ?? undefined;
}

function checked(yaml: LocatedYaml): { readonly data?: ConfigFile; readonly problems: readonly Problem[] } {
  if (yaml.value === undefined) return { problems: yaml.problems };
  // An empty file, or comments alone.
  if (yaml.value === null) return { data: {}, problems: yaml.problems };
  const result = configSchema.safeParse(yaml.value);
  if (result.success) return { data: result.data, problems: yaml.problems };
  return { problems: [...yaml.problems, ...result.error.issues.flatMap((issue) => problemsOf(issue, yaml))] };
}

function problemsOf(issue: z.core.$ZodIssue, { value, places }: LocatedYaml): readonly Problem[] {
  const { path } = issue;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      offset: places.get(pathKey([...path, key]))?.keyOffset ?? 0,
      what: `unknown key "${withoutUser([...path, key].join("."))}"`,
      mend: meantKey(path, key),
    }));
  }
  const place = places.get(pathKey(path));
  const name = path.length === 0 ? "the file" : path.join(".");
  if (place === undefined) {
    // Not there: the place is that of the section which lacks it.
    const offset = places.get(pathKey(path.slice(0, -1)))?.keyOffset ?? 0;
    return [{ offset, what: `${name} is missing`, mend: `it ${issue.message}` }];
  }
  if (secretValues.includes(name)) return [{ offset: place.valueOffset, what: `${name} ${issue.message}`, mend: "" }];
  const shown = place.shown === "" ? "empty" : place.shown;
  const meant = nearest(String(valueAtPath(value, path)), choices(issue));
  const mend = meant === undefined ? "" : `did you mean "${meant}"?`;
  return [{ offset: place.valueOffset, what: `${name} ${issue.message}, not ${shown}`, mend }];
}

/** The texts that would have been right. */
function choices(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code === "invalid_value") return issue.values.map(String);
  return "options" in issue && Array.isArray(issue.options) ? issue.options.map(String) : [];
}

const valueAtPath = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce((inner, name) => (inner as Readonly<Record<PropertyKey, unknown>>)[name], value);

/** The nearest key of that section; a key that has only slipped into the wrong section; else what is known there. */
function meantKey(path: readonly PropertyKey[], key: string): string {
  const here = path.join(".");
  const known = knownKeys();
  const meant = nearest(key, known.get(here) ?? []);
  if (meant !== undefined) return `did you mean "${meant}"?`;
  const home = [...known].find(([, keys]) => keys.includes(key))?.[0];
  if (home !== undefined) return home === "" ? "it belongs at the top of the file" : `it belongs under "${home}"`;
  return `known here are ${(known.get(here) ?? []).join(", ")}`;
}

/** By dotted section ("" is the file), its keys. */
function knownKeys(): ReadonlyMap<string, readonly string[]> {
  const known = new Map<string, string[]>();
  collect(configJsonSchema(), "", known);
  return known;
}

interface SchemaNode {
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly anyOf?: readonly SchemaNode[];
  readonly oneOf?: readonly SchemaNode[];
}

function collect({ properties = {}, anyOf = [], oneOf = [] }: SchemaNode, section: string, known: Map<string, string[]>): void {
  for (const choice of [...anyOf, ...oneOf]) collect(choice, section, known);
  for (const [key, inner] of Object.entries(properties)) {
    known.set(section, [...new Set([...(known.get(section) ?? []), key])]);
    collect(inner, section === "" ? key : `${section}.${key}`, known);
  }
}

async function readAtMost(path: string, bytesMax: number): Promise<Buffer> {
  try {
    // Asked before opening: a pipe would wait for its writer, and a device has no end.
    if (!(await stat(path)).isFile()) throw new BridgeError("UNREADABLE", { what: "this is no regular file", where: path });
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
    const code = (cause as NodeJS.ErrnoException).code ?? "";
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
    mend: "name a configuration file",
  });

/** `line:column` of the first byte that no UTF-8 text has. */
function firstNotUtf8(bytes: Buffer): string {
  const replaced = Buffer.from(bytes.toString());
  const offset = bytes.findIndex((byte, index) => byte !== replaced[index]);
  const lines = bytes.subarray(0, Math.max(0, offset)).toString().split("\n");
  return `${lines.length}:${(lines.at(-1) ?? "").length + 1}`;
}

/** Frozen all the way down. */
function frozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) frozen(inner);
  }
  return value;
}
