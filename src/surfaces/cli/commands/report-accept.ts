import { Argument, Option } from "commander";
import { BridgeError } from "../../../base/errors.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "report accept",
    about:
      "Accepts the differences of two reports of a day. The acceptance is bound to their content: other content voids it",
    example: 'report accept a.xlsx b.xlsx --date 2025-07-24 --reason "strikes"',
    argument: new Argument("<workbooks...>", "legacy's workbook, then modern's"),
    options: [
      new Option("--date <day>", "the day of the report, such as 2025-07-24").makeOptionMandatory(),
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

async function run(options: AcceptCommandOptions, _: Streams): Promise<CommandResult> {
  const [legacy, modern, ...others] = options.workbooks;
  if (legacy === undefined || modern === undefined || others.length > 0)
    throw new BridgeError("BAD_USAGE", {
      what: `report accept takes two workbooks, not ${options.workbooks.length}`,
      fix: "name legacy's workbook and then modern's",
    });
  const { acceptReport, renderAcceptance } = await import("../../../app/commands.ts");
  const accepted = await acceptReport({ ...options, workbooks: [legacy, modern] });
  return options.json ? jsonResult(accepted, true) : { exitCode: 0, text: renderAcceptance(accepted) };
}
