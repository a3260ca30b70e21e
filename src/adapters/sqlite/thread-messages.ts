import type { ErrorCode } from "../../base/errors.ts";
import type { FromThread } from "../../platform/thread-rpc.ts";

/** The calls that a thread answers: name, argument and result. */
// biome-ignore lint/suspicious/noExplicitAny: each call has its own argument type
export type Calls = Readonly<Record<string, (given: any) => unknown>>;

/** An error as plain data for another thread. A copied Error would lose its code, place and fix. */
export interface Failure {
  readonly code: ErrorCode;
  readonly what: string;
  readonly where: string;
  readonly fix: string;
}

export type FromThreadMessage = FromThread<unknown, Failure, string>;
