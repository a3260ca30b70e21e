import { Option } from "commander";
import type { Rehearsal, RehearsedDay } from "../../../app/rehearsal/rehearse.ts";
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
}

async function run(options: RehearseCommandOptions, streams: Streams): Promise<CommandResult> {
  const { loadConfigOrDefault } = await import("../../../app/commands.ts");
  const { rehearse } = await import("../../../app/rehearsal/rehearse.ts");
  const { config, note } = await loadConfigOrDefault(options.config);
  if (note !== undefined) streams.err.write(`${plain(note)}\n`);
  const progress = progressOn(streams.err);
  const rehearsal = await rehearse({
    ...options,
    config,
    configFile: options.config,
    onProgress: progress.report,
  }).finally(progress.done);
  if (options.json === true) return jsonResult(rehearsal, rehearsal.ok);
  return { exitCode: rehearsal.ok ? 0 : 1, text: textOf(rehearsal, painter(colourful(streams.out))) };
}

type Paint = ReturnType<typeof painter>;

function* textOf({ days, reached, stopped, assumed }: Rehearsal, paint: Paint): Generator<string> {
  const [first, last] = [days[0], days.at(-1)];
  yield `rehearsal from ${first?.tradingDay} to ${last?.tradingDay}, ${days.length} trading days\n`;
  let before: RehearsedDay | undefined;
  let quiet: RehearsedDay[] = [];
  for (const day of days) {
    const events = eventsOf(day, before);
    before = day;
    if (events.length === 1 && events[0] === noFile) {
      quiet.push(day);
      continue;
    }
    yield* quietText(quiet);
    quiet = [];
    if (events.length > 0) yield `${day.tradingDay}  ${plain(events.join("; "))}\n`;
    if (day.gates.every(({ open }) => open)) yield* gatesText(day.gates, paint);
  }
  yield* quietText(quiet);
  if (stopped === undefined) yield paint("green", `reached ${reached} on ${last?.tradingDay}\n`);
  else {
    yield paint(
      "red",
      `stopped in ${reached} at ${stopped.gate}, which blocks since ${stopped.tradingDay}\n`,
    );
    yield* gatesText(last?.gates ?? [], paint);
  }
  yield `assumed, not measured:\n${assumed.map((line) => `  ${line}`).join("\n")}`;
}

/** Days on which nothing but the lack of files is to report, in one line. */
function* quietText(days: readonly RehearsedDay[]): Generator<string> {
  const [first, last] = [days[0], days.at(-1)];
  if (first === undefined || last === undefined) return;
  const period = first === last ? "" : ` to ${last.tradingDay}, ${days.length} days`;
  yield `${first.tradingDay}${period}  ${noFile}\n`;
}

/** What happened on a day: nothing on most days. */
function eventsOf(day: RehearsedDay, before: RehearsedDay | undefined): readonly string[] {
  const { moves, rollback, differences, explained, percentage, notes, phase } = day;
  const isRaised = phase === "dual_write" && percentage !== (before?.percentage ?? 0);
  return [
    ...(differences > 0 ? [`${differences} rows apart, ${explained} of them explained`] : []),
    ...(rollback === undefined ? [] : [`rolled back: ${rollback}`]),
    ...moves.map(({ from, to }) => `${from} → ${to}`),
    ...(isRaised ? [`modern answers ${percentage} %`] : []),
    ...(day.isWithoutFiles ? [noFile] : []),
    ...notes,
  ];
}

const noFile = "no file landed";

function* gatesText(gates: RehearsedDay["gates"], paint: Paint): Generator<string> {
  const width = Math.max(...gates.map(({ name }) => name.length));
  for (const gate of gates) {
    const mark = gate.simulated ? " (simulated)" : "";
    yield `    ${stateText(gate, paint)}  ${gate.name.padEnd(width)}  ${plain(gate.why)}${mark}\n`;
  }
}
