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
 * The shadow starts when the answer has been handed out, so it never runs beside the call that it shadows. A call that was
 * let into the lane leaves it in exactly one way: compared, error, timeout or shed. Whatever of this fails is counted, never told
 * to the caller.
 */
import type { AnswerComparer, FieldDifference, Sightings } from "../../comparison/index.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import { type MigrationPlan, writesOf } from "../../domain/migration/plan.ts";
import { type CallKey, type Route, routeOf, sampleDraw, unitOf } from "../../domain/migration/route.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ComparisonRecord } from "../../ports/evidence.ts";
import type { OwedWrites } from "../../ports/owed-writes.ts";
import type { Breaker } from "./breaker.ts";
import type { MethodTally } from "./counters.ts";
import { frozenArguments, ownCopy } from "./frozen-copy.ts";
import type { AnsweringOptions, CallComparison, FallbackReason, ShadowOptions, SideObservation } from "./options.ts";
import { none, type Samples, type WholeSightings } from "./samples.ts";
import type { ShadowLane, ShedReason } from "./shadow-lane.ts";
import { isThenable } from "./thenable.ts";

/** One method of both systems. */
export interface RunnerMethod {
  readonly name: string;
  readonly isWrite: boolean;
  readonly legacy: SideFunction | undefined;
  readonly modern: SideFunction | undefined;
  /** Undefined: the method is left out of comparison. Another one counts from the next comparison on. */
  comparer: AnswerComparer | undefined;
  readonly project: ((answer: unknown) => unknown) | undefined;
  readonly tally: MethodTally;
  readonly breaker: Breaker;
  /** What ended without looking into the answers. */
  readonly whole: WholeSightings;
}

export type SideFunction = (args: readonly unknown[], call: CallContext) => unknown;

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

  /** Made when it is first asked for: most functions never do. */
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

/** Filled in while a call runs, for who wants to know who answered. */
export interface CallOutcome {
  source: Side;
  epoch: number;
  fellBack?: FallbackReason;
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
  /** Handed each comparison; what it throws is counted. */
  readonly onComparison: ((comparison: CallComparison) => unknown) | undefined;
  /** Handed each comparison for keeping; must not throw and not wait. */
  readonly keep: ((draft: ComparisonDraft) => void) | undefined;
  /** 0 to 1, for sampling and shuffling. */
  readonly draw: () => number;
}

/** A comparison as it is handed on for keeping: the input is fingerprinted later, out of everybody's way. */
export type ComparisonDraft = Omit<ComparisonRecord, "fingerprint"> & { readonly input: readonly unknown[] };

export class CallRunner {
  plan: MigrationPlan;
  readonly #options: RunnerOptions;
  /** The calls in the lane: a place for each, handed out and given back. A Set would be made anew every few calls. */
  readonly #places: (ShadowCall | undefined)[];
  readonly #free: number[];
  #stopTicking: (() => void) | undefined;
  #calls = 0;

  constructor(plan: MigrationPlan, options: RunnerOptions) {
    this.plan = plan;
    this.#options = options;
    const places = options.shadow.inFlightMax;
    this.#places = new Array(places).fill(undefined);
    this.#free = Array.from({ length: places }, (_, index) => places - 1 - index);
  }

  /** Runs a call. What it returns or throws is what the answering side returned or threw. */
  run(method: RunnerMethod, args: readonly unknown[], key: CallKey, outcome: CallOutcome): unknown {
    const { plan } = this;
    const { tally } = method;
    this.#calls += 1;
    outcome.epoch = plan.epoch;
    if (method.isWrite) {
      const { admitWrite } = this.#options;
      return admitWrite === undefined
        ? this.#write(method, args, outcome)
        : admitWrite().then(() => this.#write(method, args, outcome));
    }
    const draw = plan.shadowSampleRatio >= 1 ? 0 : sampleDraw(plan, unitOf(plan, key) ?? "", this.#calls);
    const route = routeOf(plan, key, draw);
    tally.routed(route.because);
    const shadow = route.eligible ? this.#shadowFor(method, args, key, route, plan) : undefined;
    return this.#answer(method, args, route.answer, plan, outcome, shadow);
  }

  /** By who is authoritative. While legacy is and has not got all of what modern was given, it must not be given more. */
  #write(method: RunnerMethod, args: readonly unknown[], outcome: CallOutcome): unknown {
    const { plan } = this;
    outcome.epoch = plan.epoch;
    const [answer] = writesOf(plan);
    const { count = 0, oldestMs = 0 } = answer === "legacy" ? { ...this.#options.owed?.owedToLegacy() } : {};
    if (count > 0)
      throw new SystemFailure(
        "BUSY",
        `${count} writes are owed to legacy, the oldest for ${oldestMs} ms: try again when they are there`,
        {
          code: "DRAINING",
        },
      );
    method.tally.routed("PHASE");
    return this.#answer(method, args, answer, plan, outcome, undefined);
  }

  /** Shadow calls that are not done; for who closes or waits. */
  get underWay(): number {
    return this.#options.lane.inFlight;
  }

  close(): void {
    this.#options.lane.close();
    this.#stopTicking?.();
    this.#stopTicking = undefined;
    for (const call of this.#places) call?.shed("closed");
  }

  // --- the answering side -------------------------------------------------------------------------------------------

  #answer(
    method: RunnerMethod,
    args: readonly unknown[],
    side: Side,
    plan: MigrationPlan,
    outcome: CallOutcome,
    shadow: ShadowCall | undefined,
  ): unknown {
    if (side === "modern") return this.#answerWithModern(method, args, plan, outcome, shadow);
    outcome.source = "legacy";
    method.tally.answeredLegacy += 1;
    return this.#runLegacy(method, args, shadow);
  }

  #runLegacy(method: RunnerMethod, args: readonly unknown[], shadow: ShadowCall | undefined): unknown {
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

  #answerWithModern(
    method: RunnerMethod,
    args: readonly unknown[],
    plan: MigrationPlan,
    outcome: CallOutcome,
    shadow: ShadowCall | undefined,
  ): unknown {
    const { clock, answering } = this.#options;
    outcome.source = "modern";
    if (method.modern === undefined) return this.#fallBack(method, args, plan, outcome, shadow, "NO_METHOD", undefined);
    if (!method.breaker.allows(clock.monotonicMs()))
      return this.#fallBack(method, args, plan, outcome, shadow, "BREAKER_OPEN", undefined);
    // Legacy may still be asked with the same input, so modern gets one that it cannot change.
    const copied = shadow?.input ?? (method.isWrite ? args : copyOrSame(args, this.#options.shadow.inputValuesMax));
    const context = new CallContext(answering.timeoutMs);
    const failed = (reason: FallbackReason, failure: unknown): unknown =>
      this.#modernFailed(method, args, plan, outcome, shadow, reason, failure);
    let answer: unknown;
    let isPromise: boolean;
    try {
      answer = method.modern(copied, context);
      isPromise = isThenable(answer);
    } catch (failure) {
      return failed(isTimeout(failure) ? "TIMEOUT" : "FAILED", failure);
    }
    if (!isPromise) {
      method.breaker.succeeded(clock.monotonicMs());
      method.tally.answeredModern += 1;
      shadow?.answered(answer);
      return answer;
    }
    return new Promise((resolve, reject) => {
      let over = false;
      // The caller waits, so the program does: even where modern hangs on nothing that would keep it alive.
      const stop = clock.every(
        answering.timeoutMs,
        () => {
          if (over) return;
          over = true;
          stop();
          context.abort();
          settle(() => failed("TIMEOUT", timeout(method.name, answering.timeoutMs)), resolve, reject);
        },
        true,
      );
      settledBy(
        answer as PromiseLike<unknown>,
        (value) => {
          if (over) return;
          over = true;
          stop();
          method.breaker.succeeded(clock.monotonicMs());
          method.tally.answeredModern += 1;
          shadow?.answered(value);
          resolve(value);
        },
        (failure) => {
          if (over) return;
          over = true;
          stop();
          settle(() => failed(isTimeout(failure) ? "TIMEOUT" : "FAILED", failure), resolve, reject);
        },
      );
    });
  }

  #modernFailed(
    method: RunnerMethod,
    args: readonly unknown[],
    plan: MigrationPlan,
    outcome: CallOutcome,
    shadow: ShadowCall | undefined,
    reason: FallbackReason,
    failure: unknown,
  ): unknown {
    method.breaker.failed(this.#options.clock.monotonicMs());
    method.tally.modernFailed += 1;
    return this.#fallBack(method, args, plan, outcome, shadow, reason, { failure });
  }

  /** Legacy answers a read in modern's place, while it is fresh. A write is never repeated behind the caller's back. */
  #fallBack(
    method: RunnerMethod,
    args: readonly unknown[],
    plan: MigrationPlan,
    outcome: CallOutcome,
    shadow: ShadowCall | undefined,
    reason: FallbackReason,
    failed: { readonly failure: unknown } | undefined,
  ): unknown {
    if (method.isWrite || method.legacy === undefined || !this.#legacyIsFresh(method, plan)) {
      const failure =
        failed === undefined ? new SystemFailure("BUSY", `modern cannot answer ${method.name}: ${reason}`) : failed.failure;
      method.tally.answeredModern += 1;
      shadow?.answerFailed(failure);
      throw failure;
    }
    outcome.source = "legacy";
    outcome.fellBack = reason;
    method.tally.fellBack(reason);
    method.tally.answeredLegacy += 1;
    // What modern did is known already: its failure against legacy's answer is the comparison.
    shadow?.turn(failed?.failure ?? new SystemFailure("BUSY", reason));
    return this.#runLegacy(method, args, shadow);
  }

  /** Legacy that is written no longer has not been fresh since. */
  #legacyIsFresh({ tally }: RunnerMethod, plan: MigrationPlan): boolean {
    if (!writesOf(plan).includes("legacy")) return false;
    try {
      return this.#options.legacyIsFresh();
    } catch {
      tally.broken += 1;
      return false;
    }
  }

  // --- the shadow side ----------------------------------------------------------------------------------------------

  #shadowFor(
    method: RunnerMethod,
    args: readonly unknown[],
    key: CallKey,
    route: Route,
    plan: MigrationPlan,
  ): ShadowCall | undefined {
    const { tally } = method;
    const control = this.#options.shadow.controlRatio;
    const kind = route.answer === "legacy" && control > 0 && this.#options.draw() < control ? "aa" : "ab";
    if (kind === "ab" && route.shadow === null) {
      tally.sampledOut += 1;
      return undefined;
    }
    const side = kind === "aa" ? "legacy" : (route.shadow as Side);
    tally.eligible += 1;
    const run = method[side];
    // Whoever answers: a method that modern has not got is answered by legacy, and there is nothing to compare.
    if (method.comparer === undefined || run === undefined || (kind === "ab" && method.modern === undefined)) {
      tally.excluded += 1;
      return undefined;
    }
    const shed = this.#options.lane.enter(tally.underWay);
    if (shed !== undefined) {
      tally.shed(shed);
      return undefined;
    }
    const copy = frozenArguments(args, this.#options.shadow.inputValuesMax);
    if (typeof copy === "string") {
      this.#options.lane.leave();
      tally.shed(copy);
      return undefined;
    }
    tally.underWay += 1;
    const call = new ShadowCall(this, method, run, copy, side, kind, plan, unitOf(plan, key) ?? null, this.#options);
    call.place = this.#free.pop() as number;
    this.#places[call.place] = call;
    if (this.#stopTicking === undefined) this.#tick();
    return call;
  }

  /** Called by a shadow call when it is over. */
  finished(call: ShadowCall): void {
    this.#places[call.place] = undefined;
    this.#free.push(call.place);
    this.#options.lane.leave();
    call.method.tally.underWay -= 1;
  }

  /** One timer for all deadlines. It ends itself where it finds nothing waiting: starting one costs more than a call. */
  #tick(): void {
    const { clock, shadow } = this.#options;
    this.#stopTicking = clock.every(Math.max(5, Math.min(50, shadow.timeoutMs / 4)), () => {
      if (this.#options.lane.inFlight === 0) {
        this.#stopTicking?.();
        this.#stopTicking = undefined;
      }
      const nowMs = clock.monotonicMs();
      for (const call of this.#places) call?.checkDeadline(nowMs);
    });
  }
}

/** What waits for it runs when the microtasks that are queued have run. Cheaper than queueMicrotask, and `#start` throws nothing. */
const soon = Promise.resolve();

/** Legacy answers in its own time. */
const unlimited = new CallContext(Number.POSITIVE_INFINITY);

/** A legacy that never settles would hold its place in the lane for ever. */
const answerWaitMaxMs = 60_000;

/** One call in the lane: it has an answer to wait for, then a shadow to run, then two observations to compare. */
class ShadowCall {
  readonly method: RunnerMethod;
  readonly input: readonly unknown[];
  /** Where the runner keeps it. */
  place = -1;
  readonly #runner: CallRunner;
  #run: SideFunction;
  #side: Side;
  readonly #kind: "ab" | "aa";
  readonly #plan: MigrationPlan;
  readonly #unit: string | null;
  readonly #options: RunnerOptions;
  #startedMs: number;
  #deadlineMs: number;
  #answer: Observation | undefined;
  /** Of a call that fell back: what modern did, which is what the shadow would have found out. */
  #known: Observation | undefined;
  #context: CallContext | undefined;
  #over = false;

  constructor(
    runner: CallRunner,
    method: RunnerMethod,
    run: SideFunction,
    input: readonly unknown[],
    side: Side,
    kind: "ab" | "aa",
    plan: MigrationPlan,
    unit: string | null,
    options: RunnerOptions,
  ) {
    this.#runner = runner;
    this.method = method;
    this.#run = run;
    this.input = input;
    this.#side = side;
    this.#kind = kind;
    this.#plan = plan;
    this.#unit = unit;
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
    this.#deadlineMs = this.#startedMs + answerWaitMaxMs;
  }

  /** The answering side has answered; its caller has the answer when the microtask after this one runs. */
  answered(value: unknown): void {
    if (this.#over) return;
    this.#settled(this.#observation(value, true));
  }

  answerFailed(failure: unknown): void {
    this.#settled({ ms: this.#elapsedMs(), failed: true, failure });
  }

  /** Modern failed and legacy answers instead: no shadow is left to run. */
  turn(failure: unknown): void {
    this.#known = { ms: this.#elapsedMs(), failed: true, failure };
    this.#startedMs = this.#options.clock.monotonicMs();
    this.#side = "modern";
  }

  checkDeadline(nowMs: number): void {
    if (this.#over || nowMs < this.#deadlineMs) return;
    if (this.#answer === undefined) {
      this.shed("legacy_pending");
      return;
    }
    this.#context?.abort();
    this.#end();
    this.method.tally.timeouts += 1;
    const late: Observation = { ms: null, failed: true, failure: timeout(this.method.name, this.#options.shadow.timeoutMs) };
    this.#report("error", this.#answer, late, this.method.whole.count("error"), []);
  }

  shed(reason: ShedReason): void {
    if (this.#over) return;
    this.#context?.abort();
    this.#end();
    this.method.tally.shed(reason);
  }

  #settled(observed: Observation): void {
    if (this.#over || this.#answer !== undefined) return;
    this.#answer = observed;
    if (this.#known !== undefined) {
      this.#compare(this.#known);
      return;
    }
    // The caller's own reaction stands in the queue already, and comes first.
    soon.then(() => this.#start());
  }

  #start(): void {
    if (this.#over) return;
    const { clock, shadow } = this.#options;
    this.#startedMs = clock.monotonicMs();
    this.#deadlineMs = this.#startedMs + shadow.timeoutMs;
    this.#context = new CallContext(shadow.timeoutMs);
    try {
      const answer = this.#run(this.input, this.#context);
      if (isThenable(answer))
        answer.then(
          (value) => this.#observed(value),
          (failure) => this.#failed(failure),
        );
      else this.#observed(answer);
    } catch (failure) {
      this.#failed(failure);
    }
  }

  #observed(value: unknown): void {
    if (!this.#over) this.#compare(this.#observation(value, false));
  }

  #failed(failure: unknown): void {
    if (!this.#over) this.#compare({ ms: this.#elapsedMs(), failed: true, failure });
  }

  #elapsedMs(): number {
    return this.#options.clock.monotonicMs() - this.#startedMs;
  }

  /** What is compared of an answer: a copy, where its caller and the system may change it while the other side is waited for. */
  #observation(value: unknown, copies: boolean): Observation {
    const ms = this.#elapsedMs();
    const { project } = this.method;
    let seen = value;
    if (project !== undefined)
      try {
        seen = project(value);
        this.#swallow(seen);
      } catch (failure) {
        this.method.tally.broken += 1;
        return { ms, failed: false, uncopied: errorText(failure) };
      }
    if (!copies) return { ms, failed: false, value: seen };
    const copy = ownCopy(seen, resultValuesMax);
    return typeof copy === "string" ? { ms, failed: false, uncopied: copy } : { ms, failed: false, value: copy.value };
  }

  #compare(shadow: Observation): void {
    const answer = this.#answer as Observation;
    this.#end();
    try {
      // Legacy with itself stands in random order, so that what comes second is not always the one.
      const inOrder = this.#kind === "aa" ? this.#options.draw() < 0.5 : this.#side === "modern";
      const [legacy, modern] = inOrder ? [answer, shadow] : [shadow, answer];
      if (legacy.failed || modern.failed) {
        const alike = legacy.failed && modern.failed && classOf(legacy.failure) === classOf(modern.failure);
        if (alike) this.#count("equal");
        else if (isTimeout(shadow.failure) && !answer.failed) this.method.tally.timeouts += 1;
        else this.method.tally.errors += 1;
        if (alike) this.#report("equal", answer, shadow, none, []);
        else this.#report("error", answer, shadow, this.method.whole.count("error"), []);
      } else if (legacy.uncopied !== undefined || modern.uncopied !== undefined) {
        this.#count("not_comparable");
        this.#report("not_comparable", answer, shadow, this.method.whole.count("not_comparable"), []);
      } else {
        const comparer = this.method.comparer as AnswerComparer;
        const today = comparer.needsToday ? this.#options.clock.today() : "";
        const { verdict, told } = comparer.judge(legacy.value, modern.value, today);
        this.#count(verdict);
        // Of most comparisons nobody asks for the fields: they are told in a second look.
        if (told.size > 0 || this.#isHeard)
          this.#report(verdict, answer, shadow, told, comparer.compare(legacy.value, modern.value, today).fields);
      }
    } catch {
      // A comparer or classifier that throws: the call still ends in one place.
      this.method.tally.broken += 1;
      this.#count("not_comparable");
    }
  }

  /** A callback that is asynchronous all the same may reject, and nobody would be there to see it. */
  #swallow(returned: unknown): void {
    if (returned !== undefined && isThenable(returned))
      returned.then(undefined, () => {
        this.method.tally.broken += 1;
      });
  }

  #count(verdict: ComparisonRecord["verdict"]): void {
    this.method.tally.verdict(verdict);
    if (verdict === "diverged" && this.#kind === "ab" && this.#side === "legacy") this.method.tally.servedDiverged += 1;
  }

  #end(): void {
    this.#over = true;
    this.#runner.finished(this);
  }

  get #isHeard(): boolean {
    return this.#options.onComparison !== undefined || this.#options.keep !== undefined;
  }

  #report(
    verdict: ComparisonRecord["verdict"],
    answer: Observation,
    shadow: Observation,
    told: ReadonlySet<Sightings>,
    fields: readonly FieldDifference[],
  ): void {
    const { samples, onComparison, keep } = this.#options;
    const comparison = this.#comparison(verdict, answer, shadow, fields);
    samples.keep(comparison, told);
    try {
      if (onComparison !== undefined) this.#swallow(onComparison(comparison));
    } catch {
      this.method.tally.broken += 1;
    }
    if (keep === undefined) return;
    const { method, at, epoch, answered, kind, legacy, modern } = comparison;
    keep({
      at,
      method,
      epoch,
      answered,
      kind,
      verdict,
      unit: this.#unit,
      input: this.input,
      legacyMs: legacy.ms,
      modernMs: modern.ms,
      legacyError: legacy.error ?? null,
      modernError: modern.error ?? null,
      fields,
    });
  }

  #comparison(
    verdict: ComparisonRecord["verdict"],
    answer: Observation,
    shadow: Observation,
    fields: readonly FieldDifference[],
  ): ComparisonOfCall {
    const { clock } = this.#options;
    const answered = this.#kind === "aa" ? "legacy" : otherSide(this.#side);
    return new ComparisonOfCall(
      this.method.name,
      verdict,
      this.#kind,
      answered,
      this.#plan.epoch,
      fields,
      answered === "legacy" ? answer : shadow,
      answered === "legacy" ? shadow : answer,
      clock,
      shadow.ms === null ? clock.monotonicMs() : this.#startedMs + shadow.ms,
    );
  }
}

/** A comparison whose texts are made when somebody looks: most are only counted. */
class ComparisonOfCall implements CallComparison {
  readonly method: string;
  readonly verdict: CallComparison["verdict"];
  readonly kind: "ab" | "aa";
  readonly answered: Side;
  readonly epoch: number;
  readonly fields: CallComparison["fields"];
  readonly #legacyMs: number | null;
  readonly #modernMs: number | null;
  readonly #legacyFailed: boolean;
  readonly #modernFailed: boolean;
  readonly #legacyFailure: unknown;
  readonly #modernFailure: unknown;
  readonly #clock: Clock;
  readonly #atMonotonicMs: number;

  constructor(
    method: string,
    verdict: CallComparison["verdict"],
    kind: "ab" | "aa",
    answered: Side,
    epoch: number,
    fields: CallComparison["fields"],
    legacy: Observation,
    modern: Observation,
    clock: Clock,
    atMonotonicMs: number,
  ) {
    this.method = method;
    this.verdict = verdict;
    this.kind = kind;
    this.answered = answered;
    this.epoch = epoch;
    this.fields = fields;
    // Not the answers themselves: whoever keeps a comparison must not keep them.
    this.#legacyMs = legacy.ms;
    this.#modernMs = modern.ms;
    this.#legacyFailed = legacy.failed;
    this.#modernFailed = modern.failed;
    this.#legacyFailure = legacy.failure;
    this.#modernFailure = modern.failure;
    this.#clock = clock;
    this.#atMonotonicMs = atMonotonicMs;
  }

  get legacy(): SideObservation {
    return sideOf(this.#legacyMs, this.#legacyFailed, this.#legacyFailure);
  }

  get modern(): SideObservation {
    return sideOf(this.#modernMs, this.#modernFailed, this.#modernFailure);
  }

  get at(): string {
    const agoMs = this.#clock.monotonicMs() - this.#atMonotonicMs;
    return new Date(this.#clock.nowMs() - agoMs).toISOString();
  }

  toJSON(): CallComparison {
    const { method, verdict, kind, answered, epoch, fields, legacy, modern, at } = this;
    return { method, verdict, kind, answered, epoch, fields, legacy, modern, at };
  }
}

interface Observation {
  /** Null where it has not answered. */
  readonly ms: number | null;
  readonly failed: boolean;
  readonly failure?: unknown;
  readonly value?: unknown;
  /** Why there is no copy of the answer. */
  readonly uncopied?: string;
}

const resultValuesMax = 20_000;
const errorTextMax = 200;

function sideOf(ms: number | null, failed: boolean, failure: unknown): SideObservation {
  return failed ? { ms, error: errorText(failure) } : { ms };
}

function errorText(failure: unknown): string {
  let text: string;
  try {
    text = failure instanceof SystemFailure ? `${failure.failure}: ${failure.message}` : String(failure);
  } catch {
    text = "an error that has no text";
  }
  return text.length > errorTextMax ? `${text.slice(0, errorTextMax)}…` : text;
}

/** A system may see its deadline pass before the bridge does: it is the same event. */
const isTimeout = (failure: unknown): boolean => failure instanceof SystemFailure && failure.failure === "TIMEOUT";

const timeout = (method: string, ms: number): SystemFailure =>
  new SystemFailure("TIMEOUT", `${method} did not answer within ${ms} ms`);

const copyOrSame = (args: readonly unknown[], valuesMax: number): readonly unknown[] => {
  const copies = frozenArguments(args, valuesMax);
  return typeof copies === "string" ? args : copies;
};

/** Takes note of an answer before the caller can: the reaction that is registered first runs first. */
function observe(answer: unknown, shadow: ShadowCall): void {
  if (answer instanceof Promise)
    answer.then(
      (value) => shadow.answered(value),
      (failure) => shadow.answerFailed(failure),
    );
  else if (looksThenable(answer)) shadow.shed("answer_not_a_promise");
  else shadow.answered(answer);
}

/** A thenable that throws instead of settling has failed. */
function settledBy(answer: PromiseLike<unknown>, done: (value: unknown) => void, failed: (failure: unknown) => void): void {
  try {
    answer.then(done, failed);
  } catch (failure) {
    failed(failure);
  }
}

/** Whether it may be a thenable: not even looking at the answer may fail the call. */
function looksThenable(answer: unknown): boolean {
  try {
    return isThenable(answer);
  } catch {
    return true;
  }
}

function settle(work: () => unknown, resolve: (value: unknown) => void, reject: (failure: unknown) => void): void {
  try {
    resolve(work());
  } catch (failure) {
    reject(failure);
  }
}

/** Failures are alike where they are of one class: the code where there is one, else the name of the error's class. */
function classOf(failure: unknown): string {
  if (failure instanceof SystemFailure) return failure.code ?? failure.failure;
  if (failure instanceof Error) {
    const { code } = failure as { readonly code?: unknown };
    return typeof code === "string" ? code : failure.name;
  }
  return typeof failure;
}
