import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { pause } from "../../base/pause.ts";
import type { Config } from "../../config/index.ts";
import { type By, noSignals } from "../../control/index.ts";
import { routeOf } from "../../domain/migration/route.ts";
import type { ControlRecord, Instance } from "../../ports/control-store.ts";
import { programBuild } from "../evidence-key.ts";
import type { ControlSettings } from "../stores.ts";
import { auditActions } from "./audit-rows.ts";
import { ControlPlane } from "./control-plane.ts";
import type { RollbackOptions } from "./rollback.ts";
import { byOf, openOperator, withOperator } from "./session.ts";

export interface DrillReport {
  readonly ok: boolean;
  readonly processes: number;
  readonly committedMs: number;
  readonly acknowledgedMs: number | null;
  /**
   * Whether every process, once it has acknowledged, routes calls to legacy; if the window to legacy is
   * closed, whether it routes them to modern.
   */
  readonly answeredByLegacy: boolean;
  readonly recorded: boolean;
}

const [processesMin, processesMax] = [3, 20];

/** The number of processes of a drill: that of the live processes of the fleet, within limits. */
export function drillSize(instances: readonly Pick<Instance, "ageMs">[], leaseMs: number): number {
  const live = instances.filter(({ ageMs }) => ageMs <= leaseMs).length;
  return Math.min(Math.max(live, processesMin), processesMax);
}

/**
 * Rehearses a rollback: copies the record into a scratch store, starts control planes over it, and rolls it
 * back. The result is written into the audit of the real store, which is not changed otherwise.
 */
export async function drill(options: RollbackOptions): Promise<DrillReport> {
  const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-drill-"));
  const planes: ControlPlane[] = [];
  try {
    return await withOperator(options, "reads", async ({ operator, store }, settings) => {
      const { record, instances } = await operator.overview();
      const size = drillSize(instances, settings.config.control.leaseMs);
      // A drill sends no alerts.
      const monitoring = { ...settings.config.monitoring, alertUrl: null };
      const config: Config = {
        ...settings.config,
        monitoring,
        stores: { ...settings.config.stores, control: `sqlite:${join(folder, "control.db")}` },
      };
      const report = await withScratch({ config, folder }, record, { planes, size }, byOf(options));
      const { ok, ...evidence } = report;
      const build = programBuild();
      await store.note({
        ...byOf(options),
        action: auditActions.drill,
        evidence: { ok, build, ...evidence },
      });
      return { ...report, recorded: true };
    });
  } finally {
    await Promise.allSettled(planes.map((plane) => plane.close()));
    await rm(folder, { recursive: true, force: true });
  }
}

async function withScratch(
  settings: ControlSettings,
  { overrides, published, grantedPhase, legacyWindow }: ControlRecord,
  { planes, size }: { readonly planes: ControlPlane[]; readonly size: number },
  by: By,
): Promise<Omit<DrillReport, "recorded">> {
  const session = await openOperator(settings);
  try {
    const set = { ...overrides, ...(published === null ? {} : { published }), grantedPhase, legacyWindow };
    await session.store.change({ ...by, action: "drill", set });
    for (let number = 1; number <= size; number++) planes.push(drillProcess(settings, `drill ${number}`));
    await Promise.all(planes.map((plane) => plane.start()));
    // Waits until all processes are registered.
    for (let tries = 0; tries < 500 && (await session.store.instances()).length < size; tries++)
      await pause(systemClock, 10);
    const rolledBack = await session.operator.rollback(by, { waitMs: 10_000 });
    if (rolledBack.via === "switch_file")
      throw new BridgeError("UNWRITABLE", {
        what: `the scratch store cannot be written: ${rolledBack.why}`,
        fix: "free space in the folder for temporary files",
      });
    const { committedMs, acknowledgedMs, acknowledged } = rolledBack;
    const answeredByLegacy = planes.every(
      ({ follower }) =>
        routeOf(follower.effective.plan, { book: "drill" }, 0).answer ===
        (legacyWindow === "closed" ? "modern" : "legacy"),
    );
    const ok = acknowledged.length === size && answeredByLegacy;
    return { ok, processes: size, committedMs, acknowledgedMs, answeredByLegacy };
  } finally {
    await session.close();
  }
}

const drillProcess = (settings: ControlSettings, name: string): ControlPlane =>
  new ControlPlane({
    ...settings,
    name: `${hostname()} ${name}`,
    onPlan: () => {},
    oldestRunning: () => undefined,
    signals: () => noSignals,
    report: () => ({}),
  });
