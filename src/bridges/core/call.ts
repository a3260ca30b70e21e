/** One call of a bridged method, and what its steps share: the method, the plan that it is under, and what its caller learns. */
import type { AnswerComparer } from "../../comparison/index.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { MigrationPlan } from "../../domain/migration/plan.ts";
import type { CallKey } from "../../domain/migration/route.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ComparisonRecord } from "../../ports/evidence.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import type { Breaker } from "./breaker.ts";
import type { MethodTally } from "./counters.ts";
import type { AnsweringOptions, CallComparison, FallbackReason, ShadowOptions } from "./options.ts";
import type { Samples, WholeSightings } from "./samples.ts";
import type { ShadowLane, ShedReason } from "./shadow-lane.ts";

/** One method of both systems. */
export interface RunnerMethod {
  readonly name: string;
  readonly isWrite: boolean;
  readonly legacy: SideFunction | undefined;
  readonly modern: SideFunction | undefined;
  /** Undefined: the method is left out of comparison. A replacement counts from the next comparison on. */
  comparer: AnswerComparer | undefined;
  readonly project: ((answer: unknown) => unknown) | undefined;
  readonly tally: MethodTally;
  readonly breaker: Breaker;
  /** Sightings of comparisons that ended without looking into the answers. */
  readonly whole: WholeSightings;
}

export type SideFunction = (args: readonly unknown[], context: CallContext) => unknown;

/** What a side may know of the call it runs: how long it has, and when nobody waits any longer. */
export class CallContext {
  readonly deadlineMs: number;
  #controller: AbortController | undefined;
  #aborted = false;

  constructor(deadlineMs: number) {
    this.deadlineMs = deadlineMs;
  }

  /** Whether anybody will ever abort it. */
  get isLimited(): boolean {
    return this.deadlineMs !== Number.POSITIVE_INFINITY;
  }

  /** Made when it is first asked for: most functions never ask. */
  get signal(): AbortSignal {
    // One context serves all calls without a deadline; their listeners must not meet on one signal that never fires.
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

/** Legacy answers in its own time. */
export const unlimited = new CallContext(Number.POSITIVE_INFINITY);

/** What follows the answer of a call, to compare it. */
export interface AnswerObserver {
  /** The copy of the arguments that the other side gets. */
  readonly input: readonly unknown[];
  /** The answering side has answered; the caller gets the answer when the microtask after this one runs. */
  answered(value: unknown): void;
  answerFailed(failure: unknown): void;
  /** Modern failed and legacy answers instead: no shadow is left to run. */
  turn(failure: unknown): void;
  shed(reason: ShedReason): void;
}

/** The fields without `readonly` are filled in while the call runs. */
export class Call {
  readonly method: RunnerMethod;
  readonly args: readonly unknown[];
  readonly key: CallKey;
  /** Pinned when the call begins; a write that had to be admitted pins it again. */
  plan: MigrationPlan;
  /** Who answers. */
  source: Side = "legacy";
  /** Why legacy answers instead of modern. */
  fellBack: FallbackReason | undefined = undefined;
  /** Undefined where the call is not compared. */
  shadow: AnswerObserver | undefined = undefined;
  /** The breaker's era in which modern was asked. */
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
  readonly lane: ShadowLane;
  /** Whether legacy may answer a call that modern failed: only while it has all that was written. If it throws, legacy may not. */
  readonly legacyIsFresh: () => boolean;
  readonly owed: OwedWrites | undefined;
  /** Settles when a write may begin, under the plan of that moment, or rejects where it may not. */
  readonly admitWrite: (() => Promise<void>) | undefined;
  readonly samples: Samples;
  /** Receives each comparison; what it throws is counted. */
  readonly onComparison: ((comparison: CallComparison) => unknown) | undefined;
  /** Receives each comparison for keeping; must not throw and not wait. */
  readonly keep: ((draft: ComparisonDraft) => void) | undefined;
  /** 0 to 1, for sampling and shuffling. */
  readonly draw: () => number;
}

/** A comparison as it is handed on for keeping: the input is fingerprinted later, out of everybody's way. */
export type ComparisonDraft = Omit<ComparisonRecord, "fingerprint"> & { readonly input: readonly unknown[] };
