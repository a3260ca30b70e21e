/** Makes a screen from the methods of the P&L service, which both systems have. */
import type { JsonValue } from "../../base/exact-json.ts";
import { SystemFailure } from "../../domain/migration/system-failure.ts";
import type { PnlMethod } from "../../ports/pnl-service.ts";
import { figureText, isRow, isZeroText, type Row, sumOf } from "./figures.ts";
import type {
  ChartPoint,
  DayRow,
  Money,
  PositionRow,
  Screen,
  ScreenRequest,
  Summary,
  TradeRow,
} from "./screen.ts";

export type Ask<Method extends string> = (method: Method, request: JsonValue) => Promise<JsonValue>;
/** The currency of a symbol's P&L; undefined for an unknown symbol. */
export type CurrencyOf = (symbol: string) => string | undefined;

/** The code of ISO 4217 for no currency; it stands for the currency of an unknown symbol's P&L. */
const noCurrency = "XXX";

/**
 * Asks a system for all panels at once. A method that the system does not have makes its panel unavailable;
 * any other failure rejects.
 */
export async function serviceScreen(
  ask: Ask<PnlMethod>,
  { trades: limit, ...world }: ScreenRequest,
  currencyOf: CurrencyOf,
): Promise<Screen> {
  const { asOf, book } = world;
  const read = new ScreenReader();
  const filter = book === undefined ? {} : { book };
  const [totals, open, days, history] = await Promise.all([
    read.part(ask("totals", world), "summary", "totals"),
    read.part(ask("openPositions", world), "positions", "positions"),
    read.part(ask("dailyPnl", world), "daily", "daily"),
    read.part(ask("tradeHistory", { asOf, ...filter, limit }), "trades", "trades"),
  ]);
  read.requireAnswer();
  const positions = read.rows(open, "positions")?.map((row) => positionOf(read, row, currencyOf)) ?? null;
  const daily = dailyOf(read, read.rows(days, "daily"), currencyOf);
  const trades = read.rows(history, "trades")?.map((row) => tradeOf(read, row)) ?? null;
  return {
    summary: isRow(totals) ? { ...sums(read, totals, positions), ...latest(daily, positions) } : null,
    positions,
    daily,
    trades,
    chart: daily && chartOf(daily, read.unavailable),
    unavailable: read.unavailable,
  };
}

/** Reads answers, and keeps the reason of each panel and figure that is not available. */
export class ScreenReader {
  readonly unavailable: Record<string, string> = {};
  #failures: SystemFailure[] = [];
  #answers = 0;

  /** Returns the named part of an answer; undefined, with the reason, if the system has no such method. */
  async part(answer: Promise<JsonValue>, panel: string, name: string): Promise<JsonValue | undefined> {
    try {
      const whole = await answer;
      this.#answers += 1;
      const part = name === "" ? whole : isRow(whole) ? whole[name] : undefined;
      if (part !== undefined) return part;
      throw new SystemFailure("GARBLED", `the answer has no ${name}`);
    } catch (failure) {
      if (!(failure instanceof SystemFailure) || failure.code !== "UNKNOWN_METHOD") throw failure;
      this.#failures.push(failure);
      this.unavailable[panel] = failure.message;
      if (panel === "daily") this.unavailable.chart = failure.message;
      return undefined;
    }
  }

  /** Throws if the system has none of the methods. */
  requireAnswer(): void {
    const [failure] = this.#failures;
    if (failure !== undefined && this.#answers === 0) throw failure;
  }

  /**
   * Returns the rows of a panel; undefined if it is missing. Throws GARBLED if the value is no list of rows.
   */
  rows(part: JsonValue | undefined, panel: string): readonly Row[] | undefined {
    if (part === undefined) return undefined;
    const rows = Array.isArray(part) ? part.filter(isRow) : [];
    if (Array.isArray(part) && rows.length === part.length) return rows;
    throw new SystemFailure("GARBLED", `${panel} is not a list of rows`);
  }

  /** Returns a figure as exact text; null, with the reason, if it is not a number. */
  figure(path: string, value: JsonValue | undefined, why = "the system has no value"): string | null {
    const text = figureText(value);
    if (text !== undefined) return text;
    const isWord = typeof value === "string" && value !== "";
    this.unavailable[path] = isWord ? `the system answers ${JSON.stringify(value.slice(0, 80))}` : why;
    return null;
  }

  /** Returns figures of money; the total is their sum if the system has none. */
  money(path: string, { realized, unrealized, total }: Row, whyUnrealized?: string): Money {
    const figures = {
      realized: this.figure(`${path}.realized`, realized),
      unrealized: this.figure(`${path}.unrealized`, unrealized, whyUnrealized),
    };
    if (total !== undefined) return { ...figures, total: this.figure(`${path}.total`, total) };
    const sum = sumOf(Object.values(figures));
    if (sum === null) this.unavailable[`${path}.total`] = "a part of it is not available";
    return { ...figures, total: sum };
  }
}

export const textOf = (value: JsonValue | undefined): string | null =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : null;

function positionOf(read: ScreenReader, row: Row, currencyOf: CurrencyOf): PositionRow {
  const symbol = textOf(row.symbol) ?? "";
  const path = `positions[${symbol}]`;
  const { total: _, ...money } = row;
  const quantity = read.figure(`${path}.quantity`, row.quantity);
  return {
    ...bookOf(row),
    symbol,
    currency: textOf(row.currency) ?? currencyOf(symbol) ?? null,
    quantity,
    averagePrice: isZeroText(quantity) ? null : read.figure(`${path}.averagePrice`, row.averagePrice),
    mark: figureText(row.mark) ?? null,
    markAt: textOf(row.markAt),
    ...read.money(path, money, "there is no mark"),
  };
}

const bookOf = ({ book }: Row): { readonly book?: string } => (typeof book === "string" ? { book } : {});

function tradeOf(read: ScreenReader, row: Row): TradeRow {
  const { id, time, symbol, side } = row;
  const path = `trades[${textOf(id)}]`;
  return {
    id: textOf(id),
    time: textOf(time),
    symbol: textOf(symbol) ?? "",
    ...bookOf(row),
    side: textOf(side) ?? "",
    quantity: read.figure(`${path}.quantity`, row.quantity),
    price: read.figure(`${path}.price`, row.price),
  };
}

/**
 * The totals by currency. A currency with an unmarked position has no unrealized figure: it would be partial.
 */
function sums(
  read: ScreenReader,
  totals: Row,
  positions: readonly PositionRow[] | null,
): Pick<Summary, "totals"> {
  const found: Record<string, Money> = {};
  for (const [currency, given] of Object.entries<JsonValue>(totals)) {
    if (!isRow(given)) continue;
    const path = `summary.totals.${currency}`;
    // A position of an unknown currency may be a part of any total.
    const unknown = totals[noCurrency] === undefined ? currency : noCurrency;
    const unmarked = (positions ?? []).filter(
      (row) => row.unrealized === null && (row.currency ?? unknown) === currency,
    );
    if (unmarked.length === 0) found[currency] = read.money(path, given);
    else {
      const { unrealized: _, total: __, ...known } = given;
      const why = `there is no mark for ${unmarked.map(({ symbol }) => symbol).join(", ")}`;
      found[currency] = read.money(path, known, why);
    }
  }
  return { totals: found };
}

/** The last day's figures and the number of open positions. */
function latest(
  daily: readonly DayRow[] | null,
  positions: readonly PositionRow[] | null,
): Omit<Summary, "totals"> {
  const day = daily?.[0]?.tradingDay;
  const ofDay = daily?.filter((row) => row.tradingDay === day) ?? [];
  return {
    day:
      day === undefined
        ? null
        : {
            tradingDay: day,
            totals: Object.fromEntries(
              ofDay.map(({ currency, realized, unrealized, total }) => [
                currency,
                { realized, unrealized, total },
              ]),
            ),
          },
    openPositions: positions && String(positions.filter(({ quantity }) => !isZeroText(quantity)).length),
  };
}

/** The sums of each trading day and currency, newest first. */
function dailyOf(
  read: ScreenReader,
  rows: readonly Row[] | undefined,
  currencyOf: CurrencyOf,
): readonly DayRow[] | null {
  if (rows === undefined) return null;
  const groups = Map.groupBy(rows, ({ tradingDay, symbol }) =>
    JSON.stringify([textOf(tradingDay) ?? "", currencyOf(textOf(symbol) ?? "") ?? noCurrency]),
  );
  const days = [...groups].map(([key, ofDay]) => {
    const [tradingDay, currency]: readonly [string, string] = JSON.parse(key);
    const sum = (field: "realized" | "unrealized" | "total") =>
      sumOf(ofDay.map((row) => figureText(row[field]) ?? null));
    const path = `daily[${tradingDay} ${currency}]`;
    const sumOrWhy = (field: "realized" | "total") => {
      const known = sum(field);
      if (known !== null) return read.figure(`${path}.${field}`, known);
      const missing = ofDay.find((row) => figureText(row[field]) === undefined);
      const why = `the ${field} P&L of ${textOf(missing?.symbol)} on that day is missing`;
      return read.figure(`${path}.${field}`, known, why);
    };
    return {
      tradingDay,
      currency,
      realized: sumOrWhy("realized"),
      unrealized: read.figure(`${path}.unrealized`, sum("unrealized"), "a position has no mark on that day"),
      total: sumOrWhy("total"),
    };
  });
  return days.sort((a, b) => (a.tradingDay === b.tradingDay ? 0 : a.tradingDay < b.tradingDay ? 1 : -1));
}

/** The daily and the accumulated P&L by currency, oldest first. After a missing day the sum is not known. */
function chartOf(daily: readonly DayRow[], unavailable: Record<string, string>): readonly ChartPoint[] {
  const sumsSoFar = new Map<string, string | null>();
  return daily.toReversed().map(({ tradingDay, currency, total }) => {
    const before = sumsSoFar.get(currency);
    const cumulative = sumOf([before === undefined ? "0" : before, total]);
    sumsSoFar.set(currency, cumulative);
    if (cumulative === null)
      unavailable[`chart[${tradingDay} ${currency}].cumulative`] = "a day up to this one has no total";
    return { tradingDay, currency, total, cumulative };
  });
}
