import { Option } from "commander";
import type { DrillReport } from "../../../app/control/drill.ts";
import type { RollbackReport } from "../../../app/control/rollback.ts";
import { BridgeError } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import { durationMs } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";
import { trafficResult } from "../traffic-text.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "rollback",
    about:
      "Returns everything to legacy in an emergency and waits until every process acknowledges; " +
      "needs only the control store",
    example: 'rollback --reason "the numbers of book UST are wrong"',
    options: [
      option.reason(),
      option.actor(),
      new Option(
        "--wait <duration>",
        "the longest wait for processes to acknowledge (default: until their leases end)",
      ),
      new Option("--gradual", "go step by step: a falling ramp that ends in the rollback"),
      option.dwell(),
      new Option("--drill", "rehearse on a scratch store and write the result into the audit"),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly config?: string;
  readonly store?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly wait?: string;
  readonly gradual?: boolean;
  readonly dwell?: string;
  readonly drill?: boolean;
  readonly json?: boolean;
}

async function run({ wait, dwell, ...options }: Options, { out, err }: Streams): Promise<CommandResult> {
  const { rollback, rollbackGradually } = await import("../../../app/control/rollback.ts");
  const paint = painter(colourful(out));
  if (options.gradual && options.drill)
    throw badOptions("--gradual and --drill cannot be combined", "give only one of them");
  if (!options.gradual && dwell !== undefined)
    throw badOptions("--dwell applies only to a gradual rollback", "add --gradual, or remove --dwell");
  const waits = progressAfter(err, patienceMs);
  const given = {
    ...options,
    ...(wait === undefined ? {} : { waitMs: durationMs("--wait", wait) }),
    onProgress: waits.report,
  };
  if (options.drill) {
    const { drill } = await import("../../../app/control/drill.ts");
    const report = await drill(given);
    return options.json
      ? jsonResult(report, report.ok)
      : { exitCode: report.ok ? 0 : 1, text: drillText(report, paint) };
  }
  if (options.gradual) {
    const report = await rollbackGradually({
      ...given,
      ...(dwell === undefined ? {} : { dwellMs: durationMs("--dwell", dwell) }),
    });
    return trafficResult(report, options.json);
  }
  const report = await rollback(given).finally(waits.end);
  const fine = report.via === "store" && report.possible && report.waiting.length === 0;
  if (options.json) return jsonResult(report, fine);
  return { exitCode: fine ? 0 : 1, text: reportText(report, paint) };
}

const badOptions = (what: string, fix: string): BridgeError => new BridgeError("BAD_USAGE", { what, fix });

/** Most processes acknowledge sooner, and then no progress is printed. */
const patienceMs = 500;

/** Prints a reported line unless another line or the end follows within `ms`. */
function progressAfter(stream: NodeJS.WriteStream, ms: number): { report(line: string): void; end(): void } {
  let timer: NodeJS.Timeout | undefined;
  const end = (): void => clearTimeout(timer);
  return {
    report: (line) => {
      end();
      timer = setTimeout(() => stream.write(`${plain(line)}\n`), ms);
    },
    end,
  };
}

type Paint = ReturnType<typeof painter>;

function reportText(report: RollbackReport, paint: Paint): string {
  const undelivered = report.alertsPending === 0 ? [] : [paint("yellow", "the alert has not been delivered")];
  if (report.via === "switch_file")
    return [
      paint("red", `not rolled back in the control store: ${report.why}`),
      `${plain(report.path)} is set: ` +
        "every process whose state is in that folder answers from legacy within a second",
      "create the same file on every other machine of the fleet; " +
        "the audit gets its row when a process reaches the store again",
      ...undelivered,
    ].join("\n");
  const { epoch, committedMs, acknowledgedMs, acknowledged, gone, waiting, owedToLegacy, possible, why } =
    report;
  const rows = [
    possible
      ? paint("green", `rolled back: legacy answers everything, epoch ${epoch}`)
      : paint("red", `${why}: modern continues to answer, epoch ${epoch}`),
    `written after ${committedMs.toFixed(0)} ms; ${
      acknowledgedMs === null
        ? paint("red", `not acknowledged by ${waiting.map(plain).join(", ")}`)
        : acknowledged.length === 0
          ? "no live process needs to acknowledge it"
          : `acknowledged by ${acknowledged.length} of ${acknowledged.length} after ${acknowledgedMs.toFixed(0)} ms`
    }`,
    ...(waiting.length === 0
      ? []
      : [
          "until a process acknowledges or its lease ends, it may still answer from modern: stop it, or check status",
        ]),
    ...(gone.length === 0 ? [] : [`gone, silent for longer than its lease: ${gone.map(plain).join(", ")}`]),
    ...(owedToLegacy === 0
      ? []
      : [
          paint(
            "yellow",
            owedToLegacy === null
              ? why
              : `${owedToLegacy} writes are owed to legacy: ` +
                  "until it has received them, its answers are stale and writes are refused",
          ),
        ]),
    ...undelivered,
  ];
  return rows.join("\n");
}

const drillText = ({ ok, processes, committedMs, acknowledgedMs }: DrillReport, paint: Paint): string =>
  [
    `${ok ? paint("green", "drill passed") : paint("red", "drill FAILED")}: ${processes} processes on a scratch store`,
    `written after ${committedMs.toFixed(0)} ms`,
    acknowledgedMs === null
      ? "not acknowledged by all; the result is in the audit"
      : `acknowledged by all after ${acknowledgedMs.toFixed(0)} ms; the result is in the audit`,
  ].join(", ");
