import { Argument, Option } from "commander";
import { wholeNumber } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, jsonResult, progressOn, type Streams } from "../terminal.ts";

/** The number of pairs that prove the limit before `primary_switch`, if none of them is above it. */
const pairsDefault = 8;

export const commands: readonly CommandSpec[] = [
  {
    name: "evidence add",
    about:
      "Records in the audit, for the gates, a result file of tests, benchmarks, memory, a leak run, a scrape, an alert or legacy's readers",
    example: "evidence add .node/tests.json --actor amy",
    argument: new Argument("<file>", "a result file: JSON with the fields of its kind (docs/gates.md)"),
    options: [
      new Option("--actor <name>", "the person who records it").makeOptionMandatory(),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run,
  },
  {
    name: "evidence memory",
    about: "Measures the memory of both systems over a history, each time in a new process, and records it",
    example: "evidence memory --trades ./trade_ledger --pairs 5 --actor amy",
    options: [
      option.trades(),
      option.prices(),
      new Option("--pairs <count>", "the number of runs of each system")
        .default(pairsDefault)
        .argParser(wholeNumber),
      new Option("--actor <name>", "the person who records it").makeOptionMandatory(),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run: measure,
  },
];

interface Options {
  readonly file: string;
  readonly actor: string;
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

async function run(options: Options): Promise<CommandResult> {
  const { addEvidence } = await import("../../../app/control/gate-records.ts");
  const added = await addEvidence(options.file, options);
  if (options.json) return jsonResult(added, true);
  const build = added.build === null ? "" : ` of build ${added.build}`;
  return { exitCode: 0, text: `recorded ${added.kind}${build}, SHA-256 ${added.sha256}` };
}

interface MemoryOptions extends Omit<Options, "file"> {
  readonly trades: readonly string[];
  readonly prices?: readonly string[];
  readonly pairs: number;
}

async function measure(options: MemoryOptions, { err }: Streams): Promise<CommandResult> {
  const { measureMemory } = await import("../../../app/parity/memory.ts");
  const progress = progressOn(err);
  const measured = await measureMemory({ ...options, onProgress: progress.report }).finally(progress.done);
  if (options.json) return jsonResult(measured, true);
  const mebibytes = (bytes: number): number => Math.round(bytes / 1_048_576);
  const pairs = measured.peaks.map(
    ([legacy, modern], index) =>
      `legacy ${mebibytes(legacy)} MiB, modern ${mebibytes(modern)} MiB: ${measured.ratios[index]} times`,
  );
  return { exitCode: 0, text: [...pairs, `recorded memory of build ${measured.build}`].join("\n") };
}
