/**
 * At most `sizeMax` of all that was offered, each as likely to be kept as any other (Li's algorithm L: it draws how many to pass over,
 * and who offers counts, so that what is not kept costs an addition). `draw` gives the next number of a sequence from 0 to 1, handed in so that a seed
 * replays a night.
 */
export class Reservoir<T> {
  readonly #sizeMax: number;
  readonly #draw: () => number;
  readonly #kept: T[] = [];
  /** The largest of as many numbers from 0 to 1 as there are places, all drawn for what is kept. */
  #largest = 1;
  /** Which of what is offered is to be kept next, counted from 1. */
  next: number;

  constructor(sizeMax: number, draw: () => number) {
    this.#sizeMax = sizeMax;
    this.#draw = draw;
    this.next = sizeMax > 0 ? 1 : Number.POSITIVE_INFINITY;
  }

  /** Keeps the one that was next. */
  keep(offered: T): void {
    if (this.#kept.length < this.#sizeMax) {
      this.#kept.push(offered);
      this.next += this.#kept.length < this.#sizeMax ? 1 : this.#passedOver();
    } else {
      this.#kept[Math.floor(this.#draw() * this.#sizeMax)] = offered;
      this.next += this.#passedOver();
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
