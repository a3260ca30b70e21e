import { formatDecimal, parseDecimal } from "../base/decimal.ts";
import { compare, type Fraction, formatFraction, multiply, parseFraction } from "../base/fraction.ts";
import { parseInstant } from "../domain/market/chicago-time.ts";
import type { Lane } from "./lane.ts";
import { MarkBook } from "./marks.ts";
import { type Method, methods } from "./matcher.ts";
import { matchPnl, matchPrices, PnlEngine } from "./pnl-engine.ts";
import { type StatementPosition, statementOf, type Totals } from "./statement.ts";
import { type Instrument, instrumentOf, TradeColumns } from "./trade-columns.ts";

export interface PnlRequest {
  /** Default `fifo`. */
  readonly method?: Method;
  readonly trades: readonly TradeInput[];
  /** By symbol. What is missing here is asked of `describe`; a symbol known to neither has multiplier 1 and currency `XXX`. */
  readonly instruments?: Readonly<Record<string, { readonly multiplier?: string; readonly currency?: string }>>;
  /** Price by symbol, decimal text. A symbol with open lots and no mark has `unrealized: null`. */
  readonly marks?: Readonly<Record<string, string>>;
  /** Trades after this moment are left out. */
  readonly asOf?: string;
}

export interface TradeInput {
  readonly id: string;
  readonly symbol: string;
  readonly book?: string;
  readonly side: "B" | "S";
  /** Positive decimal text. */
  readonly quantity: string;
  readonly price: string;
  /** ISO 8601; without an offset it is Chicago wall time. A trade without a time follows the one before it. */
  readonly time?: string;
  readonly fee?: string;
}

export interface PnlResult {
  readonly positions: readonly StatementPosition[];
  /** In order of the closing trade, within it as lots were consumed. */
  readonly matches: readonly MatchRow[];
  readonly totals: Totals;
  readonly rejected: readonly RejectedTrade[];
}

export interface MatchRow {
  readonly book?: string;
  readonly symbol: string;
  /** Null under average cost. */
  readonly openTradeId: string | null;
  readonly closeTradeId: string;
  readonly quantity: string;
  readonly openPrice: string;
  readonly closePrice: string;
  /** Money, before fees. */
  readonly pnl: string;
  readonly rounded?: true;
}

export interface RejectedTrade {
  readonly index: number;
  readonly code: "BAD_SIDE" | "BAD_QUANTITY" | "BAD_PRICE" | "BAD_TIME" | "BAD_FEE" | "BAD_SYMBOL" | "BAD_ID" | "BAD_BOOK";
  readonly why: string;
}

/** What an instrument table knows of a symbol. */
export type Describe = (
  symbol: string,
) => { readonly instrument: string | null; readonly multiplier: string; readonly currency: string } | undefined;

/**
 * P&L of a list of trades, exact. Trades of equal time keep input order. Bad trades are refused one by one, with the
 * reason, and the rest is computed; a bad mark, multiplier, method or as-of time throws, since it would touch every number.
 */
export function computePnl(request: PnlRequest, describe: Describe = () => undefined): PnlResult {
  const method = request.method ?? "fifo";
  if (!methods.includes(method))
    throw new TypeError(`method must be one of ${methods.join(", ")}, not ${JSON.stringify(method)}`);
  // No larger than it must be: arrays of a few values lie within the heap, others are asked of the system one by one.
  const trades = new TradeColumns(Math.max(request.trades.length, 1));
  const rejected: RejectedTrade[] = [];
  const timed = new Set<number>();
  const instrumentOf = instrumentTable(request, describe);
  let timeUs = 0;
  for (const [index, trade] of request.trades.entries()) {
    const refused = append(trades, trade, timeUs, instrumentOf);
    if (refused !== undefined) {
      rejected.push({ index, ...refused });
      continue;
    }
    if (trade.time !== undefined) timed.add(trades.length - 1);
    timeUs = trades.timeUs[trades.length - 1] as number;
  }
  const asOfUs = request.asOf === undefined ? undefined : parseInstant(request.asOf);
  if (request.asOf !== undefined && asOfUs === undefined)
    throw new TypeError(`asOf must be an ISO 8601 time, not ${show(request.asOf)}`);
  const engine = new PnlEngine(trades, { method, ...(asOfUs === undefined ? {} : { asOfUs }) });
  engine.feed();
  const { positions, totals } = statementOf(engine, {
    marks: marksOf(request, describe),
    asOfDay: noDay,
    openedAt: (trade) => timed.has(trade),
  });
  return { positions, matches: [...matchRows(engine)], totals, rejected };
}

/** Matches of all lanes, in order of the closing trade, made one by one while they are read. */
export function* matchRows(engine: PnlEngine): Generator<MatchRow> {
  const { trades, lanes } = engine;
  const next = new Int32Array(lanes.length);
  const factors = trades.instruments.map(({ multiplier }) => parseFraction(multiplier) as Fraction);
  for (const trade of engine.order()) {
    const index = trades.lane[trade] as number;
    const lane = lanes[index] as Lane;
    const { close, length } = lane.matcher.matches;
    for (let match = next[index] as number; match < length && close[match] === trade; match++) {
      next[index] = match + 1;
      yield matchRow(engine, lane, index, match, factors[index] as Fraction);
    }
  }
}

function matchRow({ trades }: PnlEngine, lane: Lane, laneIndex: number, match: number, factor: Fraction): MatchRow {
  const { book, symbol } = trades.instruments[laneIndex] as Instrument;
  const { open, close, openPrice: averages } = lane.matcher.matches;
  const { openPrice, closePrice, quantity } = matchPrices(lane, trades, match);
  const inexact = averages[match]?.rounded === true;
  const pnl = formatFraction(multiply(matchPnl(lane, trades, match), factor), inexact);
  const opened = formatFraction(openPrice, inexact);
  const row: MatchRow = {
    ...(book === undefined ? {} : { book }),
    symbol,
    openTradeId: (open[match] as number) < 0 ? null : trades.id(open[match] as number),
    closeTradeId: trades.id(close[match] as number),
    quantity: formatFraction(quantity).text,
    openPrice: opened.text,
    closePrice: formatFraction(closePrice).text,
    pnl: pnl.text,
  };
  return inexact || pnl.rounded || opened.rounded ? { ...row, rounded: true } : row;
}

/** Without day rule all trades are of one day. */
const noDay = 0;

type Refused = Omit<RejectedTrade, "index">;

function append(
  trades: TradeColumns,
  trade: TradeInput,
  before: number,
  instrumentOf: (trade: TradeInput) => Instrument,
): Refused | undefined {
  const at = trades.next();
  if (typeof trade?.symbol !== "string" || trade.symbol === "")
    return { code: "BAD_SYMBOL", why: `symbol must be text, not ${show(trade?.symbol)}` };
  if (typeof trade.id !== "string") return { code: "BAD_ID", why: `id must be text, not ${show(trade.id)}` };
  if (trade.book !== undefined && (typeof trade.book !== "string" || trade.book === ""))
    return { code: "BAD_BOOK", why: `book must be text or absent, not ${show(trade.book)}` };
  if (trade.side !== "B" && trade.side !== "S")
    return { code: "BAD_SIDE", why: `side must be "B" or "S", not ${show(trade.side)}` };
  const quantity = decimal(trade.quantity);
  if (quantity === undefined || quantity.coefficient <= 0n) {
    return { code: "BAD_QUANTITY", why: `quantity must be positive decimal text such as "1.5", not ${show(trade.quantity)}` };
  }
  const price = decimal(trade.price);
  if (price === undefined)
    return { code: "BAD_PRICE", why: `price must be decimal text such as "110.015625", not ${show(trade.price)}` };
  const fee = trade.fee === undefined ? undefined : decimal(trade.fee);
  if (trade.fee !== undefined && fee === undefined)
    return { code: "BAD_FEE", why: `fee must be decimal text such as "2", not ${show(trade.fee)}` };
  const timeUs = trade.time === undefined ? before : typeof trade.time === "string" ? parseInstant(trade.time) : undefined;
  if (timeUs === undefined) return { code: "BAD_TIME", why: `time must be ISO 8601, not ${show(trade.time)}` };
  trades.lane[at] = trades.laneOf(instrumentOf(trade));
  trades.side[at] = trade.side === "B" ? 1 : -1;
  trades.quantity.set(at, quantity);
  trades.price.set(at, price);
  if (fee !== undefined) trades.fee.set(at, fee);
  trades.timeUs[at] = timeUs;
  trades.day[at] = noDay;
  trades.setId(at, trade.id);
  trades.commit();
  return undefined;
}

const decimal = (text: unknown): ReturnType<typeof parseDecimal> => (typeof text === "string" ? parseDecimal(text) : undefined);
const show = (value: unknown): string => {
  try {
    return JSON.stringify(value)?.slice(0, 80) ?? String(value);
  } catch {
    // A bigint, or an object that holds itself.
    return typeof value === "bigint" ? `${value}n` : Object.prototype.toString.call(value);
  }
};

function instrumentTable({ instruments = {} }: PnlRequest, describe: Describe): (trade: TradeInput) => Instrument {
  const given = new Map(Object.entries(instruments).map(([symbol, facts]) => [symbol, readFacts(symbol, facts)]));
  return ({ symbol, book }) => {
    const known = describe(symbol);
    const facts = given.get(symbol);
    const instrument = instrumentOf(symbol, { ...known, ...facts }, book);
    // A symbol with facts of its own is an instrument of its own: it cannot share lots with one that is worth something else.
    const own = known !== undefined && (instrument.multiplier !== known.multiplier || instrument.currency !== known.currency);
    return own ? { ...instrument, instrument: null } : instrument;
  };
}

function readFacts(
  symbol: string,
  facts: { readonly multiplier?: string; readonly currency?: string } | null,
): { multiplier?: string; currency?: string } {
  const { multiplier, currency } = facts ?? {};
  const value = decimal(multiplier);
  if (multiplier !== undefined && (value === undefined || value.coefficient <= 0n))
    throw new TypeError(`the multiplier of ${symbol} must be positive decimal text, not ${show(multiplier)}`);
  if (currency !== undefined && !(typeof currency === "string" && /^[A-Z]{3}$/.test(currency)))
    throw new TypeError(`the currency of ${symbol} must be three capital letters, not ${show(currency)}`);
  return {
    ...(value === undefined ? {} : { multiplier: formatDecimal(value) }),
    ...(currency === undefined ? {} : { currency }),
  };
}

function marksOf({ marks, instruments = {} }: PnlRequest, describe: Describe): MarkBook | "none" {
  if (marks === undefined) return "none";
  const book = new MarkBook();
  const given = new Map<string, { readonly symbol: string; readonly price: Fraction }>();
  for (const [symbol, text] of Object.entries(marks)) {
    const price = typeof text === "string" ? parseFraction(text) : undefined;
    if (price === undefined) throw new TypeError(`the mark of ${symbol} must be decimal text, not ${show(text)}`);
    const name = describe(symbol)?.instrument ?? symbol;
    const other = given.get(name);
    if (other !== undefined && compare(other.price, price) !== 0)
      throw new TypeError(
        `${other.symbol} and ${symbol} are one instrument and have two marks, ${marks[other.symbol]} and ${text}`,
      );
    given.set(name, { symbol, price });
    // Also under its own text: a symbol with facts of its own is no longer known by the common name.
    for (const key of Object.hasOwn(instruments, symbol) ? [name, symbol] : [name])
      book.add(key, noDay, { price, kind: "given", atUs: 0 });
  }
  return book;
}
