import type { Side } from "../../domain/migration/phase.ts";
import type { RouteReason } from "../../domain/migration/route.ts";
import type { Verdict } from "../../domain/migration/verdict.ts";
import type { FallbackReason } from "./options.ts";
import type { ShedReason } from "./shadow-lane.ts";

/**
 * What became of a method's calls. Of the comparisons that were due (`eligible`), each ends in exactly one place:
 * compared + shed + errors + timeouts + excluded + underWay = eligible.
 */
export interface MethodCounters {
  readonly calls: number;
  readonly answered: Readonly<Record<Side, number>>;
  readonly because: Readonly<Partial<Record<RouteReason, number>>>;
  /** Calls for which legacy was asked in modern's place. */
  readonly fellBack: Readonly<Partial<Record<FallbackReason, number>>>;
  /** Those of them that legacy answered, but for requests that modern refused as bad. */
  readonly answeredInstead: number;
  /** Calls that modern should have answered, but for requests that were bad. */
  readonly modernAsked: number;
  /** Those of them that modern failed. A request that both systems fail counts as bad. */
  readonly modernFailed: number;
  /** Of the answers that modern gave to callers, those that diverge from legacy's. */
  readonly servedDiverged: number;
  /** Calls with a shadow side that were not drawn into the sample; not eligible. */
  readonly sampledOut: number;
  readonly eligible: number;
  /** With a verdict, two failures of one class included. */
  readonly compared: number;
  readonly verdicts: Readonly<Partial<Record<Verdict, number>>>;
  readonly shed: Readonly<Partial<Record<ShedReason, number>>>;
  /** One side failed, or both in different ways. */
  readonly errors: number;
  /** The side that is compared with the answer had none by its deadline. */
  readonly timeouts: number;
  /** The method is excluded from comparison, or the other system has no such method. */
  readonly excluded: number;
  /** Values of compared answers that an exclusion left out. */
  readonly fieldsExcluded: number;
  readonly underWay: number;
  /** Callbacks of ours and of others that threw; nobody was told but this number. */
  readonly broken: number;
}

/** The numbers of one method while they grow. */
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
