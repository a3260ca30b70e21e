/**
 * The rules for every action of a person on a running fleet: move its phase, change its traffic, roll it
 * back. The CLI, HTTP and programs all use this class. Each change is one transaction of the control store,
 * together with its audit row. Forward moves need open gates, an unchanged record, and no switch file on this
 * machine. Moves towards legacy need none of these, and a rollback works even without the store.
 */

import { BridgeError, codeOf, lineOf } from "../base/errors.ts";
import { pause } from "../base/pause.ts";
import { personName } from "../base/person-name.ts";
import { shownMs } from "../base/shown-ms.ts";
import { isLater, type Phase, phaseAfter, phasePolicies } from "../domain/migration/phase.ts";
import type { MigrationPlan } from "../domain/migration/plan.ts";
import type { Ramp } from "../domain/migration/record-columns.ts";
import { routeOf } from "../domain/migration/route.ts";
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
import type { Answered, DataAuthority } from "../ports/data-authority.ts";
import type { SwitchFile } from "../ports/local-files.ts";
import type { OwedWrites } from "../ports/owed-writes.ts";
import type { JsonValue } from "../ports/system.ts";
import { type EffectivePlan, effectivePlan } from "./effective-plan.ts";
import {
  type EvidenceFacts,
  evidenceGates,
  type Guarded,
  type JudgedGate,
  provedHarm,
} from "./evidence/index.ts";
import {
  type Gate,
  type GateInput,
  type GateReport,
  gateReport,
  judgeGates,
  owedText,
  type ReadFacts,
} from "./gates.ts";
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
  /** Returns the control store. Throws or rejects while it cannot be reached. */
  readonly store: () => ControlStore | Promise<ControlStore>;
  /** This machine's switch file blocks forward moves. A rollback sets it if the store cannot be written. */
  readonly switchFile: SwitchFile;
  readonly readSection: ReadSection;
  readonly gates: readonly Gate[];
  /** Reads the facts of the evidence gates. Undefined: only `gates` are judged. */
  readonly facts?: ReadFacts | undefined;
  /**
   * Returns the result of the last close of the days. Returns undefined if this process closes no days; then
   * all evidence is judged.
   */
  readonly settled?: (() => SettledDays | undefined) | undefined;
  /** Whether the profile is `trial`: only `gates` are judged, and the window to legacy stays open. */
  readonly isTrial?: boolean | undefined;
  readonly owed: OwedWrites;
  /** The number of quarantined items; null if unknown. */
  readonly quarantined: () => Promise<number | null> | number | null;
  readonly alerts: AlertSink;
  readonly clock: Clock;
  readonly leaseMs: number;
  /** Undefined if no pair of databases is configured. */
  readonly authority?: DataAuthority | undefined;
}

/** What the last close settled under an evidence key, and when it had written its marks. */
export interface SettledDays extends NonNullable<EvidenceFacts["settled"]> {
  readonly key: string;
  readonly markedMs: number;
}

/** The person who acts, and the reason. */
export type By = Pick<AuditNote, "actor" | "reason">;

/** The content of the store at one moment. */
export interface Overview extends Standing {
  readonly section: Section | undefined;
  /** The reason why this program cannot read the published section. */
  readonly unreadable: string | undefined;
  readonly instances: readonly Instance[];
  readonly signOffs: readonly SignOff[];
}

/** Whether a rollback to legacy is possible; false also while it is unknown which writes legacy lacks. */
export interface WayBack {
  readonly possible: boolean;
  readonly why: string;
}

export interface MoveOptions extends Expected {
  /** Judges the gates without changing anything. */
  readonly dryRun?: boolean | undefined;
}

export interface MoveResult {
  readonly from: Phase;
  readonly target: Phase;
  /** False in a dry run, if a gate was closed, and if the authority over the records did not move. */
  readonly moved: boolean;
  /** Undefined for a backward move, which needs no gates. */
  readonly gates: GateReport | undefined;
  /** Whether modern now has the authority over the records; absent if the move does not move it. */
  readonly authority?: Answered;
  /** The columns of the record that change, or would change. */
  readonly set: ControlChange["set"];
  readonly epoch: number;
}

/** A rollback through the store or, if that cannot be written, through this machine's switch file. */
export type RollbackResult = StoreRollback | SwitchRollback;

interface SwitchRollback {
  readonly via: "switch_file";
  /** The path of the switch file. Legacy answers in every process whose state is in that folder. */
  readonly path: string;
  /** The reason why the store cannot be written. */
  readonly why: string;
}

interface StoreRollback {
  readonly via: "store";
  readonly epoch: number;
  /** Time from the call until the store has committed the change. */
  readonly committedMs: number;
  /** Time from the call until the last live process follows the change; null if the wait ended before. */
  readonly acknowledgedMs: number | null;
  readonly acknowledged: readonly string[];
  /** Processes without a heartbeat for longer than their lease. */
  readonly gone: readonly string[];
  /** Live processes that had not acknowledged the change when the wait ended. */
  readonly waiting: readonly string[];
  /**
   * Writes that legacy has not received yet; null if unknown. They will be delivered; until then legacy's
   * answers are marked stale.
   */
  readonly owedToLegacy: number | null;
  /** Whether legacy answers from now on; false after the window to legacy was closed. */
  readonly possible: boolean;
  readonly why: string;
}

/** The lists of users: the column of each, and the change that moves a user towards modern. */
const userLists = {
  whitelist: { column: "userWhitelist", forward: "add" },
  denylist: { column: "userDenylist", forward: "remove" },
} as const;
const listAttemptsMax = 5;
export type UserList = keyof typeof userLists;

export interface ListChange {
  readonly change: "add" | "remove";
  readonly user: string;
}

const signOffDays = 7;
/** The gate that a person opens by saying that the desk is trained. */
const training = "team_trained";
const pollMs = 10;
/**
 * A live process that is notified of the change at once sends a heartbeat within this time. Until then no
 * process counts as gone, because somebody may have set the clock, so that the last heartbeat only looks old.
 */
const aliveMs = 500;
/** The number of times that other changes may overtake a backward move before it fails with CONFLICT. */
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
    const path = isSet ? switchFile.path : null;
    return { record, effective, switchFile: path, section, unreadable, instances, signOffs };
  }

  /** Returns whether the plan of an overview can be rolled back. Asks the databases. */
  async wayBack({ record, effective }: Overview): Promise<WayBack> {
    const certain = whyBack(record, effective);
    if (certain !== undefined) return certain;
    const owed = await this.#owedToLegacy();
    return { possible: owed !== null, why: owedConsequence(owed) };
  }

  /**
   * Judges the gates of a phase (by default the next one) from an overview (by default a new one). If
   * `isLook` is false, as for a scrape of the metrics, the judgement does not count as a look.
   */
  async gates(target?: Phase, seen?: Overview, isLook = true): Promise<GateReport> {
    const overview = seen ?? (await this.overview());
    const { phase } = overview.effective.plan;
    return this.#judge(overview, target ?? phaseAfter(phase) ?? phase, isLook);
  }

  /**
   * Returns the facts of the evidence without those of the databases, or why they cannot be read. Undefined
   * if there is no evidence.
   */
  async evidence(overview: Overview): Promise<EvidenceFacts | string | undefined> {
    const { facts } = this.#options;
    return facts?.({ ...{ quarantined: null, owed: 0, isLook: false }, ...plannedFacts(overview) });
  }

  /** Returns the reason why the evidence proves that modern does harm; undefined if it does not prove it. */
  async provedHarm(): Promise<string | undefined> {
    const { facts, isTrial, settled: readSettled } = this.#options;
    if (facts === undefined || isTrial === true) return undefined;
    const settled = readSettled?.();
    const found = await this.evidence(await this.overview());
    if (typeof found !== "object") return undefined;
    if (settled === undefined) return provedHarm(found);
    // Facts that were read before the marks were written, or under another key, prove nothing.
    if (settled.key !== found.key || found.nowMs < settled.markedMs) return undefined;
    return provedHarm({ ...found, settled });
  }

  /** Says which side answers under a record, and why. This may differ from what was requested. */
  whoAnswers(record: ControlRecord): string {
    return whoAnswers(record, effectivePlan(record, this.#section(record).section?.plan, false));
  }

  /**
   * Moves the phase if the move is legal and the gates are open. Throws REFUSED for an illegal move, and
   * CONFLICT if the plan is not the expected one or changes at the same time.
   */
  async move(
    move: PhaseMove,
    given: By,
    { dryRun = false, ...expected }: MoveOptions = {},
  ): Promise<MoveResult> {
    const by = checked(given);
    const overview = await this.overview();
    checkExpected(expected, overview);
    const { record } = overview;
    const { from, target, needsGates, set } = legalMove(move, overview);
    if (!needsGates && !dryRun) return this.#goBack(overview, target, by, expected);
    const gates = needsGates ? await this.#judge(overview, target) : undefined;
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
    const authority = await this.#moveAuthority(target, changed.epoch);
    if (authority?.open === false) {
      const reason = `the authority over the records did not move: ${authority.why}`;
      const back = await this.#goBack(await this.overview(), from, { ...by, reason }, {});
      return { ...result, moved: false, authority, epoch: back.epoch };
    }
    return { ...result, moved: true, ...(authority && { authority }), epoch: changed.epoch };
  }

  /** Moves the authority over the records to modern. Returns undefined if the phase leaves it at legacy. */
  async #moveAuthority(target: Phase, epoch: number): Promise<Answered | undefined> {
    const { authority, leaseMs } = this.#options;
    if (authority === undefined || phasePolicies[target].writes[0] === "legacy") return undefined;
    // A process that follows the old plan would move the authority back.
    await this.acknowledged(epoch, leaseMs + 1_000);
    return authority.move("modern").catch((failure) => ({ open: false, why: lineOf(failure) }));
  }

  /** Moves backward, despite concurrent changes. Changes nothing if another move has gone as far back. */
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

  /** Approves a phase (`approved`), or ends the writes to legacy for good (`legacy_window`, in cleanup). */
  async signOff(
    gate: string,
    given: { readonly actor: string; readonly note: string; readonly phase?: Phase } & Pick<
      Expected,
      "epoch"
    >,
  ): Promise<Phase> {
    const { actor, reason: note } = checked({ actor: given.actor, reason: given.note });
    const overview = await this.overview();
    checkExpected({ epoch: given.epoch }, overview);
    const { record, effective } = overview;
    const current = effective.plan.phase;
    if (gate === "legacy_window") {
      if (current !== "cleanup")
        throw refused(
          `the window to legacy can be closed only in cleanup, and the phase is ${current}`,
          "run phase advance until the phase is cleanup",
        );
      refuseOutOfUse(overview);
      if (this.#options.isTrial === true)
        throw refused(
          "the profile trial never closes the window to legacy",
          "set gates: { profile: desk }, and open its gates",
        );
      await this.#refuseBlocked("window", "the end of the window to legacy needs evidence", overview);
      await this.#change({
        actor,
        reason: note,
        action: "sign-off",
        set: { legacyWindow: "closed" },
        ...at(record),
      });
      return current;
    }
    const known = [...this.#options.gates, ...evidenceGates].map(({ name }) => name);
    if (gate === training) {
      const evidence = { gate, phase: current };
      await (await this.#store()).note({ actor, action: "sign-off", reason: note, evidence });
      return current;
    }
    if (gate !== "approved")
      throw refused(
        known.includes(gate)
          ? `the gate ${gate} is judged from the facts and accepts no sign-off`
          : `there is no gate ${gate}`,
        "sign off approved, team_trained or legacy_window",
      );
    // While modern is out of use, the current phase has to be approved again.
    const target =
      given.phase ?? (whyOutOfUse(record) === undefined ? phaseAfter(current) : current) ?? current;
    const store = await this.#store();
    await store.signOff({ gate, phase: target, actor, note, expiresAfterMs: signOffDays * 86_400_000 });
    await store.note({ actor, action: "sign-off", reason: note, evidence: { gate, phase: target } });
    return target;
  }

  /**
   * Changes the percentage at once. A lower percentage is always allowed, unless another epoch is expected.
   */
  async traffic(
    percentage: number,
    given: By,
    expected: Pick<Expected, "epoch"> = {},
  ): Promise<ControlRecord> {
    const by = checked(given);
    checkPercentage(percentage);
    const overview = await this.overview();
    checkExpected(expected, overview);
    const isUp = percentage > overview.effective.plan.newSystemPercentage;
    if (isUp) await this.#refuseRise(overview);
    const set = { newSystemPercentage: percentage, ramp: null };
    const isPinned = isUp || expected.epoch !== undefined;
    return this.#change({ ...by, action: "traffic", set, ...(isPinned && at(overview.record)) });
  }

  /** Begins a ramp with its first step. A live process makes the further steps. */
  async ramp(
    ramp: Pick<Ramp, "steps" | "dwellMs" | "endsIn">,
    given: By,
    expected: Pick<Expected, "epoch"> = {},
  ): Promise<ControlRecord> {
    const by = checked(given);
    const overview = await this.overview();
    checkExpected(expected, overview);
    return this.#ramp(overview, { ...ramp, ...by });
  }

  /** Lowers the percentage step by step and rolls back after 0. A live process makes the further steps. */
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
    if (isUp) await this.#refuseRise(overview);
    return this.#change({ actor, reason, action: "traffic", set, ...(isUp && at(overview.record)) });
  }

  /**
   * Adds a user to a list or removes one, even while other people change the record. A change towards legacy
   * is always allowed. Returns null if the list is already as requested.
   */
  async changeList(
    list: UserList,
    { change, user, ...expected }: ListChange & Pick<Expected, "epoch">,
    given: By,
  ): Promise<ControlRecord | null> {
    const { column, forward } = userLists[list];
    const by = checked(given);
    const name = personName(user);
    if (name === "")
      throw new BridgeError("BAD_USAGE", {
        what: "the user's name is empty",
        fix: "give the name of a user",
      });
    for (let attempt = 1; ; attempt++) {
      const overview = await this.overview();
      checkExpected(expected, overview);
      const before = overview.effective.plan[column];
      if (before.has(name) === (change === "add")) return null;
      if (change === forward) refuseOutOfUse(overview);
      const users = change === "add" ? [...before, name] : [...before].filter((one) => one !== name);
      try {
        return await this.#change({ ...by, action: list, set: { [column]: users }, ...at(overview.record) });
      } catch (failure) {
        // Another change came in between; this one does not depend on it.
        if (codeOf(failure) !== "CONFLICT" || attempt === listAttemptsMax) throw failure;
      }
    }
  }

  /**
   * Publishes a configuration for the fleet. A phase later than the granted one is held. A file under which
   * modern answers more of the traffic is refused unless `traffic` would allow the rise.
   */
  async publish(published: Published, given: By): Promise<ControlRecord> {
    const by = checked(given);
    const overview = await this.overview();
    const { record } = overview;
    const section = this.#options.readSection(published.text);
    const effective = effectivePlan(record, section.plan, false);
    const lacking = effective.held.find(
      ({ value, why }) => value === "phase" && why.startsWith("needs the flags"),
    );
    if (lacking !== undefined)
      throw refused(
        `with this file the phase ${lacking.asked} could not be kept: it ${lacking.why}`,
        "set the flags, or move to an earlier phase first",
      );
    if (isRise(overview.effective.plan, effective.plan))
      await this.#refuseRise({ ...overview, section, effective });
    return this.#change({ ...by, action: "publish", set: { published }, ...at(record) });
  }

  /**
   * Takes everything back to legacy; needs no gate and one person. Resolves when every live process follows
   * the change, or after `waitMs` (by default a little longer than a lease: a process that has not
   * acknowledged by then is gone). If the store cannot be written, for whatever reason, the switch file of
   * this machine is set instead. Throws UNWRITABLE if that fails too.
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
    const { clock, alerts } = this.#options;
    const startedMs = clock.monotonicMs();
    const record = await this.#change({ ...by, action: "rollback", set: rollbackSet });
    const committedMs = clock.monotonicMs() - startedMs;
    const { epoch } = record;
    const closed = whyBack(record);
    const possible = closed === undefined;
    alerts.send({
      kind: "rollback",
      title,
      details: { epoch, possible, ...(closed && { why: closed.why }) },
    });
    const fleet = await this.acknowledged(epoch, waitMs - committedMs, onProgress);
    const owed = await this.#owedToLegacy();
    return {
      via: "store",
      epoch,
      committedMs: shownMs(committedMs),
      acknowledgedMs: fleet.waiting.length > 0 ? null : shownMs(clock.monotonicMs() - startedMs),
      ...fleet,
      owedToLegacy: owed?.count ?? null,
      possible,
      why: closed?.why ?? owedConsequence(owed),
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
        fix: "create that file as a user with write permission, or stop the processes",
        cause,
      });
    }
    return { via: "switch_file", path: switchFile.path, why };
  }

  /** Waits until every live process has seen an epoch, or until `waitMs` has passed. */
  async acknowledged(
    epoch: number,
    waitMs: number,
    onProgress: (line: string) => void = () => {},
  ): Promise<Pick<StoreRollback, "acknowledged" | "gone" | "waiting">> {
    const { clock, leaseMs } = this.#options;
    const store = await this.#store();
    const startedMs = clock.monotonicMs();
    const firstBeats = new Map<string, number>();
    let reported = "";
    for (;;) {
      const instances = await store.instances();
      const watchedMs = clock.monotonicMs() - startedMs;
      const stateOf = ({ id, seenEpoch, ageMs, beats }: Instance): "acknowledged" | "gone" | "waiting" => {
        if (seenEpoch >= epoch) return "acknowledged";
        if (!firstBeats.has(id)) firstBeats.set(id, beats);
        // A process is gone if its lease has ended by the store's clock, once it has had time for another
        // heartbeat. If somebody has set that clock, it is gone after a whole lease without a heartbeat by
        // the clock of this process.
        const isGone = watchedMs > leaseMs || (watchedMs >= aliveMs && ageMs > leaseMs);
        return isGone && firstBeats.get(id) === beats ? "gone" : "waiting";
      };
      const states = instances.map((instance) => ({ name: instance.name, state: stateOf(instance) }));
      const names = (wanted: string): readonly string[] =>
        states.filter(({ state }) => state === wanted).map(({ name }) => name);
      const fleet = { acknowledged: names("acknowledged"), gone: names("gone"), waiting: names("waiting") };
      if (fleet.waiting.length === 0) return fleet;
      const line = `waiting for ${fleet.waiting.join(", ")}`;
      if (line !== reported) onProgress(line);
      reported = line;
      if (watchedMs >= waitMs) return fleet;
      await pause(clock, pollMs);
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

  /** Asks the databases, if there are any. Returns null if the number is unknown. */
  async #owedToLegacy(): Promise<GateInput["owedToLegacy"]> {
    const { authority, owed } = this.#options;
    return authority === undefined ? owed.owedToLegacy() : authority.owedToLegacy().catch(() => null);
  }

  async #judge(overview: Overview, target: Phase, isLook = true): Promise<GateReport> {
    const { record, effective, section, instances, signOffs } = overview;
    const { gates, leaseMs, authority } = this.#options;
    const facts = this.#options.isTrial === true ? undefined : this.#options.facts;
    const needsModern = phasePolicies[target].writes[0] === "modern";
    const quarantined = await this.#quarantined();
    const owedToLegacy = await this.#owedToLegacy();
    const found = await facts?.({
      ...{ quarantined, owed: owedToLegacy?.count ?? null, isLook, ...plannedFacts(overview) },
    });
    const input: GateInput = {
      databases: needsModern
        ? await authority?.ready("modern").catch((failure) => ({ open: false, why: lineOf(failure) }))
        : undefined,
      record,
      effective,
      target,
      instances,
      leaseMs,
      signOffs,
      quarantined,
      owedToLegacy,
      twoPerson: section?.twoPerson ?? [],
    };
    return judgeGates(gates, input, found);
  }

  async #quarantined(): Promise<number | null> {
    return Promise.resolve(this.#options.quarantined()).catch(() => null);
  }

  /**
   * Returns the evidence gates that are not open and therefore block a rise of modern's traffic or the end of
   * the window. Judges by `overview`; by default, by a new one.
   */
  async blocking(before: Guarded, overview?: Overview): Promise<readonly JudgedGate[]> {
    return (await this.#gatesBefore(before, overview)).gates.filter(({ open }) => !open);
  }

  /**
   * Judges the gates of a phase (by default the next one), or those before a rise of modern's traffic or the
   * end of the window.
   */
  gatesOf(target?: Guarded): Promise<GateReport<Guarded>> {
    return target === "ramp" || target === "window" ? this.#gatesBefore(target) : this.gates(target);
  }

  /** Judges the evidence gates alone: those before a rise of modern's traffic or the end of the window. */
  async #gatesBefore<Target extends Guarded>(
    before: Target,
    overview?: Overview,
  ): Promise<GateReport<Target>> {
    const { facts, isTrial } = this.#options;
    if (facts === undefined || isTrial === true) return gateReport(before, [], undefined);
    const planned = plannedFacts(overview ?? (await this.overview()));
    const [quarantined, owed] = [await this.#quarantined(), await this.#owedToLegacy()];
    const seen = { quarantined, owed: owed?.count ?? null, isLook: true, ...planned };
    return gateReport(before, [], await facts(seen));
  }

  /** Throws REFUSED if modern may not answer more of the traffic: it is out of use, or a gate is not open. */
  async #refuseRise(overview: Overview): Promise<void> {
    refuseOutOfUse(overview);
    await this.#refuseBlocked("ramp", "a higher percentage needs evidence", overview);
  }

  async #refuseBlocked(before: Guarded, what: string, overview: Overview): Promise<void> {
    const blocking = await this.blocking(before, overview);
    if (blocking.length === 0) return;
    const why = blocking.map(({ name, why }) => `${name}: ${why}`).join("; ");
    throw refused(
      `${what}, and not all its gates are open: ${why}`,
      "open these gates, or let two people waive them",
    );
  }

  async #change(change: ControlChange): Promise<ControlRecord> {
    const record = await (await this.#store()).change(change);
    if (record !== null) return record;
    throw new BridgeError("CONFLICT", {
      what: `the plan is no longer that of epoch ${change.expectedEpoch}: somebody else changed it at the same time`,
      fix: "run status, then try again",
    });
  }
}

/**
 * Returns what is known of a rollback without the databases; undefined if it depends on what legacy is owed.
 * `effective` is the plan that would be rolled back, if the caller knows it.
 */
function whyBack(record: ControlRecord, effective?: EffectivePlan): WayBack | undefined {
  if (record.legacyWindow === "closed")
    return {
      possible: false,
      why: "cannot roll back: legacy is no longer written, its window was closed by sign-off",
    };
  return effective?.plan.migrationMode === "new_only"
    ? { possible: true, why: "but migration_mode is new_only: legacy lacks what was written under it" }
    : undefined;
}

const owedConsequence = (owed: GateInput["owedToLegacy"]): string =>
  owed === null || owed.count === 0
    ? owedText(owed)
    : `${owedText(owed)}: its answers are stale until it has received them`;

/** Whether modern answers more of the traffic under a plan than before, now or from `dual_write` on. */
const isRise = (before: MigrationPlan, after: MigrationPlan): boolean =>
  after.newSystemPercentage > before.newSystemPercentage || shareOfModern(after) > shareOfModern(before);

/** The percentage of the traffic that modern answers under a plan, apart from the lists of users. */
function shareOfModern(plan: MigrationPlan): number {
  const { answer, because } = routeOf(plan, {}, 0);
  if (because === "NO_UNIT") return plan.newSystemPercentage;
  return answer === "modern" ? 100 : 0;
}

/** What the evidence gates need to know of the plan. */
const plannedFacts = ({ section, effective }: Overview) => ({
  tolerances: section?.tolerances,
  usesReports: effective.plan.flags.reports,
});

const at = ({ epoch }: ControlRecord): { readonly expectedEpoch: number } => ({ expectedEpoch: epoch });

/** Trims both texts, and puts the name into Unicode form NFC. Throws BAD_USAGE if one is empty. */
function checked({ actor, reason }: By): By {
  // Callers without type checks may omit them.
  const by = { actor: personName(`${actor ?? ""}`), reason: `${reason ?? ""}`.trim() };
  for (const [name, text] of Object.entries(by))
    if (text === "")
      throw new BridgeError("BAD_USAGE", {
        what: `the ${name} is missing`,
        fix: `give it with --${name}; the audit keeps it`,
      });
  return by;
}
