import { phasePolicies } from "../../domain/migration/phase.ts";
import { type MigrationPlan, type PlanInput, planOf } from "../../domain/migration/plan.ts";
import type { CallKey } from "../../domain/migration/route.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EvidenceStore, RequestState } from "../../ports/evidence.ts";
import type { HostLoad } from "../../ports/host-load.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import { Breaker } from "./breaker.ts";
import type { Call, RunnerMethod } from "./call.ts";
import { CallRunner } from "./call-runner.ts";
import { type MethodCounters, MethodTally } from "./counters.ts";
import { EvidenceBuffer } from "./evidence-buffer.ts";
import { EvidenceTally, type EvidenceTallyOptions } from "./evidence-tally.ts";
import { weightOfRow } from "./lanes.ts";
import {
  type AnsweringOptions,
  answeringDefaults,
  type CallAnswer,
  type CallComparison,
  type ShadowOptions,
  shadowDefaults,
} from "./options.ts";
import { Samples, WholeSightings } from "./samples.ts";
import { ShadowSlots } from "./shadow-slots.ts";

/** The options that every bridge has, whatever its methods. */
export interface BridgeOptions {
  readonly plan: PlanInput | MigrationPlan;
  readonly shadow?: Partial<ShadowOptions>;
  readonly answering?: Partial<AnsweringOptions>;
  /** Receives each comparison, after the caller has the answer. An exception is counted as `broken`. */
  readonly onComparison?: (comparison: CallComparison) => void;
  /** Whether legacy may answer a read that modern failed. Default: true while no write is owed to legacy. */
  readonly legacyIsFresh?: () => boolean;
  /**
   * The writes that legacy has not received yet. While there are any, its answers are stale, and new writes
   * are refused if legacy is authoritative (SystemFailure BUSY, code DRAINING). Default: always none.
   */
  readonly owed?: OwedWrites;
  /**
   * Called before each write: resolves when the write may begin, and rejects if it may not. The plan of the
   * write is pinned afterwards. Default: each write may begin at once.
   */
  readonly admitWrite?: () => Promise<void>;
  /** The store that keeps comparisons after this process ends. */
  readonly evidence?: EvidenceStore;
  /** How the evidence of the gates is counted; without it, only comparisons are kept. */
  readonly tally?: EvidenceTallyOptions;
}

/** The services of the host that a bridge needs; the package's `createServiceBridge` provides them. */
export interface ServiceBridgeHost {
  readonly clock: Clock;
  readonly load: HostLoad;
  readonly draw: () => number;
}

/** The control side of a bridged service. */
export interface ServiceBridgeControl {
  /** Sets the plan that routes the calls that begin from now on. */
  setPlan(plan: PlanInput | MigrationPlan): void;
  readonly plan: MigrationPlan;
  readonly counters: Readonly<Record<string, MethodCounters>>;
  /** A random sample of the comparisons that were not equal, for each method, field and verdict. */
  readonly samples: readonly CallComparison[];
  /** The shadow calls that are not finished. */
  readonly inFlight: number;
  /** The highest value that `inFlight` has had. */
  readonly inFlightPeak: number;
  /** The comparisons that were not kept in the evidence store. */
  readonly evidenceDropped: number;
  /** Resolves when no shadow call is in flight. Each ends by its deadline at the latest. */
  idle(): Promise<void>;
  /** Ends shadowing and writes the waiting evidence. The methods continue to answer. */
  close(): Promise<void>;
}

/** Returns the sum of |quantity × price| of a request's trades; undefined for a request without trades. */
function weightOfRequest(request: unknown): number | undefined {
  if (typeof request !== "object" || request === null || !("trades" in request)) return undefined;
  const { trades } = request;
  return Array.isArray(trades) ? trades.reduce<number>((sum, row) => sum + weightOfRow(row), 0) : undefined;
}

/** A method as a bridge declares it, without the counters and the breaker that `add` gives it. */
export type BridgedMethod = Omit<RunnerMethod, "tally" | "breaker" | "whole">;

/** The common part of every bridge: the runner with its shadow slots, the samples, the evidence buffer. */
export class BridgeCore implements ServiceBridgeControl {
  readonly answering: AnsweringOptions;
  readonly #clock: Clock;
  readonly #slots: ShadowSlots;
  readonly #buffer: EvidenceBuffer | undefined;
  readonly #tally: EvidenceTally | undefined;
  readonly #evidence: EvidenceStore | undefined;
  readonly #samples: Samples;
  readonly #runner: CallRunner;
  readonly #methods: RunnerMethod[] = [];
  #sampled = { k: 0, out: 0 };
  readonly #owed: OwedWrites | undefined;
  /** The number of running calls under each epoch. */
  readonly #running = new Map<number, number>();

  /** Throws BAD_CONFIG for an impossible plan. */
  constructor(options: BridgeOptions, { clock, load, draw }: ServiceBridgeHost) {
    const { plan, evidence, onComparison, owed, admitWrite } = options;
    const { legacyIsFresh = () => owed === undefined || owed.owedToLegacy().count === 0 } = options;
    const shadow = { ...shadowDefaults, ...options.shadow };
    this.#clock = clock;
    this.#owed = owed;
    this.answering = { ...answeringDefaults, ...options.answering };
    this.#slots = new ShadowSlots(shadow, load);
    const tally =
      evidence === undefined || options.tally === undefined
        ? undefined
        : new EvidenceTally(options.tally, clock, () => this.#countSampled());
    const buffer =
      evidence === undefined
        ? undefined
        : new EvidenceBuffer(evidence, clock, { tally, requestsPerDay: shadow.keepRequests });
    this.#buffer = buffer;
    this.#tally = tally;
    this.#evidence = evidence;
    this.#samples = new Samples(draw);
    this.#runner = new CallRunner(planOf(plan), {
      shadow,
      answering: this.answering,
      clock,
      slots: this.#slots,
      legacyIsFresh,
      owed,
      admitWrite,
      samples: this.#samples,
      onComparison,
      keep: buffer && ((draft) => buffer.keep(draft)),
      lost:
        tally &&
        (({ method, args, source, fellBack }, why) => {
          if (tally.key === "") return;
          const isServed = source === "modern" || fellBack !== undefined;
          tally.lost(method.name, isServed ? "served" : "live", why, weightOfRequest(args[0]));
        }),
      draw,
    });
  }

  /**
   * Counts the gates' evidence under another key from now on, and adds to what the store has under that key.
   */
  async setEvidenceKey(key: string): Promise<void> {
    if (this.#tally === undefined || this.#evidence === undefined || key === this.#tally.key) return;
    const { tallies } = await this.#evidence.evidence(key);
    const pairs = new Map<string, number>();
    for (const { signal, stratum, n } of tallies)
      if (signal === "pairs") pairs.set(stratum, (pairs.get(stratum) ?? 0) + n);
    await this.#evidence.attempt(key, false);
    // The evidence of the earlier key is complete; nobody waits for more of it.
    if (this.#tally.key !== "") {
      const last = this.#tally.take(true);
      try {
        await this.#evidence.append([], last);
      } catch (failure) {
        this.#tally.restore(last);
        throw failure;
      }
    }
    // Calls before this moment do not count under the new key.
    this.#countSampled();
    this.#tally.begin(key, pairs);
  }

  /** The key under which evidence is counted now; empty while none is counted. */
  get evidenceKey(): string {
    return this.#tally?.key ?? "";
  }

  add(method: BridgedMethod): RunnerMethod {
    const { breaker } = this.answering;
    const added = {
      ...method,
      tally: new MethodTally(),
      breaker: new Breaker(breaker),
      whole: new WholeSightings(),
    };
    this.#methods.push(added);
    return added;
  }

  /** Begins a call under the current plan. */
  begin(method: RunnerMethod, args: readonly unknown[], key: CallKey): Call {
    return this.#runner.begin(method, args, key);
  }

  /** Runs a call; see `CallRunner`. */
  run(call: Call): unknown {
    return this.#runner.run(call);
  }

  /**
   * Begins and runs a call. The answer names its side and its plan, and says whether legacy answered without
   * writes that it is owed.
   */
  async answer(method: RunnerMethod, args: readonly unknown[], key: CallKey): Promise<CallAnswer<unknown>> {
    const owedBefore = this.#owed?.owedToLegacy();
    const call = this.begin(method, args, key);
    const { epoch } = call.plan;
    const answer = this.run(call);
    this.#running.set(epoch, (this.#running.get(epoch) ?? 0) + 1);
    try {
      const value = await answer;
      const { source, fellBack } = call;
      // A write that reached legacy while it answered may be missing from its answer.
      const owed = owedBefore !== undefined && owedBefore.count > 0 ? owedBefore : this.#owed?.owedToLegacy();
      const { count = 0, oldestMs = 0 } = source === "legacy" ? { ...owed } : {};
      if (source === "legacy" && (count > 0 || lacksWrites(call.plan)))
        this.#tally?.stale(key.user ?? "", count > 0 ? oldestMs : undefined);
      return {
        value,
        source,
        epoch,
        stale: count > 0,
        ...(count > 0 && { staleMs: oldestMs }),
        ...(fellBack !== undefined && { fellBack }),
      };
    } finally {
      const left = (this.#running.get(epoch) ?? 0) - 1;
      if (left > 0) this.#running.set(epoch, left);
      else this.#running.delete(epoch);
    }
  }

  /** The epoch of the oldest running call; undefined while none runs. */
  get oldestRunning(): number | undefined {
    return this.#running.size === 0 ? undefined : Math.min(...this.#running.keys());
  }

  get plan(): MigrationPlan {
    return this.#runner.plan;
  }

  // These are properties and not methods, because a program may pass `close` as a function when it shuts
  // down.
  readonly setPlan = (plan: PlanInput | MigrationPlan): void => {
    this.#countSampled();
    this.#runner.plan = planOf(plan);
  };

  /**
   * Counts the calls since the last count: those that were shadowed, and those that sampling left out. A call
   * that asks the answering side twice was not sampled. Also counts modern's answers that are not compared.
   */
  #countSampled(): void {
    const sum = (of: (tally: MethodTally) => number): number =>
      this.#methods.reduce((total, { tally }) => total + of(tally), 0);
    const before = this.#sampled;
    const now = {
      k: sum(({ eligible, controls }) => eligible - controls),
      out: sum(({ sampledOut }) => sampledOut),
    };
    this.#sampled = now;
    const k = now.k - before.k;
    this.#tally?.sampled(this.plan.shadowSampleRatio, { n: k + now.out - before.out, k });
    for (const { name, tally } of this.#methods) {
      this.#tally?.unobserved(name, tally.unobserved);
      tally.unobserved = 0;
    }
  }

  get counters(): Readonly<Record<string, MethodCounters>> {
    return Object.fromEntries(this.#methods.map(({ name, tally }) => [name, tally.counters]));
  }

  get samples(): readonly CallComparison[] {
    return this.#samples.all;
  }

  get inFlight(): number {
    return this.#slots.inFlight;
  }

  get inFlightPeak(): number {
    return this.#slots.peak;
  }

  get evidenceDropped(): number {
    return this.#buffer?.dropped ?? 0;
  }

  /** Numbers of divergent requests that were due for an explanation: those kept, and the others by reason. */
  get requests(): Readonly<Record<RequestState, number>> | undefined {
    return this.#buffer?.requests;
  }

  /** Keeps the program alive while it waits; the timers of the deadlines alone do not. */
  readonly idle = async (): Promise<void> => {
    if (this.#slots.inFlight === 0) return;
    const stop = this.#clock.every(50, () => {}, true);
    await this.#slots.idle();
    stop();
  };

  /** Writes the waiting evidence now. */
  async flush(): Promise<void> {
    await this.#buffer?.flush();
  }

  readonly close = async (): Promise<void> => {
    this.#runner.close();
    await this.#buffer?.close();
  };
}

/** Whether modern alone takes the writes. Under the kill switch, legacy answers without them. */
const lacksWrites = ({ migrationMode, phase }: MigrationPlan): boolean =>
  migrationMode === "new_only" && phasePolicies[phase].answers === "modern";
