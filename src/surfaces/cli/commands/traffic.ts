import { Argument, Option } from "commander";
import { durationMs, percentage as percentageOf, percentages } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import type { CommandResult, Streams } from "../terminal.ts";
import { trafficResult } from "../traffic-text.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "traffic",
    about:
      "Sets the share of the traffic that modern answers in dual_write, at once or by a ramp; " +
      "the ramp stops when a trigger fires",
    example: 'traffic 12.5 --reason "a first share"',
    options: [
      option.reason(),
      option.actor(),
      new Option("--ramp <percentages>", "the steps of a ramp, such as 10,25,50,100"),
      option.dwell(),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    argument: new Argument("[percent]", "a number from 0 to 100"),
    run,
  },
];

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

async function run({ percent, ramp, dwell, ...options }: Options, _streams: Streams): Promise<CommandResult> {
  const { traffic } = await import("../../../app/control/commands.ts");
  const report = await traffic(percent === undefined ? undefined : percentageOf(percent), {
    ...options,
    ...(ramp === undefined ? {} : { ramp: percentages(ramp) }),
    ...(dwell === undefined ? {} : { dwellMs: durationMs("--dwell", dwell) }),
  });
  return trafficResult(report, options.json);
}
