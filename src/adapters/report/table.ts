import { styleText } from "node:util";
import { plain } from "../../base/plain-text.ts";
import { findingCount } from "../../domain/market/finding-codes.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { agrees, type Verdict } from "../../domain/migration/verdict.ts";
import type { ParityReport, ParityRow, ParitySystem } from "../../ports/parity-report.ts";
import type { PositionReading } from "./reading.ts";
import {
  causeWords,
  counted,
  dayRuleWords,
  findingWords,
  legacySymbolWords,
  notComparedWords,
  noteCounts,
  positionsOf,
  shownValue,
  summaryLine,
  tradeWords,
  worstFirst,
  zeroPriceWarning,
  zeroPriceWords,
} from "./reading.ts";
import { align, displayWidth, figure, padEnd, padStart, paragraphs, shorten } from "./text.ts";

interface TableOptions {
  /** Whether escape codes may appear; the caller knows its stream and NO_COLOR. */
  readonly colour: boolean;
  /** Columns of the terminal. Long symbols give way to fit; figures never do. */
  readonly width?: number;
  /** The most lines of positions that agree, of positions that do not, and of daily rows that do not. */
  readonly rowsMax?: number;
}

const tableDefaults = Object.freeze({ width: 120, rowsMax: 40 });

/**
 * The report as text for people: positions that differ first, worst at the top, each with what differs and why; daily rows
 * that differ; positions that agree; what was refused; last the line to paste into a chat. No trailing newline.
 */
export function renderParityTable(report: ParityReport, options: TableOptions): string {
  const { colour, width, rowsMax } = { ...tableDefaults, ...options };
  const paint: Paint = colour ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text;
  const positions = positionsOf(report);
  const differing = positions.filter((position) => !agrees(position.worst.verdict));
  const agreeing = positions.filter((position) => agrees(position.worst.verdict));
  const daily = report.rows.filter((row) => row.kind !== "position");
  const days = worstFirst(daily.filter((row) => !agrees(row.verdict) && row.verdict !== "not_comparable"));
  const daysAgreeing = daily.filter((row) => agrees(row.verdict)).length;

  const shown = [...differing.slice(0, rowsMax), ...agreeing.slice(0, rowsMax)];
  const [head, ...lines] = alignPositions(shown, paint, width);
  const bad = lines.slice(0, Math.min(differing.length, rowsMax));
  const good = lines.slice(bad.length);
  const more = (hidden: number, what: string): string[] =>
    hidden > 0 ? [paint("dim", `… and ${hidden} more ${what}; --json and --out list all`)] : [];

  const sections: readonly (readonly string[])[] = [
    [...headline(report), ...zeroPriceWords(report.zeroPriceLots).map((line) => paint("yellow", line))],
    differing.length === 0
      ? []
      : [
          title(paint, `${counted(differing.length, "position")} differing`),
          ...(head ?? []),
          ...bad.flatMap((line, index) => [...line, ...findings(differing[index], report, paint)]),
          ...more(differing.length - bad.length, "differing"),
        ],
    days.length === 0
      ? []
      : [
          title(paint, `${counted(days.length, "daily figure")} differing`),
          ...alignDays(days.slice(0, rowsMax), paint, width),
          ...more(days.length - rowsMax, "differing"),
        ],
    agreeing.length === 0
      ? []
      : [
          title(paint, `${counted(agreeing.length, "position")} agreeing`),
          ...(head ?? []),
          ...good.flatMap((line, index) => [...line, ...warnings(agreeing[index], report, paint)]),
          ...more(agreeing.length - good.length, "agreeing"),
        ],
    [
      ...incomparable(daily).map((line) => paint("yellow", line)),
      ...(daysAgreeing === 0 ? [] : [paint("dim", `${counted(daysAgreeing, "daily figure")} agreeing`)]),
    ],
    section(notComparedWords(report), rowsMax, "not compared"),
    [...drifts(report), ...refusals(report, rowsMax)],
    section(legacySymbolWords(report), rowsMax, "what the desk's own symbol translators would have made of these symbols"),
    [paint(report.ok ? "green" : "red", summaryLine(report))],
  ];
  return paragraphs(sections);
}

type Style = "red" | "green" | "yellow" | "magenta" | "dim" | "bold";
type Paint = (style: Style, text: string) => string;

const marks: Readonly<Record<Verdict, readonly [mark: string, style: Style]>> = {
  equal: ["=", "green"],
  within_tolerance: ["≈", "green"],
  diverged: ["✗", "red"],
  error: ["!", "magenta"],
  not_comparable: ["?", "yellow"],
};

const gap = "  ";
/** A symbol narrower than this says nothing; wider than this it crowds out the figures. */
const [symbolMin, symbolMax] = [12, 44];
const indent = "     ";

const title = (paint: Paint, text: string): string => paint("bold", text.toUpperCase());

function headline(report: ParityReport): string[] {
  const { legacy, modern, method, input } = report;
  const lines = [
    `${plain(legacy.system)} (legacy) and ${plain(modern.system)} (modern) · ${dayRuleWords(report)}${method === undefined ? "" : ` · ${method}`}`,
  ];
  if (input !== undefined)
    lines.push(
      `${counted(input.files, "file")}, ${input.accepted} of ${counted(input.rows, "row")} accepted, ${counted(input.duplicates, "duplicate")}`,
    );
  const byRule = new Map<string, string[]>();
  for (const { system, field, rule } of report.conversions) {
    const fields = byRule.get(`${system}\n${rule}`) ?? [];
    byRule.set(`${system}\n${rule}`, [...fields, field]);
  }
  for (const [id, fields] of byRule) {
    const [system = "", rule = ""] = id.split("\n");
    lines.push(`converted: ${system} ${fields.join(", ")}: ${plain(rule)}`);
  }
  return lines;
}

const shownFields = ["quantity", "realized", "unrealized"] as const;
const sides: readonly Side[] = ["legacy", "modern"];

/** Two lines of head, then one line a position; as a list of lists, so that findings can go between. */
function alignPositions(positions: readonly PositionReading[], paint: Paint, width: number): readonly (readonly string[])[] {
  const withBooks = positions.some(({ key }) => key.book !== undefined);
  const figures = positions.map((position) =>
    shownFields.flatMap((field) => sides.map((side) => figure(shownValue(position, side, field)))),
  );
  const widths = shownFields.flatMap((field, index) => {
    const [legacy, modern] = sides.map((side, at) =>
      Math.max(side.length, ...figures.map((line) => displayWidth(line[2 * index + at] ?? ""))),
    ) as [number, number];
    // The pair is at least as wide as its name above it.
    return [Math.max(legacy, field.length - modern - gap.length), modern];
  });
  const books = positions.map(({ key }) => plain(key.book ?? ""));
  const bookWidth = withBooks ? Math.max("book".length, ...books.map(displayWidth)) + gap.length : 0;
  const taken = 3 + bookWidth + widths.reduce((sum, each) => sum + each + gap.length, 0);
  const symbols = positions.map(({ key }) => plain(key.symbol));
  const room = Math.max(symbolMin, Math.min(symbolMax, width - taken));
  const symbolWidth = Math.min(room, Math.max("symbol".length, ...symbols.map(displayWidth)));

  const name = (book: string, symbol: string): string =>
    `${bookWidth > 0 ? padEnd(book, bookWidth) : ""}${padEnd(shorten(symbol, symbolWidth), symbolWidth)}`;
  const pairs = shownFields.map((field, index) =>
    padStart(field, (widths[2 * index] ?? 0) + gap.length + (widths[2 * index + 1] ?? 0)),
  );
  const head = [
    paint("dim", `   ${name("", "")}${gap}${pairs.join(gap)}`.trimEnd()),
    paint(
      "dim",
      `   ${name("book", "symbol")}${gap}${widths.map((each, index) => padStart(sides[index % 2] ?? "", each)).join(gap)}`,
    ),
  ];
  const lines = positions.map((position, index) => {
    const [mark, style] = marks[position.worst.verdict];
    const cells = (figures[index] ?? []).map((text, column) => {
      const padded = padStart(text, widths[column] ?? 0);
      const row = position.rows.find(({ field }) => field === shownFields[Math.floor(column / 2)]);
      return row === undefined || agrees(row.verdict) ? padded : paint(marks[row.verdict][1], padded);
    });
    return [`${paint(style, mark)}  ${name(books[index] ?? "", symbols[index] ?? "")}${gap}${cells.join(gap)}`];
  });
  return [head, ...lines];
}

/** What differs in one position and why, worst first, and what its sum says. */
function findings(position: PositionReading | undefined, report: ParityReport, paint: Paint): string[] {
  if (position === undefined) return [];
  const lines = worstFirst(position.rows.filter((row) => !agrees(row.verdict))).map((row) => `${indent}${findingWords(row)}`);
  const { book, symbol } = position.key;
  for (const invariant of report.invariants)
    if (invariant.book === book && invariant.symbol === symbol && position.worst.verdict === "diverged")
      lines.push(
        paint(
          "dim",
          invariant.holds && figure(invariant.legacy) === figure(invariant.modern)
            ? `${indent}realized + unrealized agree: ${figure(invariant.modern)}`
            : `${indent}realized + unrealized${invariant.holds ? ", within tolerance" : ""}: legacy ${figure(invariant.legacy)}, modern ${figure(invariant.modern)}`,
        ),
      );
  return [...lines, ...warnings(position, report, paint)];
}

function warnings(position: PositionReading | undefined, { zeroPriceLots }: ParityReport, paint: Paint): string[] {
  const warning = position && zeroPriceWarning(zeroPriceLots, position.key);
  return warning === undefined ? [] : [paint("yellow", `${indent}${warning}`)];
}

/** Daily figures that cannot be compared, counted by cause: they come by the hundred, each for the same reason. */
function incomparable(daily: readonly ParityRow[]): string[] {
  const causes = new Map<string, number>();
  for (const { verdict, cause } of daily)
    if (verdict === "not_comparable") causes.set(cause ?? "no cause", (causes.get(cause ?? "no cause") ?? 0) + 1);
  return [...causes].map(([cause, count]) => `${counted(count, "daily figure")} not comparable: ${cause}`);
}

function alignDays(rows: readonly ParityRow[], paint: Paint, width: number): string[] {
  const head = ["", "day", "symbol", "field", "legacy", "modern", "difference", "cause"];
  const room = Math.max(symbolMin, Math.min(symbolMax, width - 90));
  const cells = rows.map((row) => [
    marks[row.verdict][0],
    plain(row.key.tradingDay ?? ""),
    shorten(plain(row.key.book === undefined ? row.key.symbol : `${row.key.book} ${row.key.symbol}`), room),
    row.kind === "snapshot" ? `snapshot ${row.field}` : row.field,
    figure(row.legacy),
    figure(row.modern),
    figure(row.difference),
    `${causeWords(row)}${tradeWords(row)}`,
  ]);
  const [headLine = "", ...lines] = align([head, ...cells], new Set([0, 1, 2, 3, 7]));
  return [
    paint("dim", headLine),
    ...lines.map((line, index) => {
      const [mark, style] = marks[rows[index]?.verdict ?? "error"];
      return paint(style, mark) + line.slice(mark.length);
    }),
  ];
}

function drifts(report: ParityReport): string[] {
  const fields = Object.entries(report.drift).filter(([, sum]) => sum !== "0");
  return fields.length === 0
    ? []
    : [`drift within tolerance: ${fields.map(([field, sum]) => `${field} ${figure(sum)}`).join(", ")}`];
}

/** What the systems refused and what was quarantined: counts, then each up to the limit. */
function refusals(report: ParityReport, rowsMax: number): string[] {
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

function section(entries: readonly string[], rowsMax: number, what: string, count = entries.length): string[] {
  if (entries.length === 0) return [];
  const hidden = count - Math.min(rowsMax, entries.length);
  return [
    `${what}: ${count}`,
    ...entries.slice(0, rowsMax).map((entry) => `${indent}${plain(entry)}`),
    ...(hidden > 0 ? [`${indent}… and ${hidden} more`] : []),
  ];
}
