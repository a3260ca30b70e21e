/** Numbers on the page. Each shows a rounded text; its title and its copies have the exact one. */
import { memo } from "react";
import { figureText, ownDecimals, roomBehind } from "./figures.ts";

interface FigureProps {
  /** Decimal text or `p/q`; null if the figure is not available, undefined if there is no such row. */
  readonly value: string | null | undefined;
  /** Why it is not available. */
  readonly why?: string | undefined;
  /** `money` has two decimals, `quantity` and `price` have their own. */
  readonly as?: FigureKind;
  /** Whether it is a difference, which has a plus sign if it is above zero. */
  readonly isChange?: boolean;
}

export type FigureKind = "money" | "quantity" | "price";

/** One number, or the words `not available` with the reason. */
export const Figure = memo(function Figure({ value, why, as = "money", isChange = false }: FigureProps) {
  if (value === undefined) return <span className="soft">–</span>;
  if (value === null)
    return (
      <span className="unavailable" title={why}>
        not available
      </span>
    );
  const { shown, sign } = as === "money" ? figureText(value) : ownDecimals(value);
  const isToned = as === "money" || isChange;
  const tone = isToned && sign < 0 ? "negative" : isChange && sign === 0 ? "soft" : undefined;
  return (
    <data className={tone} value={value} title={value}>
      {isChange && sign > 0 && "+"}
      {shown}
      {as === "price" && roomBehind(shown)}
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

/** The text of the cell that has the focus; undefined if something inside a cell has it, such as a field. */
function textOfFocus(): string | undefined {
  const cell = document.activeElement;
  if (cell?.matches("[role=gridcell]") !== true) return undefined;
  return cell.querySelector("data")?.value ?? cell.textContent;
}

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
