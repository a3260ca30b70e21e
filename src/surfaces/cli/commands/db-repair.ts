import { Argument, Option } from "commander";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db repair",
    argument: new Argument("<plan>", "the file that db reconcile --plan has written"),
    about: "Executes a repair plan of db reconcile --plan on the rows that have not changed since",
    example: "db repair repair-plan.json --dry-run",
    options: [
      new Option("--dry-run", "compare the rows with the plan, and change nothing"),
      option.actor(),
      option.fleetConfig(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly plan: string;
  readonly config?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly actor?: string;
}

const resultWords = {
  done: "repaired",
  already: "already repaired",
  would: "would be repaired",
  skipped: "skipped",
  left: "left as it is",
};

async function run(options: Options, { out, err }: Streams): Promise<CommandResult> {
  const { repairDatabases } = await import("../../../app/database/repair.ts");
  const paint = painter(colourful(out));
  const lines: string[] = [];
  const { owed, ...report } = await repairDatabases({
    ...options,
    onResult: ({ kind, key, do: verb, result, because }) => {
      const row = `${kind} ${Object.values(key).join(" ")}`;
      const line = plain(`${result}: ${verb}: ${row}${because === "" ? "" : `: ${because}`}`);
      lines.push(result === "skipped" ? paint("red", line) : line);
      if (!options.json) err.write(`${lines.length} ${line}\n`);
    },
  });
  if (options.json) return jsonResult({ ...report, owed }, report.ok);
  const count = (name: string) => report.results.filter(({ result }) => result === name).length;
  const counts = Object.entries(resultWords)
    .filter(([name]) => count(name) > 0)
    .map(([name, words]) => `${count(name)} ${words}`);
  const end = [
    counts.length === 0 ? "the plan has no action" : counts.join(", "),
    ...(report.covered > 0 ? [`${report.covered} refused writes are settled`] : []),
    ...(report.carries
      ? []
      : [
          options.dryRun
            ? "no write is carried until the plan is executed, since a database was restored"
            : "no write is carried until the restored database is repaired: make a new plan for the skipped rows",
        ]),
    ...(owed > 0 ? [`${owed} writes are still owed; look at them with \`pnl-bridge db status\``] : []),
  ];
  return { exitCode: report.ok ? 0 : 1, text: end.join("\n") };
}
