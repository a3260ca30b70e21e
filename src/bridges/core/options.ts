import type { AnswerOptions } from "../../comparison/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Verdict } from "../../domain/migration/verdict.ts";
import type { FieldRecord } from "../../ports/evidence.ts";
import { type BreakerOptions, breakerDefaults } from "./breaker.ts";

/** Why legacy answered a call that modern should have. */
export const fallbackReasons = {
  FAILED: "modern failed",
  REFUSED: "modern said that the request is bad",
  TIMEOUT: "modern did not answer by its deadline",
  BREAKER_OPEN: "modern failed too often of late, and is left alone for a while",
  NO_METHOD: "modern has no such method",
} as const;
export type FallbackReason = keyof typeof fallbackReasons;

/** How the side that does not answer is asked. */
export interface ShadowOptions {
  /** Default 2 000. */
  readonly timeoutMs: number;
  /** Shadow calls under way at a time, of all methods. Default 64. */
  readonly inFlightMax: number;
  /** And of one method. Default 16. */
  readonly inFlightPerMethodMax: number;
  /** Most values of a request that are copied for the shadow; a larger request is not shadowed. Default 10 000. */
  readonly inputValuesMax: number;
  /** 0 to 1: share of the calls that legacy answers which legacy is asked twice, to measure noise. Default 0. */
  readonly controlRatio: number;
}

export const shadowDefaults: ShadowOptions = Object.freeze({
  timeoutMs: 2_000,
  inFlightMax: 64,
  inFlightPerMethodMax: 16,
  inputValuesMax: 10_000,
  controlRatio: 0,
});

/** How modern is asked where it answers. */
export interface AnsweringOptions {
  /** After so many milliseconds legacy is asked instead, where it may be. Default 2 000. */
  readonly timeoutMs: number;
  readonly breaker: BreakerOptions;
}

export const answeringDefaults: AnsweringOptions = Object.freeze({ timeoutMs: 2_000, breaker: breakerDefaults });

/** What is declared of one method. */
export interface MethodOptions {
  /** A write is answered by who is authoritative, and neither shadowed nor tried on the other side. Default `read`. */
  readonly kind?: "read" | "write";
  /** How its answers are compared; `false` leaves it out of comparison, with `excluded` counted. */
  readonly compare?: AnswerOptions | false;
  /** What of an answer is compared, taken before the caller has it; default: all of it. Must not keep the answer. */
  readonly project?: (answer: unknown) => unknown;
}

/** What a comparison of one call found. */
export interface CallComparison {
  readonly method: string;
  readonly verdict: Verdict;
  /** `aa`: legacy with itself. */
  readonly kind: "ab" | "aa";
  readonly answered: Side;
  readonly epoch: number;
  /** What is not equal: at most so many, the worst first. */
  readonly fields: readonly FieldRecord[];
  /** How many more are not equal. Absent: none. */
  readonly more?: number | undefined;
  /** How many values an exclusion left out. Absent: none. */
  readonly excluded?: number | undefined;
  readonly legacy: SideObservation;
  readonly modern: SideObservation;
  /** ISO 8601. */
  readonly at: string;
}

export interface SideObservation {
  /** How long it took; null where it has not answered. */
  readonly ms: number | null;
  /** Its class and message, where it failed. */
  readonly error?: string;
}
