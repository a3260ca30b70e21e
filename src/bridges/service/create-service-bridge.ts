import { AnswerComparer } from "../../comparison/index.ts";
import { type MigrationPlan, type PlanInput, planOf } from "../../domain/plan.ts";
import type { CallKey } from "../../domain/route.ts";
import { SystemFailure } from "../../domain/system-failure.ts";
import type { Clock } from "../../ports/clock.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import type { HostLoad } from "../../ports/host-load.ts";
import { Breaker } from "./breaker.ts";
import { type CallContext, CallRunner, type RunnerMethod, type SideFunction } from "./call-runner.ts";
import { type MethodCounters, MethodTally } from "./counters.ts";
import { EvidenceBuffer } from "./evidence-buffer.ts";
import {
  type AnsweringOptions,
  answeringDefaults,
  type CallComparison,
  type MethodOptions,
  type ShadowOptions,
  shadowDefaults,
} from "./options.ts";
import { Reservoir } from "./reservoir.ts";
import { ShadowLane } from "./shadow-lane.ts";

/** The names of an interface's methods. */
export type MethodName<T> = { [K in keyof T]-?: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T] & string;

export interface ServiceBridgeOptions<T extends object> {
  readonly legacy: T;
  /** May lack methods: those are answered by legacy, and not compared. */
  readonly modern: Partial<T>;
  readonly plan: PlanInput | MigrationPlan;
  readonly shadow?: Partial<ShadowOptions>;
  readonly answering?: Partial<AnsweringOptions>;
  readonly methods?: { readonly [K in MethodName<T>]?: MethodOptions };
  /** Whose call it is, where that decides the route; absent: nobody's, so percentages and lists let nothing through. */
  readonly keyOf?: (method: MethodName<T>, args: readonly unknown[]) => CallKey;
  /** Told of each comparison, after the caller has the answer. What it throws is counted. */
  readonly onComparison?: (comparison: CallComparison) => void;
  /** A system's units, put right once, where its answer comes in: caller and comparison see the same, whoever answered. */
  readonly convert?: { readonly legacy?: Convert<T>; readonly modern?: Convert<T> };
  /** Whether legacy may answer a read that modern failed. Default: always. */
  readonly legacyIsFresh?: () => boolean;
  /** Where comparisons are kept beyond this process. */
  readonly evidence?: EvidenceStore;
}

export type Convert<T> = (method: MethodName<T>, answer: unknown) => unknown;

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

/** Legacy's own interface, bridged. */
export type BridgedService<T extends object> = T & { readonly $bridge: ServiceBridgeControl };

const samplesPerKind = 10;
const kindsMax = 500;

/**
 * Puts a bridge in front of two implementations of one interface. Every function of `legacy` becomes a method of the same name and
 * signature; other properties stay legacy's, to read and to write. Methods are called on their own system, so `this` is right.
 */
export function bridgeServices<T extends object>(options: ServiceBridgeOptions<T>, host: ServiceBridgeHost): BridgedService<T> {
  const { clock, draw } = host;
  const shadow = { ...shadowDefaults, ...options.shadow };
  const answering = { ...answeringDefaults, ...options.answering };
  const lane = new ShadowLane(shadow, host.load);
  const buffer = options.evidence === undefined ? undefined : new EvidenceBuffer(options.evidence, clock);
  const samples = new Samples(draw);
  const runner = new CallRunner(frozenPlan(options.plan), {
    shadow,
    answering,
    clock,
    lane,
    legacyIsFresh: options.legacyIsFresh ?? (() => true),
    onComparison: (comparison) => {
      samples.offer(comparison);
      return options.onComparison?.(comparison);
    },
    hearsOfEqual: options.onComparison !== undefined,
    keep: buffer && ((draft) => buffer.keep(draft)),
    draw,
    classOf,
  });
  const bridged: Record<string, unknown> = {};
  const methods: RunnerMethod[] = [];
  const { methods: names, others } = membersOf(options.legacy);
  for (const name of names) {
    const method = methodOf(options, name as MethodName<T>, answering);
    methods.push(method);
    const keyOf = options.keyOf as KeyOf | undefined;
    const outcome = { source: "legacy", epoch: 0 } as const;
    bridged[name] = (...args: readonly unknown[]): unknown =>
      runner.run(method, args, keyOf === undefined ? nobody : keyFrom(keyOf, method, args), { ...outcome });
  }
  const control: ServiceBridgeControl = {
    setPlan: (plan) => {
      runner.plan = frozenPlan(plan);
    },
    get plan() {
      return runner.plan;
    },
    get counters() {
      return Object.fromEntries(methods.map(({ name, tally }) => [name, tally.counters]));
    },
    get samples() {
      return samples.all;
    },
    get inFlight() {
      return lane.inFlight;
    },
    get inFlightPeak() {
      return lane.peak;
    },
    get evidenceDropped() {
      return buffer?.dropped ?? 0;
    },
    idle: () => untilIdle(clock, lane),
    close: async () => {
      runner.close();
      await buffer?.close();
    },
  };
  const legacy = options.legacy as Record<string, unknown>;
  for (const name of others)
    Object.defineProperty(bridged, name, {
      get: () => legacy[name],
      set: (value) => {
        legacy[name] = value;
      },
      enumerable: Object.prototype.propertyIsEnumerable.call(legacy, name),
    });
  return Object.defineProperty(bridged, "$bridge", { value: control }) as BridgedService<T>;
}

/** The context of the call that is being started; only while the function of a side runs its first, synchronous part. */
let current: CallContext | undefined;

/** For a function of a bridged system, before its first `await`: how long it has, and when nobody waits for it any longer. */
export const currentCall = (): { readonly signal: AbortSignal; readonly deadlineMs: number } | undefined => current;

function methodOf<T extends object>(
  { legacy, modern, methods, convert }: ServiceBridgeOptions<T>,
  name: MethodName<T>,
  answering: AnsweringOptions,
): RunnerMethod {
  const declared: MethodOptions = methods?.[name] ?? {};
  return {
    name,
    isWrite: declared.kind === "write",
    legacy: sideFunction(legacy, name, convert?.legacy as Convert<object> | undefined),
    modern: sideFunction(modern, name, convert?.modern as Convert<object> | undefined),
    comparer: declared.compare === false ? undefined : new AnswerComparer(declared.compare),
    project: declared.project,
    tally: new MethodTally(),
    breaker: new Breaker(answering.breaker),
  };
}

function sideFunction(system: object, name: string, convert: Convert<object> | undefined): SideFunction | undefined {
  const method = (system as Readonly<Record<string, unknown>>)[name];
  if (typeof method !== "function") return undefined;
  const call: SideFunction = (args, context) => {
    // A system may be in front of another bridge: its own context is there again when that one's call has begun.
    const outer = current;
    current = context;
    try {
      return method.apply(system, args);
    } finally {
      current = outer;
    }
  };
  if (convert === undefined) return call;
  const converted = (answer: unknown): unknown => convert(name as never, answer);
  return (args, context) => {
    const answer = call(args, context);
    return isThenable(answer) ? answer.then(converted) : converted(answer);
  };
}

const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === "object" && value !== null && typeof (value as { readonly then?: unknown }).then === "function";

/**
 * The functions of an object, its classes' included, and what else there is to see of it. A function behind a getter of its own
 * (compiled modules hand theirs out so) is a function; getters of its classes are not asked.
 */
function membersOf(system: object): { readonly methods: readonly string[]; readonly others: readonly string[] } {
  const isMethod = new Map<string, boolean>([["constructor", false]]);
  for (let level: object | null = system; level !== null && level !== Object.prototype; level = Object.getPrototypeOf(level))
    for (const [name, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(level)))
      if (!isMethod.has(name))
        isMethod.set(name, typeof (get !== undefined && level === system ? valueBehind(system, name) : value) === "function");
  isMethod.delete("constructor");
  const names = [...isMethod.keys()];
  return {
    methods: names.filter((name) => isMethod.get(name) === true),
    others: names.filter((name) => isMethod.get(name) === false),
  };
}

function valueBehind(system: object, name: string): unknown {
  try {
    return (system as Readonly<Record<string, unknown>>)[name];
  } catch {
    return undefined;
  }
}

type KeyOf = (method: string, args: readonly unknown[]) => CallKey | undefined;

/** A key that cannot be had is nobody's: what routes calls must not fail them. */
function keyFrom(keyOf: KeyOf, { name, tally }: RunnerMethod, args: readonly unknown[]): CallKey {
  try {
    return keyOf(name, args) ?? nobody;
  } catch {
    tally.broken += 1;
    return nobody;
  }
}

const nobody: CallKey = Object.freeze({});

const frozenPlan = (plan: PlanInput | MigrationPlan): MigrationPlan => planOf(plan);

/** Failures are alike where they are of one class: the code where there is one, else the name of the error's class. */
export function classOf(failure: unknown): string {
  if (failure instanceof SystemFailure) return failure.code ?? failure.failure;
  if (failure instanceof Error) {
    const { code } = failure as { readonly code?: unknown };
    return typeof code === "string" ? code : failure.name;
  }
  return typeof failure;
}

/** A few comparisons of each kind that was not equal. */
export class Samples {
  /** By method, verdict and path. Maps in maps: one text made of the three would cost more than comparing a field does. */
  readonly #kinds = new Map<string, Map<string, Map<string, Reservoir<CallComparison>>>>();
  readonly #draw: () => number;
  #count = 0;

  constructor(draw: () => number) {
    this.#draw = draw;
  }

  offer(comparison: CallComparison): void {
    if (comparison.verdict === "equal") return;
    const { method, verdict, fields } = comparison;
    const byPath = innerOf(innerOf(this.#kinds, method), verdict);
    const itself = (): CallComparison => comparison;
    if (fields.length === 0) this.#reservoir(byPath, "")?.offer(itself);
    let before: string | undefined;
    for (const { path } of fields) {
      if (path !== before) this.#reservoir(byPath, path)?.offer(itself);
      before = path;
    }
  }

  #reservoir(byPath: Map<string, Reservoir<CallComparison>>, path: string): Reservoir<CallComparison> | undefined {
    const known = byPath.get(path);
    if (known !== undefined || this.#count >= kindsMax) return known;
    const made = new Reservoir<CallComparison>(samplesPerKind, this.#draw);
    byPath.set(path, made);
    this.#count += 1;
    return made;
  }

  get all(): readonly CallComparison[] {
    const kinds = [...this.#kinds.values()].flatMap((byVerdict) =>
      [...byVerdict.values()].flatMap((byPath) => [...byPath.values()]),
    );
    return [...new Set(kinds.flatMap(({ samples }) => samples))];
  }
}

/** The map at a key, made where there is none. */
function innerOf<Key, Inner>(maps: Map<string, Map<Key, Inner>>, key: string): Map<Key, Inner> {
  const known = maps.get(key);
  if (known !== undefined) return known;
  const made = new Map<Key, Inner>();
  maps.set(key, made);
  return made;
}

async function untilIdle(clock: Clock, lane: ShadowLane): Promise<void> {
  if (lane.inFlight === 0) return;
  const stop = clock.every(50, () => {}, true);
  await lane.idle();
  stop();
}
