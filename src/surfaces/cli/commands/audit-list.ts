import { Option } from "commander";
import { plain } from "../../../base/plain-text.ts";
import { wholeNumber } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "audit list",
    about: "Prints the last rows of the audit, oldest first: time, epoch, action, actor and reason",
    example: "audit list --limit 50",
    options: [
      new Option("--limit <number>", "the number of rows (default: 20)").argParser(wholeNumber),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly limit?: number;
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

async function run({ json, ...options }: Options): Promise<CommandResult> {
  const { listAudit } = await import("../../../app/control/audit-export.ts");
  const rows = await listAudit(options);
  if (json) return jsonResult({ rows }, true);
  const lines = rows.map(({ at, epoch, action, actor, reason }) =>
    plain(`${at}  epoch ${epoch}  ${action}  ${actor}  ${reason}`.trimEnd()),
  );
  return { exitCode: 0, text: lines.join("\n") };
}
