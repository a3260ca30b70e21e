import type { Fraction } from "../src/base/fraction.ts";

/** A fraction as a float; exact for the binary fractions of these benchmarks. */
export const toNumber = ({ numerator, denominator }: Fraction): number =>
  Number(numerator) / Number(denominator);
