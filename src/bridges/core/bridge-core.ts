import { type MigrationPlan, type PlanInput, planOf } from "../../domain/migration/plan.ts";
import type { CallKey } from "../../domain/migration/route.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import type { HostLoad } from "../../ports/host-load.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import { Breaker } from "./breaker.ts";
import type { Call, RunnerMethod } from "./call.ts";
import { CallRunner } from "./call-runner.ts";
import { type MethodCounters, MethodTally } from "./counters.ts";
import { EvidenceBuffer } from "./evidence-buffer.ts";
import { type AnsweringOptions, answeringDefaults, type CallComparison, type ShadowOptions, shadowDefaults } from "./options.ts";
import { Samples, WholeSightings } from "./samples.ts";
import { ShadowLane } from "./shadow-lane.ts";

/** What is said of every bridge, whatever its methods look like. */
export interface BridgeOptions {
  readonly plan: PlanInput | MigrationPlan;
  readonly shadow?: Partial<ShadowOptions>;
  readonly answering?: Partial<AnsweringOptions>;
  /** Told of each comparison, after the caller has the answer. What it throws is counted. */
  readonly onComparison?: (comparison: CallComparison) => void;
  /** Whether legacy may answer a read that modern failed. Default: while nothing is owed to it. */
  readonly legacyIsFresh?: () => boolean;
  /**
   * Writes that legacy has not got yet. While there are any its answers are stale, and where it is authoritative new writes are refused
   * (SystemFailure BUSY, code DRAINING). Default: none, ever.
   */
  readonly owed?: OwedWrites;
  /** Asked before each write: settles when it may begin, and rejects where it may not. The plan is pinned after it. Default: at once. */
  readonly admitWrite?: () => Promise<void>;
  /** Where comparisons are kept beyond this process. */
  readonly evidence?: EvidenceStore;
}

/** What the bridge needs of the world; `createServiceBridge` of the package fills it in. */
export interface ServiceBridgeHost {
  readonly clock: Clock;
  readonly load: HostLoad;
  readonly draw: () => number;
}

/** The control side of a bridged service. */
export interface ServiceBridgeControl {
  /** Calls that begin from now on are routed by it. */
  setPlan(plan: PlanInput | MigrationPlan): void;
  readonly plan: MigrationPlan;
  readonly counters: Readonly<Record<string, MethodCounters>>;
  /** By method, field and verdict: a few of the comparisons that were not equal, each as likely to be here as any other. */
  readonly samples: readonly CallComparison[];
  /** Shadow calls that are not done, and the most there ever were. */
  readonly inFlight: number;
  readonly inFlightPeak: number;
  /** Comparisons that the evidence store did not get. */
  readonly evidenceDropped: number;
  /** Resolves when no shadow call is under way; what does not end by itself ends by its deadline. */
  idle(): Promise<void>;
  /** Ends shadowing and writes what evidence there is. The methods go on answering. */
  close(): Promise<void>;
}

/** A method as a bridge declares it; what is counted of it comes with the bridge. */
export type BridgedMethod = Omit<RunnerMethod, "tally" | "breaker" | "whole">;

/** What stands behind every bridge: the runner with its lane, the samples, and the way to the evidence store. */
export class BridgeCore implements ServiceBridgeControl {
  readonly answering: AnsweringOptions;
  readonly #clock: Clock;
  readonly #lane: ShadowLane;
  readonly #buffer: EvidenceBuffer | undefined;
  readonly #samples: Samples;
  readonly #runner: CallRunner;
  readonly #methods: RunnerMethod[] = [];

  /** Throws BAD_CONFIG for a plan that cannot be. */
  constructor(options: BridgeOptions, { clock, load, draw }: ServiceBridgeHost) {
    const { plan, evidence, onComparison, owed, admitWrite } = options;
    const { legacyIsFresh = () => owed === undefined || owed.owedToLegacy().count === 0 } = options;
    const shadow = { ...shadowDefaults, ...options.shadow };
    this.#clock = clock;
    this.answering = { ...answeringDefaults, ...options.answering };
    this.#lane = new ShadowLane(shadow, load);
    const buffer = evidence === undefined ? undefined : new EvidenceBuffer(evidence, clock);
    this.#buffer = buffer;
    this.#samples = new Samples(draw);
    this.#runner = new CallRunner(planOf(plan), {
      shadow,
      answering: this.answering,
      clock,
      lane: this.#lane,
      legacyIsFresh,
      owed,
      admitWrite,
      samples: this.#samples,
      onComparison,
      keep: buffer && ((draft) => buffer.keep(draft)),
      draw,
    });
  }

  add(method: BridgedMethod): RunnerMethod {
    const { breaker } = this.answering;
    const added = { ...method, tally: new MethodTally(), breaker: new Breaker(breaker), whole: new WholeSightings() };
    this.#methods.push(added);
    return added;
  }

  /** A call under the plan of this moment. */
  begin(method: RunnerMethod, args: readonly unknown[], key: CallKey): Call {
    return this.#runner.begin(method, args, key);
  }

  /** Runs a call: see CallRunner. */
  run(call: Call): unknown {
    return this.#runner.run(call);
  }

  get plan(): MigrationPlan {
    return this.#runner.plan;
  }

  // Functions of the object, not of its class: who shuts a program down hands `close` on by itself.
  readonly setPlan = (plan: PlanInput | MigrationPlan): void => {
    this.#runner.plan = planOf(plan);
  };

  get counters(): Readonly<Record<string, MethodCounters>> {
    return Object.fromEntries(this.#methods.map(({ name, tally }) => [name, tally.counters]));
  }

  get samples(): readonly CallComparison[] {
    return this.#samples.all;
  }

  get inFlight(): number {
    return this.#lane.inFlight;
  }

  get inFlightPeak(): number {
    return this.#lane.peak;
  }

  get evidenceDropped(): number {
    return this.#buffer?.dropped ?? 0;
  }

  /** A program that waits for it is kept alive meanwhile: deadlines alone keep none. */
  readonly idle = async (): Promise<void> => {
    if (this.#lane.inFlight === 0) return;
    const stop = this.#clock.every(50, () => {}, true);
    await this.#lane.idle();
    stop();
  };

  readonly close = async (): Promise<void> => {
    this.#runner.close();
    await this.#buffer?.close();
  };
}
