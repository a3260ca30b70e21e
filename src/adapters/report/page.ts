import { createHash } from "node:crypto";
import { jsonText, plain } from "../../base/plain-text.ts";
import { findingCount } from "../../domain/market/finding-codes.ts";
import { agrees, type Verdict } from "../../domain/migration/verdict.ts";
import type { Note } from "../../ports/ledger.ts";
import type { CauseGroup, ParityReport, ParityRow, ParitySummary, ParitySystem } from "../../ports/parity-report.ts";
import { pageScript } from "./page-script.ts";
import { pageStyle } from "./page-style.ts";
import {
  absentWords,
  causesOf,
  counted,
  currencyWords,
  daysWords,
  figureOf,
  fileRowsWords,
  groupMeaning,
  groupPlace,
  groupTitle,
  invariantWords,
  legacySymbolWords,
  methodWords,
  notComparedWords,
  summaryLine,
  titlesOf,
  tradeWords,
  verdictWords,
  worstFirst,
  worstVerdictsFirst,
  zeroPriceWarning,
  zeroPriceWords,
} from "./reading.ts";
import { summaryOf } from "./summary.ts";
import { count, figure, money, shownPlaces } from "./text.ts";

interface PageOptions {
  /** The most figures that the page holds, worst first. The JSON has all of them. */
  readonly rowsMax: number;
}

const pageDefaults: PageOptions = Object.freeze({ rowsMax: 100_000 });

/** The most entries of a list. */
const entriesMax = 1_000;
/** With more days than these the page lists only those with differences. */
const daysMax = 60;
/** The most instruments that are named of one cause. */
const groupSymbolsMax = 8;

/**
 * The report as one HTML page that needs nothing else and asks nobody for anything: its own policy forbids it. The figures stand
 * in the page as JSON; its script sorts, filters and prints them. Everything from outside is escaped.
 */
export function renderParityPage(report: ParityReport, { rowsMax } = pageDefaults): string {
  const summary = summaryOf(report);
  const { legacy, modern, ok } = report;
  const hash = createHash("sha256").update(pageScript).digest("base64");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Parity: ${escapeHtml(legacy.system)} vs ${escapeHtml(modern.system)}</title>
<style>${pageStyle}</style>
</head>
<body>
<header>
<p class="soft">${escapeHtml(originWords(report))}</p>
<h1><span class="mark ${ok ? "equal" : "diverged"}">${ok ? "In parity" : "Not in parity"}</span>: ${escapeHtml(legacy.system)} <small>(legacy)</small> and ${escapeHtml(modern.system)} <small>(modern)</small></h1>
<p>${escapeHtml(summaryLine(report))}</p>
${zeroPriceWords(report.zeroPriceLots)
  .map((line) => `<p class="warning">${escapeHtml(line)}</p>`)
  .join("")}</header>
<main>
<div class="top">${bottomLine(summary)}${counts(report, summary)}</div>
${days(summary)}${causeTable(report, summary)}${figures(report, summary, rowsMax)}${invariants(report)}${list("Not compared", notComparedWords(report))}${refused(report.legacy)}${refused(report.modern)}${quarantine(report)}${notes(report)}${list("What the desk's own symbol translators would have made of these symbols", legacySymbolWords(report))}${list("How it was compared", methodWords(report))}${files(report)}${legend(report)}</main>
<script type="application/json" id="data">${dataOf(report, summary, rowsMax)}</script>
<script>${pageScript}</script>
</body>
</html>
`;
}

function originWords({ generated, input }: ParityReport): string {
  const parts = [
    generated === undefined
      ? "P&L parity report"
      : `P&L parity report of ${generated.product} ${generated.version}, made at ${generated.at}`,
  ];
  if (input !== undefined)
    parts.push(
      `${counted(input.files, "file")} of trades, ${count(input.accepted)} of ${counted(input.rows, "row")} accepted, ${counted(input.duplicates, "duplicate")}`,
    );
  return parts.join(" · ");
}

function bottomLine(summary: ParitySummary): string {
  if (summary.totals.length === 0) return "";
  const rows = summary.totals.flatMap(({ currency, ...sums }) =>
    (["realized", "unrealized", "total"] as const).map((field) => {
      const { legacy, modern, difference } = sums[field];
      const amounts = [legacy, modern, difference].map((value) => amount(value, money(value)));
      const name = `${field} <small>${escapeHtml(currencyWords(currency))}</small>`;
      return `<tr${field === "total" ? ' class="sum"' : ""}><th scope="row">${name}</th>${amounts.join("")}</tr>`;
    }),
  );
  return section(
    "Bottom line",
    scroll("Bottom line", table("totals", ["P&L", "Legacy", "Modern", "Difference"], rows), "fit") +
      absentWords(summary)
        .map((line) => `<p class="warning">${escapeHtml(line)}</p>`)
        .join(""),
  );
}

function counts(report: ParityReport, summary: ParitySummary): string {
  const marks = (of: Readonly<Record<Verdict, number>>): string =>
    worstVerdictsFirst
      .filter((verdict) => of[verdict] > 0)
      .map(
        (verdict) => `<span class="mark ${verdict}">${sign(verdict)} ${count(of[verdict])} ${verdictWords[verdict].name}</span>`,
      )
      .join("");
  const positions = Object.values(summary.positions).reduce((sum, one) => sum + one, 0);
  const checked =
    report.invariants.length === 0 ? "" : `<dt>Checked</dt><dd>${escapeHtml(invariantWords(report, positions))}</dd>`;
  return section(
    "Counts",
    `<dl class="counts">${positions === 0 ? "" : `<dt>${counted(positions, "position")}</dt><dd>${marks(summary.positions)}</dd>`}<dt>${counted(report.compared, "figure")}</dt><dd>${marks(report.verdicts)}</dd>${checked}</dl>`,
  );
}

function days(summary: ParitySummary): string {
  if (summary.days.length === 0) return "";
  const eventful = summary.days.filter(({ legacy, modern, apart }) => apart > 0 || legacy !== "0" || modern !== "0");
  const listed = eventful.length > daysMax ? eventful.filter(({ apart }) => apart > 0) : eventful;
  const rows = listed.map(({ tradingDay, currency, legacy, modern, difference, apart }) => {
    const verdict = apart > 0 ? "diverged" : "equal";
    const amounts = [legacy, modern, difference].map((value) => amount(value, money(value)));
    const figures = `<td class="number mark">${apart > 0 ? `${sign(verdict)} ` : ""}${count(apart)}</td>`;
    return `<tr class="${verdict}"><th scope="row">${escapeHtml(tradingDay)}</th>${text(currencyWords(currency))}${amounts.join("")}${figures}</tr>`;
  });
  const left = listed.length < eventful.length ? "; the others are in the JSON report" : "";
  const heads = ["Day", "Currency", "Legacy", "Modern", "Difference", "Figures apart"];
  return section(
    "Total by day",
    `<p class="soft">${daysWords(summary)}${left}. Days without P&amp;L are not listed.</p>${
      rows.length === 0 ? "" : scroll("Total by day", table("", heads, rows), "fit days")
    }`,
  );
}

function causeTable(report: ParityReport, { causes }: ParitySummary): string {
  if (causes.length === 0) return "";
  const rows = causes.map((group, index) => {
    const worst = worstVerdictsFirst.find((verdict) => group.figures[verdict]) ?? "diverged";
    const figures = worstVerdictsFirst
      .filter((verdict) => group.figures[verdict])
      .map(
        (verdict) =>
          `<div class="mark ${verdict}">${sign(verdict)} ${count(group.figures[verdict] ?? 0)} ${verdictWords[verdict].name}</div>`,
      );
    const sums = (["largest", "positions", "days"] as const).map(
      (sum) =>
        `<td class="number">${group.money
          .map((one) => {
            const currency = one[sum] === null ? "" : ` <small>${escapeHtml(currencyWords(one.currency))}</small>`;
            return `<div>${data(one[sum], money(one[sum]))}${currency}</div>`;
          })
          .join("")}</td>`,
    );
    return `<tr class="${worst} keep"><th scope="row" class="wide">${escapeHtml(groupTitle(group))}<p class="soft">${escapeHtml(groupMeaning(group, report))}</p></th><td>${figures.join("")}<button type="button" class="button screen" hidden data-cause="${index}" aria-label="Show figures of ${escapeHtml(groupTitle(group))}">Show figures</button></td>${sums.join("")}<td class="wide">${groupWhere(group, report)}</td></tr>`;
  });
  return section(
    "Differences by cause",
    scroll(
      "Differences by cause",
      table("causes", ["Cause", "Figures", "Largest difference", "Positions together", "Daily totals together", "Where"], rows),
    ),
  );
}

function groupWhere(group: CauseGroup, report: ParityReport): string {
  const titleOf = titlesOf(report);
  const named = group.symbols.slice(0, groupSymbolsMax).map((symbol) => {
    const title = titleOf(symbol);
    return title === plain(symbol) ? title : `${title} (${plain(symbol)})`;
  });
  const more = group.symbols.length - named.length;
  const lines = [
    groupPlace(group),
    `${named.join("; ")}${more > 0 ? `; and ${count(more)} more` : ""}`,
    tradeWords(group.trades),
  ];
  return lines.flatMap((line) => (line === "" ? [] : [`<p>${escapeHtml(line)}</p>`])).join("");
}

const columns = ["Instrument", "Book", "Verdict", "Kind", "Day", "Field", "Legacy", "Modern", "Difference", "Tolerance", "Cause"];
const numericColumns = new Set(["Legacy", "Modern", "Difference", "Tolerance"]);

/** The list of figures: its filters and its empty table, which the script fills. */
function figures(report: ParityReport, { causes }: ParitySummary, rowsMax: number): string {
  const anyApart = report.rows.some(({ verdict }) => !agrees(verdict));
  const boxes = worstVerdictsFirst.map((verdict, index) => {
    const checked = report.verdicts[verdict] > 0 && !(anyApart && agrees(verdict)) ? " checked" : "";
    return `<label class="mark ${verdict}"><input type="checkbox" name="verdict" value="${index}"${checked}> ${sign(verdict)} ${verdictWords[verdict].name} (${count(report.verdicts[verdict])})</label>`;
  });
  const choices = (name: string, options: readonly (readonly [value: string, text: string])[]): string =>
    options.length === 0
      ? ""
      : `<label>${name}<select name="${name.toLowerCase()}"><option value="">all</option>${options
          .map(([value, text]) => `<option value="${escapeHtml(value)}">${escapeHtml(text)}</option>`)
          .join("")}</select></label>`;
  const books = [...new Set(report.rows.flatMap(({ key }) => key.book ?? []))].sort();
  const heads = columns
    .filter((name) => name !== "Book" || books.length > 0)
    .map((name) => {
      const column = name === "Instrument" ? "symbol" : name.toLowerCase();
      return `<th scope="col" data-column="${column}"${numericColumns.has(name) ? ' class="number"' : ""}><button type="button">${name}</button><span class="paper">${name}</span></th>`;
    });
  const hidden = report.rows.length - rowsMax;
  return section(
    "Figures",
    `<noscript><p class="warning">The list of figures needs JavaScript. The JSON report has every figure.</p></noscript>
<form id="filters" hidden><fieldset><legend>Verdict</legend>${boxes.join("")}</fieldset>
<label>Search<input type="search" name="search" placeholder="instrument, day, cause, trade …"></label>
${choices(
  "Kind",
  kinds.map((kind, index) => [`${index}`, kind]),
)}${choices(
  "Cause",
  causes.map((group, index) => [`${index}`, groupTitle(group)]),
)}${choices(
  "Book",
  books.map((book) => [book, book]),
)}<button type="reset" class="button">Reset</button></form>
<div class="pager"><span id="shown" role="status"></span><button type="button" class="button" id="previous" hidden>Previous page</button><button type="button" class="button" id="next" hidden>Next page</button></div>
<div class="scroll" id="figures" tabindex="0" role="region" aria-label="Figures"><table><caption>Differences are modern minus legacy. Worst first, unless sorted by a column.${hidden > 0 ? ` ${count(hidden)} more are in the JSON report.` : ""}</caption><thead><tr>${heads.join("")}</tr></thead><tbody></tbody></table></div>`,
  );
}

const kinds = ["position", "daily", "snapshot"];

/** What the script reads. A figure is its exact text, or that and the shown text where the two differ. */
function dataOf(report: ParityReport, { causes }: ParitySummary, rowsMax: number): string {
  const facts = new Map(report.instruments?.map((one) => [one.symbol, one]));
  const symbols = [...new Set(report.rows.map(({ key }) => key.symbol))];
  const places = new Map(symbols.map((symbol, index) => [symbol, index]));
  const causePlaces = new Map(causes.map((group, index) => [groupTitle(group), index]));
  const rows = worstFirst(report.rows)
    .slice(0, rowsMax)
    .map((row) => [
      worstVerdictsFirst.indexOf(row.verdict),
      kinds.indexOf(row.kind),
      plain(row.key.book ?? ""),
      places.get(row.key.symbol),
      plain(row.key.tradingDay ?? ""),
      plain(row.field),
      ...[row.legacy, row.modern, row.difference, row.tolerance].map((value) => {
        const shown = figureOf(row, value);
        return value === null || value === shown ? value : [value, shown];
      }),
      agrees(row.verdict) ? null : causePlaces.get(groupTitle({ causes: causesOf(row) })),
      detailOf(row, report),
    ]);
  const document = {
    withBooks: report.rows.some(({ key }) => key.book !== undefined),
    verdicts: worstVerdictsFirst.map((verdict) => [verdict, sign(verdict), verdictWords[verdict].name]),
    kinds,
    causes: causes.map(groupTitle),
    symbols: symbols.map((symbol) => {
      const { title = null, currency = null } = facts.get(symbol) ?? {};
      return [plain(symbol), title === null ? null : plain(title), currency];
    }),
    rows,
  };
  // Nothing in it may end the element that it stands in.
  return jsonText(document).replaceAll("<", "\\u003c");
}

/** What a row says beyond its columns: its trades, what the other side holds, and what rests on lots of unknown cost. */
function detailOf(row: ParityRow, { zeroPriceLots }: ParityReport): string {
  const present = Object.entries(row.present ?? {}).map(([field, value]) => `${plain(field)} ${figure(value)}`);
  const warning = row.kind === "position" ? zeroPriceWarning(zeroPriceLots, row.key) : undefined;
  return [tradeWords(row.trades), present.length === 0 ? "" : `there ${present.join(", ")}`, warning ?? ""]
    .filter(Boolean)
    .join(" · ");
}

function invariants(report: ParityReport): string {
  const broken = report.invariants.filter(({ holds }) => !holds);
  if (broken.length === 0) return "";
  const titleOf = titlesOf(report);
  const rows = broken
    .slice(0, entriesMax)
    .map(
      ({ book, symbol, name, legacy, modern }) =>
        `<tr class="diverged"><th scope="row">${escapeHtml(titleOf(symbol))}<code>${escapeHtml(symbol)}</code></th>${text(book ?? "")}${text(name)}${amount(legacy, money(legacy))}${amount(modern, money(modern))}</tr>`,
    );
  return section(
    `Sums that do not agree: ${count(broken.length)}`,
    scroll("Sums that do not agree", table("", ["Instrument", "Book", "Sum", "Legacy", "Modern"], rows)),
  );
}

const refused = ({ system, errors }: ParitySystem): string =>
  list(
    `Refused by ${system}: ${count(errors.length)}`,
    errors.map(({ code, why, file }) => `${code}${file === undefined ? "" : ` ${file}`}: ${why}`),
  );

const quarantine = ({ quarantine: entries = [] }: ParityReport): string =>
  list(
    `Quarantined: ${counted(findingCount(entries), "row")}`,
    entries.map(
      ({ file, line, code, text, why }) =>
        `${code} ${file}${line === undefined ? "" : `:${line}`}: ${why}${text === undefined ? "" : ` – ${text}`}`,
    ),
    findingCount(entries),
  );

/** Notes by code, with what the code means. */
function notes({ notes: all = [], codes = {} }: ParityReport): string {
  if (all.length === 0) return "";
  const where = ({ file, line, why }: Note): string => `${file === "" ? "" : `${file}:${line}: `}${why}`;
  const groups = [...Map.groupBy(all, ({ code }) => code)].map(([code, ofCode]) => {
    const meaning = Object.hasOwn(codes, code) ? `: ${codes[code]}` : "";
    const entries = ofCode.slice(0, entriesMax).map((note) => `<li>${escapeHtml(where(note))}</li>`);
    return `<h3>${escapeHtml(code)} × ${count(findingCount(ofCode))}<small>${escapeHtml(meaning)}</small></h3><ul>${entries.join("")}</ul>`;
  });
  return section(`Notes: ${count(findingCount(all))}`, groups.join(""));
}

function files({ inputs = [] }: ParityReport): string {
  if (inputs.length === 0) return "";
  const rows = inputs
    .slice(0, entriesMax)
    .map(
      (file) =>
        `<tr><th scope="row" class="wide">${escapeHtml(file.path)}</th>${text(file.kind)}${text(fileRowsWords(file))}<td class="number">${count(file.bytes)}</td><td class="wide files"><code>${file.sha256}</code></td></tr>`,
    );
  return section("What was read", scroll("What was read", table("", ["File", "Kind", "Rows", "Bytes", "SHA-256"], rows)));
}

const legend = ({ codes = {} }: ParityReport): string =>
  section(
    "Legend",
    `<dl class="legend">${[
      ...worstVerdictsFirst.map(
        (verdict) => [`${sign(verdict)} ${verdictWords[verdict].name}`, verdictWords[verdict].means, verdict] as const,
      ),
      ["–", "no value", ""] as const,
      ...Object.entries(codes).map(([code, meaning]) => [code, meaning, ""] as const),
    ]
      .map(([name, meaning, verdict]) => `<dt class="mark ${verdict}">${escapeHtml(name)}</dt><dd>${escapeHtml(meaning)}</dd>`)
      .join(
        "",
      )}</dl><p class="soft">Figures are rounded to ${shownPlaces} decimals. A copied figure is exact, and so is the JSON report.</p>`,
  );

const sign = (verdict: Verdict): string => verdictWords[verdict].sign;

const section = (title: string, html: string): string => `<section><h2>${escapeHtml(title)}</h2>${html}</section>
`;

/** A region that scrolls by itself, also by keyboard. */
const scroll = (label: string, html: string, className = ""): string =>
  `<div class="scroll ${className}" tabindex="0" role="region" aria-label="${label}">${html}</div>`;

function list(title: string, entries: readonly string[], total = entries.length): string {
  if (entries.length === 0) return "";
  const items = entries.slice(0, entriesMax).map((entry) => `<li>${escapeHtml(entry)}</li>`);
  if (total > items.length) items.push(`<li>… and ${count(total - items.length)} more</li>`);
  return section(title, `<ul>${items.join("")}</ul>`);
}

const numericHeads = new Set([
  ...numericColumns,
  "Figures apart",
  "Largest difference",
  "Positions together",
  "Daily totals together",
  "Bytes",
]);

function table(className: string, heads: readonly string[], rows: readonly string[]): string {
  const head = heads.map((name) =>
    name === "" ? "<td></td>" : `<th scope="col"${numericHeads.has(name) ? ' class="number"' : ""}>${escapeHtml(name)}</th>`,
  );
  return `<table${className === "" ? "" : ` class="${className}"`}><thead><tr>${head.join("")}</tr></thead><tbody>
${rows.join("\n")}
</tbody></table>`;
}

const text = (value: string): string => `<td>${escapeHtml(value)}</td>`;

/** A figure as it is shown, with its exact text for the clipboard and for programs. */
const data = (exact: string | null, shown: string): string =>
  exact === null ? escapeHtml(shown) : `<data value="${escapeHtml(exact)}">${escapeHtml(shown)}</data>`;

const amount = (exact: string | null, shown: string): string => `<td class="number">${data(exact, shown)}</td>`;

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Text as text, in elements and in quoted attributes; control and direction characters made visible first. */
const escapeHtml = (text: string): string => plain(text).replaceAll(/[&<>"']/g, (character) => entities[character] ?? "");
