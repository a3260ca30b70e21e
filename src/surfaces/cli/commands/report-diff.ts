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
      new Option("--xlsx <file>", "a file for the comparison as a workbook, a row for each difference"),
    ],
    run,
  },
];

interface DiffCommandOptions {
  readonly workbooks: readonly string[];
  readonly config?: string;
  readonly json?: boolean;
  readonly html?: string;
  readonly xlsx?: string;
}

async function run(options: DiffCommandOptions, streams: Streams): Promise<CommandResult> {
  const { json, html, xlsx } = options;
  const workbooks = twoWorkbooks("report diff", options.workbooks);
  const [legacy, modern] = workbooks;
  const { checkTargets, loadConfigOrDefault, renderReportDiff, renderReportDiffPage, writeWhole } =
    await import("../../../app/commands.ts");
  const { checkUnlocked, diffReports, diffWorkbookBytes, keepHeapSmall } = await import(
    "../../../app/reports/diff.ts"
  );
  // Reading drops most of the objects that it makes. With 100,000 rows a side this saves 60 MB.
  keepHeapSmall();
  const targets = [html, xlsx].filter((path) => path !== undefined);
  await checkTargets(targets, workbooks);
  if (xlsx !== undefined) await checkUnlocked(xlsx);
  const { config, note } = await loadConfigOrDefault(options.config);
  if (note !== undefined) streams.err.write(`${plain(note)}\n`);
  const progress = progressOn(streams.err);
  progress.report("comparing the workbooks");
  const diff = await diffReports(workbooks, config).finally(progress.done);
  const files = new Map<string, string | Uint8Array>();
  if (html !== undefined) files.set(html, renderReportDiffPage(diff, { legacy, modern }));
  if (xlsx !== undefined) files.set(xlsx, await diffWorkbookBytes(diff, { legacy, modern }));
  await writeWhole(files, workbooks);
  if (json) return jsonResult(diff, diff.ok);
  return {
    exitCode: diff.ok ? 0 : 1,
    text: renderReportDiff(diff, { legacy, modern }, { colour: colourful(streams.out) }),
  };
}
