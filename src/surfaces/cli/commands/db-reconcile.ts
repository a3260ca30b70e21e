import { setTimeout as sleep } from "node:timers/promises";
import { Argument, Option } from "commander";
import type { ReconcileReport } from "../../../app/commands.ts";
import { plain } from "../../../base/plain-text.ts";
import { durationMs } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, progressOn, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db reconcile",
    about:
      "Compares both databases row by row while they are written, and lists what differs; changes nothing in them",
    example: "db reconcile --kinds position,daily --csv differences.csv",
    options: [
      new Option("--kinds <names>", "kinds of rows, of trade,position,daily,price (default: all)"),
      new Option("--from <day>", "the first day, YYYY-MM-DD"),
      new Option("--to <day>", "the last day, YYYY-MM-DD"),
      new Option("--csv <file>", "write every compared figure into a CSV file"),
      new Option(
        "--plan <file>",
        "write a repair plan for the unequal rows into a file, for db repair",
      ).conflicts("follow"),
      new Option("--follow", "compare again and again, a line for each pass, until it is interrupted"),
      new Option("--every <duration>", "the pause between two passes of --follow").default("1m"),
      option.fleetConfig(),
      option.json(),
    ],
    run,
  },
  {
    name: "db repair",
    argument: new Argument("<plan>", "the file that db reconcile --plan has written"),
    about: "Does what a plan of db reconcile --plan says, to the rows that are still as they were then",
    example: "db repair repair-plan.json --dry-run",
    options: [
      new Option("--dry-run", "compare the rows with the plan, and change nothing"),
      option.actor(),
      option.fleetConfig(),
      option.json(),
    ],
    run: repair,
  },
];

interface Options {
  readonly config?: string;
  readonly json?: boolean;
  readonly kinds?: string;
  readonly from?: string;
  readonly to?: string;
  readonly csv?: string;
  readonly plan?: string;
  readonly follow?: boolean;
  readonly every: string;
}

async function run(options: Options, streams: Streams): Promise<CommandResult> {
  const { reconcileDatabases } = await import("../../../app/database/reconcile-command.ts");
  if (options.follow === true) return follow(options, streams);
  const progress = progressOn(streams.err);
  const report = await reconcileDatabases({ ...options, onProgress: progress.report }).finally(progress.done);
  if (options.json) return jsonResult(report, report.ok);
  return { exitCode: report.ok ? 0 : 1, text: textOf(report, colourful(streams.out)) };
}

/** Ends at SIGINT and SIGTERM, with the exit code of the last pass. */
async function follow(options: Options, streams: Streams): Promise<CommandResult> {
  const { reconcileDatabases } = await import("../../../app/database/reconcile-command.ts");
  const everyMs = durationMs("--every", options.every);
  const end = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end.abort());
  let isOk = true;
  while (!end.signal.aborted) {
    const report = await reconcileDatabases(options);
    isOk = report.ok;
    streams.out.write(`${options.json ? JSON.stringify(report) : plain(lineOf(report))}\n`);
    await sleep(everyMs, undefined, { signal: end.signal }).catch(() => {});
  }
  return { exitCode: isOk ? 0 : 1, text: [] };
}

function lineOf(report: ReconcileReport): string {
  const { ok, at, position, compared, verdicts, unexplained, complete } = report;
  const differing = verdicts.diverged + verdicts.error;
  const counts = `${compared} figures compared, ${differing} differ, ${verdicts.not_comparable} cannot be compared`;
  const near = verdicts.within_tolerance > 0 ? `, ${verdicts.within_tolerance} within tolerance` : "";
  const verdict = ok
    ? "equal"
    : unexplained === 0
      ? "equal but for figures with a known reason"
      : "NOT EQUAL";
  return `${at} ${verdict} at write ${position}: ${counts}${near}${complete ? "" : "; not complete"}`;
}

const shownMax = 40;

function textOf(report: ReconcileReport, colour: boolean): string {
  const paint = painter(colour);
  const lines = [paint(report.ok ? "green" : "red", lineOf(report))];
  for (const { kind, key, field, legacy, modern, difference, verdict, cause } of report.rows.slice(
    0,
    shownMax,
  )) {
    const name = Object.entries(key)
      .map(([part, value]) => `${part} ${value}`)
      .join(", ");
    const values =
      field === "row"
        ? `legacy has ${legacy} rows, modern ${modern}`
        : `legacy ${legacy ?? "none"}, modern ${modern ?? "none"}${difference === null ? "" : `, difference ${difference}`}`;
    const why = cause === null ? verdict : `${verdict}, ${cause}`;
    lines.push(plain(`${kind} ${name}: ${field}: ${values} (${why})`));
  }
  const more = report.rows.length - Math.min(shownMax, report.rows.length) + report.rowsLeftOut;
  if (more > 0) lines.push(`${more} more; --json lists 10,000 of them, --csv all`);
  return lines.join("\n");
}

interface RepairOptions {
  readonly plan: string;
  readonly config?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
  readonly actor?: string;
}

async function repair(options: RepairOptions, { out, err }: Streams): Promise<CommandResult> {
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
  const counts = (["done", "already", "would", "skipped", "left"] as const)
    .filter((name) => count(name) > 0)
    .map((name) => `${count(name)} ${name}`);
  const end = [
    counts.length === 0 ? "the plan has no action" : counts.join(", "),
    ...(report.covered > 0 ? [`${report.covered} refused writes are settled`] : []),
    ...(report.carries ? [] : ["a restored database still waits: make a new plan for the skipped rows"]),
    ...(owed > 0 ? [`${owed} writes are still owed: pnl-bridge db status`] : []),
  ];
  return { exitCode: report.ok ? 0 : 1, text: end.join("\n") };
}
