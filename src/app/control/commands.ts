/** What the commands of the control plane do: each opens the store, does one thing, and says what it found. */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { BridgeError } from "../../base/errors.ts";
import { type Config, defaultConfig, loadConfig } from "../../config/index.ts";
import {
  type By,
  type MoveResult,
  type PhaseMove,
  pause,
  type RollbackResult,
  rampDefaults,
  whyOutOfUse,
} from "../../control/index.ts";
import type { Phase } from "../../domain/migration/phase.ts";
import { routeOf } from "../../domain/migration/route.ts";
import type { AuditRow, AuditSeal, ControlRecord } from "../../ports/control-store.ts";
import {
  ControlPlane,
  type ControlSettings,
  type OperatorSession,
  openOperator,
  operatingSystemUser,
  publishedOf,
  type Status,
  sqliteFile,
  switchFileOf,
} from "./control-plane.ts";

export type { MoveResult, RollbackResult, Status };
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
  if (store !== undefined && !/^(?:sqlite:.+|postgres(?:ql)?:\/\/.+)$/.test(store))
    throw new BridgeError("BAD_USAGE", { what: "--store names no store", mend: "write sqlite:FILE or postgres://HOST/DATABASE" });
  const config = file === undefined ? defaultConfig : await loadConfig(file).catch(orDefault(path, store));
  const folder = file === undefined ? process.cwd() : dirname(resolve(file));
  // What is typed is relative to where it is typed.
  const typed = store === undefined ? undefined : sqliteFile(store);
  const control = typed === undefined ? store : `sqlite:${resolve(typed)}`;
  return { config: control === undefined ? config : { ...config, stores: { control } }, folder };
}

/** With the store named, a file that merely lies here and is broken is no hindrance: it may be what the rollback is for. */
const orDefault =
  (path: string | undefined, store: string | undefined) =>
  (failure: unknown): Config => {
    if (path === undefined && store !== undefined) return defaultConfig;
    if (!(failure instanceof BridgeError) || store !== undefined) throw failure;
    const { code, message, where, mend, cause } = failure;
    const byStore = "or name the control store alone: --store sqlite:FILE or postgres://…";
    throw new BridgeError(code, { what: message, where, mend: mend === "" ? byStore : `${mend}; ${byStore}`, cause });
  };

export const byOf = ({ reason, actor }: ByOptions): By => ({ reason, actor: actor ?? operatingSystemUser() });

/**
 * Opens the store for a command. A store is made by the first process, or by the first change for a configuration that has none yet; never
 * by looking, never by a path that was typed, and never where one has been: an empty one would be a plan that nobody made.
 */
async function openFor(options: StoreOptions, settings: ControlSettings, does: "looks" | "changes"): Promise<OperatorSession> {
  const { control } = settings.config.stores;
  const file = control === null ? undefined : sqliteFile(control);
  if (file === undefined) return openOperator(settings);
  const path = resolve(settings.folder, file);
  if (existsSync(path)) return openOperator(settings);
  const folder = dirname(path);
  if (["live.db", "snapshots"].some((name) => existsSync(join(folder, name))))
    throw new BridgeError("SYSTEM_DOWN", {
      what: "the control file is gone",
      where: path,
      mend: "bring it back: the fleet goes by its last plan meanwhile",
    });
  if (does === "looks" || options.store !== undefined)
    throw new BridgeError("NO_INPUT", {
      what: "there is no control store",
      where: path,
      mend: "the first process of the fleet makes it; look for another path in --config or --store",
    });
  return openOperator(settings);
}

/** Opens the store for one piece of work. */
async function withOperator<T>(
  options: StoreOptions,
  does: "looks" | "changes",
  work: (session: OperatorSession, settings: ControlSettings) => Promise<T>,
): Promise<T> {
  const settings = await settingsOf(options);
  const session = await openFor(options, settings, does);
  try {
    return await work(session, settings);
  } finally {
    await session.close();
  }
}

/** The fleet's, and of this machine the switch file where it is set: then its processes go to legacy whatever the plan says. */
export const status = (options: StoreOptions): Promise<Status & { readonly switchFile: string | null }> =>
  withOperator(options, "looks", async (session, settings) => {
    const file = switchFileOf(settings);
    return { ...(await session.status()), switchFile: (await file.isSet()) ? file.path : null };
  });

export const gates = (options: StoreOptions & { readonly target?: Phase }) =>
  withOperator(options, "looks", ({ operator }) => operator.gates(options.target));

export const movePhase = (
  move: PhaseMove,
  options: StoreOptions & ByOptions & { readonly dryRun?: boolean },
): Promise<MoveResult> =>
  withOperator(options, options.dryRun === true ? "looks" : "changes", async ({ operator }, settings) => {
    const file = switchFileOf(settings);
    // A process beside it would take modern out of use again at once.
    if (move.kind === "set" && (await file.isSet())) {
      const { effective } = await operator.overview();
      if (effective.plan.phase === move.phase)
        throw new BridgeError("REFUSED", {
          what: "the switch file is set",
          where: file.path,
          mend: "remove it first, on every machine that has one",
        });
    }
    return operator.move(move, byOf(options), { dryRun: options.dryRun === true });
  });

export const signOff = (
  gate: string,
  options: StoreOptions & { readonly actor: string; readonly note: string; readonly phase?: Phase },
) => withOperator(options, "changes", ({ operator }) => operator.signOff(gate, options));

export const whitelist = (change: "add" | "remove", user: string, options: StoreOptions & ByOptions) =>
  withOperator(options, "changes", ({ operator }) => operator.whitelist(change, user, byOf(options)));

export interface TrafficOptions extends StoreOptions, ByOptions {
  /** Percentages, in order. */
  readonly ramp?: readonly number[];
  readonly dwellMs?: number;
}

/** The record as it is now, and why its percentage does not count, where it does not. */
export const traffic = (
  percentage: number | undefined,
  options: TrafficOptions,
): Promise<{ readonly record: ControlRecord; readonly note: string | undefined }> => {
  const { ramp, dwellMs } = options;
  if ((percentage === undefined) === (ramp === undefined))
    throw new BridgeError("BAD_USAGE", {
      what: ramp === undefined ? "no percentage is named" : "a percentage and a ramp are named",
      mend: "traffic 25 --reason TEXT, or traffic --ramp 10,25,50,100 --reason TEXT",
    });
  if (ramp === undefined && dwellMs !== undefined)
    throw new BridgeError("BAD_USAGE", { what: "--dwell is for a ramp", mend: "traffic --ramp 10,25 --dwell 10m --reason TEXT" });
  return withOperator(options, "changes", async ({ operator }) => {
    const by = byOf(options);
    const { effective } = await operator.overview();
    const record =
      ramp === undefined
        ? await operator.traffic(percentage as number, by)
        : await operator.ramp({ steps: ramp, dwellMs: dwellMs ?? rampDefaults.dwellMs, endsIn: "stay" }, by);
    return { record, note: whyNotCounted(record, effective.plan.phase) };
  });
};

function whyNotCounted(record: ControlRecord, phase: Phase): string | undefined {
  const out = whyOutOfUse(record);
  if (out !== undefined) return `modern is out of use (${out}): legacy answers everything`;
  return phase === "dual_write" ? undefined : `the phase is ${phase}: the percentage counts in dual_write`;
}

export const publishFile = (options: StoreOptions & ByOptions): Promise<ControlRecord> =>
  withOperator(options, "changes", ({ operator }, { config }) => operator.publish(publishedOf(config), byOf(options)));

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

/**
 * The emergency. Where the store cannot be written, the switch file of this machine takes its processes to legacy. Throws UNWRITABLE where
 * that cannot be written either.
 */
export async function rollback(options: RollbackOptions): Promise<RollbackReport> {
  const settings = await settingsOf(options);
  const by = byOf(options);
  const { waitMs, onProgress } = options;
  let session: OperatorSession | undefined;
  try {
    session = await openFor(options, settings, "changes");
    const result = await session.operator.rollback(by, {
      ...(waitMs === undefined ? {} : { waitMs }),
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    return { via: "store", ...result, alertsPending: await session.alerts.settled(alertMsMax) };
  } catch (failure) {
    if (!(failure instanceof BridgeError) || isNoStore.has(failure.code)) throw failure;
    return await setSwitch(settings, by, failure);
  } finally {
    await session?.close();
  }
}

/** What was named is no store, so there is no fleet beside it. */
const isNoStore: ReadonlySet<string> = new Set(["BAD_USAGE", "BAD_CONFIG", "NO_INPUT"]);

async function setSwitch(settings: ControlSettings, { reason, actor }: By, store: BridgeError): Promise<RollbackReport> {
  const file = switchFileOf(settings);
  try {
    await file.set(reason, actor);
  } catch (cause) {
    throw new BridgeError("UNWRITABLE", {
      what: `neither the control store (${store.line}) nor the switch file can be written: ${(cause as Error).message}`,
      where: file.path,
      mend: "make that file as a user who may, or stop the processes",
      cause,
    });
  }
  return { via: "switch_file", path: file.path, why: store.line };
}

/**
 * Takes traffic back step by step, and rolls back when it is at 0: a ramp that a live process goes on with. Throws REFUSED where no
 * percentage decides who answers.
 */
export const rollbackGradually = (options: RollbackOptions & { readonly dwellMs?: number }): Promise<ControlRecord> =>
  withOperator(options, "changes", async ({ operator }) => {
    const { effective, record } = await operator.overview();
    const { phase, newSystemPercentage: now } = effective.plan;
    const out = whyOutOfUse(record);
    if (out !== undefined || phase !== "dual_write")
      throw new BridgeError("REFUSED", {
        what:
          out === undefined
            ? `in ${phase} no percentage decides who answers, so there is none to take back`
            : `modern is out of use already (${out})`,
        mend: "rollback without --gradual is never refused",
      });
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
    return await withOperator(options, "looks", async ({ operator, store }, settings) => {
      const { record } = await operator.overview();
      // Nobody is to be woken by it.
      const monitoring = { ...settings.config.monitoring, alertUrl: null };
      const config: Config = { ...settings.config, monitoring, stores: { control: `sqlite:${join(folder, "control.db")}` } };
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

export const verifyAudit = (options: StoreOptions) => withOperator(options, "looks", (session) => session.verifyAudit());

const exportRows = 500;

/** Every row with its seal, a JSON line each, read while it is written. */
export async function* exportAudit(options: StoreOptions): AsyncGenerator<string> {
  const session = await openFor(options, await settingsOf(options), "looks");
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
