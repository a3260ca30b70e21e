/** The finished comparison of one call, and the classification of failures. */
import type { Side } from "../../domain/migration/phase.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { Clock } from "../../ports/clock.ts";
import type { CallComparison, SideObservation } from "./options.ts";

/** The outcome of one side. */
export interface Observation {
  /** Null if the side has not answered. */
  readonly ms: number | null;
  readonly failed: boolean;
  readonly failure?: unknown;
  readonly value?: unknown;
  /** The reason why there is no copy of the answer. */
  readonly uncopied?: string;
}

interface Observed {
  readonly legacy: Observation;
  readonly modern: Observation;
  readonly clock: Clock;
  /** The monotonic time of the comparison. */
  readonly atMonotonicMs: number;
}

type Found = Omit<CallComparison, "legacy" | "modern" | "at">;

/** A comparison that computes its texts on access, because most comparisons are only counted. */
export class ComparisonOfCall implements CallComparison {
  readonly method: string;
  readonly verdict: CallComparison["verdict"];
  readonly kind: "ab" | "aa";
  readonly answered: Side;
  readonly epoch: number;
  readonly fields: CallComparison["fields"];
  readonly more: number | undefined;
  readonly excluded: number | undefined;
  readonly #legacy: Observation;
  readonly #modern: Observation;
  readonly #clock: Clock;
  readonly #atMonotonicMs: number;

  constructor(found: Found, observed: Observed) {
    this.method = found.method;
    this.verdict = found.verdict;
    this.kind = found.kind;
    this.answered = found.answered;
    this.epoch = found.epoch;
    this.fields = found.fields;
    this.more = found.more || undefined;
    this.excluded = found.excluded || undefined;
    this.#legacy = withoutAnswer(observed.legacy);
    this.#modern = withoutAnswer(observed.modern);
    this.#clock = observed.clock;
    this.#atMonotonicMs = observed.atMonotonicMs;
  }

  get legacy(): SideObservation {
    return sideOf(this.#legacy);
  }

  get modern(): SideObservation {
    return sideOf(this.#modern);
  }

  get at(): string {
    const agoMs = this.#clock.monotonicMs() - this.#atMonotonicMs;
    return new Date(this.#clock.nowMs() - agoMs).toISOString();
  }

  toJSON(): CallComparison {
    const { method, verdict, kind, answered, epoch, fields, more, excluded, legacy, modern, at } = this;
    return { method, verdict, kind, answered, epoch, fields, more, excluded, legacy, modern, at };
  }
}

/** Removes the answer, so that a kept comparison does not keep it in memory. */
const withoutAnswer = ({ ms, failed, failure }: Observation): Observation => ({ ms, failed, failure });

const sideOf = ({ ms, failed, failure }: Observation): SideObservation =>
  failed ? { ms, error: errorText(failure) } : { ms };

const errorTextMax = 200;

export function errorText(failure: unknown): string {
  let text: string;
  try {
    text = failure instanceof SystemFailure ? `${failure.failure}: ${failure.message}` : String(failure);
  } catch {
    text = "an error that has no text";
  }
  return text.length > errorTextMax ? `${text.slice(0, errorTextMax)}…` : text;
}

/** Returns the value if it is a SystemFailure, else undefined. Never throws. */
export function systemFailureOf(failure: unknown): SystemFailure | undefined {
  try {
    return failure instanceof SystemFailure ? failure : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Whether a failure is a timeout. A system may report its own deadline before the bridge does; both count.
 */
export const isTimeout = (failure: unknown): boolean => systemFailureOf(failure)?.failure === "TIMEOUT";

export const timeout = (method: string, ms: number): SystemFailure =>
  new SystemFailure("TIMEOUT", `${method} did not answer within ${ms} ms`);

/**
 * Returns the class of a failure: BAD_REQUEST, else its code, else its error class. Two failures of one class
 * count as equal.
 */
export function classOf(failure: unknown): string {
  try {
    if (failure instanceof SystemFailure)
      return failure.blamesRequest ? "BAD_REQUEST" : (failure.code ?? failure.failure);
    if (!(failure instanceof Error)) return typeof failure;
    const { code, name } = failure as { readonly code?: unknown; readonly name: string };
    return typeof code === "string" ? code : name;
  } catch {
    return "an error that cannot be read";
  }
}
