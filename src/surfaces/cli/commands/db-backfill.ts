import { Option } from "commander";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db backfill",
    about:
      "Copies the rows of legacy's database into modern's, while both are in use; " +
      "continues where an earlier run ended",
    example: "db backfill --dry-run",
    options: [
      new Option("--dry-run", "read and map every row, and change nothing"),
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

async function run(options: Options, { err }: Streams): Promise<CommandResult> {
  const { backfill } = await import("../../../app/database/commands.ts");
  let shownMs = performance.now();
  const report = await backfill({
    ...options,
    onEvent: (event) => {
      if (options.json || performance.now() - shownMs < 1_000) return;
      if (event.kind === "progress") err.write(`${event.table}: row ${event.next} of ${event.upper}\n`);
      else if (event.kind === "waiting") err.write(`waiting: ${event.why}\n`);
      else return;
      shownMs = performance.now();
    },
  });
  const tables = Object.entries(report.tables);
  const isClean =
    report.finished && tables.every(([, { quarantined }]) => Object.keys(quarantined).length === 0);
  if (options.json) return jsonResult(report, isClean);
  const lines = tables.map(([table, { rows, imported, superseded, quarantined, lost }]) => {
    const notes = [
      ...(superseded === 0 ? [] : [`${superseded} replaced by a later price`]),
      ...Object.entries(quarantined).map(([code, count]) => `${count} wait for a person: ${code}`),
      ...Object.entries(lost).map(([column, count]) => `${count} values of ${column} are not kept`),
    ];
    const verb = options.dryRun ? "would enter" : "entered";
    return `${table}: ${rows} rows read, ${imported} ${verb} modern${notes.length === 0 ? "" : `; ${notes.join("; ")}`}`;
  });
  const end = [
    ...(tables.some(([, { rows }]) => rows > 0) && report.book === ""
      ? [
          "the rows have no book; if all rows of legacy belong to one book, " +
            "set database.legacy_book before you run the backfill",
        ]
      : []),
    ...(report.finished ? [] : ["not finished: run the command again; it continues from here"]),
  ];
  return { exitCode: isClean ? 0 : 1, text: [...lines, ...end].join("\n") };
}
