/** How exact numbers are shown. */
import { type Fraction, parseFigure, roundHalfAway } from "../../src/base/fraction.ts";

/** The decimals of money. */
const moneyPlaces = 2;
/** A number whose first two digits need more decimals than this is shown with a power of ten. */
const smallPlacesMax = 6;

interface FigureText {
  /** The text on the page. */
  readonly shown: string;
  readonly sign: -1 | 0 | 1;
}

/**
 * Returns an exact number (decimal text or `p/q`) with thousands separators and a fixed number of decimals. A
 * number other than zero never looks like zero: it shows its first two digits, if need be as a power of ten.
 */
export function figureText(exact: string, places = moneyPlaces): FigureText {
  const value = parseFigure(exact);
  if (value === undefined) return { shown: exact, sign: 0 };
  const sign = value.numerator === 0n ? 0 : value.numerator < 0n ? -1 : 1;
  let decimals = places;
  let digits = digitsAt(value, decimals);
  while (sign !== 0 && (digits === "0" || (decimals > places && digits.length < 2))) {
    decimals += 1;
    digits = digitsAt(value, decimals);
  }
  const minus = sign < 0 ? "−" : "";
  if (decimals > Math.max(places, smallPlacesMax)) {
    const power = String(decimals - digits.length + 1).replaceAll(
      /\d/g,
      (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)] ?? "",
    );
    return { shown: `${minus}${digits[0]}.${digits.slice(1)}×10⁻${power}`, sign };
  }
  const padded = digits.padStart(decimals + 1, "0");
  const whole = padded.slice(0, padded.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  const fraction = decimals === 0 ? "" : `.${padded.slice(-decimals)}`;
  return { shown: `${minus}${whole}${fraction}`, sign };
}

/** The digits of a number without its sign and point, rounded to a number of decimals. */
const digitsAt = (value: Fraction, decimals: number): string =>
  roundHalfAway(value, decimals).toString().replace("-", "");

export const mebibytes = (bytes: number): number => bytes / 1_048_576;

/** The most decimals of a price or quantity that are shown. */
const priceDecimalsMax = 9;
/** Prices are aligned at their decimal point, which has room for this many decimals after it. */
const priceRoom = 6;

/** A price or quantity with its own decimals. What is cut off is marked with an ellipsis. */
export function ownDecimals(exact: string): FigureText {
  const decimals = exact.includes("/") ? priceDecimalsMax + 1 : (exact.split(".")[1]?.length ?? 0);
  const { shown, sign } = figureText(exact, Math.min(decimals, priceDecimalsMax));
  return { shown: decimals > priceDecimalsMax ? `${shown}…` : shown, sign };
}

/** Spaces as wide as the decimal point and the decimals that a price lacks. */
export function roomBehind(shown: string): string {
  const decimals = shown.split(".")[1]?.length ?? 0;
  if (decimals >= priceRoom) return "";
  return (decimals === 0 ? "\u2008" : "") + "\u2007".repeat(priceRoom - decimals);
}
