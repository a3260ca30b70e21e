import type { Fraction } from "../../base/fraction.ts";
import { absolute, compare, maximum, parseFigure, zero } from "../../base/fraction.ts";
import { plain } from "../../base/plain-text.ts";
import { findingCount } from "../../domain/market/finding-codes.ts";
import type { Side } from "../../domain/migration/phase.ts";
import type { Verdict } from "../../domain/migration/verdict.ts";
import type { Note } from "../../ports/ledger.ts";
import type { ParityReport, ParityRow, ZeroPriceLots } from "../../ports/parity-report.ts";
import { figure } from "./text.ts";

/** How a person reads a report, on a terminal and on a page: the worst first, one mark a verdict, one line to paste into a chat. */

/** Worst first. */
const severity: Readonly<Record<Verdict, number>> = {
  diverged: 0,
  error: 1,
  not_comparable: 2,
  within_tolerance: 3,
  equal: 4,
};

export const words: Readonly<Record<Verdict, string>> = {
  equal: "equal",
  within_tolerance: "within tolerance",
  diverged: "diverged",
  error: "error",
  not_comparable: "not comparable",
};

/** The rows, worst first: by verdict, then by the money at stake, then other units; among equals in report order. */
export const worstFirst = (rows: readonly ParityRow[]): readonly ParityRow[] => {
  const ranked = rows.map((row) => ({ row, stake: stakeOf(row) }));
  return ranked
    .sort((a, b) => severity[a.row.verdict] - severity[b.row.verdict] || byStake(a.stake, b.stake))
    .map(({ row }) => row);
};

/** All rows of one position. */
export interface PositionReading {
  readonly key: ParityRow["key"];
  readonly rows: readonly ParityRow[];
  /** The worst of its rows: its verdict is the position's. */
  readonly worst: ParityRow;
}

/** The positions of a report, worst first. */
export function positionsOf(report: ParityReport): readonly PositionReading[] {
  const byKey = new Map<string, ParityRow[]>();
  for (const row of report.rows) {
    if (row.kind !== "position") continue;
    const id = JSON.stringify([row.key.book, row.key.symbol]);
    const rows = byKey.get(id) ?? [];
    rows.push(row);
    byKey.set(id, rows);
  }
  const rowsOf = new Map<ParityRow, ParityRow[]>();
  for (const rows of byKey.values()) {
    const [worst] = worstFirst(rows);
    if (worst !== undefined) rowsOf.set(worst, rows);
  }
  return worstFirst([...rowsOf.keys()]).map((worst) => ({ key: worst.key, rows: rowsOf.get(worst) ?? [], worst }));
}

/** What a side says in one field of a position, be the row whole, missing or duplicated. */
export function shownValue(position: PositionReading, side: Side, field: string): string | null {
  const whole = position.rows.find((row) => row.field === "row");
  if (whole === undefined) return position.rows.find((row) => row.field === field)?.[side] ?? null;
  return whole[side] === "0" ? null : (whole.present?.[field] ?? null);
}

/** `2 of 3 equal, …`: one line without control characters, to be pasted into a chat. */
export function summaryLine(report: ParityReport): string {
  const { verdicts, legacy, modern, quarantine = [] } = report;
  const of = Object.values(verdicts).reduce((sum, count) => sum + count, 0);
  const parts = [`${verdicts.equal} of ${of} equal`, `${verdicts.within_tolerance} within tolerance`];
  parts.push(`${verdicts.diverged} diverged${worstWords(report)}`);
  if (verdicts.error > 0) parts.push(counted(verdicts.error, "error"));
  if (verdicts.not_comparable > 0) parts.push(`${verdicts.not_comparable} not comparable`);
  const rest = [`${plain(legacy.system)} vs ${plain(modern.system)}`, dayRuleWords(report)];
  for (const side of [legacy, modern])
    if (side.errors.length > 0) rest.push(`${side.errors.length} refused by ${plain(side.system)}`);
  if (quarantine.length > 0) rest.push(`${findingCount(quarantine)} quarantined`);
  const days = new Set(report.notCompared?.flatMap(({ tradingDays }) => tradingDays));
  if (days.size > 0) rest.push(`${counted(days.size, "day")} not compared`);
  return `parity: ${of === 0 ? "nothing to compare" : parts.join(", ")} · ${rest.join(" · ")}`;
}

export const dayRuleWords = ({ dayRules: { legacy, modern } }: ParityReport): string =>
  legacy === modern ? `day rule ${plain(legacy)}` : `day rules ${plain(legacy)} (legacy), ${plain(modern)} (modern)`;

const nameOf = ({ book, symbol }: ParityRow["key"]): string => plain(book === undefined ? symbol : `${book} ${symbol}`);

export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** What a row has to say beyond its two values. */
export function findingWords(row: ParityRow): string {
  return [differenceWords(row), causeWords(row)].filter((text) => text !== "").join(" · ") + tradeWords(row);
}

/** The cause of a row, or the rules that give legacy's figure together; empty where none is known. */
export const causeWords = ({ cause, causes }: ParityRow): string => causes?.join(" and ") ?? cause ?? "";

/** A line for each kind of rows of which days were not compared. */
export const notComparedWords = ({ notCompared = [] }: ParityReport): readonly string[] =>
  notCompared.map(({ kind, tradingDays, why }) => `${kind} rows of ${tradingDays.map(plain).join(", ")}: ${plain(why)}`);

/** A line for each currency: how much of the P&L rests on lots opened at a price of 0. */
export const zeroPriceWords = (lots: ZeroPriceLots | undefined): readonly string[] =>
  Object.entries(lots?.totals ?? {}).map(
    ([currency, { resting, total }]) =>
      `warning: ${figure(resting)} of ${figure(total)} ${plain(currency)} P&L rests on lots opened at a price of 0, of unknown cost`,
  );

/** The same of one position; undefined where nothing of it does. */
export function zeroPriceWarning(lots: ZeroPriceLots | undefined, key: ParityRow["key"]): string | undefined {
  const found = lots?.positions.find(({ book, symbol }) => book === key.book && symbol === key.symbol);
  if (found === undefined) return undefined;
  return `warning: rests on lots opened at a price of 0: realized ${figure(found.realized)}, unrealized ${figure(found.unrealized)}`;
}

function differenceWords(row: ParityRow): string {
  if (row.duplicatedIn) return `${row.legacy} rows of this key in legacy, ${row.modern} in modern`;
  if (row.field === "row") return `no such row in ${row.legacy === "0" ? "legacy" : "modern"}`;
  if (row.difference === null) return `${row.field}: legacy ${figure(row.legacy)}, modern ${figure(row.modern)}`;
  const price = row.field === "averagePrice" ? ` ${figure(row.legacy)} against ${figure(row.modern)}` : "";
  return `${row.field}${price} differs by ${figure(row.difference)}, allowed ${figure(row.tolerance)}`;
}

const tradesMax = 5;

/** ` · trades a.csv:12 (id 46), …`, or nothing. */
export function tradeWords({ trades = [] }: ParityRow): string {
  if (trades.length === 0) return "";
  const named = trades.slice(0, tradesMax).map(({ file, line, id }) => `${plain(file)}:${line} (id ${plain(id)})`);
  const more = trades.length > tradesMax ? ` and ${trades.length - tradesMax} more` : "";
  return ` · ${trades.length === 1 ? "trade" : "trades"} ${named.join(", ")}${more}`;
}

function worstWords(report: ParityReport): string {
  const diverged = report.rows.filter((row) => row.verdict === "diverged");
  // A position says more than its days: they are looked at only where no position diverged.
  const positions = diverged.filter((row) => row.kind === "position");
  const [worst] = worstFirst(positions.length > 0 ? positions : diverged);
  if (worst === undefined) return "";
  const name = `${nameOf(worst.key)}${worst.key.tradingDay === undefined ? "" : ` ${plain(worst.key.tradingDay)}`}`;
  return worst.field === "row"
    ? ` (worst ${name} missing in ${worst.legacy === "0" ? "legacy" : "modern"})`
    : ` (worst ${worst.field} ${name} ${figure(worst.difference)})`;
}

/** How much a row weighs: money before other units, the larger difference before the smaller. */
interface Stake {
  readonly money: boolean;
  readonly size: Fraction;
}

const moneyFields = ["realized", "unrealized", "total"];

function stakeOf(row: ParityRow): Stake {
  if (row.field === "row") {
    // A missing row is as bad as the money that the other side says is there.
    const sizes = moneyFields.map((field) => magnitude(row.present?.[field]));
    return { money: true, size: sizes.reduce(maximum) };
  }
  return { money: moneyFields.includes(row.field), size: magnitude(row.difference) };
}

const magnitude = (text: string | null | undefined): Fraction => absolute(parseFigure(text ?? "") ?? zero);

const byStake = (a: Stake, b: Stake): number => Number(b.money) - Number(a.money) || compare(b.size, a.size);

/** A line for each kind of note: how often, and the first in full. */
export function noteCounts(notes: readonly Note[]): readonly string[] {
  const counts = new Map<string, { count: number; first: Note }>();
  for (const note of notes)
    counts.set(note.code, {
      count: (counts.get(note.code)?.count ?? 0) + (note.more ?? 1),
      first: counts.get(note.code)?.first ?? note,
    });
  return [...counts].map(
    ([code, { count, first }]) =>
      `${code} × ${count}: ${plain(first.why)}${first.file === "" ? "" : ` (${count > 1 ? "first " : ""}${plain(first.file)}:${first.line})`}`,
  );
}

/** A line for each merge and split that the desk's own translators would have made, and for each the count of what they lost. */
export function legacySymbolWords({ legacySymbols }: ParityReport): readonly string[] {
  if (legacySymbols === undefined) return [];
  const { merges, splits, lost } = legacySymbols;
  return [
    ...merges.map(({ view, text, instruments }) => `${view} would have merged ${instruments.join(" and ")} as ${plain(text)}`),
    ...splits.map(
      ({ view, instrument, texts }) => `${view} would have split ${instrument} into ${texts.map(plain).join(" and ")}`,
    ),
    ...lost.map(({ view, symbols }) => {
      const more = symbols.length > 1 ? ` and ${symbols.length - 1} more` : "";
      return `${view} would have had no name for ${plain(symbols[0] ?? "")}${more}`;
    }),
  ];
}
