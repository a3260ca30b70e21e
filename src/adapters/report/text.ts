import { formatDecimal, lowest } from "../../base/decimal.ts";
import type { Fraction } from "../../base/fraction.ts";
import { isZero, parseFigure, roundHalfAway } from "../../base/fraction.ts";
import { plain } from "../../base/plain-text.ts";

/** The text for a missing value. */
export const none = "–";

/** The number of decimals of a shown figure. JSON has all of them. */
export const shownPlaces = 6;
/** The maximum length of a figure that is shown with all its digits. */
const figureMax = 40;
/** The maximum length of a text that is shown in place of a number. */
const textMax = 16;

/**
 * The shown text of a figure: rounded to 6 decimals, with its whole digits in groups of three (`-1,140.625`).
 * A value that would round to 0 or be very long has an exponent (`3e-15`), so a value other than 0 is never
 * shown as 0. A text that is not a number is shortened; null is a dash.
 */
export function figure(text: string | null, placesMin = 0): string {
  if (text === null) return none;
  const value = parseFigure(text);
  if (value === undefined) return shorten(plain(text), textMax);
  const rounded = lowest(roundHalfAway(value, shownPlaces), shownPlaces);
  if (rounded.coefficient === 0n && !isZero(value)) return scientific(value);
  const decimal = formatDecimal(rounded);
  if (decimal.length > figureMax) return powerOfTenText(decimal);
  const [whole = "", fraction = ""] = decimal.split(".");
  const places = fraction.padEnd(placesMin, "0");
  return `${whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ",")}${places === "" ? "" : `.${places}`}`;
}

/**
 * The shown text of an amount: a figure with at least two decimals; `≈0.00` for a tiny value other than 0.
 */
export function money(text: string | null): string {
  const shown = figure(text, 2);
  return /e-\d+$/.test(shown) ? "≈0.00" : shown;
}

/** The shown text of a count. */
export const count = (value: number): string => figure(`${value}`);

/** A number with two digits and an exponent, for values with many whole digits. */
function powerOfTenText(decimal: string): string {
  const [, sign = "", whole = ""] = /^(-?)(\d+)/.exec(decimal) ?? [];
  const tenths = Math.round(Number(whole.slice(0, 3)) / 10);
  return `${sign}${tenths === 100 ? 1 : tenths / 10}e${whole.length - (tenths === 100 ? 0 : 1)}`;
}

/**
 * A number with two digits and an exponent, for values that are closer to 0 than the shown decimals. Exact
 * arithmetic, without floats.
 */
function scientific(value: Fraction): string {
  // The loop ends, because the value is not smaller than 1 divided by its denominator: about as many places
  // as the denominator has digits suffice.
  let places = shownPlaces + 1;
  while (roundHalfAway(value, places - 1) === 0n) places += 1;
  const digits = roundHalfAway(value, places).toString();
  const sign = digits.startsWith("-") ? "-" : "";
  const [first = "0", ...rest] = digits.slice(sign.length);
  const fraction = rest.join("").replace(/0+$/, "");
  return `${sign}${first}${fraction && `.${fraction}`}e-${places - rest.length}`;
}

let segmenter: Intl.Segmenter | undefined;
/** The graphemes of a text. Most commands need none, and the segmenter takes a while to load. */
function graphemesOf(text: string): readonly string[] {
  segmenter ??= new Intl.Segmenter("en", { granularity: "grapheme" });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;

/**
 * The number of terminal columns of a text: two for East Asian wide characters and emoji, none for combining
 * marks.
 */
function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const grapheme of graphemesOf(text)) width += graphemeWidth(grapheme);
  return width;
}

const graphemeWidth = (segment: string): number =>
  wide.test(segment) ? 2 : /^\p{M}+$/u.test(segment) ? 0 : 1;

/** Shortens a text to at most `width` columns in its middle, because symbols differ at their ends. */
export function shorten(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  const segments = graphemesOf(text);
  const take = (from: readonly string[], room: number): string[] => {
    const taken: string[] = [];
    for (const segment of from) {
      room -= graphemeWidth(segment);
      if (room < 0) break;
      taken.push(segment);
    }
    return taken;
  };
  const tail = take(segments.toReversed(), Math.floor((width - 1) / 2)).toReversed();
  const head = take(segments, width - 1 - displayWidth(tail.join("")));
  return `${head.join("")}…${tail.join("")}`;
}

const padEnd = (text: string, width: number): string =>
  text + " ".repeat(Math.max(0, width - displayWidth(text)));
const padStart = (text: string, width: number): string =>
  " ".repeat(Math.max(0, width - displayWidth(text))) + text;

/** Aligns rows in columns with two spaces between; figures to the right, texts to the left. */
export function align(
  rows: readonly (readonly string[])[],
  textColumns: ReadonlySet<number>,
): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((widest, row) => Math.max(widest, displayWidth(row[column] ?? "")), 0),
  );
  return rows.map((row) =>
    row
      .map((cell, column) =>
        textColumns.has(column) ? padEnd(cell, widths[column] ?? 0) : padStart(cell, widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
}

/** Joins sections of lines with a blank line between; empty sections are left out. */
export const paragraphs = (sections: readonly (readonly string[])[]): string =>
  sections
    .filter((section) => section.length > 0)
    .map((section) => section.join("\n"))
    .join("\n\n");
