import { createHash } from "node:crypto";
import { jsonText, plain } from "../../base/plain-text.ts";
import { findingCount } from "../../domain/market/finding-codes.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { agrees, type Verdict } from "../../domain/migration/verdict.ts";
import type { Note } from "../../ports/ledger.ts";
import type {
  CauseGroup,
  ParityReport,
  ParityRow,
  ParitySummary,
  ParitySystem,
} from "../../ports/parity-report.ts";
import { explanationWords } from "./explanation.ts";
import { escapeHtml, htmlPage, scroll, section } from "./html.ts";
import { pageScript } from "./page-script.ts";
import {
  absentWords,
  causesOf,
  counted,
  currencyWords,
  daysWords,
  figureOf,
  fileRowsWords,
  groupInstruments,
  groupMeaning,
  groupPlace,
  groupTitle,
  inputWords,
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
import { count, figure, money, none, shownPlaces } from "./text.ts";

interface PageOptions {
  /** The maximum number of figures on the page, worst first. The JSON report has all of them. */
  readonly rowsMax: number;
}

const pageDefaults: PageOptions = Object.freeze({ rowsMax: 100_000 });

/** The maximum number of entries of a list. */
const entriesMax = 1_000;
/** With more days than this the page lists only those with differences. */
const daysMax = 60;
/** The maximum number of instruments named for one cause. */
const groupSymbolsMax = 8;

/**
 * Renders the report as one self-contained HTML page, whose content policy forbids all requests. The page
 * holds the figures as JSON; its script sorts, filters and prints them. Every text from outside is escaped.
 */
export function renderParityPage(report: ParityReport, { rowsMax } = pageDefaults): string {
  const summary = summaryOf(report);
  const { legacy, modern, ok } = report;
  const hash = createHash("sha256").update(pageScript).digest("base64");
  const policy = `; script-src 'sha256-${hash}'`;
  const verdict = mark(ok ? "equal" : "diverged", ok ? "In parity" : "Not in parity");
  const named = ({ system }: ParitySystem, side: Side): string =>
    `${escapeHtml(system)} <small>(${side})</small>`;
  const systems = `${named(legacy, "legacy")} and ${named(modern, "modern")}`;
  const translators = "What the desk's own symbol translators would have made of these symbols";
  return htmlPage(
    `Parity: ${legacy.system} vs ${modern.system}`,
    `<header>
<p class="soft">${escapeHtml(originWords(report))}</p>
<h1>${verdict}: ${systems}</h1>
<p>${escapeHtml(summaryLine(report))}</p>
${warnings(zeroPriceWords(report.zeroPriceLots))}</header>
<main>
<div class="top">${bottomLine(summary)}${counts(report, summary)}</div>
${[
  days(summary),
  causeTable(report, summary),
  list("Explanations", (report.explanations ?? []).map(explanationWords)),
  figures(report, summary, rowsMax),
  invariants(report),
  list("Not compared", notComparedWords(report)),
  refused(report.legacy),
  refused(report.modern),
  quarantine(report),
  notes(report),
  list(translators, legacySymbolWords(report)),
  list("How it was compared", methodWords(report)),
  files(report),
  legend(report),
].join("")}</main>
<script type="application/json" id="data">${dataOf(report, summary, rowsMax)}</script>
<script>${pageScript}</script>`,
    policy,
  );
}

const warnings = (lines: readonly string[]): string =>
  lines.map((line) => `<p class="warning">${escapeHtml(line)}</p>`).join("");

/** Text in the colour of a verdict. */
const mark = (verdict: Verdict, text: string): string =>
  `<span class="mark ${verdict}">${escapeHtml(text)}</span>`;

/** `✗ 4 diverged`. */
const countMark = (verdict: Verdict, number = 0): string =>
  mark(verdict, `${sign(verdict)} ${count(number)} ${verdictWords[verdict].name}`);

function originWords(report: ParityReport): string {
  const { generated } = report;
  const made = generated && ` of ${generated.product} ${generated.version}, made at ${generated.at}`;
  return [`P&L parity report${made ?? ""}`, inputWords(report)].filter(Boolean).join(" · ");
}

function bottomLine(summary: ParitySummary): string {
  if (summary.totals.length === 0) return "";
  const rows = summary.totals.flatMap(({ currency, ...sums }) =>
    (["realized", "unrealized", "total"] as const).map((field) => {
      const { legacy, modern, difference } = sums[field];
      const amounts = [legacy, modern, difference].map((value) => amount(value, money(value)));
      const name = `${field} <small>${escapeHtml(currencyWords(currency))}</small>`;
      const className = field === "total" ? ' class="sum"' : "";
      return `<tr${className}><th scope="row">${name}</th>${amounts.join("")}</tr>`;
    }),
  );
  return section(
    "Bottom line",
    scroll("Bottom line", table("totals", ["P&L", "Legacy", "Modern", "Difference"], rows), "fit") +
      warnings(absentWords(summary)),
  );
}

function counts(report: ParityReport, summary: ParitySummary): string {
  const positions = Object.values(summary.positions).reduce((sum, one) => sum + one, 0);
  const lines: (readonly [name: string, html: string])[] = [];
  const marks = (of: Readonly<Record<Verdict, number>>): string =>
    worstVerdictsFirst.map((verdict) => (of[verdict] > 0 ? countMark(verdict, of[verdict]) : "")).join("");
  if (positions > 0) lines.push([counted(positions, "position"), marks(summary.positions)]);
  lines.push([counted(report.compared, "figure"), marks(report.verdicts)]);
  if (report.invariants.length > 0) lines.push(["Checked", escapeHtml(invariantWords(report, positions))]);
  const entries = lines.map(([name, html]) => `<dt>${name}</dt><dd>${html}</dd>`);
  return section("Counts", `<dl class="counts">${entries.join("")}</dl>`);
}

function days(summary: ParitySummary): string {
  if (summary.days.length === 0) return "";
  const eventful = summary.days.filter(
    ({ legacy, modern, apart }) => apart > 0 || legacy !== "0" || modern !== "0",
  );
  const listed = eventful.length > daysMax ? eventful.filter(({ apart }) => apart > 0) : eventful;
  const rows = listed.map(({ tradingDay, currency, legacy, modern, difference, apart }) => {
    const verdict = apart > 0 ? "diverged" : "equal";
    const amounts = [legacy, modern, difference].map((value) => amount(value, money(value)));
    const figures = `<td class="number mark">${apart > 0 ? `${sign(verdict)} ` : ""}${count(apart)}</td>`;
    const head = `<th scope="row">${escapeHtml(tradingDay)}</th>${text(currencyWords(currency))}`;
    return `<tr class="${verdict}">${head}${amounts.join("")}${figures}</tr>`;
  });
  const left = listed.length < eventful.length ? "; the others are in the JSON report" : "";
  const heads = ["Day", "Currency", "Legacy", "Modern", "Difference", "Figures that differ"];
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
    const title = escapeHtml(groupTitle(group));
    const marks = worstVerdictsFirst
      .filter((verdict) => group.figures[verdict])
      .map((verdict) => `<div>${countMark(verdict, group.figures[verdict])}</div>`);
    const label = `data-cause="${index}" aria-label="Show figures of ${title}"`;
    const button = `<button type="button" class="button screen" hidden ${label}>Show figures</button>`;
    const sums = (["largest", "positions", "days"] as const).map((sum) => {
      const amounts = group.money.map((one) => {
        const currency =
          one[sum] === null ? "" : ` <small>${escapeHtml(currencyWords(one.currency))}</small>`;
        return `<div>${data(one[sum], money(one[sum]))}${currency}</div>`;
      });
      return `<td class="number">${amounts.join("")}</td>`;
    });
    return `<tr class="${worst}">
<th scope="row" class="wide">${title}<p class="soft">${escapeHtml(groupMeaning(group, report))}</p></th>
<td>${marks.join("")}${button}</td>${sums.join("")}<td class="wide">${groupWhere(group, report)}</td></tr>`;
  });
  return section(
    "Differences by cause",
    scroll(
      "Differences by cause",
      table(
        "causes",
        ["Cause", "Figures", "Largest difference", "Sum over positions", "Sum of daily totals", "Where"],
        rows,
      ),
    ),
  );
}

function groupWhere(group: CauseGroup, report: ParityReport): string {
  const lines = [
    groupPlace(group),
    groupInstruments(group, report, groupSymbolsMax),
    tradeWords(group.trades),
  ];
  return lines.flatMap((line) => (line === "" ? [] : [`<p>${escapeHtml(line)}</p>`])).join("");
}

const columns = [
  "Instrument",
  "Book",
  "Verdict",
  "Kind",
  "Day",
  "Field",
  "Legacy",
  "Modern",
  "Difference",
  "Tolerance",
  "Cause",
];

const needsScript = "The list of figures needs JavaScript. The JSON report has every figure.";

/** The list of figures: its filters and its empty table, which the script fills. */
function figures(report: ParityReport, { causes }: ParitySummary, rowsMax: number): string {
  const anyApart = report.rows.some(({ verdict }) => !agrees(verdict));
  const boxes = worstVerdictsFirst.map((verdict, index) => {
    const number = report.verdicts[verdict];
    const checked = number > 0 && !(anyApart && agrees(verdict)) ? " checked" : "";
    const words = `${sign(verdict)} ${verdictWords[verdict].name} (${count(number)})`;
    const box = `<input type="checkbox" name="verdict" value="${index}"${checked}>`;
    return `<label class="mark ${verdict}">${box} ${words}</label>`;
  });
  const numbered = (names: readonly string[]) => names.map((name, index) => [`${index}`, name] as const);
  const books = [...new Set(report.rows.flatMap(({ key }) => key.book ?? []))].sort();
  const heads = columns
    .filter((name) => name !== "Book" || books.length > 0)
    .map((name) => {
      const column = name === "Instrument" ? "symbol" : name.toLowerCase();
      const label = `<button type="button">${name}</button><span class="paper">${name}</span>`;
      return `<th scope="col" data-column="${column}"${classOf(name)}>${label}</th>`;
    });
  const hidden = report.rows.length - rowsMax;
  const more = hidden > 0 ? ` ${count(hidden)} more are in the JSON report.` : "";
  const turn = (id: string, text: string): string =>
    `<button type="button" class="button" id="${id}" hidden>${text}</button>`;
  const turns = turn("previous", "Previous page") + turn("next", "Next page");
  return section(
    "Figures",
    `<noscript>${warnings([needsScript])}</noscript>
<form id="filters" hidden><fieldset><legend>Verdict</legend>${boxes.join("")}</fieldset>
<label>Search<input type="search" name="search" placeholder="instrument, day, cause, trade …"></label>
${choice("Kind", numbered(kinds))}
${choice("Cause", numbered(causes.map(groupTitle)))}
${choice(
  "Book",
  books.map((book) => [book, book]),
)}
<button type="reset" class="button">Reset</button></form>
<div class="pager"><span id="shown" role="status"></span>${turns}</div>
<div class="scroll" id="figures" tabindex="0" role="region" aria-label="Figures"><table>
<caption>Differences are modern minus legacy. Worst first, unless sorted by a column.${more}</caption>
<thead><tr>${heads.join("")}</tr></thead><tbody></tbody></table></div>`,
  );
}

/** A select list whose first option is "all"; empty if there are no options. */
function choice(name: string, options: readonly (readonly [value: string, text: string])[]): string {
  if (options.length === 0) return "";
  const items = options.map(
    ([value, text]) => `<option value="${escapeHtml(value)}">${escapeHtml(text)}</option>`,
  );
  const list = `<option value="">all</option>${items.join("")}`;
  return `<label>${name}<select name="${name.toLowerCase()}">${list}</select></label>`;
}

const kinds = ["position", "daily", "snapshot"];

/**
 * The data of the script. A figure is its exact text, or a pair of exact and shown text if the two differ.
 */
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
  // No text may close the script element that holds the data.
  return jsonText(document).replaceAll("<", "\\u003c");
}

/**
 * The details of a row beyond its columns: its trades, the values of the side that has the row, and a warning
 * about lots of unknown cost.
 */
function detailOf(row: ParityRow, { zeroPriceLots }: ParityReport): string {
  const present = Object.entries(row.present ?? {}).map(
    ([field, value]) => `${plain(field)} ${figure(value)}`,
  );
  const warning = row.kind === "position" ? zeroPriceWarning(zeroPriceLots, row.key) : undefined;
  return [
    tradeWords(row.trades),
    present.length === 0 ? "" : `the row has ${present.join(", ")}`,
    warning ?? "",
  ]
    .filter(Boolean)
    .join(" · ");
}

function invariants(report: ParityReport): string {
  const broken = report.invariants.filter(({ holds }) => !holds);
  if (broken.length === 0) return "";
  const titleOf = titlesOf(report);
  const rows = broken.slice(0, entriesMax).map(({ book, symbol, name, legacy, modern }) => {
    const head = `<th scope="row">${escapeHtml(titleOf(symbol))}<code>${escapeHtml(symbol)}</code></th>`;
    const amounts = [legacy, modern].map((value) => amount(value, money(value)));
    return `<tr class="diverged">${head}${text(book ?? "")}${text(name)}${amounts.join("")}</tr>`;
  });
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
        `${code} ${file}${line === undefined ? "" : `:${line}`}: ${why}` +
        (text === undefined ? "" : ` – ${text}`),
    ),
    findingCount(entries),
  );

/** Renders the notes by code, with the meaning of each code. */
function notes({ notes: all = [], codes = {} }: ParityReport): string {
  if (all.length === 0) return "";
  const where = ({ file, line, why }: Note): string => `${file === "" ? "" : `${file}:${line}: `}${why}`;
  const groups = [...Map.groupBy(all, ({ code }) => code)].map(([code, ofCode]) => {
    const meaning = Object.hasOwn(codes, code) ? `: ${codes[code]}` : "";
    const entries = ofCode.slice(0, entriesMax).map((note) => `<li>${escapeHtml(where(note))}</li>`);
    const title = `${escapeHtml(code)} × ${count(findingCount(ofCode))}<small>${escapeHtml(meaning)}</small>`;
    return `<h3>${title}</h3><ul>${entries.join("")}</ul>`;
  });
  return section(`Notes: ${count(findingCount(all))}`, groups.join(""));
}

function files({ inputs = [] }: ParityReport): string {
  if (inputs.length === 0) return "";
  const rows = inputs.slice(0, entriesMax).map((file) => {
    const head = `<th scope="row" class="wide">${escapeHtml(file.path)}</th>`;
    const digest = `<td class="wide files"><code>${escapeHtml(file.sha256)}</code></td>`;
    const bytes = `<td class="number">${count(file.bytes)}</td>`;
    return `<tr>${head}${text(file.kind)}${text(fileRowsWords(file))}${bytes}${digest}</tr>`;
  });
  return section(
    "What was read",
    scroll("What was read", table("", ["File", "Kind", "Rows", "Bytes", "SHA-256"], rows)),
  );
}

function legend({ codes = {} }: ParityReport): string {
  const signs = worstVerdictsFirst.map((verdict) => {
    const { name, means } = verdictWords[verdict];
    return `<dt>${mark(verdict, `${sign(verdict)} ${name}`)}</dt><dd>${means}</dd>`;
  });
  const others = Object.entries({ [none]: "no value", ...codes }).map(
    ([code, meaning]) => `<dt>${escapeHtml(code)}</dt><dd>${escapeHtml(meaning)}</dd>`,
  );
  const rounding =
    `Figures are rounded to ${shownPlaces} decimals. ` +
    "A copied figure is exact, and so is the JSON report.";
  return section(
    "Legend",
    `<dl class="legend">${[...signs, ...others].join("")}</dl><p class="soft">${rounding}</p>`,
  );
}

const sign = (verdict: Verdict): string => verdictWords[verdict].sign;

function list(title: string, entries: readonly string[], total = entries.length): string {
  if (entries.length === 0) return "";
  const items = entries.slice(0, entriesMax).map((entry) => `<li>${escapeHtml(entry)}</li>`);
  if (total > items.length) items.push(`<li>… and ${count(total - items.length)} more</li>`);
  return section(title, `<ul>${items.join("")}</ul>`);
}

const numericColumns = new Set([
  ...["Legacy", "Modern", "Difference", "Tolerance", "Figures that differ", "Bytes"],
  ...["Largest difference", "Sum over positions", "Sum of daily totals"],
]);

const classOf = (column: string): string => (numericColumns.has(column) ? ' class="number"' : "");

function table(className: string, heads: readonly string[], rows: readonly string[]): string {
  const head = heads.map((name) => `<th scope="col"${classOf(name)}>${escapeHtml(name)}</th>`);
  const open = className === "" ? "<table>" : `<table class="${className}">`;
  return `${open}<thead><tr>${head.join("")}</tr></thead><tbody>
${rows.join("\n")}
</tbody></table>`;
}

const text = (value: string): string => `<td>${escapeHtml(value)}</td>`;

/** The shown text of a figure, with its exact text for the clipboard and for programs. */
const data = (exact: string | null, shown: string): string =>
  exact === null ? escapeHtml(shown) : `<data value="${escapeHtml(exact)}">${escapeHtml(shown)}</data>`;

const amount = (exact: string | null, shown: string): string =>
  `<td class="number">${data(exact, shown)}</td>`;
