/**
 * At most `sizeMax` of all that was offered, each as likely to be kept as any other (Vitter's algorithm R). `draw` gives the next
 * number of a sequence from 0 to 1, handed in so that a seed replays a night.
 */
export class Reservoir<T> {
  readonly #sizeMax: number;
  readonly #draw: () => number;
  readonly #kept: T[] = [];
  offered = 0;

  constructor(sizeMax: number, draw: () => number) {
    this.#sizeMax = sizeMax;
    this.#draw = draw;
  }

  /** `make` is called only where it will be kept. */
  offer(make: () => T): void {
    this.offered += 1;
    if (this.#kept.length < this.#sizeMax) this.#kept.push(make());
    else {
      const place = Math.floor(this.#draw() * this.offered);
      if (place < this.#sizeMax) this.#kept[place] = make();
    }
  }

  get samples(): readonly T[] {
    return this.#kept;
  }
}
