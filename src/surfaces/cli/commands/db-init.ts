import { Option } from "commander";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db init",
    about: "Creates the tables of the database bridge in both databases; existing tables stay as they are",
    example: "db init --config pnl_migration_config.yaml",
    options: [
      new Option("--dry-run", "print the tables that would be created, and create nothing"),
      option.fleetConfig(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly config?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

async function run(options: Options): Promise<CommandResult> {
  const { initDatabases, plannedTables } = await import("../../../app/database/init.ts");
  if (options.dryRun) {
    const planned = await plannedTables(options);
    if (options.json) return jsonResult({ planned }, true);
    const lines = planned.map(({ side, where, tables }) =>
      tables.length === 0 ? `${side}: ${where} is ready` : `${side}: ${where} would get ${tables.join(", ")}`,
    );
    return { exitCode: 0, text: lines.join("\n") };
  }
  const report = await initDatabases(options);
  if (options.json) return jsonResult(report, true);
  const { authority, epoch } = report;
  return {
    exitCode: 0,
    text: `both databases are ready; ${authority} is authoritative, epoch ${epoch}`,
  };
}
