import { Option } from "commander";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, progressOn, type Streams, terminalWidth } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "demo",
    about:
      "Makes a small desk with trades and prices, runs both systems over it, and prints the parity table; then writes two databases at once and kills the writer; then serves the page over a living desk until ctrl-C",
    example: "demo --once",
    options: [
      new Option("--once", "end after the comparisons, without the living desk and its page"),
      new Option("--keep <dir>", "keep the desk in this new folder"),
      new Option("--seed <number>", "the seed of the random trades and prices").default("1"),
    ],
    run,
  },
];

async function run(
  options: { readonly keep?: string; readonly once?: true; readonly seed: string },
  streams: Streams,
): Promise<CommandResult> {
  const { out, err } = streams;
  const { renderParityTable, runDemo, runLivingDemo, seedMax } = await import("../../../app/commands.ts");
  const seed = Number(options.seed);
  if (!/^\d+$/.test(options.seed) || seed > seedMax) {
    throw new BridgeError("BAD_USAGE", {
      what: `--seed must be a whole number from 0 to ${seedMax}, not ${JSON.stringify(options.seed)}`,
      fix: "write --seed 7",
    });
  }
  const progress = progressOn(err);
  const { trades, ledgers, prices, database, report, dualWrite } = await runDemo({
    ...options,
    seed,
    onProgress: progress.report,
  }).finally(progress.done);
  const made =
    `A desk with ${trades} trades, made from seed ${seed}; ` +
    "the legacy desk and the modern engine ran over the same files.";
  const again =
    options.keep === undefined
      ? ""
      : [
          "\n\nRun these comparisons yourself:",
          `  pnl-bridge replay --trades ${plain(ledgers)} --prices ${plain(prices)}`,
          `  pnl-bridge compare --legacy sqlite:${plain(database)}`,
        ].join("\n");
  const table = renderParityTable(report, { colour: colourful(out), width: terminalWidth(out), rowsMax: 12 });
  const pair =
    `two databases: ${dualWrite.trades} trades are in both, each once, although the process that wrote them was ` +
    `killed (SIGKILL) after ${dualWrite.killedAfter}; ${dualWrite.differing} of ${dualWrite.compared} figures differ`;
  const text = `${made}\n\n${table}\n\n${pair}${again}`;
  if (options.once !== true) {
    out.write(`${text}\n\n`);
    const { serveDemo } = await import("../serving.ts");
    await runLivingDemo({ ...options, seed }, (desk) => serveDemo(desk, streams));
    return { exitCode: 0, text: "", endsLines: true };
  }
  // The demo is made to show differences, so they are not a failure.
  return { exitCode: 0, text };
}
