import { Option } from "commander";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "config schema",
    about: "Prints the JSON Schema of the configuration file, for editors",
    example: "config schema > pnl_migration_config.schema.json",
    options: [new Option("--json", "print the schema on one line")],
    run,
  },
];

/** Prints the document on one line with `--json`, else indented. */
async function run(options: { readonly json?: boolean }): Promise<CommandResult> {
  const { configSchemaDocument } = await import("../../../app/control/config.ts");
  const document = configSchemaDocument();
  return options.json ? jsonResult(document, true) : { exitCode: 0, text: JSON.stringify(document, null, 2) };
}
