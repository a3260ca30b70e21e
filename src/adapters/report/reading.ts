import type { Fraction } from "../../base/fraction.ts";
import { absolute, compare, maximum, parseFigure, zero } from "../../base/fraction.ts";
import { plain } from "../../base/plain-text.ts";
import { findingCount } from "../../domain/market/finding-codes.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { type Verdict, verdicts } from "../../domain/migration/verdict.ts";
import type { Note } from "../../ports/ledger.ts";
import type {
  CauseGroup,
  InputFile,
  ParityReport,
  ParityRow,
  ParitySummary,
  ZeroPriceLots,
} from "../../ports/parity-report.ts";
import { count, figure, money } from "./text.ts";

/** The texts that the terminal table and the page share: order of rows, names, counts and sentences. */

/** The rank of each verdict, 0 for the worst. */
export const severity: Readonly<Record<Verdict, number>> = {
  diverged: 0,
  error: 1,
  not_comparable: 2,
  within_tolerance: 3,
  equal: 4,
};

/** The sign, name and meaning of each verdict. */
export const verdictWords: Readonly<
  Record<Verdict, { readonly sign: string; readonly name: string; readonly means: string }>
> = {
  diverged: {
    sign: "✗",
    name: "diverged",
    means: "the difference is above the tolerance, or one side lacks the row",
  },
  error: {
    sign: "!",
    name: "error",
    means: "a side has several rows of one key, so none of them is compared",
  },
  not_comparable: { sign: "?", name: "not comparable", means: "a side has no number" },
  within_tolerance: {
    sign: "≈",
    name: "within tolerance",
    means: "the difference is not above the tolerance",
  },
  equal: { sign: "=", name: "equal", means: "exactly the same" },
};

/** The verdicts that occur, worst first: `4 diverged, 37 not comparable, 2 equal`. */
export const verdictCounts = (counts: Readonly<Partial<Record<Verdict, number>>>): string =>
  worstVerdictsFirst
    .filter((verdict) => counts[verdict])
    .map((verdict) => `${count(counts[verdict] ?? 0)} ${verdictWords[verdict].name}`)
    .join(", ");

export const worstVerdictsFirst = verdicts.toSorted((a, b) => severity[a] - severity[b]);

/**
 * The rows, worst first: by verdict; within a verdict money before other units, and larger differences before
 * smaller ones. Equal rows keep the order of the report.
 */
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
  /** The worst of its rows, whose verdict is that of the position. */
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
  return worstFirst([...rowsOf.keys()]).map((worst) => ({
    key: worst.key,
    rows: rowsOf.get(worst) ?? [],
    worst,
  }));
}

/** The value of a side in one field of a position, also if the position is missing or duplicated. */
export function shownValue(position: PositionReading, side: Side, field: string): string | null {
  const whole = position.rows.find((row) => row.field === "row");
  if (whole === undefined) return position.rows.find((row) => row.field === field)?.[side] ?? null;
  return whole[side] === "0" ? null : (whole.present?.[field] ?? null);
}

/** The report in one line, `2 of 3 equal, …`, without control characters, for pasting into a chat. */
export function summaryLine(report: ParityReport): string {
  const { verdicts, legacy, modern, quarantine = [] } = report;
  const of = Object.values(verdicts).reduce((sum, one) => sum + one, 0);
  const parts = [
    `${count(verdicts.equal)} of ${count(of)} equal`,
    `${count(verdicts.within_tolerance)} within tolerance`,
  ];
  parts.push(`${count(verdicts.diverged)} diverged${worstWords(report)}`);
  if (verdicts.error > 0) parts.push(counted(verdicts.error, "error"));
  if (verdicts.not_comparable > 0) parts.push(`${count(verdicts.not_comparable)} not comparable`);
  const rest = [`${plain(legacy.system)} vs ${plain(modern.system)}`, dayRuleWords(report)];
  for (const side of [legacy, modern])
    if (side.errors.length > 0) rest.push(`${count(side.errors.length)} refused by ${plain(side.system)}`);
  if (quarantine.length > 0) rest.push(`${count(findingCount(quarantine))} quarantined`);
  const days = new Set(report.notCompared?.flatMap(({ tradingDays }) => tradingDays));
  if (days.size > 0) rest.push(`${counted(days.size, "day")} not compared`);
  return `parity: ${of === 0 ? "nothing to compare" : parts.join(", ")} · ${rest.join(" · ")}`;
}

const dayRuleWords = ({ dayRules: { legacy, modern } }: ParityReport): string =>
  legacy === modern
    ? `day rule ${plain(legacy)}`
    : `day rules ${plain(legacy)} (legacy), ${plain(modern)} (modern)`;

const nameOf = ({ book, symbol }: ParityRow["key"]): string =>
  plain(book === undefined ? symbol : `${book} ${symbol}`);

export const counted = (number: number, noun: string): string =>
  `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

/** The cause of a row, or the rules that together give legacy's figure; empty if no cause is known. */
export const causesOf = ({ cause, causes }: ParityRow): readonly string[] =>
  causes ?? (cause === null ? [] : [cause]);
export const causeWords = (row: ParityRow): string => causesOf(row).join(" and ");

export const groupTitle = ({ causes }: Pick<CauseGroup, "causes">): string =>
  causes.join(" and ") || "no cause found";

/** The meanings of a group's codes that the report contains. */
export const groupMeaning = ({ causes }: CauseGroup, { codes = {} }: ParityReport): string =>
  causes.flatMap((code) => (Object.hasOwn(codes, code) ? [plain(codes[code] ?? "")] : [])).join("; and ");

/** The instruments and days of a group's figures: `2 instruments, 2025-07-16 to 2025-07-24`. */
export function groupPlace({ symbols, tradingDays }: CauseGroup): string {
  const [first, last] = [tradingDays[0], tradingDays.at(-1)];
  const days =
    first === undefined ? "" : `, ${plain(first)}${first === last ? "" : ` to ${plain(last ?? "")}`}`;
  return `${counted(symbols.length, "instrument")}${days}`;
}

/**
 * Returns the readable name of a symbol: the title of its instrument, or the symbol itself if it has none.
 */
export function titlesOf({ instruments = [] }: ParityReport): (symbol: string) => string {
  const titles = new Map(instruments.map(({ symbol, title }) => [symbol, title]));
  return (symbol) => plain(titles.get(symbol) ?? symbol);
}

/** The instruments of a group by title and symbol; those beyond `max` are only counted. */
export function groupInstruments({ symbols }: CauseGroup, report: ParityReport, max: number): string {
  const titleOf = titlesOf(report);
  const named = symbols.slice(0, max).map((symbol) => {
    const title = titleOf(symbol);
    return title === plain(symbol) ? title : `${title} (${plain(symbol)})`;
  });
  const more = symbols.length - named.length;
  return `${named.join("; ")}${more > 0 ? `; and ${count(more)} more` : ""}`;
}

/**
 * The counts of the input, `17 files, 533 of 537 rows accepted, 4 duplicates`; undefined if the report has
 * none.
 */
export function inputWords({ input }: Pick<ParityReport, "input">): string | undefined {
  if (input === undefined) return undefined;
  const rows = `${count(input.accepted)} of ${counted(input.rows, "row")} accepted`;
  return `${counted(input.files, "file")}, ${rows}, ${counted(input.duplicates, "duplicate")}`;
}

/** The shown text of a currency. */
export const currencyWords = (currency: string | null): string =>
  currency === null ? "unknown currency" : plain(currency);

/** The number of trading days with differences: `4 of 21 days with differences`. */
export function daysWords({ days }: ParitySummary): string {
  const distinct = (of: ParitySummary["days"]): number =>
    new Set(of.map(({ tradingDay }) => tradingDay)).size;
  const apart = distinct(days.filter((day) => day.apart > 0));
  return `${count(apart)} of ${counted(distinct(days), "day")} with differences`;
}

/**
 * The money of a group, one line per currency: `USD: largest difference 8.00, sum over positions 5.00, …`.
 */
export const groupMoneyWords = ({ money: sums }: CauseGroup): readonly string[] =>
  sums.map(({ currency, largest, positions, days }) => {
    const parts = [`largest difference ${money(largest)}`];
    if (positions !== null) parts.push(`sum over positions ${money(positions)}`);
    if (days !== null) parts.push(`sum of daily totals ${money(days)}`);
    return `${currencyWords(currency)}: ${parts.join(", ")}`;
  });

/**
 * The values missing from the sums: `modern has no unrealized P&L for 41 positions in USD; its total leaves
 * that out`.
 */
export const absentWords = ({ totals }: ParitySummary): readonly string[] =>
  totals.flatMap(({ currency, ...sums }) =>
    (["legacy", "modern"] as const).flatMap((side) => {
      const parts = (["realized", "unrealized"] as const)
        .filter((field) => sums[field].absent[side] > 0)
        .map((field) => `no ${field} P&L for ${counted(sums[field].absent[side], "position")}`);
      const of = currency === null ? "" : ` in ${plain(currency)}`;
      return parts.length === 0 ? [] : [`${side} has ${parts.join(" and ")}${of}; its total leaves that out`];
    }),
  );

/**
 * The settings that a reader needs to repeat the comparison: method, day rule, conversions, tolerances,
 * drift.
 */
export function methodWords(report: ParityReport): readonly string[] {
  const { method, conversions, drift, rows } = report;
  const lines = [
    `${dayRuleWords(report)}${method === undefined ? "" : `; modern closes lots by ${plain(method)}`}`,
  ];
  for (const [rule, converted] of Map.groupBy(conversions, ({ system, rule }) => `${rule}\n${system}`)) {
    const fields = converted.map(({ field }) => field).join(", ");
    lines.push(`converted: ${converted[0]?.system} ${fields}: ${plain(rule.split("\n")[0] ?? "")}`);
  }
  const allowed = new Map<string, string>();
  for (const { field, tolerance } of rows)
    if (tolerance !== null && field !== "row" && !allowed.has(field)) allowed.set(field, tolerance);
  const tolerances = [...allowed].map(([field, tolerance]) => `${plain(field)} ${figure(tolerance)}`);
  if (tolerances.length > 0) lines.push(`tolerances: ${tolerances.join(", ")}`);
  const drifts = Object.entries(drift).filter(([, sum]) => sum !== "0");
  const sums = drifts.map(([field, sum]) => `${plain(field)} ${figure(sum)}`);
  if (sums.length > 0) lines.push(`drift within tolerance: ${sums.join(", ")}`);
  return lines;
}

/**
 * The counts of one file's rows, `533 of 537 rows accepted, 4 repeated, 0 refused`; empty for a file without
 * rows.
 */
export function fileRowsWords({
  rows,
  accepted = 0,
  duplicates = 0,
  refused = 0,
  changed,
}: InputFile): string {
  if (rows === undefined) return changed ? changedWords : "";
  const parts = [`${count(accepted)} of ${counted(rows, "row")} accepted`];
  if (duplicates > 0) parts.push(`${count(duplicates)} repeated`);
  if (refused > 0) parts.push(`${count(refused)} refused`);
  if (changed) parts.push(changedWords);
  return parts.join(", ");
}

const changedWords = "changed while it was read";

/** One line for each kind of rows, with the days that were not compared. */
export const notComparedWords = ({ notCompared = [] }: ParityReport): readonly string[] =>
  notCompared.map(
    ({ kind, tradingDays, why }) => `${kind} rows of ${tradingDays.map(plain).join(", ")}: ${plain(why)}`,
  );

/** One line per currency with the P&L that rests on lots opened at a price of 0. */
export const zeroPriceWords = (lots: ZeroPriceLots | undefined): readonly string[] =>
  Object.entries(lots?.totals ?? {}).map(
    ([currency, { resting, total }]) =>
      `warning: ${money(resting)} of ${money(total)} ${plain(currency)} P&L rests on lots ` +
      "opened at a price of 0, of unknown cost",
  );

/** The same warning for one position; undefined if none of its P&L rests on such lots. */
export function zeroPriceWarning(lots: ZeroPriceLots | undefined, key: ParityRow["key"]): string | undefined {
  const found = lots?.positions.find(({ book, symbol }) => book === key.book && symbol === key.symbol);
  if (found === undefined) return undefined;
  const [realized, unrealized] = [money(found.realized), money(found.unrealized)];
  return `warning: P&L rests on lots opened at a price of 0: realized ${realized}, unrealized ${unrealized}`;
}

/** The part of a row that the columns of figures cannot show; undefined if the columns show everything. */
export function rowWords(row: ParityRow): string | undefined {
  if (row.duplicatedIn) return `${row.legacy} rows of this key in legacy, ${row.modern} in modern`;
  if (row.field === "row") return `no such row in ${row.legacy === "0" ? "legacy" : "modern"}`;
  return row.field === "averagePrice"
    ? `average price: legacy ${figure(row.legacy)}, modern ${figure(row.modern)}`
    : undefined;
}

const tradesMax = 5;

/** `trades a.csv:12 (id 46), …`, or an empty text. */
export function tradeWords(trades: NonNullable<ParityRow["trades"]> = []): string {
  if (trades.length === 0) return "";
  const named = trades
    .slice(0, tradesMax)
    .map(({ file, line, id }) => `${plain(file)}:${line} (id ${plain(id)})`);
  const more = trades.length > tradesMax ? ` and ${trades.length - tradesMax} more` : "";
  return `${trades.length === 1 ? "trade" : "trades"} ${named.join(", ")}${more}`;
}

/** The diverged figure with the most money at stake; a figure in other units only if no money diverged. */
function worstWords(report: ParityReport): string {
  const [worst] = worstFirst(report.rows.filter((row) => row.verdict === "diverged"));
  if (worst === undefined) return "";
  const { tradingDay } = worst.key;
  const name = `${nameOf(worst.key)}${tradingDay === undefined ? "" : ` ${plain(tradingDay)}`}`;
  return worst.field === "row"
    ? ` (worst ${name} missing in ${worst.legacy === "0" ? "legacy" : "modern"})`
    : ` (worst ${worst.field} ${name} ${amountWords(worst, report)})`;
}

/** The difference of a row, with its currency if it is money in a known currency. */
function amountWords(row: ParityRow, { instruments = [] }: ParityReport): string {
  const { currency } = instruments.find(({ symbol }) => symbol === row.key.symbol) ?? {};
  return `${figureOf(row, row.difference)}${isMoney(row.field) && currency ? ` ${plain(currency)}` : ""}`;
}

/**
 * Says in how many positions realized + unrealized agrees, of those that could be checked, and how many could
 * not.
 */
export function invariantWords({ invariants }: ParityReport, positions: number): string {
  const holding = invariants.filter(({ holds }) => holds).length;
  const unchecked = positions - invariants.length;
  const rest =
    unchecked > 0 ? `; ${count(unchecked)} of ${counted(positions, "position")} could not be checked` : "";
  const checked = counted(invariants.length, "position");
  return `realized + unrealized agrees in ${count(holding)} of the ${checked} that have both${rest}`;
}

/** The weight of a row: money before other units, larger differences before smaller ones. */
interface Stake {
  readonly money: boolean;
  readonly size: Fraction;
}

export const moneyFields = ["realized", "unrealized", "total"] as const;
const isMoney = (field: string): boolean => moneyFields.some((one) => one === field);

/** The shown text of a row's value. */
export const figureOf = ({ field }: ParityRow, text: string | null): string =>
  isMoney(field) ? money(text) : figure(text);

function stakeOf(row: ParityRow): Stake {
  if (row.field === "row") {
    // A missing row weighs as much as the money in the other side's row.
    const sizes = moneyFields.map((field) => magnitude(row.present?.[field]));
    return { money: true, size: sizes.reduce(maximum) };
  }
  return { money: isMoney(row.field), size: magnitude(row.difference) };
}

const magnitude = (text: string | null | undefined): Fraction => absolute(parseFigure(text ?? "") ?? zero);

const byStake = (a: Stake, b: Stake): number => Number(b.money) - Number(a.money) || compare(b.size, a.size);

/** One line for each kind of note: its count, and the first note in full. */
export const noteCounts = (notes: readonly Note[]): readonly string[] =>
  [...Map.groupBy(notes, ({ code }) => code)].map(([code, [first, ...others]]) => {
    const total = findingCount([...(first === undefined ? [] : [first]), ...others]);
    const place =
      first === undefined || first.file === ""
        ? ""
        : ` (${total > 1 ? "first " : ""}${plain(first.file)}:${first.line})`;
    return `${code} × ${count(total)}: ${plain(first?.why ?? "")}${place}`;
  });

/**
 * One line for each merge and split that the desk's own translators would have made, and one per translator
 * with the count of symbols without a name.
 */
export function legacySymbolWords({ legacySymbols }: ParityReport): readonly string[] {
  if (legacySymbols === undefined) return [];
  const { merges, splits, lost } = legacySymbols;
  return [
    ...merges.map(
      ({ view, text, instruments }) =>
        `${view} would have merged ${instruments.join(" and ")} as ${plain(text)}`,
    ),
    ...splits.map(
      ({ view, instrument, texts }) =>
        `${view} would have split ${instrument} into ${texts.map(plain).join(" and ")}`,
    ),
    ...lost.map(({ view, symbols }) => {
      const more = symbols.length > 1 ? ` and ${symbols.length - 1} more` : "";
      return `${view} would have had no name for ${plain(symbols[0] ?? "")}${more}`;
    }),
  ];
}
