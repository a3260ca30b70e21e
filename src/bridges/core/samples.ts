import { Sightings } from "../../comparison/index.ts";
import type { CallComparison } from "./options.ts";
import { Reservoir } from "./reservoir.ts";

const samplesPerKind = 10;
const kindsMax = 500;

/**
 * Samples of the comparisons that were not equal: some for each kind of finding, which is a method, a path
 * and a verdict. The comparer counts how often it has seen each kind (`Sightings`); a comparison that is not
 * kept as a sample costs only that count.
 */
export class Samples {
  readonly #draw: () => number;
  readonly #kinds = new Map<Sightings, Reservoir<CallComparison>>();

  constructor(draw: () => number) {
    this.#draw = draw;
  }

  /** Keeps a comparison as a sample of each of these kinds of finding. */
  keep(comparison: CallComparison, kinds: ReadonlySet<Sightings>): void {
    for (const sightings of kinds) {
      const reservoir = this.#reservoir(sightings);
      reservoir?.keep(comparison);
      // One answer may count several times for a path, because a list has several entries.
      sightings.reportAt =
        reservoir === undefined ? Number.POSITIVE_INFINITY : Math.max(reservoir.next, sightings.count + 1);
    }
  }

  /** Returns undefined for a new kind beyond `kindsMax`. */
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

/** Counts a method's comparisons without fields: failures, and answers that could not be compared. */
export class WholeSightings {
  readonly #error = new Sightings();
  readonly #notComparable = new Sightings();

  count(verdict: "error" | "not_comparable"): ReadonlySet<Sightings> {
    const sightings = verdict === "error" ? this.#error : this.#notComparable;
    sightings.count += 1;
    return sightings.count < sightings.reportAt ? none : new Set([sightings]);
  }
}
