import { safe } from "./decimal-column.ts";

/** Half of the safe range: two numbers within it add up without loss. */
const half = 2 ** 52;

/**
 * An exact sum of whole numbers that is as fast as a float one: it collects in a float64 while that is exact and empties it
 * into a bigint before it could not be.
 */
export class ExactSum {
  #low = 0;
  #high = 0n;

  /** Adds a × b; both whole and within `safe`. */
  addProduct(a: number, b: number): void {
    const product = a * b;
    if (product <= half && product >= -half) this.#addSmall(product);
    else this.#high += BigInt(a) * BigInt(b);
  }

  /** Adds (a - b) × c; all whole and within `safe`, c not 0 (so that an inexact difference cannot look small). */
  addDifferenceTimes(a: number, b: number, c: number): void {
    const product = (a - b) * c;
    if (product <= half && product >= -half) this.#addSmall(product);
    else this.#high += (BigInt(a) - BigInt(b)) * BigInt(c);
  }

  get value(): bigint {
    return this.#high + BigInt(this.#low);
  }

  set value(value: bigint) {
    this.#high = value;
    this.#low = 0;
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

/** Whether a whole number is held exactly; NaN is not. */
export const isSafe = (value: number): boolean => value <= safe && value >= -safe;
