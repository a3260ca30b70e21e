import { Option } from "commander";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db review",
    about:
      "Lists the rows that wait for a person: those that modern cannot hold, and those that differ; " +
      "with --settle or --settle-code, accepts rows as they are",
    example: "db review",
    options: [
      new Option("--settle <key>", "accept the row with this key, as the list shows it"),
      new Option("--settle-code <code>", "accept all rows with this code"),
      new Option("--reason <text>", "the reason, which the audit keeps"),
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
  readonly settle?: string;
  readonly settleCode?: string;
  readonly reason?: string;
  readonly actor?: string;
}

async function run(options: Options): Promise<CommandResult> {
  const { review } = await import("../../../app/database/review.ts");
  const { waiting, settled } = await review(options);
  const holds = waiting.length === 0;
  if (options.json) return jsonResult({ waiting, settled }, holds);
  const lines = waiting.flatMap(({ key, code, because, legacy, modern }) => [
    plain(`${code}  ${key}: ${because}`),
    plain(`  legacy: ${legacy ?? "no row"}`),
    plain(`  compared with: ${modern ?? "no row"}`),
  ]);
  const counts = [
    ...(settled.length === 0 ? [] : [`${settled.length} accepted`]),
    holds ? "no row waits for a person" : `${waiting.length} wait for a person`,
  ];
  return { exitCode: holds ? 0 : 1, text: [...lines, counts.join("; ")].join("\n") };
}
