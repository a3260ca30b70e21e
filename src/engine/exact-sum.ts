/** Half of the range in which a float64 holds every whole number: two numbers within it add up without loss. */
export const half = 2 ** 52;

/**
 * An exact sum of products of safe whole numbers: it collects in a float while that is exact and is emptied into a bigint
 * before it could not be.
 */
export class ExactSum {
  #low = 0;
  #high = 0n;

  addProduct(a: number, b: number): void {
    const product = a * b;
    if (product <= half && product >= -half) this.#addSmall(product);
    else this.#high += BigInt(a) * BigInt(b);
  }

  /** Adds (a - b) × c; c is not 0, so a difference that a float cannot hold makes a product beyond `half`. */
  addDifferenceTimes(a: number, b: number, c: number): void {
    const product = (a - b) * c;
    if (product <= half && product >= -half) this.#addSmall(product);
    else this.#high += (BigInt(a) - BigInt(b)) * BigInt(c);
  }

  get value(): bigint {
    return this.#high + BigInt(this.#low);
  }

  #addSmall(product: number): void {
    const low = this.#low + product;
    if (low <= half && low >= -half) {
      this.#low = low;
    } else {
      this.#high += BigInt(low);
      this.#low = 0;
    }
  }
}
