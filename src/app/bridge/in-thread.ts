/** A module's object in a thread of its own, to be called as if it were here. */
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
  /** How long a call may take where the service bridge sets no deadline. Default: as long as it takes. */
  readonly timeoutMs?: number;
  /** Default 32 MiB, serialized. */
  readonly answerBytesMax?: number;
  /** Calls under way; one more is BUSY. Default 256. */
  readonly inFlightMax?: number;
  /** Told each line that the module prints, and when the thread ends unasked. Default: stderr, after the name. */
  readonly log?: (line: string) => void;
}

export interface InThread<T extends object> {
  /** Every method of it gives a promise, also where T's own does not. Arguments and answers are copies (structured clone). */
  readonly service: T;
  /** Loads the module now instead of with the first call; rejects where it cannot be. */
  start(): Promise<void>;
  /** Ends the thread; calls under way fail. */
  close(): Promise<void>;
}

/**
 * Runs a module's export (an object, a class or a factory; default: its default export, else the module itself) in a thread, so that its
 * computing delays nobody here:
 *
 *     const modern = inThread<PnlService>(new URL("./modern.js", import.meta.url), "service");
 *     const bridge = createServiceBridge({ legacy, modern: modern.service, plan: { phase: "shadow_mode" } });
 *
 * A call of the bridge has the bridge's deadline: one that computes beyond it costs the thread, not the caller. Errors arrive with
 * name, message and code, so that two systems' errors compare as they would in one process; what the thread itself fails with (TIMEOUT,
 * DOWN, BUSY, TOO_LARGE, GARBLED) is a SystemFailure.
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

/** Names that the language asks any object for: an object with a `then` would be taken for a promise. */
const notMethods: ReadonlySet<string> = new Set(["then", "toJSON", "constructor", "prototype"]);

/** The bridge gives up its calls itself, by the signal; the deadline, a little later, is for calls that have not been begun by then. */
function callOf(call: ReturnType<typeof currentCall>, timeoutMs: number): SystemCall {
  if (call === undefined || !Number.isFinite(call.deadlineMs)) return { deadlineMs: timeoutMs };
  return { deadlineMs: call.deadlineMs + 100, signal: call.signal };
}

/** The error as it was in the thread, as far as errors are told apart: a bridge compares them by code, else by name. */
function sameError({ name, message, code }: ForeignError): Error {
  const error = new Error(message);
  error.name = name;
  return code === undefined ? error : Object.assign(error, { code });
}
