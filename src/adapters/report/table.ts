import { styleText } from "node:util";
import { plain } from "../../base/plain-text.ts";
import { findingCount } from "../../domain/market/finding-codes.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { agrees, type Verdict } from "../../domain/migration/verdict.ts";
import type { CauseGroup, ParityReport, ParitySummary, ParitySystem } from "../../ports/parity-report.ts";
import { explanationWords } from "./explanation.ts";
import type { PositionReading } from "./reading.ts";
import {
  absentWords,
  causeWords,
  counted,
  currencyWords,
  daysWords,
  figureOf,
  fileRowsWords,
  groupInstruments,
  groupMeaning,
  groupMoneyWords,
  groupPlace,
  groupTitle,
  inputWords,
  invariantWords,
  legacySymbolWords,
  methodWords,
  notComparedWords,
  noteCounts,
  positionsOf,
  rowWords,
  shownValue,
  summaryLine,
  titlesOf,
  tradeWords,
  verdictCounts,
  verdictWords,
  worstFirst,
  worstVerdictsFirst,
  zeroPriceWarning,
  zeroPriceWords,
} from "./reading.ts";
import { summaryOf } from "./summary.ts";
import { align, count, figure, money, none, paragraphs, shorten, shownPlaces } from "./text.ts";

interface TableOptions {
  /** Whether escape codes may appear; the caller knows its stream and NO_COLOR. */
  readonly colour: boolean;
  /** The width of the terminal in columns. Long names are shortened to fit; figures never are. */
  readonly width?: number;
  /** The maximum number of lines of each list. */
  readonly rowsMax?: number;
}

const tableDefaults = Object.freeze({ width: 120, rowsMax: 40 });

/**
 * Renders the report as text for people: the bottom line, counts, differences by cause, positions and days
 * that do not agree, positions that agree, the method of comparison, the files read, and finally the summary
 * line. No trailing newline.
 */
export function renderParityTable(report: ParityReport, options: TableOptions): string {
  const { colour, width, rowsMax } = { ...tableDefaults, ...options };
  const paint: Paint = colour
    ? (style, text) => styleText(style, text, { validateStream: false })
    : (_, text) => text;
  const summary = summaryOf(report);
  const view: View = { report, summary, paint, width, rowsMax, titleOf: titlesOf(report) };
  const sections: readonly (readonly string[])[] = [
    headline(view),
    bottomLine(view),
    differingDays(view),
    countsOf(view),
    causeGroups(view),
    differingPositions(view),
    differingDailyFigures(view),
    positionsAgreeing(view),
    section(notComparedWords(report), rowsMax, "not compared"),
    section((report.explanations ?? []).map(explanationWords), rowsMax, "explanations"),
    refusals(view),
    section(
      legacySymbolWords(report),
      rowsMax,
      "what the desk's own symbol translators would have made of these symbols",
    ),
    [...titled(view, "how it was compared", methodWords(report))],
    filesRead(view),
    legend(view),
    [paint(report.ok ? "green" : "red", summaryLine(report))],
  ];
  return paragraphs(sections);
}

type Style = "red" | "green" | "yellow" | "magenta" | "dim" | "bold";
type Paint = (style: Style, text: string) => string;

/** The shared input of all sections of one rendering. */
interface View {
  readonly report: ParityReport;
  readonly summary: ParitySummary;
  readonly paint: Paint;
  readonly width: number;
  readonly rowsMax: number;
  readonly titleOf: (symbol: string) => string;
}

const styles: Readonly<Record<Verdict, Style>> = {
  equal: "green",
  within_tolerance: "green",
  diverged: "red",
  error: "magenta",
  not_comparable: "yellow",
};

/**
 * Limits of the width of names: a narrower name is unreadable, a wider one leaves no room for the figures.
 */
const [nameMin, nameMax] = [12, 44];
const indent = "     ";

/** A title and its lines, or nothing if there are no lines. */
const titled = ({ paint }: View, title: string, lines: readonly string[]): string[] =>
  lines.length === 0 ? [] : [paint("bold", title.toUpperCase()), ...lines.map((line) => `   ${line}`)];

const moreWords = ({ paint }: View, hidden: number, what: string): string[] =>
  hidden > 0 ? [paint("dim", `… and ${count(hidden)} more ${what}; --json and --out list all`)] : [];

const signOf = ({ paint }: View, verdict: Verdict): string =>
  paint(styles[verdict], verdictWords[verdict].sign);

function headline({ report, paint }: View): string[] {
  const { legacy, modern, generated, ok } = report;
  const verdict = paint(ok ? "green" : "red", ok ? "In parity" : "Not in parity");
  const lines = [`${verdict}: ${plain(legacy.system)} (legacy) and ${plain(modern.system)} (modern)`];
  const input = inputWords(report);
  if (input !== undefined) lines.push(input);
  if (generated !== undefined) lines.push(`${generated.product} ${generated.version}, ${generated.at}`);
  return [...lines, ...zeroPriceWords(report.zeroPriceLots).map((line) => paint("yellow", line))];
}

function bottomLine(view: View): string[] {
  const { summary, paint } = view;
  if (summary.totals.length === 0) return [];
  const rows = summary.totals.flatMap(({ currency, ...sums }) =>
    (["realized", "unrealized", "total"] as const).map((field) => {
      const { legacy, modern, difference } = sums[field];
      return [
        field,
        money(legacy),
        money(modern),
        money(difference),
        field === "total" ? currencyWords(currency) : "",
      ];
    }),
  );
  const [head = "", ...lines] = align([["", "legacy", "modern", "difference", ""], ...rows], new Set([0, 4]));
  const shown = lines.map((line, index) => (rows[index]?.[0] === "total" ? paint("bold", line) : line));
  return titled(view, "bottom line", [
    paint("dim", head),
    ...shown,
    ...absentWords(summary).map((line) => paint("yellow", line)),
  ]);
}

function differingDays(view: View): string[] {
  const { summary, paint, rowsMax } = view;
  const apart = summary.days.filter((day) => day.apart > 0);
  if (summary.days.length === 0) return [];
  const rows = apart
    .slice(0, rowsMax)
    .map(({ tradingDay, currency, legacy, modern, difference }) => [
      plain(tradingDay),
      money(legacy),
      money(modern),
      money(difference),
      currencyWords(currency),
    ]);
  const [head = "", ...lines] = align([["", "legacy", "modern", "difference", ""], ...rows], new Set([0, 4]));
  return titled(view, `total by day: ${daysWords(summary)}`, [
    ...(rows.length === 0 ? [] : [paint("dim", head), ...lines]),
    ...moreWords(view, apart.length - rowsMax, "days with differences"),
  ]);
}

function countsOf(view: View): string[] {
  const { report, summary } = view;
  const positions = Object.values(summary.positions).reduce((sum, one) => sum + one, 0);
  const lines = [`figures    ${verdictCounts(report.verdicts)}`];
  if (positions > 0) lines.unshift(`positions  ${verdictCounts(summary.positions)}`);
  if (report.invariants.length > 0) lines.push(invariantWords(report, positions));
  return report.compared === 0 ? [] : titled(view, "counts", lines);
}

function causeGroups(view: View): string[] {
  const { summary, rowsMax } = view;
  if (summary.causes.length === 0) return [];
  return [
    ...titled(view, "differences by cause", [""]).slice(0, 1),
    ...summary.causes.slice(0, rowsMax).flatMap((group) => groupLines(group, view)),
    ...moreWords(view, summary.causes.length - rowsMax, "causes"),
  ];
}

/** The maximum number of instruments named for one group. */
const groupSymbolsMax = 5;

function groupLines(group: CauseGroup, view: View): string[] {
  const worst = worstVerdictsFirst.find((verdict) => group.figures[verdict]) ?? "diverged";
  const title = `${signOf(view, worst)}  ${view.paint("bold", groupTitle(group))}`;
  const lines = [`${title}: ${verdictCounts(group.figures)}; ${groupPlace(group)}`];
  const meaning = groupMeaning(group, view.report);
  if (meaning !== "") lines.push(view.paint("dim", `${indent}${meaning}`));
  for (const line of groupMoneyWords(group)) lines.push(`${indent}${line}`);
  lines.push(`${indent}${groupInstruments(group, view.report, groupSymbolsMax)}`);
  if (group.trades.length > 0) lines.push(`${indent}${tradeWords(group.trades)}`);
  return lines;
}

const shownFields = ["quantity", "realized", "unrealized"] as const;
type ShownField = (typeof shownFields)[number];
const sides: readonly Side[] = ["legacy", "modern"];

const valueText = (position: PositionReading, side: Side, field: ShownField): string => {
  const value = shownValue(position, side, field);
  return field === "quantity" ? figure(value) : money(value);
};

/** Two header lines, then each position with both sides' figures and its findings below. */
function differingPositions(view: View): string[] {
  const { report, paint, rowsMax, summary, titleOf, width } = view;
  const positions = positionsOf(report).filter(({ worst }) => !agrees(worst.verdict));
  if (positions.length === 0) return [];
  const { diverged, error, not_comparable } = summary.positions;
  const shown = positions.slice(0, rowsMax);
  const withBooks = shown.some(({ key }) => key.book !== undefined);
  const label = (book: string, name: string): string[] => (withBooks ? [book, name] : [name]);
  const room = Math.max(nameMin, Math.min(nameMax, width - 80));
  const rows = shown.map((position) => [
    ...label(plain(position.key.book ?? ""), shorten(titleOf(position.key.symbol), room)),
    ...shownFields.flatMap((field) => sides.map((side) => valueText(position, side, field))),
  ]);
  const heads = [
    [...label("", ""), ...shownFields.flatMap((field) => ["", field])],
    [...label("book", "instrument"), ...shownFields.flatMap(() => sides)],
  ];
  const lines = align([...heads, ...rows], new Set(withBooks ? [0, 1] : [0]));
  return [
    paint("bold", `positions: ${verdictCounts({ diverged, error, not_comparable })}`.toUpperCase()),
    ...lines.slice(0, heads.length).map((line) => paint("dim", `   ${line}`)),
    ...shown.flatMap((position, index) => [
      `${signOf(view, position.worst.verdict)}  ${lines[heads.length + index]}`,
      ...findings(position, view),
    ]),
    ...moreWords(view, positions.length - shown.length, "positions"),
  ];
}

/**
 * The lines below a position that does not agree: its symbol, its causes, the details that no column shows,
 * and its realized + unrealized.
 */
function findings(position: PositionReading, view: View): string[] {
  const { report, paint, titleOf } = view;
  const { book, symbol } = position.key;
  const apart = worstFirst(position.rows.filter((row) => !agrees(row.verdict)));
  const causes = new Set(apart.map(causeWords).filter((words) => words !== ""));
  const words = apart.flatMap((row) => rowWords(row) ?? []);
  const invariant = report.invariants.find((one) => one.book === book && one.symbol === symbol);
  if (invariant !== undefined && position.worst.verdict === "diverged") {
    const [legacy, modern] = [money(invariant.legacy), money(invariant.modern)];
    const tolerated = invariant.holds ? ", within tolerance" : "";
    words.push(
      invariant.holds && legacy === modern
        ? `realized + unrealized agree: ${modern}`
        : `realized + unrealized${tolerated}: legacy ${legacy}, modern ${modern}`,
    );
  }
  const code = titleOf(symbol) === plain(symbol) ? [] : [plain(symbol)];
  const line = [...code, ...causes, ...words].join(" · ");
  return [...(line === "" ? [] : [paint("dim", `${indent}${line}`)]), ...warnings(position, view)];
}

function warnings({ key }: PositionReading, { report, paint }: View): string[] {
  const warning = zeroPriceWarning(report.zeroPriceLots, key);
  return warning === undefined ? [] : [paint("yellow", `${indent}${warning}`)];
}

/** Positions that agree, one line each, with modern's figures. */
function positionsAgreeing(view: View): string[] {
  const { report, paint, rowsMax, titleOf, width } = view;
  const positions = positionsOf(report).filter(({ worst }) => agrees(worst.verdict));
  const shown = positions.slice(0, rowsMax);
  const daysAgreeing = report.rows.filter(
    ({ kind, verdict }) => kind !== "position" && agrees(verdict),
  ).length;
  const rest = daysAgreeing === 0 ? [] : [paint("dim", `${counted(daysAgreeing, "daily figure")} agree`)];
  if (shown.length === 0) return rest;
  const withTitles = shown.some(({ key }) => titleOf(key.symbol) !== plain(key.symbol));
  const withBooks = shown.some(({ key }) => key.book !== undefined);
  const room = Math.max(nameMin, Math.min(nameMax, width - 80));
  const rows = shown.map((position) => [
    ...(withBooks ? [plain(position.key.book ?? "")] : []),
    shorten(titleOf(position.key.symbol), withTitles ? nameMax : room),
    ...shownFields.map((field) => valueText(position, "modern", field)),
    ...(withTitles ? [plain(position.key.symbol)] : []),
  ]);
  const columns = [
    ...(withBooks ? ["book"] : []),
    "instrument",
    ...shownFields,
    ...(withTitles ? ["symbol"] : []),
  ];
  const texts = ["book", "instrument", "symbol"].map((name) => columns.indexOf(name));
  const [head = "", ...lines] = align([columns, ...rows], new Set(texts));
  return [
    paint(
      "bold",
      `${counted(positions.length, "position")} ${positions.length === 1 ? "agrees" : "agree"}`.toUpperCase(),
    ),
    paint("dim", `   ${head}`),
    ...lines.flatMap((line, index) => {
      const position = shown[index];
      return position === undefined
        ? []
        : [`${signOf(view, position.worst.verdict)}  ${line}`, ...warnings(position, view)];
    }),
    ...moreWords(view, positions.length - shown.length, "positions that agree"),
    ...rest,
  ];
}

function differingDailyFigures(view: View): string[] {
  const { report, paint, width, rowsMax, titleOf } = view;
  const apart = worstFirst(
    report.rows.filter(({ kind, verdict }) => kind !== "position" && !agrees(verdict)),
  );
  // Hundreds of figures may be not comparable. They are left out here, and the list of causes counts them.
  const rows = apart.filter(({ verdict }) => verdict !== "not_comparable");
  const silent = apart.length - rows.length;
  if (apart.length === 0) return [];
  const head = ["", "day", "instrument", "field", "legacy", "modern", "difference", "cause"];
  const room = Math.max(nameMin, Math.min(nameMax, width - 84));
  const shown = rows.slice(0, rowsMax);
  const cells = shown.map((row) => [
    verdictWords[row.verdict].sign,
    plain(row.key.tradingDay ?? ""),
    shorten(
      row.key.book === undefined
        ? titleOf(row.key.symbol)
        : `${plain(row.key.book)} ${titleOf(row.key.symbol)}`,
      room,
    ),
    row.kind === "snapshot" ? `snapshot ${row.field}` : row.field,
    figureOf(row, row.legacy),
    figureOf(row, row.modern),
    figureOf(row, row.difference),
    causeWords(row),
  ]);
  const [headLine = "", ...lines] = align([head, ...cells], new Set([0, 1, 2, 3, 7]));
  return [
    paint(
      "bold",
      `${counted(rows.length, "daily figure")} ${rows.length === 1 ? "differs" : "differ"}`.toUpperCase(),
    ),
    ...(shown.length === 0 ? [] : [paint("dim", headLine)]),
    ...lines.map((line, index) => {
      const { sign } = verdictWords[shown[index]?.verdict ?? "error"];
      return signOf(view, shown[index]?.verdict ?? "error") + line.slice(sign.length);
    }),
    ...moreWords(view, rows.length - shown.length, "daily figures"),
    ...(silent === 0 ? [] : [paint("yellow", `${counted(silent, "daily figure")} not comparable`)]),
  ];
}

/** Refusals of the systems, quarantined rows and notes: counts, then the entries up to the limit. */
function refusals({ report, rowsMax }: View): string[] {
  const refused = ({ system, errors }: ParitySystem): string[] =>
    section(
      errors.map(({ code, why, file }) => `${code}${file === undefined ? "" : ` ${file}`}: ${why}`),
      rowsMax,
      `refused by ${plain(system)}`,
    );
  const quarantined = (report.quarantine ?? []).map(
    ({ code, file, line, why }) => `${code} ${file}${line === undefined ? "" : `:${line}`}: ${why}`,
  );
  return [
    ...refused(report.legacy),
    ...refused(report.modern),
    ...section(quarantined, rowsMax, "quarantined", findingCount(report.quarantine ?? [])),
    ...noteCounts(report.notes ?? []),
  ];
}

/** The files with their digests, in the form of `sha256sum`, each with the counts of its rows. */
function filesRead(view: View): string[] {
  const { inputs = [] } = view.report;
  const lines = inputs.slice(0, view.rowsMax).flatMap((file) => {
    const rows = fileRowsWords(file);
    return [
      `${file.sha256}  ${plain(file.path)}`,
      `  ${file.kind}, ${counted(file.bytes, "byte")}${rows === "" ? "" : `, ${rows}`}`,
    ];
  });
  return [
    ...titled(view, "what was read (sha256)", lines),
    ...moreWords(view, inputs.length - view.rowsMax, "files"),
  ];
}

function legend(view: View): string[] {
  const signs = worstVerdictsFirst.map(
    (verdict) => `${verdictWords[verdict].sign} ${verdictWords[verdict].name}`,
  );
  const sentences = [
    `Signs: ${signs.join("  ")}  ${none} no value.`,
    "Differences are modern minus legacy.",
    `Figures are rounded to ${shownPlaces} decimals; --json has them exactly.`,
  ];
  return [view.paint("dim", sentences.join(" "))];
}

function section(
  entries: readonly string[],
  rowsMax: number,
  what: string,
  total = entries.length,
): string[] {
  if (entries.length === 0) return [];
  const hidden = total - Math.min(rowsMax, entries.length);
  return [
    `${what}: ${count(total)}`,
    ...entries.slice(0, rowsMax).map((entry) => `${indent}${plain(entry)}`),
    ...(hidden > 0 ? [`${indent}… and ${count(hidden)} more`] : []),
  ];
}
