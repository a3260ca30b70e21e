import { Option } from "commander";
import type { Method, PnlRun, TradingDayRuleName } from "../../../app/commands.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, progressOn, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "pnl",
    about: "Computes P&L from ledger files with the modern engine",
    example: "pnl --trades trades_20250724.csv --method lifo --json",
    options: [
      option.trades(),
      option.prices(),
      option.marks(),
      option.method(),
      new Option(
        "--as-of <time>",
        "leave out trades and prices after this time, such as 2025-07-24T15:00:00-05:00",
      ),
      option.dayRule(),
      option.calendar(),
      new Option(
        "--matches <file>",
        "a CSV file to write, with every pair of an opening and a closing trade",
      ),
      option.json(),
    ],
    run,
  },
];

interface PnlCommandOptions {
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

async function run(options: PnlCommandOptions, streams: Streams): Promise<CommandResult> {
  const {
    checkTargets,
    inputFiles,
    isClean,
    matchesCsv,
    overridesFrom,
    pnlDocument,
    renderPnlTable,
    runPnl,
    writeWhole,
  } = await import("../../../app/commands.ts");
  const progress = progressOn(streams.err);
  const inputs = options.matches === undefined ? [] : (await inputFiles(options)).map(({ path }) => path);
  if (options.matches !== undefined) await checkTargets([options.matches], inputs);
  const pnl: PnlRun = await runPnl({
    ...options,
    overrides: await overridesFrom(options.calendar),
    onProgress: progress.report,
  }).finally(progress.done);
  if (options.matches !== undefined)
    await writeWhole(new Map([[options.matches, matchesCsv(pnl.engine)]]), inputs);
  const clean = isClean(pnl);
  const document = pnlDocument(pnl);
  if (options.json) return jsonResult(document, clean);
  return { exitCode: clean ? 0 : 1, text: renderPnlTable(document, { colour: colourful(streams.out) }) };
}
