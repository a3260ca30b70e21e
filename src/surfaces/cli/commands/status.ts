import { setTimeout as sleep } from "node:timers/promises";
import { Option } from "commander";
import type { Status } from "../../../app/control/status.ts";
import { lineOf } from "../../../base/errors.ts";
import { plain } from "../../../base/plain-text.ts";
import { durationMs } from "../arguments.ts";
import * as option from "../options.ts";
import type { CommandSpec } from "../spec.ts";
import { type CommandResult, colourful, jsonResult, painter, type Streams } from "../terminal.ts";
import { rampText } from "../traffic-text.ts";

export const commands: readonly CommandSpec[] = [
  {
    name: "status",
    about:
      "Shows on one screen the phase, the plan, the fleet, the gates, and whether a rollback is possible",
    example: "status --watch 5s",
    options: [
      new Option(
        "--watch [interval]",
        "print the status again and again until Ctrl-C, at an interval such as 2s or 1m",
      )
        .preset("2s")
        .conflicts("json"),
      option.fleetConfig(),
      option.store(),
      option.json(),
    ],
    run,
  },
];

interface Options {
  readonly watch?: string;
  readonly config?: string;
  readonly store?: string;
  readonly json?: boolean;
}

async function run({ watch, json, ...options }: Options, { out }: Streams): Promise<CommandResult> {
  const { status, metricWords } = await import("../../../app/control/commands.ts");
  if (json) return jsonResult(await status(options), true);
  const screen = async (): Promise<string> => {
    const found = await status(options);
    const metrics = found.metrics === null ? [] : metricWords(found.metrics);
    return statusText(found, metrics, painter(colourful(out)));
  };
  const first = await screen();
  if (watch === undefined) return { exitCode: 0, text: first };
  const intervalMs = durationMs("--watch", watch);
  return {
    exitCode: 0,
    text: screens(first, { next: screen, intervalMs, isTerminal: out.isTTY === true }),
    endsLines: true,
  };
}

interface Watching {
  readonly next: () => Promise<string>;
  readonly intervalMs: number;
  readonly isTerminal: boolean;
}

/**
 * Yields a screen at each interval, without end. A terminal is cleared before each; elsewhere a blank line
 * follows each. A failure to read the status is shown as a screen, too.
 */
async function* screens(first: string, { next, intervalMs, isTerminal }: Watching): AsyncGenerator<string> {
  for (let text = first; ; text = await next().catch(lineOf)) {
    yield isTerminal ? `\x1b[H\x1b[2J${text}\n` : `${text}\n\n`;
    await sleep(intervalMs);
  }
}

type Paint = ReturnType<typeof painter>;

const lists = (names: readonly string[]): string =>
  names.length === 0 ? "none" : names.map(plain).join(", ");

/** Returns the status as rows, each with its name in the first column. */
function statusText(
  found: Status,
  metrics: readonly (readonly [name: string, words: string])[],
  paint: Paint,
): string {
  const { plan, from, held, outOfUse, rollback, ramp, gates, instances, auditHead } = found;
  const row = (name: string, text: string): string => `${name.padEnd(10)} ${text}`;
  const flags = Object.entries(plan.flags).map(([name, isSet]) =>
    paint(isSet ? "green" : "dim", `${isSet ? "" : "no "}${name}`),
  );
  return [
    row(
      "phase",
      `${paint("bold", found.phase)} (${from.phase}), epoch ${found.epoch} of ${found.updatedAt}${
        found.updatedBy === "" ? "" : ` by ${plain(found.updatedBy)}`
      }`,
    ),
    row(
      "modern",
      outOfUse === null ? paint("green", "in use") : paint("red", `out of use: ${plain(outOfUse)}`),
    ),
    ...(found.switchFile === null
      ? []
      : [
          row(
            "switch",
            paint("red", `${plain(found.switchFile)} is set: legacy answers here, whatever the plan says`),
          ),
        ]),
    row("answers", plain(found.answers)),
    row(
      "traffic",
      `${plan.newSystemPercentage} % (${from.newSystemPercentage})${rampText(ramp)}; whitelist: ${lists(
        plan.userWhitelist,
      )}; denylist: ${lists(plan.userDenylist)}`,
    ),
    row(
      "writes",
      `migration_mode ${plan.migrationMode} (${from.migrationMode}), window to legacy ${plan.legacyWindow}`,
    ),
    row("flags", flags.join(", ")),
    row(
      "rollback",
      rollback.possible ? paint("green", `possible: ${rollback.why}`) : paint("red", rollback.why),
    ),
    ...held.map(({ value, asked, why }) =>
      row("held", paint("yellow", `${value} ${plain(asked)}: ${plain(why)}`)),
    ),
    ...(found.unreadable === null
      ? []
      : [row("published", paint("red", `cannot be read here: ${plain(found.unreadable)}`))]),
    ...(gates === null
      ? []
      : [
          row(
            "next",
            `${gates.target}${gates.profile === "trial" ? " (profile trial)" : ""}: ${
              outOfUse !== null
                ? paint("yellow", `first take modern back into use: phase set ${found.phase} --reason TEXT`)
                : gates.open
                  ? paint("green", "all gates are open")
                  : paint("yellow", closedGates(gates))
            }`,
          ),
        ]),
    ...metrics.map(([name, words]) => row(name, plain(words))),
    row(
      "audit",
      auditHead === null ? "nothing is sealed yet" : `sealed up to ${auditHead.seq}, ${auditHead.hash}`,
    ),
    row("store", plain(found.store)),
    ...(instances.length === 0
      ? [row("fleet", paint("yellow", "no process"))]
      : instances.map((one) => row("fleet", instanceText(one, paint)))),
  ].join("\n");
}

const closedGates = ({ gates }: NonNullable<Status["gates"]>): string =>
  gates
    .filter(({ open }) => !open)
    .map(({ name, why }) => `${name} (${plain(why)})`)
    .join("; ");

function instanceText(
  { name, state, seenEpoch, drainedEpoch, ageMs, report }: Status["instances"][number],
  paint: Paint,
): string {
  const style = state === "live" ? "green" : state === "behind" ? "yellow" : "dim";
  const { freshness, drift, memory } = report as {
    readonly freshness?: string;
    readonly drift?: boolean;
    readonly memory?: number;
  };
  const more = [
    ...(freshness === undefined || freshness === "fresh" ? [] : [freshness]),
    ...(drift === true ? ["CONFIG_DRIFT"] : []),
    ...(memory === undefined ? [] : [`${Math.round(memory / 1e6)} MB`]),
  ];
  const epochs =
    seenEpoch === drainedEpoch
      ? `epoch ${seenEpoch}`
      : `epoch ${seenEpoch}, calls of epoch ${drainedEpoch} still run`;
  return [paint(style, state), plain(name), epochs, `${(ageMs / 1_000).toFixed(1)} s ago`, ...more].join(
    "  ",
  );
}
