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
    new Option("--dry-run", "judge the gates and say what would change, and change nothing"),
    new Option("--from <phase>", "a conflict where the phase is another").choices(phases),
    new Option("--epoch <number>", "a conflict where the plan has another epoch").argParser(wholeNumber),
    option.fleetConfig(),
    option.store(),
    option.json(),
  ],
  run,
};

export const commands: readonly CommandSpec[] = [
  { ...move, name: "phase advance", about: "one phase forward, through its gates", fixed: { move: "advance" } },
  { ...move, name: "phase retreat", about: "one phase back", fixed: { move: "retreat" } },
  {
    ...move,
    name: "phase set",
    about: "to an earlier phase, the next one, or the present one again, which takes modern back into use",
    argument: new Argument("<phase>", "a phase").choices(phases),
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
  const result = await movePhase(move === "set" ? { kind: "set", phase: phase as Phase } : { kind: move }, options);
  const holds = result.moved || (options.dryRun === true && result.gates?.open !== false);
  if (options.json) return jsonResult(result, holds);
  const paint = painter(colourful(out));
  const { from, target, epoch, gates, set } = result;
  const way = from === target ? `${target}, modern in use` : `${from} → ${target}`;
  const head = result.moved
    ? paint("green", `${way}, epoch ${epoch}`)
    : options.dryRun === true
      ? `dry run: ${way} would change ${Object.entries(set)
          .map(([name, value]) => `${name} to ${JSON.stringify(value)}`)
          .join(", ")}`
      : paint("red", `${way}: not moved, a gate is closed; the phase is still ${from}`);
  return { exitCode: holds ? 0 : 1, text: [...(gates === undefined ? [] : [gatesText(gates, paint)]), head].join("\n") };
}
