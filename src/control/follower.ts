/**
 * Keeps one process on the plan of the control store: reads the record, passes each new plan to the process,
 * and reports its epoch. `follower-state.ts` decides; this file has the timers and the I/O. Only `admitWrite`
 * makes a call fail.
 */
import { BridgeError } from "../base/errors.ts";
import { oneAtATime } from "../base/one-at-a-time.ts";
import { writesOf } from "../domain/migration/plan.ts";
import { SystemFailure } from "../domain/migration/system-failure.ts";
import type { Clock } from "../ports/clock.ts";
import type { ControlRecord, ControlStore } from "../ports/control-store.ts";
import type { PlanSnapshots, SwitchFile } from "../ports/local-files.ts";
import type { JsonValue } from "../ports/system.ts";
import { type AuditHead, noHash } from "./audit-chain.ts";
import type { EffectivePlan } from "./effective-plan.ts";
import * as decide from "./follower-state.ts";
import { rollbackSet } from "./ramp.ts";

interface FollowerOptions extends decide.FollowerRules {
  /** Opens the store. Each poll calls it again while it fails. */
  readonly connect: () => Promise<ControlStore>;
  readonly snapshots: PlanSnapshots;
  readonly switchFile: SwitchFile;
  readonly clock: Clock;
  readonly id: string;
  readonly name: string;
  readonly heartbeatMs: number;
  readonly pollMs: number;
  /** The longest time that `start` waits for the store. */
  readonly startMsMax: number;
  /** Receives each plan before any call begins under it. Must not throw. */
  readonly onPlan: (effective: EffectivePlan) => void;
  /** The epoch of the oldest running call; undefined while none runs. */
  readonly oldestRunning: () => number | undefined;
  /** Returns the report that each heartbeat contains. */
  readonly report: () => JsonValue;
  readonly onEvent: (event: decide.ControlEvent) => void;
}

const [switchMs, drainMs] = [100, 20];
/** The most reads of the store for one write; a read whose answer comes too late is repeated. */
const readsMax = 3;

export class PlanFollower {
  readonly #options: FollowerOptions;
  #state = decide.initialState;
  /** Undefined until the store is reached, and after a broken handle was released. */
  #store: ControlStore | undefined;
  readonly #stops: (() => void)[] = [];
  #stopWatching: (() => void) | undefined;
  readonly #onStoreFailure = (failure: unknown): void => this.#on({ kind: "store_failed", failure });
  readonly #beat = oneAtATime(() => this.#beatOnce().catch(this.#onStoreFailure));
  readonly #read = oneAtATime(async () => {
    if (this.#store === undefined || this.#isClosed) return;
    await this.refresh().catch((failure: unknown) => this.#on({ kind: "read_failed", failure }));
  });
  #connecting: Promise<void> | undefined;
  #recordingSwitch: Promise<void> | undefined;
  /**
   * The newest known head of the audit chain; `#savedHead` is the `seq` of the head in the last saved
   * snapshot.
   */
  auditHead: AuditHead = { seq: 0, hash: noHash };
  #savedHead = 0;
  #saving: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /**
   * Resolves when the process has a plan: the store's; if the store fails or does not answer within
   * `startMsMax`, the plan of the newest snapshot; without a snapshot, legacy alone.
   */
  async start(): Promise<void> {
    const { clock, snapshots, startMsMax, pollMs, heartbeatMs } = this.#options;
    await this.#readSwitch();
    const connected = this.#connect().then(() => this.#read());
    const waited = Promise.withResolvers<void>();
    const stopWaiting = clock.every(startMsMax, waited.resolve, true);
    await Promise.race([connected, waited.promise]);
    stopWaiting();
    const found = this.#state.readMs === undefined ? await snapshots.latest() : undefined;
    if (this.#state.readMs === undefined && found?.snapshot !== undefined)
      this.auditHead = found.snapshot.auditHead;
    this.#on({ kind: "started", found });
    this.#stops.push(
      clock.every(pollMs, () => void this.#poll()),
      clock.every(heartbeatMs, () => void this.#beat()),
      clock.every(switchMs, () => void this.#readSwitch()),
      clock.every(drainMs, () => this.#checkDrain()),
    );
  }

  get state(): decide.FollowerState {
    return this.#state;
  }

  get effective(): EffectivePlan {
    return this.#state.effective;
  }

  get record(): ControlRecord {
    return this.#state.record;
  }

  get store(): ControlStore | undefined {
    return this.#store;
  }

  get freshness(): decide.Freshness {
    return decide.freshnessAt(this.#options.clock.monotonicMs(), this.#state, this.#options);
  }

  /**
   * Stores the head of the audit chain; a newer head than the saved one is saved with the snapshot, so that a
   * removed end of the chain is detected.
   */
  keepHead(head: AuditHead): void {
    this.auditHead = head;
    if (head.seq > this.#savedHead) this.#saveSnapshot();
  }

  /**
   * Reads the store; resolves when a write may begin under `effective`. If the store cannot be read, the
   * write is allowed while legacy is authoritative, and refused with FENCED from `primary_switch` on. A read
   * that takes `staleMs` or longer, because the process was stopped meanwhile, does not count. The plan may
   * change after the read, so the transaction of the write has to check the epoch again.
   */
  readonly admitWrite = async (): Promise<void> => {
    try {
      for (let reads = 0; reads < readsMax; reads++) {
        await this.refresh();
        if (this.freshness === "fresh") return;
      }
      throw new BridgeError("SYSTEM_DOWN", { what: "the control store answers too late" });
    } catch (cause) {
      const { plan } = this.effective;
      if (writesOf(plan)[0] === "legacy") return;
      const what = `the control store does not confirm that epoch ${plan.epoch} is still in force`;
      throw new SystemFailure("BUSY", what, { code: "FENCED", cause });
    }
  };

  /** Reads the store now. Rejects if it does not answer. */
  async refresh(): Promise<void> {
    if (this.#store === undefined)
      throw new BridgeError("SYSTEM_DOWN", { what: "the control store is not connected" });
    const askedMs = this.#options.clock.monotonicMs();
    this.#on({ kind: "record_read", record: await this.#store.read(), askedMs });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.#stopWatching?.();
    await Promise.allSettled([this.#connecting, this.#read(), this.#beat()]);
    await this.#saving;
    await this.#store?.leave(this.#options.id).catch(() => {});
    await this.#store?.close();
  }

  #on(event: decide.FollowerEvent): void {
    const { state, effects } = decide.afterEvent(
      this.#state,
      event,
      this.#options.clock.monotonicMs(),
      this.#options,
    );
    this.#state = state;
    for (const effect of effects)
      if (effect.kind === "hand_over") this.#options.onPlan(effect.effective);
      else if (effect.kind === "report") this.#options.onEvent(effect.event);
      else if (effect.kind === "check_drain") this.#checkDrain();
      else if (effect.kind === "heartbeat") void this.#beat();
      else if (effect.kind === "save_snapshot") this.#saveSnapshot();
      else if (effect.kind === "release_store") this.#releaseStore();
      else
        this.#recordingSwitch ??= this.#recordSwitch()
          .catch(this.#onStoreFailure)
          .finally(() => {
            this.#recordingSwitch = undefined;
          });
  }

  #connect(): Promise<void> {
    this.#connecting ??= this.#options
      .connect()
      .then((store) => {
        this.#store = store;
        this.#stopWatching = store.watch(() => void this.#read());
      })
      .catch(this.#onStoreFailure)
      .finally(() => {
        this.#connecting = undefined;
      });
    return this.#connecting;
  }

  async #poll(): Promise<void> {
    if (this.#isClosed) return;
    this.#on({ kind: "time_passed" });
    if (this.#store === undefined) await this.#connect();
    await this.#read();
  }

  #releaseStore(): void {
    this.#stopWatching?.();
    void this.#store?.close().catch(() => {});
    this.#store = undefined;
  }

  #checkDrain(): void {
    this.#on({ kind: "drain_checked", oldestRunning: this.#options.oldestRunning() });
  }

  async #beatOnce(): Promise<void> {
    const { id, name, report, oldestRunning } = this.#options;
    if (this.#store === undefined || this.#isClosed) return;
    await this.#store.heartbeat({
      id,
      name,
      ...decide.acknowledged(this.#state, oldestRunning()),
      report: report(),
    });
  }

  async #readSwitch(): Promise<void> {
    const isSet = await this.#options.switchFile.isSet();
    if (!this.#isClosed) this.#on({ kind: "switch_read", isSet });
  }

  async #recordSwitch(): Promise<void> {
    const { name: actor, switchFile, clock } = this.#options;
    const askedMs = clock.monotonicMs();
    const note = { actor, action: "rollback", reason: `${switchFile.path} is set` };
    const record = await this.#store?.change({ ...note, set: rollbackSet, expectedEpoch: this.record.epoch });
    if (record) this.#on({ kind: "record_read", record, askedMs });
  }

  /**
   * Saves the state. Saves run one at a time, and each writes the state as it is when the save begins. So the
   * save after a failed one also writes the changes that the failed one did not write.
   */
  #saveSnapshot(): void {
    this.#saving = this.#saving.then(async () => {
      const { record, auditHead } = this;
      const savedAt = new Date(this.#options.clock.nowMs()).toISOString();
      try {
        await this.#options.snapshots.save({ record, auditHead, savedAt });
        this.#savedHead = auditHead.seq;
        this.#on({ kind: "snapshot_saved" });
      } catch (failure) {
        this.#on({ kind: "snapshot_failed", failure });
      }
    });
  }
}
