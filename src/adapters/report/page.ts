import { plain } from "../../base/plain-text.ts";
import { findingCount } from "../../domain/market/finding-codes.ts";
import { agrees, type Verdict } from "../../domain/migration/verdict.ts";
import type { ParityReport, ParityRow, ParitySystem } from "../../ports/parity-report.ts";
import {
  causeWords,
  counted,
  dayRuleWords,
  legacySymbolWords,
  notComparedWords,
  summaryLine,
  tradeWords,
  words,
  worstFirst,
  zeroPriceWarning,
  zeroPriceWords,
} from "./reading.ts";
import { figure } from "./text.ts";

/** The most comparisons that the page lists, worst first; the JSON beside it has all of them. */
export const pageRowsMax = 5_000;

/**
 * The report as one HTML page that needs nothing else: no script, no font, no network (its own policy forbids them). Worst
 * first, filtered by radio buttons, readable in light and dark, by keyboard and by ear. Everything from outside is escaped.
 */
export function renderParityPage(report: ParityReport): string {
  const rows = worstFirst(report.rows);
  const hidden = Math.max(0, rows.length - pageRowsMax);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Parity: ${escapeHtml(report.legacy.system)} vs ${escapeHtml(report.modern.system)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1><span class="${report.ok ? "equal" : "diverged"}">${report.ok ? "In parity" : "Not in parity"}</span> ${escapeHtml(report.legacy.system)} <small>(legacy)</small> and ${escapeHtml(report.modern.system)} <small>(modern)</small></h1>
<p>${escapeHtml(summaryLine(report))}</p>
${zeroPriceWords(report.zeroPriceLots)
  .map((line) => `<p class="warning">${escapeHtml(line)}</p>`)
  .join("")}
<ul class="counts">${Object.entries(report.verdicts)
    .map(([verdict, count]) => `<li class="${escapeHtml(verdict)}"><b>${count}</b> ${words[verdict as Verdict]}</li>`)
    .join("")}</ul>
</header>
<main>
<section aria-labelledby="comparisons">
<h2 id="comparisons">Comparisons, worst first</h2>
<fieldset><legend>Show</legend>
<label><input type="radio" name="show" id="show-all" checked> all</label>
<label><input type="radio" name="show" id="show-differing"> only what differs</label>
<label><input type="radio" name="show" id="show-positions"> positions</label>
<label><input type="radio" name="show" id="show-daily"> daily rows</label>
</fieldset>
<div class="scroll" tabindex="0" role="region" aria-labelledby="comparisons">
<table>
<caption>Difference is modern minus legacy.${hidden > 0 ? ` ${hidden} more are in the JSON report.` : ""}</caption>
<thead><tr>${["Verdict", "Kind", "Book", "Symbol", "Day", "Field", "Legacy", "Modern", "Difference", "Tolerance", "Cause"]
    .map((name) => `<th scope="col">${name}</th>`)
    .join("")}</tr></thead>
<tbody>
${rows
  .slice(0, pageRowsMax)
  .map((row) => rowHtml(row, report))
  .join("\n")}
</tbody>
</table>
</div>
</section>
${list("not-compared", "Not compared", notComparedWords(report))}${invariants(report)}${facts(report)}${refused(report.legacy)}${refused(report.modern)}${quarantine(report)}${legacyNames(report)}</main>
</body>
</html>
`;
}

function rowHtml(row: ParityRow, { zeroPriceLots }: ParityReport): string {
  const warning = row.kind === "position" ? zeroPriceWarning(zeroPriceLots, row.key) : undefined;
  const cells = [
    words[row.verdict],
    row.kind,
    escapeHtml(row.key.book ?? ""),
    `<th scope="row">${escapeHtml(row.key.symbol)}</th>`,
    escapeHtml(row.key.tradingDay ?? ""),
    escapeHtml(row.field),
    ...[row.legacy, row.modern, row.difference, row.tolerance].map(number),
    escapeHtml(`${causeWords(row)}${tradeWords(row)}${presentWords(row)}${warning ? ` · ${warning}` : ""}`.replace(/^ · /, "")),
  ];
  const html = cells.map((cell) => (cell.startsWith("<t") ? cell : `<td>${cell}</td>`)).join("");
  return `<tr class="${row.verdict} ${row.kind}${agrees(row.verdict) ? " agrees" : ""}">${html}</tr>`;
}

/** A figure's cell; the exact text stands in its title where the shown one is shortened. */
function number(text: string | null): string {
  const shown = figure(text);
  const exact = text === null || shown === text ? "" : ` title="${escapeHtml(text)}"`;
  return `<td class="number"${exact}>${escapeHtml(shown)}</td>`;
}

function presentWords({ present }: ParityRow): string {
  if (present === undefined) return "";
  return ` · there ${Object.entries(present)
    .map(([field, value]) => `${field} ${figure(value)}`)
    .join(", ")}`;
}

function invariants(report: ParityReport): string {
  const broken = report.invariants.filter((invariant) => !invariant.holds);
  if (report.invariants.length === 0) return "";
  const note = `${report.invariants.length - broken.length} of ${report.invariants.length} hold.`;
  const lines = broken.map(
    ({ book, symbol, name, legacy, modern }) =>
      `<tr class="diverged"><td>${escapeHtml(book ?? "")}</td><th scope="row">${escapeHtml(symbol)}</th><td>${escapeHtml(name)}</td>${number(legacy)}${number(modern)}</tr>`,
  );
  return `<section aria-labelledby="invariants"><h2 id="invariants">Invariants</h2><p>${note}</p>${
    broken.length === 0
      ? ""
      : `<table><caption>Those that do not hold</caption><thead><tr>${["Book", "Symbol", "Invariant", "Legacy", "Modern"]
          .map((name) => `<th scope="col">${name}</th>`)
          .join("")}</tr></thead><tbody>${lines.slice(0, pageRowsMax).join("\n")}</tbody></table>`
  }</section>
`;
}

/** What the comparison assumed, and what drifted within tolerance. */
function facts(report: ParityReport): string {
  const entries = [dayRuleWords(report)];
  for (const { system, field, rule } of report.conversions) entries.push(`converted: ${system} ${field}: ${rule}`);
  for (const [field, sum] of Object.entries(report.drift))
    if (sum !== "0") entries.push(`drift within tolerance: ${field} ${figure(sum)}`);
  return list("facts", "How it was compared", entries);
}

const refused = ({ system, errors }: ParitySystem): string =>
  list(
    "",
    `Refused by ${system}: ${errors.length}`,
    errors.map(({ code, why, file }) => `${code}${file === undefined ? "" : ` ${file}`}: ${why}`),
  );

const quarantine = ({ quarantine: entries = [] }: ParityReport): string =>
  list(
    "quarantine",
    `Quarantined: ${counted(findingCount(entries), "row")}`,
    entries.map(
      ({ file, line, code, text, why }) =>
        `${code} ${file}${line === undefined ? "" : `:${line}`}: ${why}${text === undefined ? "" : ` – ${text}`}`,
    ),
    findingCount(entries),
  );

const legacyNames = (report: ParityReport): string =>
  list("legacy-symbols", "What the desk's own symbol translators would have made of these symbols", legacySymbolWords(report));

function list(id: string, title: string, entries: readonly string[], count = entries.length): string {
  if (entries.length === 0) return "";
  const items = entries.slice(0, pageRowsMax).map((entry) => `<li>${escapeHtml(entry)}</li>`);
  if (entries.length > pageRowsMax) items.push(`<li>… and ${count - pageRowsMax} more</li>`);
  return `<section><h2${id === "" ? "" : ` id="${id}"`}>${escapeHtml(title)}</h2><ul>${items.join("")}</ul></section>
`;
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text as text, in elements and in quoted attributes; control and direction characters made visible first. */
const escapeHtml = (text: string): string => plain(text).replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");

const style = `
:root { color-scheme: light dark; --text: light-dark(#1b1f24, #e6e8eb); --page: light-dark(#fff, #14171b); --line: light-dark(#d4d9df, #343a42);
  --head: light-dark(#f1f3f5, #1f242a); --good: light-dark(#116329, #6fd08c); --bad: light-dark(#b3151f, #ff8f8a); --warn: light-dark(#7a4b00, #f0b849); }
body { margin: 0 auto; padding: 1rem 1.5rem; max-width: 100rem; font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page); }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; } small { font-weight: normal; }
.counts { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; padding: 0; list-style: none; }
.equal, .within_tolerance { --mark: var(--good); } .diverged, .error { --mark: var(--bad); } .not_comparable { --mark: var(--warn); }
h1 span, .counts li, tr > td:first-child { color: var(--mark); }
.warning { color: var(--warn); font-weight: 600; }
fieldset { border: 0; padding: 0; margin: 0 0 .5rem; display: flex; gap: 1rem; flex-wrap: wrap; } legend { float: left; }
.scroll { overflow: auto; max-height: 75vh; border: 1px solid var(--line); } .scroll:focus-visible { outline: 2px solid; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; } caption { text-align: left; padding: .3rem .6rem; }
th, td { padding: .2rem .45rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; vertical-align: top; } th[scope=row] { font-weight: 600; }
th[scope=row], td:last-child:not(.number) { white-space: normal; overflow-wrap: anywhere; min-width: 15rem; }
thead th { position: sticky; top: 0; background: var(--head); white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
body:has(#show-differing:checked) tr.agrees, body:has(#show-positions:checked) tr:is(.daily, .snapshot), body:has(#show-daily:checked) tr.position { display: none; }
@media print { .scroll { max-height: none; overflow: visible; border: 0; } fieldset { display: none; } }
`;
