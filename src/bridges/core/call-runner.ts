/**
 * Runs calls. A read that is shadowed takes this course:
 *
 *   caller ──► route ──► frozen copy of the input ──► answering side ──► its answer is returned unchanged
 *                                                          │ settles
 *                                                          ▼
 *                                     the compared part is copied before the caller has the answer
 *                                                          │ the caller continues
 *                                                          ▼
 *                              shadow side, on the frozen copy, with a deadline ──► compared, recorded
 *
 * The shadow call starts after the answer was returned, so it never runs at the same time as the call that it
 * shadows. A shadow call that has a slot ends in exactly one way: compared, error, timeout or shed. A failure
 * in any of these steps is counted and never reaches the caller.
 */
import { phasePolicies } from "../../domain/migration/phase.ts";
import { type MigrationPlan, writesOf } from "../../domain/migration/plan.ts";
import { type CallKey, type Route, routeOf, sampleDraw, unitOf } from "../../domain/migration/route.ts";
import { blameOf, SystemFailure } from "../../domain/migration/system-failure.ts";
import { Call, CallContext, type RunnerMethod, type RunnerOptions, unlimited } from "./call.ts";
import { isTimeout, systemFailureOf, timeout } from "./call-comparison.ts";
import { frozenArguments } from "./frozen-copy.ts";
import type { FallbackReason } from "./options.ts";
import { kindOf, observe, ShadowCall, type ShadowHost, type ShadowRole, shadowRoles } from "./shadow-call.ts";
import { isThenable } from "./thenable.ts";

/**
 * The largest share of modern's answers for which modern is asked again. Such an answer is not compared with
 * legacy's, and nearly all answers that users see must be.
 */
const modernControlsMax = 0.02;

export class CallRunner implements ShadowHost {
  plan: MigrationPlan;
  readonly options: RunnerOptions;
  /** The shadow calls in flight, by slot. An array with a free list costs less than a Set. */
  readonly #shadows: (ShadowCall | undefined)[];
  readonly #freeSlots: number[];
  #stopTicking: (() => void) | undefined;
  #calls = 0;

  constructor(plan: MigrationPlan, options: RunnerOptions) {
    this.plan = plan;
    this.options = options;
    const count = options.shadow.inFlightMax;
    this.#shadows = new Array(count).fill(undefined);
    this.#freeSlots = Array.from({ length: count }, (_, index) => count - 1 - index);
  }

  /** Begins a call under the current plan. */
  begin(method: RunnerMethod, args: readonly unknown[], key: CallKey): Call {
    return new Call(method, args, key, this.plan);
  }

  /** Runs a call. Returns or throws what the answering side returns or throws. */
  run(call: Call): unknown {
    const { method, key, plan } = call;
    this.#calls += 1;
    if (method.isWrite) {
      const { admitWrite } = this.options;
      return admitWrite === undefined ? this.#write(call) : admitWrite().then(() => this.#write(call));
    }
    const draw = plan.shadowSampleRatio >= 1 ? 0 : sampleDraw(plan, unitOf(plan, key) ?? "", this.#calls);
    const route = routeOf(plan, key, draw);
    method.tally.routed(route.because);
    if (route.eligible) call.shadow = this.#shadowFor(call, route);
    else call.isUnobserved = phasePolicies[plan.phase].compares;
    return route.answer === "modern" ? this.#answerWithModern(call) : this.#answerWithLegacy(call);
  }

  /** Lets the authoritative side answer. Throws BUSY if that is legacy and it lacks writes of modern. */
  #write(call: Call): unknown {
    call.plan = this.plan;
    const [answer] = writesOf(call.plan);
    const owed = answer === "legacy" ? this.options.owed?.owedToLegacy() : undefined;
    if (owed !== undefined && owed.count > 0)
      throw new SystemFailure(
        "BUSY",
        `${owed.count} writes are owed to legacy, the oldest for ${owed.oldestMs} ms: try again when it has received them`,
        { code: "DRAINING" },
      );
    call.method.tally.routed("PHASE");
    return answer === "modern" ? this.#answerWithModern(call) : this.#answerWithLegacy(call);
  }

  /** The shadow calls that are not finished. */
  get underWay(): number {
    return this.options.slots.inFlight;
  }

  close(): void {
    this.options.slots.close();
    this.#stopTicking?.();
    this.#stopTicking = undefined;
    for (const shadow of this.#shadows) shadow?.shed("closed");
  }

  // --- the answering side ---

  #answerWithLegacy(call: Call): unknown {
    const { method, args, shadow } = call;
    call.source = "legacy";
    method.tally.answeredLegacy += 1;
    if (method.legacy === undefined)
      throw new SystemFailure("REFUSED", `legacy has no method ${method.name}`, { code: "UNKNOWN_METHOD" });
    if (shadow === undefined) return method.legacy(args, unlimited);
    let answer: unknown;
    try {
      answer = method.legacy(args, unlimited);
    } catch (failure) {
      shadow.answerFailed(failure);
      throw failure;
    }
    observe(answer, shadow);
    return answer;
  }

  #answerWithModern(call: Call): unknown {
    const { clock, answering, shadow } = this.options;
    const { method, args } = call;
    call.source = "modern";
    if (method.modern === undefined) return this.#skipModern(call, "NO_METHOD");
    const era = method.breaker.begin(clock.monotonicMs());
    if (era === undefined) return this.#skipModern(call, "BREAKER_OPEN");
    call.era = era;
    // Legacy may be asked with the same input afterwards, so modern gets a copy that it cannot change.
    const copied = call.shadow?.input ?? (method.isWrite ? args : copyOrSame(args, shadow.inputValuesMax));
    const context = new CallContext(answering.timeoutMs);
    let answer: unknown;
    let isPromise: boolean;
    try {
      answer = method.modern(copied, context);
      isPromise = isThenable(answer);
    } catch (failure) {
      return this.#modernFailed(call, failure);
    }
    if (!isPromise) {
      this.#modernAnswered(call, answer);
      return answer;
    }
    return new Promise((resolve, reject) => {
      let over = false;
      const failed = (failure: unknown): void => {
        if (over) return;
        over = true;
        stop();
        try {
          resolve(this.#modernFailed(call, failure));
        } catch (thrown) {
          reject(thrown);
        }
      };
      // This timer keeps the program alive while the caller waits, even if modern has nothing else that does.
      const stop = clock.every(
        answering.timeoutMs,
        () => {
          context.abort();
          failed(timeout(method.name, answering.timeoutMs));
        },
        true,
      );
      const answered = (value: unknown): void => {
        if (over) return;
        over = true;
        stop();
        this.#modernAnswered(call, value);
        resolve(value);
      };
      // A thenable whose `then` throws has failed.
      try {
        (answer as PromiseLike<unknown>).then(answered, failed);
      } catch (failure) {
        failed(failure);
      }
    });
  }

  #modernAnswered({ method, era, shadow, isUnobserved }: Call, answer: unknown): void {
    const { breaker, tally } = method;
    breaker.succeeded(era, this.options.clock.monotonicMs());
    tally.answeredModern += 1;
    tally.modernAsked += 1;
    if (isUnobserved) tally.unobserved += 1;
    shadow?.answered(answer);
  }

  /** Handles a call without calling modern: legacy answers if it may, else the call fails with BUSY. */
  #skipModern(call: Call, reason: FallbackReason): unknown {
    const { name, tally } = call.method;
    tally.modernAsked += 1;
    const failure = new SystemFailure("BUSY", `modern cannot answer ${name}: ${reason}`);
    return this.#canFallBack(call) ? this.#fallBack(call, reason, failure) : this.#giveUp(call, failure);
  }

  /**
   * A failure counts against modern at once if the system is to blame, and never if the request is to blame.
   * If the failure does not say which of them is to blame, legacy's outcome decides: modern is to blame if
   * legacy answers the request, and nobody is if both fail.
   */
  #modernFailed(call: Call, failure: unknown): unknown {
    const { breaker } = call.method;
    const known = systemFailureOf(failure);
    const blame = known === undefined ? "unknown" : blameOf(known);
    if (blame === "system") this.#countFailure(call);
    else breaker.released(call.era);
    if (!this.#canFallBack(call)) {
      // Legacy cannot decide here, so a failure of unknown blame counts against modern, except a refusal.
      if (blame === "unknown" && known?.failure !== "REFUSED") this.#countFailure(call);
      return this.#giveUp(call, failure);
    }
    const reason = blame === "request" ? "REFUSED" : isTimeout(failure) ? "TIMEOUT" : "FAILED";
    const answer = this.#fallBack(call, reason, failure);
    if (blame === "unknown") whenAnswered(answer, () => this.#countFailure(call));
    return answer;
  }

  #countFailure({ method, era }: Call): void {
    method.breaker.failed(era, this.options.clock.monotonicMs());
    method.tally.modernFailed += 1;
    method.tally.modernAsked += 1;
  }

  #giveUp({ method, shadow }: Call, failure: unknown): never {
    method.tally.answeredModern += 1;
    shadow?.answerFailed(failure);
    throw failure;
  }

  #fallBack(call: Call, reason: FallbackReason, failure: unknown): unknown {
    const { tally } = call.method;
    call.fellBack = reason;
    tally.fellBack(reason);
    // Modern's outcome is known already, so its failure is compared with legacy's answer.
    call.shadow?.fellBack(failure);
    const answer = this.#answerWithLegacy(call);
    if (reason !== "REFUSED")
      whenAnswered(answer, () => {
        tally.answeredInstead += 1;
      });
    return answer;
  }

  /**
   * Whether legacy may answer instead of modern: only a read, and only while legacy is fresh. A write is
   * never repeated.
   */
  #canFallBack({ method, plan }: Call): boolean {
    // Legacy is stale once it is no longer written.
    if (method.isWrite || method.legacy === undefined || !writesOf(plan).includes("legacy")) return false;
    try {
      return this.options.legacyIsFresh();
    } catch {
      method.tally.broken += 1;
      return false;
    }
  }

  // --- the shadow side ---

  #shadowFor(call: Call, { answer, shadow }: Route): ShadowCall | undefined {
    const { method, args } = call;
    const { tally } = method;
    const { lost } = this.options;
    const { controlRatio, inputValuesMax } = this.options.shadow;
    // The side that answers is asked a second time, also where that is modern.
    const ratio = answer === "modern" ? Math.min(controlRatio, modernControlsMax) : controlRatio;
    const isControl = ratio > 0 && this.options.draw() < ratio;
    call.isUnobserved = isControl || shadow === null;
    if (!isControl && shadow === null) {
      tally.sampledOut += 1;
      return undefined;
    }
    const role: ShadowRole =
      isControl || shadow === null ? { side: answer, kind: "aa" } : shadowRoles[shadow];
    tally.eligible += 1;
    if (isControl) tally.controls += 1;
    // If modern lacks the method, only legacy can answer, so there is nothing to compare.
    if (
      method.comparer === undefined ||
      method[role.side] === undefined ||
      (!isControl && method.modern === undefined)
    ) {
      tally.excluded += 1;
      if (!isControl) lost?.(call, "excluded");
      return undefined;
    }
    const shed = this.options.slots.enter(tally.underWay);
    if (shed !== undefined) {
      tally.shed(shed);
      if (!isControl) lost?.(call, shed);
      return undefined;
    }
    const copy = frozenArguments(args, inputValuesMax);
    if (typeof copy === "string") {
      this.options.slots.leave();
      tally.shed(copy);
      if (!isControl) lost?.(call, copy);
      return undefined;
    }
    tally.underWay += 1;
    const made = new ShadowCall(call, copy, role, this);
    made.slot = this.#freeSlots.pop() as number;
    this.#shadows[made.slot] = made;
    if (this.#stopTicking === undefined) this.#tick();
    return made;
  }

  finished(shadow: ShadowCall): void {
    this.#shadows[shadow.slot] = undefined;
    this.#freeSlots.push(shadow.slot);
    this.options.slots.leave();
    shadow.call.method.tally.underWay -= 1;
  }

  /**
   * Starts one timer for all deadlines, because a timer costs more than a call. The timer stops when no
   * shadow call is in flight.
   */
  #tick(): void {
    const { clock, slots, shadow } = this.options;
    this.#stopTicking = clock.every(Math.max(5, Math.min(50, shadow.timeoutMs / 4)), () => {
      if (slots.inFlight === 0) {
        this.#stopTicking?.();
        this.#stopTicking = undefined;
      }
      const nowMs = clock.monotonicMs();
      for (const waiting of this.#shadows) waiting?.checkDeadline(nowMs);
    });
  }
}

const copyOrSame = (args: readonly unknown[], valuesMax: number): readonly unknown[] => {
  const copies = frozenArguments(args, valuesMax);
  return typeof copies === "string" ? args : copies;
};

/**
 * Calls `then` when an answer has arrived, never if it fails. A thenable that is not a Promise counts as an
 * answer at once.
 */
function whenAnswered(answer: unknown, then: () => void): void {
  if (kindOf(answer) === "promise") (answer as Promise<unknown>).then(then, () => {});
  else then();
}
