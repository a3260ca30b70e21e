/** The legacy desk as a P&L system: the built-in system `legacy-desk` of a configuration. */
import type { DailyRow, HistoryRequest, HistoryRows, PnlSystem, PositionRow } from "../ports/pnl-system.ts";
import type { DayFigures, PositionFigures } from "./calculator.ts";
import { writeDatabase } from "./database.ts";
import { type LegacyMode, type PriceRow, runLegacy } from "./run.ts";

interface LegacyDeskOptions {
  /** Default "chained". */
  readonly mode?: LegacyMode;
  /** Path at which to write `pnl_tracker.db` after each history; nothing is written without it. */
  readonly database?: string;
  /** Rows for the table market_prices of that database. */
  readonly prices?: readonly PriceRow[];
}

export class LegacyDesk implements PnlSystem {
  readonly name = "legacy-desk";
  readonly dayRule = "calendar";
  readonly #options: LegacyDeskOptions;

  constructor(options: LegacyDeskOptions = {}) {
    this.#options = options;
  }

  /**
   * Runs the ledgers of a request. A flat symbol keeps its row, with quantity 0 and average price 0 (not
   * null). `errors` lists bad files and marks. Rejects only if the database cannot be written.
   */
  async history(request: HistoryRequest): Promise<HistoryRows> {
    const run = runLegacy(request, this.#options.mode);
    const { database, prices = [] } = this.#options;
    if (database !== undefined) writeDatabase(database, run, { prices });
    return { positions: run.positions.map(positionRow), daily: run.daily.map(dailyRow), errors: run.errors };
  }
}

/**
 * `averagePrice` of a flat symbol is 0, as in the calculator; `unrealized` is the figure of the calculator's
 * summary, which ignores a mark of 0.
 */
const positionRow = ({
  symbol,
  position,
  averageCost,
  realized,
  summaryUnrealized,
}: PositionFigures): PositionRow => ({
  symbol,
  quantity: numberText(position),
  averagePrice: numberText(averageCost),
  realized: numberText(realized),
  unrealized: numberText(summaryUnrealized),
});

const dailyRow = ({ symbol, date, realized, unrealized, total }: DayFigures): DailyRow => ({
  symbol,
  tradingDay: date,
  realized: numberText(realized),
  unrealized: numberText(unrealized),
  total: numberText(total),
});

/** Shortest text that reads back as the same float; -0 becomes "0". */
const numberText = (value: number): string => String(value);
