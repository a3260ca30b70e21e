/** Numbers on the page. Each shows a rounded text and holds the exact one: in its title, and when it is copied. */
import { memo } from "react";
import { parseFigure, roundHalfAway } from "../../src/base/fraction.ts";

/** The figures that a page shows rounded to this number of decimals. */
const moneyPlaces = 2;
/** A number that is closer to zero than this many decimals show is longer than any line. */
const decimalsMax = 60;

interface FigureText {
  /** What is shown. */
  readonly shown: string;
  readonly sign: -1 | 0 | 1;
}

/**
 * Returns an exact number (decimal text or `p/q`) with thousands separators and a fixed number of decimals. A
 * number other than zero that would round to zero shows its first two digits.
 */
function figureText(exact: string, places = moneyPlaces): FigureText {
  const value = parseFigure(exact);
  if (value === undefined) return { shown: exact, sign: 0 };
  const sign = value.numerator === 0n ? 0 : value.numerator < 0n ? -1 : 1;
  let decimals = places;
  while (sign !== 0 && decimals < decimalsMax && roundHalfAway(value, decimals) === 0n) decimals += 1;
  if (decimals > places) decimals += 1;
  const rounded = roundHalfAway(value, decimals);
  const digits = (rounded < 0n ? -rounded : rounded).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  const fraction = decimals === 0 ? "" : `.${digits.slice(-decimals)}`;
  return { shown: `${sign < 0 ? "−" : ""}${whole}${fraction}`, sign };
}

/** A price or quantity: all its decimals if it has at most nine, else nine and an ellipsis. */
function exactText(exact: string): FigureText {
  const value = parseFigure(exact);
  if (value === undefined) return { shown: exact, sign: 0 };
  const decimals = exact.includes("/") ? 9 : Math.min(9, exact.split(".")[1]?.length ?? 0);
  const { shown, sign } = figureText(exact, decimals);
  const isCut = exact.includes("/") || (exact.split(".")[1]?.length ?? 0) > 9;
  return { shown: isCut ? `${shown}…` : shown, sign };
}

interface FigureProps {
  /** Decimal text or `p/q`; null if the figure is not available. */
  readonly value: string | null;
  /** Why it is not available. */
  readonly why?: string | undefined;
  /** `money` has two decimals, `signed` also a plus sign, `exact` all its decimals. */
  readonly as?: "money" | "signed" | "exact";
}

/** One number, or the words `not available` with the reason. */
export const Figure = memo(function Figure({ value, why, as = "money" }: FigureProps) {
  if (value === null)
    return (
      <span className="unavailable" title={why}>
        not available
      </span>
    );
  const { shown, sign } = as === "exact" ? exactText(value) : figureText(value);
  const plus = as === "signed" && sign > 0 ? "+" : "";
  const tone = as === "exact" ? undefined : sign < 0 ? "negative" : undefined;
  return (
    <data className={tone} value={value} title={value}>
      {plus}
      {shown}
    </data>
  );
});

/** Copies exact numbers: a selection with numbers gives their exact text, and so does a focused cell. */
export function copyExactly(event: ClipboardEvent): void {
  const selection = document.getSelection();
  const text = selection?.isCollapsed === false ? textOfSelection(selection) : textOfFocus();
  if (text === undefined) return;
  event.clipboardData?.setData("text/plain", text);
  event.preventDefault();
}

const textOfFocus = (): string | undefined => {
  const cell = document.activeElement?.closest("[role=gridcell], td");
  return cell?.querySelector("data")?.value ?? cell?.textContent ?? undefined;
};

/** The text of a selection with exact numbers, cells separated by tabs; undefined if it has no numbers. */
function textOfSelection(selection: Selection): string | undefined {
  const range = selection.getRangeAt(0);
  const start = range.commonAncestorContainer;
  const whole = (start instanceof Element ? start : start.parentElement)?.closest("data");
  if (whole !== null && whole !== undefined) return whole.value;
  const part = range.cloneContents();
  const figures = part.querySelectorAll("data");
  if (figures.length === 0) return undefined;
  for (const figure of figures) figure.textContent = figure.value;
  for (const cell of part.querySelectorAll("[role=gridcell], [role=columnheader], [role=rowheader], td, th"))
    cell.after("\t");
  for (const row of part.querySelectorAll("[role=row], tr, dl > div")) row.after("\n");
  return (part.textContent ?? "").replaceAll(/\t(?=\n|$)/g, "").trimEnd();
}
