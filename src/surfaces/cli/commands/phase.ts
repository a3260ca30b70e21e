import { movePhase } from "../../../app/control/commands.ts";
import type { Phase } from "../../../domain/migration/phase.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";
import { gatesText } from "./gates-text.ts";

interface Options {
  readonly move: "advance" | "retreat" | "set";
  readonly phase?: Phase;
  readonly config?: string;
  readonly store?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export async function run(options: Options, { out }: Streams): Promise<CommandResult> {
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
