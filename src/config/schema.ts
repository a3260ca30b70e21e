/** The shape of `pnl_migration_config.yaml`. Everything may be left out; a section without a value counts as left out. */
import { z } from "zod";
import { formatDecimal, parseDecimal } from "../domain/decimal.ts";
import { phases } from "../domain/phase.ts";

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
      monitoring: unread("log_all_calculations", "performance_tracking", "alert_url"),
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
    gateway: unread("listen"),
  },
  { error: (issue) => (issue.code === "invalid_type" ? "must be a section of keys" : undefined) },
);

export type ConfigFile = z.output<typeof configSchema>;

/** The sections above whose values nothing reads yet, as dotted names. */
export const unreadSections: readonly string[] = [
  "migration.monitoring",
  "stores.legacy",
  "stores.modern",
  "watch.mode",
  "watch.settle_ms",
  "reports",
  "gateway",
];
