/**
 * At most `sizeMax` of all that was offered, each as likely to be kept as any other (Li's algorithm L: it draws how many to pass over,
 * so that what is not kept costs an addition). `draw` gives the next number of a sequence from 0 to 1, handed in so that a seed
 * replays a night.
 */
export class Reservoir<T> {
  readonly #sizeMax: number;
  readonly #draw: () => number;
  readonly #kept: T[] = [];
  offered = 0;
  /** The next that is kept, counted from 1. */
  #next: number;
  /** The largest of as many numbers from 0 to 1 as there are places, all drawn for what is kept. */
  #largest = 1;

  constructor(sizeMax: number, draw: () => number) {
    this.#sizeMax = sizeMax;
    this.#draw = draw;
    this.#next = sizeMax > 0 ? 1 : Number.POSITIVE_INFINITY;
  }

  /** `make` is called only where it will be kept. */
  offer(make: () => T): void {
    this.offered += 1;
    if (this.offered < this.#next) return;
    if (this.#kept.length < this.#sizeMax) {
      this.#kept.push(make());
      this.#next += this.#kept.length < this.#sizeMax ? 1 : this.#passedOver();
    } else {
      this.#kept[Math.floor(this.#draw() * this.#sizeMax)] = make();
      this.#next += this.#passedOver();
    }
  }

  #passedOver(): number {
    // 1 - draw is above 0, which has no logarithm.
    this.#largest *= (1 - this.#draw()) ** (1 / this.#sizeMax);
    return Math.floor(Math.log(1 - this.#draw()) / Math.log1p(-this.#largest)) + 1;
  }

  get samples(): readonly T[] {
    return this.#kept;
  }
}
