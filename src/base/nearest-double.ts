import { formatDecimal, powerOfTen } from "./decimal.ts";
import type { Fraction } from "./fraction.ts";

/** More significant digits than the midpoint of any two doubles has, so digits beyond them never decide. */
const digits = 800;

/**
 * The double nearest to an exact number; of two equally near ones the even one, as IEEE 754 rounds. Infinite beyond the
 * range of doubles. A few microseconds.
 */
export function nearestDouble({ numerator, denominator }: Fraction): number {
  if (denominator === 1n) return Number(numerator);
  const magnitude = numerator < 0n ? -numerator : numerator;
  // The places that leave at least `digits` significant digits, whatever the sizes of numerator and denominator.
  const places = digits + Math.max(0, denominator.toString().length - magnitude.toString().length + 1);
  const scaled = magnitude * powerOfTen(places);
  const whole = scaled / denominator;
  // A remainder makes the text a little larger than its digits: enough to move it off a midpoint.
  const sticky = scaled % denominator === 0n ? "0" : "1";
  const nearest = Number(
    `${formatDecimal({ coefficient: whole * 10n + BigInt(sticky), scale: places + 1 })}`,
  );
  return numerator < 0n ? -nearest : nearest;
}
