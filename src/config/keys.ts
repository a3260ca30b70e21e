/**
 * Every key of `pnl_migration_config.yaml`, one row each: its kind, its default, its meaning. The parser, the
 * JSON Schema, the listing and the written file derive from this table.
 */
import { z } from "zod";
import type { Camel } from "../base/camel.ts";
import { type TriggerKey, type TriggerLimits, triggerKeys } from "../control/index.ts";
import { type TradingDayRuleName, tradingDayRules } from "../domain/market/trading-day.ts";
import { phases } from "../domain/migration/phase.ts";
import { requestsPerDayDefault } from "../ports/evidence.ts";
import { type PnlMethod, pnlMethods } from "../ports/pnl-service.ts";
import * as kind from "./kinds.ts";
import {
  fileOf,
  type Key,
  type Kind,
  key,
  listOf,
  record,
  required,
  shapeOf,
  under,
  type Values,
  valuesOf,
} from "./table.ts";

const { flag, milliseconds, oneOf, share, store, text, threshold, users, whole } = kind;
const folder = text("a folder");

/** The ways in which the legacy desk processes its files. */
const legacyModes = ["chained", "file-at-a-time"] as const;

const dayRules = Object.keys(tradingDayRules) as readonly TradingDayRuleName[];
const engineKeys = [
  key(
    "day_rule",
    oneOf(dayRules),
    undefined,
    "Trading-day rule of the system's daily P&L; by default the rule of the other system",
  ),
];
const deskKeys = [key("mode", oneOf(legacyModes), "chained", "How the legacy desk processes its files")];
type MethodRow<Method> = Method extends PnlMethod ? Key<Method, string> : never;
const publicName = /^[A-Za-z$][\w$-]{0,99}(?:\.[A-Za-z$][\w$-]{0,99}){0,9}$/;
const methodKeys = pnlMethods.map((method) =>
  key(
    method,
    text("the public name of a method, such as get_pnl", publicName),
    method,
    `The system's own name for ${method}`,
  ),
) as readonly Key[] as readonly MethodRow<PnlMethod>[];
/** Method names of a system that uses the names of the bridge. */
export const ownMethodNames = valuesOf(methodKeys, {});
const foreignKeys = [
  key(
    "methods",
    record(methodKeys),
    ownMethodNames,
    "The system's own names for the methods of the P&L service; the bridge calls no other method",
  ),
  key(
    "pnl_in",
    oneOf(["money", "points"]),
    "money",
    "Unit of the system's P&L; the contract's multiplier converts points into money",
  ),
  key(
    "day_rule",
    oneOf(dayRules),
    undefined,
    "Trading-day rule of the system's daily P&L; if the other system is the built-in engine, " +
      "it follows this rule by default",
  ),
  key(
    "timeout_ms",
    milliseconds,
    undefined,
    "Time limit of a call; by default 30000 for legacy and 2000 for modern, " +
      "and 60000 for a call that enters a file into legacy",
  ),
  key(
    "build",
    kind.build,
    undefined,
    "The build of the system: a version, or a list of its files, folders and patterns such as desk/**/*.py; " +
      "the gates count the evidence of each build separately",
  ),
];
const variables = "a list of names of environment variables";
const hostedKeys = [
  key(
    "env",
    listOf(text(variables, /^[A-Za-z_][A-Za-z0-9_]{0,99}$/), `must be ${variables}`),
    [],
    "Environment variables that the system gets in addition to PATH, HOME, LANG, TZ and the like",
  ),
  ...foreignKeys,
];
const moduleKeys = [
  required("path", text("the path of a module"), "The module: ./desk.js, or ./desk.js#exportName"),
  key(
    "isolation",
    oneOf(["none", "thread"]),
    "none",
    "Where the module runs: in the main thread (none) or in a thread of its own",
  ),
  ...hostedKeys,
];
const argument = text("a list of texts: the program and its arguments");
const commandKeys = [
  required(
    "command",
    {
      schema: z
        .array(argument.schema, "must be a list of texts: the program and its arguments")
        .min(1, "must name a program"),
    },
    "A child process that speaks the worker protocol: [python3, pnl_bridge_worker.py, desk.pnl:Service]",
  ),
  key("cwd", folder, undefined, "Working folder of the program; by default the folder of this file"),
  ...hostedKeys,
];
const httpKeys = [
  required("url", kind.url, "The address of the service; requests go to URL/METHOD"),
  key(
    "authorization_env",
    kind.variable,
    undefined,
    "The environment variable that holds the value of the authorization header",
  ),
  key(
    "ca_file",
    text("a file"),
    undefined,
    "A file of certificates to trust instead of those of this machine",
  ),
  ...foreignKeys,
];
const keysOfKind = { module: moduleKeys, command: commandKeys, http: httpKeys };

/** The built-in systems: the stand-in of the legacy desk, whose P&L is in points, and the modern engine. */
export type BuiltinConfig =
  | ({ readonly kind: "builtin"; readonly name: "legacy-desk" } & Values<(typeof deskKeys)[number]>)
  | ({ readonly kind: "builtin"; readonly name: "modern-engine" } & Values<(typeof engineKeys)[number]>);

/** A system of the desk's own; `name` appears in reports and errors. */
type ForeignConfig = {
  readonly [Name in keyof typeof keysOfKind]: { readonly kind: Name; readonly name: string } & Values<
    (typeof keysOfKind)[Name][number]
  >;
}[keyof typeof keysOfKind];

export type SystemConfig = BuiltinConfig | ForeignConfig;

const kindMeaning = {
  title: "Kind",
  description: "builtin for a built-in system; module, command or http for a system of your own",
};
const nameMeaning = { title: "Name", description: "legacy-desk or modern-engine" };
const builtin = z.literal("builtin").meta(kindMeaning);
const foreign = <const Name extends keyof typeof keysOfKind>(name: Name) =>
  z.strictObject({ kind: z.literal(name).meta(kindMeaning), ...shapeOf(keysOfKind[name]) });

const system: Kind<SystemConfig> = {
  schema: z
    .discriminatedUnion(
      "kind",
      [
        z.discriminatedUnion(
          "name",
          [
            z.strictObject({
              kind: builtin,
              name: z.literal("legacy-desk").meta(nameMeaning),
              ...shapeOf(deskKeys),
            }),
            z.strictObject({
              kind: builtin,
              name: z.literal("modern-engine").meta(nameMeaning),
              mode: z
                .never("is for legacy-desk only")
                .optional()
                .meta({ title: "Mode", description: "For legacy-desk only" }),
              ...shapeOf(engineKeys),
            }),
          ],
          "must be legacy-desk or modern-engine",
        ),
        foreign("module"),
        foreign("command"),
        foreign("http"),
      ],
      {
        error: ({ code }) =>
          code === "invalid_union" ? "must be builtin, module, command or http" : "must be a section of keys",
      },
    )
    .transform(systemOf),
  write: (system) =>
    system.kind === "builtin"
      ? builtinFileOf(system)
      : { kind: system.kind, ...fileOf(keysOfKind[system.kind], system) },
  rows: [
    required("kind", text("a kind"), kindMeaning.description),
    required("name", text("a name"), nameMeaning.description),
    ...deskKeys,
    ...engineKeys,
    ...moduleKeys,
    ...commandKeys,
    ...httpKeys,
  ],
};

/** A program of the desk's own that answers questions about its dashboard. */
const dashboardSystem: Kind<SystemConfig> = {
  ...system,
  schema: system.schema.refine(({ kind }) => kind !== "builtin", "must be module, command or http"),
  rows: [
    required("kind", text("a kind"), "module, command or http"),
    ...moduleKeys,
    ...commandKeys,
    ...httpKeys,
  ],
};

const builtinFileOf = ({ kind, name, ...values }: BuiltinConfig) => ({
  kind,
  name,
  ...(name === "modern-engine" ? fileOf(engineKeys, values) : fileOf(deskKeys, values)),
});

function systemOf(file: { readonly kind: SystemConfig["kind"]; readonly name?: unknown }): SystemConfig {
  switch (file.kind) {
    case "builtin":
      return file.name === "modern-engine"
        ? { kind: "builtin", name: "modern-engine", ...valuesOf(engineKeys, file) }
        : { kind: "builtin", name: "legacy-desk", ...valuesOf(deskKeys, file) };
    case "module": {
      const values = valuesOf(moduleKeys, file);
      return { kind: "module", name: values.path, ...values };
    }
    case "command": {
      const values = valuesOf(commandKeys, file);
      return { kind: "command", name: values.command.join(" "), ...values };
    }
    case "http": {
      const values = valuesOf(httpKeys, file);
      // Without the query, which may hold a secret.
      return { kind: "http", name: values.url.replace(/[?#].*/, ""), ...values };
    }
  }
}

const exclusion = record([
  required("path", kind.excludedPath, "The field, such as tradeHistory[].time"),
  required("reason", text("a reason"), "Why the two systems cannot agree in the field"),
  required("owner", text("a name"), "The person who is responsible for the exclusion"),
  required("until", kind.day, "The last day on which the exclusion is in force"),
]);

type TriggerRow<Row> = Row extends TriggerKey ? Key<Row["key"], TriggerLimits[Camel<Row["key"]>]> : never;

const triggerRows = triggerKeys.map(({ key: path, kind: limit, default: byDefault, meaning }) => ({
  path,
  kind:
    limit.type === "share"
      ? share
      : limit.type === "flag"
        ? flag
        : whole(limit.unit, limit.least, limit.most),
  default: byDefault,
  meaning,
})) as readonly Key[] as readonly TriggerRow<TriggerKey>[];

const ledgerPatterns = ["trades_*.csv", "Futures_*.csv", "Options_*.csv", "market_prices_*.csv"];

export const keys = [
  ...under("migration", [
    key(
      "phase",
      oneOf(phases),
      "shadow_mode",
      "The phase of the migration; a later phase is held until its gates are open",
    ),
    ...under("feature_flags", [
      key("use_new_calculator", flag, false, "Modern may answer calls"),
      key("use_new_storage", flag, false, "Modern may receive writes"),
      key("use_new_reports", flag, false, "Modern's reports may be given to users"),
    ]),
    ...under("traffic_routing", [
      key(
        "new_system_percentage",
        kind.percentage,
        0,
        "Share of the units that modern answers in dual_write, in percent",
      ),
      key("user_whitelist", users, [], "Users whom modern answers in dual_write"),
      key(
        "user_denylist",
        users,
        [],
        "Users whom legacy answers in every phase before cleanup; no effect under new_only",
      ),
      key(
        "bucket_by",
        oneOf(["book", "user"]),
        "book",
        "The unit of the percentage: book or user; a call without a book counts by its user",
      ),
    ]),
    ...under("validation", [
      key("comparison_threshold", threshold, "0.01", "Largest difference in P&L that is within tolerance"),
      key(
        "position_threshold",
        threshold,
        "0.0001",
        "Largest difference in quantities and prices that is within tolerance",
      ),
      key("alert_on_mismatch", flag, true, "Sends an alert for each new kind of divergence"),
    ]),
    ...under("monitoring", [
      key(
        "log_all_calculations",
        flag,
        true,
        "Logs one line for each call; if false, only divergences and errors",
      ),
      key("performance_tracking", flag, true, "Records the time that both systems take for a call"),
      key(
        "alert_url",
        kind.alertUrl,
        null,
        "The URL to which this process posts its alerts, as JSON; a change takes effect after a restart",
      ),
    ]),
    key("approvals.two_person", kind.listOfPhases, [], "Phases that a second person must approve"),
    ...under("triggers", triggerRows),
  ]),
  ...under("systems", [
    key(
      "legacy",
      system,
      { kind: "builtin", name: "legacy-desk", mode: "chained" },
      "The system that is replaced",
    ),
    key(
      "modern",
      system,
      { kind: "builtin", name: "modern-engine", dayRule: undefined },
      "The system that replaces it",
    ),
  ]),
  key("stores.control", store, null, "Plan, audit and comparisons: sqlite:FILE or a PostgreSQL URL"),
  ...under("stores", [
    key("legacy", store, null, "Legacy's database, sqlite:FILE"),
    key("modern", store, null, "Modern's database: sqlite:FILE or a PostgreSQL URL, in a schema of its own"),
  ]),
  ...under("database", [
    key(
      "bridge_tables",
      oneOf(["inside", "beside"]),
      "inside",
      "The bridge's tables are inside legacy's database, or beside it in a file of their own; " +
        "with beside, modern never becomes authoritative",
    ),
    key("legacy_book", kind.anyText, "", "The book that modern records for rows from legacy"),
    key(
      "cutover_budget_ms",
      milliseconds,
      2_000,
      "Longest time for which a cutover to modern locks legacy; a cutover to legacy that takes longer is undone",
    ),
    key(
      "done_rows_days",
      whole("days", 0, 3_650),
      7,
      "Days for which the outbox keeps a write after the other database has it",
    ),
    key(
      "lease_ms",
      milliseconds,
      3_000,
      "A process of another host that is silent for this time no longer carries writes between the databases",
    ),
  ]),
  ...under("shadow", [
    key(
      "keep_requests",
      whole("requests a day", 0, 100_000),
      requestsPerDayDefault,
      "Diverged calls of a day (UTC) whose request and answers are kept for an explanation; 0 keeps none",
    ),
    key(
      "control_percentage",
      kind.percentage,
      0,
      "Share of the calls for which the answering system is asked twice, to measure its noise; 2 % at most if modern answers",
    ),
  ]),
  ...under("watch", [
    key("trade_ledger", folder, null, "The folder of trade ledgers, with its subfolders"),
    key(
      "market_prices",
      kind.oneOrMore(folder),
      [],
      "The folder of price files, or a list of folders, with their subfolders",
    ),
    key(
      "mode",
      oneOf(["auto", "events", "poll"]),
      "auto",
      "The way to notice changes: by events, by polling, or by events if the folder supports them (auto)",
    ),
    key("scan_ms", milliseconds, 1_000, "Time between two scans of the folders and of recent files"),
    key(
      "settle_ms",
      milliseconds,
      500,
      "A price file, a rewritten ledger or a last row without a line end counts when it is unchanged for this time",
    ),
    key("include", kind.patterns, ledgerPatterns, "Names of the files that are read"),
    key(
      "republished",
      oneOf(["quarantine", "apply", "ignore"]),
      "quarantine",
      "The policy for a file whose applied rows have changed",
    ),
    key(
      "legacy_sink",
      oneOf(["records", "own_entry", "none"]),
      "records",
      "The way in which legacy gets the rows of the files",
    ),
    key(
      "lease_ms",
      milliseconds,
      3_000,
      "A watcher of another host that is silent for this time loses its folders",
    ),
  ]),
  key("reports.dir", folder, "./reports", "The folder of the reports that `serve` hands out"),
  ...under("dashboard", [
    key(
      "interval_ms",
      whole("milliseconds", 100, 60_000),
      1_000,
      "The time for which all viewers of a book get the same answer of a system",
    ),
    key(
      "legacy",
      dashboardSystem,
      null,
      "The controller of the desk's own dashboard, which then supplies legacy's figures; " +
        "by default the methods of systems.legacy supply them",
    ),
    key(
      "controller",
      oneOf(["v1", "v2"]),
      "v1",
      "The class whose methods dashboard.legacy has: PnLController (v1) or PnLDashboardController (v2)",
    ),
  ]),
  ...under("gateway", [
    key(
      "listen",
      kind.address,
      { host: "127.0.0.1", port: 8_080 },
      "HOST:PORT; an address that other machines can reach requires tokens",
    ),
    key(
      "tokens",
      kind.tokens,
      [],
      "For each role, the environment variable that holds its token; or a list of people",
    ),
    key("allowed_hosts", kind.hosts, [], "Further host names under which clients reach the gateway"),
    key(
      "rate_limit_per_s",
      whole("requests a second", 0, 1_000_000),
      0,
      "Requests a second for each client; 0 sets no limit",
    ),
  ]),
  ...under("gates", [
    key(
      "profile",
      oneOf(["desk", "trial"]),
      "desk",
      "desk judges all gates; trial judges only those that need no evidence, and never closes the window to legacy",
    ),
    key("accuracy.replay", share, 0.01, "Largest share of unexplained instrument-days in replays"),
    key(
      "accuracy.live",
      share,
      0.05,
      "Largest share of unexplained instrument-days that modern shadows; never above 0.05",
    ),
    key("accuracy.served", share, 0.01, "Largest share of unexplained instrument-days that modern answers"),
    key("days", whole("days", 1, 365), 5, "Trading days that evidence must cover before dual_write"),
  ]),
  key(
    "exclusions",
    listOf(exclusion, "must be a list of exclusions"),
    [],
    "Fields that are not compared, because the two systems cannot agree in them",
  ),
  ...under("control", [
    key(
      "instance",
      text("a name of letters, digits, dots, dashes and underscores", /^[\w.-]{1,100}$/),
      null,
      "Name of this process in the fleet; by default host name and process id, which change at a restart",
    ),
    key("heartbeat_ms", milliseconds, 1_000, "Time between two heartbeats of a process"),
    key("lease_ms", milliseconds, 60_000, "A process without a heartbeat for this time counts as gone"),
    key(
      "stale_ms",
      milliseconds,
      5_000,
      "A process that cannot read the plan for this time reports that it is stale",
    ),
    key(
      "poll_ms",
      milliseconds,
      1_000,
      "Time between two reads of the plan; a change that the store reports is read at once",
    ),
  ]),
];

/** All values of a file, under their names in the program. */
export type FileValues = Values<(typeof keys)[number]>;
