import type { Side } from "../../domain/migration/phase.ts";
import type { RouteReason } from "../../domain/migration/route.ts";
import type { Verdict } from "../../domain/migration/verdict.ts";
import type { FallbackReason } from "./options.ts";
import type { ShedReason } from "./shadow-slots.ts";

/**
 * The outcomes of a method's calls. Each comparison that was due (`eligible`) is counted in exactly one
 * place: compared + shed + errors + timeouts + excluded + underWay = eligible.
 */
export interface MethodCounters {
  readonly calls: number;
  readonly answered: Readonly<Record<Side, number>>;
  readonly because: Readonly<Partial<Record<RouteReason, number>>>;
  /** Calls for which legacy was asked instead of modern. */
  readonly fellBack: Readonly<Partial<Record<FallbackReason, number>>>;
  /** The calls in `fellBack` that legacy answered, except requests that modern refused as bad. */
  readonly answeredInstead: number;
  /** Calls that modern should have answered; bad requests do not count. */
  readonly modernAsked: number;
  /**
   * The calls in `modernAsked` that modern failed. If the failure does not show whether modern or the request
   * is to blame, legacy decides: the call counts if legacy answers it, and not if legacy fails as well. If
   * legacy may not answer, every such failure counts, except a refusal.
   */
  readonly modernFailed: number;
  /** Answers of modern to callers that diverge from legacy's. */
  readonly servedDiverged: number;
  /** Calls with a shadow side that were not drawn into the sample. They are not eligible. */
  readonly sampledOut: number;
  readonly eligible: number;
  /** Comparisons with a verdict, including two failures of one class. */
  readonly compared: number;
  readonly verdicts: Readonly<Partial<Record<Verdict, number>>>;
  readonly shed: Readonly<Partial<Record<ShedReason, number>>>;
  /** Calls of which one side failed, or both sides in different ways. */
  readonly errors: number;
  /** Calls whose shadow side did not answer by its deadline. */
  readonly timeouts: number;
  /** Calls of a method that is excluded from comparison or that the other system does not have. */
  readonly excluded: number;
  /** Values of compared answers that an exclusion left out. */
  readonly fieldsExcluded: number;
  readonly underWay: number;
  /** Exceptions of callbacks, converters and projections. This counter is their only trace. */
  readonly broken: number;
}

/** Counts the calls of one method. */
export class MethodTally {
  calls = 0;
  answeredLegacy = 0;
  answeredModern = 0;
  answeredInstead = 0;
  modernAsked = 0;
  modernFailed = 0;
  servedDiverged = 0;
  sampledOut = 0;
  eligible = 0;
  /** The calls in `eligible` for which the answering side is asked twice; the sample ratio does not apply. */
  controls = 0;
  /** Answers of modern that are not compared since the last count, without the lost comparisons. */
  unobserved = 0;
  compared = 0;
  errors = 0;
  timeouts = 0;
  excluded = 0;
  fieldsExcluded = 0;
  underWay = 0;
  broken = 0;
  readonly #because: Counts<RouteReason> = {};
  readonly #fellBack: Counts<FallbackReason> = {};
  readonly #verdicts: Counts<Verdict> = {};
  readonly #shed: Counts<ShedReason> = {};

  routed(because: RouteReason): void {
    this.calls += 1;
    add(this.#because, because);
  }

  fellBack(reason: FallbackReason): void {
    add(this.#fellBack, reason);
  }

  shed(reason: ShedReason): void {
    add(this.#shed, reason);
  }

  verdict(verdict: Verdict): void {
    this.compared += 1;
    add(this.#verdicts, verdict);
  }

  get counters(): MethodCounters {
    return {
      calls: this.calls,
      answered: { legacy: this.answeredLegacy, modern: this.answeredModern },
      because: { ...this.#because },
      fellBack: { ...this.#fellBack },
      answeredInstead: this.answeredInstead,
      modernAsked: this.modernAsked,
      modernFailed: this.modernFailed,
      servedDiverged: this.servedDiverged,
      sampledOut: this.sampledOut,
      eligible: this.eligible,
      compared: this.compared,
      verdicts: { ...this.#verdicts },
      shed: { ...this.#shed },
      errors: this.errors,
      timeouts: this.timeouts,
      excluded: this.excluded,
      fieldsExcluded: this.fieldsExcluded,
      underWay: this.underWay,
      broken: this.broken,
    };
  }
}

type Counts<Key extends string> = { [key in Key]?: number };

function add<Key extends string>(counts: Counts<Key>, key: Key): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
