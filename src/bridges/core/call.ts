/** One call of a bridged method, and the types that its steps share. */
import type { AnswerComparer } from "../../comparison/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import type { CallKey } from "../../domain/migration/route.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ComparisonRecord } from "../../ports/evidence.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import type { Breaker } from "./breaker.ts";
import type { MethodTally } from "./counters.ts";
import type { ComparisonSeen } from "./lanes.ts";
import type { AnsweringOptions, CallComparison, FallbackReason, ShadowOptions } from "./options.ts";
import type { Samples, WholeSightings } from "./samples.ts";
import type { ShadowSlots, ShedReason } from "./shadow-slots.ts";

/** One method of both systems. */
export interface RunnerMethod {
  readonly name: string;
  readonly isWrite: boolean;
  readonly legacy: SideFunction | undefined;
  readonly modern: SideFunction | undefined;
  /**
   * Undefined if the method is excluded from comparison. A comparer that replaces this one is used from the
   * next comparison on.
   */
  comparer: AnswerComparer | undefined;
  readonly project: ((answer: unknown) => unknown) | undefined;
  /** Whether the request and the compared answers of a divergence are kept, so that it can be explained. */
  readonly keepsRequests?: boolean;
  /** Returns the rows of a compared part, which name book and symbol. Absent if its answers have none. */
  readonly rows?: ((compared: unknown) => Iterable<unknown>) | undefined;
  readonly tally: MethodTally;
  readonly breaker: Breaker;
  /** Sightings of comparisons that ended without comparing the answers' fields. */
  readonly whole: WholeSightings;
}

export type SideFunction = (args: readonly unknown[], context: CallContext) => unknown;

/** The deadline of a call, and the signal that is aborted when nobody waits for its answer any longer. */
export class CallContext {
  readonly deadlineMs: number;
  /** Whether a side is asked a second time to measure its noise, so that no kept answer may be used. */
  readonly isRepeat: boolean;
  #controller: AbortController | undefined;
  #aborted = false;

  constructor(deadlineMs: number, isRepeat = false) {
    this.deadlineMs = deadlineMs;
    this.isRepeat = isRepeat;
  }

  /** Whether the call has a deadline. A call without one is never aborted. */
  get isLimited(): boolean {
    return this.deadlineMs !== Number.POSITIVE_INFINITY;
  }

  /** Created on first access, because most functions never use it. */
  get signal(): AbortSignal {
    // One context serves all calls without a deadline. A shared signal would collect all their listeners for
    // ever.
    if (!this.isLimited) return new AbortController().signal;
    this.#controller ??= new AbortController();
    if (this.#aborted) this.#controller.abort();
    return this.#controller.signal;
  }

  abort(): void {
    this.#aborted = true;
    this.#controller?.abort();
  }
}

/** The context of legacy's answers, which have no deadline. */
export const unlimited = new CallContext(Number.POSITIVE_INFINITY);

/** Receives the outcome of a call for comparison. */
export interface AnswerObserver {
  /** The copy of the arguments that the other side gets. */
  readonly input: readonly unknown[];
  /** The answering side has answered. The caller receives the answer in the next microtask. */
  answered(value: unknown): void;
  answerFailed(failure: unknown): void;
  /** Modern has failed and legacy answers instead, so the failure is compared and no shadow call runs. */
  fellBack(failure: unknown): void;
  shed(reason: ShedReason): void;
}

/** The fields without `readonly` are filled in while the call runs. */
export class Call {
  readonly method: RunnerMethod;
  readonly args: readonly unknown[];
  readonly key: CallKey;
  /** Pinned when the call begins, and pinned again when a write was admitted. */
  plan: MigrationPlan;
  /** The side that answers. */
  source: Side = "legacy";
  /** The reason why legacy answers instead of modern; undefined if it does not. */
  fellBack: FallbackReason | undefined = undefined;
  /** Undefined if the call is not compared. */
  shadow: AnswerObserver | undefined = undefined;
  /** Whether an answer of modern would not be compared with legacy's, although no comparison is lost. */
  isUnobserved = false;
  /** The breaker's era when modern was asked; the breaker ignores reports from earlier eras. */
  era = 0;

  constructor(method: RunnerMethod, args: readonly unknown[], key: CallKey, plan: MigrationPlan) {
    this.method = method;
    this.args = args;
    this.key = key;
    this.plan = plan;
  }
}

export interface RunnerOptions {
  readonly shadow: ShadowOptions;
  readonly answering: AnsweringOptions;
  readonly clock: Clock;
  readonly slots: ShadowSlots;
  /** Whether legacy has all writes, so that it may answer for modern. An exception counts as false. */
  readonly legacyIsFresh: () => boolean;
  readonly owed: OwedWrites | undefined;
  /** Resolves when a write may begin, under the plan of that moment; rejects if it may not. */
  readonly admitWrite: (() => Promise<void>) | undefined;
  readonly samples: Samples;
  /** Receives each comparison. An exception is counted as `broken`. */
  readonly onComparison: ((comparison: CallComparison) => unknown) | undefined;
  /** Receives each comparison for the evidence store. Must not throw or wait. */
  readonly keep: ((draft: ComparisonDraft) => void) | undefined;
  /** Called for each comparison that was due and is not made. Must not throw or wait. */
  readonly lost: ((call: Call, why: string) => void) | undefined;
  /** Returns a random number of at least 0 and below 1, for sampling and shuffling. */
  readonly draw: () => number;
}

/** A comparison for the evidence store. Its input is fingerprinted later, when a batch is written. */
export type ComparisonDraft = Omit<ComparisonRecord, "fingerprint" | "request"> & {
  readonly input: readonly unknown[];
  /** The compared parts of both answers, if they are to be kept. */
  readonly answers?: Readonly<Record<Side, unknown>>;
  readonly seen: ComparisonSeen;
};
