/**
 * Every rule of what a person may do to a running fleet: move its phase, turn its traffic, take it all back. CLI, HTTP and programs all
 * come through here. Each change is one transaction of the control store with its audit row. Forward moves need open gates, an unchanged
 * record, and no switch file on this machine; moves towards legacy need none of it, and a rollback not even the store.
 */
import { BridgeError, lineOf } from "../base/errors.ts";
import { personName } from "../base/person-name.ts";
import { isLater, type Phase, phaseAfter } from "../domain/migration/phase.ts";
import type { Ramp } from "../domain/migration/record-columns.ts";
import type { AlertSink } from "../ports/alerts.ts";
import type { Clock } from "../ports/clock.ts";
import type {
  AuditNote,
  ControlChange,
  ControlRecord,
  ControlStore,
  Instance,
  Published,
  SignOff,
} from "../ports/control-store.ts";
import type { SwitchFile } from "../ports/local-files.ts";
import type { OwedWrites } from "../ports/owed-writes.ts";
import type { JsonValue } from "../ports/system.ts";
import { type EffectivePlan, effectivePlan } from "./effective-plan.ts";
import { type Gate, type GateReport, judgeGates } from "./gates.ts";
import {
  checkExpected,
  type Expected,
  legalMove,
  type PhaseMove,
  refused,
  refuseOutOfUse,
  type Standing,
  whoAnswers,
  whyOutOfUse,
} from "./moves.ts";
import { checkPercentage, rampDefaults, rampOf, rollbackSet, stepsDownFrom } from "./ramp.ts";
import type { ReadSection, Section } from "./section.ts";

interface OperatorOptions {
  /** The control store; throws or rejects while it cannot be reached. */
  readonly store: () => ControlStore | Promise<ControlStore>;
  /** Of this machine: keeps forward moves from being made here, and takes the place of a store that cannot be written. */
  readonly switchFile: SwitchFile;
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
export interface Overview extends Standing {
  readonly section: Section | undefined;
  /** Why the published section cannot be read here. */
  readonly unreadable: string | undefined;
  readonly instances: readonly Instance[];
  readonly signOffs: readonly SignOff[];
  readonly rollback: { readonly possible: boolean; readonly why: string };
}

export interface MoveOptions extends Expected {
  /** Judges the gates and changes nothing. */
  readonly dryRun?: boolean | undefined;
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

/** A rollback in the store; or where that cannot be written, by the switch file of this machine alone. */
export type RollbackResult = StoreRollback | SwitchRollback;

interface SwitchRollback {
  readonly via: "switch_file";
  /** The switch file: every process whose state is in its folder answers by legacy. */
  readonly path: string;
  /** Why the store cannot be written. */
  readonly why: string;
}

interface StoreRollback {
  readonly via: "store";
  readonly epoch: number;
  /** From the call until the change was on disk, and until the last live process followed it. */
  readonly committedMs: number;
  readonly acknowledgedMs: number | null;
  readonly acknowledged: readonly string[];
  /** Without a heartbeat for longer than their lease. */
  readonly gone: readonly string[];
  /** Live, and had not acknowledged when the wait was over. */
  readonly waiting: readonly string[];
  /** Writes that legacy has not got yet: they are drained, and until then its answers say that they are stale. */
  readonly owedToLegacy: number;
  /** Whether legacy answers from now on; false once the window to it is closed. */
  readonly possible: boolean;
  readonly why: string;
}

/** Each list of users: its column, and the change of it that moves a user towards modern. */
const userLists = {
  whitelist: { column: "userWhitelist", forward: "add" },
  denylist: { column: "userDenylist", forward: "remove" },
} as const;
export type UserList = keyof typeof userLists;

export interface ListChange {
  readonly change: "add" | "remove";
  readonly user: string;
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
    const { switchFile } = this.#options;
    const store = await this.#store();
    const [record, instances, signOffs, isSet] = await Promise.all([
      store.read(),
      store.instances(),
      store.signOffs(),
      switchFile.isSet(),
    ]);
    const { section, unreadable } = this.#section(record);
    const effective = effectivePlan(record, section?.plan, false);
    const rollback = this.#rollbackOf(record, effective);
    const path = isSet ? switchFile.path : null;
    return { record, effective, switchFile: path, section, unreadable, instances, signOffs, rollback };
  }

  /** The gates before a phase, by default the next one; of the moment of an overview, by default a new one. */
  async gates(target?: Phase, seen?: Overview): Promise<GateReport> {
    const overview = seen ?? (await this.overview());
    const { phase } = overview.effective.plan;
    return this.#judge(overview, target ?? phaseAfter(phase) ?? phase);
  }

  /** Who answers under a record, and why: what a change amounts to, whatever was asked for. */
  whoAnswers(record: ControlRecord): string {
    return whoAnswers(record, effectivePlan(record, this.#section(record).section?.plan, false));
  }

  /**
   * Moves the phase, where it is legal and the gates are open. Throws REFUSED, and CONFLICT where the plan is not what was expected or
   * somebody else was faster.
   */
  async move(move: PhaseMove, given: By, { dryRun = false, ...expected }: MoveOptions = {}): Promise<MoveResult> {
    const by = checked(given);
    const overview = await this.overview();
    checkExpected(expected, overview);
    const { record } = overview;
    const { from, target, asksGates, set } = legalMove(move, overview);
    if (!asksGates && !dryRun) return this.#goBack(overview, target, by, expected);
    const gates = asksGates ? await this.#judge(overview, target) : undefined;
    const result = { from, target, gates, set };
    if (dryRun) return { ...result, moved: false, epoch: record.epoch };
    if (gates?.open === false) {
      const reason = `${from} to ${target}: ${by.reason}`;
      const store = await this.#store();
      await store.note({ ...by, action: "refused", reason, evidence: gates as unknown as JsonValue });
      return { ...result, moved: false, epoch: record.epoch };
    }
    const evidence = gates === undefined ? {} : { evidence: gates as unknown as JsonValue };
    const changed = await this.#change({ ...by, action: "phase", set, ...evidence, ...at(record) });
    return { ...result, moved: true, epoch: changed.epoch };
  }

  /** Succeeds whatever others do meanwhile; where they have gone as far back, or further, it does not lead forward. */
  async #goBack(seen: Overview, target: Phase, by: By, { epoch }: Expected): Promise<MoveResult> {
    const result = { from: seen.effective.plan.phase, target, moved: true, gates: undefined };
    const store = await this.#store();
    for (let standing: Standing = seen, tries = 1; ; tries++) {
      const { record, effective } = standing;
      if (!isLater(effective.plan.phase, target)) return { ...result, set: {}, epoch: record.epoch };
      const { set } = legalMove({ kind: "set", phase: target }, standing);
      const change = { ...by, action: "phase", set, ...at(record) };
      const isLast = epoch !== undefined || tries === retreatsMax;
      const changed = isLast ? await this.#change(change) : await store.change(change);
      if (changed !== null) return { ...result, set, epoch: changed.epoch };
      standing = await this.overview();
    }
  }

  /** Approves a phase, or signs that legacy may be let go of for good (`legacy_window`, in cleanup). */
  async signOff(gate: string, given: { readonly actor: string; readonly note: string; readonly phase?: Phase }): Promise<Phase> {
    const { actor, reason: note } = checked({ actor: given.actor, reason: given.note });
    const overview = await this.overview();
    const { record, effective } = overview;
    const current = effective.plan.phase;
    if (gate === "legacy_window") {
      if (current !== "cleanup")
        throw refused(`the window to legacy is closed in cleanup, and the phase is ${current}`, "go on to cleanup first");
      refuseOutOfUse(overview);
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
    const target = given.phase ?? (whyOutOfUse(record) === undefined ? phaseAfter(current) : current) ?? current;
    const store = await this.#store();
    await store.signOff({ gate, phase: target, actor, note, expiresAfterMs: signOffDays * 86_400_000 });
    await store.note({ actor, action: "sign-off", reason: note, evidence: { gate, phase: target } });
    return target;
  }

  /** Turns the percentage at once. Towards legacy it is always allowed. */
  async traffic(percentage: number, given: By): Promise<ControlRecord> {
    const by = checked(given);
    checkPercentage(percentage);
    const overview = await this.overview();
    const isUp = percentage > overview.effective.plan.newSystemPercentage;
    if (isUp) refuseOutOfUse(overview);
    const set = { newSystemPercentage: percentage, ramp: null };
    return this.#change({ ...by, action: "traffic", set, ...(isUp && at(overview.record)) });
  }

  /** Begins a ramp with its first step; a live process takes the next ones. */
  async ramp(ramp: Pick<Ramp, "steps" | "dwellMs" | "endsIn">, given: By): Promise<ControlRecord> {
    const by = checked(given);
    return this.#ramp(await this.overview(), { ...ramp, ...by });
  }

  /** Takes traffic back step by step, and rolls back when it is at 0: a ramp that a live process continues. */
  async rollbackGradually(given: By, dwellMs = rampDefaults.dwellMs): Promise<ControlRecord> {
    const by = checked(given);
    const overview = await this.overview();
    const steps = stepsDownFrom(overview.effective.plan.newSystemPercentage);
    return this.#ramp(overview, { steps, dwellMs, endsIn: "rollback", ...by });
  }

  async #ramp(overview: Overview, ramp: Omit<Ramp, "nextAt">): Promise<ControlRecord> {
    const { actor, reason } = ramp;
    const set = rampOf(ramp, overview, this.#options.clock.nowMs());
    const isUp = Math.max(...ramp.steps) > overview.effective.plan.newSystemPercentage;
    return this.#change({ actor, reason, action: "traffic", set, ...(isUp && at(overview.record)) });
  }

  /** Adds a user to a list, or removes one. Towards legacy it is always allowed. `null` where nothing was to be done. */
  async changeList(list: UserList, { change, user }: ListChange, given: By): Promise<ControlRecord | null> {
    const { column, forward } = userLists[list];
    const by = checked(given);
    const name = personName(user);
    if (name === "") throw new BridgeError("BAD_USAGE", { what: "the user's name is empty", fix: "name a user" });
    const overview = await this.overview();
    const before = overview.effective.plan[column];
    if (before.has(name) === (change === "add")) return null;
    if (change === forward) refuseOutOfUse(overview);
    const users = change === "add" ? [...before, name] : [...before].filter((one) => one !== name);
    return this.#change({ ...by, action: list, set: { [column]: users }, ...at(overview.record) });
  }

  /** Publishes what a file says for the whole fleet. Its phase, where it is later than what is granted, is held until it is granted. */
  async publish(published: Published, given: By): Promise<ControlRecord> {
    const by = checked(given);
    const record = await (await this.#store()).read();
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
   * Takes everything back to legacy: no gate, one person. Resolves when every live process follows it, or after `waitMs` (by default a
   * little longer than a lease: then whoever has not acknowledged is gone). Where the store cannot be written, for whatever reason, the
   * switch file of this machine is set instead. Throws UNWRITABLE where that fails too.
   */
  async rollback(
    given: By,
    { waitMs = this.#options.leaseMs + 1_000, onProgress = (_: string): void => {} } = {},
  ): Promise<RollbackResult> {
    const by = checked(given);
    const title = `rolled back by ${by.actor}: ${by.reason}`;
    try {
      return await this.#rollBackStore(by, title, { waitMs, onProgress });
    } catch (failure) {
      const result = await this.#setSwitch(by, failure);
      this.#options.alerts.send({ kind: "rollback", title, details: { ...result } });
      return result;
    }
  }

  async #rollBackStore(
    by: By,
    title: string,
    { waitMs, onProgress }: { readonly waitMs: number; readonly onProgress: (line: string) => void },
  ): Promise<StoreRollback> {
    const { clock, alerts, owed } = this.#options;
    const startedMs = clock.monotonicMs();
    const record = await this.#change({ ...by, action: "rollback", set: rollbackSet });
    const committedMs = clock.monotonicMs() - startedMs;
    const { possible, why } = this.#rollbackOf(record);
    const { epoch } = record;
    alerts.send({ kind: "rollback", title, details: { epoch, possible, why } });
    const fleet = await this.acknowledged(epoch, waitMs - committedMs, onProgress);
    return {
      via: "store",
      epoch,
      committedMs,
      acknowledgedMs: fleet.waiting.length > 0 ? null : clock.monotonicMs() - startedMs,
      ...fleet,
      owedToLegacy: owed.owedToLegacy().count,
      possible,
      why,
    };
  }

  async #setSwitch({ actor, reason }: By, failure: unknown): Promise<SwitchRollback> {
    const { switchFile } = this.#options;
    const why = lineOf(failure);
    try {
      await switchFile.set(reason, actor);
    } catch (cause) {
      throw new BridgeError("UNWRITABLE", {
        what: `neither the control store (${why}) nor the switch file can be written: ${lineOf(cause)}`,
        where: switchFile.path,
        fix: "make that file as a user who may, or stop the processes",
        cause,
      });
    }
    return { via: "switch_file", path: switchFile.path, why };
  }

  /** Waits until every process that lives has seen an epoch. */
  async acknowledged(
    epoch: number,
    waitMs: number,
    onProgress: (line: string) => void = () => {},
  ): Promise<Pick<StoreRollback, "acknowledged" | "gone" | "waiting">> {
    const { clock, leaseMs } = this.#options;
    const store = await this.#store();
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
      if (fleet.waiting.length === 0) return fleet;
      const line = `waiting for ${fleet.waiting.join(", ")}`;
      if (line !== told) onProgress(line);
      told = line;
      if (watchedMs >= waitMs) return fleet;
      await pause(clock, askAgainMs);
    }
  }

  async #store(): Promise<ControlStore> {
    return this.#options.store();
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
    const record = await (await this.#store()).change(change);
    if (record !== null) return record;
    throw new BridgeError("CONFLICT", {
      what: `the plan is no longer that of epoch ${change.expectedEpoch}: somebody else changed it at the same time`,
      fix: "look at status, and ask again",
    });
  }
}

const at = ({ epoch }: ControlRecord): { readonly expectedEpoch: number } => ({ expectedEpoch: epoch });

/** Trimmed and in one Unicode form, so that a person has one name. Throws BAD_USAGE where either is missing. */
function checked({ actor, reason }: By): By {
  // A program may leave them out all the same.
  const by = { actor: personName(`${actor ?? ""}`), reason: `${reason ?? ""}`.trim() };
  for (const [name, text] of Object.entries(by))
    if (text === "")
      throw new BridgeError("BAD_USAGE", { what: `the ${name} is missing`, fix: `--${name} says it, and the audit keeps it` });
  return by;
}

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
