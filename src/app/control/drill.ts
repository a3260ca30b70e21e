import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import type { Config } from "../../config/index.ts";
import { type By, noSignals, pause } from "../../control/index.ts";
import { routeOf } from "../../domain/migration/route.ts";
import type { ControlRecord } from "../../ports/control-store.ts";
import type { ControlSettings } from "../stores.ts";
import { ControlPlane } from "./control-plane.ts";
import type { RollbackOptions } from "./rollback.ts";
import { byOf, openOperator, withOperator } from "./session.ts";

export interface DrillReport {
  readonly ok: boolean;
  readonly processes: number;
  readonly committedMs: number;
  readonly acknowledgedMs: number | null;
  /** Whether every process answered by legacy once it had acknowledged. */
  readonly answeredByLegacy: boolean;
  readonly recorded: boolean;
}

const drillProcesses = 3;

/**
 * Rehearses the emergency: the record of the store, in a scratch store of its own with processes of its own, is rolled back; what came
 * of it is written into the audit of the real one, which is otherwise left alone.
 */
export async function drill(options: RollbackOptions): Promise<DrillReport> {
  const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-drill-"));
  const planes: ControlPlane[] = [];
  try {
    return await withOperator(options, "looks", async ({ operator, store }, settings) => {
      const { record } = await operator.overview();
      // Nobody is to be woken by it.
      const monitoring = { ...settings.config.monitoring, alertUrl: null };
      const config: Config = {
        ...settings.config,
        monitoring,
        stores: { ...settings.config.stores, control: `sqlite:${join(folder, "control.db")}` },
      };
      const report = await withScratch({ config, folder }, record, planes, byOf(options));
      const { ok, ...evidence } = report;
      await store.note({ ...byOf(options), action: "drill", evidence: { ok, ...evidence } });
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
  planes: ControlPlane[],
  by: By,
): Promise<Omit<DrillReport, "recorded">> {
  const session = await openOperator(settings);
  try {
    const set = { ...overrides, ...(published === null ? {} : { published }), grantedPhase, legacyWindow };
    await session.store.change({ ...by, action: "drill", set });
    for (let number = 1; number <= drillProcesses; number++) planes.push(drillProcess(settings, `drill ${number}`));
    await Promise.all(planes.map((plane) => plane.start()));
    // All are in the fleet before it begins.
    for (let tries = 0; tries < 500 && (await session.store.instances()).length < drillProcesses; tries++)
      await pause(systemClock, 10);
    const rolledBack = await session.operator.rollback(by, { waitMs: 10_000 });
    if (rolledBack.via === "switch_file")
      throw new BridgeError("UNWRITABLE", { what: `the scratch store cannot be written: ${rolledBack.why}`, fix: "make room" });
    const { committedMs, acknowledgedMs, acknowledged } = rolledBack;
    const answeredByLegacy = planes.every(
      ({ follower }) =>
        routeOf(follower.effective.plan, { book: "drill" }, 0).answer === (legacyWindow === "closed" ? "modern" : "legacy"),
    );
    const ok = acknowledged.length === drillProcesses && answeredByLegacy;
    return { ok, processes: drillProcesses, committedMs, acknowledgedMs, answeredByLegacy };
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
