import { BridgeError } from "../base/errors.ts";
import { isLater, type Phase, phaseBefore, phasePolicies } from "../domain/migration/phase.ts";
import { type MigrationMode, type MigrationPlan, type PlanInput, planOf } from "../domain/migration/plan.ts";
import type { ControlRecord } from "../ports/control-store.ts";

/** The plan that a record amounts to, and what of the record is not obeyed. */
export interface EffectivePlan {
  readonly plan: MigrationPlan;
  /** Where each value comes from. */
  readonly from: Readonly<Record<PlanValue, PlanSource>>;
  /** What was asked for and is not obeyed, each with the reason. */
  readonly held: readonly Held[];
}

export type PlanValue =
  | "phase"
  | "migrationMode"
  | "useNewPnlSystem"
  | "flags"
  | "newSystemPercentage"
  | "userWhitelist"
  | "userDenylist";
export const planSources = {
  default: "nobody said",
  published: "the published configuration",
  store: "the row of the control store",
  latch: "a trigger",
  switch_file: "the switch file of this machine",
  held: "another value was asked for, and is held",
} as const;
export type PlanSource = keyof typeof planSources;

interface Held {
  readonly value: PlanValue;
  readonly asked: string;
  readonly why: string;
}

/** What is published, as far as it makes a plan; what is absent has the default of `planOf`. */
export type PublishedPlan = Omit<PlanInput, "epoch" | "legacyWindow">;

/**
 * The plan of a record, over what is published: an operator's column before the file, a trigger's latch and the switch file before
 * both. Pure and total: what cannot be obeyed is read as closer to legacy, and said in `held`; it never moves a call towards modern.
 *
 * - A phase beyond the granted one is held: its gates' verdict is not recorded.
 * - A phase whose flags are not set falls back to the last one whose flags are.
 * - `new_only` while legacy answers would lose what legacy must know, and is read as `old_only`.
 * - With the window to legacy closed there is no way back: the phase is `cleanup`, whatever is asked for.
 */
export function effectivePlan(record: ControlRecord, published: PublishedPlan | undefined, isSwitchSet: boolean): EffectivePlan {
  const { overrides, legacyWindow, latched, epoch } = record;
  const held: Held[] = [];
  const from: Record<PlanValue, PlanSource> = {
    phase: sourceOf(overrides.phase, published?.phase),
    migrationMode: sourceOf(overrides.migrationMode, published?.migrationMode),
    useNewPnlSystem: sourceOf(overrides.useNewPnlSystem, published?.useNewPnlSystem),
    flags: published?.flags === undefined ? "default" : "published",
    newSystemPercentage: sourceOf(overrides.newSystemPercentage, published?.newSystemPercentage),
    userWhitelist: sourceOf(overrides.userWhitelist, published?.userWhitelist),
    userDenylist: sourceOf(overrides.userDenylist, published?.userDenylist),
  };
  const hold = (value: PlanValue, asked: string, why: string): void => {
    held.push({ value, asked, why });
    from[value] = "held";
  };

  const isClosed = legacyWindow === "closed";
  const flags = { ...published?.flags, ...(isClosed && { calculator: true, storage: true, reports: true }) };
  const phase = isClosed ? closedPhase(record, published, hold) : phaseOf(record, published, flags, hold);
  const migrationMode = modeOf(record, published, phase, hold);
  if (latched !== null) from.useNewPnlSystem = "latch";
  if (isSwitchSet) from.useNewPnlSystem = "switch_file";
  const asked = overrides.useNewPnlSystem ?? published?.useNewPnlSystem ?? true;
  try {
    const plan = planOf({
      ...published,
      epoch,
      phase,
      migrationMode,
      useNewPnlSystem: asked && latched === null && !isSwitchSet,
      flags,
      ...(overrides.newSystemPercentage === null ? {} : { newSystemPercentage: overrides.newSystemPercentage }),
      ...(overrides.userWhitelist === null ? {} : { userWhitelist: overrides.userWhitelist }),
      ...(overrides.userDenylist === null ? {} : { userDenylist: overrides.userDenylist }),
      legacyWindow: isClosed ? "closed" : "open",
    });
    return { plan, from, held };
  } catch (failure) {
    // A value that no plan can have was put there past all checks. Whose answer is right is not known then: legacy's, while it has all.
    if (!(failure instanceof BridgeError)) throw failure;
    hold("phase", phase, failure.message);
    const flags = { calculator: isClosed, storage: isClosed, reports: isClosed };
    const legacyWindow = isClosed ? "closed" : "open";
    return { plan: planOf({ epoch, phase: isClosed ? "cleanup" : "read_only", flags, legacyWindow }), from, held };
  }
}

/** What the record asks for, obeyed or not. */
export const requestedPhase = ({ overrides }: ControlRecord, published: PublishedPlan | undefined): Phase =>
  overrides.phase ?? published?.phase ?? "read_only";

type Hold = (value: PlanValue, asked: string, why: string) => void;

function phaseOf(
  record: ControlRecord,
  published: PublishedPlan | undefined,
  flags: NonNullable<PlanInput["flags"]>,
  hold: Hold,
): Phase {
  const requested = requestedPhase(record, published);
  const granted = record.grantedPhase;
  if (isLater(requested, granted))
    hold("phase", requested, `the gates' verdict for it is not recorded; the last phase that was granted is ${granted}`);
  let phase = isLater(requested, granted) ? granted : requested;
  const missing = phasePolicies[phase].requires.filter((capability) => flags[capability] !== true);
  if (missing.length > 0) hold("phase", phase, `needs the flags ${missing.map((name) => `use_new_${name}`).join(", ")}`);
  // The first phase needs no flag, so there is one before each that does.
  while (phasePolicies[phase].requires.some((capability) => flags[capability] !== true)) phase = phaseBefore(phase) as Phase;
  return phase;
}

function closedPhase(record: ControlRecord, published: PublishedPlan | undefined, hold: Hold): Phase {
  const requested = requestedPhase(record, published);
  if (requested !== "cleanup")
    hold("phase", requested, "legacy is written no longer: the window to it was closed, and nothing can go back to it");
  return "cleanup";
}

function modeOf(record: ControlRecord, published: PublishedPlan | undefined, phase: Phase, hold: Hold): MigrationMode {
  const asked = record.overrides.migrationMode ?? published?.migrationMode ?? "dual_write";
  if (asked !== "new_only" || phasePolicies[phase].answers === "modern") return asked;
  hold("migrationMode", asked, `legacy answers in the phase ${phase} and would not be written: read as old_only`);
  return "old_only";
}

const sourceOf = (override: unknown, published: unknown): PlanSource =>
  override !== null ? "store" : published !== undefined ? "published" : "default";
