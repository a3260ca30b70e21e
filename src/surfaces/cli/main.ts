/**
 * The command line. Each command is a file in `commands/`, found there, with its options and its text; groups of commands and exit codes
 * are here. What a command does is loaded when it is called, so that `--help` costs little more than starting Node.
 */
import { readdirSync, readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { BridgeError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { phases } from "../../domain/migration/phase.ts";
import type { CommandGroup, CommandSpec } from "./spec.ts";
import { finish, guardStreams, reportFailure, type Streams } from "./terminal.ts";

const groups: Readonly<Record<string, CommandGroup>> = {
  symbols: {
    about: "one canonical name for every dialect of symbols, and nothing guessed",
    help: `
Examples:
  pnl-bridge symbols translate --to bloomberg XCMEOPADPS20250721N0VY3/110.25
  pnl-bridge symbols translate --as-of 2025-07-24 "TYU5 Comdty" "SEP 25 CBT 10YR TNOTE" TY
  pnl-bridge symbols variants XCMEOPADPS20250725N0ZN4/110.75 --legacy
  pnl-bridge symbols check ExpirationCalendar.csv
  pnl-bridge symbols dialects`,
  },
  config: {
    about: "the configuration file: is it valid, which values hold, and which may stand in it",
    help: `
Examples:
  pnl-bridge config validate --config pnl_migration_config.yaml
  pnl-bridge config show --config pnl_migration_config.yaml
  pnl-bridge config set migration.traffic_routing.new_system_percentage 25 --config pnl_migration_config.yaml
  pnl-bridge config schema > pnl_migration_config.schema.json`,
  },
  phase: {
    about: "moves the whole fleet through the phases of the migration",
    help: `
Phases: ${phases.join(" → ")}. Forward moves need open gates and go one at a time; backward moves need none.

Examples:
  pnl-bridge phase advance --dry-run --reason "monday's comparisons are clean"
  pnl-bridge phase retreat --reason "month end"
  pnl-bridge phase set dual_write --reason "yesterday's fault is fixed"      # also takes modern back into use`,
  },
  whitelist: { about: "users whom modern answers whatever the percentage" },
  denylist: { about: "users whom legacy answers whatever the percentage" },
  audit: { about: "who did what and why, as a chain of hashes" },
};

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

for (const spec of await commandSpecs(process.argv[2])) addCommand(spec);
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
  return new BridgeError("BAD_USAGE", { what: complaint, fix: `${meantBy(complaint)}--help lists what there is` }).line;
}

/** What a person probably meant: a choice in other letters, or a file that lacks its option. */
function meantBy(complaint: string): string {
  const [, given, choices] = /argument '(.*)' is invalid\. Allowed choices are (.*)/s.exec(complaint) ?? [];
  const choice = given === undefined ? undefined : nearest(given, choices?.split(", ") ?? []);
  const [path = "-"] = process.argv.slice(3);
  if (choice !== undefined) return `did you mean ${choice}? `;
  return complaint.startsWith("required option '--trades") && !path.startsWith("-") ? `did you mean --trades ${path}? ` : "";
}

/** The commands in `commands/`, in order of the files' names: those whose file begins with the word that was typed, else all. */
async function commandSpecs(typed = ""): Promise<readonly CommandSpec[]> {
  const folder = new URL("./commands/", import.meta.url);
  const files = readdirSync(folder)
    .filter((name) => /(?<!\.d|\.test)\.[jt]s$/.test(name))
    .toSorted();
  const named = files.filter((name) => typed !== "" && name.startsWith(typed));
  const modules = (named.length > 0 ? named : files).map((name) => import(new URL(name, folder).href));
  return (await Promise.all(modules)).flatMap(({ commands }) => commands);
}

function addCommand({ name, about, options, argument, fixed, run }: CommandSpec): void {
  const [first = "", second] = name.split(" ");
  const command = second === undefined ? program.command(first) : groupNamed(first).command(second);
  command.description(about);
  for (const option of options) command.addOption(option);
  if (argument !== undefined) command.addArgument(argument);
  command.action(async (...given) => {
    const options = argument === undefined ? given[0] : { ...(given[1] as object), [argument.name()]: given[0] };
    await finish(await run({ ...fixed, ...(options as object) } as never, streams), streams);
  });
}

function groupNamed(name: string): Command {
  const known = program.commands.find((command) => command.name() === name);
  if (known !== undefined) return known;
  const { about = "", help } = groups[name] ?? {};
  const group = program.command(name).description(about);
  return help === undefined ? group : group.addHelpText("after", help);
}
