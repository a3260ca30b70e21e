import { AnswerComparer } from "../../comparison/index.ts";
import type { CallKey } from "../../domain/migration/route.ts";
import {
  BridgeCore,
  type BridgedMethod,
  type BridgeOptions,
  type ServiceBridgeControl,
  type ServiceBridgeHost,
} from "../core/bridge-core.ts";
import type { CallContext, RunnerMethod, SideFunction } from "../core/call.ts";
import type { MethodOptions } from "../core/options.ts";
import { isThenable } from "../core/thenable.ts";

/** The names of an interface's methods. */
type MethodName<T> = { [K in keyof T]-?: T[K] extends (...args: never[]) => unknown ? K : never }[keyof T] &
  string;

export interface ServiceBridgeOptions<T extends object> extends BridgeOptions {
  readonly legacy: T;
  /**
   * May lack methods. Legacy answers calls of those, without a comparison; if legacy may not answer, they
   * fail with BUSY.
   */
  readonly modern: Partial<T>;
  readonly methods?: { readonly [K in MethodName<T>]?: MethodOptions };
  /** Returns the key (user, book) that routes a call. Default: none, so percentages and lists never apply. */
  readonly keyOf?: (method: MethodName<T>, args: readonly unknown[]) => CallKey;
  /** Converts a system's units once, when its answer arrives, for callers and comparisons alike. */
  readonly convert?: { readonly legacy?: Convert<T>; readonly modern?: Convert<T> };
}

type Convert<T> = (method: MethodName<T>, answer: unknown) => unknown;

/** Legacy's interface, with the control side of the bridge. */
export type BridgedService<T extends object> = T & { readonly $bridge: ServiceBridgeControl };

/**
 * Puts a bridge in front of two implementations of one interface. Every function of `legacy` becomes a method
 * of the same name and signature. Other properties read and write legacy's properties. Each method is called
 * on its own system, so its `this` is correct.
 */
export function bridgeServices<T extends object>(
  options: ServiceBridgeOptions<T>,
  host: ServiceBridgeHost,
): BridgedService<T> {
  const core = new BridgeCore(options, host);
  const bridged: Record<string, unknown> = {};
  const { methods: names, others } = membersOf(options.legacy);
  const keyOf = options.keyOf as KeyOf | undefined;
  for (const name of names) {
    const method = core.add(methodOf(options, name));
    bridged[name] = (...args: readonly unknown[]): unknown =>
      core.run(core.begin(method, args, keyOf === undefined ? nobody : keyFrom(keyOf, method, args)));
  }
  const legacy = options.legacy as Record<string, unknown>;
  for (const name of others)
    Object.defineProperty(bridged, name, {
      get: () => legacy[name],
      set: (value) => {
        legacy[name] = value;
      },
      enumerable: Object.prototype.propertyIsEnumerable.call(legacy, name),
    });
  return Object.defineProperty(bridged, "$bridge", { value: core }) as BridgedService<T>;
}

/** The context of the call that is being started, while a side's function runs its synchronous part. */
let current: CallContext | undefined;

/**
 * Returns the deadline and the abort signal of the current call. Only a function of a bridged system may use
 * it, before its first `await`; elsewhere it returns undefined.
 */
export const currentCall = (): { readonly signal: AbortSignal; readonly deadlineMs: number } | undefined =>
  current;

function methodOf<T extends object>(
  { legacy, modern, methods, convert }: ServiceBridgeOptions<T>,
  name: MethodName<T>,
): BridgedMethod {
  const declared: MethodOptions = methods?.[name] ?? {};
  return {
    name,
    isWrite: declared.kind === "write",
    legacy: sideFunction(legacy, name, convert?.legacy),
    modern: sideFunction(modern, name, convert?.modern),
    comparer: declared.compare === false ? undefined : new AnswerComparer(declared.compare),
    project: declared.project,
  };
}

function sideFunction<T extends object>(
  system: Partial<T>,
  name: MethodName<T>,
  convert: Convert<T> | undefined,
): SideFunction | undefined {
  const method: unknown = system[name];
  if (typeof method !== "function") return undefined;
  const call: SideFunction = (args, context) => {
    // A system may itself call another bridge: after that call has begun, the outer context is restored.
    const outer = current;
    current = context;
    try {
      return method.apply(system, args);
    } finally {
      current = outer;
    }
  };
  if (convert === undefined) return call;
  const converted = (answer: unknown): unknown => convert(name, answer);
  return (args, context) => {
    const answer = call(args, context);
    return isThenable(answer) ? answer.then(converted) : converted(answer);
  };
}

/**
 * Returns the names of an object's functions, including those of its classes, and of its other properties. A
 * function behind a getter of the object itself counts as a function, because compiled modules export that
 * way. Getters of its classes are not called.
 */
function membersOf<T extends object>(
  system: T,
): { readonly methods: readonly MethodName<T>[]; readonly others: readonly string[] } {
  const isMethod = new Map<string, boolean>([["constructor", false]]);
  for (
    let level: object | null = system;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  )
    for (const [name, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(level)))
      if (!isMethod.has(name))
        isMethod.set(
          name,
          typeof (get !== undefined && level === system ? valueBehind(system, name) : value) === "function",
        );
  isMethod.delete("constructor");
  const names = [...isMethod.keys()];
  return {
    methods: names.filter((name): name is MethodName<T> => isMethod.get(name) === true),
    others: names.filter((name) => isMethod.get(name) === false),
  };
}

function valueBehind(system: object, name: string): unknown {
  try {
    return Reflect.get(system, name);
  } catch {
    return undefined;
  }
}

type KeyOf = (method: string, args: readonly unknown[]) => CallKey | undefined;

/** Returns an empty key if `keyOf` throws, because routing must not fail a call. */
function keyFrom(keyOf: KeyOf, { name, tally }: RunnerMethod, args: readonly unknown[]): CallKey {
  try {
    return keyOf(name, args) ?? nobody;
  } catch {
    tally.broken += 1;
    return nobody;
  }
}

const nobody: CallKey = Object.freeze({});
