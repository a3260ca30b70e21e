import type { Fraction } from "../../base/fraction.ts";
import {
  absolute,
  add,
  compare,
  formatFraction,
  negate,
  parseFigure,
  subtract,
  zero,
} from "../../base/fraction.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { agrees, type Verdict, verdicts } from "../../domain/migration/verdict.ts";
import type {
  CauseGroup,
  ParityReport,
  ParityRow,
  ParitySummary,
  SummedPair,
} from "../../ports/parity-report.ts";
import { causesOf, moneyFields, positionsOf, severity } from "./reading.ts";

/** The document of `replay --json` and `compare --json`: the report with its summary in front of the rows. */
export function parityDocument(report: ParityReport): ParityReport {
  const { ok, compared, verdicts, ...rest } = report;
  return { ok, compared, verdicts, summary: summaryOf(report), ...rest };
}

/** Sums, counts and groups of a report's rows. Exact; linear in the rows, apart from sorting. */
export function summaryOf(report: ParityReport): ParitySummary {
  const currencies = new Map(report.instruments?.map(({ symbol, currency }) => [symbol, currency]));
  const currencyOf = ({ key }: ParityRow): string | null => currencies.get(key.symbol) ?? null;
  const positions: Record<Verdict, number> = {
    equal: 0,
    within_tolerance: 0,
    diverged: 0,
    error: 0,
    not_comparable: 0,
  };
  for (const { worst } of positionsOf(report)) positions[worst.verdict] += 1;
  return {
    positions,
    totals: totalsOf(report, currencyOf),
    days: daysOf(report, currencyOf),
    causes: groupsOf(report, currencyOf),
  };
}

type CurrencyOf = (row: ParityRow) => string | null;
type Field = "realized" | "unrealized" | "total";

/** Adds up the values of each side and counts its missing values. */
class Sums {
  readonly #sums: Record<Side, Fraction> = { legacy: zero, modern: zero };
  readonly #absent: Record<Side, number> = { legacy: 0, modern: 0 };

  /** Adds one figure; null counts as missing. */
  add(side: Side, text: string | null): void {
    const value = text === null ? undefined : parseFigure(text);
    if (value === undefined) this.#absent[side] += 1;
    else this.#sums[side] = add(this.#sums[side], value);
  }

  get pair(): SummedPair {
    const { legacy, modern } = this.#sums;
    return {
      legacy: text(legacy),
      modern: text(modern),
      difference: text(subtract(modern, legacy)),
      absent: this.#absent,
    };
  }
}

const text = (value: Fraction): string => formatFraction(value).text;

/**
 * The value of a side in a field; undefined if the row is about another field. For a row that one side lacks,
 * that side's value is null.
 */
function valueIn(row: ParityRow, side: Side, field: Field): string | null | undefined {
  if (row.field === field) return row[side];
  if (row.field !== "row") return undefined;
  return row[side] === "1" ? (row.present?.[field] ?? null) : null;
}

function totalsOf({ rows }: ParityReport, currencyOf: CurrencyOf): ParitySummary["totals"] {
  const ofCurrency = Map.groupBy(
    rows.filter(({ kind }) => kind === "position"),
    currencyOf,
  );
  return inOrder(ofCurrency).map(([currency, rows]) => {
    const sums = { realized: new Sums(), unrealized: new Sums(), total: new Sums() };
    for (const row of rows)
      for (const side of ["legacy", "modern"] as const)
        for (const field of ["realized", "unrealized"] as const) {
          const said = valueIn(row, side, field);
          if (said === undefined) continue;
          sums[field].add(side, said);
          sums.total.add(side, said);
        }
    return {
      currency,
      realized: sums.realized.pair,
      unrealized: sums.unrealized.pair,
      total: sums.total.pair,
    };
  });
}

function daysOf({ rows }: ParityReport, currencyOf: CurrencyOf): ParitySummary["days"] {
  const daily = rows.filter(({ kind }) => kind === "daily");
  return [...Map.groupBy(daily, ({ key }) => key.tradingDay ?? "")]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([tradingDay, ofDay]) =>
      inOrder(Map.groupBy(ofDay, currencyOf)).map(([currency, rows]) => {
        const sums = new Sums();
        for (const row of rows)
          for (const side of ["legacy", "modern"] as const) {
            const said = valueIn(row, side, "total");
            if (said !== undefined) sums.add(side, said);
          }
        return {
          tradingDay,
          currency,
          ...sums.pair,
          apart: rows.filter(({ verdict }) => !agrees(verdict)).length,
        };
      }),
    );
}

/** Entries sorted by currency, the unknown currency last. */
const inOrder = <T>(byCurrency: ReadonlyMap<string | null, T>): readonly (readonly [string | null, T])[] =>
  [...byCurrency].sort(([a], [b]) => (a === null ? 1 : b === null ? -1 : a < b ? -1 : 1));

/** The differences in money of a row: of its field, or of all money fields of a row that one side lacks. */
function* moneyDifferences(row: ParityRow): Generator<readonly [field: string, difference: Fraction]> {
  for (const field of moneyFields) {
    const [legacy, modern] = [valueIn(row, "legacy", field), valueIn(row, "modern", field)];
    if (row.field === field && row.difference !== null) yield [field, parseFigure(row.difference) ?? zero];
    if (row.field !== "row") continue;
    if (typeof legacy === "string") yield [field, negate(parseFigure(legacy) ?? zero)];
    if (typeof modern === "string") yield [field, parseFigure(modern) ?? zero];
  }
}

interface CurrencyMoney {
  positions?: Fraction;
  days?: Fraction;
  largest: Fraction;
}

/** The maximum number of trades listed for one group. */
const tradesMax = 20;

function groupsOf({ rows }: ParityReport, currencyOf: CurrencyOf): readonly CauseGroup[] {
  const apart = Map.groupBy(
    rows.filter(({ verdict }) => !agrees(verdict)),
    (row) => causesOf(row).join(" "),
  );
  const groups = [...apart.values()].map((rows) => groupOf(rows, currencyOf));
  return groups
    .sort((a, b) => a.severity - b.severity || compare(b.largest, a.largest) || b.rows - a.rows)
    .map(({ group }) => group);
}

function groupOf(rows: readonly ParityRow[], currencyOf: CurrencyOf) {
  const byCurrency = new Map<string | null, CurrencyMoney>();
  const trades = new Map<string, CauseGroup["trades"][number]>();
  const figures: Partial<Record<Verdict, number>> = {};
  let largest = zero;
  for (const row of rows) {
    figures[row.verdict] = (figures[row.verdict] ?? 0) + 1;
    for (const trade of row.trades ?? []) trades.set(`${trade.file}:${trade.line}`, trade);
    for (const [field, difference] of moneyDifferences(row)) {
      const money = byCurrency.get(currencyOf(row)) ?? { largest: zero };
      byCurrency.set(currencyOf(row), money);
      if (row.kind === "position") money.positions = add(money.positions ?? zero, difference);
      if (row.kind === "daily" && field === "total") money.days = add(money.days ?? zero, difference);
      if (compare(absolute(difference), absolute(money.largest)) > 0) money.largest = difference;
      if (compare(absolute(difference), largest) > 0) largest = absolute(difference);
    }
  }
  const days = rows.flatMap(({ key }) => key.tradingDay ?? []);
  const [first] = rows;
  const group: CauseGroup = {
    causes: first === undefined ? [] : causesOf(first),
    figures,
    money: inOrder(byCurrency).map(([currency, { positions, days, largest }]) => ({
      currency,
      positions: positions === undefined ? null : text(positions),
      days: days === undefined ? null : text(days),
      largest: text(largest),
    })),
    symbols: [...new Set(rows.map(({ key }) => key.symbol))],
    tradingDays: [...new Set(days)].sort(),
    trades: [...trades.values()].slice(0, tradesMax),
  };
  return {
    group,
    rows: rows.length,
    largest,
    severity: Math.min(...verdicts.filter((verdict) => figures[verdict]).map((verdict) => severity[verdict])),
  };
}
