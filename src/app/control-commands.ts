/** What the commands of the control plane do: each opens the store, does one thing, and says what it found. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { systemClock } from "../adapters/host/index.ts";
import { type Config, defaultConfig, loadConfig } from "../config/index.ts";
import { type By, type MoveResult, type PhaseMove, pause, type RollbackResult, rampDefaults } from "../control/index.ts";
import { BridgeError } from "../domain/errors.ts";
import type { Phase } from "../domain/phase.ts";
import { routeOf } from "../domain/route.ts";
import type { AuditRow, AuditSeal, ControlRecord } from "../ports/control-store.ts";
import {
  ControlPlane,
  type ControlSettings,
  type OperatorSession,
  openOperator,
  operatingSystemUser,
  publishedOf,
  switchFileOf,
} from "./control-plane.ts";

export type { Status } from "./control-plane.ts";
export type { MoveResult, RollbackResult };
export { rampDefaults };

/** How every command names the store: by a configuration, or directly where there is nothing else. */
export interface StoreOptions {
  readonly config?: string;
  readonly store?: string;
}

export interface ByOptions {
  readonly reason: string;
  readonly actor?: string;
}

const usualFile = "pnl_migration_config.yaml";

/** Throws BAD_USAGE where neither is named and there is no usual file. */
export async function settingsOf({ config: path, store }: StoreOptions): Promise<ControlSettings> {
  const file = path ?? (existsSync(usualFile) ? usualFile : undefined);
  if (file === undefined && store === undefined)
    throw new BridgeError("BAD_USAGE", {
      what: `there is no ${usualFile} here`,
      mend: "name one with --config FILE, or the store alone with --store sqlite:FILE or postgres://…",
    });
  const config = file === undefined ? defaultConfig : await loadConfig(file);
  const folder = file === undefined ? process.cwd() : dirname(resolve(file));
  return { config: store === undefined ? config : { ...config, stores: { control: store } }, folder };
}

export const byOf = ({ reason, actor }: ByOptions): By => ({ reason, actor: actor ?? operatingSystemUser() });

/** Opens the store for one piece of work. */
export async function withOperator<T>(options: StoreOptions, work: (session: OperatorSession) => Promise<T>): Promise<T> {
  const session = await openOperator(await settingsOf(options));
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

export const status = (options: StoreOptions) => withOperator(options, (session) => session.status());

export const gates = (options: StoreOptions & { readonly target?: Phase }) =>
  withOperator(options, ({ operator }) => operator.gates(options.target));

export const movePhase = (
  move: PhaseMove,
  options: StoreOptions & ByOptions & { readonly dryRun?: boolean },
): Promise<MoveResult> =>
  withOperator(options, ({ operator }) => operator.move(move, byOf(options), { dryRun: options.dryRun === true }));

export const signOff = (
  gate: string,
  options: StoreOptions & { readonly actor: string; readonly note: string; readonly phase?: Phase },
) => withOperator(options, ({ operator }) => operator.signOff(gate, options));

export const whitelist = (change: "add" | "remove", user: string, options: StoreOptions & ByOptions) =>
  withOperator(options, ({ operator }) => operator.whitelist(change, user, byOf(options)));

export interface TrafficOptions extends StoreOptions, ByOptions {
  /** Percentages, in order. */
  readonly ramp?: readonly number[];
  readonly dwellMs?: number;
}

export const traffic = (percentage: number | undefined, options: TrafficOptions): Promise<ControlRecord> =>
  withOperator(options, ({ operator }) => {
    const by = byOf(options);
    const { ramp, dwellMs = rampDefaults.dwellMs } = options;
    if (ramp !== undefined) return operator.ramp({ steps: ramp, dwellMs, endsIn: "stay" }, by);
    if (percentage === undefined)
      throw new BridgeError("BAD_USAGE", { what: "no percentage is named", mend: "traffic 25 --reason TEXT" });
    return operator.traffic(percentage, by);
  });

export const publishFile = (options: StoreOptions & ByOptions): Promise<ControlRecord> =>
  withOperator(options, async ({ operator }) => operator.publish(publishedOf((await settingsOf(options)).config), byOf(options)));

// --- rollback ------------------------------------------------------------------------------------------------------------

export interface RollbackOptions extends StoreOptions, ByOptions {
  /** How long to wait for processes; by default until each has acknowledged or its lease is over. */
  readonly waitMs?: number;
  readonly onProgress?: (line: string) => void;
}

export type RollbackReport =
  | (RollbackResult & { readonly via: "store"; readonly alertsPending: number })
  | { readonly via: "switch_file"; readonly path: string; readonly why: string };

/** How long a command waits for its alert once all is done; who comes after hears of it from the audit. */
const alertMsMax = 3_000;

/** The emergency. Where the store cannot be written, the switch file of this machine takes its processes to legacy. */
export async function rollback(options: RollbackOptions): Promise<RollbackReport> {
  const settings = await settingsOf(options);
  const by = byOf(options);
  const { waitMs, onProgress } = options;
  let session: OperatorSession | undefined;
  try {
    session = await openOperator(settings);
    const result = await session.operator.rollback(by, {
      ...(waitMs === undefined ? {} : { waitMs }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    return { via: "store", ...result, alertsPending: await session.alerts.settled(alertMsMax) };
  } catch (failure) {
    if (!(failure instanceof BridgeError) || failure.code === "BAD_USAGE" || failure.code === "BAD_CONFIG") throw failure;
    const file = switchFileOf(settings);
    await file.set(by.reason, by.actor);
    return { via: "switch_file", path: file.path, why: failure.line };
  } finally {
    await session?.close();
  }
}

/** Takes traffic back step by step, and rolls back when it is at 0: a ramp that a live process goes on with. */
export const rollbackGradually = (options: RollbackOptions & { readonly dwellMs?: number }): Promise<ControlRecord> =>
  withOperator(options, async ({ operator }) => {
    const { effective } = await operator.overview();
    const now = effective.plan.newSystemPercentage;
    const steps = [...[...rampDefaults.steps].reverse().filter((step) => step < now), 0];
    return operator.ramp({ steps, dwellMs: options.dwellMs ?? rampDefaults.dwellMs, endsIn: "rollback" }, byOf(options));
  });

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
    return await withOperator(options, async ({ operator, store }) => {
      const { record } = await operator.overview();
      const settings = await settingsOf(options);
      const config: Config = { ...settings.config, stores: { control: `sqlite:${join(folder, "control.db")}` } };
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
    const { committedMs, acknowledgedMs, acknowledged } = await session.operator.rollback(by, { waitMs: 10_000 });
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
    signals: () => ({ modernAsked: 0, modernFailed: 0, servedMismatches: 0 }),
    report: () => ({}),
  });

// --- the audit -------------------------------------------------------------------------------------------------------------

export const verifyAudit = (options: StoreOptions) => withOperator(options, (session) => session.verifyAudit());

const exportRows = 500;

/** Every row with its seal, a JSON line each, read while it is written. */
export async function* exportAudit(options: StoreOptions): AsyncGenerator<string> {
  const session = await openOperator(await settingsOf(options));
  try {
    for (let after = 0; ; ) {
      const rows = await session.store.audit(after, exportRows);
      const seals = new Map((await session.store.seals(after, exportRows)).map((seal) => [seal.seq, seal]));
      for (const row of rows) yield `${JSON.stringify(exportedRow(row, seals.get(row.seq)))}\n`;
      const last = rows.at(-1);
      if (last === undefined || rows.length < exportRows) return;
      after = last.seq;
    }
  } finally {
    await session.close();
  }
}

const parsed = (text: string | null): unknown => (text === null ? null : JSON.parse(text));

const exportedRow = ({ before, after, evidence, ...row }: AuditRow, seal: AuditSeal | undefined): object => ({
  ...row,
  before: parsed(before),
  after: parsed(after),
  evidence: parsed(evidence),
  hash: seal?.hash ?? null,
});
