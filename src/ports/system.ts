import type { JsonValue } from "../base/exact-json.ts";

export type { JsonValue };

/**
 * A system that can be bridged, however it is reached: functions in this process, a worker thread, a child process, a service
 * over HTTP. Requests and answers are JSON values whose money is decimal text: numbers of a foreign answer have been read from
 * their source text already (see `exact-json.ts`).
 */
export interface BridgedSystem {
  readonly name: string;
  readonly kind: SystemKind;
  /** The methods that it offers; undefined where it does not say (then a call finds out). */
  readonly methods: ReadonlySet<string> | undefined;
  /** Every method that was found when the system started, also those that it does not offer; undefined where it does not say. */
  readonly found?: readonly FoundMethod[] | undefined;
  /** Starts the system now, so that `methods` and `found` are known. Absent where there is nothing to start. */
  start?(): Promise<void>;
  /** Settles by the deadline or soon after: with the answer, or with a SystemFailure (src/domain/migration/system-failure.ts). The request is never changed. */
  invoke(method: string, request: JsonValue, call: SystemCall): Promise<JsonValue>;
  /** Ends processes, threads and connections. Calls under way fail. */
  close(): Promise<void>;
}

/** A method as a system describes it. */
export interface FoundMethod {
  readonly name: string;
  /** Its parameters as they are written, such as `limit=100`; undefined where they cannot be read. */
  readonly parameters: readonly string[] | undefined;
  /** Why it must not be called: it is private, or no method. Undefined: it may be called. */
  readonly leftOut?: string;
}

type SystemKind = "builtin" | "module" | "command" | "http";

export interface SystemCall {
  /** Milliseconds that the call may take. */
  readonly deadlineMs: number;
  /** Aborted when nobody waits any longer. */
  readonly signal?: AbortSignal | undefined;
}
