import { setTimeout as sleep } from "node:timers/promises";
import { Option } from "commander";
import type { ReconcileReport } from "../../../app/commands.ts";
import { lineOf as messageLine } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import { durationMs } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, progressOn, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "db reconcile",
    about:
      "Compares both databases row by row while they are written, and lists the differences; " +
      "changes nothing in them",
    example: "db reconcile --kinds position,daily --csv differences.csv",
    options: [
      new Option("--kinds <names>", "kinds of rows, some of trade,position,daily,price (default: all)"),
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
  await noteForGates(options, report, streams);
  if (options.json) return jsonResult(report, report.ok);
  return { exitCode: report.ok ? 0 : 1, text: textOf(report, colourful(streams.out)) };
}

/**
 * A pass of `--follow` is noted if its result differs from the last noted one, or after this time. The gate
 * `nothing_lost` accepts a pass of the last fifteen minutes.
 */
const notedMs = 300_000;

/** Notes a pass for the gates. If that fails, it only prints why, as the result of the pass matters more. */
async function noteForGates(options: Options, report: ReconcileReport, { err }: Streams): Promise<void> {
  const { noteReconcile } = await import("../../../app/database/reconcile-command.ts");
  await noteReconcile(options, report).catch((failure) => {
    err.write(`${plain(`the pass is not noted for the gates: ${messageLine(failure)}`)}\n`);
  });
}

/** Ends at SIGINT and SIGTERM, with the exit code of the last pass. */
async function follow(options: Options, streams: Streams): Promise<CommandResult> {
  const { reconcileDatabases } = await import("../../../app/database/reconcile-command.ts");
  const everyMs = durationMs("--every", options.every);
  const end = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => end.abort());
  let isOk = true;
  let noted = { ok: false, atMs: Number.NEGATIVE_INFINITY };
  while (!end.signal.aborted) {
    const report = await reconcileDatabases(options);
    isOk = report.ok;
    if (isOk !== noted.ok || performance.now() - noted.atMs >= notedMs) {
      await noteForGates(options, report, streams);
      noted = { ok: isOk, atMs: performance.now() };
    }
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
      ? "equal except for figures with a known reason"
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
  const are = more === 1 ? "row is" : "rows are";
  if (more > 0) lines.push(`${more} more ${are} not shown; --json lists up to 10,000 rows, --csv all`);
  return lines.join("\n");
}
