import { formatDecimal, parseDecimal } from "../../../base/decimal.ts";
import { add, type Fraction, formatFraction, parseFigure, zero } from "../../../base/fraction.ts";
import { formatInstant, parseDay } from "../../../domain/market/chicago-time.ts";
import { SystemFailure } from "../../../domain/migration/system-failure.ts";
import { type DecimalColumn, methods, readAsOf, type StatementPosition } from "../../../engine/index.ts";
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
  PositionFilter,
  ServicePosition,
  ServiceTotals,
  ServiceTrade,
  TotalsAnswer,
  TotalsRequest,
  TradeHistoryAnswer,
  TradeHistoryRequest,
} from "../../../ports/pnl-service.ts";
import { computePnl } from "../../engine.ts";
import type { GivenMark } from "../../parity/marks-file.ts";
import type { PnlRun } from "../../parity/pnl-run.ts";
import { nameOfTraded } from "../../symbols/symbols.ts";
import type { LedgerWorld } from "./ledger-world.ts";

/** The modern engine as a service, over the desk's files. */
export class ModernEngineService implements PnlService {
  readonly #world: LedgerWorld | undefined;

  /** `world` holds the desk's ledgers; without it only `calculatePnl` can answer. */
  constructor(world: LedgerWorld | undefined) {
    this.#world = world;
  }

  async calculatePnl(request: CalculatePnlRequest): Promise<CalculatePnlAnswer> {
    return refusing(() => computePnl(request));
  }

  async openPositions(request: OpenPositionsRequest): Promise<OpenPositionsAnswer> {
    const run = await this.#run(request);
    const isWanted = filterOf(run, request);
    const open = run.statement.positions.filter(
      (position) => position.quantity !== "0" && isWanted(position),
    );
    const markAt = markTimes(run);
    return { positions: open.map((position) => ({ ...servicePosition(position), ...markAt(position) })) };
  }

  async tradeHistory(request: TradeHistoryRequest): Promise<TradeHistoryAnswer> {
    const run = await this.#run(request);
    const { engine, input } = run;
    const { trades } = input;
    const isWanted = filterOf(run, request);
    const { limit = 500 } = request;
    if (!Number.isSafeInteger(limit) || limit < 0)
      throw refused(`limit must be a whole number of 0 or more, not ${shown(limit)}`);
    const found: ServiceTrade[] = [];
    for (const trade of engine.order().reverse()) {
      if (found.length >= limit) break;
      const { symbol, book } = trades.instrumentAt(trade);
      if (!isWanted({ symbol, ...(book === undefined ? {} : { book }) })) continue;
      found.push({
        id: trades.id(trade),
        symbol,
        ...(book === undefined ? {} : { book }),
        side: trades.side[trade] === 1 ? "B" : "S",
        quantity: textAt(trades.quantity, trade),
        price: textAt(trades.price, trade),
        time: formatInstant(trades.timeAt(trade)),
      });
    }
    return { trades: found };
  }

  async dailyPnl(request: DailyPnlRequest): Promise<DailyPnlAnswer> {
    const run = await this.#run(request);
    const isWanted = filterOf(run, request);
    for (const name of ["from", "to"] as const)
      if (request[name] !== undefined && parseDay(request[name]) === undefined)
        throw refused(`${name} must be a day such as 2025-07-24, not ${shown(request[name])}`);
    const daily: DailyPnlAnswer["daily"][number][] = [];
    for (const row of run.statement.daily) {
      if (row.tradingDay < (request.from ?? "") || row.tradingDay > (request.to ?? "9999") || !isWanted(row))
        continue;
      const { symbol, tradingDay, realized, unrealized, total } = row;
      daily.push({
        ...(row.book === undefined ? {} : { book: row.book }),
        symbol,
        tradingDay,
        realized,
        unrealized,
        total,
      });
    }
    return { daily };
  }

  async totals(request: TotalsRequest): Promise<TotalsAnswer> {
    const run = await this.#run(request);
    return { totals: totalsOf(run.statement.positions.filter(filterOf(run, request))) };
  }

  async positionDetail(request: PositionDetailRequest): Promise<PositionDetailAnswer> {
    const run = await this.#run(request);
    // Without a symbol the answer would be an arbitrary position.
    if (request.symbol === undefined) throw refused("symbol is missing");
    const found = run.statement.positions.find(filterOf(run, request));
    return {
      position:
        found === undefined
          ? null
          : { ...servicePosition(found), lots: found.lots.map((lot) => ({ ...lot })) },
    };
  }

  /** Checks the fields that all requests share; each method checks its own. */
  async #run(request: PinnedWorld & PositionFilter): Promise<PnlRun> {
    checkObject(request);
    const { method = "fifo", asOf, marks } = request;
    if (this.#world === undefined) throw noLedgers();
    if (!methods.includes(method))
      throw refused(`method must be one of ${methods.join(", ")}, not ${shown(method)}`);
    if (asOf !== undefined) refusing(() => readAsOf(asOf), "asOf ");
    for (const name of ["book", "symbol"] as const)
      if (request[name] !== undefined && typeof request[name] !== "string")
        throw refused(`${name} must be text, not ${shown(request[name])}`);
    return this.#world.run({ method, asOf, marks: marks === undefined ? undefined : givenMarks(marks) });
  }
}

/** Reads the marks of a request. Throws REFUSED for a mark that is not a price. */
export function givenMarks(marks: unknown): readonly GivenMark[] {
  if (!isObject(marks)) throw refused(`marks must be an object by symbol, not ${shown(marks)}`);
  return Object.entries(marks).map(([symbol, text]) => {
    const price =
      typeof text === "string" || Number.isSafeInteger(text) ? parseDecimal(String(text)) : undefined;
    if (price === undefined) throw refused(`the mark of ${symbol} is not a price: ${shown(text)}`);
    return { symbol, price };
  });
}

const refused = (why: string, cause?: unknown): SystemFailure =>
  new SystemFailure("REFUSED", why, { code: "BAD_REQUEST", ...(cause === undefined ? {} : { cause }) });
export const noLedgers = (): SystemFailure =>
  new SystemFailure("REFUSED", "no trade ledgers are configured (watch.trade_ledger)", {
    code: "NO_LEDGERS",
  });
const shown = (value: unknown): string => JSON.stringify(value)?.slice(0, 80) ?? "nothing";
const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function checkObject(request: unknown): void {
  if (!isObject(request)) throw refused(`the request must be an object, not ${shown(request)}`);
}

type Filter = (row: { readonly symbol: string; readonly book?: string }) => boolean;

/** Whether a row belongs to the book and symbol of a request. Symbols match across dialects. */
function filterOf({ symbols, valuation, input }: PnlRun, { symbol, book }: PositionFilter): Filter {
  const isOfBook: Filter = (row) => book === undefined || book === row.book;
  if (symbol === undefined) return isOfBook;
  const name = nameOfTraded(symbols, symbol, valuation.asOfDay);
  const wanted = new Set([symbol, input.aliases.get(symbol)]);
  for (const known of input.trades.instruments) if (known.instrument === name) wanted.add(known.symbol);
  return (row) => wanted.has(row.symbol) && isOfBook(row);
}

/** Returns the result of `work`, and turns the TypeErrors of bad requests into REFUSED. */
function refusing<Result>(work: () => Result, name = ""): Result {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof TypeError) throw refused(`${name}${cause.message}`, cause);
    throw cause;
  }
}

const servicePosition = (position: StatementPosition): ServicePosition => ({
  ...(position.book === undefined ? {} : { book: position.book }),
  symbol: position.symbol,
  quantity: position.quantity,
  averagePrice: position.averagePrice,
  realized: position.realized,
  unrealized: position.unrealized,
  mark: position.mark,
  currency: position.currency,
});

/** The last traded time of each instrument of a run, microseconds. */
const lastTraded = new WeakMap<PnlRun["engine"], Map<string, number>>();

/** Finds the time of the mark that a position of the run is valued with. */
function markTimes({ engine, input: { trades }, valuation: { marks, asOfDay } }: PnlRun) {
  if (typeof marks === "object")
    return (position: StatementPosition) => atTime(marks.on(position, asOfDay)?.atUs);
  let last = lastTraded.get(engine);
  if (last === undefined) {
    last = new Map();
    for (const trade of engine.order()) {
      const { instrument, symbol } = trades.instrumentAt(trade);
      last.set(instrument ?? symbol, trades.timeAt(trade));
    }
    lastTraded.set(engine, last);
  }
  const times = last;
  return ({ instrument, symbol, mark }: StatementPosition) =>
    atTime(mark === null ? undefined : times.get(instrument ?? symbol));
}

const atTime = (us: number | undefined) => (us === undefined ? {} : { markAt: formatInstant(us) });

/** The sums of positions by currency. A position without a mark adds nothing to the unrealized sum. */
export function totalsOf(
  positions: readonly {
    readonly currency?: string;
    readonly realized: string;
    readonly unrealized: string | null;
  }[],
): ServiceTotals {
  const sums = new Map<string, { realized: Fraction; unrealized: Fraction }>();
  for (const { currency = "XXX", realized, unrealized } of positions) {
    const sum = sums.get(currency) ?? { realized: zero, unrealized: zero };
    sums.set(currency, {
      realized: add(sum.realized, parseFigure(realized) ?? zero),
      unrealized: add(sum.unrealized, parseFigure(unrealized ?? "0") ?? zero),
    });
  }
  const entries = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(
    entries.map(([currency, { realized, unrealized }]) => [
      currency,
      {
        realized: formatFraction(realized).text,
        unrealized: formatFraction(unrealized).text,
        total: formatFraction(add(realized, unrealized)).text,
      },
    ]),
  );
}

const textAt = (column: DecimalColumn, index: number): string => formatDecimal(column.at(index));
