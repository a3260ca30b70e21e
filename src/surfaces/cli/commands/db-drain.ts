import { Option } from "commander";
import { BridgeError } from "../../../base/errors.ts";
import { durationMs } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db drain",
    about:
      "Sends the writes that one database owes the other, parked ones included; exits 1 if any are still owed. With --abandon, legacy accepts writes at once although modern's database is dead",
    example: "db drain --timeout 30s",
    options: [
      new Option("--timeout <duration>", "how long to try, such as 30s or 5m").default("30s"),
      new Option(
        "--abandon",
        "make legacy authoritative without modern's database: the first call records the request, and the same call by a second person within an hour carries it out; the writes that legacy lacks wait for a person once that database is back",
      ),
      new Option("--lost", "with --abandon: give up the abandoned database, which never returns"),
      new Option("--reason <text>", "with --abandon: the reason, recorded in the audit"),
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
  readonly timeout: string;
  readonly abandon?: boolean;
  readonly lost?: boolean;
  readonly reason?: string;
  readonly actor?: string;
}

async function run(options: Options): Promise<CommandResult> {
  if (options.abandon) return abandon(options);
  if (options.lost)
    throw new BridgeError("BAD_USAGE", {
      what: "--lost says that an abandoned database never returns",
      fix: "write it together with --abandon",
    });
  const { drainDatabases } = await import("../../../app/database/commands.ts");
  const timeoutMs = durationMs("--timeout", options.timeout);
  const report = await drainDatabases({ ...options, timeoutMs });
  const { drained, owed, to, why } = report;
  if (options.json) return jsonResult(report, drained);
  return {
    exitCode: drained ? 0 : 1,
    text: drained
      ? `${to} has every write`
      : (why ?? `${owed} writes are still owed to ${to}; look at them with \`pnl-bridge db status\``),
  };
}

async function abandon({ reason = "", lost = false, ...options }: Options): Promise<CommandResult> {
  const command = await import("../../../app/database/abandon.ts");
  const report = await command.abandon({ ...options, reason, lost });
  const { state, epoch, quarantined } = report;
  const isDone = state !== "requested";
  if (options.json) return jsonResult(report, isDone);
  const texts: Readonly<Record<typeof state, string>> = {
    requested: "recorded: a second person must give the same command within an hour",
    abandoned: `legacy is authoritative, epoch ${epoch}, and takes writes; the writes that modern's database owes it are settled when that database is back`,
    returned: `modern's database is back; ${quarantined} of its writes never reached legacy and wait for a person`,
    given_up: "modern's database is given up; its writes that legacy lacks are lost",
  };
  return { exitCode: isDone ? 0 : 1, text: texts[state] };
}
