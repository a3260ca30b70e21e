import { Argument, Option } from "commander";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "evidence add",
    about:
      "Records a result file of tests, benchmarks, memory, a scrape or an alert in the audit, for the gates",
    example: "evidence add .node/tests.json --actor amy",
    argument: new Argument("<file>", "a result file: JSON with kind, at, build and counts (docs/gates.md)"),
    options: [
      new Option("--actor <name>", "the person who records it").makeOptionMandatory(),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly file: string;
  readonly actor: string;
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

async function run(options: Options): Promise<CommandResult> {
  const { addEvidence } = await import("../../../app/control/gate-records.ts");
  const added = await addEvidence(options.file, options);
  if (options.json) return jsonResult(added, true);
  const build = added.build === null ? "" : ` of build ${added.build}`;
  return { exitCode: 0, text: `recorded ${added.kind}${build}, SHA-256 ${added.sha256}` };
}
