import {
  canonicalDecimal,
  figureDigitsMax,
  isCanonicalDecimal,
  parseDecimal,
  powerOfTen,
} from "../../base/decimal.ts";
import type { JsonValue } from "../../base/exact-json.ts";
import {
  add,
  formatFraction,
  fromScaled,
  parseFigure,
  parseFraction,
  roundHalfAway,
  zero,
} from "../../base/fraction.ts";

/** An object of an answer. */
export type Row = Readonly<Record<string, JsonValue>>;

export const isRow = (value: JsonValue | undefined): value is Row =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Matches a figure with a sign before or after the dollar sign, or in parentheses if it is negative, and with
 * or without commas between groups of three digits.
 */
const written = /^(\()?([-+−])?\$?([-+−])?((?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?)(\))?$/;

/**
 * The exact decimal text (or `p/q`) of a figure as desks write it: `$-1,234.50` and `(1,234.50)` are
 * `-1234.5`. Returns undefined for text that is no number, such as `N/A`, `-`, `nan` and `awaiting data`.
 */
export function figureText(value: JsonValue | undefined): string | undefined {
  if (typeof value === "number") return canonicalDecimal(String(value));
  if (typeof value !== "string") return undefined;
  if (isCanonicalDecimal(value)) return value;
  const text = value.trim();
  if (text.includes("/")) return parseFigure(text) === undefined ? undefined : text;
  const [, open, before = "", after = "", digits = "", close] = written.exec(text) ?? [];
  const isEnclosed = open !== undefined;
  const sign = `${before}${after}`;
  if (digits === "" || isEnclosed !== (close !== undefined) || sign.length > (isEnclosed ? 0 : 1))
    return undefined;
  const isNegative = isEnclosed || sign === "-" || sign === "−";
  const plain = digits.replaceAll(",", "").replace(/^\./, "0.");
  return canonicalDecimal(isNegative ? `-${plain}` : plain);
}

/** Returns the exact sum of figures; null if one of them is missing. */
export function sumOf(figures: readonly (string | null)[]): string | null {
  let [coefficient, scale] = [0n, 0];
  let quotients = zero;
  for (const figure of figures) {
    if (figure === null) return null;
    const decimal = parseDecimal(figure, figureDigitsMax);
    if (decimal === undefined) {
      const quotient = parseFigure(figure);
      if (quotient === undefined) return null;
      quotients = add(quotients, quotient);
    } else {
      const places = Math.max(scale, decimal.scale);
      coefficient =
        coefficient * powerOfTen(places - scale) + decimal.coefficient * powerOfTen(places - decimal.scale);
      scale = places;
    }
  }
  return formatFraction(add(fromScaled(coefficient, scale), quotients)).text;
}

export const isZeroText = (figure: string | null): boolean =>
  figure !== null && parseFraction(figure)?.numerator === 0n;

/** Whether a figure is zero after rounding to cents, half away from zero. */
export function isZeroToTheCent(figure: string): boolean {
  const value = parseFraction(figure);
  return value !== undefined && roundHalfAway(value, 2) === 0n;
}
