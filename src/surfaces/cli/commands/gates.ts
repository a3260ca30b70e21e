import { Option } from "commander";
import { type Phase, phases } from "../../../domain/migration/phase.ts";
import { gatesText } from "../gates-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "gates",
    about: "Shows the gates of the next phase and whether they are open",
    example: "gates --target dual_write",
    options: [
      new Option(
        "--target <move>",
        "the phase whose gates are checked (default: the next one); ramp: a rise of modern's traffic; window: the end of the window to legacy",
      ).choices([...phases, "ramp", "window"]),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run,
  },
];

async function run(
  options: {
    readonly config?: string;
    readonly store?: string;
    readonly target?: Phase | "ramp" | "window";
    readonly json?: boolean;
  },
  { out }: Streams,
): Promise<CommandResult> {
  const { gates } = await import("../../../app/control/commands.ts");
  const found = await gates(options);
  if (options.json) return jsonResult(found, found.open);
  return { exitCode: found.open ? 0 : 1, text: gatesText(found, painter(colourful(out))) };
}
