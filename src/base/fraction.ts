import {
  type Decimal,
  digitsMax,
  figureDigitsMax,
  formatDecimal,
  lowest,
  parseDecimal,
  powerOfTen,
} from "./decimal.ts";

/**
 * An exact number: numerator / denominator in lowest terms, with a positive denominator. Every Decimal can be
 * written as a Fraction; an average price, for example, often has no finite decimal.
 */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

export const zero: Fraction = Object.freeze({ numerator: 0n, denominator: 1n });

/**
 * Returns numerator / denominator in lowest terms. Throws if the denominator is 0, because a division by the
 * quantity of a flat position is a bug of the caller.
 */
export function fraction(numerator: bigint, denominator = 1n): Fraction {
  if (denominator === 1n) return { numerator, denominator };
  if (denominator === 0n) throw new Error("broken invariant: a fraction has no zero denominator");
  const common = commonDivisor(numerator, denominator);
  const divisor = denominator < 0n ? -common : common;
  return { numerator: numerator / divisor, denominator: denominator / divisor };
}

/** Returns coefficient × 10^-scale. */
export const fromScaled = (coefficient: bigint, scale: number): Fraction =>
  fraction(coefficient, powerOfTen(scale));

/** Returns a decimal as a fraction. */
export const fromDecimal = ({ coefficient, scale }: Decimal): Fraction => fromScaled(coefficient, scale);

export const add = (a: Fraction, b: Fraction): Fraction =>
  a.denominator === b.denominator
    ? fraction(a.numerator + b.numerator, a.denominator)
    : fraction(a.numerator * b.denominator + b.numerator * a.denominator, a.denominator * b.denominator);
export const negate = (a: Fraction): Fraction => ({ numerator: -a.numerator, denominator: a.denominator });
export const subtract = (a: Fraction, b: Fraction): Fraction => add(a, negate(b));
export const multiply = (a: Fraction, b: Fraction): Fraction =>
  fraction(a.numerator * b.numerator, a.denominator * b.denominator);
export const divide = (a: Fraction, b: Fraction): Fraction =>
  fraction(a.numerator * b.denominator, a.denominator * b.numerator);
export const absolute = (a: Fraction): Fraction => (a.numerator < 0n ? negate(a) : a);
export const isZero = (a: Fraction): boolean => a.numerator === 0n;

/** Returns -1, 0 or 1 if `a` is less than, equal to or greater than `b`. */
export function compare(a: Fraction, b: Fraction): -1 | 0 | 1 {
  const left = a.numerator * b.denominator;
  const right = b.numerator * a.denominator;
  return left < right ? -1 : left > right ? 1 : 0;
}

export const maximum = (a: Fraction, b: Fraction): Fraction => (compare(a, b) < 0 ? b : a);

/** Reads decimal text or `p/q`. Returns undefined for other text and for too many digits. */
export function parseFraction(text: string, longest = digitsMax): Fraction | undefined {
  const bar = text.indexOf("/");
  if (bar >= 0) {
    const [numerator, denominator] = [text.slice(0, bar), text.slice(bar + 1)];
    if (text.length > 2 * longest || !/^[+-]?\d+$/.test(numerator) || !/^\d+$/.test(denominator))
      return undefined;
    return BigInt(denominator) === 0n ? undefined : fraction(BigInt(numerator), BigInt(denominator));
  }
  const decimal = parseDecimal(text, longest);
  return decimal && fromDecimal(decimal);
}

/**
 * Reads a figure that a system has computed, which may have more digits than input. Returns undefined if
 * it is not a number.
 */
export const parseFigure = (text: string): Fraction | undefined => parseFraction(text, figureDigitsMax);

/**
 * The longest denominator that is printed as `p/q`; numbers with a longer one are rounded to `roundedPlaces`
 * and marked.
 */
const denominatorDigitsMax = 64;
const roundedPlaces = 18;

/**
 * Writes a fraction exactly: as a finite decimal if there is one, otherwise as `p/q`. Two kinds of fraction
 * are rounded to 18 decimals, half away from zero, with `rounded`: one without a finite decimal whose
 * denominator has more than 64 digits, and an `inexact` one that has more than 18 decimals.
 */
export function formatFraction(
  value: Fraction,
  inexact = false,
): { readonly text: string; readonly rounded: boolean } {
  const scale = decimalPlaces(value.denominator);
  if (scale !== undefined && !(inexact && scale > roundedPlaces))
    return {
      text: formatDecimal(lowest((value.numerator * powerOfTen(scale)) / value.denominator, scale)),
      rounded: false,
    };
  const denominator = value.denominator.toString();
  if (denominator.length <= denominatorDigitsMax && !inexact)
    return { text: `${value.numerator}/${denominator}`, rounded: false };
  return { text: formatDecimal(lowest(roundHalfAway(value, roundedPlaces), roundedPlaces)), rounded: true };
}

/** Returns `value` × 10^places, rounded half away from zero to a whole number. */
export function roundHalfAway(value: Fraction, places: number): bigint {
  const twice = value.numerator * powerOfTen(places) * 2n;
  const nudged = twice < 0n ? twice - value.denominator : twice + value.denominator;
  return nudged / (value.denominator * 2n);
}

/**
 * Returns the number of decimal places of 1/denominator; undefined if the denominator has a factor other than
 * 2 and 5, because the decimal is then infinite.
 */
function decimalPlaces(denominator: bigint): number | undefined {
  if (denominator === 1n) return 0;
  let rest = denominator;
  let twos = 0;
  let fives = 0;
  while ((rest & 1n) === 0n) {
    rest >>= 1n;
    twos += 1;
  }
  while (rest % 5n === 0n) {
    rest /= 5n;
    fives += 1;
  }
  return rest === 1n ? Math.max(twos, fives) : undefined;
}

/** Returns the positive greatest common divisor; for 0 and b it is |b|. */
export function commonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}
