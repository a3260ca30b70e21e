import {
  checkTargets,
  inputFiles,
  type Method,
  matchesCsv,
  overridesFrom,
  type PnlRun,
  pnlDocument,
  renderPnlTable,
  runPnl,
  type TradingDayRuleName,
  writeWhole,
} from "../../../app/commands.ts";
import { type CommandResult, colourful, jsonResult, progressOn, type Streams } from "../terminal.ts";

export interface PnlCommandOptions {
  readonly trades: readonly string[];
  readonly prices?: readonly string[];
  readonly marks?: string;
  readonly calendar?: string;
  readonly method?: Method;
  readonly asOf?: string;
  readonly dayRule?: TradingDayRuleName;
  readonly matches?: string;
  readonly json?: boolean;
}

export async function run(options: PnlCommandOptions, streams: Streams): Promise<CommandResult> {
  const progress = progressOn(streams.err);
  const inputs = options.matches === undefined ? [] : await inputFiles(options);
  if (options.matches !== undefined) await checkTargets([options.matches], inputs);
  const pnl: PnlRun = await runPnl({
    ...options,
    overrides: await overridesFrom(options.calendar),
    onProgress: progress.report,
  }).finally(progress.done);
  if (options.matches !== undefined) await writeWhole(new Map([[options.matches, matchesCsv(pnl.engine)]]), inputs);
  const clean = pnl.quarantine.length === 0;
  const document = pnlDocument(pnl);
  if (options.json) return jsonResult(document, clean);
  return { exitCode: clean ? 0 : 1, text: renderPnlTable(document, { colour: colourful(streams.out) }) };
}
