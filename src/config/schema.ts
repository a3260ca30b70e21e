/** The shape of `pnl_migration_config.yaml`. Everything may be left out; a section without a value counts as left out. */
import { isIPv6 } from "node:net";
import { z } from "zod";
import { formatDecimal, parseDecimal } from "../base/decimal.ts";
import { phases } from "../domain/migration/phase.ts";

/** The two ways in which the legacy desk goes through its files. */
export const legacyModes = ["chained", "file-at-a-time"] as const;

const section = <Shape extends z.core.$ZodLooseShape>(shape: Shape) =>
  z
    .strictObject(shape, { error: (issue) => (issue.code === "invalid_type" ? "must be a section of keys" : undefined) })
    .nullish();

/** Known keys whose values nothing reads yet. */
const unread = <Key extends string>(...keys: readonly Key[]) =>
  section(Object.fromEntries(keys.map((key) => [key, z.unknown().optional()])) as Record<Key, z.ZodOptional<z.ZodUnknown>>);

const notDecimal = "must be a decimal number of 0 or more";

/** Given as the text in the file, never as a float; leaves as plain decimal text. */
const threshold = z
  .string(notDecimal)
  .transform((text, context) => {
    const decimal = parseDecimal(text);
    if (decimal !== undefined && decimal.coefficient >= 0n) return formatDecimal(decimal);
    context.issues.push({ code: "custom", message: notDecimal, input: text });
    return z.NEVER;
  })
  .meta({ type: ["number", "string"], minimum: 0 });

const text = (what: string) => z.string(what).min(1, what);
const flag = z.boolean("must be true or false").optional();
const users = z.array(text("must be a list of users"), "must be a list of users").nullish();

/** What a system's P&L is counted in: money, or points that the contract multiplier makes money of. */
export const pnlUnits = ["money", "points"] as const;
const pnlIn = z.enum(pnlUnits, `must be ${pnlUnits.join(" or ")}`).optional();

const milliseconds = z
  .string("must be a whole number of milliseconds")
  .regex(/^[1-9]\d{0,6}$/, "must be a whole number of milliseconds, 1 to 9999999")
  .transform(Number)
  .meta({ type: ["number", "string"], minimum: 1 });

/** A whole number as written in the file. */
const whole = (unit: string, least: number, most: number) => {
  const what = `must be a whole number${unit === "" ? "" : ` of ${unit}`} from ${least} to ${most}`;
  return z
    .string(what)
    .regex(/^\d{1,9}$/, what)
    .transform(Number)
    .refine((number) => number >= least && number <= most, what)
    .meta({ type: ["number", "string"], minimum: least, maximum: most });
};

const notShare = "must be a number above 0, up to 1";

const share = z
  .string(notShare)
  .regex(/^(?:0?\.\d{1,9}|0|1(?:\.0+)?)$/, notShare)
  .transform(Number)
  .refine((number) => number > 0, notShare)
  .meta({ type: ["number", "string"], exclusiveMinimum: 0, maximum: 1 });

const notAlertUrl = "must be an http or https URL without a user in it";

/** Leaves as the URL is written in full: a scheme or host in other letters is the same. */
const alertUrl = z
  .string(notAlertUrl)
  .max(2_000, notAlertUrl)
  .regex(/^[Hh][Tt][Tt][Pp][Ss]?:\/\/[^\s@]+$/, notAlertUrl)
  .transform((text, context) => {
    const url = URL.parse(text);
    if (url !== null) return url.href;
    context.issues.push({ code: "custom", message: notAlertUrl, input: text });
    return z.NEVER;
  })
  .meta({ type: "string" });

/** Values that may hold a secret, as dotted names: no error and no listing shows them. */
export const secretValues: readonly string[] = [
  "migration.monitoring.alert_url",
  "gateway.tokens.viewer",
  "gateway.tokens.operator",
  "gateway.tokens.admin",
];

const notListen = "must be HOST:PORT";

/** `[::1]:8080` for IPv6. */
const listen = z
  .string(notListen)
  .regex(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/, notListen)
  .transform((text) => {
    const colon = text.lastIndexOf(":");
    return { host: text.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(text.slice(colon + 1)) };
  })
  .refine(({ port }) => port <= 65_535, "must have a port from 0 to 65535")
  .refine(({ host }) => !host.includes(":") || isIPv6(host), "must be HOST:PORT, with an IPv6 address in brackets")
  .meta({ type: "string" });

/** In capitals: who writes the token itself here is told. */
const tokenVariable = z
  .string("must be the name of an environment variable")
  .regex(/^[A-Z_][A-Z0-9_]{0,99}$/, "must be the name of an environment variable, in capitals, never the token itself")
  .optional();

const notHosts = "must be a list of host names";
const hostName = z
  .string(notHosts)
  .regex(/^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/, `${notHosts}, each with or without a port`)
  .transform((text) => text.toLowerCase())
  .meta({ type: "string" });

const notInstance = "must be a name of letters, digits, dots, dashes and underscores";

const builtin = z.literal("builtin");

const system = z.discriminatedUnion(
  "kind",
  [
    z.discriminatedUnion(
      "name",
      [
        z.strictObject({
          kind: builtin,
          name: z.literal("legacy-desk"),
          mode: z.enum(legacyModes, `must be ${legacyModes.join(" or ")}`).optional(),
        }),
        z.strictObject({
          kind: builtin,
          name: z.literal("modern-engine"),
          mode: z.never("is for legacy-desk only").optional(),
        }),
      ],
      "must be legacy-desk or modern-engine",
    ),
    z.strictObject({
      kind: z.literal("module"),
      path: text("must be the path of a module").describe("A module in this process: ./desk.js, or ./desk.js#exportName"),
      isolation: z.enum(["none", "thread"], "must be none or thread").optional(),
      pnl_in: pnlIn,
      timeout_ms: milliseconds.optional(),
    }),
    z.strictObject({
      kind: z.literal("command"),
      command: z
        .array(text("must be a list of texts"), "must be a list of texts: the program and its arguments")
        .min(1, "must name a program")
        .describe("A child process that speaks the worker protocol: [python3, pnl_bridge_worker.py, desk.pnl:Service]"),
      cwd: text("must be a folder").optional(),
      pnl_in: pnlIn,
      timeout_ms: milliseconds.optional(),
    }),
    z.strictObject({
      kind: z.literal("http"),
      url: text("must be a URL").regex(/^https?:\/\/[^\s@]+$/, "must be an http or https URL without a user in it"),
      authorization_env: text("must be the name of an environment variable")
        .optional()
        .describe("The environment variable whose value is the authorization header"),
      ca_file: text("must be a file").optional(),
      pnl_in: pnlIn,
      timeout_ms: milliseconds.optional(),
    }),
  ],
  {
    error: ({ code }) => (code === "invalid_union" ? "must be builtin, module, command or http" : "must be a section of keys"),
  },
);

const percentage = z
  .string("must be a number from 0 to 100")
  .regex(/^(?:100(?:\.0+)?|\d{1,2}(?:\.\d{1,3})?)$/, "must be a number from 0 to 100, with at most three decimals")
  .transform(Number)
  .meta({ type: ["number", "string"], minimum: 0, maximum: 100 });

export const configSchema = z.strictObject(
  {
    migration: section({
      phase: z.enum(phases, `must be ${phases.join(", ")}`).optional(),
      feature_flags: section({ use_new_calculator: flag, use_new_storage: flag, use_new_reports: flag }),
      traffic_routing: section({
        new_system_percentage: percentage.optional(),
        user_whitelist: users,
        user_denylist: users,
        bucket_by: z.enum(["book", "user"], "must be book or user").optional(),
      }),
      validation: section({
        comparison_threshold: threshold.describe("Largest difference in P&L that is within tolerance").optional(),
        position_threshold: threshold.describe("Largest difference in quantities and prices that is within tolerance").optional(),
        alert_on_mismatch: z.boolean("must be true or false").optional(),
      }),
      monitoring: section({
        log_all_calculations: flag.describe("One structured line of log a call, else only of divergences and errors"),
        performance_tracking: flag.describe("Record time and memory of both sides"),
        alert_url: alertUrl.nullish().describe("Alerts are posted there, as JSON"),
      }),
      approvals: section({
        two_person: z
          .array(z.enum(phases, `must be ${phases.join(", ")}`), "must be a list of phases")
          .nullish()
          .describe("Phases that a second person must approve"),
      }),
      triggers: section({
        error_rate: share.describe("Modern is taken out of use when this share of its calls fails").optional(),
        error_calls_min: whole("calls", 1, 1_000_000).describe("Fewer calls prove nothing").optional(),
        window_s: whole("seconds", 1, 3_600).describe("Calls are counted over so long").optional(),
        served_mismatch: flag.describe("One divergence in what modern answered is enough"),
        quarantine: flag.describe("Anything in quarantine is enough, from dual_write on"),
        owed_age_s: whole("seconds", 1, 86_400).describe("How long a write may be owed to legacy").optional(),
      }),
    }),
    systems: section({ legacy: system.nullish(), modern: system.nullish() }),
    stores: section({
      control: text("must name a store")
        .regex(/^(?:sqlite:.+|postgres(?:ql)?:\/\/.+)$/, "must be sqlite:FILE or postgres://HOST/DATABASE")
        .nullish(),
      legacy: z.unknown().optional(),
      modern: z.unknown().optional(),
    }),
    watch: section({
      trade_ledger: text("must be a folder").nullish(),
      market_prices: text("must be a folder").nullish(),
      mode: z.unknown().optional(),
      settle_ms: z.unknown().optional(),
    }),
    reports: unread("dir"),
    gateway: section({
      listen: listen.describe("HOST:PORT; beyond this machine only with tokens").optional(),
      tokens: section({ viewer: tokenVariable, operator: tokenVariable, admin: tokenVariable }).describe(
        "By role, the environment variable that holds the token",
      ),
      allowed_hosts: z.array(hostName, notHosts).nullish().describe("Host names by which it is also reached"),
      rate_limit_per_s: whole("requests a second", 0, 1_000_000).describe("For each client; 0 is none").optional(),
    }),
    control: section({
      instance: z
        .string(notInstance)
        .regex(/^[\w.-]{1,100}$/, notInstance)
        .nullish()
        .describe("What this process is called in the fleet; the same over its restarts"),
      heartbeat_ms: milliseconds.describe("How often a process says that it lives").optional(),
      lease_ms: milliseconds.describe("A process that has not been heard of for so long is gone").optional(),
      stale_ms: milliseconds.describe("A process that cannot read the plan for so long says that it is stale").optional(),
      poll_ms: milliseconds.describe("How often the plan is looked for, where nothing tells of a change").optional(),
    }),
  },
  { error: (issue) => (issue.code === "invalid_type" ? "must be a section of keys" : undefined) },
);

export type ConfigFile = z.output<typeof configSchema>;

/** The sections above whose values nothing reads yet, as dotted names. */
export const unreadSections: readonly string[] = ["stores.legacy", "stores.modern", "watch.mode", "watch.settle_ms", "reports"];
