import { Option } from "commander";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import { sqliteFile } from "../../../base/store-address.ts";
import * as option from "../options.ts";
import type { ParityCommandOptions } from "../parity-output.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, progressOn, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "compare",
    about:
      "Recomputes the trades in a desk's own database with modern and compares the results " +
      "with the stored ones; only reads the database",
    example: "compare --legacy sqlite:./pnl_tracker.db --out ./parity",
    options: [
      new Option("--legacy <sqlite:file>", "the desk's pnl_tracker.db").makeOptionMandatory(),
      option.config(),
      option.method(),
      option.dayRule(),
      option.explain(),
      option.json(),
      option.out(),
    ],
    run,
  },
];

async function run(
  options: ParityCommandOptions & { readonly legacy: string },
  streams: Streams,
): Promise<CommandResult> {
  const { compareStored, loadConfigOrDefault } = await import("../../../app/commands.ts");
  const { checkedInputs, parityResult } = await import("../parity-output.ts");
  const database = sqliteFile(options.legacy);
  if (database === undefined) {
    throw new BridgeError("BAD_USAGE", {
      what:
        `--legacy must be sqlite:FILE (FILE must not begin with ~), ` +
        `not ${JSON.stringify(options.legacy)}`,
      fix: "write --legacy sqlite:./pnl_tracker.db",
    });
  }
  const progress = progressOn(streams.err);
  const { config, note } = await loadConfigOrDefault(options.config);
  const inputs = await checkedInputs(options.out, { config: options.config, database });
  const { report, notes } = await compareStored({
    ...options,
    database,
    config,
    configFile: options.config,
    onProgress: progress.report,
  }).finally(progress.done);
  for (const line of [...(note === undefined ? [] : [note]), ...notes]) streams.err.write(`${plain(line)}\n`);
  return parityResult(report, options, inputs, streams);
}
