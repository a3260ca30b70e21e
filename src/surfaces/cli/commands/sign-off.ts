import { signOff } from "../../../app/control/commands.ts";
import type { Phase } from "../../../domain/migration/phase.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";

interface Options {
  readonly gate: string;
  readonly actor: string;
  readonly note: string;
  readonly phase?: Phase;
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

export async function run(options: Options, _streams: Streams): Promise<CommandResult> {
  const { gate, actor } = options;
  const phase = await signOff(gate, options);
  if (options.json) return jsonResult({ gate, phase, actor }, true);
  return {
    exitCode: 0,
    text:
      gate === "legacy_window"
        ? `${actor} has closed the window to legacy: there is no way back now`
        : `${actor} has signed ${gate} for ${phase}`,
  };
}
