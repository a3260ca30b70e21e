import { Argument, type Command } from "commander";
import type { CommandSpec } from "../spec.ts";
import type { CommandResult, Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "completion",
    about: "Prints a script that completes commands and options in a shell",
    example: "completion bash >> ~/.bashrc",
    options: [],
    argument: new Argument("<shell>", "the shell").choices(["bash", "zsh"]),
    run,
  },
];

async function run({ shell }: { readonly shell: "bash" | "zsh" }, streams: Streams): Promise<CommandResult> {
  const { programOf } = await import("../program.ts");
  const script = `_pnl_bridge() {
  local words=
  case "\${COMP_WORDS[*]:1:COMP_CWORD-1}" in
${casesOf(await programOf(streams), "").join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _pnl_bridge pnl-bridge`;
  return {
    exitCode: 0,
    text: shell === "bash" ? script : `autoload -U bashcompinit && bashcompinit\n${script}`,
  };
}

/**
 * Returns the branches of the shell's `case`, which maps the words before the cursor to the words that may
 * follow: the commands of a group, or the options of a command.
 */
function casesOf(command: Command, words: string): readonly string[] {
  const { commands, options } = command;
  const flags = options.map(({ long }) => long);
  if (commands.length === 0) return [`    "${words}"|"${words} "*) words="${flags.join(" ")}" ;;`];
  const names = [...commands.map((one) => one.name()), ...(words === "" ? [] : flags)];
  const inner = commands.flatMap((one) => casesOf(one, `${words} ${one.name()}`.trimStart()));
  return [`    "${words}") words="${names.join(" ")}" ;;`, ...inner];
}
