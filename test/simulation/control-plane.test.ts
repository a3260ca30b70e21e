/**
 * Applies random phases, flags, SQL edits, publications, crashes, store outages, clock jumps and rollbacks to
 * a fleet in memory, and compares it with the audit and with the rules of the phases, written a second time
 * in phase-oracle.ts.
 */
import { expect, it } from "vitest";
import { randomFrom } from "../../src/app/demo-desk/random.ts";
import { BridgeError } from "../../src/base/errors.ts";
import { PnLServiceBridge } from "../../src/bridges/service/index.ts";
import type { Section } from "../../src/control/index.ts";
import { isLater, type Phase, phases, positionOf } from "../../src/domain/migration/phase.ts";
import { type MigrationPlan, migrationModes, planOf, writesOf } from "../../src/domain/migration/plan.ts";
import { routeOf } from "../../src/domain/migration/route.ts";
import type { BridgedSystem } from "../../src/ports/system.ts";
import { amy, Disk, Fleet, Process, publishedSection, settle } from "../../src/testing/fleet.ts";
import { expectedPlan } from "../../src/testing/phase-oracle.ts";
import { overSeeds } from "../campaigns.ts";

const shortRuns = 12;
const stepsOfRun = 60;
const processesMax = 4;

/** A process with a bridge whose calls take some time. */
interface Member {
  readonly name: string;
  readonly disk: Disk;
  readonly process: Process;
  readonly bridge: PnLServiceBridge;
}

class Simulation {
  readonly seed: number;
  readonly fleet = new Fleet();
  readonly random: ReturnType<typeof randomFrom>;
  readonly trail: string[] = [];
  members: Member[] = [];
  #names = 0;
  /** The running calls; each is checked when it ends. */
  readonly calls = new Set<Promise<void>>();
  answered = 0;
  rollbacks = 0;
  phasesSeen = new Set<Phase>();

  constructor(seed: number) {
    this.seed = seed;
    this.random = randomFrom(seed);
  }

  pick<T>(of: readonly T[]): T {
    return of[Math.floor(this.random.unit() * of.length)] as T;
  }

  // --- the world ---

  async run(): Promise<void> {
    await this.begin();
    for (let step = 0; step < stepsOfRun; step++) {
      const [name, action] = this.pick(this.#actions);
      this.trail.push(name);
      await action();
      this.#call();
      await this.fleet.pass(this.pick([100, 500, 2_000]));
      // Lets the notifications of the last changes arrive.
      await settle();
      await settle();
      this.check();
    }
    // At the end the store is reachable again, an operator rolls back, and every process follows.
    this.fleet.place.away = false;
    await this.fleet.pass(2_000);
    await this.#rollBack();
    await this.fleet.pass(60_000, 500);
    await Promise.all(this.calls);
  }

  async begin(): Promise<void> {
    await this.#publish();
    for (const name of ["one", "two"]) await this.start(name, new Disk());
  }

  async start(name: string, disk: Disk): Promise<void> {
    const { fleet } = this;
    const process = new Process(fleet, name, disk);
    const system = (side: string): BridgedSystem => ({
      name: side,
      kind: "module",
      methods: undefined,
      invoke: (_method, _request, { signal }) =>
        new Promise((resolve, reject) => {
          if (side === "modern" && this.random.unit() < 0.1) reject(new Error("modern is not well"));
          const takesMs = this.pick([1, 50, 3_000]);
          const stop = fleet.clock.every(takesMs, () => {
            stop();
            resolve({ positions: [], by: side });
          });
          signal?.addEventListener("abort", stop);
        }),
      close: async () => {},
    });
    const bridge = new PnLServiceBridge(
      {
        legacy: system("legacy"),
        modern: system("modern"),
        plan: planOf({ phase: "read_only" }),
        owed: { owedToLegacy: () => fleet.owed },
      },
      { clock: fleet.clock, load: { overload: () => undefined }, draw: () => this.random.unit() },
    );
    const { onPlan } = process;
    process.onPlan = (effective) => {
      onPlan(effective);
      bridge.setPlan(effective.plan);
    };
    process.running = () => bridge.oldestRunning;
    this.members.push({ name, disk, process, bridge });
    await process.start(fleet.clock);
  }

  #call(): void {
    for (const { bridge } of this.members) {
      const { plan } = bridge;
      const key = { user: this.pick(["amy", "bob"]), book: this.pick(["UST", "EGB", "CTA"]) };
      const ended = bridge.call("openPositions", {}, key).then(
        (answer) => {
          this.answered += 1;
          // Each call runs under the epoch that it began with and is answered by the side that its plan
          // names.
          expect(answer.epoch, this.context).toBe(plan.epoch);
          const { answer: side } = routeOf(plan, key, 0);
          if (answer.fellBack === undefined)
            expect([side, (answer.value as { by?: string }).by], this.context).toEqual([answer.source, side]);
          else expect([side, answer.source], this.context).toEqual(["modern", "legacy"]);
          if (answer.source === "legacy" && this.fleet.owed.count > 0)
            expect(answer.stale, this.context).toBe(true);
        },
        // A call fails only if modern fails and legacy is stale.
        () => expect(routeOf(plan, key, 0).answer, this.context).toBe("modern"),
      );
      this.calls.add(ended);
      void ended.finally(() => this.calls.delete(ended));
    }
  }

  // --- the actions ---

  readonly #actions: readonly (readonly [string, () => Promise<unknown> | unknown])[] = [
    ["sql phase", () => this.#sql({ phase: this.pick([...phases, null]) })],
    [
      "sql mode",
      () => this.#sql({ migrationMode: this.pick([...migrationModes, null, "nonsense" as never]) }),
    ],
    ["sql kill", () => this.#sql({ useNewPnlSystem: this.pick([true, false, null]) })],
    ["sql percentage", () => this.#sql({ newSystemPercentage: this.pick([0, 12.5, 100, 101, null]) })],
    ["sql unlatch", () => this.#sql({ latched: null })],
    ["publish", () => this.#publish()],
    ["advance", () => this.#try(() => this.fleet.operator.move({ kind: "advance" }, amy))],
    ["advance again", () => this.#try(() => this.fleet.operator.move({ kind: "advance" }, amy))],
    ["retreat", () => this.#try(() => this.fleet.operator.move({ kind: "retreat" }, amy))],
    ["set", () => this.#try(() => this.fleet.operator.move({ kind: "set", phase: this.pick(phases) }, amy))],
    ["take back into use", () => this.#try(() => this.#takeBack())],
    ["clear all faults and advance", () => this.#clearAndAdvance()],
    ["clear all faults and advance twice", () => this.#clearAndAdvance().then(() => this.#clearAndAdvance())],
    [
      "approve",
      () =>
        this.#try(() =>
          this.fleet.operator.signOff("approved", { actor: this.pick(["bob", "carol"]), note: "fine" }),
        ),
    ],
    ["traffic", () => this.#try(() => this.fleet.operator.traffic(this.pick([0, 25, 100]), amy))],
    [
      "ramp",
      () =>
        this.#try(() =>
          this.fleet.operator.ramp({ steps: [10, 50, 100], dwellMs: 5_000, endsIn: "stay" }, amy),
        ),
    ],
    [
      "ramp down",
      () =>
        this.#try(() =>
          this.fleet.operator.ramp({ steps: [50, 0], dwellMs: 5_000, endsIn: "rollback" }, amy),
        ),
    ],
    ["rollback", () => this.#try(() => this.#rollBack())],
    ["close the window", () => this.random.unit() < 0.3 && this.#try(() => this.#closeWindow())],
    [
      "quarantine",
      () =>
        this.#set(() => {
          this.fleet.quarantined = this.pick([0, 0, 1, null]);
        }),
    ],
    [
      "owed",
      () =>
        this.#set(() => {
          this.fleet.owed = this.pick([
            { count: 0, oldestMs: 0 },
            { count: 2, oldestMs: 900 },
          ]);
        }),
    ],
    ["trigger", () => this.#set(() => this.#misbehave())],
    ["crash", () => this.#crash()],
    ["start", () => this.#startOne()],
    [
      "store unreachable",
      () =>
        this.#set(() => {
          this.fleet.place.away = this.pick([true, false]);
        }),
    ],
    [
      "store reachable",
      () =>
        this.#set(() => {
          this.fleet.place.away = false;
        }),
    ],
    [
      "switch file",
      () =>
        this.#set(() => {
          this.pick(this.members).disk.isSwitchSet = this.pick([true, false, false]);
        }),
    ],
    [
      "full disk",
      () =>
        this.#set(() => {
          this.pick(this.members).disk.isBroken = this.pick([true, false]);
        }),
    ],
    ["clock jumps", () => this.#set(() => this.fleet.clock.jump(this.pick([-3_600_000, 3_600_000])))],
    ["a long time", () => this.fleet.pass(70_000, 1_000)],
  ];

  #set(change: () => void): void {
    change();
  }

  /** Runs an operator's action. It may fail only with a refusal, a conflict, or an unreachable store. */
  async #try(work: () => Promise<unknown>): Promise<void> {
    let isOver = false;
    const ended = work()
      .catch((failure) => {
        if (
          !(failure instanceof BridgeError) ||
          !["REFUSED", "CONFLICT", "SYSTEM_DOWN"].includes(failure.code)
        )
          throw failure;
      })
      .finally(() => {
        isOver = true;
      });
    for (let round = 0; round < 200 && !isOver; round++) await this.fleet.pass(500, 500);
    await ended;
  }

  #sql(set: Parameters<Fleet["place"]["sql"]>[0]): void {
    try {
      this.fleet.place.sql(set);
    } catch (failure) {
      expect((failure as Error).message).toMatch("CHECK constraint");
    }
  }

  async #publish(): Promise<void> {
    const bit = () => this.random.unit() < 0.85;
    const plan: Section["plan"] = {
      phase: this.pick(phases),
      flags: { calculator: bit(), storage: bit(), reports: bit() },
      newSystemPercentage: this.pick([0, 30]),
    };
    const twoPerson = this.pick<readonly Phase[]>([[], ["primary_switch"]]);
    await this.#try(() => this.fleet.operator.publish(publishedSection({ plan, twoPerson }), amy));
  }

  /** Advances like a well-run desk: all faults are cleared, modern is in use, and two people approve. */
  async #clearAndAdvance(): Promise<void> {
    this.fleet.place.away = false;
    this.fleet.quarantined = 0;
    this.fleet.owed = { count: 0, oldestMs: 0 };
    this.#sql({
      useNewPnlSystem: null,
      migrationMode: null,
      latched: null,
      phase: this.fleet.place.record.grantedPhase,
    });
    const flags = { calculator: true, storage: true, reports: true };
    const published = publishedSection({ plan: { phase: this.fleet.place.record.grantedPhase, flags } });
    await this.#try(() => this.fleet.operator.publish(published, amy));
    await this.fleet.pass(1_000, 500);
    for (const actor of ["bob", "carol"])
      await this.#try(() => this.fleet.operator.signOff("approved", { actor, note: "fine" }));
    await this.#try(() => this.fleet.operator.move({ kind: "advance" }, amy));
  }

  async #takeBack(): Promise<unknown> {
    const { effective } = await this.fleet.operator.overview();
    const { phase } = effective.plan;
    await this.fleet.operator.signOff("approved", { actor: "bob", note: "fine", phase });
    return this.fleet.operator.move({ kind: "set", phase }, amy);
  }

  async #rollBack(): Promise<void> {
    this.rollbacks += 1;
    let isOver = false;
    const rollback = this.fleet.operator.rollback({ actor: "eve", reason: "now" }).finally(() => {
      isOver = true;
    });
    rollback.catch(() => {});
    for (let round = 0; round < 300 && !isOver; round++) await this.fleet.pass(500, 250);
    const result = await rollback;
    if (result.via === "switch_file") {
      expect([this.fleet.place.away, this.fleet.disk.isSwitchSet], this.context).toEqual([true, true]);
      this.fleet.disk.isSwitchSet = false;
      return;
    }
    const { waiting, possible, epoch } = result;
    expect(waiting, this.context).toEqual([]);
    const { legacyWindow } = this.fleet.place.record;
    expect(possible, this.context).toBe(legacyWindow === "open");
    for (const { process } of this.members) {
      const { plan } = process.follower.effective;
      expect(plan.epoch, this.context).toBeGreaterThanOrEqual(epoch);
      if (possible)
        expect(routeOf(plan, { user: "amy", book: "UST" }, 0).answer, this.context).toBe("legacy");
    }
  }

  async #closeWindow(): Promise<unknown> {
    return this.fleet.operator.signOff("legacy_window", { actor: "carol", note: "month end is done" });
  }

  #misbehave(): void {
    const { process } = this.pick(this.members);
    const { signals } = process;
    process.signals = this.pick([
      { ...signals, modernAsked: signals.modernAsked + 100, modernFailed: signals.modernFailed + 90 },
      { ...signals, servedMismatches: signals.servedMismatches + 1 },
      { ...signals, modernAsked: signals.modernAsked + 100 },
    ]);
  }

  /** `kill -9`: the process sends and closes nothing; only its disk stays. */
  #crash(): void {
    if (this.members.length < 2) return;
    const gone = this.pick(this.members);
    gone.process.kill();
    this.members = this.members.filter((member) => member !== gone);
    this.#disks.push(gone.disk);
  }

  readonly #disks: Disk[] = [];

  async #startOne(): Promise<void> {
    if (this.members.length >= processesMax) return;
    this.#names += 1;
    await this.start(`p${this.#names}`, this.#disks.pop() ?? new Disk());
  }

  // --- the invariants ---

  check(): void {
    this.#checkGrants();
    for (const { process, disk } of this.members) {
      const { effective, record, isSwitchSet, section } = process.follower.state;
      const { plan } = effective;
      this.phasesSeen.add(plan.phase);
      const expected = expectedPlan({
        requested: record.overrides.phase ?? section?.plan.phase ?? "read_only",
        granted: record.grantedPhase,
        mode: record.overrides.migrationMode ?? section?.plan.migrationMode ?? "dual_write",
        flags: { calculator: false, storage: false, reports: false, ...section?.plan.flags },
        useNewPnlSystem: record.overrides.useNewPnlSystem,
        latched: record.latched !== null,
        isSwitchSet,
        closed: record.legacyWindow === "closed",
      });
      expect({ phase: plan.phase, answer: answerOf(plan), writes: writesOf(plan) }, this.context).toEqual(
        expected,
      );
      // While the store is reachable, a fresh process has the store's present record.
      if (!this.fleet.place.away && process.follower.freshness === "fresh")
        expect(record.epoch, this.context).toBe(this.fleet.place.record.epoch);
      if (disk.isSwitchSet && record.legacyWindow === "open")
        expect(answerOf(plan), this.context).toBe("legacy");
    }
  }

  /**
   * Checks, from the audit alone, that the granted phase rises one phase at a time, each time by an open
   * verdict.
   */
  #checkGrants(): void {
    let allowed: Phase = "read_only";
    for (const { action, after, evidence, seq } of this.fleet.place.rows) {
      if (after === null) continue;
      const granted: Phase = JSON.parse(after).grantedPhase;
      const verdict = evidence === null ? undefined : JSON.parse(evidence);
      if (isLater(granted, allowed)) {
        expect([action, verdict?.open, verdict?.target], `row ${seq}: ${this.context}`).toEqual([
          expect.stringMatching(/^(phase|grant)$/),
          true,
          granted,
        ]);
        expect(positionOf(granted) - positionOf(allowed), `row ${seq}: ${this.context}`).toBe(1);
        expect(verdict.gates.every(({ open }: { open: boolean }) => open)).toBe(true);
      }
      allowed = granted;
    }
  }

  get context(): string {
    return `seed ${this.seed}, after ${this.trail.join(", ")}`;
  }
}

/** Returns the side that answers a call without user and book. */
const answerOf = (plan: MigrationPlan) => routeOf(plan, {}, 0).answer;

it("a fleet obeys only legal plans, advances only by verdicts, can go back until its legacy window is closed, and keeps each call in one epoch", async () => {
  const seen = { runs: 0, phases: new Set<Phase>(), answered: 0, rollbacks: 0 };
  await overSeeds("control-plane", shortRuns, async (seed) => {
    const simulation = new Simulation(seed);
    await simulation.run();
    seen.runs += 1;
    for (const phase of simulation.phasesSeen) seen.phases.add(phase);
    seen.answered += simulation.answered;
    seen.rollbacks += simulation.rollbacks;
    for (const { process } of simulation.members) process.kill();
    await settle();
  });
  // The runs must have reached every phase; otherwise they prove nothing.
  if (seen.runs >= shortRuns) expect([...seen.phases].toSorted()).toEqual(phases.toSorted());
  expect(seen.answered).toBeGreaterThan(seen.runs * 50);
  expect(seen.rollbacks).toBeGreaterThan(seen.runs);
});
