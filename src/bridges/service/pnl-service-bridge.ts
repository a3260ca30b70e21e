import { BridgeError } from "../../base/errors.ts";
import { nearest, unknownKey } from "../../base/nearest.ts";
import { AnswerComparer, type AnswerOptions } from "../../comparison/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan, PlanInput } from "../../domain/migration/plan.ts";
import type { CallKey } from "../../domain/migration/route.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import {
  hasExplainableRows,
  type PinnedWorld,
  type PnlMethod,
  type PnlService,
  pnlMethods,
  requestKeys,
} from "../../ports/pnl-service.ts";
import type { BridgedSystem, JsonValue, SystemCall } from "../../ports/system.ts";
import {
  BridgeCore,
  type BridgedMethod,
  type BridgeOptions,
  type ServiceBridgeHost,
} from "../core/bridge-core.ts";
import { type CallContext, type RunnerMethod, type SideFunction, unlimited } from "../core/call.ts";
import type { MethodCounters } from "../core/counters.ts";
import type { CallAnswer, CallComparison } from "../core/options.ts";
import { defaultTolerances, type PnlTolerances, tolerancesByField } from "../core/tolerances.ts";
import { projections } from "./projections.ts";

export interface PnLServiceBridgeOptions extends BridgeOptions {
  readonly legacy: BridgedSystem;
  readonly modern: BridgedSystem;
  /** The longest time that legacy may take to answer. Default 30 000. */
  readonly legacyTimeoutMs?: number;
  /** The tolerances until `setTolerances` is called. */
  readonly tolerances?: PnlTolerances;
  /**
   * Fields that are not compared up to and including the last day of their exclusion. A path such as
   * `tradeHistory[].time` applies to one method; a path that does not begin with a method applies to all.
   */
  readonly exclusions?: AnswerOptions["exclusions"];
  /**
   * Returns the desk's current prices, by symbol. They are added to each request that names no marks and asks
   * for the value of positions that a system holds itself, so that both systems value with the same prices.
   * The caller waits for this function, so it must return at once. If it throws, the request has no marks.
   */
  readonly marks?: () => Readonly<Record<string, string>> | undefined;
  /** Converts a system's units once, when its answer arrives. */
  readonly convert?: Readonly<Partial<Record<Side, ConvertAnswer>>>;
}

export type ConvertAnswer = (method: PnlMethod, answer: JsonValue, request: JsonValue) => JsonValue;

/** The answer of a bridged call. */
export type ServiceAnswer<Value = JsonValue> = CallAnswer<Value>;

/** The inputs on which both systems must agree. */
type World = PinnedWorld & { readonly asOf: string };

type RequestOf<Method extends PnlMethod> = Parameters<PnlService[Method]>[0];
type AnswerOf<Method extends PnlMethod> = Awaited<ReturnType<PnlService[Method]>>;

/** Returns a method's comparer and its projection to the compared part. Throws BAD_CONFIG. */
export const pnlComparison = (method: PnlMethod, tolerances: PnlTolerances, fieldsMax: number) => ({
  comparer: new AnswerComparer({
    ...projections[method].compare,
    tolerances: tolerancesByField(tolerances),
    fieldsMax,
  }),
  project: projections[method].project,
});

/** The methods that value a system's own open positions, at its own prices if the request names none. */
const valuesOwnPositions: ReadonlySet<string> = new Set<PnlMethod>([
  "openPositions",
  "dailyPnl",
  "totals",
  "positionDetail",
]);

/**
 * The P&L service in front of both systems. The side that the plan names answers each call, and the other
 * side is called as its shadow. The bridge sets the as-of, the lot method and the marks once, before it calls
 * either side.
 */
export class PnLServiceBridge {
  readonly #options: PnLServiceBridgeOptions;
  readonly #host: ServiceBridgeHost;
  /** Runs the calls; other bridges over the same two systems add their methods to it. */
  readonly core: BridgeCore;
  readonly #methods: ReadonlyMap<PnlMethod, RunnerMethod>;
  #tolerances: PnlTolerances;

  /** Throws BAD_CONFIG for an impossible plan or tolerance. */
  constructor(options: PnLServiceBridgeOptions, host: ServiceBridgeHost) {
    this.#options = options;
    this.#host = host;
    this.core = new BridgeCore(options, host);
    this.#tolerances = options.tolerances ?? defaultTolerances;
    this.#methods = new Map(pnlMethods.map((name) => [name, this.core.add(this.#methodOf(name))]));
  }

  /**
   * Makes one call. Throws the SystemFailure of the answering system, and BAD_USAGE for an unknown method or
   * an unknown key of the request.
   */
  async call<Method extends PnlMethod>(
    method: Method,
    request: RequestOf<Method>,
    key: CallKey = {},
  ): Promise<ServiceAnswer<AnswerOf<Method>>> {
    const known = this.#methods.get(method);
    if (known === undefined) throw unknownMethod(method);
    refuseUnknownKeys(method, request);
    const args = [this.#pinned(known, request as JsonValue)];
    return this.core.answer(known, args, key) as Promise<ServiceAnswer<AnswerOf<Method>>>;
  }

  /**
   * Asks one system alone, without a route and without a comparison, for a bridge that combines several
   * answers before it compares them. The time limit is that of the system. Rejects with UNKNOWN_METHOD if it
   * has no such method.
   */
  async ask(side: Side, method: PnlMethod, request: JsonValue): Promise<JsonValue> {
    const invoke = this.#methods.get(method)?.[side];
    if (invoke === undefined)
      throw new SystemFailure("REFUSED", `${side} has no method ${method}`, { code: "UNKNOWN_METHOD" });
    return (await invoke([request], unlimited)) as JsonValue;
  }

  /** Returns the present as-of, lot method and marks, so that several requests can use the same ones. */
  pin(): World {
    return this.#world(this.#methods.get("totals")?.tally);
  }

  /** The epoch of the oldest running call; undefined while none runs. */
  get oldestRunning(): number | undefined {
    return this.core.oldestRunning;
  }

  get plan(): MigrationPlan {
    return this.core.plan;
  }

  /**
   * Sets the plan of the calls that begin from now on. Running calls keep the plan under which they began.
   */
  setPlan(plan: PlanInput | MigrationPlan): void {
    this.core.setPlan(plan);
  }

  /** Sets the tolerances from the next comparison on. Throws BAD_CONFIG without changing anything. */
  setTolerances(tolerances: PnlTolerances): void {
    const before = this.#tolerances;
    if (tolerances.position === before.position && tolerances.pnl === before.pnl) return;
    this.#tolerances = tolerances;
    try {
      const changes = [...this.#methods].map(([name, method]) => [method, this.#comparerOf(name)] as const);
      for (const [method, comparer] of changes) method.comparer = comparer;
    } catch (failure) {
      this.#tolerances = before;
      throw failure;
    }
  }

  get counters(): Readonly<Record<string, MethodCounters>> {
    return this.core.counters;
  }

  /** A random sample of the comparisons that were not equal. */
  get samples(): readonly CallComparison[] {
    return this.core.samples;
  }

  get inFlight(): number {
    return this.core.inFlight;
  }

  get evidenceDropped(): number {
    return this.core.evidenceDropped;
  }

  /** Resolves when no shadow call is in flight. */
  idle(): Promise<void> {
    return this.core.idle();
  }

  /** Ends shadowing, writes the waiting evidence, and closes both systems. */
  async close(): Promise<void> {
    await this.core.close();
    await Promise.all([this.#options.legacy.close(), this.#options.modern.close()]);
  }

  /** Returns the request with the lot method, the as-of and the marks, on which both systems must agree. */
  #pinned({ name, tally }: RunnerMethod, request: JsonValue): JsonValue {
    if (typeof request !== "object" || request === null || Array.isArray(request)) return request;
    const given = request as Readonly<Record<string, JsonValue>>;
    const needsMarks = valuesOwnPositions.has(name) && given.marks === undefined;
    return { ...this.#world(needsMarks ? tally : undefined), ...given };
  }

  #world(tally: RunnerMethod["tally"] | undefined): World {
    const marks = tally && this.#marks(tally);
    const asOf = new Date(this.#host.clock.nowMs()).toISOString();
    return { method: "fifo", asOf, ...(marks === undefined ? {} : { marks }) };
  }

  #marks(tally: RunnerMethod["tally"]): Readonly<Record<string, string>> | undefined {
    try {
      return this.#options.marks?.();
    } catch {
      tally.broken += 1;
      return undefined;
    }
  }

  #methodOf(name: PnlMethod): BridgedMethod {
    const { legacy, modern, legacyTimeoutMs = 30_000 } = this.#options;
    return {
      name,
      isWrite: false,
      legacy: this.#side("legacy", legacy, name, legacyTimeoutMs),
      modern: this.#side("modern", modern, name, this.core.answering.timeoutMs),
      comparer: this.#comparerOf(name),
      project: projections[name].project,
      rows: projections[name].rows,
      keepsRequests: hasExplainableRows(name),
    };
  }

  #comparerOf(name: PnlMethod): AnswerComparer {
    const exclusions = this.#options.exclusions ?? [];
    return new AnswerComparer({
      ...projections[name].compare,
      tolerances: tolerancesByField(this.#tolerances),
      exclusions: exclusions.flatMap((exclusion) =>
        pathsIn(name, exclusion.path).map((path) => ({ ...exclusion, path })),
      ),
    });
  }

  #side(side: Side, system: BridgedSystem, name: PnlMethod, timeoutMs: number): SideFunction | undefined {
    if (system.methods !== undefined && !system.methods.has(name)) return undefined;
    const convert = this.#options.convert?.[side];
    return (args, context) => {
      const request = args[0] as JsonValue;
      const answer = system.invoke(name, request, new CallOfContext(context, timeoutMs));
      return convert === undefined ? answer : answer.then((value) => convert(name, value, request));
    };
  }
}

/**
 * The call as a system receives it. The signal is created on access: systems in this thread do not read it.
 */
class CallOfContext implements SystemCall {
  readonly deadlineMs: number;
  readonly #context: CallContext;

  constructor(context: CallContext, timeoutMs: number) {
    this.#context = context;
    this.deadlineMs = context.isLimited ? context.deadlineMs : timeoutMs;
  }

  get signal(): AbortSignal | undefined {
    return this.#context.isLimited ? this.#context.signal : undefined;
  }
}

/**
 * Returns the exclusions with their paths in the answers of every method, for a bridge that compares a
 * combination of answers.
 */
export const excludedPaths = (exclusions: NonNullable<AnswerOptions["exclusions"]>) =>
  exclusions.flatMap((exclusion) =>
    [...new Set(pnlMethods.flatMap((method) => pathsIn(method, exclusion.path)))].map((path) => ({
      ...exclusion,
      path,
    })),
  );

/**
 * Returns the paths in a method's answers that an excluded path names. A path may begin with the method:
 * `tradeHistory[].time` is a field of its rows, `totals.totals.USD` a field of its answer. Any other path
 * applies to every method.
 */
function pathsIn(method: PnlMethod, path: string): readonly string[] {
  if (!path.startsWith(method)) return [path];
  const [rows = ""] = Object.keys(projections[method].compare.keys ?? {});
  const inside = path.slice(method.length);
  if (inside === "") return rows === "" ? [path] : [path, rows];
  if (inside.startsWith("[]")) return [`${rows}${inside}`];
  return inside.startsWith(".") ? [path, inside.slice(1)] : [path];
}

/** Throws BAD_USAGE for an unknown key: a misspelt filter would otherwise be answered with the whole book. */
function refuseUnknownKeys(method: PnlMethod, request: unknown): void {
  if (typeof request !== "object" || request === null || Array.isArray(request)) return;
  const known: readonly string[] = requestKeys[method];
  for (const key in request)
    if (!known.includes(key))
      throw new BridgeError("BAD_USAGE", {
        what: `a request of ${method} has no key ${unknownKey(key, known)}`,
        fix: `its keys are ${known.join(", ")}`,
      });
}

function unknownMethod(method: string): BridgeError {
  const meant = nearest(String(method), pnlMethods);
  return new BridgeError("BAD_USAGE", {
    what: `the P&L service has no method ${JSON.stringify(method)}`,
    fix: `${meant === undefined ? "" : `did you mean ${meant}? `}its methods are ${pnlMethods.join(", ")}`,
  });
}
