/**
 * The state of a process that follows the control store, and its reaction to each event: a pure function from
 * a state and an event to the next state and the effects, which `follower.ts` performs.
 *
 *   last read of the store    freshness  the plan that the process obeys
 *   less than `staleMs` ago   fresh      the record's, within milliseconds of a change
 *   less than `leaseMs` ago   stale      the last record's; phase moves, which need the store, are refused
 *   longer ago                expired    the last record's; writes are refused unless legacy is authoritative
 *   never                     none       that of the newest snapshot on this disk, else legacy alone
 *
 * In each of these states the switch file makes legacy answer every call.
 */
import { BridgeError, lineOf } from "../base/errors.ts";
import { isLegacyAlone, writesOf } from "../domain/migration/plan.ts";
import { initialRecord } from "../domain/migration/record-columns.ts";
import type { ControlRecord } from "../ports/control-store.ts";
import type { PlanSnapshots } from "../ports/local-files.ts";
import { type EffectivePlan, effectivePlan } from "./effective-plan.ts";
import { whoAnswers } from "./moves.ts";
import type { ReadSection, Section } from "./section.ts";

export type Freshness = "fresh" | "stale" | "expired" | "none";

/** A change or a failure that an operator may want to know about. */
export interface ControlEvent {
  readonly kind:
    | "plan"
    | "latched"
    | "freshness"
    | "switch_file"
    | "config_drift"
    | "config_refused"
    | "unreadable_section"
    | "epoch_went_back"
    | "snapshot_refused"
    | "snapshot_failed"
    | "store_failed";
  readonly what: string;
  readonly epoch: number;
}

/** Times are milliseconds of the process's monotonic clock. */
export interface FollowerState {
  readonly record: ControlRecord;
  /** The last published section that this program was able to read. */
  readonly section: Section | undefined;
  readonly effective: EffectivePlan;
  readonly isSwitchSet: boolean;
  /** When the latest successful read of the store began; undefined until the first. */
  readonly readMs: number | undefined;
  readonly adoptedMs: number;
  /** The epoch of a store that was restored from a backup, while it is behind `record`. */
  readonly restoredEpoch: number | undefined;
  /** The epoch of the last plan that was handed to the process. */
  readonly seenEpoch: number;
  /** No call of an epoch before this one runs any more. */
  readonly drainedEpoch: number;
  /** The freshness that was last reported. */
  readonly freshness: Freshness;
  /** The kinds of events that were reported and still hold; none of them is reported again. */
  readonly reported: ReadonlySet<ControlEvent["kind"]>;
}

const emptyRecord: ControlRecord = Object.freeze({ ...initialRecord, epoch: 0, grantedEpoch: 0 });

/**
 * The state before the store or a snapshot has been read: legacy answers and is written, and modern is not
 * called.
 */
export const initialState: FollowerState = Object.freeze({
  record: emptyRecord,
  section: undefined,
  effective: effectivePlan(emptyRecord, undefined, false),
  isSwitchSet: false,
  readMs: undefined,
  adoptedMs: Number.NEGATIVE_INFINITY,
  restoredEpoch: undefined,
  seenEpoch: 0,
  drainedEpoch: 0,
  freshness: "none",
  reported: new Set<never>(),
});

export type FollowerEvent =
  | { readonly kind: "started"; readonly found: Awaited<ReturnType<PlanSnapshots["latest"]>> | undefined }
  | { readonly kind: "record_read"; readonly record: ControlRecord; readonly askedMs: number }
  | { readonly kind: "read_failed" | "store_failed" | "snapshot_failed"; readonly failure: unknown }
  | { readonly kind: "switch_read"; readonly isSet: boolean }
  | { readonly kind: "drain_checked"; readonly oldestRunning: number | undefined }
  | { readonly kind: "snapshot_saved" | "time_passed" };

/** `hand_over` passes the plan on. `release_store` closes a broken handle; the next poll opens another. */
export type FollowerEffect =
  | { readonly kind: "hand_over"; readonly effective: EffectivePlan }
  | { readonly kind: "report"; readonly event: ControlEvent }
  | { readonly kind: "check_drain" | "heartbeat" | "save_snapshot" | "record_switch" | "release_store" };

export interface FollowerRules {
  readonly readSection: ReadSection;
  readonly staleMs: number;
  readonly leaseMs: number;
}

export function freshnessAt(
  nowMs: number,
  { readMs }: FollowerState,
  { staleMs, leaseMs }: FollowerRules,
): Freshness {
  if (readMs === undefined) return "none";
  return nowMs - readMs < staleMs ? "fresh" : nowMs - readMs < leaseMs ? "stale" : "expired";
}

/**
 * The epochs that a heartbeat reports. For a restored store, they are the store's epoch if this process uses
 * legacy alone, else 0.
 */
export function acknowledged(state: FollowerState, oldestRunning: number | undefined) {
  const { restoredEpoch, seenEpoch, drainedEpoch } = state;
  if (restoredEpoch === undefined) return { seenEpoch, drainedEpoch };
  const seen = isLegacyAlone(state.effective.plan) ? restoredEpoch : 0;
  return { seenEpoch: seen, drainedEpoch: oldestRunning === undefined ? seen : 0 };
}

/** Returns the next state and the effects. The caller keeps the state, then performs the effects in order. */
export function afterEvent(state: FollowerState, event: FollowerEvent, nowMs: number, rules: FollowerRules) {
  const step: Step = { state, effects: [], nowMs, rules };
  if (event.kind === "started") {
    const { snapshot, refused = [] } = event.found ?? {};
    for (const { file, why } of refused) reportOnce(step, "snapshot_refused", `${file}: ${why}`);
    // A record that was read from the store meanwhile is newer than the snapshot.
    if (state.readMs === undefined && snapshot !== undefined) adopt(step, snapshot.record);
    obey(step);
  } else if (event.kind === "record_read") onRecordRead(step, event.record, event.askedMs);
  else if (event.kind === "switch_read") onSwitchRead(step, event.isSet);
  else if (event.kind === "drain_checked") {
    const drainedEpoch = Math.min(state.seenEpoch, event.oldestRunning ?? state.seenEpoch);
    if (drainedEpoch > state.drainedEpoch) perform(change(step, { drainedEpoch }), { kind: "heartbeat" });
  } else if ("failure" in event) {
    const { kind, failure } = event;
    reportOnce(step, kind === "snapshot_failed" ? kind : "store_failed", lineOf(failure));
    const isBroken = failure instanceof BridgeError && failure.code === "INTERNAL";
    if (kind === "read_failed" && isBroken) perform(step, { kind: "release_store" });
  } else if (event.kind === "snapshot_saved") ended(step, "snapshot_failed");
  else reportFreshness(step);
  return { state: step.state, effects: step.effects };
}

/** The working state of one run of `afterEvent`. */
interface Step {
  state: FollowerState;
  readonly effects: FollowerEffect[];
  readonly nowMs: number;
  readonly rules: FollowerRules;
}

function onRecordRead(step: Step, record: ControlRecord, askedMs: number): void {
  const { record: known, readMs, adoptedMs, seenEpoch } = step.state;
  change(step, { readMs: Math.max(readMs ?? askedMs, askedMs) });
  ended(step, "store_failed");
  reportFreshness(step);
  if (isBehind(record, known)) {
    // A read that began before `known` was adopted is merely late.
    if (askedMs >= adoptedMs) onRestoredRecord(step, record);
    return;
  }
  ended(step, "epoch_went_back");
  change(step, { restoredEpoch: undefined });
  if (record.epoch === known.epoch && seenEpoch === record.epoch) return;
  adopt(step, record);
  obey(step);
  step.effects.push({ kind: "heartbeat" }, { kind: "save_snapshot" });
}

/** The store was restored from a backup and its record is older: it is followed only towards legacy. */
function onRestoredRecord(step: Step, record: ControlRecord): void {
  const { record: known, section, effective, restoredEpoch } = step.state;
  reportOnce(
    step,
    "epoch_went_back",
    `the control store has epoch ${record.epoch}, although epoch ${known.epoch} was known`,
  );
  const { plan: theirs } = effectivePlan(record, section?.plan, false);
  const { plan: ours } = effective;
  const isTowardsLegacy =
    (isLegacyAlone(theirs) && !isLegacyAlone(ours)) ||
    (writesOf(theirs)[0] === "legacy" && writesOf(ours)[0] === "modern");
  change(step, { restoredEpoch: record.epoch });
  if (isTowardsLegacy && ours.useNewPnlSystem) {
    adopt(step, { ...known, overrides: { ...known.overrides, useNewPnlSystem: false } });
    obey(step);
  }
  if (restoredEpoch !== record.epoch) perform(step, { kind: "heartbeat" });
}

function onSwitchRead(step: Step, isSet: boolean): void {
  if (isSet !== step.state.isSwitchSet) {
    change(step, { isSwitchSet: isSet });
    obey(step);
    report(step, "switch_file", isSet ? "the switch file is set" : "the switch file was removed");
  }
  // While the store answers, the switch is also recorded there, so the whole fleet returns to legacy and the
  // audit gets a row.
  const isFresh = freshnessAt(step.nowMs, step.state, step.rules) === "fresh";
  if (isSet && isFresh && step.state.record.overrides.useNewPnlSystem !== false)
    perform(step, { kind: "record_switch" });
}

function adopt(step: Step, record: ControlRecord): void {
  const { record: known, section } = step.state;
  if (record.published?.hash !== known.published?.hash || section === undefined) {
    try {
      if (record.published !== null) change(step, { section: step.rules.readSection(record.published.text) });
      ended(step, "unreadable_section");
    } catch (failure) {
      // A newer program has published this section. The last readable section stays in force; if there is
      // none, legacy answers.
      reportOnce(step, "unreadable_section", lineOf(failure));
    }
  }
  change(step, { record, adoptedMs: step.nowMs });
}

function obey(step: Step): void {
  const { record, section, isSwitchSet, effective: before } = step.state;
  const effective = effectivePlan(record, section?.plan, isSwitchSet);
  change(step, { effective, seenEpoch: record.epoch });
  perform(step, { kind: "hand_over", effective });
  const { phase, epoch, useNewPnlSystem } = effective.plan;
  if (before.plan.epoch !== epoch || before.plan.useNewPnlSystem !== useNewPnlSystem)
    report(step, "plan", `${phase}: ${whoAnswers(record, effective)}`);
  if (record.latched === null) ended(step, "latched");
  else reportOnce(step, "latched", `modern was taken out of use: ${record.latched}`);
  perform(step, { kind: "check_drain" });
}

function reportFreshness(step: Step): void {
  const freshness = freshnessAt(step.nowMs, step.state, step.rules);
  if (freshness === step.state.freshness) return;
  change(step, { freshness });
  report(step, "freshness", freshness);
}

function reportOnce(step: Step, kind: ControlEvent["kind"], what: string): void {
  const { reported } = step.state;
  if (reported.has(kind)) return;
  change(step, { reported: new Set([...reported, kind]) });
  report(step, kind, what);
}

/** Notes that a condition no longer holds, so that the next event of its kind is reported. */
function ended(step: Step, kind: ControlEvent["kind"]): void {
  const { reported } = step.state;
  if (reported.has(kind))
    change(step, { reported: new Set([...reported].filter((other) => other !== kind)) });
}

const report = (step: Step, kind: ControlEvent["kind"], what: string): void =>
  perform(step, { kind: "report", event: { kind, what, epoch: step.state.record.epoch } });

const perform = (step: Step, effect: FollowerEffect): void => void step.effects.push(effect);

function change(step: Step, changes: Partial<FollowerState>): Step {
  step.state = { ...step.state, ...changes };
  return step;
}

/**
 * Whether a record is older than a known one. Another record of the same epoch counts as older, because a
 * restored store can reach that epoch by other changes.
 */
const isBehind = (record: ControlRecord, known: ControlRecord): boolean =>
  record.epoch < known.epoch ||
  (record.epoch === known.epoch &&
    (record.updatedAt !== known.updatedAt || record.updatedBy !== known.updatedBy));
