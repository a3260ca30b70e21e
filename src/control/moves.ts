import { BridgeError } from "../base/errors.ts";
import { isLater, type Phase, phaseAfter, phaseBefore } from "../domain/migration/phase.ts";
import { routeOf } from "../domain/migration/route.ts";
import type { ControlChange, ControlRecord } from "../ports/control-store.ts";
import { type EffectivePlan, planSources } from "./effective-plan.ts";

/** A requested phase move. `set` to the current phase takes modern back into use after a rollback. */
export type PhaseMove =
  | { readonly kind: "advance" | "retreat" }
  | { readonly kind: "set"; readonly phase: Phase };

/** The state from which a move starts. */
export interface Standing {
  readonly record: ControlRecord;
  /** Computed without the switch file, because each machine has its own. */
  readonly effective: EffectivePlan;
  /** The path of this machine's switch file if it is set, else null. */
  readonly switchFile: string | null;
}

/**
 * The plan that the caller expects. Under another plan the move fails with CONFLICT, so that a move that is
 * sent twice has one effect.
 */
export interface Expected {
  readonly from?: Phase | undefined;
  readonly epoch?: number | undefined;
}

interface LegalMove {
  readonly from: Phase;
  readonly target: Phase;
  /** False for backward moves. */
  readonly needsGates: boolean;
  /** The changes of the record. */
  readonly set: ControlChange["set"];
}

/**
 * Returns the target of a move and the changes of the record. Forward moves go one phase at a time, and only
 * while modern is in use. Backward moves go to any earlier phase and are allowed until the window to legacy
 * is closed. Throws REFUSED for any other move.
 */
export function legalMove(move: PhaseMove, standing: Standing): LegalMove {
  const { record, effective } = standing;
  const from = effective.plan.phase;
  const target =
    move.kind === "set" ? move.phase : move.kind === "advance" ? phaseAfter(from) : phaseBefore(from);
  if (target === undefined)
    throw refused(`${from} is the ${move.kind === "advance" ? "last" : "first"} phase`, "");
  if (isLater(from, target)) {
    if (record.legacyWindow === "closed")
      throw refused(
        "legacy is no longer written: its window was closed by sign-off, so there is no way back",
        "",
      );
    return { from, target, needsGates: false, set: { phase: target, grantedPhase: target, ramp: null } };
  }
  if (target === from) {
    refuseUnderSwitch(standing);
    return { from, target, needsGates: true, set: takeBack(record, target) };
  }
  refuseOutOfUse(standing);
  if (phaseAfter(from) !== target)
    throw refused(
      `forward moves go one phase at a time, and after ${from} comes ${phaseAfter(from)}`,
      "run phase advance",
    );
  return { from, target, needsGates: true, set: { phase: target, grantedPhase: target } };
}

/** Throws REFUSED while modern is out of use or this machine's switch file is set. */
export function refuseOutOfUse(standing: Standing): void {
  refuseUnderSwitch(standing);
  const why = whyOutOfUse(standing.record);
  const { phase } = standing.effective.plan;
  if (why !== undefined)
    throw refused(
      `modern is out of use (${why})`,
      `take it back into use first: phase set ${phase} --reason TEXT`,
    );
}

/** Throws REFUSED if the switch file is set: it would take modern out of use again at once. */
function refuseUnderSwitch({ switchFile }: Standing): void {
  if (switchFile === null) return;
  const fix = "remove it first, on every machine that has one";
  throw new BridgeError("REFUSED", { what: "the switch file is set", where: switchFile, fix });
}

/** Throws CONFLICT if the plan is not the one that the caller expects. */
export function checkExpected({ from, epoch }: Expected, { record, effective }: Standing): void {
  const { phase } = effective.plan;
  if ((from === undefined || from === phase) && (epoch === undefined || epoch === record.epoch)) return;
  const expected = [
    ...(from === undefined ? [] : [from]),
    ...(epoch === undefined ? [] : [`epoch ${epoch}`]),
  ];
  throw new BridgeError("CONFLICT", {
    what: `the plan has the phase ${phase} and epoch ${record.epoch}, but the request expects ${expected.join(", ")}`,
    fix: "run status, then try again",
  });
}

/** The reason why modern answers no call, whatever the phase; undefined while modern is in use. */
export function whyOutOfUse({ overrides, latched }: ControlRecord): string | undefined {
  if (latched !== null) return `latched by a trigger: ${latched}`;
  if (overrides.useNewPnlSystem === false) return "use_new_pnl_system is false";
  return overrides.migrationMode === "old_only" ? "migration_mode is old_only" : undefined;
}

/** Says which side answers under the plan in force, and why. The requested values may differ from it. */
export function whoAnswers(record: ControlRecord, { plan, from }: EffectivePlan): string {
  const { newSystemPercentage, userWhitelist, userDenylist, phase } = plan;
  // A call without user and book is routed by the rules that apply to every call.
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

const usersOn = ({ size }: ReadonlySet<string>, list: string): string =>
  `${size} user${size === 1 ? "" : "s"} on the ${list}`;

/** The changes that take modern back into use. They also end a ramp that was running before. */
const takeBack = (record: ControlRecord, phase: Phase): ControlChange["set"] => ({
  phase,
  grantedPhase: phase,
  useNewPnlSystem: null,
  latched: null,
  ...(whyOutOfUse(record) === undefined ? {} : { ramp: null }),
  ...(record.overrides.migrationMode === "old_only" ? { migrationMode: null } : {}),
});

export const refused = (what: string, fix: string): BridgeError => new BridgeError("REFUSED", { what, fix });
