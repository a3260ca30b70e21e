/** Runs a module's object in a thread of its own and calls it like a local one. */
import {
  type ForeignError,
  ModuleThread,
  moduleAddress,
  moduleDefaults,
  type ThreadOptions,
  threadDefaults,
} from "../../adapters/module/index.ts";
import { currentCall } from "../../bridges/service/index.ts";
import type { SystemCall } from "../../ports/system.ts";

export interface InThreadOptions extends Partial<ThreadOptions> {
  /** For messages and the log. Default: the module's file name. */
  readonly name?: string;
  /** Time limit of a call for which the service bridge sets no deadline. Default: none. */
  readonly timeoutMs?: number;
  /** The largest answer, in serialized form. Default 32 MiB. */
  readonly answerBytesMax?: number;
  /** The maximum number of calls under way; a further call fails BUSY. Default 256. */
  readonly inFlightMax?: number;
  /**
   * Receives each line that the module prints, and a line when the thread ends unexpectedly. Default: stderr,
   * with the name in front.
   */
  readonly log?: (line: string) => void;
}

export interface InThread<T extends object> {
  /**
   * Every method returns a promise, even if T's own method does not. Arguments and answers are copies
   * (structured clone).
   */
  readonly service: T;
  /** Loads the module now instead of at the first call; rejects if it cannot be loaded. */
  start(): Promise<void>;
  /** Ends the thread; calls under way fail. */
  close(): Promise<void>;
}

/**
 * Runs a module's export (an object, a class or a factory; default: its default export, else the module
 * itself) in a thread, so that it cannot block the event loop of this program:
 *
 *     const modern = inThread<PnlService>(new URL("./modern.js", import.meta.url), "service");
 *     const bridge = createServiceBridge({ legacy, modern: modern.service, plan: { phase: "shadow_mode" } });
 *
 * A call from the bridge has the bridge's deadline; if a call computes for longer, the thread is ended, and
 * the caller does not wait. Errors arrive with name, message and code, so that the bridge compares them like
 * errors thrown in its own process. Failures of the thread itself (TIMEOUT, DOWN, BUSY, TOO_LARGE, GARBLED)
 * are SystemFailures.
 */
export function inThread<T extends object>(
  modulePath: string | URL,
  exportName?: string,
  options: InThreadOptions = {},
): InThread<T> {
  const { timeoutMs = Number.POSITIVE_INFINITY, name, log, ...rest } = { ...threadDefaults, ...options };
  const { href, exportName: named } = moduleAddress(modulePath, process.cwd());
  const thread = new ModuleThread(
    { href, exportName: exportName ?? named },
    {
      ...moduleDefaults,
      ...rest,
      name: name ?? decodeURIComponent(href.slice(href.lastIndexOf("/") + 1)),
      log,
      answers: "as-is",
      refused: sameError,
    },
  );
  const methods = new Map<string, (...args: readonly unknown[]) => Promise<unknown>>();
  const methodOf = (method: string): ((...args: readonly unknown[]) => Promise<unknown>) => {
    let known = methods.get(method);
    if (known === undefined) {
      known = (...args) => {
        return thread.call(method, args, callOf(currentCall(), timeoutMs));
      };
      methods.set(method, known);
    }
    return known;
  };
  const service: T = new Proxy(Object.create(null), {
    get: (_, property) =>
      typeof property === "symbol" || notMethods.has(property) ? undefined : methodOf(property),
    has: (_, property) => thread.methods?.has(String(property)) ?? false,
    set: () => false,
  });
  return { service, start: () => thread.start(), close: () => thread.close() };
}

/**
 * Names that JavaScript reads from any object: for example, an object with a `then` would count as a promise.
 */
const notMethods: ReadonlySet<string> = new Set(["then", "toJSON", "constructor", "prototype"]);

/**
 * The bridge aborts its calls by the signal. The deadline is slightly later and ends calls that have not
 * begun by then.
 */
function callOf(call: ReturnType<typeof currentCall>, timeoutMs: number): SystemCall {
  if (call === undefined || !Number.isFinite(call.deadlineMs)) return { deadlineMs: timeoutMs };
  return { deadlineMs: call.deadlineMs + 100, signal: call.signal };
}

/**
 * Rebuilds the thread's error with the properties by which the bridge compares errors: its code, or else its
 * name.
 */
function sameError({ name, message, code }: ForeignError): Error {
  const error = new Error(message);
  error.name = name;
  return code === undefined ? error : Object.assign(error, { code });
}
