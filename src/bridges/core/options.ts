import type { AnswerOptions } from "../../comparison/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Verdict } from "../../domain/migration/verdict.ts";
import { type FieldRecord, requestsPerDayDefault } from "../../ports/evidence.ts";
import { type BreakerOptions, breakerDefaults } from "./breaker.ts";

/** The reasons why legacy answered a call that modern should have answered. */
export const fallbackReasons = {
  FAILED: "modern failed",
  REFUSED: "modern refused the request as bad",
  TIMEOUT: "modern did not answer by its deadline",
  BREAKER_OPEN: "modern failed too often recently and is not asked for a while",
  NO_METHOD: "modern has no such method",
} as const;
export type FallbackReason = keyof typeof fallbackReasons;

/** The limits of shadow calls. */
export interface ShadowOptions {
  /** Default 2 000. */
  readonly timeoutMs: number;
  /** Largest number of shadow calls in flight, of all methods. Default 64. */
  readonly inFlightMax: number;
  /** Largest number of shadow calls in flight, of one method. Default 16. */
  readonly inFlightPerMethodMax: number;
  /** Largest number of values in a request that is shadowed. Default 10 000. */
  readonly inputValuesMax: number;
  /**
   * The share, from 0 to 1, of the calls for which the side that answers is called a second time, to measure
   * noise. At most 2 % of modern's answers, because such an answer is not compared with legacy's. Default 0.
   */
  readonly controlRatio: number;
  /**
   * Largest number of requests that are kept for each UTC day, with both answers: those of the first calls
   * whose answers diverge, and whose method can be explained. Default 200.
   */
  readonly keepRequests: number;
}

export const shadowDefaults: ShadowOptions = Object.freeze({
  timeoutMs: 2_000,
  inFlightMax: 64,
  inFlightPerMethodMax: 16,
  inputValuesMax: 10_000,
  controlRatio: 0,
  keepRequests: requestsPerDayDefault,
});

/** The limits of calls that modern answers. */
export interface AnsweringOptions {
  /** Time after which legacy is asked instead, if it may answer. Default 2 000. */
  readonly timeoutMs: number;
  readonly breaker: BreakerOptions;
}

export const answeringDefaults: AnsweringOptions = Object.freeze({
  timeoutMs: 2_000,
  breaker: breakerDefaults,
});

/** The options of one method. */
export interface MethodOptions {
  /** A write is answered by the authoritative side and never shadowed or repeated. Default `read`. */
  readonly kind?: "read" | "write";
  /**
   * The rules by which its answers are compared. `false` excludes the method; its calls are counted as
   * `excluded`.
   */
  readonly compare?: AnswerOptions | false;
  /**
   * Returns the part of an answer that is compared. Called before the caller has the answer; must not keep
   * it. Default: the whole answer.
   */
  readonly project?: (answer: unknown) => unknown;
}

/** The answer of a bridged call. */
export interface CallAnswer<Value> {
  readonly value: Value;
  readonly source: Side;
  /** The epoch of the plan under which it was answered. */
  readonly epoch: number;
  /** True if legacy answered and lacked writes when the call began or when it ended. */
  readonly stale: boolean;
  /** The age of the oldest write that a stale answer lacks. */
  readonly staleMs?: number;
  readonly fellBack?: FallbackReason;
}

/** The result of the comparison of one call. */
export interface CallComparison {
  readonly method: string;
  readonly verdict: Verdict;
  /** `ab` compares legacy with modern, `aa` the side that answered with itself. */
  readonly kind: "ab" | "aa";
  readonly answered: Side;
  readonly epoch: number;
  /** The fields that are not equal, the worst first, up to a limit. */
  readonly fields: readonly FieldRecord[];
  /** The number of unequal fields that `fields` does not list. Absent: none. */
  readonly more?: number | undefined;
  /** The number of values that an exclusion left out. Absent: none. */
  readonly excluded?: number | undefined;
  readonly legacy: SideObservation;
  readonly modern: SideObservation;
  /** ISO 8601. */
  readonly at: string;
}

export interface SideObservation {
  /** The time until the side answered or failed; null if it did neither. */
  readonly ms: number | null;
  /** The class and the message of the side's failure. Absent if the side answered. */
  readonly error?: string;
}
