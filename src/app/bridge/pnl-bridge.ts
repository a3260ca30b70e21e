import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { HostMonitor, systemClock } from "../../adapters/host/index.ts";
import { HttpSystem } from "../../adapters/http/index.ts";
import { ModuleSystem } from "../../adapters/module/index.ts";
import { CommandSystem } from "../../adapters/worker/index.ts";
import { BridgeError, lineOf, unreachable } from "../../base/errors.ts";
import type { PnlTolerances } from "../../bridges/core/tolerances.ts";
import {
  controllerReads,
  type DashboardAnswer,
  type DashboardDataBridge,
} from "../../bridges/dashboard/index.ts";
import {
  type CallComparison,
  type ConvertAnswer,
  type MethodCounters,
  PnLServiceBridge,
  type PnLServiceBridgeOptions,
} from "../../bridges/service/index.ts";
import {
  type Config,
  changedKeys,
  isFleetWide,
  loadConfig,
  ownMethodNames,
  type SystemConfig,
  watchConfigFile,
} from "../../config/index.ts";
import type { ServedMismatch, SettledDays } from "../../control/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { type MigrationPlan, planOf } from "../../domain/migration/plan.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import type { HostLoad } from "../../ports/host-load.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import type { BridgedSystem } from "../../ports/system.ts";
import { builtinService, dayRulesOf, figuresOf, netsBooks } from "../builtin-systems.ts";
import { registerIn } from "../control/accepted-causes.ts";
import { ControlPlane, type ControlStage } from "../control/control-plane.ts";
import { tradingDay } from "../control/gate-facts.ts";
import { databaseLine } from "../database/event-line.ts";
import { pairOf } from "../database/pair.ts";
import { DatabaseService } from "../database/service.ts";
import { evidenceKey, groupOfSymbol, programBuild, systemHashes } from "../evidence-key.ts";
import { DayClose, nothingSettled } from "../parity/day-close.ts";
import { ComparisonExplainer } from "../parity/explain-stored.ts";
import { type ControlSettings, isPairConfigured, openEvidenceStore } from "../stores.ts";
import { dashboardOf } from "./dashboard.ts";
import { divergenceAlerts } from "./divergence-alerts.ts";
import { LedgerWorld } from "./systems/ledger-world.ts";
import { type MethodNames, OfferedMethods } from "./systems/offered-methods.ts";
import { answerInMoney } from "./systems/points.ts";

export type { DashboardAnswer };

export interface PnlBridgeOptions {
  /**
   * The path of a `pnl_migration_config.yaml`, or its parsed content. Paths in a file are relative to its
   * folder; paths in parsed content are relative to the working folder.
   */
  readonly config: string | Config;
  /** Receives each comparison, after the caller has the answer. */
  readonly onComparison?: (comparison: CallComparison) => void;
  /** The desk's prices of this moment: see PnLServiceBridgeOptions. */
  readonly marks?: PnLServiceBridgeOptions["marks"];
  /** Writes that legacy has not received yet: see BridgeOptions. */
  readonly owed?: OwedWrites;
  /** Receives how the bridge handles a change of the file on disk. Default: a line on stderr. */
  readonly onConfigChange?: (change: ConfigChange) => void;
  /** Receives the output of foreign systems and what the bridge reports of its databases, line by line. */
  readonly log?: (line: string) => void;
  /**
   * The load of this process; shadow calls are dropped while it is high. Default: measured from its event
   * loop and its heap.
   */
  readonly load?: HostLoad;
}

/** The parts of the real world that a rehearsal replaces. */
export interface BridgeStage extends ControlStage {
  /** Returns a random number of at least 0 and below 1. */
  readonly draw: () => number;
  readonly systems: Readonly<Record<Side, BridgedSystem>>;
}

export interface ConfigChange {
  /**
   * `refused`: the file is not a valid configuration, and the last good one stays in force. `pending`: some
   * values take effect at the next start.
   */
  readonly kind: "refused" | "pending";
  readonly what: string;
}

/** The two systems of a configuration behind one bridge. */
export interface PnlBridge {
  /** The plan that applies to calls that begin now. */
  readonly plan: MigrationPlan;
  readonly service: PnLServiceBridge;
  /** Answers the desk's dashboards, with the calls of `service`. */
  readonly dashboard: DashboardDataBridge;
  /** The store of the comparisons; undefined if no control store is configured. */
  readonly evidence: EvidenceStore | undefined;
  /** Explains comparisons of the store. */
  readonly explainer: ComparisonExplainer;
  /**
   * Explains the differences of closed days and marks those whose causes people accept; undefined without a
   * control store or an evidence store, and in a rehearsal.
   */
  readonly dayClose: DayClose | undefined;
  /** The control plane, whose plan the bridge follows; undefined if no control store is configured. */
  readonly control: ControlPlane | undefined;
  /** Writes records to both databases; undefined if the databases are not configured. */
  readonly database: DatabaseService | undefined;
  /** Ends shadowing, writes the remaining evidence, and closes systems and stores. */
  close(): Promise<void>;
}

/**
 * Opens the bridge of a configuration: its legacy and modern systems, routed by the plan of its control
 * store, with comparisons stored beside it. Without a control store the file's own plan is in force. The file
 * is watched for changes. A changed plan takes effect at once without a control store, and is reported as
 * drift with one; other changes take effect at the next start.
 *
 * Throws BAD_CONFIG, UNREADABLE, and the errors of the evidence store except UNWRITABLE, which is logged.
 * Starts even if the control store is unreachable.
 */
export async function createPnlBridge(options: PnlBridgeOptions, stage?: BridgeStage): Promise<PnlBridge> {
  const { config: given, onComparison, marks, log } = options;
  const config = typeof given === "string" ? await loadConfig(given) : given;
  const folder = typeof given === "string" ? dirname(resolve(given)) : process.cwd();
  const worldOf = worldsOf(config, folder);
  const systems = stage?.systems ?? (await openSystems(config, { worldOf, folder, log }));
  const clock = stage?.clock ?? systemClock;
  const opened: { close(): Promise<void> | void }[] = [systems.legacy, systems.modern];
  try {
    const controller = await openController(config, { folder, log });
    if (controller !== undefined) opened.push(controller);
    const evidence = await openEvidenceStore({ config, folder }).catch((failure) =>
      withoutEvidence(failure, log),
    );
    if (evidence !== undefined) opened.push(evidence);
    const { positionThreshold, comparisonThreshold } = config.validation;
    const tolerances = { position: positionThreshold, pnl: comparisonThreshold };
    // Reads the program's files now, before the load of this process is measured.
    if (evidence !== undefined) programBuild();
    const monitor = new HostMonitor();
    opened.push(monitor);
    const { legacy, modern } = config.systems;
    const [legacyTimeoutMs, timeoutMs] = [timeoutOf(legacy), timeoutOf(modern)];
    const follows = config.stores.control !== null;
    let database: DatabaseService | undefined;
    let control: ControlPlane | undefined;
    const owed =
      options.owed ??
      (isPairConfigured(config) ? { owedToLegacy: () => database?.owed() ?? none } : undefined);
    let alertDivergence: ((comparison: CallComparison) => void) | undefined;
    const service = new PnLServiceBridge(
      {
        ...systems,
        plan: follows ? planOf({ phase: "read_only", epoch: 0 }) : config.plan,
        tolerances,
        // The systems of a rehearsal answer in money.
        convert: stage === undefined ? conversions(config) : {},
        ...(legacyTimeoutMs !== undefined && { legacyTimeoutMs }),
        // Modern's time limit also applies to its shadow calls; the shorter default would fail every
        // shadow call of a slow system.
        ...(timeoutMs !== undefined && { answering: { timeoutMs } }),
        shadow: {
          keepRequests: config.shadow.keepRequests,
          controlRatio: config.shadow.controlPercentage / 100,
          ...(timeoutMs !== undefined && { timeoutMs }),
        },
        exclusions: config.exclusions,
        ...(onComparison === undefined && !follows
          ? {}
          : {
              onComparison: (comparison: CallComparison) => {
                alertDivergence?.(comparison);
                return onComparison?.(comparison);
              },
            }),
        ...(evidence === undefined
          ? {}
          : {
              evidence,
              tally: {
                process: randomUUID(),
                dayRule: dayRulesOf(config.systems).legacy,
                groupOf: groupOfSymbol,
              },
            }),
        ...(marks === undefined ? {} : { marks }),
        ...(owed === undefined ? {} : { owed }),
      },
      { clock, load: options.load ?? monitor, draw: stage?.draw ?? Math.random },
    );
    const dashboard = dashboardOf({
      ...{ config, folder, service, controller, clock, isRehearsed: stage !== undefined },
      control: () => control,
      ledgers: worldOf("legacy"),
    });
    for (const { path, owner, until } of expired(config))
      logLine(log, `the exclusion of ${path} (${owner}) ended on ${until}: remove it, or set a later day`);
    database = isPairConfigured(config)
      ? new DatabaseService({
          settings: pairOf({ config, folder }),
          plan: () => service.plan,
          isFresh: () => !follows || control?.freshness === "fresh",
          onEvent: (event) => {
            const line = databaseLine(event);
            if (line !== undefined) logLine(log, line);
          },
        })
      : undefined;
    if (database !== undefined) opened.unshift(database);
    const countEvidence =
      evidence === undefined ? async () => {} : keyOfEvidence({ config, folder }, service, log);
    await countEvidence(tolerances);
    let dayClose: DayClose | undefined;
    // A rehearsal closes no days.
    const closable = stage === undefined ? evidence : undefined;
    const settled = () => (closable === undefined ? undefined : (dayClose?.settled ?? nothingSettled));
    control = follows
      ? controlOf(
          { service, dashboard },
          { config, folder, owed, database, countEvidence, evidence, stage, settled },
        )
      : undefined;
    const explainer = new ComparisonExplainer(evidence, { config, folder }, async () =>
      control === undefined ? [] : registerIn(control.store),
    );
    opened.push(explainer);
    if (control !== undefined) opened.unshift(control);
    await control?.start();
    dayClose =
      control === undefined || closable === undefined
        ? undefined
        : new DayClose({
            ...{ evidence: closable, explainer, clock },
            register: () => registerIn(control.store),
            key: () => service.core.evidenceKey,
            today: () => tradingDay({ config }, clock.nowMs()),
            onFailure: (failure) =>
              logLine(log, `the differences of closed days are not explained: ${lineOf(failure)}`),
          });
    if (control !== undefined && config.validation.alertOnMismatch)
      alertDivergence = divergenceAlerts(control.alerts);
    const stopWatching =
      typeof given === "string"
        ? watchFile(given, { config, service, control, tell: options.onConfigChange })
        : undefined;
    return {
      get plan() {
        return service.plan;
      },
      service,
      dashboard,
      evidence,
      explainer,
      dayClose,
      control,
      database,
      close: async () => {
        stopWatching?.();
        explainer.close();
        try {
          await dayClose?.close();
          await service.close();
        } finally {
          // If a system fails to close, the other one and the stores are closed nevertheless.
          await closeAll(opened);
        }
      },
    };
  } catch (failure) {
    await closeAll(opened);
    throw failure;
  }
}

function controlOf(
  { service, dashboard }: Pick<PnlBridge, "service" | "dashboard">,
  around: Pick<ConstructorParameters<typeof ControlPlane>[0], "config" | "folder"> & {
    readonly owed: OwedWrites | undefined;
    readonly database: DatabaseService | undefined;
    readonly countEvidence: ReturnType<typeof keyOfEvidence>;
    readonly evidence: EvidenceStore | undefined;
    readonly stage: BridgeStage | undefined;
    readonly settled: () => SettledDays | undefined;
  },
): ControlPlane {
  const { owed, config, database, countEvidence, ...rest } = around;
  const control: ControlPlane = new ControlPlane({
    ...rest,
    config,
    authority: database,
    // While the databases are not open the count is unknown, and the gate is closed.
    quarantined: () => (database === undefined ? 0 : waitingIn(database.latest)),
    ...(owed === undefined ? {} : { owed }),
    onPlan: ({ plan }) => {
      service.setPlan(plan);
      const { section } = control.follower.state;
      if (section === undefined) return;
      service.setTolerances(section.tolerances);
      dashboard.setTolerances(section.tolerances);
      void countEvidence(section.tolerances);
    },
    oldestRunning: () => service.oldestRunning,
    signals: () => ({ ...countsOf(service), servedMismatch: newestMismatch(service) }),
    report: () => ({
      ...countsOf(service),
      inFlight: service.inFlight,
      evidenceDropped: service.evidenceDropped,
      fieldsExcluded: Object.values(service.counters).reduce(
        (sum, { fieldsExcluded }) => sum + fieldsExcluded,
        0,
      ),
      expiredExclusions: expired(config).map(({ path }) => path),
    }),
  });
  return control;
}

/**
 * Returns a function that sets the key under which evidence is counted from then on, for the given
 * tolerances. The files of the systems are hashed once, at the start, since this process keeps running what
 * it loaded then. A failure of the store is logged; comparisons are kept nevertheless, and gates find less
 * evidence.
 */
function keyOfEvidence(
  settings: ControlSettings,
  service: PnLServiceBridge,
  log: PnlBridgeOptions["log"],
): (tolerances: PnlTolerances) => Promise<void> {
  let systems: ReturnType<typeof systemHashes> | undefined;
  let last = Promise.resolve();
  return (tolerances) => {
    last = last
      .then(() => {
        systems ??= systemHashes(settings);
        return service.core.setEvidenceKey(evidenceKey(settings, tolerances, systems));
      })
      .catch((failure) => logLine(log, `evidence for the gates is not counted: ${lineOf(failure)}`));
    return last;
  };
}

const waitingIn = (latest: DatabaseService["latest"]): number | null =>
  latest === undefined || latest.quarantine === null || latest.reviews === null
    ? null
    : latest.quarantine + latest.reviews;

const none = { count: 0, oldestMs: 0 };

/** The counts on which the triggers decide, over all methods. */
function countsOf({ counters }: PnLServiceBridge) {
  const all = Object.values(counters);
  const sum = (of: (counters: MethodCounters) => number): number =>
    all.reduce((total, one) => total + of(one), 0);
  return {
    modernAsked: sum((one) => one.modernAsked),
    modernFellBack: sum((one) => one.answeredInstead),
    // An open breaker counts as a failure of modern, which opened it.
    modernFailed: sum((one) => one.modernFailed + (one.fellBack.BREAKER_OPEN ?? 0)),
    servedMismatches: sum(({ servedDiverged }) => servedDiverged),
  };
}

/** The newest sampled divergence in an answer that modern gave to a caller. */
function newestMismatch({ samples }: PnLServiceBridge): ServedMismatch | null {
  const served = samples.filter(({ verdict, answered }) => verdict === "diverged" && answered === "modern");
  const newest = served.toSorted((a, b) => (a.at < b.at ? 1 : -1))[0];
  const field = newest?.fields.find(({ verdict }) => verdict === "diverged");
  if (newest === undefined || field === undefined) return null;
  const { entry, path, legacy, modern } = field;
  return { method: newest.method, field: entry === null ? path : `${path} (${entry})`, legacy, modern };
}

interface WatchedBridge extends Pick<PnlBridge, "service" | "control"> {
  /** The configuration with which the bridge was opened. */
  readonly config: Config;
  readonly tell: PnlBridgeOptions["onConfigChange"];
}

function watchFile(
  path: string,
  { config, service, control, tell = reportOnStderr }: WatchedBridge,
): () => void {
  const takesEffectNow = (key: string): boolean =>
    control === undefined
      ? /^migration\.(?:phase|feature_flags|traffic_routing)/.test(key)
      : isFleetWide(key);
  return watchConfigFile(path, {
    current: config,
    onChange: (changed) => {
      if (control === undefined) service.setPlan({ ...changed.plan, epoch: service.plan.epoch + 1 });
      else control.fileChanged(changed);
      const pending = changedKeys(config, changed).filter((key) => !takesEffectNow(key));
      if (pending.length > 0)
        tell({ kind: "pending", what: `${pending.join(", ")}: the change takes effect at the next start` });
    },
    onBad: (failure) => {
      control?.fileRefused(failure);
      tell({ kind: "refused", what: failure.line });
    },
  });
}

const reportOnStderr = ({ what }: ConfigChange): void =>
  void process.stderr.write(`the configuration has changed: ${what}\n`);

/** Closes everything and ignores failures to close; closing twice is harmless. */
const closeAll = async (opened: readonly { close(): Promise<void> | void }[]): Promise<void> => {
  await Promise.allSettled(opened.map(async (one) => one.close()));
};

/** One system of a configuration, and how the bridge uses it. */
interface OpenedSystem {
  readonly system: BridgedSystem;
  readonly convert: ConvertAnswer;
  readonly timeoutMs: number | undefined;
  readonly names: MethodNames;
}

/** Opens one system of a configuration without the other, for `doctor`. */
export async function openSystem(
  side: Side,
  config: Config,
  folder: string,
  log?: (line: string) => void,
): Promise<OpenedSystem> {
  const system = await makeSystem(side, config, { worldOf: worldsOf(config, folder), folder, log });
  const convert: ConvertAnswer = conversions(config)[side] ?? ((_, answer) => answer);
  const configured = config.systems[side];
  const names = configured.kind === "builtin" ? ownMethodNames : configured.methods;
  return { system, convert, timeoutMs: timeoutOf(configured), names };
}

async function openSystems(config: Config, around: Surroundings): Promise<Record<Side, BridgedSystem>> {
  const legacy = await makeSystem("legacy", config, around);
  try {
    return { legacy, modern: await makeSystem("modern", config, around) };
  } catch (failure) {
    await legacy.close();
    throw failure;
  }
}

/** Opens the controller of the desk's own dashboard. A command offers only the methods that read. */
async function openController(
  { dashboard: { legacy, controller } }: Config,
  around: Pick<Surroundings, "folder" | "log">,
): Promise<BridgedSystem | undefined> {
  if (legacy === null || legacy.kind === "builtin") return undefined;
  return foreignSystem(legacy, {
    ...around,
    methods: controllerReads[controller],
    readOnly: true,
    graceMs: legacyGraceMs,
  });
}

/** The ledgers as each side reads them. Sides with the same trading-day rule share one world. */
function worldsOf({ watch, systems }: Config, folder: string): (side: Side) => LedgerWorld | undefined {
  const { tradeLedger, marketPrices } = watch;
  if (tradeLedger === null) return () => undefined;
  const rules = dayRulesOf(systems);
  const make = (side: Side): LedgerWorld =>
    new LedgerWorld({
      trades: [resolve(folder, tradeLedger)],
      ...(marketPrices.length === 0 ? {} : { prices: marketPrices.map((prices) => resolve(folder, prices)) }),
      dayRule: rules[side],
      netBooks: netsBooks(systems),
    });
  const legacy = make("legacy");
  const modern = rules.modern === rules.legacy ? legacy : make("modern");
  return (side) => (side === "legacy" ? legacy : modern);
}

interface Surroundings {
  readonly worldOf: (side: Side) => LedgerWorld | undefined;
  readonly folder: string;
  readonly log: ((line: string) => void) | undefined;
}

/**
 * Grace period of a legacy worker. It is longer than that of a shadow, because the worker answers callers.
 */
const legacyGraceMs = 10_000;

async function makeSystem(side: Side, { systems }: Config, around: Surroundings): Promise<BridgedSystem> {
  const system = systems[side];
  if (system.kind === "builtin") {
    const service = builtinService(system, around.worldOf(side));
    return new ModuleSystem({ name: system.name, kind: "builtin", service, isOurs: true });
  }
  const { folder, log } = around;
  const options = { folder, log, methods: Object.values(system.methods), readOnly: true };
  const graceMs = side === "legacy" ? legacyGraceMs : undefined;
  return new OfferedMethods(await foreignSystem(system, { ...options, graceMs }), system.methods);
}

/** Opens a system that is not built in. `readOnly` tells a command that it must change nothing. */
export async function foreignSystem(
  system: Exclude<SystemConfig, { readonly kind: "builtin" }>,
  {
    folder,
    log,
    methods,
    readOnly,
    graceMs,
  }: Pick<Surroundings, "folder" | "log"> & {
    readonly methods: readonly string[];
    readonly readOnly: boolean;
    readonly graceMs?: number | undefined;
  },
): Promise<BridgedSystem> {
  switch (system.kind) {
    case "module":
      return new ModuleSystem({
        name: system.name,
        module: system.path,
        baseFolder: folder,
        isolation: system.isolation,
        inheritEnv: system.env,
        ...(log === undefined ? {} : { log }),
      });
    case "command":
      return new CommandSystem({
        name: system.name,
        command: system.command,
        cwd: system.cwd === undefined ? folder : resolve(folder, system.cwd),
        inheritEnv: system.env,
        methods,
        readOnly,
        ...(graceMs === undefined ? {} : { graceMs }),
        ...(log === undefined ? {} : { log }),
      });
    case "http":
      return new HttpSystem({
        name: system.name,
        url: system.url,
        ...(system.authorizationEnv === undefined ? {} : { authorizationEnv: system.authorizationEnv }),
        ...(system.caFile === undefined ? {} : { ca: await readCa(resolve(folder, system.caFile)) }),
      });
    default:
      return unreachable(system);
  }
}

const conversions = ({ systems: { legacy, modern } }: Config): Partial<Record<Side, ConvertAnswer>> => ({
  ...(figuresOf(legacy).pnlIn === "points" ? { legacy: answerInMoney } : {}),
  ...(figuresOf(modern).pnlIn === "points" ? { modern: answerInMoney } : {}),
});

/** The exclusions whose last day is over. */
const expired = ({ exclusions }: Config): Config["exclusions"] =>
  exclusions.filter(({ until }) => until < systemClock.today());

/**
 * Handles an evidence store that cannot be opened. If its folder is not writable, calls are answered
 * nevertheless; comparisons are then kept in this process only, and gates find no evidence. All other errors
 * are thrown.
 */
function withoutEvidence(failure: unknown, log: PnlBridgeOptions["log"]): undefined {
  if (!(failure instanceof BridgeError) || failure.code !== "UNWRITABLE") throw failure;
  logLine(log, `comparisons are not kept: ${failure.line}`);
}

const logLine = (log = (line: string): void => void process.stderr.write(`${line}\n`), line: string): void =>
  log(line);

const timeoutOf = (system: SystemConfig): number | undefined =>
  system.kind === "builtin" ? undefined : system.timeoutMs;

async function readCa(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: NodeJS.ErrnoException) => {
    throw new BridgeError("UNREADABLE", {
      what: `the certificates cannot be read: ${cause.code}`,
      where: path,
      fix: "check ca_file",
      cause,
    });
  });
}
