/** The shape of `pnl_migration_config.yaml`. Everything may be left out; a section without a value counts as left out. */
import { z } from "zod";
import { formatDecimal, parseDecimal } from "../domain/decimal.ts";

/** The two ways in which the legacy desk goes through its files. */
export const legacyModes = ["chained", "file-at-a-time"] as const;

/** Kinds of systems that the file may name and that this version does not run. */
const otherKinds: readonly unknown[] = ["module", "command", "http"];

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
  ],
  {
    error: ({ code, input }) => {
      if (code !== "invalid_union") return "must be a section of keys";
      const { kind } = input as { readonly kind?: unknown };
      return otherKinds.includes(kind) ? "must be builtin (this version runs builtin systems only)" : "must be builtin";
    },
  },
);

export const configSchema = z.strictObject(
  {
    migration: section({
      phase: z.unknown().optional(),
      feature_flags: unread("use_new_calculator", "use_new_storage", "use_new_reports"),
      traffic_routing: unread("new_system_percentage", "user_whitelist", "user_denylist", "bucket_by"),
      validation: section({
        comparison_threshold: threshold.describe("Largest difference in P&L that is within tolerance").optional(),
        position_threshold: threshold.describe("Largest difference in quantities and prices that is within tolerance").optional(),
        alert_on_mismatch: z.boolean("must be true or false").optional(),
      }),
      monitoring: unread("log_all_calculations", "performance_tracking", "alert_url"),
    }),
    systems: section({ legacy: system.nullish(), modern: system.nullish() }),
    stores: unread("control", "legacy", "modern"),
    watch: unread("trade_ledger", "market_prices", "mode", "settle_ms"),
    reports: unread("dir"),
    gateway: unread("listen"),
  },
  { error: (issue) => (issue.code === "invalid_type" ? "must be a section of keys" : undefined) },
);

export type ConfigFile = z.output<typeof configSchema>;

/** The sections above whose values nothing reads yet, as dotted names. */
export const unreadSections: readonly string[] = [
  "migration.phase",
  "migration.feature_flags",
  "migration.traffic_routing",
  "migration.monitoring",
  "stores",
  "watch",
  "reports",
  "gateway",
];
