import { BridgeError } from "../base/errors.ts";
import { isLater, type Phase, phaseAfter, phaseBefore } from "../domain/migration/phase.ts";
import type { ControlChange, ControlRecord } from "../ports/control-store.ts";
import type { EffectivePlan } from "./effective-plan.ts";

/** What a person asks for. `set` of the phase that is obeyed takes modern back into use after a rollback. */
export type PhaseMove = { readonly kind: "advance" | "retreat" } | { readonly kind: "set"; readonly phase: Phase };

export interface LegalMove {
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
export function legalMove(move: PhaseMove, record: ControlRecord, effective: EffectivePlan): LegalMove {
  const from = effective.plan.phase;
  const target = move.kind === "set" ? move.phase : move.kind === "advance" ? phaseAfter(from) : phaseBefore(from);
  if (target === undefined) throw refused(`${from} is the ${move.kind === "advance" ? "last" : "first"} phase`, "");
  if (isLater(from, target)) {
    if (record.legacyWindow === "closed")
      throw refused("legacy is written no longer: the window to it was closed, and nothing can go back to it", "");
    return { from, target, asksGates: false, set: { phase: target, grantedPhase: target, ramp: null } };
  }
  if (target === from) return { from, target, asksGates: true, set: takeBack(record, target) };
  const outOfUse = whyOutOfUse(record);
  if (outOfUse !== undefined)
    throw refused(`modern is out of use (${outOfUse})`, `take it back first: phase set ${from} --reason TEXT`);
  if (phaseAfter(from) !== target)
    throw refused(`forward moves go one phase at a time, and after ${from} comes ${phaseAfter(from)}`, "phase advance");
  return { from, target, asksGates: true, set: { phase: target, grantedPhase: target } };
}

/** Why no call is answered by modern, whatever the phase; undefined where nobody has taken it out of use. */
export function whyOutOfUse({ overrides, latched }: ControlRecord): string | undefined {
  if (latched !== null) return `latched by a trigger: ${latched}`;
  if (overrides.useNewPnlSystem === false) return "use_new_pnl_system is false";
  return overrides.migrationMode === "old_only" ? "migration_mode is old_only" : undefined;
}

const takeBack = ({ overrides }: ControlRecord, phase: Phase): ControlChange["set"] => ({
  phase,
  grantedPhase: phase,
  useNewPnlSystem: null,
  latched: null,
  ...(overrides.migrationMode === "old_only" ? { migrationMode: null } : {}),
});

const refused = (what: string, mend: string): BridgeError => new BridgeError("REFUSED", { what, mend });
