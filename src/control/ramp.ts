import { BridgeError } from "../base/errors.ts";
import type { ControlChange, ControlRecord, Ramp } from "../ports/control-store.ts";

export const rampDefaults = Object.freeze({ steps: [10, 25, 50, 100], dwellMs: 10 * 60_000 });

const stepsMax = 100;
const dwellMsMin = 1_000;

/**
 * A change of the percentage that goes on by itself: the first step at once, each next one when the last has stood for `dwellMs`.
 * Throws BAD_USAGE for steps that are none.
 */
export function rampOf(
  given: Pick<Ramp, "steps" | "dwellMs" | "endsIn" | "actor" | "reason">,
  nowMs: number,
): { readonly newSystemPercentage: number; readonly ramp: Ramp | null } {
  const { steps, dwellMs, endsIn, actor, reason } = given;
  const [first, ...rest] = steps;
  const isUpOrDown = [1, -1].some((way) => steps.every((step, at) => at === 0 || (step - (steps[at - 1] as number)) * way > 0));
  if (first === undefined || steps.length > stepsMax || !isUpOrDown || steps.some((step) => !(step >= 0 && step <= 100)))
    throw new BridgeError("BAD_USAGE", {
      what: `${steps.join(",") || "nothing"} are no steps of a ramp`,
      mend: "name percentages from 0 to 100, rising or falling, such as 10,25,50,100",
    });
  if (!(dwellMs >= dwellMsMin))
    throw new BridgeError("BAD_USAGE", { what: "a step of a ramp stands for a second or longer", mend: "write --dwell 10m" });
  if (rest.length === 0 && endsIn === "stay") return { newSystemPercentage: first, ramp: null };
  return { newSystemPercentage: first, ramp: { steps: rest, dwellMs, nextAt: isoAt(nowMs + dwellMs), endsIn, actor, reason } };
}

/** What the next step of a ramp changes. Its caller says when it is due: by its own monotonic clock, which nobody can set. */
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

/** Legacy answers everything, writes to modern stop, nothing goes on by itself, and nothing that modern said is taken from a cache. */
export const rollbackSet: ControlChange["set"] = Object.freeze({
  useNewPnlSystem: false,
  migrationMode: "old_only",
  ramp: null,
  voidCache: true,
});

const isoAt = (ms: number): string => new Date(ms).toISOString();
