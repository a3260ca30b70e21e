import { Argument, Option } from "commander";
import { wholeNumber } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, progressOn, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "explain",
    about:
      "Names the proved cause of each difference of a report, its share of the amount, and the few trades " +
      "that show it",
    example: "explain ./parity/report.json --row 12",
    argument: new Argument("<report>", "a report.json of replay or compare"),
    options: [
      new Option("--row <n>", "only the component of this row of the report, from 1").argParser(wholeNumber),
      option.fleetConfig(),
      option.store(),
      option.json(),
      new Option("--out <dir>", "a folder for each explanation's trades, as ledgers that can be replayed"),
    ],
    run,
  },
];

interface ExplainOptions {
  readonly report: string;
  readonly row?: number;
  readonly json?: boolean;
  readonly out?: string;
  readonly config?: string;
  readonly store?: string;
}

async function run(options: ExplainOptions, streams: Streams): Promise<CommandResult> {
  const { explainReport, renderExplanations, withAccepted, witnessFiles, writeWhole } = await import(
    "../../../app/commands.ts"
  );
  const { noteOn } = await import("../parity-output.ts");
  const progress = progressOn(streams.err);
  const { explanations, inputs } = await explainReport({ ...options, onProgress: progress.report })
    .then((found) => withAccepted(found, { ...options, onNote: noteOn(streams) }))
    .finally(progress.done);
  if (options.out !== undefined)
    await writeWhole(witnessFiles(explanations, inputs, options.out), [options.report]);
  const ok = explanations.every(({ unexplained }) => unexplained === "0");
  if (options.json)
    return jsonResult((options.row === undefined ? undefined : explanations[0]) ?? explanations, ok);
  return { exitCode: ok ? 0 : 1, text: renderExplanations(explanations) };
}
