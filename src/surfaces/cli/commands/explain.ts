import { existsSync } from "node:fs";
import { Argument, Option } from "commander";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import { wholeNumber } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, progressOn, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "explain",
    about:
      "Names the proved cause of each difference of a report or of a stored comparison, its share of the " +
      "amount, and the few trades that show it",
    example: "explain ./parity/report.json --row 12",
    argument: new Argument(
      "<report>",
      "a report.json of replay or compare, or the id of a comparison that `comparisons` lists",
    ),
    options: [
      new Option(
        "--row <n>",
        "explain only the instruments that belong with this row of the report; rows count from 1",
      ).argParser(wholeNumber),
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

/** A number names a comparison, unless a file has that name. */
function run(options: ExplainOptions, streams: Streams): Promise<CommandResult> {
  const isStored = /^\d+$/.test(options.report) && !existsSync(options.report);
  return isStored ? runStored(options, streams) : runReport(options, streams);
}

async function runStored(options: ExplainOptions, streams: Streams): Promise<CommandResult> {
  const { caseFiles, explainStored, explanationDocument, renderExplanations, withAccepted, writeWhole } =
    await import("../../../app/commands.ts");
  const { noteOn } = await import("../parity-output.ts");
  if (options.row !== undefined)
    throw new BridgeError("BAD_USAGE", {
      what: "--row names a row of a report, and a comparison is explained as a whole",
      fix: "leave --row out",
    });
  const progress = progressOn(streams.err);
  progress.report("explaining");
  const found = await explainStored({ ...options, id: options.report })
    .then((explained) => withAccepted(explained, { ...options, onNote: noteOn(streams) }))
    .finally(progress.done);
  const { stored, explanations } = found;
  if (options.out !== undefined) await writeWhole(caseFiles(found, options.out, options.config));
  const document = explanationDocument(found);
  const ok = explanations.length > 0 && explanations.every(({ unexplained }) => unexplained === "0");
  if (options.json) return jsonResult(document, ok);
  const head = `comparison ${stored.id}: ${plain(stored.method)} of ${stored.at}`;
  const text =
    explanations.length === 0
      ? `  unexplained: ${document.unexplained}`
      : `\n${renderExplanations(explanations)}`;
  return { exitCode: ok ? 0 : 1, text: `${head}\n${text}` };
}

async function runReport(options: ExplainOptions, streams: Streams): Promise<CommandResult> {
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
