import { Argument } from "commander";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";
import { twoWorkbooks } from "../two-workbooks.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "report accept",
    about:
      "Accepts the differences of two reports of a day. The acceptance is bound to their content: other content voids it",
    example: 'report accept a.xlsx b.xlsx --date 2025-07-24 --reason "strikes"',
    argument: new Argument("<workbooks...>", "legacy's workbook, then modern's"),
    options: [
      option.reportDay(),
      option.reason(),
      option.actor(),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run,
  },
];

interface AcceptCommandOptions {
  readonly workbooks: readonly string[];
  readonly date: string;
  readonly reason: string;
  readonly actor?: string;
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

async function run(options: AcceptCommandOptions): Promise<CommandResult> {
  const workbooks = twoWorkbooks("report accept", options.workbooks);
  const { acceptReport, renderAcceptance } = await import("../../../app/reports/commands.ts");
  const accepted = await acceptReport({ ...options, workbooks });
  return options.json ? jsonResult(accepted, true) : { exitCode: 0, text: renderAcceptance(accepted) };
}
