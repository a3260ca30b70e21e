import { AnswerComparer, type AnswerOptions } from "../../comparison/index.ts";
import { BridgeError } from "../../domain/errors.ts";
import { nearest } from "../../domain/nearest.ts";
import type { Side } from "../../domain/phase.ts";
import { type MigrationPlan, type PlanInput, planOf } from "../../domain/plan.ts";
import type { CallKey } from "../../domain/route.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import { type PnlMethod, type PnlService, pnlMethods } from "../../ports/pnl-service.ts";
import type { BridgedSystem, JsonValue } from "../../ports/system.ts";
import { Breaker } from "./breaker.ts";
import { type CallOutcome, CallRunner, type RunnerMethod, type SideFunction } from "./call-runner.ts";
import { type MethodCounters, MethodTally } from "./counters.ts";
import { classOf, Samples, type ServiceBridgeHost } from "./create-service-bridge.ts";
import { EvidenceBuffer } from "./evidence-buffer.ts";
import {
  type AnsweringOptions,
  answeringDefaults,
  type CallComparison,
  type FallbackReason,
  type ShadowOptions,
  shadowDefaults,
} from "./options.ts";
import { projections } from "./projections.ts";
import { ShadowLane } from "./shadow-lane.ts";

export interface PnLServiceBridgeOptions {
  readonly legacy: BridgedSystem;
  readonly modern: BridgedSystem;
  readonly plan: PlanInput | MigrationPlan;
  readonly shadow?: Partial<ShadowOptions>;
  readonly answering?: Partial<AnsweringOptions>;
  /** How long legacy may take where it answers. Default 30 000. */
  readonly legacyTimeoutMs?: number;
  /** Largest difference of prices and quantities, and of P&L, that is within tolerance; decimal text. */
  readonly tolerances?: { readonly position: string; readonly pnl: string };
  readonly exclusions?: AnswerOptions["exclusions"];
  /** A system's units put right, once, where its answer comes in. */
  readonly convert?: Readonly<Partial<Record<Side, ConvertAnswer>>>;
  readonly onComparison?: (comparison: CallComparison) => void;
  readonly legacyIsFresh?: () => boolean;
  readonly evidence?: EvidenceStore;
}

export type ConvertAnswer = (method: PnlMethod, answer: JsonValue, request: JsonValue) => JsonValue;

/** What a bridged call answers. */
export interface ServiceAnswer<Value = JsonValue> {
  readonly value: Value;
  readonly source: Side;
  /** The plan that it was answered under. */
  readonly epoch: number;
  /** Whether writes are owed to the system that answered; never, until there are writes. */
  readonly stale: boolean;
  readonly fellBack?: FallbackReason;
}

type RequestOf<Method extends PnlMethod> = Parameters<PnlService[Method]>[0];
type AnswerOf<Method extends PnlMethod> = Awaited<ReturnType<PnlService[Method]>>;

const [positionFields, pnlFields] = [
  ["quantity", "averagePrice", "price"],
  ["realized", "unrealized", "total"],
];

/**
 * The P&L service in front of both systems. Every call is answered as the plan says, the other side is asked in the shadow, and what
 * is pinned (as-of, lot method) is pinned once, before either is asked.
 */
export class PnLServiceBridge {
  readonly #options: PnLServiceBridgeOptions;
  readonly #host: ServiceBridgeHost;
  readonly #runner: CallRunner;
  readonly #lane: ShadowLane;
  readonly #buffer: EvidenceBuffer | undefined;
  readonly #samples: Samples;
  readonly #methods: ReadonlyMap<string, RunnerMethod>;

  /** Throws BAD_CONFIG for a plan or tolerance that cannot be. */
  constructor(options: PnLServiceBridgeOptions, host: ServiceBridgeHost) {
    const shadow = { ...shadowDefaults, ...options.shadow };
    const answering = { ...answeringDefaults, ...options.answering };
    this.#options = options;
    this.#host = host;
    this.#lane = new ShadowLane(shadow, host.load);
    this.#buffer = options.evidence === undefined ? undefined : new EvidenceBuffer(options.evidence, host.clock);
    this.#samples = new Samples(host.draw);
    const buffer = this.#buffer;
    this.#runner = new CallRunner(planOf(options.plan), {
      shadow,
      answering,
      clock: host.clock,
      lane: this.#lane,
      legacyIsFresh: options.legacyIsFresh ?? (() => true),
      onComparison: (comparison) => {
        this.#samples.offer(comparison);
        return options.onComparison?.(comparison);
      },
      hearsOfEqual: options.onComparison !== undefined,
      keep: buffer && ((draft) => buffer.keep(draft)),
      draw: host.draw,
      classOf,
    });
    this.#methods = new Map(pnlMethods.map((name) => [name, this.#methodOf(name, answering)]));
  }

  /** One bridged call. Throws what the answering system failed with (SystemFailure), and BAD_USAGE for a method that is none. */
  async call<Method extends PnlMethod>(
    method: Method,
    request: RequestOf<Method>,
    key: CallKey = {},
  ): Promise<ServiceAnswer<AnswerOf<Method>>> {
    const known = this.#methods.get(method);
    if (known === undefined) throw unknownMethod(method);
    const outcome: CallOutcome = { source: "legacy", epoch: 0 };
    const value = (await this.#runner.run(known, [this.#pinned(request as JsonValue)], key, outcome)) as AnswerOf<Method>;
    const { source, epoch, fellBack } = outcome;
    return { value, source, epoch, stale: false, ...(fellBack === undefined ? {} : { fellBack }) };
  }

  get plan(): MigrationPlan {
    return this.#runner.plan;
  }

  /** Calls that begin from now on are routed by it; those under way end under the plan that they began with. */
  setPlan(plan: PlanInput | MigrationPlan): void {
    this.#runner.plan = planOf(plan);
  }

  get counters(): Readonly<Record<string, MethodCounters>> {
    return Object.fromEntries([...this.#methods].map(([name, { tally }]) => [name, tally.counters]));
  }

  /** Some of the comparisons that were not equal. */
  get samples(): readonly CallComparison[] {
    return this.#samples.all;
  }

  get inFlight(): number {
    return this.#lane.inFlight;
  }

  get evidenceDropped(): number {
    return this.#buffer?.dropped ?? 0;
  }

  /** Resolves when no shadow call is under way. */
  idle(): Promise<void> {
    return this.#lane.idle();
  }

  /** Ends shadowing, writes what evidence there is, and closes both systems. */
  async close(): Promise<void> {
    this.#runner.close();
    await this.#buffer?.close();
    await Promise.all([this.#options.legacy.close(), this.#options.modern.close()]);
  }

  /** The request with what both systems must agree on. */
  #pinned(request: JsonValue): JsonValue {
    if (typeof request !== "object" || request === null || Array.isArray(request)) return request;
    const given = request as Readonly<Record<string, JsonValue>>;
    return { method: "fifo", asOf: new Date(this.#host.clock.nowMs()).toISOString(), ...given };
  }

  #methodOf(name: PnlMethod, answering: AnsweringOptions): RunnerMethod {
    const { legacy, modern, legacyTimeoutMs = 30_000, tolerances = { position: "0.0001", pnl: "0.01" } } = this.#options;
    return {
      name,
      isWrite: false,
      legacy: this.#side("legacy", legacy, name, legacyTimeoutMs),
      modern: this.#side("modern", modern, name, answering.timeoutMs),
      comparer: new AnswerComparer({
        ...projections[name].compare,
        tolerances: Object.fromEntries([
          ...positionFields.map((field) => [field, tolerances.position]),
          ...pnlFields.map((field) => [field, tolerances.pnl]),
        ]),
        ...(this.#options.exclusions === undefined ? {} : { exclusions: this.#options.exclusions }),
      }),
      project: projections[name].project,
      tally: new MethodTally(),
      breaker: new Breaker(answering.breaker),
    };
  }

  #side(side: Side, system: BridgedSystem, name: PnlMethod, timeoutMs: number): SideFunction | undefined {
    if (system.methods !== undefined && !system.methods.has(name)) return undefined;
    const convert = this.#options.convert?.[side];
    return (args, context) => {
      const request = args[0] as JsonValue;
      const deadlineMs = Number.isFinite(context.deadlineMs) ? context.deadlineMs : timeoutMs;
      const answer = system.invoke(name, request, { deadlineMs, signal: context.signal });
      return convert === undefined ? answer : answer.then((value) => convert(name, value, request));
    };
  }
}

function unknownMethod(method: string): BridgeError {
  const meant = nearest(String(method), pnlMethods);
  return new BridgeError("BAD_USAGE", {
    what: `the P&L service has no method ${JSON.stringify(method)}`,
    mend: `${meant === undefined ? "" : `did you mean ${meant}? `}there are ${pnlMethods.join(", ")}`,
  });
}
