/**
 * The control plane of a process: follows the control store of its configuration, keeps the plan in the bridge, and does its share of
 * the fleet's work.
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
  type Signals,
  Supervisor,
} from "../../control/index.ts";
import { isLater } from "../../domain/migration/phase.ts";
import type { AlertSink } from "../../ports/alerts.ts";
import type { ControlRecord, ControlStore, Published } from "../../ports/control-store.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import type { JsonValue } from "../../ports/system.ts";
import { type ControlSettings, openControlStore, stateFolder, switchFileOf } from "../stores.ts";
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
  /** Told of each plan, before any call begins under it. */
  readonly onPlan: (effective: EffectivePlan) => void;
  readonly oldestRunning: () => number | undefined;
  readonly signals: () => Omit<Signals, "quarantined" | "owedOldestMs">;
  /** What the process says of itself to who asks for the fleet's status. */
  readonly report: () => Readonly<Record<string, JsonValue>>;
  readonly owed?: OwedWrites;
  readonly quarantined?: () => number | null;
  /** Unlike any other's of the fleet, in one machine and over time the same: its snapshot is found by it after a restart. */
  readonly name?: string;
}

const startMsMax = 2_000;

export class ControlPlane {
  readonly follower: PlanFollower;
  readonly alerts: AlertSink & { close(): void };
  readonly #options: ControlPlaneOptions;
  readonly #supervisor: Supervisor;
  readonly #snapshots: SnapshotFiles;
  readonly #listeners = new Set<(event: ControlEvent) => void>();
  #published: Published;
  /** The last two sections of unequal texts, by hash. */
  #compared: { readonly published: string; readonly own: string; readonly isSame: boolean } | undefined;

  constructor(options: ControlPlaneOptions) {
    this.#options = options;
    const { config, owed = nothingOwed, quarantined = noneQuarantined, signals, report } = options;
    const { control } = config;
    const name = options.name ?? control.instance ?? `${hostname()}/${process.pid}`;
    this.#published = publishedOf(config);
    this.alerts = alertsOf(config, name);
    this.#snapshots = new SnapshotFiles(join(stateFolder(options), "snapshots"), name);
    this.follower = new PlanFollower({
      connect: () => openControlStore(options),
      snapshots: this.#snapshots,
      switchFile: switchFileOf(options),
      readSection,
      clock: systemClock,
      id: randomUUID(),
      name,
      heartbeatMs: control.heartbeatMs,
      pollMs: control.pollMs,
      staleMs: control.staleMs,
      leaseMs: control.leaseMs,
      startMsMax,
      onPlan: options.onPlan,
      oldestRunning: options.oldestRunning,
      report: () => ({ ...report(), freshness: this.follower.freshness, drift: this.drift, memory: process.memoryUsage.rss() }),
      onEvent: (event) => this.#tell(event),
    });
    this.#supervisor = new Supervisor({
      follower: this.follower,
      operator: (store) => this.#operatorOver(() => store),
      alerts: this.alerts,
      clock: systemClock,
      digest: sha256,
      name,
      signals: () => ({ ...signals(), quarantined: quarantined(), owedOldestMs: owed.owedToLegacy().oldestMs }),
      onFailure: (what, failure) =>
        this.#tell({ kind: "store_failed", what: `${what}: ${failure}`, epoch: this.follower.state.seenEpoch }),
    });
  }

  /** Resolves when there is a plan to go by. An empty store takes its first section from this process's file. */
  async start(): Promise<void> {
    await this.follower.start();
    await this.#publishFirst();
    this.#supervisor.start();
    // What processes of before have left: no hindrance where it cannot be removed.
    this.#snapshots.tidy(systemClock.nowMs()).catch(() => {});
  }

  /** The file has changed on disk: what it says of the fleet is obeyed when somebody publishes it. */
  fileChanged(config: Config): void {
    const before = this.drift;
    this.#published = publishedOf(config);
    if (this.drift !== before) {
      const what = this.drift
        ? "CONFIG_DRIFT: this file says something else than what is published: config publish settles it"
        : "settled";
      this.#tell({ kind: "config_drift", what, epoch: this.follower.state.seenEpoch });
    }
  }

  /** The file on disk cannot be read any more: the last good one holds. */
  fileRefused(failure: BridgeError): void {
    this.#tell({ kind: "config_refused", what: failure.line, epoch: this.follower.state.seenEpoch });
  }

  /** Whether the file of this process says something else than what the fleet goes by. */
  get drift(): boolean {
    const { published } = this.follower.record;
    const own = this.#published;
    if (published === null || published.hash === own.hash) return false;
    // Asked for with each heartbeat.
    if (this.#compared?.published !== published.hash || this.#compared.own !== own.hash) {
      const isSame = isSameSection(published.text, own.text);
      this.#compared = { published: published.hash, own: own.hash, isSame };
    }
    return !this.#compared.isSame;
  }

  get freshness(): Freshness {
    return this.follower.freshness;
  }

  /** What a person may do. Its methods reject with SYSTEM_DOWN until the store is reached, except a rollback. */
  get operator(): Operator {
    return this.#operatorOver(() => this.store);
  }

  #operatorOver(store: () => ControlStore): Operator {
    const { owed = nothingOwed, quarantined = noneQuarantined } = this.#options;
    return operatorOver(store, this.#options, { alerts: this.alerts, owed, quarantined });
  }

  /** Throws SYSTEM_DOWN until the store is reached. */
  get store(): ControlStore {
    const { store } = this.follower;
    if (store !== undefined) return store;
    throw new BridgeError("SYSTEM_DOWN", {
      what: "the control store was not reached yet",
      fix: "it is tried again every second",
    });
  }

  async status(): Promise<Status> {
    return statusOf(this.store, this.operator, this.#options, this.follower.auditHead);
  }

  async verifyAudit(): Promise<AuditReport> {
    return verifyStore(this.store, this.#options);
  }

  /** Told of each change of plan, of freshness, and of what fails. Returns what ends it. */
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

  #tell(event: ControlEvent): void {
    // A store that was not reached in time when the process started.
    if (event.kind === "plan") void this.#publishFirst();
    for (const listener of this.#listeners) listener(event);
  }
}

/** The section of a file, as an empty store takes it. Up to shadow_mode it is obeyed at once: legacy answers and is written alone. */
const firstPublication = (published: Published, { epoch }: ControlRecord) => ({
  actor: operatingSystemUser(),
  action: "publish",
  reason: "the control store was empty",
  set: { published, grantedPhase: isLater(published.phase, "shadow_mode") ? ("shadow_mode" as const) : published.phase },
  expectedEpoch: epoch,
});
