import type { Command } from "commander";
import { programOf } from "../../src/surfaces/cli/program.ts";
import { type Blocks, fenced } from "./markdown.ts";

/** The help of a command as a terminal of 80 columns shows it. */
export function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (piece) => (text += piece),
    getOutHelpWidth: () => 80,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text.trimEnd();
}

/**
 * Lists the program and its commands, with full names, in the order of the help. A group comes before its
 * commands.
 */
export async function allCommands(): Promise<readonly (readonly [name: string, command: Command])[]> {
  const below = (command: Command, name: string): readonly (readonly [string, Command])[] => [
    [name, command],
    ...command.commands.flatMap((one) => below(one, `${name} ${one.name()}`)),
  ];
  return below(await programOf({ out: process.stdout, err: process.stderr }), "pnl-bridge");
}

export const blocks: Blocks = {
  commands: async () =>
    (await allCommands())
      .map(([name, command]) => `## ${name.replace("pnl-bridge ", "")}\n\n${fenced("text", helpOf(command))}`)
      .join("\n\n"),
};
