import type { Method, ParityReport, TradingDayRuleName } from "../../../app/commands.ts";
import { loadConfigOrDefault, parityFiles, renderParityTable, replay, writeWhole } from "../../../app/commands.ts";
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
  readonly legacyDatabase?: string;
}

export async function run(options: ReplayCommandOptions, streams: Streams): Promise<CommandResult> {
  const progress = progressOn(streams.err);
  const { config, note } = await loadConfigOrDefault(options.config);
  if (note !== undefined) streams.err.write(`${note}\n`);
  const report = await replay({ ...options, config, onProgress: progress.report }).finally(progress.done);
  return parityResult(report, options, streams);
}

/** Writes the report where asked, and prints it for a person or a machine. */
export async function parityResult(
  report: ParityReport,
  { json, out }: ParityCommandOptions,
  streams: Streams,
): Promise<CommandResult> {
  if (out !== undefined) await writeWhole(parityFiles(report, out));
  if (json) return jsonResult(report, report.ok);
  return {
    exitCode: report.ok ? 0 : 1,
    text: renderParityTable(report, { colour: colourful(streams.out), width: terminalWidth(streams.out) }),
  };
}
