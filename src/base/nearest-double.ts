import { formatDecimal, powerOfTen } from "./decimal.ts";
import { divide, type Fraction, parseFigure } from "./fraction.ts";
import { present } from "./present.ts";

/** More significant digits than a midpoint between two neighbouring doubles has; no later digit matters. */
const digits = 800;

/**
 * Returns the double nearest to an exact number, and of two equally near ones the even one, as IEEE 754
 * rounds. The result is infinite beyond the range of doubles. Takes a few microseconds.
 */
export function nearestDouble({ numerator, denominator }: Fraction): number {
  const [dividend, divisor] = [Number(numerator), Number(denominator)];
  // IEEE 754 rounds the quotient of two exact doubles to the nearest one.
  if (Number.isSafeInteger(dividend) && Number.isSafeInteger(divisor)) return dividend / divisor;
  if (denominator === 1n) return dividend;
  const magnitude = numerator < 0n ? -numerator : numerator;
  // With this number of decimal places, the quotient has at least `digits` significant digits.
  const places = digits + Math.max(0, denominator.toString().length - magnitude.toString().length + 1);
  const scaled = magnitude * powerOfTen(places);
  const whole = scaled / denominator;
  // A last digit 1 stands for the remainder. With it, a quotient just above a midpoint does not count as
  // equal to the midpoint.
  const sticky = scaled % denominator === 0n ? "0" : "1";
  const nearest = Number(
    `${formatDecimal({ coefficient: whole * 10n + BigInt(sticky), scale: places + 1 })}`,
  );
  return numerator < 0n ? -nearest : nearest;
}

/** Returns the double nearest to `dividend / divisor`, two decimals in canonical text; `divisor` is not 0. */
export function nearestQuotient(dividend: string, divisor: string): number {
  const [above, below] = [wholeOf(dividend), wholeOf(divisor)];
  const [numerator, denominator] = [above.digits * below.unit, below.digits * above.unit];
  if (Number.isSafeInteger(numerator) && Number.isSafeInteger(denominator)) return numerator / denominator;
  return nearestDouble(divide(exactly(dividend), exactly(divisor)));
}

const exactly = (text: string): Fraction => present(parseFigure(text), "canonical text is a number");

/**
 * Returns a decimal as `digits / unit`. If it has too many digits for a double, the two numbers are not
 * exact, and at least one of them is not a safe integer.
 */
function wholeOf(text: string): { readonly digits: number; readonly unit: number } {
  const point = text.indexOf(".");
  if (point < 0) return { digits: Number(text), unit: 1 };
  const unit = units[text.length - point - 1] ?? Number.POSITIVE_INFINITY;
  return { digits: Number(text.slice(0, point) + text.slice(point + 1)), unit };
}

const units = Array.from({ length: 16 }, (_, places) => Number(`1e${places}`));
