import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BridgeError, codeOf } from "../../base/errors.ts";
import { type DayNumber, dayNumber, nextBusinessDay, weekday } from "../../domain/market/trading-day.ts";
import { makeFolder } from "../../platform/output.ts";
import {
  type Contract,
  compactDay,
  frontFuture,
  frontFutures,
  type OptionContract,
  optionOf,
} from "./instruments.ts";
import { ledgerHeader, wallText } from "./ledger-text.ts";
import { type Market, marketFrom, minuteAt, sessionMinutes } from "./market.ts";
import { futuresPrices, optionPrices } from "./price-text.ts";
import { randomFrom } from "./random.ts";
import { type DeskTrade, lastFillCount, type Session, traderOf } from "./trading.ts";

interface DeskOptions {
  /** Default 1. A whole number from 0 to 2^32 - 1. */
  readonly seed?: number;
  /** Trading days from Monday 14 July 2025. Default 5, at most 30, after which the front contracts change. */
  readonly days?: number;
  /**
   * Ordinary trades per day, from 1 to 100 000; start-of-day, expiry and correction rows come in addition.
   * Default 60.
   */
  readonly tradesPerDay?: number;
  /**
   * Distinct instruments: four futures, then ten-year options. Default: 4, and 4 more per day; at most 200.
   * Not all of them need to be traded.
   */
  readonly symbols?: number;
}

export interface Desk {
  /** Folder of `trades_YYYYMMDD.csv`. */
  readonly ledgers: string;
  /** Folder of `Futures_YYYYMMDD_HHMM.csv` and `Options_YYYYMMDD_HHMM.csv`. */
  readonly prices: string;
  /** The number of trades, where rows that appear in two files count once. */
  readonly trades: number;
  /** Every file that was written, in order. */
  readonly files: readonly string[];
}

export const daysMax = 30;
export const symbolsMax = 200;
const firstDay = dayNumber(2025, 7, 14);

/**
 * Writes the files of an invented Treasury desk: ledgers and prices of some days, in the formats of a real
 * desk and with its oddities. The same options write the same bytes. The oddities of the days that the desk
 * has:
 *
 * | day | in its ledger |
 * |---|---|
 * | 1 | start-of-day rows at midnight (one at price 0.0); three fills at one time |
 * | 2 | microseconds; no final newline |
 * | 3 | begins with the last three rows of day 2; one date without its zero; a space after a price |
 * | 4 | four rows under one id; a jump in the ids; blank lines at the end |
 * | each | starts on the evening before (Monday on Sunday); options expire at 0.0 or by exercise |
 * | the Saturday after day 5, or after the last day | a header only |
 *
 * Throws RangeError for options out of range, BridgeError UNWRITABLE.
 */
export async function generateDesk(folder: string, options: DeskOptions = {}): Promise<Desk> {
  const { seed, days, tradesPerDay, symbols } = checked(options);
  const sessions = sessionsFrom(firstDay, days);
  const random = randomFrom(seed);
  const market = marketFrom(
    random,
    sessions.map(({ day }) => day),
  );
  const contracts = contractsOf(market, sessions, symbols);
  const trader = traderOf(random, market, contracts, tradesPerDay);

  const [ledgers, prices] = [join(folder, "trade_ledger"), join(folder, "market_prices")];
  const texts = new Map<string, string>();
  const ids = idsFrom(random.below);
  let trades = 0;
  let repeated: readonly string[] = [];
  for (const session of sessions) {
    const made = trader.session(session);
    const rows = rowsOf(session, made, ids);
    trades += rows.length;
    texts.set(
      join(ledgers, `trades_${compactDay(session.day)}.csv`),
      ledgerText(session.index, [...repeated, ...rows]),
    );
    repeated = session.index === 1 ? rows.slice(-lastFillCount) : [];
    for (const [path, text] of priceTexts(prices, market, session, contracts)) texts.set(path, text);
  }
  texts.set(join(ledgers, `trades_${compactDay(saturdayAfter(sessions))}.csv`), `${ledgerHeader}\n`);
  await writeAll([ledgers, prices], texts);
  return { ledgers, prices, trades, files: [...texts.keys()] };
}

function checked({
  seed = 1,
  days = 5,
  tradesPerDay = 60,
  symbols = 4 + 4 * days,
}: DeskOptions): Required<DeskOptions> {
  const ranges: [name: string, value: number, from: number, to: number][] = [
    ["seed", seed, 0, 2 ** 32 - 1],
    ["days", days, 1, daysMax],
    ["tradesPerDay", tradesPerDay, 1, 100_000],
    ["symbols", symbols, 1, symbolsMax],
  ];
  for (const [name, value, from, to] of ranges)
    if (!Number.isInteger(value) || value < from || value > to)
      throw new RangeError(`${name} must be a whole number from ${from} to ${to}, not ${value}`);
  return { seed, days, tradesPerDay, symbols };
}

function sessionsFrom(first: DayNumber, count: number): Session[] {
  const sessions = [{ index: 0, day: first }];
  while (sessions.length < count)
    sessions.push({
      index: sessions.length,
      day: nextBusinessDay(sessions[sessions.length - 1]?.day ?? first),
    });
  return sessions;
}

/**
 * The futures, then options from at-the-money outwards, for every expiry from the first day to three business
 * days after the last.
 */
function contractsOf(market: Market, sessions: readonly Session[], count: number): Contract[] {
  const expiries = sessions.map(({ day }) => day);
  for (let more = 0; more < 3; more++)
    expiries.push(nextBusinessDay(expiries[expiries.length - 1] ?? firstDay));
  const strikeAt = (expiry: DayNumber, away: number): number => {
    // Strikes lie around the opening price of the expiry's session, or of the last session for later
    // expiries.
    const session = Math.min(expiries.indexOf(expiry), sessions.length - 1);
    return Math.round(market.price(frontFuture("ZN"), session, 0) * 4) / 4 + away * 0.25;
  };
  const options: OptionContract[] = [];
  for (let ring = 0; options.length < count; ring++)
    for (const expiry of expiries)
      for (const right of ["C", "P"] as const)
        options.push(optionOf(right, expiry, strikeAt(expiry, right === "C" ? ring : -ring)));
  return [...frontFutures, ...options].slice(0, count);
}

/** Ids that increase over all files, with gaps, and with a jump before day 4. */
function idsFrom(below: (count: number) => number): (session: number) => number {
  let last = 0;
  let before = 0;
  return (session) => {
    last += below(25) === 0 ? 2 + below(4) : 1;
    if (session === 3 && before !== 3) last += 200;
    before = session;
    return last;
  };
}

function rowsOf(
  { index, day }: Session,
  trades: readonly DeskTrade[],
  nextId: (session: number) => number,
): string[] {
  const batches = new Map<string, number>();
  const [unpadded, spaced] =
    index === 2 ? [Math.floor(trades.length / 3), Math.floor(trades.length / 2)] : [-1, -1];
  return trades.map((trade, row) => {
    const id = (trade.batch === undefined ? undefined : batches.get(trade.batch)) ?? nextId(index);
    if (trade.batch !== undefined) batches.set(trade.batch, id);
    const time = wallText(day, trade.atMs, trade.byHand ? 0 : index === 1 ? 6 : 3);
    return [
      id,
      trade.symbol,
      row === unpadded ? time.replace("-0", "-") : time,
      trade.side,
      `${trade.quantity}.0`,
      priceText(trade.price) + (row === spaced ? " " : ""),
    ].join(",");
  });
}

/** A whole number keeps its `.0`; every other price is a binary fraction, whose shortest text is exact. */
const priceText = (price: number): string => (Number.isInteger(price) ? `${price}.0` : `${price}`);

function ledgerText(session: number, rows: readonly string[]): string {
  const text = [ledgerHeader, ...rows].join("\n");
  return session === 1 ? text : session === 3 ? `${text}\n\n\n` : `${text}\n`;
}

function priceTexts(
  folder: string,
  market: Market,
  { index, day }: Session,
  contracts: readonly Contract[],
): [string, string][] {
  const options = contracts.filter((contract) => contract.kind === "option");
  const stamps = [
    { name: "1400", minute: minuteAt(14, 0) },
    { name: "1600", minute: sessionMinutes },
  ];
  return stamps.flatMap(({ name, minute }): [string, string][] => [
    [join(folder, `Futures_${compactDay(day)}_${name}.csv`), futuresPrices(market, index, minute)],
    [
      join(folder, `Options_${compactDay(day)}_${name}.csv`),
      optionPrices(market, { index, day }, minute, options),
    ],
  ]);
}

function saturdayAfter(sessions: readonly Session[]): DayNumber {
  let day = (sessions[4] ?? sessions[sessions.length - 1])?.day ?? firstDay;
  while (weekday(day) !== 6) day += 1;
  return day;
}

async function writeAll(folders: readonly string[], texts: ReadonlyMap<string, string>): Promise<void> {
  for (const folder of folders)
    await makeFolder(folder).catch((cause) => {
      throw unwritable(folder, cause);
    });
  for (const [path, text] of texts)
    await writeFile(path, text).catch((cause) => {
      throw unwritable(path, cause);
    });
}

export const unwritable = (path: string, cause: unknown): BridgeError =>
  new BridgeError("UNWRITABLE", {
    what: `the file cannot be written: ${codeOf(cause) || cause}`,
    where: path,
    fix: "name a folder that you may write to",
    cause,
  });
