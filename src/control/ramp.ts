import { BridgeError } from "../base/errors.ts";
import { phasePolicies } from "../domain/migration/phase.ts";
import type { Ramp } from "../domain/migration/record-columns.ts";
import type { ControlChange, ControlRecord } from "../ports/control-store.ts";
import { refused, type Standing, whyOutOfUse } from "./moves.ts";

export const rampDefaults = Object.freeze({ steps: [10, 25, 50, 100], dwellMs: 10 * 60_000 });

const stepsMax = 100;
const [dwellMsMin, dwellMsMax] = [1_000, 30 * 86_400_000];

/** Throws BAD_USAGE unless the number is from 0 to 100 with at most three decimals, as the stores require. */
export function checkPercentage(value: number): void {
  if (value >= 0 && value <= 100 && Number(value.toFixed(3)) === value) return;
  throw new BridgeError("BAD_USAGE", {
    what: `${value} is not a percentage`,
    fix: "name a number from 0 to 100, with at most three decimals",
  });
}

/**
 * Returns the change that begins a ramp: the first step at once, each next step after `dwellMs`. Throws
 * BAD_USAGE for invalid steps or an invalid dwell time. Throws REFUSED in a phase that does not route by
 * percentage, for a gradual rollback that would raise the percentage or that finds modern out of use, and for
 * a rise while modern is out of use.
 */
export function rampOf(
  given: Pick<Ramp, "steps" | "dwellMs" | "endsIn" | "actor" | "reason">,
  standing: Standing,
  nowMs: number,
): { readonly newSystemPercentage: number; readonly ramp: Ramp | null } {
  const { steps, dwellMs, endsIn, actor, reason } = given;
  steps.forEach(checkPercentage);
  const [first, ...rest] = steps;
  const isMonotonic = (sign: 1 | -1): boolean =>
    rest.every((step, at) => (step - (steps[at] ?? 0)) * sign > 0);
  if (
    first === undefined ||
    steps.length > stepsMax ||
    !(isMonotonic(-1) || (endsIn === "stay" && isMonotonic(1)))
  )
    throw new BridgeError("BAD_USAGE", {
      what: `${steps.join(",") || "nothing"} cannot be the steps of a ${endsIn === "stay" ? "ramp" : "gradual rollback"}`,
      fix: `name up to ${stepsMax} percentages, ${endsIn === "stay" ? "rising or falling, such as 10,25,50,100" : "falling"}`,
    });
  if (!Number.isInteger(dwellMs) || dwellMs < dwellMsMin || dwellMs > dwellMsMax)
    throw new BridgeError("BAD_USAGE", {
      what: "the time between two steps of a ramp must be from one second to 30 days",
      fix: "write a time in that range, such as --dwell 10m",
    });
  checkRamp(standing, first, endsIn);
  if (rest.length === 0 && endsIn === "stay") return { newSystemPercentage: first, ramp: null };
  return {
    newSystemPercentage: first,
    ramp: { steps: rest, dwellMs, nextAt: isoAt(nowMs + dwellMs), endsIn, actor, reason },
  };
}

function checkRamp(standing: Standing, first: number, endsIn: Ramp["endsIn"]): void {
  const { phase, newSystemPercentage: now } = standing.effective.plan;
  const atOnce = "to return to legacy at once, run rollback without --gradual";
  const out = whyOutOfUse(standing.record);
  if (endsIn === "rollback" && out !== undefined)
    throw refused(`modern is out of use already (${out})`, atOnce);
  if (phasePolicies[phase].answers !== "by-route")
    throw refused(
      `in ${phase} the percentage does not decide which system answers, so a ramp would have no effect`,
      endsIn === "rollback" ? atOnce : "begin a ramp only in dual_write",
    );
  if (endsIn === "rollback" && first > now)
    throw refused(
      `a gradual rollback only lowers the percentage, and ${first} % is above the present ${now} %`,
      `begin at ${now} or below`,
    );
}

/** The default steps of a gradual rollback from a percentage. */
export const stepsDownFrom = (now: number): readonly number[] => [
  ...rampDefaults.steps.toReversed().filter((step) => step < now),
  0,
];

/** The change of the next step of a ramp. The caller decides when it is due, by its monotonic clock. */
export function nextStep(record: ControlRecord & { readonly ramp: Ramp }, nowMs: number): ControlChange {
  const { ramp, epoch } = record;
  const { steps, dwellMs, endsIn, actor, reason } = ramp;
  const [next, ...rest] = steps;
  const note = { actor, reason, expectedEpoch: epoch };
  if (next === undefined) return { ...note, action: "rollback", set: rollbackSet };
  const isLast = rest.length === 0 && endsIn === "stay";
  const ramped = isLast ? null : { ...ramp, steps: rest, nextAt: isoAt(nowMs + dwellMs) };
  return { ...note, action: "traffic", set: { newSystemPercentage: next, ramp: ramped } };
}

/** The changes of a rollback: legacy answers, writes to modern stop, a ramp ends, caches are voided. */
export const rollbackSet: ControlChange["set"] = Object.freeze({
  useNewPnlSystem: false,
  migrationMode: "old_only",
  ramp: null,
  voidCache: true,
});

const isoAt = (ms: number): string => new Date(ms).toISOString();
