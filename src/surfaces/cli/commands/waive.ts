import { Argument, Option } from "commander";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "waive",
    about: "Records that a person waives a gate until a day; the waiver counts once two people have given it",
    example: 'waive memory --actor amy --until 2026-12-15 --reason "new host"',
    argument: new Argument("<gate>", "a gate that `gates` shows"),
    options: [
      new Option("--actor <name>", "the person who waives it").makeOptionMandatory(),
      new Option("--until <day>", "the last day of the waiver, at most 30 days ahead").conflicts("revoke"),
      new Option("--revoke", "ends the waivers of the gate"),
      option.reason(),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly gate: string;
  readonly actor: string;
  readonly until?: string;
  readonly revoke?: boolean;
  readonly reason: string;
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

async function run(options: Options): Promise<CommandResult> {
  const { revokeWaivers, waive } = await import("../../../app/control/gate-records.ts");
  const { gate, json, revoke } = options;
  if (revoke === true) {
    await revokeWaivers(gate, options);
    return json
      ? jsonResult({ gate, waived: false }, true)
      : { exitCode: 0, text: `no waiver of ${gate} counts now` };
  }
  const given = await waive(gate, { ...options, until: options.until ?? "" });
  if (json) return jsonResult(given, true);
  return {
    exitCode: 0,
    text: `${given.actor} waives ${gate} until ${given.until}; a waiver counts once two people have given it`,
  };
}
