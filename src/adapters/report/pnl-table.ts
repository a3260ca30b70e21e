import { styleText } from "node:util";
import { assert } from "../../base/errors.ts";
import { add, formatFraction, parseFigure } from "../../base/fraction.ts";
import { plain } from "../../base/plain-text.ts";
import { findingCount } from "../../domain/market/finding-codes.ts";
import type { CurrencyTotal, StatementPosition, Totals } from "../../engine/index.ts";
import type { Note, Quarantined } from "../../ports/ledger.ts";
import type { ZeroPriceLots } from "../../ports/parity-report.ts";
import { counted, inputWords, noteCounts, zeroPriceWords } from "./reading.ts";
import { align, count, figure, money, none, paragraphs, shorten } from "./text.ts";

interface PnlTableInput {
  readonly method: string;
  readonly dayRule: string;
  readonly asOf: string | null;
  readonly positions: readonly StatementPosition[];
  readonly totals: Totals;
  readonly zeroPriceLots?: ZeroPriceLots;
  readonly quarantine: readonly Quarantined[];
  readonly notes: readonly Note[];
  readonly input: {
    readonly files: number;
    readonly rows: number;
    readonly accepted: number;
    readonly duplicates: number;
  };
}

/** The maximum number of refused rows that are shown one by one. */
const refusalsShown = 10;
const symbolWidthMax = 34;

/**
 * Renders P&L as text for people: positions, totals by currency, refused rows and notes. No trailing newline.
 */
export function renderPnlTable(pnl: PnlTableInput, { colour }: { readonly colour: boolean }): string {
  const paint = (style: "bold" | "dim" | "red" | "yellow", text: string): string =>
    colour ? styleText(style, text, { validateStream: false }) : text;
  const withBook = pnl.positions.some(({ book }) => book !== undefined);
  const head = [
    ...(withBook ? ["book"] : []),
    "symbol",
    "quantity",
    "average",
    "mark",
    "realized",
    "unrealized",
    "total",
    "",
  ];
  const rows = pnl.positions.map((row) => [
    ...(withBook ? [plain(row.book ?? none)] : []),
    shorten(plain(row.symbol), symbolWidthMax),
    figure(row.quantity),
    figure(row.averagePrice),
    figure(row.mark),
    money(row.realized),
    money(row.unrealized),
    money(totalOf(row)),
    row.currency,
  ]);
  const totals = Object.entries(pnl.totals)
    .filter((entry): entry is [string, CurrencyTotal] => !Array.isArray(entry[1]))
    .map(([currency, { realized, unrealized, total }]) => [
      ...(withBook ? [""] : []),
      "total",
      "",
      "",
      "",
      money(realized),
      money(unrealized),
      money(total),
      currency,
    ]);
  const textColumns = new Set([0, withBook ? 1 : 0, head.length - 1]);
  const [headLine = "", ...lines] = align([head, ...rows, ...totals], textColumns);
  const sections = [
    [
      `P&L ${pnl.method} as of ${pnl.asOf ?? none} · day rule ${pnl.dayRule} · ${inputWords(pnl)}`,
      ...zeroPriceWords(pnl.zeroPriceLots).map((line) => paint("yellow", line)),
    ],
    [
      paint("dim", headLine),
      ...lines.slice(0, rows.length),
      ...lines.slice(rows.length).map((line) => paint("bold", line)),
    ],
    pnl.totals.unmarked.length === 0
      ? []
      : [
          paint(
            "yellow",
            `without a mark, so not in the unrealized totals: ${pnl.totals.unmarked.map(plain).join(", ")}`,
          ),
        ],
    refusals(pnl.quarantine).map((line) => paint("red", line)),
    noteCounts(pnl.notes).map((line) => paint("dim", line)),
  ];
  return paragraphs(sections);
}

function totalOf({ realized, unrealized }: StatementPosition): string | null {
  if (unrealized === null) return null;
  const [settled, open] = [parseFigure(realized), parseFigure(unrealized)];
  assert(settled !== undefined && open !== undefined, "the figures of a statement are numbers");
  return formatFraction(add(settled, open)).text;
}

function refusals(quarantine: readonly Quarantined[]): readonly string[] {
  if (quarantine.length === 0) return [];
  const shown = quarantine
    .slice(0, refusalsShown)
    .map(({ file, line, code, why }) => `  ${plain(file)}:${line} ${code}: ${plain(why)}`);
  const refused = findingCount(quarantine);
  const more = refused - shown.length;
  return [
    `${counted(refused, "row")} refused (quarantine), not in the figures above:`,
    ...shown,
    ...(more > 0 ? [`  … and ${count(more)} more; --json lists them`] : []),
  ];
}
