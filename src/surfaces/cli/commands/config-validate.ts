import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "config validate",
    about: "Checks a configuration file and prints its first fault, with line and column",
    example: "config validate --config pnl_migration_config.yaml",
    options: [option.file(), option.json()],
    run,
  },
];

async function run(
  options: { readonly config: string; readonly json?: boolean },
  { out, err }: Streams,
): Promise<CommandResult> {
  const { validateConfig } = await import("../../../app/control/config.ts");
  const file = options.config;
  const validation = await validateConfig(file);
  if (!validation.ok) {
    if (options.json) return jsonResult({ ok: false, file, error: validation.error.document }, false);
    err.write(`${validation.error.line}\n`);
    return { exitCode: 1, text: [] };
  }
  const { unused } = validation.config;
  if (options.json) return jsonResult({ ok: true, file, unused }, true);
  const paint = painter(colourful(out));
  const note =
    unused.length === 0
      ? []
      : [`${paint("yellow", "these keys have no effect in this version")}: ${unused.join(", ")}`];
  return { exitCode: 0, text: [`${paint("green", "valid")}: ${plain(file)}`, ...note].join("\n") };
}
