/** The reports of closed trading days, which `serve` builds and compares without a request. */
import { randomUUID } from "node:crypto";
import { systemClock } from "../../adapters/host/index.ts";
import { lineOf } from "../../base/errors.ts";
import { PeriodicWork } from "../../base/periodic-work.ts";
import type { Config } from "../../config/index.ts";
import { businessDayBefore, formatDay, tradingDayAt } from "../../domain/market/trading-day.ts";
import { phasePolicies } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ControlStore } from "../../ports/control-store.ts";
import { dayRulesOf } from "../builtin-systems.ts";
import { operatingSystemUser } from "../control/operator.ts";
import type { DailyResult } from "./commands.ts";
import { closeOfDay } from "./figures.ts";
import { beginComparison, reportRegister } from "./register.ts";

interface DayReportsOptions {
  /** Throws while the store has not been reached. */
  readonly store: () => ControlStore;
  readonly plan: () => MigrationPlan;
  readonly config: Pick<Config, "systems">;
  /** Default: the clock of this machine. */
  readonly clock?: Clock;
  /** Hands out the report of a day, and compares it with the other one. */
  readonly generate: (date: string) => Promise<Pick<DailyResult, "diff">>;
  readonly onFailure: (line: string) => void;
}

const everyMs = 60_000;
/** The time that a process has to compare the reports of a day. After it, the day is tried again. */
const leaseMs = 3_600_000;

/** Whether a report was compared with the other one; a comparison may have failed. */
const wasCompared = (diff: object | undefined): boolean => diff !== undefined && !("error" in diff);

/**
 * Hands out the report of each trading day soon after its close, and compares it with the other system's, in
 * phases that compare and while `use_new_reports` is on. A day that was compared since its close is not
 * compared again. Of several processes, the one whose entry in the audit is the first builds the reports.
 */
export class DayReports {
  readonly #options: DayReportsOptions;
  readonly #clock: Clock;
  readonly #process = randomUUID();
  readonly #periodic: PeriodicWork;
  /** The last day that needs no more work. */
  #done = "";
  /** Before this time, this process does nothing for the day. */
  #pause = { date: "", untilMs: 0 };
  /** The last failure that was reported. */
  #reported = "";

  constructor(options: DayReportsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#periodic = new PeriodicWork(this.#clock, everyMs, () => this.#work());
  }

  /** Does what is due. Calls at the same time share one run. Never throws. */
  work(): Promise<void> {
    return this.#periodic.run();
  }

  /** Resolves when no run is under way. The caller ends a report under way first. */
  close(): Promise<void> {
    return this.#periodic.close();
  }

  async #work(): Promise<void> {
    const { plan, config, generate } = this.#options;
    const dayRule = dayRulesOf(config.systems).legacy;
    const { phase, flags } = plan();
    if (!flags.reports || !phasePolicies[phase].compares) return;
    const day = businessDayBefore(tradingDayAt(dayRule, this.#clock.nowMs() * 1_000));
    const date = formatDay(day);
    const { date: paused, untilMs } = this.#pause;
    if (this.#done === date || (paused === date && this.#clock.monotonicMs() < untilMs)) return;
    try {
      if (!(await this.#isFirst(date, closeOfDay(day, dayRule) / 1_000))) return;
      const { diff } = await generate(date);
      if (wasCompared(diff)) this.#done = date;
      else if (diff !== undefined && "error" in diff) this.#report(date, diff.error);
    } catch (failure) {
      this.#report(date, lineOf(failure));
    }
  }

  /**
   * Whether this process builds the reports of a day. If not, `work` does nothing for an hour, in which the
   * other process builds them.
   */
  async #isFirst(date: string, closeMs: number): Promise<boolean> {
    const store = this.#options.store();
    const begun = async () => {
      const { handedOut, begun } = await reportRegister(store, date);
      if (handedOut.some(({ at, diff }) => wasCompared(diff) && Date.parse(at) > closeMs)) this.#done = date;
      return begun.find(({ at }) => Date.parse(at) > this.#clock.nowMs() - leaseMs);
    };
    let first = await begun();
    if (this.#done === date) return false;
    if (first === undefined) {
      const by = { actor: operatingSystemUser(), reason: `the trading day ${date} has closed` };
      await beginComparison(store, { date, process: this.#process }, by);
      first = await begun();
    }
    this.#pause = { date, untilMs: this.#clock.monotonicMs() + leaseMs };
    return first?.process === this.#process;
  }

  #report(date: string, why: string): void {
    const line = `the two daily reports of ${date} could not be compared: ${why}`;
    if (this.#periodic.isClosed || line === this.#reported) return;
    this.#reported = line;
    this.#options.onFailure(line);
  }
}
