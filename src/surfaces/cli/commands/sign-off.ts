import { Argument, Option } from "commander";
import { personName } from "../../../base/person-name.ts";
import { type Phase, phases } from "../../../domain/migration/phase.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "sign-off",
    about:
      "Records that a person approves a phase (approved) or is trained (team_trained), " +
      "or closes the window to legacy for good (legacy_window, in cleanup)",
    example: 'sign-off approved --actor amy --note "the report of Monday"',
    options: [
      new Option("--actor <name>", "the person who signs").makeOptionMandatory(),
      new Option("--note <text>", "the evidence that the person has checked").makeOptionMandatory(),
      new Option("--phase <phase>", "the phase that is approved (default: the next one)").choices(phases),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    argument: new Argument("<gate>", "approved, team_trained or legacy_window"),
    run,
  },
];

interface Options {
  readonly gate: string;
  readonly actor: string;
  readonly note: string;
  readonly phase?: Phase;
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

async function run(options: Options, _streams: Streams): Promise<CommandResult> {
  const { signOff } = await import("../../../app/control/commands.ts");
  const { gate } = options;
  const actor = personName(options.actor);
  const phase = await signOff(gate, options);
  if (options.json) return jsonResult({ gate, phase, actor }, true);
  return {
    exitCode: 0,
    text:
      gate === "legacy_window"
        ? `${actor} has closed the window to legacy: a rollback is no longer possible`
        : `${actor} has signed ${gate} for ${phase}`,
  };
}
