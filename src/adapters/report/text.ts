import { formatDecimal, lowest } from "../../base/decimal.ts";
import type { Fraction } from "../../base/fraction.ts";
import { isZero, parseFigure, roundHalfAway } from "../../base/fraction.ts";
import { plain } from "../../base/plain-text.ts";

/** What stands where there is no value. */
export const none = "–";

/** The decimals that a figure is shown with. JSON has it in full. */
export const shownPlaces = 6;
/** The longest figure that is shown with all its digits. */
const figureMax = 40;
/** The longest text that is shown where a number belongs. */
const textMax = 16;

/**
 * A figure for a reader: rounded to 6 decimals, whole digits in threes (`-1,140.625`); a smaller value or a
 * very long one with an exponent (`3e-15`). Never shows a difference as 0. Text that is no number is cut;
 * null is a dash.
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
 * An amount for a reader: a figure with at least two decimals; `≈0.00` where it is less than those show and
 * not 0.
 */
export function money(text: string | null): string {
  const shown = figure(text, 2);
  return /e-\d+$/.test(shown) ? "≈0.00" : shown;
}

/** A count for a reader. */
export const count = (value: number): string => figure(`${value}`);

/** Two digits and an exponent, for values with many whole digits. */
function powerOfTenText(decimal: string): string {
  const [, sign = "", whole = ""] = /^(-?)(\d+)/.exec(decimal) ?? [];
  const tenths = Math.round(Number(whole.slice(0, 3)) / 10);
  return `${sign}${tenths === 100 ? 1 : tenths / 10}e${whole.length - (tenths === 100 ? 0 : 1)}`;
}

/**
 * Two digits and an exponent, for values nearer to 0 than the shown places reach. Exact until the last step:
 * no float.
 */
function scientific(value: Fraction): string {
  // The text of a value has at most as many places as its denominator has digits and some more; the loop ends there.
  let places = shownPlaces + 1;
  while (roundHalfAway(value, places - 1) === 0n) places += 1;
  const digits = roundHalfAway(value, places).toString();
  const sign = digits.startsWith("-") ? "-" : "";
  const [first = "0", ...rest] = digits.slice(sign.length);
  const fraction = rest.join("").replace(/0+$/, "");
  return `${sign}${first}${fraction && `.${fraction}`}e-${places - rest.length}`;
}

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\ufe0f/u;

/**
 * Columns that a text takes on a terminal: two for East Asian wide characters and emoji, none for combining
 * marks.
 */
function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

const graphemeWidth = (segment: string): number =>
  wide.test(segment) ? 2 : /^\p{M}+$/u.test(segment) ? 0 : 1;

/** At most `width` columns: the middle gives way, since symbols differ at their ends. */
export function shorten(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  const segments = [...graphemes.segment(text)].map(({ segment }) => segment);
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

/** Lines of columns, two spaces apart; figures to the right, texts to the left. */
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

/** Sections of lines, those that are empty left out, with a blank line between. */
export const paragraphs = (sections: readonly (readonly string[])[]): string =>
  sections
    .filter((section) => section.length > 0)
    .map((section) => section.join("\n"))
    .join("\n\n");
