import type { ErrorCode } from "../../base/errors.ts";

/** By what is asked: what comes with it, and the answer. */
// biome-ignore lint/suspicious/noExplicitAny: each question has its own
export type Questions = Readonly<Record<string, (given: any) => unknown>>;

export interface ToThread {
  /** 0 where no answer is wanted. */
  readonly number: number;
  readonly ask: string;
  readonly given: unknown;
  /** By the clock below. Whoever asked has given up then: it is not begun any more. */
  readonly endsMs?: number;
}

/** One clock for all threads, whatever becomes of the time of day. */
export const sharedMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);

export type FromThread =
  | { readonly number: number; readonly value: unknown }
  | { readonly number: number; readonly failure: Failure }
  /** Unasked. */
  | { readonly event: string };

/** An error as it crosses between threads, which keep only its text. */
export interface Failure {
  readonly code: ErrorCode;
  readonly what: string;
  readonly where: string;
  readonly mend: string;
}
