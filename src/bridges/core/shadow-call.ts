import type { AnswerComparer, AnswerComparison, Sightings } from "../../comparison/index.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import { unitOf } from "../../domain/migration/route.ts";
import type { Verdict } from "../../domain/migration/verdict.ts";
import { type AnswerObserver, type Call, CallContext, type RunnerOptions, type SideFunction } from "./call.ts";
import { ComparisonOfCall, classOf, errorText, isTimeout, type Observation, timeout } from "./call-comparison.ts";
import { ownCopy } from "./frozen-copy.ts";
import { none } from "./samples.ts";
import type { ShedReason } from "./shadow-lane.ts";
import { isThenable } from "./thenable.ts";

/** Which side is asked in the shadow, and whether the other one is compared with it (`ab`) or legacy with itself (`aa`). */
export interface ShadowRole {
  readonly side: Side;
  readonly kind: "ab" | "aa";
}
export const shadowRoles = {
  legacy: { side: "legacy", kind: "ab" },
  modern: { side: "modern", kind: "ab" },
  control: { side: "legacy", kind: "aa" },
} as const satisfies Record<string, ShadowRole>;

/** What runs shadow calls. */
export interface ShadowHost {
  readonly options: RunnerOptions;
  /** The call is over, and has left its place. */
  finished(shadow: ShadowCall): void;
}

/** What a comparison told of the answers' fields. */
type Told = Pick<AnswerComparison, "fields" | "more" | "excluded">;
const nothingTold: Told = Object.freeze({ fields: Object.freeze([]), more: 0, excluded: 0 });

/** Its reactions run after all microtasks that are queued. Cheaper than queueMicrotask, and `#start` throws nothing. */
const soon = Promise.resolve();

/** A legacy that never settles would hold its place in the lane for ever. */
const answerWaitMaxMs = 60_000;

const resultValuesMax = 20_000;

/** One call in the lane: it has an answer to wait for, then a shadow to run, then two observations to compare. */
export class ShadowCall implements AnswerObserver {
  readonly call: Call;
  readonly input: readonly unknown[];
  /** Where the host keeps it. */
  place = -1;
  readonly #host: ShadowHost;
  #role: ShadowRole;
  #startedMs: number;
  #deadlineMs: number;
  #answer: Observation | undefined;
  /** Of a call that fell back: what modern did, which is what the shadow would have found out. */
  #known: Observation | undefined;
  #context: CallContext | undefined;
  #over = false;

  constructor(call: Call, input: readonly unknown[], role: ShadowRole, host: ShadowHost) {
    this.call = call;
    this.input = input;
    this.#role = role;
    this.#host = host;
    this.#startedMs = host.options.clock.monotonicMs();
    this.#deadlineMs = this.#startedMs + answerWaitMaxMs;
  }

  answered(value: unknown): void {
    if (this.#over) return;
    this.#settled(this.#observation(value, true));
  }

  answerFailed(failure: unknown): void {
    this.#settled({ ms: this.#elapsedMs(), failed: true, failure });
  }

  turn(failure: unknown): void {
    this.#known = { ms: this.#elapsedMs(), failed: true, failure };
    this.#startedMs = this.#host.options.clock.monotonicMs();
    this.#role = shadowRoles.modern;
  }

  checkDeadline(nowMs: number): void {
    if (this.#over || nowMs < this.#deadlineMs) return;
    if (this.#answer === undefined) {
      this.shed("legacy_pending");
      return;
    }
    this.#context?.abort();
    this.#end();
    const { name, tally, whole } = this.call.method;
    tally.timeouts += 1;
    const late: Observation = { ms: null, failed: true, failure: timeout(name, this.#host.options.shadow.timeoutMs) };
    this.#report("error", late, whole.count("error"), nothingTold);
  }

  shed(reason: ShedReason): void {
    if (this.#over) return;
    this.#context?.abort();
    this.#end();
    this.call.method.tally.shed(reason);
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
    const { clock, shadow } = this.#host.options;
    this.#startedMs = clock.monotonicMs();
    this.#deadlineMs = this.#startedMs + shadow.timeoutMs;
    this.#context = new CallContext(shadow.timeoutMs);
    try {
      const answer = (this.call.method[this.#role.side] as SideFunction)(this.input, this.#context);
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
    return this.#host.options.clock.monotonicMs() - this.#startedMs;
  }

  /** What is compared of an answer: a copy, where its caller and the system may change it while the other side is waited for. */
  #observation(value: unknown, copies: boolean): Observation {
    const ms = this.#elapsedMs();
    const { project, tally } = this.call.method;
    let seen = value;
    if (project !== undefined)
      try {
        seen = project(value);
        this.#swallow(seen);
      } catch (failure) {
        tally.broken += 1;
        return { ms, failed: false, uncopied: errorText(failure) };
      }
    if (!copies) return { ms, failed: false, value: seen };
    const copy = ownCopy(seen, resultValuesMax);
    return typeof copy === "string" ? { ms, failed: false, uncopied: copy } : { ms, failed: false, value: copy.value };
  }

  #compare(shadow: Observation): void {
    const answer = this.#answer as Observation;
    this.#end();
    const { tally, whole, comparer } = this.call.method;
    try {
      if (answer.failed || shadow.failed) this.#compareFailures(answer, shadow);
      else if (answer.uncopied !== undefined || shadow.uncopied !== undefined) {
        this.#count("not_comparable");
        this.#report("not_comparable", shadow, whole.count("not_comparable"), nothingTold);
      } else this.#compareAnswers(comparer as AnswerComparer, answer.value, shadow);
    } catch {
      // A comparer or classifier that throws: the call still ends in one place.
      tally.broken += 1;
      this.#count("not_comparable");
    }
  }

  #compareFailures(answer: Observation, shadow: Observation): void {
    const { tally, whole } = this.call.method;
    if (answer.failed && shadow.failed && classOf(answer.failure) === classOf(shadow.failure)) {
      this.#count("equal");
      this.#report("equal", shadow, none, nothingTold);
      return;
    }
    if (isTimeout(shadow.failure) && !answer.failed) tally.timeouts += 1;
    else tally.errors += 1;
    this.#report("error", shadow, whole.count("error"), nothingTold);
  }

  #compareAnswers(comparer: AnswerComparer, answer: unknown, shadow: Observation): void {
    const { clock, draw } = this.#host.options;
    // Legacy with itself stands in random order, so that the second answer is not always on one side.
    const inOrder = this.#role.kind === "aa" ? draw() < 0.5 : this.#role.side === "modern";
    const legacy = inOrder ? answer : shadow.value;
    const modern = inOrder ? shadow.value : answer;
    const today = comparer.needsToday ? clock.today() : "";
    const { verdict, told, excluded } = comparer.judge(legacy, modern, today);
    this.call.method.tally.fieldsExcluded += excluded;
    this.#count(verdict);
    // Field details are computed only when a listener or a sampler needs them.
    if (told.size > 0 || this.#isHeard) this.#report(verdict, shadow, told, comparer.compare(legacy, modern, today));
  }

  /** A callback that is asynchronous all the same may reject, and nobody would be there to see it. */
  #swallow(returned: unknown): void {
    if (returned !== undefined && isThenable(returned))
      returned.then(undefined, () => {
        this.call.method.tally.broken += 1;
      });
  }

  #count(verdict: Verdict): void {
    const { tally } = this.call.method;
    tally.verdict(verdict);
    if (verdict === "diverged" && this.#role.kind === "ab" && this.#role.side === "legacy") tally.servedDiverged += 1;
  }

  #end(): void {
    this.#over = true;
    this.#host.finished(this);
  }

  get #isHeard(): boolean {
    const { onComparison, keep } = this.#host.options;
    return onComparison !== undefined || keep !== undefined;
  }

  #report(verdict: Verdict, shadow: Observation, sightings: ReadonlySet<Sightings>, told: Told): void {
    const { samples, onComparison, keep } = this.#host.options;
    const comparison = this.#comparison(verdict, shadow, told);
    samples.keep(comparison, sightings);
    const { method, key, plan } = this.call;
    try {
      if (onComparison !== undefined) this.#swallow(onComparison(comparison));
    } catch {
      method.tally.broken += 1;
    }
    if (keep === undefined) return;
    const { at, epoch, answered, kind, fields, legacy, modern } = comparison;
    keep({
      at,
      method: method.name,
      epoch,
      answered,
      kind,
      verdict,
      unit: unitOf(plan, key) ?? null,
      input: this.input,
      legacyMs: legacy.ms,
      modernMs: modern.ms,
      legacyError: legacy.error ?? null,
      modernError: modern.error ?? null,
      fields,
    });
  }

  #comparison(verdict: Verdict, shadow: Observation, { fields, more, excluded }: Told): ComparisonOfCall {
    const { clock } = this.#host.options;
    const { method, plan } = this.call;
    const { kind, side } = this.#role;
    const answered = kind === "aa" ? "legacy" : otherSide(side);
    const answer = this.#answer as Observation;
    return new ComparisonOfCall(
      { method: method.name, verdict, kind, answered, epoch: plan.epoch, fields, more, excluded },
      {
        legacy: answered === "legacy" ? answer : shadow,
        modern: answered === "legacy" ? shadow : answer,
        clock,
        atMonotonicMs: shadow.ms === null ? clock.monotonicMs() : this.#startedMs + shadow.ms,
      },
    );
  }
}

/** Takes note of an answer before the caller can: the reaction that is registered first runs first. */
export function observe(answer: unknown, shadow: AnswerObserver): void {
  const kind = kindOf(answer);
  if (kind === "promise")
    (answer as Promise<unknown>).then(
      (value) => shadow.answered(value),
      (failure) => shadow.answerFailed(failure),
    );
  else if (kind === "thenable") shadow.shed("answer_not_a_promise");
  else shadow.answered(answer);
}

/** Not even looking at an answer may fail the call: one that throws then counts as a thenable, which is left alone. */
export function kindOf(answer: unknown): "promise" | "thenable" | "value" {
  try {
    if (answer instanceof Promise) return "promise";
    return isThenable(answer) ? "thenable" : "value";
  } catch {
    return "thenable";
  }
}
