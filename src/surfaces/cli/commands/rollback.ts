import { type DrillReport, drill, type RollbackReport, rollback, rollbackGradually } from "../../../app/control-commands.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";
import { durationMs } from "./arguments.ts";

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

export async function run({ wait, dwell, ...options }: Options, { out, err }: Streams): Promise<CommandResult> {
  const paint = painter(colourful(out));
  const given = {
    ...options,
    ...(wait === undefined ? {} : { waitMs: durationMs("--wait", wait) }),
    onProgress: (line: string) => void err.write(`${line}\n`),
  };
  if (options.drill) {
    const report = await drill(given);
    return options.json ? jsonResult(report, report.ok) : { exitCode: report.ok ? 0 : 1, text: drillText(report, paint) };
  }
  if (options.gradual) {
    const { epoch, overrides, ramp } = await rollbackGradually({
      ...given,
      ...(dwell === undefined ? {} : { dwellMs: durationMs("--dwell", dwell) }),
    });
    const now = overrides.newSystemPercentage;
    if (options.json) return jsonResult({ epoch, newSystemPercentage: now, ramp }, true);
    const steps = [...(ramp?.steps.map((step) => `${step} %`) ?? []), "legacy alone"].join(", ");
    return { exitCode: 0, text: `${now} % of the traffic to modern now, then ${steps}, every ${(ramp?.dwellMs ?? 0) / 1_000} s` };
  }
  const report = await rollback(given);
  const fine = report.via === "store" && report.possible && report.waiting.length === 0;
  if (options.json) return jsonResult(report, fine);
  return { exitCode: fine ? 0 : 1, text: reportText(report, paint) };
}

type Paint = ReturnType<typeof painter>;

function reportText(report: RollbackReport, paint: Paint): string {
  if (report.via === "switch_file")
    return [
      paint("red", `the control store cannot be written: ${report.why}`),
      `${report.path} is set: every process beside it answers by legacy within a second; other machines need it too`,
    ].join("\n");
  const { epoch, committedMs, acknowledgedMs, acknowledged, gone, waiting, owedToLegacy, possible, why, alertsPending } = report;
  const rows = [
    possible
      ? paint("green", `rolled back: legacy answers everything, epoch ${epoch}`)
      : paint("red", `${why}: modern goes on answering, epoch ${epoch}`),
    `written after ${committedMs.toFixed(0)} ms; ${
      acknowledgedMs === null
        ? paint("red", `not acknowledged by ${waiting.join(", ")}`)
        : `acknowledged by ${acknowledged.length === 0 ? "no process, since none lives" : `all ${acknowledged.length}`} after ${acknowledgedMs.toFixed(0)} ms`
    }`,
    ...(gone.length === 0 ? [] : [`gone, its lease is over: ${gone.join(", ")}`]),
    ...(owedToLegacy === 0
      ? []
      : [
          paint(
            "yellow",
            `${owedToLegacy} writes are owed to legacy: until they are there its answers are stale and writes are refused`,
          ),
        ]),
    ...(alertsPending === 0 ? [] : [paint("yellow", "the alert has not been delivered")]),
  ];
  return rows.join("\n");
}

const drillText = ({ ok, processes, committedMs, acknowledgedMs }: DrillReport, paint: Paint): string =>
  `${ok ? paint("green", "drill passed") : paint("red", "drill FAILED")}: ${processes} processes on a scratch store, written after ${committedMs.toFixed(0)} ms, ${
    acknowledgedMs === null ? "not acknowledged by all" : `acknowledged by all after ${acknowledgedMs.toFixed(0)} ms`
  }; the audit has it`;
