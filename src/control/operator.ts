/**
 * What a person can do to a running fleet: move its phase, turn its traffic, take it all back. Every change is one transaction of the
 * control store with its audit row; forward moves need open gates and an unchanged record, moves towards legacy need neither.
 */
import { BridgeError } from "../base/errors.ts";
import { isLater, type Phase, phaseAfter } from "../domain/migration/phase.ts";
import type { AlertSink } from "../ports/alerts.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  AuditNote,
  ControlChange,
  ControlRecord,
  ControlStore,
  Instance,
  Published,
  Ramp,
  SignOff,
} from "../ports/control-store.ts";
import type { OwedWrites } from "../ports/owed-writes.ts";
import type { JsonValue } from "../ports/system.ts";
import { type EffectivePlan, effectivePlan } from "./effective-plan.ts";
import { type Gate, type GateReport, judgeGates } from "./gates.ts";
import { legalMove, type PhaseMove, whyOutOfUse } from "./moves.ts";
import { rampOf, rollbackSet } from "./ramp.ts";
import type { ReadSection, Section } from "./section.ts";

export interface OperatorOptions {
  readonly store: ControlStore;
  readonly readSection: ReadSection;
  readonly gates: readonly Gate[];
  readonly owed: OwedWrites;
  /** Things that wait for a person to look at them; null where nobody can say. */
  readonly quarantined: () => Promise<number | null> | number | null;
  readonly alerts: AlertSink;
  readonly clock: Clock;
  readonly leaseMs: number;
}

/** Who does it, and why. */
export type By = Pick<AuditNote, "actor" | "reason">;

/** What the store says, of one moment. */
export interface Overview {
  readonly record: ControlRecord;
  /** Without the switch file, which is each machine's own. */
  readonly effective: EffectivePlan;
  readonly section: Section | undefined;
  /** Why the published section cannot be read here. */
  readonly unreadable: string | undefined;
  readonly instances: readonly Instance[];
  readonly signOffs: readonly SignOff[];
  readonly rollback: { readonly possible: boolean; readonly why: string };
}

export interface MoveResult {
  readonly from: Phase;
  readonly target: Phase;
  /** False where a gate was closed, and in a dry run. */
  readonly moved: boolean;
  /** Undefined for a backward move, which asks none. */
  readonly gates: GateReport | undefined;
  /** The columns of the record that change, or would. */
  readonly set: ControlChange["set"];
  readonly epoch: number;
}

export interface RollbackResult {
  readonly epoch: number;
  /** From the call until the change was on disk, and until the last live process went by it. */
  readonly committedMs: number;
  readonly acknowledgedMs: number | null;
  readonly acknowledged: readonly string[];
  /** Not heard of for longer than their lease. */
  readonly gone: readonly string[];
  /** Live, and had not acknowledged when the wait was over. */
  readonly waiting: readonly string[];
  /** Writes that legacy has not got yet: they are drained, and until then its answers say that they are stale. */
  readonly owedToLegacy: number;
  /** Whether legacy answers from now on; false once the window to it is closed. */
  readonly possible: boolean;
  readonly why: string;
}

const signOffDays = 7;
const askAgainMs = 10;
/** A process that lives and could be taken for gone by its age alone, since somebody has set a clock, beats within so long. */
const aliveMs = 500;
/** So often somebody else may be faster than a move backward, until it is a conflict. */
const retreatsMax = 20;

export class Operator {
  readonly #options: OperatorOptions;

  constructor(options: OperatorOptions) {
    this.#options = options;
  }

  async overview(): Promise<Overview> {
    const { store } = this.#options;
    const [record, instances, signOffs] = await Promise.all([store.read(), store.instances(), store.signOffs()]);
    const { section, unreadable } = this.#section(record);
    const effective = effectivePlan(record, section?.plan, false);
    const rollback = this.#rollbackOf(record, effective);
    return { record, effective, section, unreadable, instances, signOffs, rollback };
  }

  /** The gates before a phase, by default the next one; of the moment of an overview, by default a new one. */
  async gates(target?: Phase, seen?: Overview): Promise<GateReport> {
    const overview = seen ?? (await this.overview());
    const { phase } = overview.effective.plan;
    return this.#judge(overview, target ?? phaseAfter(phase) ?? phase);
  }

  /** Moves the phase, where it is legal and the gates are open. Throws REFUSED, and CONFLICT where somebody else was faster. */
  async move(move: PhaseMove, by: By, { dryRun = false } = {}): Promise<MoveResult> {
    checkReason(by);
    const overview = await this.overview();
    const { record, effective } = overview;
    const { from, target, asksGates, set } = legalMove(move, record, effective);
    if (!asksGates && !dryRun) return this.#goBack(overview, target, by);
    const gates = asksGates ? await this.#judge(overview, target) : undefined;
    const result = { from, target, gates, set };
    if (dryRun || gates?.open === false) {
      if (!dryRun) await this.#noteRefusal(by, `${from} to ${target}`, gates as GateReport);
      return { ...result, moved: false, epoch: record.epoch };
    }
    const evidence = gates === undefined ? {} : { evidence: gates as unknown as JsonValue };
    const changed = await this.#change({ ...by, action: "phase", set, ...evidence, ...at(record) });
    return { ...result, moved: true, epoch: changed.epoch };
  }

  /** Whatever others do meanwhile; but where they have gone as far back, or further, it must not lead forward. */
  async #goBack(seen: Overview, target: Phase, by: By): Promise<MoveResult> {
    const result = { from: seen.effective.plan.phase, target, moved: true, gates: undefined };
    let { record, effective } = seen;
    for (let tries = 1; ; tries++) {
      if (!isLater(effective.plan.phase, target)) return { ...result, set: {}, epoch: record.epoch };
      const { set } = legalMove({ kind: "set", phase: target }, record, effective);
      const change = { ...by, action: "phase", set, ...at(record) };
      const changed = tries < retreatsMax ? await this.#options.store.change(change) : await this.#change(change);
      if (changed !== null) return { ...result, set, epoch: changed.epoch };
      ({ record, effective } = await this.overview());
    }
  }

  /** Approves a phase, or signs that legacy may be let go of for good (`legacy_window`, in cleanup). */
  async signOff(
    gate: string,
    { actor, note, phase }: { readonly actor: string; readonly note: string; readonly phase?: Phase },
  ): Promise<Phase> {
    checkReason({ actor, reason: note });
    const { record, effective } = await this.overview();
    const current = effective.plan.phase;
    if (gate === "legacy_window") {
      if (current !== "cleanup")
        throw refused(`the window to legacy is closed in cleanup, and the phase is ${current}`, "go on to cleanup first");
      await this.#change({ actor, reason: note, action: "sign-off", set: { legacyWindow: "closed" }, ...at(record) });
      return current;
    }
    const known = this.#options.gates.map(({ name }) => name);
    if (gate !== "approved")
      throw refused(
        known.includes(gate) ? `the gate ${gate} is judged, not signed` : `there is no gate ${gate}`,
        "approved and legacy_window are signed",
      );
    // Out of use it is the same phase that has to be approved again.
    const target = phase ?? (whyOutOfUse(record) === undefined ? phaseAfter(current) : current) ?? current;
    const { store } = this.#options;
    await store.signOff({ gate, phase: target, actor, note, expiresAfterMs: signOffDays * 86_400_000 });
    await store.note({ actor, action: "sign-off", reason: note, evidence: { gate, phase: target } });
    return target;
  }

  /** Turns the percentage at once. Towards legacy it is always allowed. */
  async traffic(percentage: number, by: By): Promise<ControlRecord> {
    checkReason(by);
    if (!(percentage >= 0 && percentage <= 100))
      throw new BridgeError("BAD_USAGE", { what: `${percentage} is no percentage`, mend: "name a number from 0 to 100" });
    const { record, effective } = await this.overview();
    const isUp = percentage > effective.plan.newSystemPercentage;
    if (isUp) refuseOutOfUse(record);
    return this.#change({
      ...by,
      action: "traffic",
      set: { newSystemPercentage: percentage, ramp: null },
      ...(isUp && at(record)),
    });
  }

  /** Begins a ramp with its first step; a live process goes on with it. */
  async ramp(ramp: Pick<Ramp, "steps" | "dwellMs" | "endsIn">, by: By): Promise<ControlRecord> {
    checkReason(by);
    const { record, effective } = await this.overview();
    const set = rampOf({ ...ramp, ...by }, this.#options.clock.nowMs());
    const isUp = Math.max(...ramp.steps) > effective.plan.newSystemPercentage;
    if (isUp) refuseOutOfUse(record);
    return this.#change({ ...by, action: "traffic", set, ...(isUp && at(record)) });
  }

  /** Adds a user to the whitelist, or removes one. `null` where nothing was to be done. */
  async whitelist(change: "add" | "remove", user: string, by: By): Promise<ControlRecord | null> {
    checkReason(by);
    const { record, effective } = await this.overview();
    const before = [...effective.plan.userWhitelist];
    const after = change === "add" ? [...new Set([...before, user])] : before.filter((name) => name !== user);
    if (after.length === before.length) return null;
    return this.#change({ ...by, action: "whitelist", set: { userWhitelist: after }, ...at(record) });
  }

  /** Publishes what a file says for the whole fleet. Its phase, where it is later than what is granted, is held until it is granted. */
  async publish(published: Published, by: By): Promise<ControlRecord> {
    checkReason(by);
    const record = await this.#options.store.read();
    const { plan } = this.#options.readSection(published.text);
    const { held } = effectivePlan(record, plan, false);
    const lacking = held.find(({ value, why }) => value === "phase" && why.startsWith("needs the flags"));
    if (lacking !== undefined)
      throw refused(
        `with this file the phase ${lacking.asked} could not stand: it ${lacking.why}`,
        "set the flags, or go back first",
      );
    return this.#change({ ...by, action: "publish", set: { published }, ...at(record) });
  }

  /**
   * Takes everything back to legacy: no gate, one person. Resolves when every live process goes by it, or after `waitMs` (by default a
   * little longer than a lease: then whoever has not acknowledged is gone).
   */
  async rollback(
    by: By,
    { waitMs = this.#options.leaseMs + 1_000, onProgress = (_: string): void => {} } = {},
  ): Promise<RollbackResult> {
    checkReason(by);
    const { clock, alerts, owed } = this.#options;
    const startedMs = clock.monotonicMs();
    const record = await this.#change({ ...by, action: "rollback", set: rollbackSet });
    const committedMs = clock.monotonicMs() - startedMs;
    const { possible, why } = this.#rollbackOf(record);
    alerts.send({
      kind: "rollback",
      title: `rolled back by ${by.actor}: ${by.reason}`,
      details: { epoch: record.epoch, possible, why },
    });
    const fleet = await this.acknowledged(record.epoch, waitMs - committedMs, onProgress);
    return {
      epoch: record.epoch,
      committedMs,
      acknowledgedMs: fleet.waiting.length > 0 ? null : clock.monotonicMs() - startedMs,
      ...fleet,
      owedToLegacy: owed.owedToLegacy().count,
      possible,
      why,
    };
  }

  /** Waits until every process that lives has seen an epoch. */
  async acknowledged(
    epoch: number,
    waitMs: number,
    onProgress: (line: string) => void = () => {},
  ): Promise<Pick<RollbackResult, "acknowledged" | "gone" | "waiting">> {
    const { store, clock, leaseMs } = this.#options;
    const startedMs = clock.monotonicMs();
    const firstBeats = new Map<string, number>();
    let told = "";
    for (;;) {
      const instances = await store.instances();
      const watchedMs = clock.monotonicMs() - startedMs;
      const stateOf = ({ id, seenEpoch, ageMs, beats }: Instance): "acknowledged" | "gone" | "waiting" => {
        if (seenEpoch >= epoch) return "acknowledged";
        if (!firstBeats.has(id)) firstBeats.set(id, beats);
        // By the store's clock, once it has had the time to say that it lives; or where somebody has set that: by not having seen it
        // live for as long.
        const isGone = watchedMs > leaseMs || (watchedMs >= aliveMs && ageMs > leaseMs);
        return isGone && firstBeats.get(id) === beats ? "gone" : "waiting";
      };
      const states = instances.map((instance) => ({ name: instance.name, state: stateOf(instance) }));
      const names = (wanted: string): readonly string[] => states.filter(({ state }) => state === wanted).map(({ name }) => name);
      const fleet = { acknowledged: names("acknowledged"), gone: names("gone"), waiting: names("waiting") };
      if (fleet.waiting.length === 0 || watchedMs >= waitMs) return fleet;
      const line = `waiting for ${fleet.waiting.join(", ")}`;
      if (line !== told) onProgress(line);
      told = line;
      await pause(clock, askAgainMs);
    }
  }

  #section(record: ControlRecord): Pick<Overview, "section" | "unreadable"> {
    if (record.published === null) return { section: undefined, unreadable: undefined };
    try {
      return { section: this.#options.readSection(record.published.text), unreadable: undefined };
    } catch (failure) {
      return { section: undefined, unreadable: failure instanceof Error ? failure.message : String(failure) };
    }
  }

  async #judge({ record, effective, section, instances, signOffs }: Overview, target: Phase): Promise<GateReport> {
    const { gates, owed, quarantined, leaseMs } = this.#options;
    return judgeGates(gates, {
      record,
      effective,
      target,
      instances,
      leaseMs,
      signOffs,
      quarantined: await Promise.resolve(quarantined()).catch(() => null),
      owedToLegacy: owed.owedToLegacy(),
      twoPerson: section?.twoPerson ?? [],
    });
  }

  /** `effective` is the plan that would be rolled back, where somebody knows it. */
  #rollbackOf(record: ControlRecord, effective?: EffectivePlan): Overview["rollback"] {
    if (record.legacyWindow === "closed")
      return { possible: false, why: "cannot roll back: legacy is written no longer, its window was closed by sign-off" };
    if (effective?.plan.migrationMode === "new_only")
      return { possible: true, why: "but migration_mode is new_only: legacy has not got what was written under it" };
    const { count, oldestMs } = this.#options.owed.owedToLegacy();
    return count === 0
      ? { possible: true, why: "nothing is owed to legacy" }
      : {
          possible: true,
          why: `${count} writes are owed to legacy, the oldest for ${oldestMs} ms: until they are there its answers are stale`,
        };
  }

  async #change(change: ControlChange): Promise<ControlRecord> {
    const record = await this.#options.store.change(change);
    if (record !== null) return record;
    throw new BridgeError("CONFLICT", {
      what: `the plan is no longer that of epoch ${change.expectedEpoch}: somebody else changed it at the same time`,
      mend: "look at status, and ask again",
    });
  }

  async #noteRefusal(by: By, what: string, gates: GateReport): Promise<void> {
    await this.#options.store.note({
      ...by,
      action: "refused",
      reason: `${what}: ${by.reason}`,
      evidence: gates as unknown as JsonValue,
    });
  }
}

const at = ({ epoch }: ControlRecord): { readonly expectedEpoch: number } => ({ expectedEpoch: epoch });

function refuseOutOfUse(record: ControlRecord): void {
  const why = whyOutOfUse(record);
  if (why !== undefined) throw refused(`modern is out of use (${why})`, "take it back first: phase set PHASE --reason TEXT");
}

function checkReason({ actor, reason }: By): void {
  for (const [name, text] of Object.entries({ actor, reason }))
    if (typeof text !== "string" || text.trim() === "")
      throw new BridgeError("BAD_USAGE", { what: `the ${name} is missing`, mend: `--${name} says it, and the audit keeps it` });
}

const refused = (what: string, mend: string): BridgeError => new BridgeError("REFUSED", { what, mend });

export const pause = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    const stop = clock.every(
      ms,
      () => {
        stop();
        resolve();
      },
      true,
    );
  });
