import { Argument, Option } from "commander";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, progressOn, type Streams } from "../terminal.ts";
import { twoWorkbooks } from "../two-workbooks.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "report diff",
    about:
      "Compares any two Excel workbooks: sheets by name, columns by header, rows by key. " +
      "Each difference has a class, both stored texts and a cause.",
    example: "report diff legacy.xlsx modern.xlsx --html diff.html",
    argument: new Argument("<workbooks...>", "two .xlsx files; the first is legacy's"),
    options: [
      option.config(),
      option.json(),
      new Option("--html <file>", "a file for the comparison as one page"),
    ],
    run,
  },
];

interface DiffCommandOptions {
  readonly workbooks: readonly string[];
  readonly config?: string;
  readonly json?: boolean;
  readonly html?: string;
}

async function run(options: DiffCommandOptions, streams: Streams): Promise<CommandResult> {
  const { json, html } = options;
  const workbooks = twoWorkbooks("report diff", options.workbooks);
  const [legacy, modern] = workbooks;
  const { checkTargets, loadConfigOrDefault, renderReportDiff, renderReportDiffPage, writeWhole } =
    await import("../../../app/commands.ts");
  const { diffReports } = await import("../../../app/reports/diff.ts");
  if (html !== undefined) await checkTargets([html], workbooks);
  const { config, note } = await loadConfigOrDefault(options.config);
  if (note !== undefined) streams.err.write(`${plain(note)}\n`);
  const progress = progressOn(streams.err);
  progress.report("comparing the workbooks");
  const diff = await diffReports(workbooks, config).finally(progress.done);
  if (html !== undefined)
    await writeWhole(new Map([[html, renderReportDiffPage(diff, { legacy, modern })]]), workbooks);
  if (json) return jsonResult(diff, diff.ok);
  return {
    exitCode: diff.ok ? 0 : 1,
    text: renderReportDiff(diff, { legacy, modern }, { colour: colourful(streams.out) }),
  };
}
