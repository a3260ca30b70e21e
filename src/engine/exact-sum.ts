/**
 * Half of the range in which a float64 holds every whole number: the sum of two numbers within it is exact.
 */
export const half = 2 ** 52;

/**
 * An exact sum of products of safe whole numbers. It accumulates in a float while that is exact and moves to
 * a bigint before it would lose a digit.
 */
export class ExactSum {
  #low = 0;
  #high = 0n;

  addProduct(a: number, b: number): void {
    const product = a * b;
    if (product <= half && product >= -half) this.#addSmall(product);
    else this.#high += BigInt(a) * BigInt(b);
  }

  /**
   * Adds (a - b) × c. `c` must not be 0. If a float cannot hold a - b, the product is then larger than
   * `half`, so it is computed as a bigint.
   */
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
