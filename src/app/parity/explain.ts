import { absolute, compare, parseFraction, subtract } from "../../base/fraction.ts";
import { firstWhere } from "../../base/search.ts";
import { fieldsOf } from "../../comparison/index.ts";
import { formatDay } from "../../domain/market/trading-day.ts";
import { agrees } from "../../domain/migration/verdict.ts";
import { PnlEngine, type Statement, type StatementOptions, statementOf, TradeColumns } from "../../engine/index.ts";
import type { ParityReport, ParityRow } from "../../ports/parity-report.ts";

/** Causes that need the history, beside those that two values prove by themselves. */
export const historyCauses = {
  COUNTED_TWICE: "legacy counted rows that stand in two files twice: modern with the same rows doubled gives legacy's figure",
  FILE_REJECTED: "legacy gave up a file at a bad row: modern without the file's later rows gives legacy's figure",
  SPLIT_SYMBOLS: "legacy keeps symbols apart that are one instrument: modern has them in one position",
  NO_MARK: "there is no price of that day: modern says so, legacy takes 0, and its totals swing by it",
} as const;

/** What explains a difference: the trades, where they stand, and what modern made of them. */
export interface World {
  readonly trades: TradeColumns;
  /** By `trades.file`. */
  readonly files: readonly string[];
  /** Trades that legacy was given once more. */
  readonly repeated: readonly number[];
  /** Files that legacy gave up: by index into `files`, how many of their rows it had taken. */
  readonly givenUp: ReadonlyMap<number, number>;
  /** By symbol: the one under which modern keeps it. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly engine: PnlEngine;
  readonly statement: Statement;
  readonly valuation: StatementOptions;
}

/** The most trades named behind one difference. */
const tradesNamedMax = 20;

/**
 * Names, beside each row that does not agree, its cause where the history proves it, and the trades to look at: the doubled
 * ones where that is the cause; else those of the row's day; of a position, those of its first day that does not agree.
 */
export function explained(report: ParityReport, world: World): ParityReport {
  const { trades, engine } = world;
  const firstDay = firstDaysApart(report);
  const lanes = new Map(
    trades.instruments.map(({ book, symbol }, lane) => [nameOf({ ...(book === undefined ? {} : { book }), symbol }), lane]),
  );
  const unmarked = unmarkedDays(world.statement);
  const split = new Set([...world.aliases].flat());
  const doubled = figuresWithRepeated(world);
  const cut = figuresWithoutGivenUp(world);
  const repeated: number[][] = trades.instruments.map(() => []);
  for (const trade of world.repeated) repeated[trades.lane[trade] as number]?.push(trade);

  const explain = (row: ParityRow): ParityRow => {
    if (agrees(row.verdict)) return row;
    const { tradingDay: _, ...position } = row.key;
    const lane = lanes.get(nameOf(position));
    if (split.has(row.key.symbol) && (row.cause === null || row.field === "row")) return { ...row, cause: "SPLIT_SYMBOLS" };
    if (lane === undefined) return row;
    if (isUnmarked(row, unmarked)) return { ...row, cause: "NO_MARK" };
    if ((row.cause === null || row.verdict === "not_comparable") && matchesLegacy(row, doubled)) {
      return { ...row, cause: "COUNTED_TWICE", trades: named(repeated[lane] ?? [], world) };
    }
    const rejected = (row.cause === null || row.field === "row" || row.verdict === "not_comparable") && matchesLegacy(row, cut);
    const order = engine.lanes[lane]?.order ?? new Int32Array(0);
    const dayAt = (place: number): string => formatDay(trades.day[order[place] as number] as number);
    const day = row.key.tradingDay ?? firstDay.get(nameOf(position));
    const from = day === undefined ? 0 : firstWhere(order.length, (place) => dayAt(place) >= day);
    const until = day === undefined ? order.length : firstWhere(order.length, (place) => dayAt(place) > day);
    return { ...row, ...(rejected ? { cause: "FILE_REJECTED" } : {}), trades: named(order.subarray(from, until), world) };
  };
  return { ...report, rows: report.rows.map(explain) };
}

const named = (order: Int32Array | readonly number[], { trades, files }: World): NonNullable<ParityRow["trades"]> =>
  Array.from(order.slice(0, tradesNamedMax)).map((trade) => ({
    file: files[trades.file[trade] as number] as string,
    line: trades.line[trade] as number,
    id: trades.id(trade),
  }));

/** One name for a position, or for a day of it. */
const nameOf = ({ book, symbol, tradingDay }: ParityRow["key"]): string => JSON.stringify([book, symbol, tradingDay]);

/** By position: the first day on which the systems are apart. */
function firstDaysApart(report: ParityReport): ReadonlyMap<string, string> {
  const first = new Map<string, string>();
  for (const row of report.rows) {
    const { tradingDay, ...position } = row.key;
    const name = nameOf(position);
    if (tradingDay !== undefined && !agrees(row.verdict) && tradingDay < (first.get(name) ?? "9999")) first.set(name, tradingDay);
  }
  return first;
}

/** Positions and days without a mark; `after` holds each day that follows one, on which legacy's 0 is taken back. */
function unmarkedDays({ positions, daily }: Statement): {
  readonly at: ReadonlySet<string>;
  readonly after: ReadonlySet<string>;
} {
  const at = new Set<string>();
  const after = new Set<string>();
  const before = new Map<string, boolean>();
  for (const row of positions) if (row.unrealized === null) at.add(nameOf(positionKey(row)));
  for (const row of daily) {
    const key = positionKey(row);
    const position = nameOf(key);
    const day = nameOf({ ...key, tradingDay: row.tradingDay });
    if (row.unrealized === null) at.add(day);
    if (before.get(position) === true) after.add(day);
    before.set(position, row.unrealized === null);
  }
  return { at, after };
}

const positionKey = ({ book, symbol }: { readonly book?: string; readonly symbol: string }): ParityRow["key"] => ({
  ...(book === undefined ? {} : { book }),
  symbol,
});

function isUnmarked(row: ParityRow, { at, after }: ReturnType<typeof unmarkedDays>): boolean {
  const name = nameOf(row.key);
  if (row.field === "unrealized") return row.cause === "NO_VALUE_IN_MODERN" && at.has(name);
  return row.field === "total" && row.cause === null && (at.has(name) || after.has(name));
}

/** Whether what modern makes of other trades is what legacy says; of a row that legacy lacks, whether modern then lacks it too. */
function matchesLegacy(row: ParityRow, figures: Figures): boolean {
  if (row.field === "row")
    return row.cause === "MISSING_IN_LEGACY" && figures.size > 0 && !figures.has(`${row.kind} realized ${nameOf(row.key)}`);
  const ours = parseFraction(figures.get(`${row.kind} ${row.field} ${nameOf(row.key)}`) ?? "");
  const theirs = parseFraction(row.legacy ?? "");
  if (ours === undefined || theirs === undefined) return false;
  // Where modern has no value there is no tolerance beside it: then float dust is all that is forgiven.
  const tolerance = parseFraction(row.tolerance ?? "0.000001");
  return tolerance !== undefined && compare(absolute(subtract(ours, theirs)), tolerance) <= 0;
}

/** Modern's figures of the lanes that have repeated rows, were those rows counted as often as they stand in files. */
function figuresWithRepeated(world: World): Figures {
  const { trades, repeated } = world;
  const lanes = new Set(repeated.map((trade) => trades.lane[trade] as number));
  return figuresOf(world, lanes, () => true, repeated);
}

/** Modern's figures of the lanes that have rows in files which legacy gave up, without the rows that it did not take. */
function figuresWithoutGivenUp(world: World): Figures {
  const { trades, givenUp } = world;
  const seen = new Map<number, number>();
  const lost = new Set<number>();
  for (let trade = 0; trade < trades.length && givenUp.size > 0; trade++) {
    const file = trades.file[trade] as number;
    const place = seen.get(file) ?? 0;
    seen.set(file, place + 1);
    if (place >= (givenUp.get(file) ?? Number.POSITIVE_INFINITY)) lost.add(trade);
  }
  const lanes = new Set([...lost].map((trade) => trades.lane[trade] as number));
  return figuresOf(world, lanes, (trade) => !lost.has(trade), []);
}

/** Figures by kind, field and name of the row. */
type Figures = ReadonlyMap<string, string | null>;

/** What modern makes of some lanes when only the trades that `keep` lets through count, and `again` once more. */
function figuresOf(
  { trades, engine, valuation }: World,
  lanes: ReadonlySet<number>,
  keep: (trade: number) => boolean,
  again: readonly number[],
): Figures {
  const figures = new Map<string, string | null>();
  if (lanes.size === 0) return figures;
  const copy = new TradeColumns();
  for (let trade = 0; trade < trades.length; trade++)
    if (lanes.has(trades.lane[trade] as number) && keep(trade)) copyTrade(trades, trade, copy);
  for (const trade of again) copyTrade(trades, trade, copy);
  const other = new PnlEngine(copy, { method: engine.method, asOfUs: engine.asOfUs });
  other.feed();
  const { positions, daily } = statementOf(other, valuation);
  for (const row of positions) {
    const name = nameOf(positionKey(row));
    for (const field of fieldsOf.position) figures.set(`position ${field} ${name}`, row[field]);
  }
  for (const row of daily) {
    const name = nameOf({ ...positionKey(row), tradingDay: row.tradingDay });
    for (const field of fieldsOf.daily) figures.set(`daily ${field} ${name}`, row[field]);
  }
  return figures;
}

function copyTrade(from: TradeColumns, trade: number, to: TradeColumns): void {
  const at = to.next();
  to.lane[at] = to.laneOf(from.instruments[from.lane[trade] as number] as TradeColumns["instruments"][number]);
  to.side[at] = from.side[trade] as number;
  to.quantity.set(at, from.quantity.at(trade));
  to.price.set(at, from.price.at(trade));
  to.timeUs[at] = from.timeUs[trade] as number;
  to.day[at] = from.day[trade] as number;
  to.setId(at, from.id(trade));
  to.commit();
}
