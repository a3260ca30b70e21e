/**
 * The command line. This file knows the commands, their options and exit codes; what a command does is loaded when it is
 * called, so that `--help` costs little more than starting Node.
 */
import { readFileSync } from "node:fs";
import { Argument, Command, CommanderError, Option } from "commander";
import { BridgeError } from "../../domain/errors.ts";
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
  { under = program, argument }: { readonly under?: Command; readonly argument?: Argument } = {},
): void {
  const subcommand = under.command(name).description(description);
  for (const option of options) subcommand.addOption(option);
  if (argument !== undefined) subcommand.addArgument(argument);
  subcommand.action(async (...given) => {
    const named = argument === undefined ? given[0] : { ...(given[1] as object), [argument.name()]: given[0] };
    await finish(await (await load()).run(named as never, streams), streams);
  });
}
