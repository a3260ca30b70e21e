import { compareStored, loadConfigOrDefault } from "../../../app/commands.ts";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import { type CommandResult, progressOn, type Streams } from "../terminal.ts";
import { checkedInputs, type ParityCommandOptions, parityResult } from "./replay.ts";

export async function run(options: ParityCommandOptions & { readonly legacy: string }, streams: Streams): Promise<CommandResult> {
  const [, database] = /^sqlite:(?:\/\/)?(.+)$/.exec(options.legacy) ?? [];
  if (database === undefined) {
    throw new BridgeError("BAD_USAGE", {
      what: `--legacy must name a SQLite file, not ${JSON.stringify(options.legacy)}`,
      mend: "write --legacy sqlite:./pnl_tracker.db",
    });
  }
  const progress = progressOn(streams.err);
  const { config, note } = await loadConfigOrDefault(options.config);
  const inputs = await checkedInputs(options.out, { config: options.config, database });
  const { report, notes } = await compareStored({ ...options, database, config, onProgress: progress.report }).finally(
    progress.done,
  );
  for (const line of [...(note === undefined ? [] : [note]), ...notes]) streams.err.write(`${plain(line)}\n`);
  return parityResult(report, options, inputs, streams);
}
