import type { JsonValue } from "../base/exact-json.ts";

export type { JsonValue };

/**
 * A bridged system, whatever its transport: functions in this process, a worker thread, a child process, or a
 * service over HTTP. Requests and answers are JSON values with money as decimal text; the adapter has already
 * read the numbers of a foreign answer from their source text (see `exact-json.ts`).
 */
export interface BridgedSystem {
  readonly name: string;
  readonly kind: SystemKind;
  /**
   * The methods that the system offers; undefined if it does not list them (then only a call shows whether it
   * has a method).
   */
  readonly methods: ReadonlySet<string> | undefined;
  /**
   * Every method found at the start of the system, offered or not; undefined if the system does not list
   * them.
   */
  readonly found?: readonly FoundMethod[] | undefined;
  /** Starts the system now, so that `methods` and `found` are known. Absent if there is nothing to start. */
  start?(): Promise<void>;
  /**
   * Calls a method. Settles by the deadline or soon after, with the answer or with a SystemFailure
   * (src/domain/migration/system-failure.ts). Never changes the request.
   */
  invoke(method: string, request: JsonValue, call: SystemCall): Promise<JsonValue>;
  /** Ends processes, threads and connections. Running calls fail. */
  close(): Promise<void>;
}

/** A method as a system describes it. */
export interface FoundMethod {
  readonly name: string;
  /** Its parameters as written, such as `limit=100`; undefined if they cannot be read. */
  readonly parameters: readonly string[] | undefined;
  /**
   * The reason why it must not be called, for example because it is private; undefined if it may be called.
   */
  readonly leftOut?: string;
}

type SystemKind = "builtin" | "module" | "command" | "http";

export interface SystemCall {
  /** The time limit of the call, in milliseconds. */
  readonly deadlineMs: number;
  /** Aborted when no caller waits any longer. */
  readonly signal?: AbortSignal | undefined;
}
