import {
  flatHasNoAveragePrice,
  PnLComparisonValidator,
  pointsToMoney,
  type SystemAnswer,
  tolerancesFrom,
} from "../comparison/index.ts";
import type { Config, SystemConfig } from "../config/index.ts";
import { add, fromScaled, isZero, parseFraction, zero } from "../domain/fraction.ts";
import type { TradingDayRuleName } from "../domain/trading-day.ts";
import { formatDay } from "../domain/trading-day.ts";
import type { PnlEngine, Statement, TradeColumns } from "../engine/index.ts";
import { LegacyDesk } from "../legacy-desk/index.ts";
import type { ParityReport, ParityRow, ParitySide } from "../ports/parity-report.ts";
import type { Close, HistoryRows } from "../ports/pnl-system.ts";
import { type PnlRunOptions, runPnl } from "./pnl-run.ts";

export interface ReplayOptions extends PnlRunOptions {
  readonly config: Config;
  /** Where the legacy desk writes its `pnl_tracker.db`; absent: nowhere. */
  readonly legacyDatabase?: string | undefined;
}

/** Causes that need the history, beside those that two values prove by themselves. */
export const historyCauses = {
  COUNTED_TWICE: "legacy counted rows that stand in two files twice, and that is exactly the difference",
  NO_MARK: "there is no price of that day: modern says so, legacy answers 0",
} as const;

/** The most trades named behind one difference. */
const tradesNamedMax = 20;

/**
 * The main job: one trading history through both systems, compared row by row. Both see the same world: the same ledger
 * files and, for each symbol and day, the same price (from the price files, the given marks, or the last trade). Legacy's
 * day rule holds for both unless `dayRule` names another for modern.
 */
export async function replay(options: ReplayOptions): Promise<ParityReport> {
  const { config } = options;
  const rules = {
    legacy: dayRuleOf(config.systems.legacy),
    modern:
      config.systems.modern.name === "legacy-desk"
        ? dayRuleOf(config.systems.modern)
        : (options.dayRule ?? dayRuleOf(config.systems.legacy)),
  };
  const world = await runPnl({ ...options, dayRule: rules.legacy });
  const closes = closesOf(world.statement);
  const answer = async (side: ParitySide): Promise<SystemAnswer> => {
    const system = config.systems[side];
    const rule = rules[side];
    options.onProgress?.(`running ${system.name}`);
    if (system.name === "legacy-desk") {
      const database = side === "legacy" ? options.legacyDatabase : undefined;
      const desk = new LegacyDesk({ mode: system.mode, ...(database === undefined ? {} : { database }) });
      return { system: system.name, dayRule: desk.dayRule, ...(await desk.history({ ledgers: world.ledgers, closes })) };
    }
    const run = rule === world.dayRule ? world : await runPnl({ ...options, dayRule: rule });
    return { system: system.name, dayRule: rule, ...rowsOf(run.statement) };
  };
  const [legacy, modern] = [await answer("legacy"), await answer("modern")];
  options.onProgress?.("comparing");
  const report = validatorFor(config, multipliersOf(world.input.trades)).compare(legacy, modern);
  return {
    ...explained(report, { ...world, ...world.input }),
    ok: report.ok && world.quarantine.length === 0,
    quarantine: world.quarantine,
  };
}

/** A validator with the configured thresholds, and the conversions that the configured systems need. */
export function validatorFor(config: Config, multiplierOf: (symbol: string) => string | undefined): PnLComparisonValidator {
  const conversions = (["legacy", "modern"] as const)
    .filter((side) => config.systems[side].name === "legacy-desk")
    .flatMap((side) =>
      [...pointsToMoney(multiplierOf), flatHasNoAveragePrice].map((conversion) => ({ ...conversion, system: side })),
    );
  const { positionThreshold, comparisonThreshold } = config.validation;
  return new PnLComparisonValidator({
    conversions,
    tolerances: tolerancesFrom({ position: positionThreshold, pnl: comparisonThreshold }),
  });
}

/** The rows of the modern engine, as a comparison takes them. */
export const rowsOf = ({ positions, daily }: Pick<Statement, "positions" | "daily">): HistoryRows => ({
  positions,
  daily,
  errors: [],
});

const dayRuleOf = ({ name }: SystemConfig): TradingDayRuleName => (name === "legacy-desk" ? "calendar" : "chicago-17");

/** The price of each symbol on each day on which it was open, as modern valued it. */
const closesOf = ({ daily }: Statement): readonly Close[] =>
  daily.flatMap(({ symbol, tradingDay, quantity, mark }) =>
    mark === null || quantity === "0" ? [] : [{ symbol, tradingDay, price: mark }],
  );

export const multipliersOf = ({ instruments }: TradeColumns): ((symbol: string) => string | undefined) => {
  const bySymbol = new Map(instruments.map(({ symbol, multiplier }) => [symbol, multiplier]));
  return (symbol) => bySymbol.get(symbol);
};

/** What explains a difference: the trades, where they stand, and what modern made of them. */
export interface World {
  readonly trades: TradeColumns;
  /** By `trades.file`. */
  readonly files: readonly string[];
  /** Trades that legacy was given once more. */
  readonly repeated: readonly number[];
  readonly engine: PnlEngine;
  readonly statement: Statement;
}

/**
 * Names, beside each row that does not agree, its cause where the history proves it, and the trades it comes from: those of
 * its day; of a position, those of its first day that does not agree.
 */
export function explained(report: ParityReport, world: World): ParityReport {
  const { trades, files, repeated: doubles, engine, statement } = world;
  const firstDay = firstDaysApart(report);
  const lanes = new Map(trades.instruments.map(({ book, symbol }, lane) => [JSON.stringify([book, symbol]), lane]));
  const unmarked = new Set([
    ...statement.positions.filter(({ unrealized }) => unrealized === null).map((row) => nameOf(row)),
    ...statement.daily.filter(({ unrealized }) => unrealized === null).map((row) => nameOf(row)),
  ]);
  const named = (order: Iterable<number>): NonNullable<ParityRow["trades"]> =>
    [...order].slice(0, tradesNamedMax).map((trade) => ({
      file: files[trades.file[trade] as number] as string,
      line: trades.line[trade] as number,
      id: trades.id(trade),
    }));
  const repeated: number[][] = trades.instruments.map(() => []);
  for (const trade of doubles) repeated[trades.lane[trade] as number]?.push(trade);
  const explain = (row: ParityRow): ParityRow => {
    if (agrees(row)) return row;
    if (row.cause === "NO_VALUE_IN_MODERN" && row.field === "unrealized" && unmarked.has(nameOf(row.key)))
      return { ...row, cause: "NO_MARK" };
    const lane = lanes.get(JSON.stringify([row.key.book, row.key.symbol]));
    if (lane === undefined) return row;
    const twice = repeated[lane] ?? [];
    if (row.kind === "position" && row.field === "quantity" && isSumOf(row, twice, trades))
      return { ...row, cause: "COUNTED_TWICE", trades: named(twice) };
    const order = engine.lanes[lane]?.order ?? new Int32Array(0);
    const day = row.key.tradingDay ?? firstDay.get(JSON.stringify([row.key.book, row.key.symbol]));
    const from = day === undefined ? 0 : lowerBound(order, (trade) => formatDay(trades.day[trade] as number) >= day);
    const until = day === undefined ? order.length : lowerBound(order, (trade) => formatDay(trades.day[trade] as number) > day);
    return { ...row, trades: named(order.subarray(from, until)) };
  };
  return { ...report, rows: report.rows.map(explain) };
}

const agrees = ({ verdict }: ParityRow): boolean => verdict === "equal" || verdict === "within_tolerance";

/** One name for a position or a day of it. */
const nameOf = ({
  book,
  symbol,
  tradingDay,
}: {
  readonly book?: string;
  readonly symbol: string;
  readonly tradingDay?: string;
}): string => JSON.stringify([book, symbol, tradingDay]);

/** By book and symbol: the first day on which the systems are apart. */
function firstDaysApart(report: ParityReport): ReadonlyMap<string, string> {
  const first = new Map<string, string>();
  for (const row of report.rows) {
    const { book, symbol, tradingDay } = row.key;
    const name = JSON.stringify([book, symbol]);
    if (tradingDay !== undefined && !agrees(row) && tradingDay < (first.get(name) ?? "9999")) first.set(name, tradingDay);
  }
  return first;
}

/** Whether legacy's surplus is exactly what the repeated rows add up to. */
function isSumOf({ difference }: ParityRow, repeated: readonly number[], trades: TradeColumns): boolean {
  if (repeated.length === 0 || difference === null) return false;
  let surplus = zero;
  for (const trade of repeated) {
    const { coefficient, scale } = trades.quantity.at(trade);
    surplus = add(surplus, fromScaled(coefficient * BigInt(trades.side[trade] as number), scale));
  }
  const seen = parseFraction(difference);
  return seen !== undefined && isZero(add(seen, surplus)) && !isZero(surplus);
}

/** The first place from which on `holds` is true; it must be false before and true after. */
function lowerBound(order: Int32Array, holds: (trade: number) => boolean): number {
  let [low, high] = [0, order.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(order[middle] as number)) high = middle;
    else low = middle + 1;
  }
  return low;
}
