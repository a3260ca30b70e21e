/**
 * The legacy desk as a service, with the methods that its callers used every day. It calculates in floats,
 * and answers with the shortest text of each. P&L is in points. It supports neither books nor as-of times, no
 * lot method except FIFO, and does not list lots.
 */
import type {
  CalculatePnlAnswer,
  CalculatePnlRequest,
  DailyPnlAnswer,
  DailyPnlRequest,
  OpenPositionsAnswer,
  OpenPositionsRequest,
  PinnedWorld,
  PnlService,
  PositionDetailAnswer,
  PositionDetailRequest,
  ServicePosition,
  ServiceTrade,
  TotalsAnswer,
  TotalsRequest,
  TradeHistoryAnswer,
  TradeHistoryRequest,
} from "../ports/pnl-service.ts";
import type { HistoryRequest } from "../ports/pnl-system.ts";
import { Calculator, dateOf, LegacyRejection, type PositionFigures, type Trade } from "./calculator.ts";
import { type LegacyMode, type LegacyRun, runLegacy } from "./run.ts";

interface LegacyServiceOptions {
  readonly mode?: LegacyMode;
  /** Supplies the files and prices for each call. */
  readonly world: (request: Pick<PinnedWorld, "marks">) => HistoryRequest | Promise<HistoryRequest>;
  /**
   * Maps a symbol to the name by which requests and ledgers are joined; called after `world`. Default: the
   * symbol's text.
   */
  readonly nameOf?: (symbol: string) => string;
}

export class LegacyDeskService implements PnlService {
  readonly #options: LegacyServiceOptions;

  constructor(options: LegacyServiceOptions) {
    this.#options = options;
  }

  /** Quirk: one bad trade refuses the whole request. */
  async calculatePnl(request: CalculatePnlRequest): Promise<CalculatePnlAnswer> {
    refuseMethods(request.method);
    if (!Array.isArray(request.trades)) throw new LegacyRejection("trades must be a list");
    const calculator = new Calculator();
    const trades = (request as CalculatePnlRequest).trades.map(legacyTrade);
    for (const trade of trades) calculator.add(trade);
    const lastDate = trades.reduce((last, trade) => (dateOf(trade) > last ? dateOf(trade) : last), "");
    for (const [symbol, price] of Object.entries(request.marks ?? {}))
      if (trades.some((trade) => trade.symbol === symbol))
        calculator.close(symbol, lastDate, numberOf(price));
    return { positions: calculator.calculate().positions.map(position), totals: {}, rejected: [] };
  }

  async openPositions(request: OpenPositionsRequest): Promise<OpenPositionsAnswer> {
    const { positions } = await this.#run(request);
    const open = positions.filter((figures) => figures.position !== 0 && this.#isWanted(figures, request));
    return { positions: open.map(position) };
  }

  async tradeHistory(request: TradeHistoryRequest): Promise<TradeHistoryAnswer> {
    const { limit = 500 } = request;
    // A slice up to -1 would silently omit the oldest trade.
    if (!Number.isSafeInteger(limit) || limit < 0)
      throw new LegacyRejection(`limit must be a whole number of 0 or more: ${limit}`);
    const { files } = await this.#run({});
    const trades = files.flatMap((file) => file.trades).filter((trade) => this.#isWanted(trade, request));
    // The desk's table is sorted by time, newest first; trades of one second keep the order in which they
    // were stored.
    const newest = trades.toSorted((a, b) => (a.time > b.time ? -1 : a.time < b.time ? 1 : 0));
    return { trades: newest.slice(0, limit).map(serviceTrade) };
  }

  async dailyPnl(request: DailyPnlRequest): Promise<DailyPnlAnswer> {
    for (const day of [request.from, request.to])
      if (day !== undefined && !/^\d{4}-\d\d-\d\d$/.test(day))
        throw new LegacyRejection(`time data '${day}' does not match format '%Y-%m-%d'`);
    const { daily } = await this.#run(request);
    const wanted = daily.filter(
      (row) =>
        this.#isWanted(row, request) &&
        row.date >= (request.from ?? "") &&
        row.date <= (request.to ?? "9999"),
    );
    return {
      daily: wanted.map(({ symbol, date, realized, unrealized, total }) => ({
        symbol,
        tradingDay: date,
        realized: text(realized),
        unrealized: text(unrealized),
        total: text(total),
      })),
    };
  }

  /**
   * The sum of points over all products, as the desk's dashboard shows it. The answer includes the positions,
   * from which the sum in money can be computed.
   */
  async totals(
    request: TotalsRequest,
  ): Promise<TotalsAnswer & { readonly positions: readonly ServicePosition[] }> {
    const { positions } = await this.#run(request);
    const wanted = positions.filter((figures) => this.#isWanted(figures, request));
    const realized = wanted.reduce((sum, figures) => sum + figures.realized, 0);
    const unrealized = wanted.reduce((sum, figures) => sum + figures.summaryUnrealized, 0);
    return {
      totals: {
        points: {
          realized: text(realized),
          unrealized: text(unrealized),
          total: text(realized + unrealized),
        },
      },
      positions: wanted.map(position),
    };
  }

  async positionDetail(request: PositionDetailRequest): Promise<PositionDetailAnswer> {
    if (typeof request.symbol !== "string") throw new LegacyRejection("symbol must be text");
    const { positions } = await this.#run(request);
    const found = positions.find((figures) => this.#isWanted(figures, request));
    return { position: found === undefined ? null : position(found) };
  }

  #isWanted({ symbol }: { readonly symbol: string }, filter: { readonly symbol?: string }): boolean {
    const { nameOf = (text) => text } = this.#options;
    return (
      filter.symbol === undefined || filter.symbol === symbol || nameOf(filter.symbol) === nameOf(symbol)
    );
  }

  /** Quirk: an as-of time is ignored; every answer is as of now. */
  async #run({ method, ...pinned }: Pick<PinnedWorld, "method" | "marks">): Promise<LegacyRun> {
    refuseMethods(method);
    return runLegacy(await this.#options.world(pinned), this.#options.mode);
  }
}

function refuseMethods(method: string | undefined): void {
  if (method !== undefined && method !== "fifo")
    throw new LegacyRejection(`the legacy desk closes lots by fifo only, not ${method}`);
}

const position = ({
  symbol,
  position: quantity,
  averageCost,
  realized,
  summaryUnrealized,
}: PositionFigures): ServicePosition => ({
  symbol,
  quantity: text(quantity),
  averagePrice: text(averageCost),
  realized: text(realized),
  unrealized: text(summaryUnrealized),
});

/** Quirk: a trade without a time is placed at the earliest second, and the offset of a time is ignored. */
function legacyTrade(trade: ServiceTrade): Trade {
  const { id, symbol, side, quantity, price, time } = trade ?? {};
  if (typeof symbol !== "string") throw new LegacyRejection("symbol must be text");
  if (side !== "B" && side !== "S") throw new LegacyRejection(`side must be B or S: '${side}'`);
  const [, date, clock] = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)/.exec(time ?? "") ?? [];
  // Treated as missing, an invalid time would move the trade before all others.
  if (time !== undefined && date === undefined)
    throw new LegacyRejection(`time data '${time}' does not match format '%Y-%m-%d %H:%M:%S'`);
  return {
    id,
    symbol,
    side,
    time: date === undefined ? "1970-01-01 00:00:00" : `${date} ${clock}`,
    quantity: numberOf(quantity),
    price: numberOf(price),
  };
}

const serviceTrade = ({ id, symbol, time, side, quantity, price }: Trade): ServiceTrade => ({
  id,
  symbol,
  side,
  quantity: text(quantity),
  price: text(price),
  time: time.replace(" ", "T"),
});

function numberOf(given: string): number {
  const number = typeof given !== "string" || given.trim() === "" ? Number.NaN : Number(given);
  if (!Number.isFinite(number)) throw new LegacyRejection(`could not convert string to float: '${given}'`);
  return number;
}

/** Shortest text that reads back as the same float; -0 becomes "0". */
const text = (value: number): string => String(value);
