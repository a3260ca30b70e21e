import type { AnswerComparer, AnswerComparison, Sightings } from "../../comparison/index.ts";
import { otherSide, type Side } from "../../domain/migration/phase.ts";
import { unitOf } from "../../domain/migration/route.ts";
import type { Verdict } from "../../domain/migration/verdict.ts";
import {
  type AnswerObserver,
  type Call,
  CallContext,
  type ComparisonDraft,
  type RunnerOptions,
  type SideFunction,
} from "./call.ts";
import {
  ComparisonOfCall,
  classOf,
  errorText,
  isTimeout,
  type Observation,
  timeout,
} from "./call-comparison.ts";
import { ownCopy } from "./frozen-copy.ts";
import { type ComparisonSeen, lanesOf, textOf, wholeOf } from "./lanes.ts";
import { none } from "./samples.ts";
import type { ShedReason } from "./shadow-slots.ts";
import { isThenable } from "./thenable.ts";

/** The side that a shadow call asks, and whether both sides are compared (`ab`) or one side twice (`aa`). */
export interface ShadowRole {
  readonly side: Side;
  readonly kind: "ab" | "aa";
}
export const shadowRoles = {
  legacy: { side: "legacy", kind: "ab" },
  modern: { side: "modern", kind: "ab" },
} as const satisfies Record<string, ShadowRole>;

/** Runs shadow calls. */
export interface ShadowHost {
  readonly options: RunnerOptions;
  /** Called once, when the shadow call has ended; its slot is free from then on. */
  finished(shadow: ShadowCall): void;
}

type FieldDetails = Omit<AnswerComparison, "verdict"> & Pick<ComparisonDraft, "answers">;
const nothing = Object.freeze([]);
const noDetails: FieldDetails = Object.freeze({
  ...{ fields: nothing, rows: nothing },
  ...{ more: 0, excluded: 0, compared: 0 },
});

/**
 * A callback of `then` on this promise runs after all queued microtasks, at less cost than queueMicrotask.
 */
const resolved = Promise.resolve();

/** The longest wait for the answer, so that an answering side that never settles does not keep its slot. */
const answerWaitMaxMs = 60_000;

const resultValuesMax = 20_000;

/** One shadow call: waits for the answer, then asks the shadow side, then compares both. */
export class ShadowCall implements AnswerObserver {
  readonly call: Call;
  readonly input: readonly unknown[];
  /** The index of its slot in the host. */
  slot = -1;
  readonly #host: ShadowHost;
  #role: ShadowRole;
  #startedMs: number;
  #deadlineMs: number;
  #answer: Observation | undefined;
  /** Modern's failure, if the call fell back; it replaces the shadow's outcome. */
  #modernFailure: Observation | undefined;
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

  fellBack(failure: unknown): void {
    this.#modernFailure = { ms: this.#elapsedMs(), failed: true, failure };
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
    const late: Observation = {
      ms: null,
      failed: true,
      failure: timeout(name, this.#host.options.shadow.timeoutMs),
    };
    this.#report("error", late, whole.count("error"), noDetails);
  }

  shed(reason: ShedReason): void {
    if (this.#over) return;
    this.#context?.abort();
    this.#end();
    this.call.method.tally.shed(reason);
    if (this.#role.kind === "ab") this.#host.options.lost?.(this.call, reason);
  }

  #settled(observed: Observation): void {
    if (this.#over || this.#answer !== undefined) return;
    this.#answer = observed;
    if (this.#modernFailure !== undefined) {
      this.#compare(this.#modernFailure);
      return;
    }
    // The caller's own reaction is queued already, so it runs first.
    resolved.then(() => this.#start());
  }

  #start(): void {
    if (this.#over) return;
    const { clock, shadow } = this.#host.options;
    this.#startedMs = clock.monotonicMs();
    this.#deadlineMs = this.#startedMs + shadow.timeoutMs;
    this.#context = new CallContext(shadow.timeoutMs, this.#role.kind === "aa");
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

  /** Returns the compared part of an answer, as a copy if it may change before the comparison. */
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
    return typeof copy === "string"
      ? { ms, failed: false, uncopied: copy }
      : { ms, failed: false, value: copy.value };
  }

  #compare(shadow: Observation): void {
    const answer = this.#answer as Observation;
    this.#end();
    const { tally, whole, comparer } = this.call.method;
    try {
      if (answer.failed || shadow.failed) this.#compareFailures(answer, shadow);
      else if (answer.uncopied !== undefined || shadow.uncopied !== undefined) {
        this.#count("not_comparable");
        this.#report("not_comparable", shadow, whole.count("not_comparable"), noDetails);
      } else this.#compareAnswers(comparer as AnswerComparer, answer.value, shadow);
    } catch {
      // If a comparer or a classifier throws, the comparison still ends with one verdict.
      tally.broken += 1;
      this.#count("not_comparable");
      if (this.#role.kind === "ab") this.#host.options.lost?.(this.call, "broken");
    }
  }

  #compareFailures(answer: Observation, shadow: Observation): void {
    const { tally, whole } = this.call.method;
    if (answer.failed && shadow.failed && classOf(answer.failure) === classOf(shadow.failure)) {
      this.#count("equal");
      this.#report("equal", shadow, none, noDetails);
      return;
    }
    if (isTimeout(shadow.failure) && !answer.failed) tally.timeouts += 1;
    else tally.errors += 1;
    this.#report("error", shadow, whole.count("error"), noDetails);
  }

  #compareAnswers(comparer: AnswerComparer, answer: unknown, shadow: Observation): void {
    const { clock, draw } = this.#host.options;
    // Two answers of one side are compared in random order, so that the second answer is not always on the
    // same side.
    const inOrder = this.#role.kind === "aa" ? draw() < 0.5 : this.#role.side === "modern";
    const legacy = inOrder ? answer : shadow.value;
    const modern = inOrder ? shadow.value : answer;
    const today = comparer.needsToday ? clock.today() : "";
    const { verdict, due: sampled, excluded, compared } = comparer.judge(legacy, modern, today);
    this.call.method.tally.fieldsExcluded += excluded;
    this.#count(verdict);
    // Field details are computed only when a listener or a sampler needs them, and equal answers have none.
    if (sampled.size === 0 && !this.#hasListener) return;
    const details =
      verdict === "equal" ? { ...noDetails, excluded, compared } : comparer.compare(legacy, modern, today);
    const isDue = verdict === "diverged" && this.#role.kind === "ab" && this.call.method.keepsRequests;
    this.#report(verdict, shadow, sampled, isDue ? { ...details, answers: { legacy, modern } } : details);
  }

  /** Counts the rejection of a callback that returned a promise, which would otherwise be unhandled. */
  #swallow(returned: unknown): void {
    if (returned !== undefined && isThenable(returned))
      returned.then(undefined, () => {
        this.call.method.tally.broken += 1;
      });
  }

  #count(verdict: Verdict): void {
    const { tally } = this.call.method;
    tally.verdict(verdict);
    if (verdict === "diverged" && this.#role.kind === "ab" && this.#role.side === "legacy")
      tally.servedDiverged += 1;
  }

  #end(): void {
    this.#over = true;
    this.#host.finished(this);
  }

  get #hasListener(): boolean {
    const { onComparison, keep } = this.#host.options;
    return onComparison !== undefined || keep !== undefined;
  }

  #report(
    verdict: Verdict,
    shadow: Observation,
    sightings: ReadonlySet<Sightings>,
    details: FieldDetails,
  ): void {
    const { samples, onComparison, keep } = this.#host.options;
    const comparison = this.#comparison(verdict, shadow, details);
    samples.keep(comparison, sightings);
    const { method, key, plan } = this.call;
    try {
      if (onComparison !== undefined) this.#swallow(onComparison(comparison));
    } catch {
      method.tally.broken += 1;
    }
    if (keep === undefined) return;
    const { at, epoch, answered, kind, fields, more = 0, excluded = 0, legacy, modern } = comparison;
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
      more,
      excluded,
      ...(details.answers !== undefined && { answers: details.answers }),
      seen: this.#seen(verdict, shadow, details),
    });
  }

  /** Returns what the comparison contributes to the gates' evidence. */
  #seen(verdict: Verdict, shadow: Observation, { rows, compared }: FieldDetails): ComparisonSeen {
    const { method, key, source, fellBack } = this.call;
    const answer = this.#answer as Observation;
    const { side, kind } = this.#role;
    const [legacy, modern] = side === "modern" ? [answer, shadow] : [shadow, answer];
    const { user = "", book = "" } = key;
    const around = {
      served: source === "modern" || fellBack !== undefined,
      fellBack,
      user,
      book,
      values: compared,
    };
    const failed = { ...around, lanes: nothing };
    if (legacy.failed)
      return { ...failed, outcome: modern.failed && verdict === "equal" ? "both_failed" : "lost" };
    const outcome = modern.failed ? "modern_failed" : "compared";
    if (kind === "aa") return { ...failed, outcome };
    if (legacy.uncopied !== undefined || (verdict === "not_comparable" && rows.length === 0))
      return { ...failed, outcome: modern.failed ? outcome : "lost" };
    if (method.rows === undefined)
      return { ...around, outcome, lanes: undefined, whole: rows.length === 0 ? undefined : wholeOf(rows) };
    const differences = modern.failed ? nothing : rows;
    const asked = textOf(this.input[0], "book") ?? book;
    return { ...around, outcome, lanes: lanesOf(method.rows(legacy.value), differences, asked) };
  }

  #comparison(
    verdict: Verdict,
    shadow: Observation,
    { fields, more, excluded }: FieldDetails,
  ): ComparisonOfCall {
    const { clock } = this.#host.options;
    const { method, plan } = this.call;
    const { kind, side } = this.#role;
    const answered = kind === "aa" ? side : otherSide(side);
    const answer = this.#answer as Observation;
    return new ComparisonOfCall(
      { method: method.name, verdict, kind, answered, epoch: plan.epoch, fields, more, excluded },
      {
        // The first of two calls of one side takes legacy's place.
        legacy: kind === "aa" || answered === "legacy" ? answer : shadow,
        modern: kind === "aa" || answered === "legacy" ? shadow : answer,
        clock,
        atMonotonicMs: shadow.ms === null ? clock.monotonicMs() : this.#startedMs + shadow.ms,
      },
    );
  }
}

/** Observes an answer before the caller does: the reaction that is registered first runs first. */
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

/** Classifies an answer. Never throws: an answer that throws when it is inspected counts as a thenable. */
export function kindOf(answer: unknown): "promise" | "thenable" | "value" {
  try {
    if (answer instanceof Promise) return "promise";
    return isThenable(answer) ? "thenable" : "value";
  } catch {
    return "thenable";
  }
}
