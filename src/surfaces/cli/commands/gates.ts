import { gates } from "../../../app/control/commands.ts";
import type { Phase } from "../../../domain/migration/phase.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";
import { gatesText } from "./gates-text.ts";

export async function run(
  options: { readonly config?: string; readonly store?: string; readonly target?: Phase; readonly json?: boolean },
  { out }: Streams,
): Promise<CommandResult> {
  const found = await gates(options);
  if (options.json) return jsonResult(found, found.open);
  return { exitCode: found.open ? 0 : 1, text: gatesText(found, painter(colourful(out))) };
}
