/** The command line: parses the arguments, runs the command, and reports a failure in one line. */
import { CommanderError } from "commander";
import { BridgeError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { programOf } from "./program.ts";
import { type FailureStyle, guardStreams, reportFailure, type Streams } from "./terminal.ts";

const streams: Streams = { out: process.stdout, err: process.stderr };
const program = await programOf(streams, process.argv[2]);
const style = (): FailureStyle => ({
  isVerbose: program.opts().verbose === true,
  isJson: process.argv.includes("--json"),
});
guardStreams(streams, style);
try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** Reports a failure and returns the exit code. Commander also throws after it prints help or the version. */
function exitCodeOf(error: unknown): 0 | 2 {
  if (!(error instanceof CommanderError)) return reportFailure(error, streams, style());
  if (error.exitCode === 0) return 0;
  return error.code === "commander.help" ? 2 : reportFailure(usageError(error.message), streams, style());
}

/** Converts an error message of commander's into BAD_USAGE, with a suggested fix. */
function usageError(text: string): BridgeError {
  const complaint = text
    .replace(/^error: /, "")
    .trim()
    .replace(/\.$/, "");
  return new BridgeError("BAD_USAGE", {
    what: complaint,
    fix: `${suggestionFor(complaint)}--help lists the commands and options`,
  });
}

/** Suggests a fix for a misspelt choice and for a ledger named without `--trades`; else the empty string. */
function suggestionFor(complaint: string): string {
  const [, given, choices] = /argument '(.*)' is invalid\. Allowed choices are (.*)/s.exec(complaint) ?? [];
  const choice = given === undefined ? undefined : nearest(given, choices?.split(", ") ?? []);
  const [path = "-"] = process.argv.slice(3);
  if (choice !== undefined) return `did you mean ${choice}? `;
  return complaint.startsWith("required option '--trades") && !path.startsWith("-")
    ? `did you mean --trades ${path}? `
    : "";
}
