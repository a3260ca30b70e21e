/**
 * How one call runs. A read that is shadowed:
 *
 *   caller ──► route ──► frozen copy of the input ──► answering side ──► its own promise, returned as it is
 *                                                          │ settles
 *                                                          ▼
 *                                     what is compared is copied before the caller has it
 *                                                          │ the caller goes on
 *                                                          ▼
 *                              shadow side, on the frozen copy, with a deadline ──► compared, recorded
 *
 * The shadow starts when the answer has been handed out, so it never runs beside the call that it shadows. A call that was let into the
 * lane leaves it in exactly one way: compared, error, timeout or shed. A failure of any of this is counted and never reaches the caller.
 */
import { type MigrationPlan, writesOf } from "../../domain/migration/plan.ts";
import { type CallKey, type Route, routeOf, sampleDraw, unitOf } from "../../domain/migration/route.ts";
import { blameOf, SystemFailure } from "../../domain/migration/system-failure.ts";
import { Call, CallContext, type RunnerMethod, type RunnerOptions, unlimited } from "./call.ts";
import { isTimeout, systemFailureOf, timeout } from "./call-comparison.ts";
import { frozenArguments } from "./frozen-copy.ts";
import type { FallbackReason } from "./options.ts";
import { kindOf, observe, ShadowCall, type ShadowHost, type ShadowRole, shadowRoles } from "./shadow-call.ts";
import { isThenable } from "./thenable.ts";

export class CallRunner implements ShadowHost {
  plan: MigrationPlan;
  readonly options: RunnerOptions;
  /** The calls in the lane: a place for each, handed out and given back. A Set would be made anew every few calls. */
  readonly #places: (ShadowCall | undefined)[];
  readonly #free: number[];
  #stopTicking: (() => void) | undefined;
  #calls = 0;

  constructor(plan: MigrationPlan, options: RunnerOptions) {
    this.plan = plan;
    this.options = options;
    const places = options.shadow.inFlightMax;
    this.#places = new Array(places).fill(undefined);
    this.#free = Array.from({ length: places }, (_, index) => places - 1 - index);
  }

  /** A call under the plan of this moment. */
  begin(method: RunnerMethod, args: readonly unknown[], key: CallKey): Call {
    return new Call(method, args, key, this.plan);
  }

  /** Runs a call. It returns or throws what the answering side returned or threw. */
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
    return route.answer === "modern" ? this.#answerWithModern(call) : this.#answerWithLegacy(call);
  }

  /** The authoritative side answers. While that is legacy and it lacks writes that modern has, it must not be given more. */
  #write(call: Call): unknown {
    call.plan = this.plan;
    const [answer] = writesOf(call.plan);
    const owed = answer === "legacy" ? this.options.owed?.owedToLegacy() : undefined;
    if (owed !== undefined && owed.count > 0)
      throw new SystemFailure(
        "BUSY",
        `${owed.count} writes are owed to legacy, the oldest for ${owed.oldestMs} ms: try again when they are there`,
        { code: "DRAINING" },
      );
    call.method.tally.routed("PHASE");
    return answer === "modern" ? this.#answerWithModern(call) : this.#answerWithLegacy(call);
  }

  /** Shadow calls that are not done, for whoever closes or waits. */
  get underWay(): number {
    return this.options.lane.inFlight;
  }

  close(): void {
    this.options.lane.close();
    this.#stopTicking?.();
    this.#stopTicking = undefined;
    for (const shadow of this.#places) shadow?.shed("closed");
  }

  // --- the answering side -------------------------------------------------------------------------------------------

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
    // Legacy may still be asked with the same input, so modern gets one that it cannot change.
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
      // The caller waits, so the program does: even where modern hangs on nothing that would keep it alive.
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
      // A thenable that throws instead of settling has failed.
      try {
        (answer as PromiseLike<unknown>).then(answered, failed);
      } catch (failure) {
        failed(failure);
      }
    });
  }

  #modernAnswered({ method, era, shadow }: Call, answer: unknown): void {
    const { breaker, tally } = method;
    breaker.succeeded(era, this.options.clock.monotonicMs());
    tally.answeredModern += 1;
    tally.modernAsked += 1;
    shadow?.answered(answer);
  }

  /** Modern is not asked at all. */
  #skipModern(call: Call, reason: FallbackReason): unknown {
    const { name, tally } = call.method;
    tally.modernAsked += 1;
    const failure = new SystemFailure("BUSY", `modern cannot answer ${name}: ${reason}`);
    return this.#canFallBack(call) ? this.#fallBack(call, reason, failure) : this.#giveUp(call, failure);
  }

  /**
   * A failure counts against modern at once where it is the system's own, never where the request is to blame. Where the failure does
   * not say, legacy does: a request that legacy answers was a good one, and one that both fail counts against nobody.
   */
  #modernFailed(call: Call, failure: unknown): unknown {
    const { breaker } = call.method;
    const known = systemFailureOf(failure);
    const blame = known === undefined ? "unknown" : blameOf(known);
    if (blame === "system") this.#countFailure(call);
    else breaker.released(call.era);
    if (!this.#canFallBack(call)) {
      // Nobody is left to ask: then an error that is no refusal is the system's.
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
    // What modern did is known already: its failure against legacy's answer is the comparison.
    call.shadow?.turn(failure);
    const answer = this.#answerWithLegacy(call);
    if (reason !== "REFUSED")
      whenAnswered(answer, () => {
        tally.answeredInstead += 1;
      });
    return answer;
  }

  /** Legacy answers a read in modern's place, while it is fresh. A write is never repeated behind the caller's back. */
  #canFallBack({ method, plan }: Call): boolean {
    // Legacy that is written no longer has not been fresh since.
    if (method.isWrite || method.legacy === undefined || !writesOf(plan).includes("legacy")) return false;
    try {
      return this.options.legacyIsFresh();
    } catch {
      method.tally.broken += 1;
      return false;
    }
  }

  // --- the shadow side ----------------------------------------------------------------------------------------------

  #shadowFor(call: Call, { answer, shadow }: Route): ShadowCall | undefined {
    const { method, args } = call;
    const { tally } = method;
    const { controlRatio, inputValuesMax } = this.options.shadow;
    const isControl = answer === "legacy" && controlRatio > 0 && this.options.draw() < controlRatio;
    if (!isControl && shadow === null) {
      tally.sampledOut += 1;
      return undefined;
    }
    const role: ShadowRole = isControl || shadow === null ? shadowRoles.control : shadowRoles[shadow];
    tally.eligible += 1;
    // Whoever answers: a method that modern has not got is answered by legacy, and there is nothing to compare.
    if (method.comparer === undefined || method[role.side] === undefined || (!isControl && method.modern === undefined)) {
      tally.excluded += 1;
      return undefined;
    }
    const shed = this.options.lane.enter(tally.underWay);
    if (shed !== undefined) {
      tally.shed(shed);
      return undefined;
    }
    const copy = frozenArguments(args, inputValuesMax);
    if (typeof copy === "string") {
      this.options.lane.leave();
      tally.shed(copy);
      return undefined;
    }
    tally.underWay += 1;
    const made = new ShadowCall(call, copy, role, this);
    made.place = this.#free.pop() as number;
    this.#places[made.place] = made;
    if (this.#stopTicking === undefined) this.#tick();
    return made;
  }

  finished(shadow: ShadowCall): void {
    this.#places[shadow.place] = undefined;
    this.#free.push(shadow.place);
    this.options.lane.leave();
    shadow.call.method.tally.underWay -= 1;
  }

  /** One timer for all deadlines. It ends itself where it finds nothing waiting: starting one costs more than a call. */
  #tick(): void {
    const { clock, lane, shadow } = this.options;
    this.#stopTicking = clock.every(Math.max(5, Math.min(50, shadow.timeoutMs / 4)), () => {
      if (lane.inFlight === 0) {
        this.#stopTicking?.();
        this.#stopTicking = undefined;
      }
      const nowMs = clock.monotonicMs();
      for (const waiting of this.#places) waiting?.checkDeadline(nowMs);
    });
  }
}

const copyOrSame = (args: readonly unknown[], valuesMax: number): readonly unknown[] => {
  const copies = frozenArguments(args, valuesMax);
  return typeof copies === "string" ? args : copies;
};

/** Calls back when an answer is there, and never where it fails. A thenable that is no promise is left alone and counts as an answer. */
function whenAnswered(answer: unknown, then: () => void): void {
  if (kindOf(answer) === "promise") (answer as Promise<unknown>).then(then, () => {});
  else then();
}
