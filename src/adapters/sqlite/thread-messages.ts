import type { ErrorCode } from "../../base/errors.ts";
import type { FromThread } from "../../platform/thread-rpc.ts";

/** By what is asked: what comes with it, and the answer. */
// biome-ignore lint/suspicious/noExplicitAny: each question has its own
export type Questions = Readonly<Record<string, (given: any) => unknown>>;

/** An error as it crosses between threads, which keep only its text. */
export interface Failure {
  readonly code: ErrorCode;
  readonly what: string;
  readonly where: string;
  readonly fix: string;
}

export type FromFileThread = FromThread<unknown, Failure, string>;
