import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "symbols dialects",
    about: "Lists the dialects, with the form and an example of each kind of symbol",
    example: "symbols dialects",
    options: [option.json()],
    run,
  },
];

async function run(options: { readonly json?: boolean }, { out }: Streams): Promise<CommandResult> {
  const { dialectList } = await import("../../../app/symbols/commands.ts");
  const dialects = dialectList();
  if (options.json) return jsonResult(dialects, true);
  const paint = painter(colourful(out));
  const blocks = dialects.map(({ name, aliases, describes, forms }) => {
    const width = Math.max(...forms.map(({ example }) => example.length));
    const lines = forms.map(({ what, form, example }) => `  ${example.padEnd(width)}  ${what}: ${form}`);
    const also = aliases.length === 0 ? "" : ` (also ${aliases.join(", ")})`;
    return [`${paint("bold", name)}${also}: ${describes}`, ...lines].join("\n");
  });
  return { exitCode: 0, text: blocks.join("\n\n") };
}
