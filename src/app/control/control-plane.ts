/**
 * The control plane of a process: follows the control store of its configuration, passes each plan to the
 * bridge, and does its share of the fleet's work.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { SnapshotFiles, sha256, systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { type Config, isSameSection } from "../../config/index.ts";
import {
  type AuditReport,
  type ControlEvent,
  type EffectivePlan,
  type Freshness,
  type Operator,
  PlanFollower,
  type ReadFacts,
  type SettledDays,
  type Signals,
  Supervisor,
} from "../../control/index.ts";
import { isLater } from "../../domain/migration/phase.ts";
import { writesOf } from "../../domain/migration/plan.ts";
import type { AlertSink } from "../../ports/alerts.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ControlRecord, ControlStore, Published } from "../../ports/control-store.ts";
import type { DataAuthority } from "../../ports/data-authority.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import type { JsonValue } from "../../ports/system.ts";
import { type ControlSettings, openControlStore, stateFolder, switchFileOf } from "../stores.ts";
import { factsReader } from "./gate-facts.ts";
import {
  alertsOf,
  noneQuarantined,
  nothingOwed,
  operatingSystemUser,
  operatorOver,
  publishedOf,
  readSection,
} from "./operator.ts";
import { type Status, statusOf, verifyStore } from "./status.ts";

interface ControlPlaneOptions extends ControlSettings {
  /** Receives each plan before any call begins under it. */
  readonly onPlan: (effective: EffectivePlan) => void;
  readonly oldestRunning: () => number | undefined;
  readonly signals: () => Omit<Signals, "quarantined" | "owedOldestMs" | "provedHarm">;
  /** Returns the process's own report, which the fleet's status shows. */
  readonly report: () => Readonly<Record<string, JsonValue>>;
  readonly owed?: OwedWrites;
  readonly quarantined?: () => number | null;
  readonly authority?: DataAuthority | undefined;
  /** The store of the gates' evidence; undefined if it cannot be opened. */
  readonly evidence?: EvidenceStore | undefined;
  readonly settled?: () => SettledDays | undefined;
  /** Unique in the fleet, and the same after a restart, so that the process finds its snapshot. */
  readonly name?: string;
  /** Absent: time, alerts and edge features are those of the real world. */
  readonly stage?: ControlStage | undefined;
}

/** The parts of the real world that a rehearsal replaces. */
export interface ControlStage {
  readonly clock: Clock;
  readonly alerts: AlertSink & { close(): void };
  /** The edge features that the history has. */
  readonly features: readonly string[];
}

const startMsMax = 2_000;

export class ControlPlane {
  readonly follower: PlanFollower;
  readonly alerts: AlertSink & { close(): void };
  readonly #options: ControlPlaneOptions;
  readonly #supervisor: Supervisor;
  readonly #snapshots: SnapshotFiles;
  readonly #facts: ReadFacts;
  readonly #clock: Clock;
  readonly #listeners = new Set<(event: ControlEvent) => void>();
  #published: Published;
  /** The time since which this process has seen owed writes that legacy should get; undefined if none. */
  #owedSinceMs: number | undefined;
  /** The last comparison of the published section with the file's own, by their hashes. */
  #compared: { readonly published: string; readonly own: string; readonly isSame: boolean } | undefined;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    const { config, owed = nothingOwed, quarantined = noneQuarantined, signals, report, stage } = options;
    const { control } = config;
    const name = options.name ?? control.instance ?? `${hostname()}/${process.pid}`;
    this.#published = publishedOf(config);
    this.#clock = stage?.clock ?? systemClock;
    this.#facts = factsReader(options, {
      store: () => this.store,
      evidence: () => options.evidence,
      ...stage,
    });
    this.alerts = stage?.alerts ?? alertsOf(config, name);
    this.#snapshots = new SnapshotFiles(join(stateFolder(options), "snapshots"), name);
    this.follower = new PlanFollower({
      connect: () => openControlStore(options),
      snapshots: this.#snapshots,
      switchFile: switchFileOf(options),
      readSection,
      clock: this.#clock,
      id: randomUUID(),
      name,
      heartbeatMs: control.heartbeatMs,
      pollMs: control.pollMs,
      staleMs: control.staleMs,
      leaseMs: control.leaseMs,
      startMsMax,
      onPlan: options.onPlan,
      oldestRunning: options.oldestRunning,
      report: () => ({
        ...report(),
        freshness: this.follower.freshness,
        drift: this.drift,
        memory: process.memoryUsage.rss(),
      }),
      onEvent: (event) => this.#report(event),
    });
    this.#supervisor = new Supervisor({
      follower: this.follower,
      operator: (store) => this.#operatorOver(() => store),
      alerts: this.alerts,
      clock: this.#clock,
      digest: sha256,
      name,
      signals: () => ({
        ...signals(),
        quarantined: quarantined(),
        owedOldestMs: this.#owedAgeMs(owed),
      }),
      onFailure: (what, failure) =>
        this.#report({
          kind: "store_failed",
          what: `${what}: ${failure}`,
          epoch: this.follower.state.seenEpoch,
        }),
    });
  }

  /** Resolves when the process has a plan. Publishes this process's file if the store is empty. */
  async start(): Promise<void> {
    await this.follower.start();
    await this.#publishFirst();
    this.#supervisor.start();
    // Removes the snapshots of earlier processes. A failure here has no consequence.
    this.#snapshots.tidy(this.#clock.nowMs()).catch(() => {});
  }

  /** Follows the store and does the fleet's work once, for a clock that does not run by itself. */
  async work(): Promise<void> {
    await this.follower.refresh();
    await this.#supervisor.second();
    await this.follower.refresh();
  }

  /**
   * Returns the age of the oldest write that legacy lacks, for the triggers. Counts only the time for which
   * this process has seen owed writes under a plan that sends them to legacy. So the writes of an earlier
   * process, or of a plan that sent none to legacy, have time to arrive.
   */
  #owedAgeMs(owed: OwedWrites): number {
    const { count, oldestMs } = owed.owedToLegacy();
    const nowMs = this.#clock.monotonicMs();
    const isLate = count > 0 && writesOf(this.follower.state.effective.plan).includes("legacy");
    this.#owedSinceMs = isLate ? (this.#owedSinceMs ?? nowMs) : undefined;
    return this.#owedSinceMs === undefined ? 0 : Math.min(oldestMs, nowMs - this.#owedSinceMs);
  }

  /** Receives a file that changed on disk. Its `migration:` section is obeyed only after it is published. */
  fileChanged(config: Config): void {
    const before = this.drift;
    this.#published = publishedOf(config);
    if (this.drift !== before) {
      const what = this.drift
        ? "CONFIG_DRIFT: this file differs from the published section; run config publish, or undo the change"
        : "this file agrees with the published section again";
      this.#report({ kind: "config_drift", what, epoch: this.follower.state.seenEpoch });
    }
  }

  /** Reports that the file on disk is invalid. The last valid one stays in force. */
  fileRefused(failure: BridgeError): void {
    this.#report({ kind: "config_refused", what: failure.line, epoch: this.follower.state.seenEpoch });
  }

  /** Whether the file of this process differs from the published section. */
  get drift(): boolean {
    const { published } = this.follower.record;
    const own = this.#published;
    if (published === null || published.hash === own.hash) return false;
    // Each heartbeat reads this value, so the comparison is cached.
    if (this.#compared?.published !== published.hash || this.#compared.own !== own.hash) {
      const isSame = isSameSection(published.text, own.text);
      this.#compared = { published: published.hash, own: own.hash, isSame };
    }
    return !this.#compared.isSame;
  }

  get freshness(): Freshness {
    return this.follower.freshness;
  }

  /** The actions of a person. All but `rollback` reject with SYSTEM_DOWN until the store is reached. */
  get operator(): Operator {
    return this.#operatorOver(() => this.store);
  }

  #operatorOver(store: () => ControlStore): Operator {
    const { owed = nothingOwed, quarantined = noneQuarantined, authority, settled } = this.#options;
    const around = { alerts: this.alerts, owed, quarantined, authority, settled, facts: this.#facts };
    return operatorOver(store, this.#options, { ...around, clock: this.#clock });
  }

  /** Throws SYSTEM_DOWN until the store is reached. */
  get store(): ControlStore {
    const { store } = this.follower;
    if (store !== undefined) return store;
    throw new BridgeError("SYSTEM_DOWN", {
      what: "the control store has not been reached yet",
      fix: "wait: this process tries again every second",
    });
  }

  async status(): Promise<Status> {
    return statusOf(this.store, this.operator, this.#options, { auditHead: this.follower.auditHead });
  }

  async verifyAudit(): Promise<AuditReport> {
    return verifyStore(this.store, this.#options);
  }

  /**
   * Calls the listener for each change of the plan or of its freshness, and for each failure. Returns a
   * function that removes the listener.
   */
  onEvent(listener: (event: ControlEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    await this.#supervisor.close();
    await this.follower.close();
    this.alerts.close();
  }

  async #publishFirst(): Promise<void> {
    const { store, record } = this.follower;
    if (store === undefined || record.published !== null || this.follower.freshness !== "fresh") return;
    await store.change(firstPublication(this.#published, record)).catch(() => null);
    await this.follower.refresh().catch(() => {});
  }

  #report(event: ControlEvent): void {
    // A store that the process reaches only after its start may be empty.
    if (event.kind === "plan") void this.#publishFirst();
    for (const listener of this.#listeners) listener(event);
  }
}

/**
 * The change that publishes a file's section to an empty store. The fleet obeys the section's phase only up
 * to shadow_mode; a later phase is held.
 */
const firstPublication = (published: Published, { epoch }: ControlRecord) => ({
  actor: operatingSystemUser(),
  action: "publish",
  reason: "the control store was empty",
  set: {
    published,
    grantedPhase: isLater(published.phase, "shadow_mode") ? ("shadow_mode" as const) : published.phase,
  },
  expectedEpoch: epoch,
});
