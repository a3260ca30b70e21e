/**
 * The tree of commands. Each command is a file in `commands/` with its options, example and description; the
 * folder is scanned for them. A command's implementation is loaded when it runs, so `--help` costs little
 * more than starting Node.
 */
import { readdirSync } from "node:fs";
import { Command } from "commander";
import { productVersion } from "../../app/version.ts";
import { phases } from "../../domain/migration/phase.ts";
import type { CommandSpec } from "./spec.ts";
import { finish, type Streams } from "./terminal.ts";

/** Descriptions of the command groups. */
const groups: Readonly<Record<string, string>> = {
  symbols: "Translates and checks the names of instruments; nothing is guessed",
  config: "Checks, prints and changes the configuration file",
  phase:
    `Moves the whole fleet through the phases ${phases.join(", ")}. ` +
    "A forward move needs open gates and advances one phase.",
  whitelist: "Lists and changes the users who get modern's answers, whatever the percentage",
  denylist: "Lists and changes the users who get legacy's answers, whatever the percentage",
  db: "Prepares and watches the two databases that hold the records, and moves the authority between them",
  "watch review": "Lists, shows and decides the changes that wait for a person",
  evidence: "Records evidence for the gates, gathered by people and other programs",
  causes: "Accepts known causes of differences, each within a limit and until a day; the audit keeps them",
  report:
    "Writes, compares and accepts the desk's daily Excel reports, and writes the report of the migration",
  audit: "Prints and verifies the audit: who changed what and why, protected by a chain of hashes",
};

/** The examples below the help of the whole program. */
const mainExamples: readonly string[] = ["demo", "replay", "compare", "status", "rollback"];

/**
 * Builds the program. To start faster, it has only the commands whose files begin with the `typed` word, or
 * all if there are none.
 */
export async function programOf(streams: Streams, typed = ""): Promise<Command> {
  const program = new Command("pnl-bridge")
    .description(
      "Replaces a P&L system while it is in production: " +
        "runs legacy and modern side by side and shows where they differ.",
    )
    .version(productVersion)
    .option("--verbose", "print the stack trace of a failure")
    .exitOverride()
    .configureOutput({ outputError: () => {} }); // main.ts reports it.
  const specs = await commandSpecs(typed);
  for (const spec of specs) addCommand(program, spec, streams);
  const ofGroup = (word: string): readonly string[] =>
    specs.filter(({ name }) => name.startsWith(`${word} `)).map(({ example }) => example);
  for (const word of Object.keys(groups))
    if (ofGroup(word).length > 0) groupNamed(program, word).addHelpText("after", exampleText(ofGroup(word)));
  const shown = specs.filter(({ name }) => mainExamples.includes(name)).map(({ example }) => example);
  return program.addHelpText(
    "after",
    `${exampleText(shown)}

Exit codes: 0 success, 1 the command found a problem (systems differ, rows were
refused, a gate is closed), 2 the command failed.`,
  );
}

const exampleText = (examples: readonly string[]): string =>
  [
    "",
    examples.length === 1 ? "Example:" : "Examples:",
    ...examples.map((one) => `  $ pnl-bridge ${one}`),
  ].join("\n");

/**
 * Loads the commands in `commands/`, in order of file names: files that begin with the `typed` word, else
 * all.
 */
async function commandSpecs(typed: string): Promise<readonly CommandSpec[]> {
  const folder = new URL("./commands/", import.meta.url);
  const files = readdirSync(folder)
    .filter((name) => /(?<!\.d|\.test)\.[jt]s$/.test(name))
    .toSorted();
  const named = files.filter((name) => typed !== "" && name.startsWith(typed));
  const modules = (named.length > 0 ? named : files).map((name) => import(new URL(name, folder).href));
  return (await Promise.all(modules)).flatMap(({ commands }) => commands);
}

function addCommand(
  program: Command,
  { name, about, example, options, argument, fixed, run }: CommandSpec,
  streams: Streams,
): void {
  const command = groupNamed(program, name);
  command.description(about).addHelpText("after", exampleText([example]));
  for (const option of options) command.addOption(option);
  if (argument !== undefined) command.addArgument(argument);
  command.action(async (...given) => {
    const named = argument === undefined ? {} : { [argument.name()]: given[0] };
    const options = { ...fixed, ...optionsOf(command, program), ...named };
    await finish(await run(options as never, streams), streams);
  });
}

/**
 * Returns the options that were typed, including those that commander assigned to a parent: a parent that is
 * a command itself also captures the options of its subcommands.
 */
const optionsOf = (command: Command, program: Command): object =>
  command === program ? {} : { ...command.opts(), ...(command.parent && optionsOf(command.parent, program)) };

/** Returns the command or group with this full name; creates groups that are missing. */
function groupNamed(program: Command, name: string): Command {
  const words = name.split(" ");
  return words.reduce((parent, word, at) => {
    const known = parent.commands.find((command) => command.name() === word);
    if (known !== undefined) return known;
    const about = groups[words.slice(0, at + 1).join(" ")] ?? "";
    return parent.command(word).description(about);
  }, program);
}
