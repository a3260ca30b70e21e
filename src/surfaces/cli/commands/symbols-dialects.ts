import { dialectList } from "../../../app/symbols/commands.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export async function run(options: { readonly json?: boolean }, { out }: Streams): Promise<CommandResult> {
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
