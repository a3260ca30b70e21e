import { dayInName } from "../../adapters/csv/ledger-lines.ts";
import { absolute, compare, parseFigure, zero } from "../../base/fraction.ts";
import { parseDay, type TradingDayRuleName, tradingDayRules } from "../../domain/market/trading-day.ts";
import { agrees } from "../../domain/migration/verdict.ts";
import type { Describe, PnlEngine, StatementOptions, TradeColumns } from "../../engine/index.ts";
import {
  type ExplainOptions,
  explain,
  explainDefaults,
  type History,
  type RefusedRow,
} from "../../explain/index.ts";
import type { Explanation } from "../../ports/explanation.ts";
import type { Note, Quarantined } from "../../ports/ledger.ts";
import type { ParityReport, ParityRow } from "../../ports/parity-report.ts";
import type { Close } from "../../ports/pnl-system.ts";
import { pinnedPrices } from "./pnl-run.ts";

/**
 * How trades are read: as modern reads them (`own`), or every row of every file, where each spelling of a
 * symbol is an instrument of its own (`every-row`).
 */
export type Reading = "own" | "every-row";

/** The description of symbols under a reading. */
export const asRead = (describe: Describe, reading: Reading): Describe =>
  reading === "every-row"
    ? (symbol, day) => ({ multiplier: "1", currency: "XXX", ...describe(symbol, day), instrument: symbol })
    : describe;

/** One history as modern read, matched and valued it, with a function to read every row of it. */
export interface ExplainedWorld {
  /** The names of the files, by `trades.file`. */
  readonly files: readonly string[];
  /** Trades that a later file repeats. */
  readonly repeated: readonly number[];
  readonly refused: readonly RefusedRow[];
  readonly notes: readonly Note[];
  /** Files that legacy stopped reading: the number of rows that it had taken, by index in `files`. */
  readonly givenUp: ReadonlyMap<number, number>;
  /** For each alias, the symbol under which modern keeps its instrument. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly nameOf: (symbol: string) => string;
  readonly netBooks: boolean;
  readonly dayRule: TradingDayRuleName;
  readonly engine: PnlEngine;
  readonly valuation: StatementOptions;
  /** Prices of days that only modern's day rule has. */
  readonly otherCloses?: readonly Close[];
  /**
   * Every price of the price files, by the symbols of the trades. A system may have used another price of a
   * day than modern did.
   */
  readonly filePrices?: readonly Close[];
  readonly reread: () => Promise<TradeColumns>;
}

/** Causes that two values suggest and that only a run could prove. */
const suggestions: ReadonlySet<string | null> = new Set(["LOT_ORDER", "SIGN_FLIP", "MULTIPLIER"]);

/** The whole budget for each component, for a person who waits for the answer. */
export const wholeBudget: ExplainOptions = {
  ...explainDefaults,
  tradesMax: 40_000_000,
  reportTradesMax: Number.POSITIVE_INFINITY,
};

/**
 * How a report is explained: `quick` within the budget of a report, `all` with a whole budget for each
 * component, `none` not at all.
 */
export type HowExplained = "quick" | "all" | "none";

/**
 * Explains every row of a report that does not agree: names its proved causes and the trades that show them.
 */
export async function explained(
  report: ParityReport,
  world: ExplainedWorld,
  how: HowExplained = "quick",
): Promise<ParityReport> {
  if (report.rows.every(({ verdict }) => agrees(verdict))) return { ...report, explanations: [] };
  if (how === "none") {
    const rows = report.rows.map((row) => (suggestions.has(row.cause) ? { ...row, cause: null } : row));
    return { ...report, rows };
  }
  const found = explain(report, await historyOf(world), how === "all" ? wholeBudget : explainDefaults);
  const named = new Map<ParityRow, ParityRow>();
  for (const { explanation, rows, trades: treated } of found) {
    const shown = explanation.witness?.trades.filter(({ refused }) => refused === undefined) ?? [];
    for (const [row, codes] of rows) {
      const day = parseDay(row.key.tradingDay ?? "") ?? Number.POSITIVE_INFINITY;
      const own = treated.filter((trade) => trade.day <= day);
      const trades = (
        own.length > 0
          ? own.map(({ file, line, id }) => ({ file: world.files[file] ?? "", line, id }))
          : shown
      )
        .slice(0, tradesNamedMax)
        .map(({ file, line, id }) => ({ file, line, id }));
      named.set(row, {
        ...row,
        cause: codes[0] ?? (suggestions.has(row.cause) ? null : row.cause),
        ...(codes.length > 1 && { causes: codes }),
        explanation: explanation.id,
        ...(trades.length > 0 && { trades }),
      });
    }
  }
  return {
    ...report,
    rows: report.rows.map((row) => named.get(row) ?? row),
    explanations: found.map(({ explanation }) => explanation).sort(byDifference),
  };
}

/** The maximum number of trades named for one row. */
const tradesNamedMax = 20;

export const byDifference = (a: Explanation, b: Explanation): number => compare(sizeOf(b), sizeOf(a));
const sizeOf = ({ difference }: Explanation) => absolute(parseFigure(difference ?? "") ?? zero);

/** Returns the trades and prices that both systems were given. */
export async function historyOf(world: ExplainedWorld): Promise<History> {
  const { files, repeated, aliases, engine, dayRule, valuation } = world;
  const own = engine.trades;
  const trades = repeated.length === 0 && aliases.size === 0 ? own : await world.reread();
  return {
    files,
    fileDays: files.map((file) => dayInName(file)),
    dayRule: tradingDayRules[dayRule],
    trades,
    repeats: trades === own ? new Map() : repeatsOf(own, repeated, trades),
    refused: world.refused,
    oddTimes: new Set(
      world.notes
        .filter(({ code }) => code === "TIME_FORM")
        .map(({ file, line }) => `${files.indexOf(file)}:${line}`),
    ),
    rowsTaken: world.givenUp,
    asOfUs: engine.asOfUs,
    asOfDay: valuation.asOfDay,
    closes: [...(world.otherCloses ?? []), ...pinnedPrices(world)],
    otherPrices: world.filePrices ?? [],
    nameOf: world.nameOf,
    netBooks: world.netBooks,
  };
}

/** Maps each row that modern dropped as a repetition to the row that it repeats. */
function repeatsOf(
  own: TradeColumns,
  repeated: readonly number[],
  all: TradeColumns,
): ReadonlyMap<number, number> {
  const repeats = new Map<number, number>();
  const placeInAll: number[] = [];
  let dropped = 0;
  for (let row = 0; row < all.length; row++) {
    const next = placeInAll.length;
    if (next < own.length && own.file[next] === all.file[row] && own.line[next] === all.line[row]) {
      placeInAll.push(row);
      continue;
    }
    const original = placeInAll[repeated[dropped] ?? -1];
    if (original !== undefined) repeats.set(row, original);
    dropped += 1;
  }
  return repeats;
}

/** The fields of refused rows, from their text in the usual order of columns. */
export const refusedRows = (
  quarantine: readonly Quarantined[],
  files: readonly string[],
): readonly RefusedRow[] =>
  quarantine.flatMap(({ file: name, line, code, text, more }) => {
    const file = files.indexOf(name);
    if (file < 0 || more !== undefined) return [];
    const [id = "", symbol = "", time = "", side = "", quantity = "", price = "", book] = text
      .split(",")
      .map((field) => field.trim());
    return [{ file, line, code, id, symbol, time, side, quantity, price, ...(book ? { book } : {}) }];
  });
