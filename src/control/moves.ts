import { BridgeError } from "../base/errors.ts";
import { isLater, type Phase, phaseAfter, phaseBefore } from "../domain/migration/phase.ts";
import { routeOf } from "../domain/migration/route.ts";
import type { ControlChange, ControlRecord } from "../ports/control-store.ts";
import { type EffectivePlan, planSources } from "./effective-plan.ts";

/** What a person asks for. `set` of the phase that is obeyed takes modern back into use after a rollback. */
export type PhaseMove = { readonly kind: "advance" | "retreat" } | { readonly kind: "set"; readonly phase: Phase };

/** What a move starts from. */
export interface Standing {
  readonly record: ControlRecord;
  /** Without the switch file, which is each machine's own. */
  readonly effective: EffectivePlan;
  /** The path of this machine's switch file where it is set, else null. */
  readonly switchFile: string | null;
}

/** What the caller takes for granted: another phase or epoch is a conflict, so that a relative move never counts twice. */
export interface Expected {
  readonly from?: Phase | undefined;
  readonly epoch?: number | undefined;
}

interface LegalMove {
  readonly from: Phase;
  readonly target: Phase;
  /** Backward moves ask no gates. */
  readonly asksGates: boolean;
  /** What the record becomes. */
  readonly set: ControlChange["set"];
}

/**
 * Where a move leads, and what it changes. Forward moves go one phase at a time, from a plan that nobody has taken out of use;
 * backward moves are always allowed, to any earlier phase. Throws REFUSED for a move that cannot be.
 */
export function legalMove(move: PhaseMove, standing: Standing): LegalMove {
  const { record, effective } = standing;
  const from = effective.plan.phase;
  const target = move.kind === "set" ? move.phase : move.kind === "advance" ? phaseAfter(from) : phaseBefore(from);
  if (target === undefined) throw refused(`${from} is the ${move.kind === "advance" ? "last" : "first"} phase`, "");
  if (isLater(from, target)) {
    if (record.legacyWindow === "closed")
      throw refused("legacy is written no longer: the window to it was closed, and nothing can go back to it", "");
    return { from, target, asksGates: false, set: { phase: target, grantedPhase: target, ramp: null } };
  }
  if (target === from) {
    refuseUnderSwitch(standing);
    return { from, target, asksGates: true, set: takeBack(record, target) };
  }
  refuseOutOfUse(standing);
  if (phaseAfter(from) !== target)
    throw refused(`forward moves go one phase at a time, and after ${from} comes ${phaseAfter(from)}`, "phase advance");
  return { from, target, asksGates: true, set: { phase: target, grantedPhase: target } };
}

/** Throws REFUSED while modern is out of use: nothing gives it more calls before a person has taken it back. */
export function refuseOutOfUse(standing: Standing): void {
  refuseUnderSwitch(standing);
  const why = whyOutOfUse(standing.record);
  const { phase } = standing.effective.plan;
  if (why !== undefined) throw refused(`modern is out of use (${why})`, `take it back first: phase set ${phase} --reason TEXT`);
}

/** A process beside the switch file would take modern out of use again at once. */
function refuseUnderSwitch({ switchFile }: Standing): void {
  if (switchFile === null) return;
  const fix = "remove it first, on every machine that has one";
  throw new BridgeError("REFUSED", { what: "the switch file is set", where: switchFile, fix });
}

/** Throws CONFLICT where the plan is not the one that the caller has seen. */
export function checkExpected({ from, epoch }: Expected, { record, effective }: Standing): void {
  const { phase } = effective.plan;
  if ((from === undefined || from === phase) && (epoch === undefined || epoch === record.epoch)) return;
  const expected = [...(from === undefined ? [] : [from]), ...(epoch === undefined ? [] : [`epoch ${epoch}`])];
  throw new BridgeError("CONFLICT", {
    what: `the plan is ${phase}, epoch ${record.epoch}, and the move was meant for ${expected.join(", ")}`,
    fix: "look at status, and ask again",
  });
}

/** Why no call is answered by modern, whatever the phase; undefined where nobody has taken it out of use. */
export function whyOutOfUse({ overrides, latched }: ControlRecord): string | undefined {
  if (latched !== null) return `latched by a trigger: ${latched}`;
  if (overrides.useNewPnlSystem === false) return "use_new_pnl_system is false";
  return overrides.migrationMode === "old_only" ? "migration_mode is old_only" : undefined;
}

/** Who answers under a plan, and why. Messages say this, and not what was asked for. */
export function whoAnswers(record: ControlRecord, { plan, from }: EffectivePlan): string {
  const { newSystemPercentage, userWhitelist, userDenylist, phase } = plan;
  // A call that says nothing of itself is decided by what holds for all.
  const { answer, because } = routeOf(plan, {}, 0);
  const [denied] = userDenylist;
  const isKept = denied !== undefined && routeOf(plan, { user: denied }, 0).because === "DENYLIST";
  const kept = isKept ? `; legacy answers ${usersOn(userDenylist, "denylist")}` : "";
  switch (because) {
    case "NO_UNIT": {
      const more = userWhitelist.size === 0 ? "" : ` and ${usersOn(userWhitelist, "whitelist")}`;
      return `modern answers ${newSystemPercentage} % of the traffic${more}${kept}`;
    }
    case "PHASE":
      return `${answer} answers everything: the phase is ${phase}${kept}`;
    case "NO_CAPABILITY":
      return `${answer} answers everything: use_new_calculator is off`;
    case "LEGACY_CLOSED":
      return `${answer} answers everything: the window to legacy is closed`;
    default:
      return `${answer} answers everything: ${whyOutOfUse(record) ?? `by ${planSources[from.useNewPnlSystem]}`}`;
  }
}

const usersOn = ({ size }: ReadonlySet<string>, list: string): string => `${size} user${size === 1 ? "" : "s"} on the ${list}`;

/** What was stopped does not go on by itself: a ramp from before is over. */
const takeBack = (record: ControlRecord, phase: Phase): ControlChange["set"] => ({
  phase,
  grantedPhase: phase,
  useNewPnlSystem: null,
  latched: null,
  ...(whyOutOfUse(record) === undefined ? {} : { ramp: null }),
  ...(record.overrides.migrationMode === "old_only" ? { migrationMode: null } : {}),
});

export const refused = (what: string, fix: string): BridgeError => new BridgeError("REFUSED", { what, fix });
