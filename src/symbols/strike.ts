/**
 * A strike as a whole number of eighths of a point: every listed strike is a multiple of an eighth, so it is
 * exact.
 */
export type Eighths = number;

/**
 * No Treasury future has traded above 200 points. The limit refuses `C099500`, which is 995 points, written
 * in hundredths: its author may have meant 99.5, but that would be a guess.
 */
const strikePointsMax = 400;

/** The result for a text that is not a strike. */
export type BadStrike = -1;
export const badStrike: BadStrike = -1;

/**
 * Reads the strike of a text of digits with at most one `point` between them (`110`, `110.5`, `110.500`;
 * `111:75`). Returns -1 for any other text, for numbers between eighths (`110.12` may be 110.125 cut short,
 * or something else), for 0 and above 400, and for a leading zero (`010.5` may be 10.5, or a mistyped 110.5).
 */
export function parseStrike(text: string, point: "." | ":"): Eighths | BadStrike {
  const at = text.indexOf(point);
  const whole = at < 0 ? text.length : at;
  if (whole === 0 || whole > 4 || at === text.length - 1) return badStrike;
  if (whole > 1 && text.charCodeAt(0) === 48) return badStrike;
  const points = digits(text, 0, whole);
  let thousandths = 0;
  if (at >= 0) {
    let end = text.length;
    while (end > at + 1 && text.charCodeAt(end - 1) === 48) end -= 1;
    if (end - at - 1 > 3) return badStrike;
    const fraction = digits(text, at + 1, end);
    thousandths = fraction * (end - at === 2 ? 100 : end - at === 3 ? 10 : 1);
  }
  return eighthsOf(points * 1000 + thousandths);
}

/** Converts thousandths of a point; -1 if they are not a strike. NaN is not a strike. */
export const eighthsOf = (thousandths: number): Eighths | BadStrike =>
  thousandths > 0 && thousandths <= strikePointsMax * 1000 && thousandths % 125 === 0
    ? thousandths / 125
    : badStrike;

/**
 * Converts truncated hundredths, as CME writes them: 10912 is 109.125. No two eighths have the same first two
 * decimals, and CME's client pages say to append the third one, 5.
 */
export const eighthsOfHundredths = (hundredths: number): Eighths | BadStrike =>
  eighthsOf(hundredths * 10 + (hundredths % 25 === 12 ? 5 : 0));

export const hundredthsOf = (strike: Eighths): number => Math.floor((strike * 125) / 10);

/** `110`, `110.5`, `110.125`: the shortest form with at least `placesMin` decimal places. */
export function formatStrike(strike: Eighths, point: "." | ":" = ".", placesMin = 0): string {
  const points = strike >> 3;
  const fraction = fractions[strike & 7] as string;
  if (fraction.length >= placesMin) return fraction === "" ? `${points}` : `${points}${point}${fraction}`;
  return `${points}${point}${fraction.padEnd(placesMin, "0")}`;
}

const fractions = ["", "125", "25", "375", "5", "625", "75", "875"];

/** Reads a whole number; NaN if a character is not a digit; 0 for an empty range. */
function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
