import { Argument, Option } from "commander";
import { type Phase, phases } from "../../../domain/migration/phase.ts";
import { wholeNumber } from "../arguments.ts";
import { gatesText } from "../gates-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

const move = {
  options: [
    option.reason(),
    option.actor(),
    new Option("--dry-run", "print the gates and the values that would change, and change nothing"),
    new Option("--from <phase>", "move only from this phase").choices(phases),
    new Option("--epoch <number>", "move only if the plan has this epoch").argParser(wholeNumber),
    option.fleetConfig(),
    option.store(),
    option.json(),
  ],
  run,
};

export const commands: readonly CommandSpec[] = [
  {
    ...move,
    name: "phase advance",
    about: "Moves one phase forward, if its gates are open",
    example: 'phase advance --dry-run --reason "a week without a difference"',
    fixed: { move: "advance" },
  },
  {
    ...move,
    name: "phase retreat",
    about: "Moves one phase back",
    example: 'phase retreat --reason "month end"',
    fixed: { move: "retreat" },
  },
  {
    ...move,
    name: "phase set",
    about:
      "Moves to an earlier phase or to the next one; naming the present phase takes modern back into use",
    example: 'phase set dual_write --reason "the fault of yesterday is fixed"',
    argument: new Argument("<phase>", "the phase to move to").choices(phases),
    fixed: { move: "set" },
  },
];

interface Options {
  readonly move: "advance" | "retreat" | "set";
  readonly phase?: Phase;
  readonly config?: string;
  readonly store?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly dryRun?: boolean;
  readonly from?: Phase;
  readonly epoch?: number;
  readonly json?: boolean;
}

async function run(options: Options, { out }: Streams): Promise<CommandResult> {
  const { movePhase } = await import("../../../app/control/commands.ts");
  const { move, phase } = options;
  const result = await movePhase(
    move === "set" ? { kind: "set", phase: phase as Phase } : { kind: move },
    options,
  );
  const holds = result.moved || (options.dryRun === true && result.gates?.open !== false);
  if (options.json) return jsonResult(result, holds);
  const paint = painter(colourful(out));
  const { from, target, epoch, gates, set, authority } = result;
  const way = from === target ? `${target}, modern in use` : `${from} → ${target}`;
  const head = result.moved
    ? paint("green", `${way}, epoch ${epoch}`)
    : options.dryRun === true
      ? `dry run: ${way} would change ${Object.entries(set)
          .map(([name, value]) => `${name} to ${JSON.stringify(value)}`)
          .join(", ")}`
      : paint(
          "red",
          authority?.open === false
            ? `${way}: not moved, because the authority over the records did not move: ${authority.why}`
            : `${way}: not moved, a gate is closed; the phase is still ${from}`,
        );
  const records = authority?.open === true ? [`records: ${authority.why}`] : [];
  return {
    exitCode: holds ? 0 : 1,
    text: [...(gates === undefined ? [] : [gatesText(gates, paint)]), head, ...records].join("\n"),
  };
}
