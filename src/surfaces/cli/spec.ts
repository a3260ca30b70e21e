import type { Argument, Option } from "commander";
import type { CommandResult, Streams } from "./terminal.ts";

/**
 * One command of the program. A file in `commands/` exports it in its array `commands`, where program.ts
 * finds it; the file's name begins with the command's first word. `--help` loads all of these files, so they
 * import the application only inside `run`.
 */
export interface CommandSpec {
  /** The full name, with its group: `symbols translate`. */
  readonly name: string;
  readonly about: string;
  /** An example call as a person types it, without the program's name; at most 66 characters. */
  readonly example: string;
  readonly options: readonly Option[];
  readonly argument?: Argument;
  /** Fixed options, added to those that a person gives; they distinguish commands that share one `run`. */
  readonly fixed?: object;
  readonly run: (options: never, streams: Streams) => Promise<CommandResult>;
}
