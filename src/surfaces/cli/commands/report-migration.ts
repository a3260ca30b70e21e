import { Option } from "commander";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "report migration",
    about:
      "Writes the state of the migration as one page for a steering committee: the checklist of the next phase, " +
      "its evidence, user impact, moves, sign-offs, waivers and risks",
    example: "report migration --out migration.html",
    options: [
      new Option("--out <file>", "the HTML file to write").makeOptionMandatory(),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly out: string;
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

async function run({ json, ...options }: Options): Promise<CommandResult> {
  const { writeMigrationReport } = await import("../../../app/control/migration-report.ts");
  const report = await writeMigrationReport(options);
  if (json) return jsonResult(report, true);
  const { phase, gates, target } = report;
  const shut = gates.filter(({ open }) => !open).length;
  const next = target === null ? "" : `, ${shut} of the ${gates.length} gates before ${target} are not open`;
  return { exitCode: 0, text: `wrote ${plain(options.out)}: ${phase}${next}` };
}
