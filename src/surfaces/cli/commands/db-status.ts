import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db status",
    about:
      "Shows which database is authoritative, how many writes it owes the other one, " +
      "and whether the desk can go back now",
    example: "db status",
    options: [option.fleetConfig(), option.json()],
    run,
  },
];

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

async function run(options: Options): Promise<CommandResult> {
  const { readStatus } = await import("../../../app/database/commands.ts");
  const { databaseStatusText } = await import("../../../app/database/status.ts");
  const found = await readStatus(options);
  return options.json ? jsonResult(found, true) : { exitCode: 0, text: databaseStatusText(found) };
}
