import { renderParityTable, runDemo, seedMax } from "../../../app/commands.ts";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import { type CommandResult, colourful, progressOn, type Streams, terminalWidth } from "../terminal.ts";

export async function run(
  options: { readonly keep?: string; readonly seed: string },
  { out, err }: Streams,
): Promise<CommandResult> {
  const seed = Number(options.seed);
  if (!/^\d+$/.test(options.seed) || seed > seedMax) {
    throw new BridgeError("BAD_USAGE", {
      what: `--seed must be a whole number from 0 to ${seedMax}, not ${JSON.stringify(options.seed)}`,
      mend: "write --seed 7",
    });
  }
  const progress = progressOn(err);
  const { trades, ledgers, prices, database, report } = await runDemo({ ...options, seed, onProgress: progress.report }).finally(
    progress.done,
  );
  const made = `A desk with ${trades} trades, made from seed ${seed}; the legacy desk and the modern engine ran over the same files.`;
  const again =
    options.keep === undefined
      ? ""
      : `\n\nAgain, by hand:\n  pnl-bridge replay --trades ${plain(ledgers)} --prices ${plain(prices)}\n  pnl-bridge compare --legacy sqlite:${plain(database)}`;
  const table = renderParityTable(report, { colour: colourful(out), width: terminalWidth(out), rowsMax: 12 });
  // The demo has done its job where it shows differences, so they are no failure.
  return { exitCode: 0, text: `${made}\n\n${table}${again}` };
}
