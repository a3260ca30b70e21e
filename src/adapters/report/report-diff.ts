/** The comparison of two workbooks as text for people and as one self-contained page. */
import { styleText } from "node:util";
import { plain } from "../../base/plain-text.ts";
import {
  type DifferenceClass,
  harmlessClasses,
  type OrderNote,
  type ReportDiff,
  type ReportDifference,
  type TieOut,
} from "../../ports/report-diff.ts";
import { escapeHtml, htmlPage, scroll, section } from "./html.ts";
import { align, count, none, paragraphs, shorten } from "./text.ts";

/** The meaning of each class, in the order of severity. */
const classMeanings: Readonly<Record<DifferenceClass, string>> = {
  error: "a side has an error value, and the other has none or another one",
  type: "a number, a text, a truth value and a blank are different things",
  value: "the stored values differ",
  only_in_legacy: "modern lacks the sheet, column or row",
  only_in_modern: "legacy lacks the sheet, column or row",
  formula: "the formulas differ, or one has no stored result",
  format: "the value is equal, but its number format shows another text",
  within_tolerance: "the numbers differ by no more than the tolerance",
  appearance: "colours, fonts, widths, frozen rows, filters, print set-up, hidden or merged parts",
  order: "the same sheets, columns or rows in another order",
};
const classOrder = Object.keys(classMeanings).filter(
  (name): name is DifferenceClass => name in classMeanings,
);

interface Names {
  readonly legacy: string;
  readonly modern: string;
}

const textMax = 40;
const rowsMax = 40;

/** Renders the comparison as text, the gravest differences first. No trailing newline. */
export function renderReportDiff(
  diff: ReportDiff,
  names: Names,
  { colour }: { readonly colour: boolean },
): string {
  const all = gravestFirst(diff.differences);
  const shown = all.slice(0, rowsMax);
  const lines = shown.map((one) =>
    [one.class, placeOf(one), one.legacy ?? none, one.modern ?? none, detailOf(one)].map((text) =>
      shorten(plain(text), textMax),
    ),
  );
  const heads = ["class", "where", "legacy", "modern", ""];
  const rows = lines.length === 0 ? [] : [...align([heads, ...lines], new Set([0, 1, 2, 3, 4]))];
  if (all.length > shown.length) rows.push(`… and ${count(all.length - shown.length)} more; --json has all`);
  const verdict = diff.ok ? "the workbooks agree" : "the workbooks do not agree";
  return paragraphs([
    [`legacy: ${plain(names.legacy)}`, `modern: ${plain(names.modern)}`],
    rows,
    diff.order.map(orderWords),
    diff.tieOut.filter(({ holds }) => !holds).map(tieOutWords),
    driftWords(diff),
    diff.dateSystemsDiffer ? [dateWords] : [],
    [styled(colour, diff.ok, `${verdict}: ${countWords(outcomeOf(diff))}`)],
  ]);
}

const styled = (colour: boolean, ok: boolean, text: string): string =>
  colour ? styleText(ok ? "green" : "red", text, { validateStream: false }) : text;

const dateWords =
  "The two workbooks count days from 1900 and from 1904; their dates are compared as calendar days.";

const gravestFirst = (all: readonly ReportDifference[]): readonly ReportDifference[] =>
  all.toSorted((a, b) => classOrder.indexOf(a.class) - classOrder.indexOf(b.class));

/** The result of a comparison in short. */
export interface DiffOutcome {
  readonly counts: ReportDiff["counts"];
  /**
   * A sentence for each total that is not equal, and for each drift that is too large. Absent in older
   * entries of the audit.
   */
  readonly failedTotals?: readonly string[];
}

export const countWords = ({ counts, failedTotals = [] }: DiffOutcome): string => {
  const words = classOrder.flatMap((name) => {
    const number = counts[name];
    return number === undefined ? [] : [`${count(number)} ${name}`];
  });
  const { length } = failedTotals;
  if (length > 0) words.push(`${count(length)} ${length === 1 ? "total that fails" : "totals that fail"}`);
  return words.length === 0 ? "no difference" : words.join(", ");
};

export const outcomeOf = (diff: ReportDiff): { readonly ok: boolean } & Required<DiffOutcome> => ({
  ok: diff.ok,
  counts: diff.counts,
  failedTotals: [
    ...diff.tieOut.filter(({ holds }) => !holds).map(tieOutWords),
    ...driftWords(diff, diff.driftTooLarge),
  ],
});

const placeOf = ({ sheet, key, column }: ReportDifference): string =>
  [sheet, key === null ? "" : Object.values(key).join(" "), column ?? ""].filter(Boolean).join(" · ");

const detailOf = (one: ReportDifference): string => {
  const { difference, tolerance } = one;
  const numbers = difference === undefined ? [] : [`difference ${difference}, tolerance ${tolerance}`];
  return [...numbers, ...notesOf(one)].join("; ");
};

const notesOf = ({ cause, what, cells, keyIsNotUnique }: ReportDifference): readonly string[] =>
  [
    what ?? "",
    cause ?? "",
    cells === undefined ? "" : `${count(cells)} cells`,
    keyIsNotUnique ? "key not unique" : "",
  ].filter(Boolean);

const orderWords = ({ what, sheet }: OrderNote): string =>
  `${what}${sheet === undefined ? "" : ` of ${plain(sheet)}`}: another order`;

const tieOutWords = ({ name, workbook, sum, shown }: TieOut): string =>
  workbook === "both"
    ? `${name}: the rows of legacy add up to ${shown}, those of modern to ${sum}`
    : `${name} of ${workbook}: Summary shows ${plain(shown ?? "no number")}, the rows add up to ${sum}`;

const driftWords = (
  { drift, driftTooLarge }: ReportDiff,
  columns: readonly string[] = Object.keys(drift),
): readonly string[] =>
  columns.map((column) => {
    const verdict = driftTooLarge.includes(column) ? "too much" : "within the total tolerance";
    return `drift of ${plain(column)}: ${drift[column]}, ${verdict}`;
  });

const pageRowsMax = 5_000;

/** Renders the comparison as one page without a script, whose content policy forbids all requests. */
export function renderReportDiffPage(diff: ReportDiff, names: Names): string {
  const all = gravestFirst(diff.differences);
  const verdict = diff.ok ? ["equal", "✓ The workbooks agree"] : ["diverged", "✗ The workbooks do not agree"];
  const hidden = all.length - pageRowsMax;
  const more = hidden > 0 ? `<p>${count(hidden)} more are in the JSON document.</p>` : "";
  const findings = [
    ...diff.order.map(orderWords),
    ...driftWords(diff),
    ...(diff.dateSystemsDiffer ? [dateWords] : []),
  ];
  return htmlPage(
    "Report comparison",
    `<header>
<h1><span class="mark ${verdict[0]}">${verdict[1]}</span></h1>
<p>Legacy: <code>${escapeHtml(names.legacy)}</code> Modern: <code>${escapeHtml(names.modern)}</code></p>
<p>${escapeHtml(countWords(outcomeOf(diff)))}</p>
</header>
<main>
${section("Differences", all.length === 0 ? "<p>None.</p>" : more + scroll("Differences", differencesTable(all)))}
${diff.tieOut.length === 0 ? "" : section("Totals", scroll("Totals", tieOutTable(diff.tieOut), "fit"))}
${findings.length === 0 ? "" : section("Order and drift", list(findings))}
${section("Classes", `<dl class="legend">${classOrder.map(legendOf).join("")}</dl>`)}
</main>`,
  );
}

const list = (texts: readonly string[]): string =>
  `<ul>${texts.map((text) => `<li>${escapeHtml(text)}</li>`).join("")}</ul>`;

const legendOf = (name: DifferenceClass): string =>
  `<dt><span class="mark ${lookOf(name)}">${name}</span></dt><dd>${escapeHtml(classMeanings[name])}</dd>`;

const lookOf = (name: DifferenceClass): string =>
  harmlessClasses.has(name) ? "within_tolerance" : "diverged";

function differencesTable(all: readonly ReportDifference[]): string {
  const rows = all.slice(0, pageRowsMax).map((one) => {
    const key = one.key === null ? "" : Object.values(one.key).join(" · ");
    const texts = [one.sheet, key, one.column ?? ""].map(
      (text) => `<td class="wide">${escapeHtml(text)}</td>`,
    );
    const shown = (text: string | null): string => escapeHtml(text === null ? none : shorten(text, 80));
    const values = [one.legacy, one.modern].map((text) => `<td class="wide">${shown(text)}</td>`);
    const numbers = [one.difference ?? null, one.tolerance ?? null].map(
      (text) => `<td class="number">${shown(text)}</td>`,
    );
    const notes = escapeHtml(notesOf(one).join("; "));
    const mark = `<th scope="row"><span class="mark ${lookOf(one.class)}">${one.class}</span></th>`;
    return `<tr>${mark}${texts.join("")}${values.join("")}${numbers.join("")}<td class="wide">${notes}</td></tr>`;
  });
  const heads = ["Class", "Sheet", "Row", "Column", "Legacy", "Modern", "Difference", "Tolerance", "Cause"];
  return table(heads, rows);
}

function tieOutTable(ties: readonly TieOut[]): string {
  const rows = ties.map(({ name, workbook, sum, shown, holds }) => {
    const where = workbook === "both" ? "legacy's rows and modern's" : workbook;
    const mark = `<span class="mark ${holds ? "equal" : "diverged"}">${holds ? "✓ ties" : "✗ does not tie"}</span>`;
    const numbers = [shown ?? none, sum].map((text) => `<td class="number">${escapeHtml(text)}</td>`);
    return `<tr><th scope="row">${escapeHtml(name)}</th><td>${where}</td>${numbers.join("")}<td>${mark}</td></tr>`;
  });
  return table(["Figure", "Workbook", "Shown", "Sum of the rows", ""], rows);
}

const table = (heads: readonly string[], rows: readonly string[]): string =>
  `<table><thead><tr>${heads.map((name) => `<th scope="col">${name}</th>`).join("")}</tr></thead><tbody>
${rows.join("\n")}
</tbody></table>`;
