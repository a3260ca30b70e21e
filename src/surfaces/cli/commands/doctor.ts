import { Option } from "commander";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "doctor",
    about: "Checks this machine, a configuration, and optionally a system",
    example: "doctor --system legacy --config pnl_migration_config.yaml",
    options: [
      option.config(),
      new Option("--system <side>", "run the checks that every system must pass on this system").choices([
        "legacy",
        "modern",
      ]),
      new Option(
        "--write-adapter <file>",
        "write the first draft of a Python adapter for this system; needs --system",
      ),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly config?: string;
  readonly system?: "legacy" | "modern";
  readonly writeAdapter?: string;
  readonly json?: boolean;
}

async function run(options: Options, { out }: Streams): Promise<CommandResult> {
  const { examine, examineSystem } = await import("../../../app/commands.ts");
  const { config, system, writeAdapter } = options;
  if (system === undefined && writeAdapter !== undefined)
    throw new BridgeError("BAD_USAGE", {
      what: "--write-adapter needs --system",
      fix: "add --system legacy",
    });
  const findings = await (system === undefined
    ? examine(config)
    : examineSystem(system, config, writeAdapter));
  // A system's module may hold a timer or a socket that keeps this process alive. So the process ends a
  // second later, when the findings are printed.
  if (options.system !== undefined) setTimeout(() => process.exit(), 1_000).unref();
  const fine = findings.every(({ ok }) => ok);
  if (options.json) return jsonResult({ ok: fine, findings }, fine);
  const paint = painter(colourful(out));
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.map(
    ({ check, ok, detail }) =>
      `${ok ? paint("green", "ok  ") : paint("red", "FAIL")}  ${check.padEnd(width)}  ${plain(detail)}`,
  );
  return { exitCode: fine ? 0 : 1, text: lines.join("\n") };
}
