/**
 * The command line. This file knows the commands, their options and exit codes; what a command does is loaded when it is
 * called, so that `--help` costs little more than starting Node.
 */
import { readFileSync } from "node:fs";
import { Argument, Command, CommanderError, Option } from "commander";
import { BridgeError } from "../../base/errors.ts";
import { phases } from "../../domain/migration/phase.ts";
import { type CommandResult, finish, guardStreams, reportFailure, type Streams } from "./terminal.ts";

const methods = ["fifo", "lifo", "average"];
const dayRules = ["chicago-17", "calendar", "file-name", "after-14", "after-16", "after-17"];

type Load = () => Promise<{ readonly run: (options: never, streams: Streams) => Promise<CommandResult> }>;

const streams: Streams = { out: process.stdout, err: process.stderr };
const program = new Command("pnl-bridge")
  .description("Replaces a P&L system while it is in production: runs legacy and modern side by side and shows where they agree.")
  .version(JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")).version)
  .option("--verbose", "print the stack trace of a failure")
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`${usageLine(text)}\n`) })
  .addHelpText(
    "after",
    `
Examples:
  pnl-bridge demo --once
  pnl-bridge replay --trades ./trade_ledger --prices ./market_prices
  pnl-bridge compare --legacy sqlite:./pnl_tracker.db
  pnl-bridge pnl --trades trades_20250724.csv --method lifo --json
  pnl-bridge symbols translate --to bloomberg XCMEOPADPS20250721N0VY3/110.25
  pnl-bridge status --config pnl_migration_config.yaml
  pnl-bridge rollback --reason "the numbers of book UST are wrong"

Exit codes: 0 fine, 1 the thing asked about does not hold (systems differ, rows were refused), 2 could not do it.`,
  );

const trades = () => new Option("--trades <path...>", "ledger CSV files, or folders of trades_*.csv").makeOptionMandatory();
const prices = () => new Option("--prices <path...>", "price CSV files, or folders of them");
const marks = () => new Option("--marks <file>", "a JSON object of symbol to price, for the last day");
const method = () => new Option("--method <name>", "which open lot a closing trade takes").choices(methods).default("fifo");
const dayRule = () => new Option("--day-rule <name>", "which trading day a trade belongs to").choices(dayRules);
const json = () => new Option("--json", "print one JSON document");
const config = () => new Option("--config <file>", "the configuration file (default: the built-in one)");
const calendar = () => new Option("--calendar <file>", "take option expiries from this calendar of the desk");
const out = () => new Option("--out <dir>", "also write the report there, as report.json and report.html");

command(
  "demo",
  "a complete small desk: makes trades and prices, runs both systems, prints the parity table",
  () => import("./commands/demo.ts"),
  [
    new Option("--once", "stop after the table (so far it always does)"),
    new Option("--keep <dir>", "make the desk there, in a new folder, and leave it there"),
    new Option("--seed <number>", "which desk to make").default("1"),
  ],
);
command("replay", "a trading history through legacy and modern, compared row by row", () => import("./commands/replay.ts"), [
  trades(),
  prices(),
  marks(),
  config(),
  method(),
  dayRule(),
  calendar(),
  new Option("--legacy-database <file>", "have the legacy desk write its pnl_tracker.db there, a new file"),
  json(),
  out(),
]);
command(
  "compare",
  "a desk's own database, read-only: its stored trades through modern, compared with its stored results",
  () => import("./commands/compare.ts"),
  [
    new Option("--legacy <sqlite:file>", "the desk's pnl_tracker.db").makeOptionMandatory(),
    config(),
    method(),
    dayRule(),
    json(),
    out(),
  ],
);
command("pnl", "the modern engine alone over ledger CSVs", () => import("./commands/pnl.ts"), [
  trades(),
  prices(),
  marks(),
  method(),
  new Option("--as-of <time>", "leave out what is later, e.g. 2025-07-24T15:00:00-05:00; a day alone is no time"),
  dayRule(),
  calendar(),
  new Option("--matches <file>", "write every match of an opening with a closing trade there, as CSV"),
  json(),
]);
const symbols = program
  .command("symbols")
  .description("one canonical name for every dialect of symbols, and nothing guessed")
  .addHelpText(
    "after",
    `
Examples:
  pnl-bridge symbols translate --to bloomberg XCMEOPADPS20250721N0VY3/110.25
  pnl-bridge symbols translate --as-of 2025-07-24 "TYU5 Comdty" "SEP 25 CBT 10YR TNOTE" TY
  pnl-bridge symbols variants XCMEOPADPS20250725N0ZN4/110.75 --legacy
  pnl-bridge symbols check ExpirationCalendar.csv
  pnl-bridge symbols dialects`,
  );
const from = () => new Option("--from <dialect>", "the dialect of the symbols, or auto to find it out").default("auto");
const asOf = () => new Option("--as-of <day>", "by which one-digit years and bare roots are read (default: today in Chicago)");
command(
  "translate",
  "symbols from one dialect into another: arguments, a file, or stdin",
  () => import("./commands/symbols-translate.ts"),
  [
    from(),
    new Option("--to <dialect>", "the dialect to write them in").default("canonical"),
    new Option("--file <file>", "read symbols there, a line each; - is stdin"),
    asOf(),
    calendar(),
    json(),
  ],
  { under: symbols, argument: new Argument("[symbol...]", "symbols; with spaces in them in quotes") },
);
command(
  "variants",
  "what one symbol is called in every dialect",
  () => import("./commands/symbols-variants.ts"),
  [from(), new Option("--legacy", "also what each of the desk's old translators would have said"), asOf(), calendar(), json()],
  { under: symbols, argument: new Argument("<symbol>", "a symbol; with spaces in it in quotes") },
);
command(
  "check",
  "a desk's expiration calendar against the exchange's rules and holidays",
  () => import("./commands/symbols-check.ts"),
  [json()],
  {
    under: symbols,
    argument: new Argument("<file>", "the calendar, a CSV file"),
  },
);
command(
  "dialects",
  "the dialects, with the form and an example of each kind of symbol",
  () => import("./commands/symbols-dialects.ts"),
  [json()],
  {
    under: symbols,
  },
);
const configuration = program
  .command("config")
  .description("the configuration file: is it valid, what holds, and what may stand in it")
  .addHelpText(
    "after",
    `
Examples:
  pnl-bridge config validate --config pnl_migration_config.yaml
  pnl-bridge config show --config pnl_migration_config.yaml
  pnl-bridge config set migration.traffic_routing.new_system_percentage 25 --config pnl_migration_config.yaml
  pnl-bridge config schema > pnl_migration_config.schema.json`,
  );
command(
  "validate",
  "whether a file is valid; if not, the first thing that is wrong, with line and column",
  () => import("./commands/config-validate.ts"),
  [new Option("--config <file>", "the configuration file").makeOptionMandatory(), json()],
  { under: configuration },
);
command(
  "show",
  "every value that holds, with where it comes from; secrets are left out",
  () => import("./commands/config-show.ts"),
  [config(), json()],
  { under: configuration },
);
command(
  "schema",
  "JSON Schema of the file, for editors",
  () => import("./commands/config-schema.ts"),
  [new Option("--json", "print it on one line")],
  { under: configuration },
);
command("doctor", "what this machine and this configuration can and cannot do", () => import("./commands/doctor.ts"), [
  config(),
  new Option("--system <side>", "do the checks that every system must pass on this one").choices(["legacy", "modern"]),
  json(),
]);

command("serve", "the bridge over HTTP, until it is interrupted", () => import("./commands/serve.ts"), [
  new Option("--config <file>", "the configuration file (default: pnl_migration_config.yaml here)"),
]);

const store = () =>
  new Option("--store <url>", "the control store alone, sqlite:FILE or postgres://…, where no configuration is at hand");
const fleetConfig = () => new Option("--config <file>", "the configuration file (default: pnl_migration_config.yaml here)");
const reason = () => new Option("--reason <text>", "why; the audit keeps it").makeOptionMandatory();
const actor = () => new Option("--actor <name>", "who, for the audit (default: the user of the operating system)");
const dwell = () => new Option("--dwell <duration>", "how long each step of a ramp stands, such as 90s, 10m, 1h");
command(
  "set",
  "changes one value in the file, and not a character besides: comments stay",
  () => import("./commands/config-set.ts"),
  [new Option("--config <file>", "the configuration file").makeOptionMandatory(), json()],
  { under: configuration, argument: new Argument("<change...>", "a dotted key and its value; a key alone is removed") },
);
command(
  "publish",
  "makes what the file says of the migration the plan of the whole fleet",
  () => import("./commands/config-publish.ts"),
  [reason(), actor(), fleetConfig(), json()],
  { under: configuration },
);
const target = new Argument("<phase>", "a phase").choices(phases);
command("status", "phase, plan, fleet, gates and the way back, on one screen", () => import("./commands/status.ts"), [
  fleetConfig(),
  store(),
  json(),
]);
const phase = program
  .command("phase")
  .description("moves the whole fleet through the phases of the migration")
  .addHelpText(
    "after",
    `
Phases: ${phases.join(" → ")}. Forward moves need open gates and go one at a time; backward moves need none.

Examples:
  pnl-bridge phase advance --dry-run --reason "monday's comparisons are clean"
  pnl-bridge phase retreat --reason "month end"
  pnl-bridge phase set dual_write --reason "the fault of yesterday is mended"      # also takes modern back into use`,
  );
const dryRun = () => new Option("--dry-run", "judge the gates and say what would change, and change nothing");
for (const [move, description] of [
  ["advance", "one phase forward, through its gates"],
  ["retreat", "one phase back"],
] as const)
  command(move, description, () => import("./commands/phase.ts"), [reason(), actor(), dryRun(), fleetConfig(), store(), json()], {
    under: phase,
    fixed: { move },
  });
command(
  "set",
  "to an earlier phase, to the next one, or the present one again, which takes modern back into use",
  () => import("./commands/phase.ts"),
  [reason(), actor(), dryRun(), fleetConfig(), store(), json()],
  { under: phase, argument: target, fixed: { move: "set" } },
);
command("gates", "what stands before the next phase", () => import("./commands/gates.ts"), [
  new Option("--target <phase>", "before another phase").choices(phases),
  fleetConfig(),
  store(),
  json(),
]);
command(
  "sign-off",
  "a person approves a phase (approved), or lets go of legacy for good (legacy_window, in cleanup)",
  () => import("./commands/sign-off.ts"),
  [
    new Option("--actor <name>", "who signs").makeOptionMandatory(),
    new Option("--note <text>", "what was looked at").makeOptionMandatory(),
    new Option("--phase <phase>", "for which phase (default: the next one)").choices(phases),
    fleetConfig(),
    store(),
    json(),
  ],
  { argument: new Argument("<gate>", "approved or legacy_window") },
);
command(
  "traffic",
  "how much of the traffic modern answers in dual_write: at once, or by a ramp that stops when a trigger fires",
  () => import("./commands/traffic.ts"),
  [
    reason(),
    actor(),
    new Option("--ramp <percentages>", "in steps instead, such as 10,25,50,100"),
    dwell(),
    fleetConfig(),
    store(),
    json(),
  ],
  { argument: new Argument("[percent]", "0 to 100") },
);
const whitelist = program.command("whitelist").description("users whom modern answers whatever the percentage");
for (const change of ["add", "remove"] as const)
  command(
    change,
    change === "add" ? "lets a user in" : "takes a user out",
    () => import("./commands/whitelist.ts"),
    [reason(), actor(), fleetConfig(), store(), json()],
    { under: whitelist, argument: new Argument("<user>", "the user's name"), fixed: { change } },
  );
command(
  "rollback",
  "the emergency: takes everything back to legacy, with nothing but the control store, and waits until every process goes by it",
  () => import("./commands/rollback.ts"),
  [
    reason(),
    actor(),
    new Option("--wait <duration>", "at most so long for processes to acknowledge (default: until their leases are over)"),
    new Option("--gradual", "step by step instead: a ramp down that ends in the rollback"),
    dwell(),
    new Option("--drill", "rehearse it on a scratch store, and write into the audit how it went"),
    fleetConfig(),
    store(),
    json(),
  ],
);
const audit = program.command("audit").description("who did what and why, as a chain of hashes");
command(
  "verify",
  "finds what was edited, removed or put in",
  () => import("./commands/audit-verify.ts"),
  [fleetConfig(), store(), json()],
  {
    under: audit,
  },
);
command("export", "every row, a JSON line each", () => import("./commands/audit-export.ts"), [fleetConfig(), store()], {
  under: audit,
});

guardStreams(streams, () => program.opts().verbose === true);
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) process.exitCode = reportFailure(error, streams, program.opts().verbose === true);
  else process.exitCode = error.exitCode === 0 ? 0 : 2;
}

/** Commander's complaint as the one line that every failure is. */
function usageLine(text: string): string {
  const complaint = text
    .replace(/^error: /, "")
    .trim()
    .replace(/\.$/, "");
  return new BridgeError("BAD_USAGE", { what: complaint, mend: "--help lists what there is" }).line;
}

function command(
  name: string,
  description: string,
  load: Load,
  options: readonly Option[],
  { under = program, argument, fixed }: { readonly under?: Command; readonly argument?: Argument; readonly fixed?: object } = {},
): void {
  const subcommand = under.command(name).description(description);
  for (const option of options) subcommand.addOption(option);
  if (argument !== undefined) subcommand.addArgument(argument);
  subcommand.action(async (...given) => {
    const options = argument === undefined ? given[0] : { ...(given[1] as object), [argument.name()]: given[0] };
    const named = { ...fixed, ...(options as object) };
    await finish(await (await load()).run(named as never, streams), streams);
  });
}
