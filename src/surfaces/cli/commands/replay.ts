import type { Method, ParityReport, TradingDayRuleName } from "../../../app/commands.ts";
import {
  checkTargets,
  inputFiles,
  loadConfigOrDefault,
  overridesFrom,
  parityFiles,
  parityTargets,
  renderParityTable,
  replay,
  writeWhole,
} from "../../../app/commands.ts";
import { plain } from "../../../base/plain-text.ts";
import { type CommandResult, colourful, jsonResult, progressOn, type Streams, terminalWidth } from "../terminal.ts";

export interface ParityCommandOptions {
  readonly config?: string;
  readonly method?: Method;
  readonly dayRule?: TradingDayRuleName;
  readonly json?: boolean;
  readonly out?: string;
}

export interface ReplayCommandOptions extends ParityCommandOptions {
  readonly trades: readonly string[];
  readonly prices?: readonly string[];
  readonly marks?: string;
  readonly calendar?: string;
  readonly legacyDatabase?: string;
}

export async function run(options: ReplayCommandOptions, streams: Streams): Promise<CommandResult> {
  const progress = progressOn(streams.err);
  const { config, note } = await loadConfigOrDefault(options.config);
  if (note !== undefined) streams.err.write(`${plain(note)}\n`);
  const inputs = await checkedInputs(options.out, options);
  const report = await replay({
    ...options,
    overrides: await overridesFrom(options.calendar),
    config,
    onProgress: progress.report,
  }).finally(progress.done);
  return parityResult(report, options, inputs, streams);
}

/** The files that a run reads, where it writes a report: none of them may be what `--out` would replace. */
export async function checkedInputs(
  out: string | undefined,
  options: Parameters<typeof inputFiles>[0],
): Promise<readonly string[]> {
  if (out === undefined) return [];
  const inputs = await inputFiles(options);
  await checkTargets(Object.values(parityTargets(out)), inputs);
  return inputs;
}

/** Writes the report where asked, and prints it for a person or a machine. */
export async function parityResult(
  report: ParityReport,
  { json, out }: ParityCommandOptions,
  inputs: readonly string[],
  streams: Streams,
): Promise<CommandResult> {
  if (out !== undefined) await writeWhole(parityFiles(report, out), inputs);
  if (json) return jsonResult(report, report.ok);
  return {
    exitCode: report.ok ? 0 : 1,
    text: renderParityTable(report, { colour: colourful(streams.out), width: terminalWidth(streams.out) }),
  };
}
