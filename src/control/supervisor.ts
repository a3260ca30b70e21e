import { phaseAfter, phasePolicies } from "../domain/migration/phase.ts";
import type { MigrationPlan } from "../domain/migration/plan.ts";
import type { Ramp } from "../domain/migration/record-columns.ts";
import type { AlertSink } from "../ports/alerts.ts";
import type { Clock } from "../ports/clock.ts";
import type { AuditRow, ControlRecord, ControlStore } from "../ports/control-store.ts";
import type { JsonValue } from "../ports/system.ts";
import { auditHead, type Digest, sealNew } from "./audit-chain.ts";
import { requestedPhase } from "./effective-plan.ts";
import type { PlanFollower } from "./follower.ts";
import { whyOutOfUse } from "./moves.ts";
import type { Operator } from "./operator.ts";
import { nextStep } from "./ramp.ts";
import { type Signals, Triggers } from "./triggers.ts";

interface SupervisorOptions {
  readonly follower: PlanFollower;
  /** Returns an operator that works on the store that the follower has reached. */
  readonly operator: (store: ControlStore) => Operator;
  readonly alerts: AlertSink;
  readonly clock: Clock;
  readonly digest: Digest;
  /** The actor of automatic changes in the audit. */
  readonly name: string;
  readonly signals: () => Omit<Signals, "provedHarm">;
  /** Receives each failure; the work is tried again in the next second. */
  readonly onFailure: (what: string, failure: unknown) => void;
}

const everyMs = 1_000;
/** The time between two checks of the gates for a held request; gates may read much data. */
const grantEveryMs = 5_000;
/** The time between two judgements of harm. The evidence changes at the end of a trading day. */
const harmEveryMs = 60_000;
/** A process without a heartbeat for a day is removed from the fleet; a heartbeat adds it again. */
const [forgetEveryMs, forgottenMs] = [60_000, 86_400_000];

/**
 * Does the fleet's automatic work once a second in each live process: seals audit rows, continues a ramp,
 * fires triggers, and grants a later phase that SQL or a file has requested, if its gates are open. Any
 * number of processes may do this at the same time: the store accepts each step once.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #triggers = new Triggers();
  #stop: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #wasOutOfUse = false;
  /**
   * The current step of the ramp, with the monotonic times at which this process saw it first and at which
   * the evidence held it last.
   */
  #ramp: { readonly epoch: number; readonly sinceMs: number; heldMs?: number } | undefined;
  #judgedMs = Number.NEGATIVE_INFINITY;
  #provedHarm: string | null = null;
  #harmMs = Number.NEGATIVE_INFINITY;
  /** The last row that was sealed, as far as this process knows; undefined before it has read the seals. */
  #sealedTo: number | undefined;
  #forgotMs = Number.NEGATIVE_INFINITY;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  start(): void {
    this.#stop = this.#options.clock.every(everyMs, () => {
      this.#running ??= this.second().finally(() => {
        this.#running = undefined;
      });
    });
  }

  async close(): Promise<void> {
    this.#stop?.();
    await this.#running;
  }

  /** Samples the triggers and, if the store is fresh, does each kind of work once. Never throws. */
  async second(): Promise<void> {
    const { follower } = this.#options;
    const { store, record } = follower;
    const firing = this.#fired(record);
    if (store === undefined || follower.freshness !== "fresh") return;
    // A move towards legacy must not wait for the other work.
    if (firing !== undefined) await this.#try("trigger", () => this.#latch(store, firing));
    await this.#try("ramp", () => this.#resumeRamp(store, record));
    await this.#try("seal", () => this.#seal(store));
    await this.#try("grant", () => this.#grant(store, record));
    await this.#try("harm", () => this.#judgeHarm(store, record));
    await this.#try("forget", () => this.#forget(store));
  }

  // --- triggers ---

  #fired(record: ControlRecord): ReturnType<Triggers["observe"]> {
    const { follower, signals, clock } = this.#options;
    const outOfUse = whyOutOfUse(record) !== undefined;
    if (this.#wasOutOfUse && !outOfUse) {
      this.#triggers.reset();
      this.#provedHarm = null;
    }
    this.#wasOutOfUse = outOfUse;
    const { section, effective } = follower.state;
    if (section === undefined) return undefined;
    const firing = this.#triggers.observe(
      { ...signals(), provedHarm: this.#provedHarm },
      effective.plan.phase,
      section.triggers,
      clock.monotonicMs(),
    );
    // A trigger has no effect if modern is out of use already or the window to legacy is closed.
    return outOfUse || record.legacyWindow === "closed" ? undefined : firing;
  }

  async #latch(store: ControlStore, firing: NonNullable<ReturnType<Triggers["observe"]>>): Promise<void> {
    const { name, alerts } = this.#options;
    const { trigger, why, evidence } = firing;
    const reason = `${trigger}: ${why}`;
    const { overrides, latched } = await store.read();
    if (latched !== null || overrides.useNewPnlSystem === false) return;
    const set = { latched: reason, ramp: null, voidCache: true } as const;
    const changed = await store.change({ actor: name, action: "trigger", reason, evidence, set });
    // Set here, so that the triggers are reset even if a person takes modern back into use before the next
    // second.
    this.#wasOutOfUse = true;
    alerts.send({
      kind: "trigger",
      title: `modern was taken out of use: ${why}`,
      details: { trigger, epoch: changed?.epoch ?? 0, ...evidence },
    });
  }

  /** Judges whether the evidence proves harm, while modern answers any calls. */
  async #judgeHarm(store: ControlStore, record: ControlRecord): Promise<void> {
    const { follower, clock, operator } = this.#options;
    const { section, effective } = follower.state;
    const isAnswering = phasePolicies[effective.plan.phase].answers !== "legacy";
    if (!isAnswering || section?.triggers.provedHarm !== true || whyOutOfUse(record) !== undefined) return;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#harmMs < harmEveryMs) return;
    this.#harmMs = nowMs;
    this.#provedHarm = (await operator(store).provedHarm()) ?? null;
  }

  // --- ramps ---

  async #resumeRamp(store: ControlStore, record: ControlRecord): Promise<void> {
    const { clock } = this.#options;
    const { ramp } = record;
    if (ramp === null) {
      this.#ramp = undefined;
      return;
    }
    const { plan } = this.#options.follower.effective;
    const why = whyRampEnds(ramp, record, plan);
    if (why !== undefined) {
      const note = { actor: this.#options.name, action: "traffic", reason: `${why}: the ramp ends` };
      await store.change({ ...note, set: { ramp: null }, expectedEpoch: record.epoch });
      return;
    }
    const nowMs = clock.monotonicMs();
    if (this.#ramp?.epoch !== record.epoch) this.#ramp = { epoch: record.epoch, sinceMs: nowMs };
    if (nowMs - this.#ramp.sinceMs < ramp.dwellMs) return;
    const isUp = (ramp.steps[0] ?? 0) > plan.newSystemPercentage;
    if (isUp && (await this.#isHeld(store, this.#ramp, nowMs))) return;
    await store.change(nextStep({ ...record, ramp }, clock.nowMs()));
  }

  /**
   * Whether a rising ramp stays at its step, because an evidence gate is not open. The audit records the
   * reason once for each step.
   */
  async #isHeld(store: ControlStore, step: { heldMs?: number }, nowMs: number): Promise<boolean> {
    const { heldMs } = step;
    if (heldMs !== undefined && nowMs - heldMs < grantEveryMs) return true;
    const blocking = await this.#options.operator(store).blocking("ramp");
    if (blocking.length === 0) return false;
    step.heldMs = nowMs;
    if (heldMs !== undefined) return true;
    const reason = `the ramp waits at its step: ${blocking.map(({ name, why }) => `${name}: ${why}`).join("; ")}`;
    const evidence = blocking as unknown as JsonValue;
    await store.note({ actor: this.#options.name, action: "hold", reason, evidence });
    return true;
  }

  // --- the audit ---

  async #seal(store: ControlStore): Promise<void> {
    const { follower, digest } = this.#options;
    if (this.#sealedTo === undefined) follower.keepHead(await auditHead(store));
    const sealedTo = this.#sealedTo ?? follower.auditHead.seq;
    const { head, sealed } = await sealNew(store, follower.auditHead, digest);
    follower.keepHead(head);
    // A row that is sealed again, because the store lost its seals, sends no second alert.
    for (const row of sealed) if (row.seq > sealedTo) this.#alertOf(row);
    this.#sealedTo = Math.max(sealedTo, head.seq);
  }

  /** The process that seals a row written by raw SQL sends the alert for it. */
  #alertOf({ action, actor, at, before, after, epoch }: AuditRow): void {
    if (action !== "sql") return;
    const details: JsonValue = { epoch, actor, at, before, after };
    this.#options.alerts.send({
      kind: "sql_change",
      title: `the plan was changed by SQL (${actor})`,
      details,
    });
  }

  // --- requests ---

  /**
   * Grants a later phase that was requested by SQL or file, if its gates are open. Grants one phase at a
   * time, and none while modern is out of use.
   */
  async #grant(store: ControlStore, record: ControlRecord): Promise<void> {
    const { follower, clock, name } = this.#options;
    const { phase } = follower.effective.plan;
    const requested = requestedPhase(record, follower.state.section?.plan);
    const isHeld = follower.effective.held.some(({ value }) => value === "phase");
    if (!isHeld || requested !== phaseAfter(phase) || whyOutOfUse(record) !== undefined) return;
    if (clock.monotonicMs() - this.#judgedMs < grantEveryMs) return;
    this.#judgedMs = clock.monotonicMs();
    const gates = await this.#options.operator(store).gates(requested);
    if (!gates.open) return;
    await store.change({
      actor: name,
      action: "grant",
      reason: `${requested} was requested by ${record.overrides.phase === null ? "the published configuration" : record.updatedBy}`,
      evidence: gates as unknown as JsonValue,
      set: { grantedPhase: requested },
      expectedEpoch: record.epoch,
    });
  }

  // --- the fleet ---

  /** Removes processes that were killed, and therefore did not leave the fleet themselves. */
  async #forget(store: ControlStore): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#forgotMs < forgetEveryMs) return;
    this.#forgotMs = nowMs;
    for (const { id, ageMs } of await store.instances()) if (ageMs > forgottenMs) await store.leave(id);
  }

  async #try(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (failure) {
      this.#options.onFailure(what, failure);
    }
  }
}

/**
 * The reason why a ramp ends; undefined if it continues. A rising ramp ends when modern is taken out of use,
 * so that it never resumes by itself; a falling ramp continues.
 */
function whyRampEnds({ steps }: Ramp, record: ControlRecord, plan: MigrationPlan): string | undefined {
  if (phasePolicies[plan.phase].answers !== "by-route")
    return `the percentage has no effect in the phase ${plan.phase}`;
  const out = whyOutOfUse(record);
  const isUp = (steps[0] ?? 0) > plan.newSystemPercentage;
  return isUp && out !== undefined ? `modern is out of use (${out})` : undefined;
}
