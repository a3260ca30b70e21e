/**
 * One process of the fleet: it goes by the store's record, says which epoch it goes by, and knows what to do when the store is away.
 *
 *   store reachable       fresh     the record, within milliseconds of a change
 *   away for `staleMs`    stale     the last record; phase moves are refused (they need the store anyway)
 *   away for `leaseMs`    expired   reads: the last record. Writes: as before where legacy is authoritative, else refused
 *   never reached         none      the newest snapshot on this disk; without one legacy answers everything
 *
 * The switch file beside the process takes everything to legacy in each of them. Nothing here ever throws into a call.
 */
import { BridgeError } from "../base/errors.ts";
import { phasePolicies } from "../domain/migration/phase.ts";
import { isLegacyClosed, type MigrationPlan, writesOf } from "../domain/migration/plan.ts";
import { initialRecord } from "../domain/migration/record-columns.ts";
import { SystemFailure } from "../domain/migration/system-failure.ts";
import type { Clock } from "../ports/clock.ts";
import type { ControlRecord, ControlStore } from "../ports/control-store.ts";
import type { PlanSnapshots, SwitchFile } from "../ports/local-files.ts";
import type { JsonValue } from "../ports/system.ts";
import { type AuditHead, noHash } from "./audit-chain.ts";
import { type EffectivePlan, effectivePlan } from "./effective-plan.ts";
import { whoAnswers } from "./moves.ts";
import { rollbackSet } from "./ramp.ts";
import type { ReadSection, Section } from "./section.ts";

export type Freshness = "fresh" | "stale" | "expired" | "none";

/** Something that a person may want to know of, once. */
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

interface FollowerOptions {
  /** Opens the store; tried again while it fails. */
  readonly connect: () => Promise<ControlStore>;
  readonly snapshots: PlanSnapshots;
  readonly switchFile: SwitchFile;
  readonly readSection: ReadSection;
  readonly clock: Clock;
  readonly id: string;
  readonly name: string;
  readonly heartbeatMs: number;
  readonly pollMs: number;
  readonly staleMs: number;
  readonly leaseMs: number;
  /** How long starting waits for the store. */
  readonly startMsMax: number;
  /** Told of each plan before any call begins under it. Must not throw. */
  readonly onPlan: (effective: EffectivePlan) => void;
  /** The epoch of the oldest call that still runs; undefined where none does. */
  readonly oldestRunning: () => number | undefined;
  /** What the process says of itself with each heartbeat. */
  readonly report: () => JsonValue;
  readonly onEvent: (event: ControlEvent) => void;
}

/** What holds where there was never a store: legacy answers and is written, modern is left alone. */
const emptyRecord: ControlRecord = Object.freeze({ ...initialRecord, epoch: 0, grantedEpoch: 0 });

const switchMs = 100;
const drainMs = 20;
/** A write asks the store so often for what it says now, not long ago. */
const asksMax = 3;

export class PlanFollower {
  readonly #options: FollowerOptions;
  readonly #stops: (() => void)[] = [];
  #store: ControlStore | undefined;
  #record: ControlRecord = emptyRecord;
  #section: Section | undefined;
  #effective: EffectivePlan = effectivePlan(emptyRecord, undefined, false);
  #isSwitchSet = false;
  /** When the store was asked what it last answered, by the monotonic clock; when the process began, until it first has. */
  #heardMs: number;
  #adoptedMs = Number.NEGATIVE_INFINITY;
  /** Of a store that was put back from a copy: the epoch there, which is none of those that are known here. */
  #otherEpoch: number | undefined;
  #wasHeard = false;
  #freshness: Freshness = "none";
  #seenEpoch = 0;
  #drainedEpoch = 0;
  readonly #look: () => Promise<void>;
  readonly #beat: () => Promise<void>;
  #connecting: Promise<void> | undefined;
  #stopWatching: (() => void) | undefined;
  #recording = false;
  #closed = false;
  /** As this process last knew it; kept up by who seals. */
  auditHead: AuditHead = { seq: 0, hash: noHash };
  readonly #told = new Set<string>();
  #saving: Promise<void> = Promise.resolve();
  #savedHead = 0;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#heardMs = options.clock.monotonicMs();
    this.#look = oneAtATime(() => this.#lookOnce());
    this.#beat = oneAtATime(() => this.#beatOnce());
  }

  /** Resolves when there is a plan to go by, at the latest after `startMsMax`: from the store, else the newest snapshot, else legacy. */
  async start(): Promise<void> {
    const { clock, snapshots, startMsMax, pollMs, heartbeatMs } = this.#options;
    await this.#lookAtSwitch();
    const connected = this.#connect().then(() => this.#look());
    const waited = Promise.withResolvers<void>();
    const stopWaiting = clock.every(startMsMax, waited.resolve, true);
    await Promise.race([connected, waited.promise]);
    stopWaiting();
    if (!this.#wasHeard) {
      const { snapshot, refused } = await snapshots.latest();
      for (const { file, why } of refused) this.#tell("snapshot_refused", `${file}: ${why}`);
      // The store may have answered meanwhile, and knows better.
      if (!this.#wasHeard && snapshot !== undefined) {
        this.auditHead = snapshot.auditHead;
        this.#adopt(snapshot.record);
      }
    }
    this.#apply();
    this.#stops.push(
      clock.every(pollMs, () => void this.#poll()),
      clock.every(heartbeatMs, () => void this.#beat()),
      clock.every(switchMs, () => void this.#lookAtSwitch()),
      clock.every(drainMs, () => this.#lookAtDrain()),
    );
  }

  get effective(): EffectivePlan {
    return this.#effective;
  }

  get record(): ControlRecord {
    return this.#record;
  }

  get section(): Section | undefined {
    return this.#section;
  }

  /** Undefined until it was first reached. */
  get store(): ControlStore | undefined {
    return this.#store;
  }

  get isSwitchSet(): boolean {
    return this.#isSwitchSet;
  }

  get freshness(): Freshness {
    if (!this.#wasHeard) return "none";
    const { clock, staleMs, leaseMs } = this.#options;
    const agoMs = clock.monotonicMs() - this.#heardMs;
    return agoMs < staleMs ? "fresh" : agoMs < leaseMs ? "stale" : "expired";
  }

  get seenEpoch(): number {
    return this.#seenEpoch;
  }

  /**
   * Resolves when a write may begin under the plan of that moment: the store has been asked whether it is still the plan. The store
   * that does not answer is no hindrance while legacy is authoritative; from `primary_switch` on the write is refused. An answer that
   * this process has only come to hear after `staleMs`, since it was stopped meanwhile, is none.
   *
   * A change may come between this and the write: what stores the write holds its epoch against the store's once more.
   */
  readonly admitWrite = async (): Promise<void> => {
    try {
      const store = this.#store;
      if (store === undefined) throw new BridgeError("SYSTEM_DOWN", { what: "the control store was never reached" });
      for (let asks = 0; asks < asksMax; asks++) {
        await this.#ask(store);
        if (this.freshness === "fresh") return;
      }
      throw new BridgeError("SYSTEM_DOWN", { what: "the control store answers too late" });
    } catch (cause) {
      const { plan } = this.#effective;
      if (writesOf(plan)[0] === "legacy") return;
      throw new SystemFailure("BUSY", `the control store does not say whether epoch ${plan.epoch} is still the plan`, {
        code: "FENCED",
        cause,
      });
    }
  };

  /** Looks at the store now. Rejects where it does not answer. */
  async refresh(): Promise<void> {
    if (this.#store === undefined) throw new BridgeError("SYSTEM_DOWN", { what: "the control store was never reached" });
    await this.#ask(this.#store);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.#stopWatching?.();
    await Promise.allSettled([this.#connecting, this.#look(), this.#beat()]);
    await this.#saving;
    await this.#store?.leave(this.#options.id).catch(() => {});
    await this.#store?.close();
  }

  // --- the store -----------------------------------------------------------------------------------------------------

  #connect(): Promise<void> {
    this.#connecting ??= this.#options
      .connect()
      .then((store) => {
        this.#store = store;
        this.#stopWatching = store.watch(() => void this.#look());
      })
      .catch((failure) => this.#tell("store_failed", textOf(failure)))
      .finally(() => {
        this.#connecting = undefined;
      });
    return this.#connecting;
  }

  async #poll(): Promise<void> {
    if (this.#closed) return;
    this.#tellFreshness();
    if (this.#store === undefined) await this.#connect();
    await this.#look();
  }

  async #lookOnce(): Promise<void> {
    if (this.#store === undefined || this.#closed) return;
    try {
      await this.#ask(this.#store);
    } catch (failure) {
      this.#tell("store_failed", textOf(failure));
      if (failure instanceof BridgeError && failure.code === "INTERNAL") this.#letGo();
    }
  }

  /** A handle that is broken itself is given up; the next poll opens another. */
  #letGo(): void {
    this.#stopWatching?.();
    void this.#store?.close().catch(() => {});
    this.#store = undefined;
  }

  async #ask(store: ControlStore): Promise<void> {
    const askedMs = this.#options.clock.monotonicMs();
    this.#heard(await store.read(), askedMs);
  }

  #heard(record: ControlRecord, askedMs: number): void {
    this.#heardMs = Math.max(this.#heardMs, askedMs);
    this.#wasHeard = true;
    this.#told.delete("store_failed");
    this.#tellFreshness();
    if (isOfBefore(record, this.#record)) {
      // Asked before what is known was: an answer that was overtaken.
      if (askedMs >= this.#adoptedMs) this.#putBack(record);
      return;
    }
    this.#told.delete("epoch_went_back");
    this.#otherEpoch = undefined;
    if (record.epoch === this.#record.epoch && this.#seenEpoch === record.epoch) return;
    this.#adopt(record);
    this.#apply();
    void this.#beat();
    this.#save();
  }

  /** A store that was put back from a copy: what it says is older than what is known. Only its way to legacy is taken. */
  #putBack(record: ControlRecord): void {
    this.#tell("epoch_went_back", `the store says epoch ${record.epoch}, ${this.#record.epoch} was known`);
    const { plan: theirs } = effectivePlan(record, this.#section?.plan, false);
    const { plan: ours } = this.#effective;
    const isTowardsLegacy =
      (isLegacyAlone(theirs) && !isLegacyAlone(ours)) || (writesOf(theirs)[0] === "legacy" && writesOf(ours)[0] === "modern");
    if (isTowardsLegacy && ours.useNewPnlSystem) {
      this.#adopt({ ...this.#record, overrides: { ...this.#record.overrides, useNewPnlSystem: false } });
      this.#apply();
    }
    if (this.#otherEpoch === record.epoch) return;
    this.#otherEpoch = record.epoch;
    void this.#beat();
  }

  #adopt(record: ControlRecord): void {
    this.#adoptedMs = this.#options.clock.monotonicMs();
    if (record.published?.hash !== this.#record.published?.hash || this.#section === undefined) {
      try {
        if (record.published !== null) this.#section = this.#options.readSection(record.published.text);
        this.#told.delete("unreadable_section");
      } catch (failure) {
        // A newer program has published it: the last one that can be read stays, and without one legacy answers.
        this.#tell("unreadable_section", textOf(failure));
      }
    }
    this.#record = record;
  }

  #apply(): void {
    const before = this.#effective;
    this.#effective = effectivePlan(this.#record, this.#section?.plan, this.#isSwitchSet);
    this.#options.onPlan(this.#effective);
    this.#seenEpoch = this.#record.epoch;
    const { plan } = this.#effective;
    if (before.plan.epoch !== plan.epoch || before.plan.useNewPnlSystem !== plan.useNewPnlSystem)
      this.#options.onEvent({
        kind: "plan",
        what: `${plan.phase}: ${whoAnswers(this.#record, this.#effective)}`,
        epoch: plan.epoch,
      });
    const { latched } = this.#record;
    if (latched === null) this.#told.delete("latched");
    else this.#tell("latched", `modern was taken out of use: ${latched}`);
    this.#lookAtDrain();
  }

  // --- what this process says of itself ---------------------------------------------------------------------------------

  #lookAtDrain(): void {
    const oldest = this.#options.oldestRunning();
    const drained = oldest === undefined ? this.#seenEpoch : Math.min(this.#seenEpoch, oldest);
    if (drained <= this.#drainedEpoch) return;
    this.#drainedEpoch = drained;
    void this.#beat();
  }

  /** In a store that was put back they are its own: a plan of it that is not obeyed is not acknowledged either. */
  get #epochs(): { readonly seenEpoch: number; readonly drainedEpoch: number } {
    if (this.#otherEpoch === undefined) return { seenEpoch: this.#seenEpoch, drainedEpoch: this.#drainedEpoch };
    const seenEpoch = isLegacyAlone(this.#effective.plan) ? this.#otherEpoch : 0;
    return { seenEpoch, drainedEpoch: this.#options.oldestRunning() === undefined ? seenEpoch : 0 };
  }

  async #beatOnce(): Promise<void> {
    const { id, name, report } = this.#options;
    if (this.#store === undefined || this.#closed) return;
    try {
      await this.#store.heartbeat({ id, name, ...this.#epochs, report: report() });
    } catch (failure) {
      this.#tell("store_failed", textOf(failure));
    }
  }

  // --- this machine's own files --------------------------------------------------------------------------------------------

  async #lookAtSwitch(): Promise<void> {
    const isSet = await this.#options.switchFile.isSet();
    if (this.#closed) return;
    if (isSet !== this.#isSwitchSet) {
      this.#isSwitchSet = isSet;
      this.#apply();
      this.#options.onEvent({ kind: "switch_file", what: isSet ? "set" : "removed", epoch: this.#record.epoch });
    }
    if (isSet && this.freshness === "fresh" && this.#record.overrides.useNewPnlSystem !== false) await this.#recordSwitch();
  }

  /** The store is there: what the switch file did on this machine is done for the whole fleet, and stands in the audit. */
  async #recordSwitch(): Promise<void> {
    if (this.#recording || this.#store === undefined) return;
    this.#recording = true;
    try {
      const reason = `${this.#options.switchFile.path} is set`;
      const askedMs = this.#options.clock.monotonicMs();
      const record = await this.#store.change({
        actor: this.#options.name,
        action: "rollback",
        reason,
        set: rollbackSet,
        expectedEpoch: this.#record.epoch,
      });
      if (record !== null) this.#heard(record, askedMs);
    } catch (failure) {
      this.#tell("store_failed", textOf(failure));
    } finally {
      this.#recording = false;
    }
  }

  /** The newest record and head, one after the other; what fails is told once and tried again with the next. */
  #save(): void {
    const { snapshots, clock } = this.#options;
    this.#saving = this.#saving.then(async () => {
      const snapshot = { record: this.#record, auditHead: this.auditHead, savedAt: new Date(clock.nowMs()).toISOString() };
      try {
        await snapshots.save(snapshot);
        this.#savedHead = snapshot.auditHead.seq;
        this.#told.delete("snapshot_failed");
      } catch (failure) {
        this.#tell("snapshot_failed", textOf(failure));
      }
    });
  }

  /** The chain has grown: its head goes into the snapshot, so that a cut tail shows. */
  keepHead(head: AuditHead): void {
    this.auditHead = head;
    if (head.seq > this.#savedHead) this.#save();
  }

  #tellFreshness(): void {
    const { freshness } = this;
    if (freshness === this.#freshness) return;
    this.#freshness = freshness;
    this.#options.onEvent({ kind: "freshness", what: freshness, epoch: this.#record.epoch });
  }

  /** Each kind once, until it is over. */
  #tell(kind: ControlEvent["kind"], what: string): void {
    if (this.#told.has(kind)) return;
    this.#told.add(kind);
    this.#options.onEvent({ kind, what, epoch: this.#record.epoch });
  }
}

/** Also where it has the same epoch: another history may have come as far. */
const isOfBefore = (record: ControlRecord, known: ControlRecord): boolean =>
  record.epoch < known.epoch ||
  (record.epoch === known.epoch && (record.updatedAt !== known.updatedAt || record.updatedBy !== known.updatedBy));

/** Whether no call is answered by modern, whoever makes it. */
const isLegacyAlone = (plan: MigrationPlan): boolean =>
  !isLegacyClosed(plan) &&
  (!plan.useNewPnlSystem || plan.migrationMode === "old_only" || phasePolicies[plan.phase].answers === "legacy");

/** Runs work one at a time; who asks for it while it runs has it run once more, and is not forgotten in any moment between. */
function oneAtATime(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let again = false;
  const run = async (): Promise<void> => {
    do {
      again = false;
      await work();
    } while (again);
    // Before anything else can run: the promise itself settles later.
    running = undefined;
  };
  return () => {
    if (running === undefined) running = run();
    else again = true;
    return running;
  };
}

const textOf = (failure: unknown): string =>
  failure instanceof BridgeError ? failure.line : failure instanceof Error ? failure.message : String(failure);
