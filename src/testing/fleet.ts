/**
 * A fleet in memory for simulations: several processes over one control store, an operator, and a clock that
 * the test controls.
 */
import { createHash } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import {
  type By,
  type ControlEvent,
  type EffectivePlan,
  type Gate,
  Operator,
  PlanFollower,
  type ReadFacts,
  type RollbackResult,
  type Section,
  type Signals,
  Supervisor,
  simpleGates,
} from "../control/index.ts";
import { noSignals, triggerDefaults } from "../control/triggers.ts";
import type { Alert } from "../ports/alerts.ts";
import type { Clock } from "../ports/clock.ts";
import type { ControlStore, Published } from "../ports/control-store.ts";
import type { PlanSnapshot, SwitchFile } from "../ports/local-files.ts";
import { MemoryControlPlace } from "./memory-control-store.ts";
import { TestClock } from "./test-clock.ts";

export const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A published section, as JSON of a `Section`. */
export function publishedSection(section: Partial<Section> & Pick<Section, "plan">): Published {
  const text = JSON.stringify({
    twoPerson: [],
    triggers: triggerDefaults,
    tolerances: { position: "0.0001", pnl: "0.01" },
    ...section,
  });
  return { text, hash: digest(text), phase: section.plan.phase };
}
export const readSection = (text: string): Section => JSON.parse(text);

export const allFlags = { calculator: true, storage: true, reports: true };
export const amy: By = { actor: "amy", reason: "because" };

export const timing = {
  heartbeatMs: 1_000,
  pollMs: 1_000,
  staleMs: 5_000,
  leaseMs: 60_000,
  startMsMax: 2_000,
};

/** The disk of a process, which survives a crash. */
export class Disk {
  snapshot: PlanSnapshot | undefined;
  isSwitchSet = false;
  isBroken = false;
}

export class Process {
  readonly follower: PlanFollower;
  readonly supervisor: Supervisor;
  readonly plans: EffectivePlan[] = [];
  readonly events: ControlEvent[] = [];
  readonly alerts: Alert[] = [];
  signals: Signals = noSignals;
  oldestRunning: number | undefined;
  onPlan: (effective: EffectivePlan) => void = (effective) => void this.plans.push(effective);
  running: () => number | undefined = () => this.oldestRunning;
  readonly #timers = new Set<() => void>();
  #store: ControlStore | undefined;

  constructor(fleet: Fleet, name: string, disk: Disk) {
    const clock = ownClock(fleet.clock, this.#timers);
    const alerts = { send: (alert: Alert) => void this.alerts.push(alert), settled: async () => 0 };
    this.follower = new PlanFollower({
      connect: async () => {
        this.#store = fleet.place.open();
        return this.#store;
      },
      snapshots: {
        save: async (snapshot) => {
          if (disk.isBroken) throw new Error("ENOSPC: no space left on device");
          disk.snapshot = structuredClone(snapshot);
        },
        latest: async () => ({ snapshot: disk.snapshot, refused: [] }),
      },
      switchFile: switchFileOn(disk),
      readSection,
      clock,
      id: `${name}-${fleet.starts++}`,
      name,
      ...timing,
      onPlan: (effective) => this.onPlan(effective),
      oldestRunning: () => this.running(),
      report: () => ({}),
      onEvent: (event) => void this.events.push(event),
    });
    this.supervisor = new Supervisor({
      follower: this.follower,
      operator: () => fleet.operator,
      alerts,
      clock,
      digest,
      name,
      signals: () => this.signals,
      onFailure: () => {},
    });
  }

  async start(clock: TestClock): Promise<void> {
    const started = this.follower.start();
    let isDone = false;
    void started.then(() => {
      isDone = true;
    });
    for (let round = 0; round < 10 && !isDone; round++) {
      await settle();
      if (!isDone) clock.advance(300);
    }
    await started;
    this.supervisor.start();
  }

  /**
   * Ends the process like `kill -9`: without a message or cleanup. Its timers never fire again, and every
   * later call of the store fails.
   */
  kill(): void {
    for (const stop of this.#timers) stop();
    void this.#store?.close();
  }
}

/** The switch file of a machine, which cannot be created on a broken disk. */
export const switchFileOn = (disk: Disk): SwitchFile => ({
  path: "LEGACY_ONLY",
  isSet: async () => disk.isSwitchSet,
  set: async () => {
    if (disk.isBroken) throw new Error("ENOSPC: no space left on device");
    disk.isSwitchSet = true;
  },
});

/** The result of a rollback, which must have reached the store. */
export function inStore(result: RollbackResult): Extract<RollbackResult, { readonly via: "store" }> {
  if (result.via === "store") return result;
  throw new Error(`the store was not written: ${result.why}`);
}

/** The fleet's clock for one process, whose timers can be stopped together. */
function ownClock(clock: TestClock, timers: Set<() => void>): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    today: () => clock.today(),
    every: (intervalMs, tick, keepsAlive) => {
      const stop = clock.every(intervalMs, tick, keepsAlive);
      const stopOnce = (): void => {
        stop();
        timers.delete(stopOnce);
      };
      timers.add(stopOnce);
      return stopOnce;
    },
  };
}

export class Fleet {
  readonly clock = new TestClock();
  readonly place = new MemoryControlPlace(this.clock);
  readonly operator: Operator;
  readonly alerts: Alert[] = [];
  /** The disk of the operator's machine. */
  readonly disk = new Disk();
  readonly #opened = this.place.open();
  /** The operator's access to the store. */
  store: () => ControlStore | Promise<ControlStore> = () => this.#opened;
  owed = { count: 0, oldestMs: 0 };
  quarantined: number | null = 0;
  starts = 0;

  /** Without `facts`, the operator judges no evidence. */
  constructor(gates: readonly Gate[] = simpleGates, facts?: ReadFacts) {
    this.operator = new Operator({
      store: () => this.store(),
      switchFile: switchFileOn(this.disk),
      readSection,
      gates,
      facts,
      owed: { owedToLegacy: () => this.owed },
      quarantined: () => this.quarantined,
      alerts: { send: (alert) => void this.alerts.push(alert), settled: async () => 0 },
      clock: this.clock,
      leaseMs: timing.leaseMs,
    });
  }

  async start(name: string, disk = new Disk()): Promise<Process> {
    const process = new Process(this, name, disk);
    await process.start(this.clock);
    return process;
  }

  /** Lets time pass in steps, and finishes the work that each step causes. */
  async pass(ms: number, stepMs = 100): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      await settle();
    }
  }
}

/** Waits until only work that waits for the clock is left. */
export async function settle(): Promise<void> {
  for (let round = 0; round < 5; round++) await turn();
}
