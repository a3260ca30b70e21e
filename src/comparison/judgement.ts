/**
 * The judgement of two numbers that rows (`PnLComparisonValidator`) and answers (`AnswerComparer`) share. A
 * number is an exact fraction, the difference is modern - legacy, and a difference equal to the bound is
 * within it.
 */
import { BridgeError } from "../base/errors.ts";
import {
  absolute,
  compare,
  type Fraction,
  fraction,
  isZero,
  multiply,
  negate,
  parseFraction,
  subtract,
} from "../base/fraction.ts";

type NumberVerdict = "equal" | "within_tolerance" | "diverged";

interface JudgedNumbers {
  readonly verdict: NumberVerdict;
  /** modern - legacy. */
  readonly difference: Fraction;
}

/** Compares two numbers. `allowed` is the largest difference that is within tolerance, 0 or more. */
export function judgeNumbers(legacy: Fraction, modern: Fraction, allowed: Fraction): JudgedNumbers {
  const difference = subtract(modern, legacy);
  if (isZero(difference)) return { verdict: "equal", difference };
  return {
    verdict: compare(absolute(difference), allowed) <= 0 ? "within_tolerance" : "diverged",
    difference,
  };
}

/** The cause that two diverged numbers suggest by an exact relation; null if there is none. */
export function relationOf(
  legacy: Fraction,
  modern: Fraction,
  isMoney: boolean,
): "SIGN_FLIP" | "MULTIPLIER" | null {
  if (!isZero(legacy) && compare(legacy, negate(modern)) === 0) return "SIGN_FLIP";
  return isMoney && areScaled(legacy, modern) ? "MULTIPLIER" : null;
}

/** Whether two numbers are exactly a contract multiplier apart. */
export const areScaled = (legacy: Fraction, modern: Fraction): boolean =>
  !isZero(legacy) &&
  multipliers.some(
    (k) => compare(modern, multiply(legacy, k)) === 0 || compare(legacy, multiply(modern, k)) === 0,
  );

/** The contract multipliers of the desk's products: 1000 per point, 2000 for the two-year note. */
const multipliers = [fraction(1000n), fraction(2000n)];

/**
 * Whether two figures certainly differ, and by less than `allowed`, judged from their floats with a margin
 * for rounding (each float and the difference are at most half a unit in the last place from the exact
 * value). If false, only `judgeNumbers` can decide.
 */
export function areClearlyWithin(allowed: number, legacy: number, modern: number): boolean {
  const difference = Math.abs(modern - legacy);
  const doubt = (Math.abs(legacy) + Math.abs(modern) + allowed) * 1e-15;
  return difference > doubt && difference + doubt < allowed;
}

/**
 * Reads a tolerance from decimal text. Throws BAD_CONFIG unless it is a number of 0 or more; `what` names the
 * tolerance.
 */
export function toleranceFrom(what: string, text: string): Fraction {
  const bound = parseFraction(text);
  if (bound !== undefined && bound.numerator >= 0n) return bound;
  throw new BridgeError("BAD_CONFIG", {
    what: `${what} is not a number of 0 or more: ${JSON.stringify(text)}`,
    fix: 'write decimal text such as "0.01"',
  });
}
