import type { Argument, Option } from "commander";
import type { CommandResult, Streams } from "./terminal.ts";

/**
 * One command of the program. A file in `commands/`, whose name begins with the command's first word, exports it in `commands`, and
 * program.ts finds it there. `--help` loads all of these files, so they import the application inside `run` only.
 */
export interface CommandSpec {
  /** With its group before it: `symbols translate`. */
  readonly name: string;
  readonly about: string;
  /** A call as a person types it, without the program's name; at most 66 characters. */
  readonly example: string;
  readonly options: readonly Option[];
  readonly argument?: Argument;
  /** Added to the options that a person gives: what distinguishes two commands with one `run`. */
  readonly fixed?: object;
  readonly run: (options: never, streams: Streams) => Promise<CommandResult>;
}
