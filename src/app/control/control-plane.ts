/**
 * The control plane of a process: it follows the control store of its configuration, keeps its plan in the bridge, and does its share
 * of what the fleet needs. And what a person's command needs of it, which is the store alone.
 */
import { randomUUID } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { dirname, join, resolve } from "node:path";
import { LocalSwitchFile, SnapshotFiles, sha256, systemClock } from "../../adapters/host/index.ts";
import { WebhookAlerts } from "../../adapters/http/index.ts";
import { openSqliteControlStore } from "../../adapters/sqlite/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { type Config, type MigrationSection, migrationSection, readMigrationSection } from "../../config/index.ts";
import {
  type AuditReport,
  auditHead,
  type ControlEvent,
  type EffectivePlan,
  type Freshness,
  type GateReport,
  Operator,
  type Overview,
  PlanFollower,
  type Section,
  type Signals,
  Supervisor,
  simpleGates,
  verifyAudit,
  whyOutOfUse,
} from "../../control/index.ts";
import { isLater, type Phase } from "../../domain/migration/phase.ts";
import type { AlertSink } from "../../ports/alerts.ts";
import type { ControlRecord, ControlStore, Instance, Published } from "../../ports/control-store.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import type { JsonValue } from "../../ports/system.ts";

/** What of a configuration the control plane works with. */
export interface ControlSettings {
  readonly config: Config;
  /** Paths of the configuration are relative to it. */
  readonly folder: string;
}

export interface ControlPlaneOptions extends ControlSettings {
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

/** Until there are dual writes, nothing is owed. */
const nothingOwed: OwedWrites = { owedToLegacy: () => ({ count: 0, oldestMs: 0 }) };
/** Until files are watched, nothing is put there. */
const noneQuarantined = (): number => 0;
const startMsMax = 2_000;

/** The state of the fleet on one screen. */
export interface Status {
  readonly store: string;
  readonly phase: Phase;
  readonly epoch: number;
  readonly plan: {
    readonly useNewPnlSystem: boolean;
    readonly migrationMode: string;
    readonly flags: Readonly<Record<string, boolean>>;
    readonly newSystemPercentage: number;
    readonly userWhitelist: readonly string[];
    readonly legacyWindow: string;
  };
  readonly from: EffectivePlan["from"];
  readonly held: EffectivePlan["held"];
  /** Why no call is answered by modern, whatever the phase; null where nobody has taken it out of use. */
  readonly outOfUse: string | null;
  readonly rollback: Overview["rollback"];
  readonly ramp: ControlRecord["ramp"];
  readonly cacheGeneration: number;
  readonly updatedAt: string;
  readonly updatedBy: string;
  readonly published: string | null;
  /** Why the published section cannot be read here; null where it can. */
  readonly unreadable: string | null;
  readonly gates: GateReport | null;
  readonly instances: readonly (Pick<Instance, "name" | "seenEpoch" | "drainedEpoch" | "ageMs" | "report"> & {
    readonly state: "live" | "behind" | "gone";
  })[];
  readonly auditHead: { readonly seq: number; readonly hash: string } | null;
}

export class ControlPlane {
  readonly follower: PlanFollower;
  readonly alerts: AlertSink & { close(): void };
  readonly #options: ControlPlaneOptions;
  readonly #supervisor: Supervisor;
  readonly #snapshots: SnapshotFiles;
  readonly #listeners = new Set<(event: ControlEvent) => void>();
  #published: Published;

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
      operator: (store) => this.#operatorOver(store),
      alerts: this.alerts,
      clock: systemClock,
      digest: sha256,
      name,
      signals: () => ({ ...signals(), quarantined: quarantined(), owedOldestMs: owed.owedToLegacy().oldestMs }),
      onFailure: (what, failure) =>
        this.#tell({ kind: "store_failed", what: `${what}: ${failure}`, epoch: this.follower.seenEpoch }),
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
      this.#tell({ kind: "config_drift", what, epoch: this.follower.seenEpoch });
    }
  }

  /** The file on disk cannot be read any more: the last good one holds. */
  fileRefused(failure: BridgeError): void {
    this.#tell({ kind: "config_refused", what: failure.line, epoch: this.follower.seenEpoch });
  }

  /** Whether the file of this process says something else than what the fleet goes by. */
  get drift(): boolean {
    const { published } = this.follower.record;
    return published !== null && published.hash !== this.#published.hash;
  }

  get freshness(): Freshness {
    return this.follower.freshness;
  }

  /** Throws SYSTEM_DOWN where the store was never reached. */
  get operator(): Operator {
    return this.#operatorOver(this.store);
  }

  #operatorOver(store: ControlStore): Operator {
    const { owed = nothingOwed, quarantined = noneQuarantined } = this.#options;
    return operatorOver(store, this.#options, { alerts: this.alerts, owed, quarantined });
  }

  get store(): ControlStore {
    const { store } = this.follower;
    if (store !== undefined) return store;
    throw new BridgeError("SYSTEM_DOWN", {
      what: "the control store was not reached yet",
      mend: "it is tried again every second",
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

// --- what a command needs -----------------------------------------------------------------------------------------------

/** The store, and what a person can do with it, for one command. */
export interface OperatorSession {
  readonly operator: Operator;
  readonly store: ControlStore;
  readonly alerts: AlertSink & { close(): void };
  status(): Promise<Status>;
  verifyAudit(): Promise<AuditReport>;
  close(): Promise<void>;
}

export async function openOperator(settings: ControlSettings): Promise<OperatorSession> {
  const store = await openControlStore(settings);
  const alerts = alertsOf(settings.config, `${hostname()} (command)`);
  const operator = operatorOver(store, settings, { alerts, owed: nothingOwed, quarantined: noneQuarantined });
  return {
    operator,
    store,
    alerts,
    status: async () => {
      const head = await auditHead(store);
      return statusOf(store, operator, settings, head.seq === 0 ? null : head);
    },
    verifyAudit: () => verifyStore(store, settings),
    close: async () => {
      alerts.close();
      await store.close();
    },
  };
}

/** Throws BAD_CONFIG where none is configured, and what opening it throws. */
export async function openControlStore({ config, folder }: ControlSettings): Promise<ControlStore> {
  const { control } = config.stores;
  if (control === null)
    throw new BridgeError("BAD_CONFIG", {
      what: "no control store is configured",
      mend: "name one: stores: { control: sqlite:./.pnl-bridge/control.db }",
    });
  const file = sqliteFile(control);
  if (file !== undefined) return openSqliteControlStore(resolve(folder, file));
  // Loaded where it is needed: most commands are of SQLite, and an operator in a hurry waits for it.
  const { openPostgresControlStore } = await import("../../adapters/postgres/index.ts");
  return openPostgresControlStore(control);
}

export const switchFileOf = (settings: ControlSettings): LocalSwitchFile =>
  new LocalSwitchFile(join(stateFolder(settings), "LEGACY_ONLY"));

/** Where this process keeps what is its own: beside the control file, or in `.pnl-bridge`. */
export function stateFolder({ config, folder }: ControlSettings): string {
  const file = config.stores.control === null ? undefined : sqliteFile(config.stores.control);
  return file === undefined ? resolve(folder, ".pnl-bridge") : dirname(resolve(folder, file));
}

export const sqliteFile = (store: string): string | undefined => /^sqlite:(?:\/\/)?(.+)$/.exec(store)?.[1];

/** The section of a configuration, as it is published for the whole fleet. */
export function publishedOf(config: Config): Published {
  const text = migrationSection(config);
  return { text, hash: sha256(text), phase: config.plan.phase };
}

/** Who the audit names where nobody was named. */
export function operatingSystemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return "unknown";
  }
}

const readSection = (text: string): Section => {
  const { plan, twoPerson, triggers, validation }: MigrationSection = readMigrationSection(text);
  const tolerances = { position: validation.positionThreshold, pnl: validation.comparisonThreshold };
  return { plan, twoPerson, triggers, tolerances };
};

function operatorOver(
  store: ControlStore,
  { config }: ControlSettings,
  around: { readonly alerts: AlertSink; readonly owed: OwedWrites; readonly quarantined: () => number | null },
): Operator {
  return new Operator({ store, readSection, gates: simpleGates, clock: systemClock, leaseMs: config.control.leaseMs, ...around });
}

const silence: AlertSink & { close(): void } = { send: () => {}, settled: async () => 0, close: () => {} };

const alertsOf = ({ monitoring }: Config, from: string): AlertSink & { close(): void } =>
  monitoring.alertUrl === null ? silence : new WebhookAlerts(monitoring.alertUrl, from);

async function verifyStore(store: ControlStore, settings: ControlSettings): Promise<AuditReport> {
  const heads = await new SnapshotFiles(join(stateFolder(settings), "snapshots"), "").heads();
  return verifyAudit(store, heads, sha256);
}

async function statusOf(
  store: ControlStore,
  operator: Operator,
  { config }: ControlSettings,
  auditHead: Status["auditHead"],
): Promise<Status> {
  const overview = await operator.overview();
  const { record, effective, unreadable, instances, rollback } = overview;
  const { plan, from, held } = effective;
  const { phase, useNewPnlSystem, migrationMode, flags, newSystemPercentage, userWhitelist, legacyWindow } = plan;
  const gates = phase === "cleanup" ? null : await operator.gates(undefined, overview);
  return {
    store: store.where,
    phase,
    epoch: record.epoch,
    plan: { useNewPnlSystem, migrationMode, flags, newSystemPercentage, userWhitelist: [...userWhitelist], legacyWindow },
    from,
    held,
    outOfUse: whyOutOfUse(record) ?? null,
    rollback,
    ramp: record.ramp,
    cacheGeneration: record.cacheGeneration,
    updatedAt: record.updatedAt,
    updatedBy: record.updatedBy,
    published: record.published?.hash ?? null,
    unreadable: unreadable ?? null,
    gates,
    instances: instances.map(({ name, seenEpoch, drainedEpoch, ageMs, report }) => ({
      name,
      seenEpoch,
      drainedEpoch,
      ageMs,
      report,
      state: ageMs > config.control.leaseMs ? "gone" : seenEpoch < record.epoch ? "behind" : "live",
    })),
    auditHead,
  };
}
