/** The bridge of a rehearsal: the product's own, over stores in a scratch folder and in simulated time. */
import { existsSync } from "node:fs";
import { copyFile, mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import type { Config } from "../../config/index.ts";
import type { Operator } from "../../control/index.ts";
import type { Phase, Side } from "../../domain/migration/phase.ts";
import { planOf, writesOf } from "../../domain/migration/plan.ts";
import { LegacyDesk } from "../../legacy-desk/index.ts";
import type { ControlStore } from "../../ports/control-store.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import type { ReconcileReport } from "../../ports/reconcile.ts";
import type { JsonValue } from "../../ports/system.ts";
import { createPnlBridge, type PnlBridge } from "../bridge/pnl-bridge.ts";
import { auditActions } from "../control/audit-rows.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { pairOf } from "../database/pair.ts";
import { recordReconcile } from "../database/reconcile.ts";
import { reconcileApart } from "../database/reconcile-apart.ts";
import type { DatabaseService } from "../database/service.ts";
import { randomFrom } from "../demo-desk/random.ts";
import { evidenceKey, programBuild } from "../evidence-key.ts";
import { type OpenedFiles, openFileWatcher } from "../files/open.ts";
import { CallTimes, DaySystem } from "./day-system.ts";
import type { DeskHistory } from "./history.ts";
import type { SimulatedClock } from "./simulated-clock.ts";

/** The simulated people of a rehearsal. */
export const people = ["simulated operator", "simulated second person"] as const;
const [operator] = people;

const controlPercentageDefault = 15;
const dayMs = 86_400_000;
/** So long that in simulated time no lease ends and no plan becomes stale. */
const endlessMs = 1e13;
const legacyName = "pnl_tracker.db";

export interface StagedBridge {
  readonly bridge: PnlBridge;
  readonly control: ControlPlane;
  readonly database: DatabaseService;
  readonly files: LandedFiles;
  readonly evidence: EvidenceStore;
  readonly key: string;
  readonly times: CallTimes;
  readonly systems: Readonly<Record<Side, DaySystem>>;
  readonly settings: { readonly config: Config; readonly folder: string };
}

export async function openStage(
  folder: string,
  {
    config: given,
    history,
    clock,
    features,
  }: {
    readonly config: Config;
    readonly history: DeskHistory;
    readonly clock: SimulatedClock;
    readonly features: readonly string[];
  },
): Promise<StagedBridge> {
  const config = stagedConfig(given, history, folder);
  for (const name of Object.values(landed)) await mkdir(join(folder, name), { recursive: true });
  // The desk's own database, without rows yet.
  await new LegacyDesk({ database: join(folder, legacyName) }).history({ ledgers: [] });
  const random = randomFrom(1);
  const times = new CallTimes(history.tookMs, random);
  const systemOf = (side: Side): DaySystem =>
    new DaySystem(side, history.systems[side].name, clock, () => times.of(side));
  const systems = { legacy: systemOf("legacy"), modern: systemOf("modern") };
  const bridge = await createPnlBridge(
    { config, log: () => {}, load: { overload: () => undefined } },
    {
      ...{ clock, features, systems },
      draw: () => random.unit(),
      alerts: { send: () => {}, settled: async () => 0, close: () => {} },
    },
  );
  const { control, database, evidence } = bridge;
  if (control === undefined || database === undefined || evidence === undefined)
    throw new Error("broken invariant: the scratch folder has all stores");
  await database.started;
  const { positionThreshold, comparisonThreshold } = config.validation;
  const key = evidenceKey(
    { config, folder: process.cwd() },
    { position: positionThreshold, pnl: comparisonThreshold },
  );
  const settings = { config, folder };
  const files = await LandedFiles.open(settings, { bridge, database }, clock);
  return { bridge, control, database, files, evidence, key, times, systems, settings };
}

/** The desk's configuration with stores in the scratch folder, all flags set, and no calls to the outside. */
function stagedConfig(config: Config, history: DeskHistory, folder: string): Config {
  const store = (name: string): string => `sqlite:${join(folder, name)}`;
  return {
    ...config,
    systems: history.systems,
    plan: planOf({
      ...config.plan,
      phase: "read_only",
      migrationMode: "dual_write",
      useNewPnlSystem: true,
      newSystemPercentage: 0,
      legacyWindow: "open",
      flags: { calculator: true, storage: true, reports: true },
    }),
    validation: { ...config.validation, alertOnMismatch: false },
    monitoring: { ...config.monitoring, alertUrl: "https://alerts.invalid/" },
    stores: {
      control: store("control.db"),
      legacy: store(legacyName),
      modern: store("newpnl.db"),
    },
    watch: {
      ...config.watch,
      tradeLedger: join(folder, landed.trades),
      marketPrices: [join(folder, landed.prices)],
      include: ["*"],
      mode: "poll",
      // Files land as a whole.
      settleMs: 0,
      // Legacy's own method for files belongs to the desk's real legacy system.
      legacySink: "records",
      leaseMs: endlessMs,
    },
    dashboard: { ...config.dashboard, legacy: null },
    shadow: {
      ...config.shadow,
      keepRequests: 0,
      controlPercentage: config.shadow.controlPercentage || controlPercentageDefault,
    },
    // A move of the authority is measured in real time on this machine, so the desk's own budget does not
    // apply.
    database: { ...config.database, cutoverBudgetMs: 60_000 },
    control: { ...config.control, pollMs: 500, staleMs: endlessMs, leaseMs: endlessMs },
  };
}

/** The folders into which the files of a day land; the file watcher reads them. */
const landed = { trades: "trades", prices: "prices" } as const;

/** Copies files into a watched folder, and returns the copies. Files of one name stay apart. */
export async function land(
  files: readonly string[],
  folder: string,
  kind: keyof typeof landed,
): Promise<readonly string[]> {
  const copies: string[] = [];
  for (const file of files) {
    let copy = join(folder, landed[kind], basename(file));
    for (let same = 2; existsSync(copy); same++)
      copy = join(folder, landed[kind], String(same), basename(file));
    await mkdir(dirname(copy), { recursive: true });
    await copyFile(file, copy);
    copies.push(copy);
  }
  return copies;
}

/** The codes with which a write is refused for a moment, for example while the authority moves. */
const passing: ReadonlySet<string> = new Set(["DRAINING", "AUTHORITY_DIFFERS", "SYSTEM_DOWN"]);
const carryMsMax = 60_000;

/** The product's file watcher, in simulated time. It reads the files that have landed. */
class LandedFiles {
  readonly #files: OpenedFiles;
  readonly #clock: SimulatedClock;
  readonly #events: CarryEvents;

  private constructor(files: OpenedFiles, clock: SimulatedClock, events: CarryEvents) {
    this.#files = files;
    this.#clock = clock;
    this.#events = events;
  }

  static async open(
    settings: StagedBridge["settings"],
    { bridge, database }: Pick<StagedBridge, "bridge" | "database">,
    clock: SimulatedClock,
  ): Promise<LandedFiles> {
    const events: CarryEvents = { refusals: [], failure: undefined };
    const files = await openFileWatcher(settings, {
      clock,
      plan: () => bridge.plan,
      write: async (records, options) => {
        const answer = await database.write(records, options);
        // After a refusal the watcher sends each record alone.
        if (answer.kind === "refused" && records.length === 1 && !passing.has(answer.code))
          events.refusals.push(answer.because);
        return answer;
      },
      onEvent: (event) => {
        if (event.kind === "sink_failed" || event.kind === "watch_failed") events.failure = event.why;
      },
    });
    return new LandedFiles(files, clock, events);
  }

  /** Carries the rows of the landed files to the databases. Returns notes about rows that did not arrive. */
  async carry(): Promise<readonly string[]> {
    const endMs = systemClock.monotonicMs() + carryMsMax;
    this.#events.refusals = [];
    do {
      this.#events.failure = undefined;
      await this.#files.watcher.once(0);
      // After a failure the watcher pauses for up to five seconds of the simulated time.
      this.#clock.advance(5_000);
    } while (this.#events.failure !== undefined && systemClock.monotonicMs() < endMs);
    const { refusals, failure } = this.#events;
    return [
      ...(refusals.length === 0 ? [] : [`${refusals.length} records were refused, such as: ${refusals[0]}`]),
      ...(failure === undefined ? [] : [`rows of the files did not reach the databases: ${failure}`]),
    ];
  }

  close(): Promise<void> {
    return this.#files.close();
  }
}

interface CarryEvents {
  /** Why the databases refused single records. */
  refusals: string[];
  /** Why rows could not be carried. */
  failure: string | undefined;
}

const drainMsMax = 60_000;

/** Carries every write to the mirror, if the plan has one. */
export async function drain({ bridge, database }: StagedBridge): Promise<void> {
  if (writesOf(bridge.plan).length > 1) await database.drain({ timeoutMs: drainMsMax });
}

/** Compares both databases in full, and records the result for the gates at the simulated time. */
export async function reconcile(
  { settings, control }: StagedBridge,
  clock: SimulatedClock,
): Promise<ReconcileReport> {
  const pair = pairOf(settings);
  const { validation } = settings.config;
  const report = await reconcileApart({ pair, validation }, {});
  await recordReconcile({ pair, validation }, report);
  const { unexplained, complete } = report;
  const ok = unexplained === 0 && complete;
  await note(control.store, auditActions.reconcile, { ok, unexplained, complete, at: isoOf(clock) });
  return report;
}

/** Results that a rehearsal cannot produce. They are recorded as simulated, and listed in its report. */
export const assumed = [
  "every flag is set; people approve each move and accept each cause that is wholly proved to be legacy's",
  "tests, benchmarks, memory and leak runs of this build pass",
  "a scrape and a test alert arrive each day; a rollback drill takes 50 ms each week",
  "the two daily reports are compared on each morning, and a person accepts their differences",
  "two people are trained; rows that a ledger reader refuses are reviewed on the same day",
  "both sides take equally long for a call, unless a foreign modern took two seconds longer for the whole history",
  "15 % of the calls are asked twice to measure noise, unless the configuration says otherwise",
] as const;

const weekly = (features: readonly string[]): readonly JsonValue[] => {
  const build = programBuild();
  return [
    { kind: "tests", build, passed: 1, failed: 0, skipped: 0, features: [...features] },
    { kind: "benchmarks", build, met: 1, missed: 0, noisy: 0 },
    { kind: "memory", build, ratios: new Array(10).fill(1) },
    { kind: "leak", build, points: [0, 2, 4, 6, 8].map((hour) => [hour, 1_000_000]) },
  ];
};

/** Records the results that are assumed on each morning, some of them only once a week. */
export class AssumedRecords {
  readonly #features: readonly string[];
  #weekMs = Number.NEGATIVE_INFINITY;
  #trainedMs = Number.NEGATIVE_INFINITY;

  constructor(features: readonly string[]) {
    this.#features = features;
  }

  async record(
    { control: { store }, bridge }: Pick<StagedBridge, "control" | "bridge">,
    clock: SimulatedClock,
    day: string,
  ): Promise<void> {
    const { phase } = bridge.plan;
    const at = isoOf(clock);
    const nowMs = clock.nowMs();
    const daily = ["scrape", "alert"].map((kind) => ({ kind, ok: true }));
    const [hashes, counts] = [{ legacy: "simulated", modern: "simulated" }, {}];
    const handedOut = { date: day, version: 1, side: "legacy", contentHash: hashes.legacy };
    const compared = { ...handedOut, diff: { ok: false, counts, hashes }, simulated: true };
    await note(store, auditActions.handOutReport, compared);
    await note(store, auditActions.acceptReport, { date: day, hashes, counts, simulated: true });
    const isNewWeek = nowMs - this.#weekMs > 5 * dayMs;
    for (const content of [...daily, ...(isNewWeek ? weekly(this.#features) : [])])
      await note(store, auditActions.evidence, { ...(content as object), at, simulated: true });
    if (isNewWeek) {
      this.#weekMs = nowMs;
      const drill = { ok: true, acknowledgedMs: 50, build: programBuild(), at, simulated: true };
      await note(store, auditActions.drill, drill);
    }
    if (nowMs - this.#trainedMs > 60 * dayMs) {
      this.#trainedMs = nowMs;
      for (const actor of people)
        await note(store, auditActions.signOff, { gate: "team_trained", phase, at, simulated: true }, actor);
    }
  }
}

const note = (
  store: ControlStore,
  action: string,
  evidence: JsonValue,
  actor: string = operator,
): Promise<void> => store.note({ actor, action, reason: "rehearsal", evidence });

const isoOf = (clock: SimulatedClock): string => new Date(clock.nowMs()).toISOString();

/** Lets both simulated people approve a phase, which is enough for every configuration. */
export async function approve(operatorOf: Operator, phase: Phase): Promise<void> {
  for (const actor of people) await operatorOf.signOff("approved", { actor, note: "rehearsal", phase });
}
