import { join } from "node:path";
import { SnapshotFiles, sha256 } from "../../adapters/host/index.ts";
import {
  type AuditReport,
  type EffectivePlan,
  type GateReport,
  type JudgedReport,
  metricsOf,
  type Operator,
  type Overview,
  verifyAudit,
  type WayBack,
  whyOutOfUse,
} from "../../control/index.ts";
import type { Phase } from "../../domain/migration/phase.ts";
import type { ControlRecord, ControlStore, Instance } from "../../ports/control-store.ts";
import type { MigrationMetrics } from "../../ports/migration-report.ts";
import { type ControlSettings, stateFolder } from "../stores.ts";

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
    readonly userDenylist: readonly string[];
    readonly legacyWindow: string;
  };
  readonly from: EffectivePlan["from"];
  readonly held: EffectivePlan["held"];
  /** Describes who answers calls, and why. */
  readonly answers: string;
  /** The reason why modern answers no call, whatever the phase; null while modern is in use. */
  readonly outOfUse: string | null;
  /** The path of this machine's switch file if it is set, else null. While it is set, legacy answers. */
  readonly switchFile: string | null;
  readonly rollback: WayBack;
  readonly ramp: ControlRecord["ramp"];
  readonly cacheGeneration: number;
  readonly updatedAt: string;
  readonly updatedBy: string;
  readonly published: string | null;
  /** The reason why this program cannot read the published section; null if it can. */
  readonly unreadable: string | null;
  readonly gates: GateReport | null;
  /** Null in the profile `trial`, and if the evidence cannot be read. */
  readonly metrics: MigrationMetrics | null;
  /** The state of the two reports of the last compared trading day; null if unknown or if there is none. */
  readonly lastReport: JudgedReport | null;
  readonly instances: readonly (Pick<Instance, "name" | "seenEpoch" | "drainedEpoch" | "ageMs" | "report"> & {
    readonly state: "live" | "behind" | "gone";
  })[];
  readonly auditHead: { readonly seq: number; readonly hash: string } | null;
}

export async function verifyStore(store: ControlStore, settings: ControlSettings): Promise<AuditReport> {
  const heads = await new SnapshotFiles(join(stateFolder(settings), "snapshots"), "").heads();
  return verifyAudit(store, heads, sha256);
}

export async function statusOf(
  store: ControlStore,
  operator: Operator,
  { config }: ControlSettings,
  { auditHead, seen }: Pick<Status, "auditHead"> & { readonly seen?: Overview | undefined },
): Promise<Status> {
  const overview = seen ?? (await operator.overview());
  const { record, effective, switchFile, unreadable, instances } = overview;
  const { plan, from, held } = effective;
  const { phase, useNewPnlSystem, migrationMode, flags, newSystemPercentage, legacyWindow } = plan;
  const lists = { userWhitelist: [...plan.userWhitelist], userDenylist: [...plan.userDenylist] };
  const gates = phase === "cleanup" ? null : await operator.gates(undefined, overview);
  const evidence = config.gates.profile === "trial" ? undefined : await operator.evidence(overview);
  return {
    store: store.where,
    phase,
    epoch: record.epoch,
    plan: { useNewPnlSystem, migrationMode, flags, newSystemPercentage, ...lists, legacyWindow },
    from,
    held,
    outOfUse: whyOutOfUse(record) ?? null,
    answers: operator.whoAnswers(record),
    switchFile,
    rollback: await operator.wayBack(overview),
    ramp: record.ramp,
    cacheGeneration: record.cacheGeneration,
    updatedAt: record.updatedAt,
    updatedBy: record.updatedBy,
    published: record.published?.hash ?? null,
    unreadable: unreadable ?? null,
    gates,
    metrics: typeof evidence === "object" ? metricsOf(evidence) : null,
    lastReport: (typeof evidence === "object" && evidence.lastReport) || null,
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
