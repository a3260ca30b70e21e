import { Option } from "commander";
import type { Side } from "../../../domain/migration/phase.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db cutover",
    about: "Moves the authority to the database that the phase requires; if a step fails, nothing changes",
    example: 'db cutover --to modern --reason "a second try"',
    options: [
      new Option("--to <side>", "the database that becomes authoritative")
        .choices(["legacy", "modern"])
        .makeOptionMandatory(),
      option.reason(),
      option.actor(),
      option.fleetConfig(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly config?: string;
  readonly json?: boolean;
  readonly to: Side;
  readonly reason: string;
  readonly actor?: string;
}

async function run(options: Options, { out, err }: Streams): Promise<CommandResult> {
  const { cutOver } = await import("../../../app/database/commands.ts");
  const report = await cutOver({
    ...options,
    onRung: (rung) => {
      if (!options.json) err.write(`${rung}\n`);
    },
  });
  const { moved, authority, epoch, failed, heldMs } = report;
  if (options.json) return jsonResult(report, moved);
  const paint = painter(colourful(out));
  return {
    exitCode: moved ? 0 : 1,
    text: moved
      ? paint(
          "green",
          `${authority} is authoritative, epoch ${epoch}; writes were held back for ${heldMs} ms`,
        )
      : paint(
          "red",
          `not moved: ${failed?.why} (at ${failed?.rung}); ${authority} is authoritative as before`,
        ),
  };
}
