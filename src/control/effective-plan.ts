import { BridgeError } from "../base/errors.ts";
import { isLater, type Phase, phaseBefore, phasePolicies } from "../domain/migration/phase.ts";
import { type MigrationMode, type MigrationPlan, type PlanInput, planOf } from "../domain/migration/plan.ts";
import type { ControlRecord } from "../ports/control-store.ts";

/** The plan that follows from a control record, and the requests in the record that are not obeyed. */
export interface EffectivePlan {
  readonly plan: MigrationPlan;
  /** The source of each value. */
  readonly from: Readonly<Record<PlanValue, PlanSource>>;
  /** Requests that are not obeyed, each with the reason. */
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
  default: "the built-in default",
  published: "the published configuration",
  store: "the row of the control store",
  latch: "a trigger",
  switch_file: "the switch file of this machine",
  held: "another value was requested and is held",
} as const;
export type PlanSource = keyof typeof planSources;

interface Held {
  readonly value: PlanValue;
  readonly asked: string;
  readonly why: string;
}

/** The part of the published section that makes a plan. Absent values have the defaults of `planOf`. */
export type PublishedPlan = Omit<PlanInput, "epoch" | "legacyWindow">;

/**
 * Computes the plan of a record and the published section. An operator's column takes precedence over the
 * section; a trigger's latch and the switch file take precedence over both. Pure and total: a request that
 * cannot be obeyed is listed in `held`. While the window to legacy is open, the plan is then closer to
 * legacy, never closer to modern.
 *
 * - A phase after the granted one is held, because the verdict of its gates is not recorded.
 * - A phase whose flags are not set is replaced by the last earlier phase whose flags are set.
 * - `new_only` while legacy answers is read as `old_only`, because legacy would lack the writes.
 * - Once the window to legacy is closed, the phase is `cleanup`, whatever is requested.
 */
export function effectivePlan(
  record: ControlRecord,
  published: PublishedPlan | undefined,
  isSwitchSet: boolean,
): EffectivePlan {
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
      ...(overrides.newSystemPercentage === null
        ? {}
        : { newSystemPercentage: overrides.newSystemPercentage }),
      ...(overrides.userWhitelist === null ? {} : { userWhitelist: overrides.userWhitelist }),
      ...(overrides.userDenylist === null ? {} : { userDenylist: overrides.userDenylist }),
      legacyWindow: isClosed ? "closed" : "open",
    });
    return { plan, from, held };
  } catch (failure) {
    // The record holds a value that no plan may have: SQL wrote it past all checks. Legacy answers while its
    // window is open.
    if (!(failure instanceof BridgeError)) throw failure;
    hold("phase", phase, failure.message);
    const flags = { calculator: isClosed, storage: isClosed, reports: isClosed };
    const legacyWindow = isClosed ? "closed" : "open";
    return {
      plan: planOf({ epoch, phase: isClosed ? "cleanup" : "read_only", flags, legacyWindow }),
      from,
      held,
    };
  }
}

/** The phase that the record or the published section requests, obeyed or not. */
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
    hold(
      "phase",
      requested,
      `the gates' verdict for it is not recorded; the last phase that was granted is ${granted}`,
    );
  let phase = isLater(requested, granted) ? granted : requested;
  const missing = phasePolicies[phase].requires.filter((capability) => flags[capability] !== true);
  if (missing.length > 0)
    hold("phase", phase, `needs the flags ${missing.map((name) => `use_new_${name}`).join(", ")}`);
  // The first phase needs no flag, so each phase that needs one has a predecessor.
  while (phasePolicies[phase].requires.some((capability) => flags[capability] !== true))
    phase = phaseBefore(phase) as Phase;
  return phase;
}

function closedPhase(record: ControlRecord, published: PublishedPlan | undefined, hold: Hold): Phase {
  const requested = requestedPhase(record, published);
  if (requested !== "cleanup")
    hold(
      "phase",
      requested,
      "legacy is no longer written: its window was closed by sign-off, so there is no way back",
    );
  return "cleanup";
}

function modeOf(
  record: ControlRecord,
  published: PublishedPlan | undefined,
  phase: Phase,
  hold: Hold,
): MigrationMode {
  const asked = record.overrides.migrationMode ?? published?.migrationMode ?? "dual_write";
  if (asked !== "new_only" || phasePolicies[phase].answers === "modern") return asked;
  hold(
    "migrationMode",
    asked,
    `legacy answers in the phase ${phase}, so it must be written; new_only is read as old_only`,
  );
  return "old_only";
}

const sourceOf = (override: unknown, published: unknown): PlanSource =>
  override !== null ? "store" : published !== undefined ? "published" : "default";
