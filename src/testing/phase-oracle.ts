import {
  type Capability,
  type Phase,
  phasePolicies,
  phases,
  positionOf,
  type Side,
} from "../domain/migration/phase.ts";
import type { MigrationMode } from "../domain/migration/plan.ts";

/** All inputs that decide which side answers and which sides are written. */
export interface PlanCase {
  readonly requested: Phase;
  readonly granted: Phase;
  readonly mode: MigrationMode;
  readonly flags: Readonly<Record<Capability, boolean>>;
  readonly useNewPnlSystem: boolean | null;
  readonly latched: boolean;
  readonly isSwitchSet: boolean;
  readonly closed: boolean;
}

/** The rules of phases and switches, written a second time independently of the code. */
export function expectedPlan({
  requested,
  granted,
  mode,
  flags,
  useNewPnlSystem,
  latched,
  isSwitchSet,
  closed,
}: PlanCase): {
  readonly phase: Phase;
  readonly answer: Side;
  readonly writes: readonly Side[];
} {
  const may = phases.filter(
    (phase) =>
      positionOf(phase) <= Math.min(positionOf(requested), positionOf(granted)) &&
      phasePolicies[phase].requires.every((capability) => flags[capability]),
  );
  const phase = closed ? "cleanup" : (may.at(-1) as Phase);
  const legacyAnswers = ["read_only", "shadow_mode", "dual_write"].includes(phase);
  const out = useNewPnlSystem === false || latched || isSwitchSet;
  const oldOnly = mode === "old_only" || (mode === "new_only" && legacyAnswers);
  const answer: Side = closed ? "modern" : out || oldOnly ? "legacy" : legacyAnswers ? "legacy" : "modern";
  const table: Readonly<Record<Phase, readonly Side[]>> = {
    read_only: ["legacy"],
    shadow_mode: ["legacy"],
    dual_write: ["legacy", "modern"],
    primary_switch: ["modern", "legacy"],
    // Legacy is written until the window is closed, so that a way back exists.
    cleanup: ["modern", "legacy"],
  };
  const row = table[phase];
  const writes: readonly Side[] = closed
    ? ["modern"]
    : oldOnly
      ? ["legacy"]
      : out
        ? row.toSorted((a) => (a === "legacy" ? -1 : 1))
        : mode === "new_only"
          ? ["modern"]
          : row;
  return { phase, answer, writes };
}
