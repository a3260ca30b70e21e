import { Sightings } from "../../comparison/index.ts";
import type { CallComparison } from "./options.ts";
import { Reservoir } from "./reservoir.ts";

const samplesPerKind = 10;
const kindsMax = 500;

/**
 * A few of the comparisons that were not equal: by method, by path, and by what was found there. What is not kept costs the count of
 * its sightings, which the comparer keeps.
 */
export class Samples {
  readonly #draw: () => number;
  readonly #kinds = new Map<Sightings, Reservoir<CallComparison>>();

  constructor(draw: () => number) {
    this.#draw = draw;
  }

  /** Keeps a comparison for each of the kinds that it was told to be next of. */
  keep(comparison: CallComparison, told: ReadonlySet<Sightings>): void {
    for (const sightings of told) {
      const reservoir = this.#reservoir(sightings);
      reservoir?.keep(comparison);
      // One answer may have been met several times at a place, in the entries of a list.
      sightings.tellAt = reservoir === undefined ? Number.POSITIVE_INFINITY : Math.max(reservoir.next, sightings.count + 1);
    }
  }

  /** Undefined when there are as many kinds as may be. */
  #reservoir(sightings: Sightings): Reservoir<CallComparison> | undefined {
    const known = this.#kinds.get(sightings);
    if (known !== undefined || this.#kinds.size >= kindsMax) return known;
    const made = new Reservoir<CallComparison>(samplesPerKind, this.#draw);
    this.#kinds.set(sightings, made);
    return made;
  }

  get all(): readonly CallComparison[] {
    return [...new Set([...this.#kinds.values()].flatMap(({ samples }) => samples))];
  }
}

export const none: ReadonlySet<Sightings> = new Set();

/** Of a method's comparisons that ended without looking into the answers: failures, and answers that could not be looked into. */
export class WholeSightings {
  readonly #error = new Sightings();
  readonly #notComparable = new Sightings();

  count(verdict: "error" | "not_comparable"): ReadonlySet<Sightings> {
    const sightings = verdict === "error" ? this.#error : this.#notComparable;
    sightings.count += 1;
    return sightings.count < sightings.tellAt ? none : new Set([sightings]);
  }
}
