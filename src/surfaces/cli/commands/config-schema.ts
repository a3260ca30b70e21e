import { configSchemaDocument } from "../../../app/control/config.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

/** On one line with `--json`, else for reading; a document either way. */
export async function run(options: { readonly json?: boolean }): Promise<CommandResult> {
  const document = configSchemaDocument();
  return options.json ? jsonResult(document, true) : { exitCode: 0, text: JSON.stringify(document, null, 2) };
}
