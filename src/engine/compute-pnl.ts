import { formatDecimal, parseDecimal } from "../base/decimal.ts";
import { messageOf } from "../base/errors.ts";
import {
  add,
  compare,
  type Fraction,
  formatFraction,
  fromDecimal,
  multiply,
  parseFraction,
  zero,
} from "../base/fraction.ts";
import { unknownKey } from "../base/nearest.ts";
import { at, present } from "../base/present.ts";
import type { ReadInstant } from "../domain/market/chicago-time.ts";
import type { NoteCode, QuarantineCode } from "../domain/market/finding-codes.ts";
import type { Lane } from "./lane.ts";
import { MarkBook } from "./marks.ts";
import { type Method, methods } from "./matcher.ts";
import { matchPnl, matchPrices, PnlEngine } from "./pnl-engine.ts";
import { type StatementOptions, type StatementPosition, statementOf, type Totals } from "./statement.ts";
import type { Instrument, TradeColumns } from "./trade-columns.ts";
import { ambiguousTime, type Describe, type Refusal, readAsOf, shown, TradeIntake } from "./trade-intake.ts";

export interface PnlRequest {
  /** Default `fifo`. */
  readonly method?: Method;
  readonly trades: readonly TradeInput[];
  /**
   * Facts by symbol. Missing facts come from `describe`; a symbol unknown to both has multiplier 1 and
   * currency `XXX`.
   */
  readonly instruments?: Readonly<
    Record<string, { readonly multiplier?: string; readonly currency?: string }>
  >;
  /** Price by symbol, decimal text. A symbol with open lots and no mark has `unrealized: null`. */
  readonly marks?: Readonly<Record<string, string>>;
  /** Trades after this time are left out. */
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
  /**
   * ISO 8601; without an offset it is Chicago wall time. A trade without a time has the time of the trade
   * before it in the list.
   */
  readonly time?: string;
  readonly fee?: string;
}

export interface PnlResult {
  readonly positions: readonly StatementPosition[];
  /** In order of the closing trades; the matches of one trade in the order in which it consumed lots. */
  readonly matches: readonly MatchRow[];
  readonly totals: Totals;
  readonly rejected: readonly RejectedTrade[];
  /** Chicago times that occur twice and were read as the first; absent if no time does. */
  readonly notes?: readonly TradeNote[];
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
  readonly code: QuarantineCode;
  readonly why: string;
}

/** A remark on an accepted trade or on the as-of time. */
interface TradeNote {
  /** The place of the trade in the request; null if the note is about the as-of time. */
  readonly index: number | null;
  readonly code: NoteCode;
  readonly why: string;
}

/**
 * Computes the exact P&L of a list of trades. Trades of equal time keep their input order. Each bad trade is
 * refused with a reason and the rest is computed; a bad mark, multiplier, method or as-of time throws, since
 * it would affect every number.
 */
export function computePnl(request: PnlRequest, describe: Describe = () => undefined): PnlResult {
  const { engine, valuation, rejected, notes } = runRequest(request, describe);
  const { positions, totals } = statementOf(engine, valuation);
  return {
    positions,
    matches: [...matchRows(engine)],
    totals,
    rejected,
    ...(notes.length === 0 ? {} : { notes }),
  };
}

/** One run of the engine over the trades of a request. */
interface RequestRun {
  readonly engine: PnlEngine;
  readonly valuation: StatementOptions;
  /** Maps a symbol to the first symbol of the same instrument. */
  readonly aliases: ReadonlyMap<string, string>;
  readonly rejected: readonly RejectedTrade[];
  readonly notes: readonly TradeNote[];
}

/**
 * Matches the trades of a request. The line of a trade is its place in the request, counted from 1. Throws
 * the errors of `computePnl`.
 */
export function runRequest(request: PnlRequest, describe: Describe): RequestRun {
  checkShape(request);
  const method = request.method ?? "fifo";
  if (!methods.includes(method))
    throw new TypeError(`method must be one of ${methods.join(", ")}, not ${shown(method)}`);
  const notes: TradeNote[] = [];
  let index = 0;
  const intake = new TradeIntake({
    describe: instrumentTable(request, describe),
    dayRule: noDayRule,
    timeOptional: true,
    // Other notes repeat facts that the caller's own trades state; only an ambiguous time is worth a note.
    onNote: (code, why) => void (code === "AMBIGUOUS_TIME" && notes.push({ index, code, why })),
    // As small as possible: arrays of a few values lie in the heap, larger ones cost a system allocation
    // each.
    capacity: Math.max(request.trades.length, 1),
  });
  const { trades } = intake;
  const rejected: RejectedTrade[] = [];
  const timed = new Set<number>();
  for (const trade of request.trades) {
    const refusal = takeEntry(intake, trade, index);
    if (refusal !== undefined) rejected.push({ index, code: refusal[0], why: refusal[1] });
    else if (trade.time !== undefined) timed.add(trades.length - 1);
    index += 1;
  }
  const asOf = request.asOf === undefined ? undefined : asOfOf(request.asOf);
  if (asOf?.reading === "ambiguous")
    notes.push({ index: null, code: "AMBIGUOUS_TIME", why: `asOf: ${ambiguousTime}` });
  const engine = new PnlEngine(trades, { method, ...(asOf === undefined ? {} : { asOfUs: asOf.instantUs }) });
  engine.feed();
  const valuation: StatementOptions = {
    marks: marksOf(request, describe),
    asOfDay: noDay,
    openedAt: (trade) => timed.has(trade),
  };
  return { engine, valuation, aliases: intake.aliases, rejected, notes };
}

const requestKeys = ["method", "trades", "instruments", "marks", "asOf"];

/** Throws TypeError for a value that is not a request, and for unknown keys. */
function checkShape(request: PnlRequest): void {
  if (!isRecord(request)) throw new TypeError(`the request must be an object, not ${shown(request)}`);
  for (const key in request)
    if (!requestKeys.includes(key))
      throw new TypeError(`the request has no key ${unknownKey(key, requestKeys)}`);
  if (!Array.isArray(request.trades))
    throw new TypeError(`trades must be a list, not ${shown(request.trades)}`);
  for (const name of ["instruments", "marks"] as const)
    if (request[name] !== undefined && !isRecord(request[name]))
      throw new TypeError(`${name} must be an object by symbol, not ${shown(request[name])}`);
}

const isRecord = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const tradeKeys: ReadonlySet<string> = new Set([
  "id",
  "symbol",
  "book",
  "side",
  "quantity",
  "price",
  "time",
  "fee",
]);

function takeEntry(intake: TradeIntake, trade: TradeInput, index: number): Refusal | undefined {
  if (typeof trade !== "object" || trade === null)
    return ["BAD_SYMBOL", `a trade must be an object with a symbol, not ${shown(trade)}`];
  for (const key in trade)
    if (!tradeKeys.has(key)) return ["UNKNOWN_KEY", `a trade has no key ${unknownKey(key, [...tradeKeys])}`];
  return intake.take(trade, { file: 0, line: index + 1 });
}

function asOfOf(given: unknown): ReadInstant {
  try {
    return readAsOf(given);
  } catch (cause) {
    throw new TypeError(`asOf ${messageOf(cause)}`);
  }
}

/** Matches of all lanes, in order of the closing trade, produced one by one as they are read. */
export function* matchRows(engine: PnlEngine): Generator<MatchRow> {
  for (const { lane, from, until } of tradesWithMatches(engine))
    for (let match = from; match < until; match++) yield matchRow(engine.trades, lane, match);
}

/** A trade in the engine's order, with the quantity that it closed and the money that it realized. */
interface ClosingTrade {
  /** The index of the trade. */
  readonly trade: number;
  readonly closed: Fraction;
  readonly realized: Fraction;
}

/** Every trade in order of time, produced one by one as they are read. */
export function* closingTrades(engine: PnlEngine): Generator<ClosingTrade> {
  for (const { trade, lane: its, from, until } of tradesWithMatches(engine)) {
    let [closed, points] = [zero, zero];
    for (let match = from; match < until; match++) {
      closed = add(closed, fromDecimal(its.lane.matcher.matches.quantity.at(match)));
      points = add(points, matchPnl(its.lane, engine.trades, match));
    }
    yield { trade, closed, realized: multiply(points, its.factor) };
  }
}

/** Every trade in order of time, with the range of the matches of its lane that it closes. */
function* tradesWithMatches(engine: PnlEngine) {
  const { trades, lanes } = engine;
  const progress = lanes.map((lane, index) => {
    const instrument = at(trades.instruments, index);
    return {
      lane,
      instrument,
      factor: present(parseFraction(instrument.multiplier), "a multiplier is a number"),
      next: 0,
    };
  });
  for (const trade of engine.order()) {
    const its = at(progress, trades.laneAt(trade));
    const { close, length } = its.lane.matcher.matches;
    const from = its.next;
    while (its.next < length && close[its.next] === trade) its.next++;
    yield { trade, lane: its, from, until: its.next };
  }
}

interface LaneMatches {
  readonly lane: Lane;
  readonly instrument: Instrument;
  /** Money per point. */
  readonly factor: Fraction;
}

function matchRow(trades: TradeColumns, { lane, instrument, factor }: LaneMatches, match: number): MatchRow {
  const { book, symbol } = instrument;
  const { open, close, openPrice: averages } = lane.matcher.matches;
  const [opener, closer] = [open[match] ?? -1, close[match] ?? -1];
  const { openPrice, closePrice, quantity } = matchPrices(lane, trades, match);
  const inexact = averages[match]?.rounded === true;
  const pnl = formatFraction(multiply(matchPnl(lane, trades, match), factor), inexact);
  const opened = formatFraction(openPrice, inexact);
  const row: MatchRow = {
    ...(book === undefined ? {} : { book }),
    symbol,
    openTradeId: opener < 0 ? null : trades.id(opener),
    closeTradeId: trades.id(closer),
    quantity: formatFraction(quantity).text,
    openPrice: opened.text,
    closePrice: formatFraction(closePrice).text,
    pnl: pnl.text,
  };
  return inexact || pnl.rounded || opened.rounded ? { ...row, rounded: true } : row;
}

/** Without a day rule all trades belong to one day. */
const noDay = 0;

export const noDayRule = { name: "none", dayOf: () => noDay };

/** Describes a symbol by the facts of the request; facts that the request lacks come from the table. */
function instrumentTable({ instruments = {} }: PnlRequest, describe: Describe): Describe {
  const given = new Map(
    Object.entries(instruments).map(([symbol, facts]) => [symbol, readFacts(symbol, facts)]),
  );
  return (symbol, day) => {
    const known = describe(symbol, day);
    const facts = given.get(symbol);
    if (facts === undefined) return known;
    const { multiplier = known?.multiplier ?? "1", currency = known?.currency ?? "XXX" } = facts;
    // A symbol whose facts differ is a separate instrument: it cannot share lots with one of another value.
    const own = multiplier !== known?.multiplier || currency !== known.currency;
    return {
      ...known,
      multiplier,
      currency,
      instrument: own || known === undefined ? null : known.instrument,
    };
  };
}

function readFacts(
  symbol: string,
  facts: { readonly multiplier?: string; readonly currency?: string } | null,
): { multiplier?: string; currency?: string } {
  for (const key in facts)
    if (key !== "multiplier" && key !== "currency")
      throw new TypeError(`instruments: ${symbol} has no key ${unknownKey(key, ["multiplier", "currency"])}`);
  const { multiplier, currency } = facts ?? {};
  const value = typeof multiplier === "string" ? parseDecimal(multiplier) : undefined;
  if (multiplier !== undefined && (value === undefined || value.coefficient <= 0n))
    throw new TypeError(
      `the multiplier of ${symbol} must be positive decimal text, not ${shown(multiplier)}`,
    );
  if (currency !== undefined && !(typeof currency === "string" && /^[A-Z]{3}$/.test(currency)))
    throw new TypeError(`the currency of ${symbol} must be three capital letters, not ${shown(currency)}`);
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
    if (price === undefined)
      throw new TypeError(`the mark of ${symbol} must be decimal text, not ${shown(text)}`);
    const name = describe(symbol, undefined)?.instrument ?? symbol;
    const other = given.get(name);
    if (other !== undefined && compare(other.price, price) !== 0)
      throw new TypeError(
        `${other.symbol} and ${symbol} are one instrument and have two marks, ${marks[other.symbol]} and ${text}`,
      );
    given.set(name, { symbol, price });
    // The mark is also stored under the symbol itself: a symbol with facts of its own is an instrument of its
    // own, which the common name does not find.
    for (const key of Object.hasOwn(instruments, symbol) ? [name, symbol] : [name])
      book.add(key, noDay, { price, kind: "given", atUs: 0 });
  }
  return book;
}
