import { Option } from "commander";
import type { RehearsedPage } from "../../../app/rehearsal/page.ts";
import { plain } from "../../../base/plain-text.ts";
import { stateText } from "../gates-text.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, progressOn, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "rehearse",
    about:
      "Plays a desk's own history day by day, in simulated time, through all phases of the migration: " +
      "ends in cleanup, or says on which day and at which gate it would have stopped",
    example: "rehearse --trades ./trade_ledger --prices ./market_prices",
    options: [
      option.trades(),
      option.prices(),
      option.config(),
      new Option("--from <day>", "the first day that is played; earlier days count as replayed beforehand"),
      new Option("--to <day>", "the last day that is played"),
      new Option("--legacy-rows <file>", "a JSON file with the rows of a legacy system of your own"),
      new Option("--modern-rows <file>", "a JSON file with the rows of a modern system of your own"),
      option.json(),
      new Option("--out <file>", "the page for people, FILE.html (default: a temporary file)"),
    ],
    run,
  },
];

interface RehearseCommandOptions {
  readonly trades: readonly string[];
  readonly prices?: readonly string[];
  readonly config?: string;
  readonly from?: string;
  readonly to?: string;
  readonly legacyRows?: string;
  readonly modernRows?: string;
  readonly json?: boolean;
  readonly out?: string;
}

async function run(options: RehearseCommandOptions, streams: Streams): Promise<CommandResult> {
  const { loadConfigOrDefault } = await import("../../../app/commands.ts");
  const { rehearseToPage } = await import("../../../app/rehearsal/page.ts");
  const { config, note } = await loadConfigOrDefault(options.config);
  if (note !== undefined) streams.err.write(`${plain(note)}\n`);
  const progress = progressOn(streams.err);
  const rehearsed = await rehearseToPage({
    ...options,
    config,
    configFile: options.config,
    onProgress: progress.report,
  }).finally(progress.done);
  const { rehearsal } = rehearsed;
  if (options.json === true) return jsonResult({ ...rehearsal, report: rehearsed.report }, rehearsal.ok);
  return { exitCode: rehearsal.ok ? 0 : 1, text: textOf(rehearsed, painter(colourful(streams.out))) };
}

type Paint = ReturnType<typeof painter>;

function* textOf({ rehearsal, page, report }: RehearsedPage, paint: Paint): Generator<string> {
  yield `${page.title}\n`;
  for (const { when, what, gates } of page.timeline) {
    yield `${when}  ${plain(what)}\n`;
    yield* gatesText(gates, paint);
  }
  yield paint(rehearsal.ok ? "green" : "red", `${page.outcome}\n`);
  yield* gatesText(page.waiting, paint);
  yield `assumed, not measured:\n${page.assumed.map((line) => `  ${line}\n`).join("")}`;
  yield `page: ${plain(report)}`;
}

function* gatesText(gates: RehearsedPage["page"]["waiting"], paint: Paint): Generator<string> {
  const width = Math.max(...gates.map(({ name }) => name.length));
  for (const gate of gates) {
    const mark = gate.simulated ? " (simulated)" : "";
    yield `    ${stateText(gate, paint)}  ${gate.name.padEnd(width)}  ${plain(gate.why)}${mark}\n`;
  }
}
