import { Option } from "commander";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, progressOn, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "report daily",
    about:
      "Writes the Excel report of a day from the system that the plan names, and the exact figures beside it " +
      "as JSON",
    example: "report daily --date 2025-07-24 --out daily.xlsx",
    options: [
      option.reportDay(),
      new Option("--out <file>", "the workbook to write").makeOptionMandatory(),
      new Option("--side <side>", "the system whose report is written; active is the one that the plan names")
        .choices(["legacy", "modern", "active"])
        .default("active"),
      new Option("--user <name>", "the user who gets the report"),
      new Option("--trades <path...>", "ledger CSV files, or folders of them (default: watch.trade_ledger)"),
      new Option("--prices <path...>", "price CSV files, or folders of them (default: watch.market_prices)"),
      option.marks(),
      new Option("--legacy-workbook <file>", "legacy's own workbook of the day, taken as it is"),
      option.fleetConfig(),
      option.json(),
    ],
    run: daily,
  },
];

interface DailyCommandOptions {
  readonly date: string;
  readonly out: string;
  readonly side: "legacy" | "modern" | "active";
  readonly json?: boolean;
}

async function daily(options: DailyCommandOptions, streams: Streams): Promise<CommandResult> {
  const { renderDailyResult, writeDailyReport } = await import("../../../app/reports/commands.ts");
  const progress = progressOn(streams.err);
  const result = await writeDailyReport({ ...options, onProgress: progress.report }).finally(progress.done);
  const isWhole = result.refused.length === 0;
  if (options.json) return jsonResult(result, isWhole);
  return { exitCode: isWhole ? 0 : 1, text: renderDailyResult(result) };
}
