import { traffic } from "../../../app/control/commands.ts";
import { plain } from "../../../base/plain-text.ts";
import { type CommandResult, jsonResult, type Streams } from "../terminal.ts";
import { durationMs, percentage as percentageOf, percentages } from "./arguments.ts";

interface Options {
  readonly percent?: string;
  readonly ramp?: string;
  readonly dwell?: string;
  readonly config?: string;
  readonly store?: string;
  readonly reason: string;
  readonly actor?: string;
  readonly json?: boolean;
}

export async function run({ percent, ramp, dwell, ...options }: Options, _streams: Streams): Promise<CommandResult> {
  const { record, note } = await traffic(percent === undefined ? undefined : percentageOf(percent), {
    ...options,
    ...(ramp === undefined ? {} : { ramp: percentages(ramp) }),
    ...(dwell === undefined ? {} : { dwellMs: durationMs("--dwell", dwell) }),
  });
  const { epoch, overrides, ramp: left } = record;
  const now = overrides.newSystemPercentage;
  if (options.json) return jsonResult({ epoch, newSystemPercentage: now, ramp: left }, true);
  const rest = left === null ? "" : `, then ${left.steps.join(", ")} every ${left.dwellMs / 1_000} s while a process lives`;
  const text = `${now} % of the traffic to modern${rest}, epoch ${epoch}`;
  return { exitCode: 0, text: note === undefined ? text : `${text}\n${plain(note)}` };
}
