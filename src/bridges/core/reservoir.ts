/**
 * A uniform random sample of at most `sizeMax` offered items (Li's algorithm L). It draws how many items to
 * skip, and the caller counts the items, so an item that is not kept costs one addition. `draw` returns a
 * random number of at least 0 and below 1. The caller provides it, so that a seed reproduces the sample.
 */
export class Reservoir<T> {
  readonly #sizeMax: number;
  readonly #draw: () => number;
  readonly #kept: T[] = [];
  /** The largest of the random numbers that belong to the kept items (`W` in algorithm L). */
  #largest = 1;
  /** The position of the next offered item to keep, counted from 1. */
  next: number;

  constructor(sizeMax: number, draw: () => number) {
    this.#sizeMax = sizeMax;
    this.#draw = draw;
    this.next = sizeMax > 0 ? 1 : Number.POSITIVE_INFINITY;
  }

  /** Keeps the item at position `next`. */
  keep(offered: T): void {
    if (this.#kept.length < this.#sizeMax) {
      this.#kept.push(offered);
      this.next += this.#kept.length < this.#sizeMax ? 1 : this.#skipped();
    } else {
      this.#kept[Math.floor(this.#draw() * this.#sizeMax)] = offered;
      this.next += this.#skipped();
    }
  }

  #skipped(): number {
    // `draw` may return 0, which has no logarithm; 1 - draw is above 0.
    this.#largest *= (1 - this.#draw()) ** (1 / this.#sizeMax);
    return Math.floor(Math.log(1 - this.#draw()) / Math.log1p(-this.#largest)) + 1;
  }

  get samples(): readonly T[] {
    return this.#kept;
  }
}
