import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "watch status",
    about:
      "Shows the watched folders, each store's share of their rows, and the files that need attention; " +
      "exits with 1 if a file needs attention, or if a folder or a store cannot be reached",
    example: "watch status",
    options: [option.fleetConfig(), option.json()],
    run,
  },
];

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

async function run(options: Options): Promise<CommandResult> {
  const { watchStatus } = await import("../../../app/files/commands.ts");
  const { attentionOf, filesStatusText } = await import("../../../app/files/status.ts");
  const status = await watchStatus(options);
  const { failures, waiting } = attentionOf(status);
  const isWell = failures.length + waiting.length === 0;
  if (options.json) return jsonResult(status, isWell);
  return { exitCode: isWell ? 0 : 1, text: filesStatusText(status).split("\n").map(plain).join("\n") };
}
