/** Plays a desk's own history day by day, in simulated time, through the whole migration. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../base/errors.ts";
import { evidenceGates, featuresOf, type GateReport, whyOutOfUse } from "../../control/index.ts";
import { dayUs, formatDay, formatInstant, hourUs, instantOfWall } from "../../domain/market/chicago-time.ts";
import { defaultTradingDayRule, nextBusinessDay, parseDay } from "../../domain/market/trading-day.ts";
import { type Phase, phaseAfter } from "../../domain/migration/phase.ts";
import { writesOf } from "../../domain/migration/plan.ts";
import { agrees } from "../../domain/migration/verdict.ts";
import { harmlessClasses, type ReportDiff } from "../../ports/report-diff.ts";
import { laneDaysOf, storeReplay } from "../parity/record.ts";
import { closeOfDay } from "../reports/figures.ts";
import { prepareReport } from "../reports/hand-out.ts";
import { type DeskHistory, deskHistory, type HistoryOptions, type PlayedDay } from "./history.ts";
import { SimulatedClock } from "./simulated-clock.ts";
import {
  AssumedRecords,
  approve,
  assumed,
  drain,
  land,
  openStage,
  people,
  reconcile,
  type StagedBridge,
} from "./staged-bridge.ts";

export interface RehearseOptions extends HistoryOptions {
  /** Called after the writes of each day. For tests that damage a store below the bridge. */
  readonly onDay?: ((day: string, folder: string) => Promise<void> | void) | undefined;
  /** The questions that the desk asks each day, and the dashboards that it opens. Default 60. */
  readonly callsPerDay?: number | undefined;
}

interface Move {
  readonly from: Phase;
  readonly to: Phase;
  /** The evidence of each gate, or the reason of a backward move. */
  readonly because: string;
}

/** A judged gate; `simulated` if its evidence is assumed. */
type RehearsedGate = GateReport["gates"][number] & { readonly simulated?: true };

export interface RehearsedDay {
  readonly tradingDay: string;
  /** The phase after the decisions of the next morning. */
  readonly phase: Phase;
  readonly percentage: number;
  readonly trades: number;
  readonly moves: readonly Move[];
  /** All gates if the phase moved forward, else those that are not open. */
  readonly gates: readonly RehearsedGate[];
  /** The daily rows apart beyond tolerance, and those of them with a proved cause. */
  readonly differences: number;
  readonly explained: number;
  /** Why a trigger took modern out of use on this day. */
  readonly rollback?: string;
  readonly isWithoutFiles: boolean;
  /** Whether the gates were judged; they are not while too many instrument-days are missing. */
  readonly isJudged: boolean;
  readonly notes: readonly string[];
}

export interface Rehearsal {
  readonly ok: boolean;
  readonly reached: Phase;
  readonly days: readonly RehearsedDay[];
  readonly stopped?: { readonly tradingDay: string; readonly gate: string; readonly why: string };
  /** The gates that are not open after the last day; empty if `cleanup` is reached. */
  readonly waiting: readonly RehearsedGate[];
  readonly assumed: readonly string[];
  /** The real time, in milliseconds, of the run of both systems and of the days. */
  readonly took: { readonly historyMs: number; readonly daysMs: number };
}

const callsPerDayDefault = 60;
const minuteMs = 60_000;
const [operator] = people;
const reason = "rehearsal";
/**
 * One step each day. Modern never answers all calls in dual_write, so that evidence grows with each of the
 * systems as answering side.
 */
const rampEnd = 50;
const ramp = { steps: [10, 25, rampEnd], dwellMs: 20 * 3_600_000, endsIn: "stay" } as const;
/** The longest time without a judgement of the gates. */
const unjudgedDaysMax = 5;
/**
 * Both databases are compared in full when all other gates are open, and after this number of judged days on
 * which both databases are written. A comparison takes as long as the whole history.
 */
const reconcileDays = 20;

export async function rehearse(options: RehearseOptions): Promise<Rehearsal> {
  const startedMs = performance.now();
  const history = await deskHistory(options);
  const historyMs = performance.now() - startedMs;
  const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-rehearsal-"));
  try {
    const { days, ...end } = await new Migration(history, options, folder).play();
    const reached = days.at(-1)?.phase ?? "read_only";
    const daysMs = performance.now() - startedMs - historyMs;
    const took = { historyMs: Math.round(historyMs), daysMs: Math.round(daysMs) };
    return { ok: reached === "cleanup", reached, days, ...end, assumed, took };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

class Migration {
  readonly #history: DeskHistory;
  readonly #options: RehearseOptions;
  readonly #folder: string;
  readonly #clock: SimulatedClock;
  readonly #features: readonly string[];
  readonly #records: AssumedRecords;
  /** The day since which each gate has not been open. */
  readonly #blockedSince = new Map<string, string>();
  /** The files that have landed. */
  readonly #ledgers: string[] = [];
  readonly #prices: string[] = [];
  /** The phases of which a daily report was built. */
  readonly #reported = new Set<Phase>();
  #approved: Phase | undefined;
  /** The smallest number of further instrument-days with which all gates can be open. */
  #missing = 0;
  #unjudgedDays = 0;
  #wasApart = false;
  #unreconciledDays = 0;
  #isLossFound = false;

  constructor(history: DeskHistory, options: RehearseOptions, folder: string) {
    this.#history = history;
    this.#options = options;
    this.#folder = folder;
    const [first] = history.days;
    this.#clock = new SimulatedClock(this.#closeMs(first?.day ?? "") - 600 * minuteMs);
    const rows = [...history.before, ...history.days].flatMap((day) => day.rows);
    const laneDays = laneDaysOf({ rows, explanations: history.explanations }, "");
    this.#features = featuresOf(laneDays.map((laneDay) => ({ ...laneDay, event: false })));
    this.#records = new AssumedRecords(this.#features);
  }

  async play(): Promise<Pick<Rehearsal, "days" | "stopped" | "waiting">> {
    const { before, days } = this.#history;
    const stage = await openStage(this.#folder, {
      ...{ history: this.#history, clock: this.#clock, features: this.#features },
      config: this.#options.config,
    });
    try {
      await this.#recordReplay(stage, before);
      for (const day of before) await this.#land(day);
      await stage.files.carry();
      const played: RehearsedDay[] = [];
      let last: GateReport["gates"] = [];
      for (const [index, day] of days.entries()) {
        this.#options.onProgress?.(`playing ${day.day}: day ${index + 1} of ${days.length}`);
        const notes = await this.#trade(stage, day);
        const rollback = await this.#watchTriggers(stage);
        const isDue = index === days.length - 1 || rollback !== undefined || this.#isDue(stage, day);
        await this.#options.onDay?.(day.day, this.#folder);
        this.#clock.moveTo(this.#morningMs(day.day, days[index + 1]?.day));
        const { gates, moves, hold } = isDue ? await this.#decide(stage, day.day) : nothingDecided;
        if (isDue) last = gates;
        if (hold !== undefined) notes.push(hold);
        const { phase, newSystemPercentage } = stage.bridge.plan;
        const isForward = moves.some(({ because }) => because !== backward);
        played.push({
          ...{ tradingDay: day.day, phase, percentage: newSystemPercentage, trades: day.trades, moves },
          gates: (isForward ? gates : gates.filter(({ open }) => !open)).map(marked),
          ...differencesIn(day),
          ...(rollback !== undefined && { rollback }),
          ...{ isWithoutFiles: day.ledgers.length + day.prices.length === 0, isJudged: isDue, notes },
        });
        if (phase === "cleanup") break;
      }
      if (played.at(-1)?.phase === "cleanup") return { days: played, waiting: [] };
      // After a move on the last day, the gates of the next move say what is missing.
      if (last.every(({ open }) => open)) last = await this.#judge(stage);
      const waiting = last.filter(({ open }) => !open).map(marked);
      return { days: played, waiting, stopped: this.#stopped(last, stage) };
    } finally {
      await stage.files.close();
      await stage.bridge.close();
    }
  }

  /** The files land, the databases read them, both systems compute, and the desk asks its questions. */
  async #trade(stage: StagedBridge, played: PlayedDay): Promise<string[]> {
    const { day, rows } = played;
    const { bridge, systems, files, times } = stage;
    const closeMs = this.#closeMs(day);
    const { books } = this.#history;
    const calls = Math.max(this.#options.callsPerDay ?? callsPerDayDefault, books.length);
    this.#clock.moveTo(closeMs - (calls + 10) * minuteMs);
    await this.#land(played);
    for (const system of Object.values(systems)) system.show(rows, this.#history.accepted);
    const notes = await files.carry();
    const asOf = formatInstant(closeMs * 1_000);
    if (rows.length > 0)
      for (let call = 0; call < calls; call++) {
        times.next();
        const user = `trader ${1 + (call % 20)}`;
        const book = books.length === 0 ? undefined : books[call % books.length];
        const ofBook = book === undefined ? {} : { book };
        // The bridge counts a question that fails.
        await bridge.service.call("dailyPnl", { asOf, ...ofBook }, { user, ...ofBook }).catch(() => {});
        await bridge.service.idle();
        times.next();
        await bridge.dashboard.getPnlData({ user, ...ofBook }).catch(() => {});
        await bridge.service.idle();
        this.#clock.advance(minuteMs);
      }
    await this.#recordReplay(stage, [{ rows }]);
    await drain(stage);
    // Without this, a write that ends after the clock has moved would count as a sign of life of the next
    // morning.
    await bridge.service.core.flush();
    return [...notes, ...(await this.#report(stage, played))];
  }

  async #land({ ledgers, prices }: PlayedDay): Promise<void> {
    this.#ledgers.push(...(await land(ledgers, this.#folder, "trades")));
    this.#prices.push(...(await land(prices, this.#folder, "prices")));
  }

  /** Builds the report of the first day with trades in each phase. It holds all trades up to its day. */
  async #report({ bridge, settings }: StagedBridge, { day, trades }: PlayedDay): Promise<readonly string[]> {
    const { plan } = bridge;
    if (trades === 0 || this.#reported.has(plan.phase)) return [];
    this.#reported.add(plan.phase);
    const prices = this.#prices.length === 0 ? undefined : this.#prices;
    const input = { date: day, trades: this.#ledgers, prices };
    try {
      const { config } = settings;
      const { side, diff } = await prepareReport({ input, config, plan, user: "trader 1" });
      const other =
        diff === undefined
          ? "not compared in this phase"
          : "error" in diff
            ? `not compared: ${diff.error}`
            : `${differencesOf(diff.found)} differences from the other one`;
      return [`daily report of ${side}, ${other}`];
    } catch (failure) {
      return [`no daily report: ${messageOf(failure)}`];
    }
  }

  /**
   * Whether the gates may be open, or something has happened that a person would look at. A judgement reads
   * all evidence, so the gates are otherwise judged only once in a while.
   */
  #isDue({ bridge, control }: StagedBridge, { lanes, rows }: PlayedDay): boolean {
    this.#missing -= lanes;
    this.#unjudgedDays += 1;
    const isApart = rows.some(({ verdict }) => !agrees(verdict) && verdict !== "not_comparable");
    const hasChanged = isApart !== this.#wasApart;
    this.#wasApart = isApart;
    const isRamping = bridge.plan.phase === "dual_write" && bridge.plan.newSystemPercentage < rampEnd;
    return (
      this.#missing <= 0 ||
      this.#unjudgedDays >= unjudgedDaysMax ||
      rows.length === 0 ||
      hasChanged ||
      isRamping ||
      whyOutOfUse(control.follower.record) !== undefined
    );
  }

  /** Stores the instrument-days of a day as `replay --record` does. */
  async #recordReplay(
    { evidence, key }: StagedBridge,
    days: readonly Pick<PlayedDay, "rows">[],
  ): Promise<void> {
    const rows = days.flatMap((day) => day.rows);
    if (rows.length === 0) return;
    const { explanations } = this.#history;
    await storeReplay({ rows, explanations }, { store: evidence, key, nowMs: this.#clock.nowMs() });
  }

  /** Lets the triggers judge the day. Returns why one of them took modern out of use. */
  async #watchTriggers({ control }: StagedBridge): Promise<string | undefined> {
    const before = control.follower.record.latched;
    await control.work();
    const { latched } = control.follower.record;
    return latched !== null && before === null ? latched : undefined;
  }

  /** Makes the decisions of the people and the fleet on the next morning. */
  async #decide(
    stage: StagedBridge,
    day: string,
  ): Promise<{
    readonly gates: GateReport["gates"];
    readonly moves: readonly Move[];
    readonly hold?: string;
  }> {
    const { control, bridge } = stage;
    await bridge.service.core.flush();
    await this.#records.record(stage, this.#clock, day);
    const moves: Move[] = await this.#takeBack(stage);
    const from = bridge.plan.phase;
    let gates = await this.#judge(stage);
    if (writesOf(bridge.plan).length > 1 && !this.#isLossFound) {
      this.#unreconciledDays += 1;
      const others = gates.filter(({ name }) => !needsReconcile.has(name));
      if (others.every(({ open }) => open) || this.#unreconciledDays >= reconcileDays) {
        this.#isLossFound = (await reconcile(stage, this.#clock)).unexplained > 0;
        this.#unreconciledDays = 0;
        gates = await this.#judge(stage);
      } else gates = others;
    }
    this.#noteBlocked(gates, day);
    this.#unjudgedDays = 0;
    this.#missing = Math.max(0, ...gates.map(missingLanes));
    if (gates.every(({ open }) => open)) {
      const { moved, target, authority } = await control.operator.move({ kind: "advance" }, by);
      await control.work();
      if (moved) moves.push({ from, to: target, because: evidenceText(gates) });
      else if (authority !== undefined) return { gates, moves, hold: `the move failed: ${authority.why}` };
    } else if (from === "dual_write") await this.#ramp(stage);
    return { gates, moves };
  }

  async #judge({ control }: StagedBridge): Promise<GateReport["gates"]> {
    // Without this, facts that were read less than a second ago would be used again.
    this.#clock.advance(2_000);
    await control.operator.acknowledged(control.follower.record.epoch, Number.POSITIVE_INFINITY);
    const { phase } = control.follower.effective.plan;
    const target = phaseAfter(phase) ?? phase;
    if (this.#approved !== target) await approve(control.operator, target);
    this.#approved = target;
    return (await control.operator.gates(target)).gates;
  }

  /** After a trigger, moves back to shadow_mode and takes modern back into use there. */
  async #takeBack({ control, bridge }: StagedBridge): Promise<Move[]> {
    if (whyOutOfUse(control.follower.record) === undefined) return [];
    const from = bridge.plan.phase;
    const shadow = { kind: "set", phase: "shadow_mode" } as const;
    if (from !== "shadow_mode") await control.operator.move(shadow, by);
    await control.work();
    await approve(control.operator, "shadow_mode");
    await control.operator.move(shadow, by);
    await control.operator.traffic(0, by);
    await control.work();
    this.#approved = undefined;
    return [{ from, to: "shadow_mode", because: backward }];
  }

  async #ramp({ control, bridge }: StagedBridge): Promise<void> {
    const { ramp: running } = control.follower.record;
    if (running === null && bridge.plan.newSystemPercentage === 0) {
      if ((await control.operator.blocking("ramp")).length > 0) return;
      await control.operator.ramp(ramp, by);
    }
    await control.work();
  }

  #noteBlocked(gates: GateReport["gates"], day: string): void {
    const closed = new Set(gates.filter(({ open }) => !open).map(({ name }) => name));
    for (const name of this.#blockedSince.keys()) if (!closed.has(name)) this.#blockedSince.delete(name);
    for (const name of closed) if (!this.#blockedSince.has(name)) this.#blockedSince.set(name, day);
  }

  #stopped(gates: GateReport["gates"], { bridge }: StagedBridge): Rehearsal["stopped"] & object {
    const waits = gates.filter(({ open }) => !open);
    const daysOf = ({ needs }: (typeof waits)[number]): number => needs?.days ?? 0;
    // Evidence gates come first, because the other gates, such as `databases_ready`, depend on them.
    const closed = waits.filter(({ state }) => state === "closed");
    const gate =
      // A lane that is apart now is the reason why other gates are closed.
      closed.find(({ name }) => name === "standing") ??
      closed.find(({ name }) => evidenceGates.some((one) => one.name === name)) ??
      closed[0] ??
      waits.toSorted((one, other) => daysOf(other) - daysOf(one))[0];
    const last = this.#history.days.at(-1)?.day ?? "";
    // If every gate that was judged last is open, none is named.
    if (gate === undefined)
      return { tradingDay: last, gate: "days", why: `the history ends in ${bridge.plan.phase}` };
    return { tradingDay: this.#blockedSince.get(gate.name) ?? last, gate: gate.name, why: gate.why };
  }

  #closeMs(day: string): number {
    const { dayRule } = this.#history;
    // Questions have no file name, so under the rule `file-name` their evidence follows the default rule.
    const rule = dayRule === "file-name" ? defaultTradingDayRule : dayRule;
    return Math.floor(closeOfDay(parseDay(day) ?? 0, rule) / 1_000);
  }

  /** Half past seven in Chicago on the next business day, or on the next day that is played. */
  #morningMs(day: string, next: string | undefined): number {
    const business = formatDay(nextBusinessDay(parseDay(day) ?? 0));
    const morning = next !== undefined && next < business ? next : business;
    return Math.floor(instantOfWall((parseDay(morning) ?? 0) * dayUs + 7.5 * hourUs) / 1_000);
  }
}

/** The number of further instrument-days that a gate needs before it can open. */
const missingLanes = ({ name, needs, open }: GateReport["gates"][number]): number =>
  open || !name.startsWith("accuracy/") ? 0 : (needs?.clean ?? 0);

/** The differences of two reports that a reader of the figures would see. */
const differencesOf = ({ differences }: ReportDiff): number =>
  differences.filter((one) => !harmlessClasses.has(one.class)).length;

const nothingDecided = { gates: [], moves: [], hold: undefined } as const;

const by = { actor: operator, reason };
const backward = "a trigger took modern out of use";
/** The gates that a fresh comparison of the databases opens. */
const needsReconcile: ReadonlySet<string> = new Set(["nothing_lost", "databases_ready"]);

/** The gates whose evidence a rehearsal assumes. */
const simulatedGates: ReadonlySet<string> = new Set([
  ...["tests_passed", "benchmarks_met", "memory", "leak", "rollback_drilled", "monitoring_up"],
  ...["team_trained", "approved", "reports_accepted"],
]);

const marked = (gate: GateReport["gates"][number]): RehearsedGate =>
  simulatedGates.has(gate.name) ? { ...gate, simulated: true } : gate;

const evidenceText = (gates: GateReport["gates"]): string =>
  gates.map(({ name, why }) => `${name}: ${why}`).join("; ");

function differencesIn({ rows }: PlayedDay): Pick<RehearsedDay, "differences" | "explained"> {
  const apart = rows.filter(({ verdict }) => !agrees(verdict) && verdict !== "not_comparable");
  return { differences: apart.length, explained: apart.filter(({ cause }) => cause !== null).length };
}
