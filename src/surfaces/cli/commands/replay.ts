import { Option } from "commander";
import type { ParityReport } from "../../../app/commands.ts";
import { plain } from "../../../base/plain-text.ts";
import * as option from "../options.ts";
import type { ParityCommandOptions } from "../parity-output.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, progressOn, type Streams } from "../terminal.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "replay",
    about: "Runs a trading history through legacy and modern and compares every row",
    example: "replay --trades ./trade_ledger --prices ./market_prices",
    options: [
      option.trades(),
      option.prices(),
      option.marks(),
      option.config(),
      option.method(),
      option.dayRule(),
      option.calendar(),
      new Option(
        "--legacy-database <file>",
        "a new file, into which the legacy desk writes its pnl_tracker.db",
      ),
      new Option(
        "--legacy-rows <file>",
        "a JSON file with the rows of a legacy system of your own: the answer of its method `history`",
      ),
      new Option(
        "--modern-rows <file>",
        "a JSON file with the rows of a modern system of your own, in the same form",
      ),
      option.explain(),
      new Option(
        "--record",
        "records each instrument-day as evidence of the gates, in the store of --config",
      ),
      option.json(),
      option.out(),
    ],
    run,
  },
];

interface ReplayCommandOptions extends ParityCommandOptions {
  readonly trades: readonly string[];
  readonly prices?: readonly string[];
  readonly marks?: string;
  readonly calendar?: string;
  readonly legacyDatabase?: string;
  readonly legacyRows?: string;
  readonly modernRows?: string;
  readonly record?: boolean;
}

async function run(options: ReplayCommandOptions, streams: Streams): Promise<CommandResult> {
  const { controlStoreOf, loadConfigOrDefault, overridesFrom, recordReplay, replay } = await import(
    "../../../app/commands.ts"
  );
  const { checkedInputs, parityResult } = await import("../parity-output.ts");
  const progress = progressOn(streams.err);
  const { config, note } = await loadConfigOrDefault(options.config);
  if (note !== undefined) streams.err.write(`${plain(note)}\n`);
  // A replay takes long, so a missing control store is reported before it begins.
  if (options.record === true) controlStoreOf({ config });
  const inputs = await checkedInputs(options.out, options);
  const report = await replay({
    ...options,
    overrides: await overridesFrom(options.calendar),
    config,
    configFile: options.config,
    onProgress: progress.report,
  }).finally(progress.done);
  const onReport = async (judged: ParityReport): Promise<void> => {
    if (options.record !== true) return;
    const { key, instrumentDays, apart } = await recordReplay(judged, { config, configFile: options.config });
    streams.err.write(`recorded ${instrumentDays} instrument-days, ${apart} apart, under the key ${key}\n`);
  };
  return parityResult(report, { ...options, onReport }, inputs, streams);
}
