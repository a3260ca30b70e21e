/** The bridge of a rehearsal: the product's own, over stores in a scratch folder and in simulated time. */
import { copyFile, mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { systemClock } from "../../adapters/host/index.ts";
import { pause } from "../../base/pause.ts";
import type { Config } from "../../config/index.ts";
import type { Operator } from "../../control/index.ts";
import type { Phase, Side } from "../../domain/migration/phase.ts";
import { planOf, writesOf } from "../../domain/migration/plan.ts";
import { LegacyDesk } from "../../legacy-desk/index.ts";
import type { ControlStore } from "../../ports/control-store.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import type { ReconcileReport } from "../../ports/reconcile.ts";
import type { BridgeRecord } from "../../ports/records.ts";
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
import { CallTimes, DaySystem } from "./day-system.ts";
import type { DeskHistory } from "./history.ts";
import type { SimulatedClock } from "./simulated-clock.ts";

/** The simulated people of a rehearsal. */
export const people = ["simulated operator", "simulated second person"] as const;
const [operator] = people;

const controlPercentageDefault = 20;
const dayMs = 86_400_000;
/** So long that in simulated time no lease ends and no plan becomes stale. */
const endlessMs = 1e13;
const recordsMax = 500;
const legacyName = "pnl_tracker.db";

export interface StagedBridge {
  readonly bridge: PnlBridge;
  readonly control: ControlPlane;
  readonly database: DatabaseService;
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
  return { bridge, control, database, evidence, key, times, systems, settings: { config, folder } };
}

/** The desk's configuration with stores in the scratch folder, all flags set, and nothing that calls the world. */
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
    watch: { ...config.watch, tradeLedger: null, marketPrices: [] },
    dashboard: { ...config.dashboard, legacy: null },
    shadow: {
      ...config.shadow,
      keepRequests: 0,
      controlPercentage: config.shadow.controlPercentage || controlPercentageDefault,
    },
    // A move of the authority is measured in real time on this machine, so the desk's own budget does not
    // apply.
    database: { ...config.database, cutoverBudgetMs: 60_000 },
    control: { ...config.control, pollMs: 50, staleMs: endlessMs, leaseMs: endlessMs },
  };
}

/** Copies files of a day into a folder, and returns the copies. Files of one name stay apart. */
export async function land(files: readonly string[], folder: string): Promise<readonly string[]> {
  const copies: string[] = [];
  for (const [index, file] of files.entries()) {
    const own = join(folder, String(index));
    await mkdir(own, { recursive: true });
    copies.push(join(own, basename(file)));
    await copyFile(file, join(own, basename(file)));
  }
  return copies;
}

const writeMsMax = 60_000;

/** Writes the records of a day through the database bridge. Returns why records were refused. */
export async function write(
  database: DatabaseService,
  records: readonly BridgeRecord[],
  day: string,
): Promise<readonly string[]> {
  const refusals: string[] = [];
  const send = async (part: readonly BridgeRecord[], idempotencyKey: string): Promise<void> => {
    const endMs = systemClock.monotonicMs() + writeMsMax;
    for (;;) {
      const answer = await database.write(part, { idempotencyKey, keepsUnstorable: true });
      if (answer.kind === "acknowledged") return;
      // While the authority moves, a write is refused for a moment.
      const isPassing =
        answer.kind === "unresolved" ||
        ["DRAINING", "AUTHORITY_DIFFERS", "SYSTEM_DOWN"].includes(answer.code);
      if (isPassing && systemClock.monotonicMs() < endMs) await pause(systemClock, 20);
      else if (part.length === 1) return void refusals.push(answer.because);
      else {
        for (const [index, record] of part.entries()) await send([record], `${idempotencyKey} ${index}`);
        return;
      }
    }
  };
  for (let from = 0; from < records.length; from += recordsMax)
    await send(records.slice(from, from + recordsMax), `${day} ${from}`);
  return refusals;
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
  "a person accepts the differences of the two daily reports on each morning",
  "two people are trained; rows that a ledger reader refuses are reviewed on the same day",
  "both sides take equally long for a call, unless a foreign modern took two seconds longer for the whole history",
  "a fifth of the calls is asked twice to measure noise, unless the configuration says otherwise",
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
