import { at, present } from "../../base/present.ts";
import type { DayNumber } from "../../domain/market/trading-day.ts";
import { type Contract, type OptionContract, optionTick } from "./instruments.ts";
import { type Market, minuteAt, sessionMinutes } from "./market.ts";
import type { Random } from "./random.ts";

export interface DeskTrade {
  readonly symbol: string;
  /** Milliseconds since the session's start at 17:00 of the day before. */
  readonly atMs: number;
  readonly side: "B" | "S";
  readonly quantity: number;
  readonly price: number;
  /** Entered by a person: the time has no fraction. */
  readonly byHand?: true;
  /** The name of a batch, whose rows share one id. */
  readonly batch?: string;
}

export interface Session {
  /** The session's index in the list of sessions. */
  readonly index: number;
  readonly day: DayNumber;
}

interface Trader {
  /**
   * The trades of one session, in time order. Sessions must be requested in order, because positions are
   * carried over.
   */
  session(session: Session): readonly DeskTrade[];
}

/** A trader who opens and closes positions at random, and sometimes turns from long to short in one trade. */
export function traderOf(
  random: Random,
  market: Market,
  contracts: readonly Contract[],
  tradesPerDay: number,
): Trader {
  const futures = contracts.filter((contract) => contract.kind === "future");
  const busiest = at(futures, 0);
  const options = contracts.filter((contract) => contract.kind === "option");
  const positions = new Map<string, number>();
  const lastPrices = new Map<string, number>();

  const book = (trade: DeskTrade): DeskTrade => {
    positions.set(
      trade.symbol,
      positionOf(trade.symbol) + (trade.side === "B" ? trade.quantity : -trade.quantity),
    );
    lastPrices.set(trade.symbol, trade.price);
    return trade;
  };
  const positionOf = (symbol: string): number => positions.get(symbol) ?? 0;
  const trade = (contract: Contract, atMs: number, signed: number, price: number): DeskTrade => ({
    symbol: contract.symbol,
    atMs,
    side: signed > 0 ? "B" : "S",
    quantity: Math.abs(signed),
    price,
  });

  const ordinary = ({ index, day }: Session, atMs: number): DeskTrade => {
    const minute = Math.floor(atMs / 60_000);
    const contract = chooseContract(day, minute);
    const around = contract.kind === "future" ? contract.tick * random.pick([-1, 0, 0, 0, 1]) : 0;
    return book(
      trade(contract, atMs, chooseQuantity(contract), market.price(contract, index, minute) + around),
    );
  };

  const chooseContract = (day: DayNumber, minute: number): Contract => {
    const draw = random.unit();
    const others = futures.slice(1);
    if (draw >= 0.5 && draw < 0.8) {
      const alive = options.filter(
        ({ expiry }) => expiry > day || (expiry === day && minute < lastOptionMinute),
      );
      if (alive.length > 0) return random.pick(alive);
    }
    return draw >= 0.8 && others.length > 0 ? random.pick(others) : busiest;
  };

  /** A signed quantity: positive to buy, negative to sell. */
  const chooseQuantity = (contract: Contract): number => {
    const held = positionOf(contract.symbol);
    const size = contract.kind === "future" ? random.pick(futureSizes) : random.pick(optionSizes);
    const draw = random.unit();
    if (held !== 0 && draw < 0.3) return -held;
    if (held !== 0 && draw < 0.4) return held > 0 ? -held - size : -held + size;
    return random.chance(0.5) ? size : -size;
  };

  /** Start-of-day rows at midnight, one for each position carried in; the last one has no known cost. */
  const startOfDay = ({ index }: Session): DeskTrade[] => {
    const atMs = 7 * 3_600_000;
    const [first, second, unknown] = options;
    const rows: [contract: Contract, quantity: number, price?: number][] = [[busiest, 20]];
    if (first) rows.push([first, 25]);
    if (second) rows.push([second, -40]);
    if (unknown) rows.push([unknown, 10, 0]);
    return rows.map(([contract, quantity, price]) =>
      book(trade(contract, atMs, quantity, price ?? market.price(contract, index, 0))),
    );
  };

  /**
   * The rows of expiring options. Worthless ones are closed at price 0. The others are exercised by hand: an
   * option row at its last price and, one second later, a future at the strike.
   */
  const expiries = ({ index, day }: Session): DeskTrade[] => {
    let atMs = minuteAt(15, 58) * 60_000;
    const rows: DeskTrade[] = [];
    const add = (contract: Contract, signed: number, price: number): void => {
      rows.push(book({ ...trade(contract, atMs, signed, price), byHand: true }));
      atMs += 1_000;
    };
    for (const option of options.filter(({ expiry, symbol }) => expiry === day && positionOf(symbol) !== 0)) {
      const held = positionOf(option.symbol);
      if (!inTheMoney(option, market.price(busiest, index, sessionMinutes))) {
        add(option, -held, 0);
        continue;
      }
      add(option, -held, lastPrices.get(option.symbol) ?? optionTick);
      add(busiest, option.right === "C" ? held : -held, option.strike);
    }
    return rows;
  };

  /** Fills of one order with equal times; only the order of their rows shows their sequence. */
  const tiedFills = ({ index }: Session): DeskTrade[] => {
    const minute = minuteAt(9, 31);
    const price = market.price(busiest, index, minute);
    const quantities = [3, 2, -1];
    return quantities.map((quantity, fill) =>
      book(trade(busiest, minute * 60_000 + 59_046, quantity, price + fill * busiest.tick)),
    );
  };

  /** A correction: rows under one id whose quantities add up to zero. */
  const correction = ({ index }: Session): DeskTrade[] => {
    const future = futures[1] ?? busiest;
    const minute = minuteAt(11, 20);
    const price = market.price(future, index, minute);
    return [2, 2, -3, -1].map((quantity) => ({
      ...book(trade(future, minute * 60_000, quantity, price)),
      batch: "correction",
    }));
  };

  /** The last fills of a day, all in one contract, which the next day's file repeats. */
  const lastFills = ({ index }: Session): DeskTrade[] => {
    const future = at(futures, -1);
    const price = market.price(future, index, minuteAt(15, 59));
    return [5, 4, -3].map((quantity, fill) =>
      book(trade(future, minuteAt(15, 59) * 60_000 + 30_000 + fill * 7_125, quantity, price)),
    );
  };

  const special: Readonly<Record<number, (session: Session) => DeskTrade[]>> = {
    0: (session) => [...startOfDay(session), ...tiedFills(session)],
    1: lastFills,
    3: correction,
  };

  return {
    session: (session) => {
      const times = Array.from({ length: tradesPerDay }, () => chooseTimeMs(random)).sort((a, b) => a - b);
      const trades = [
        ...(special[session.index]?.(session) ?? []),
        ...times.map((atMs) => ordinary(session, atMs)),
      ];
      trades.push(...expiries(session));
      return trades.sort((a, b) => a.atMs - b.atMs);
    },
  };
}

/** The number of `lastFills` at the end of session 1. */
export const lastFillCount = 3;

const futureSizes = [1, 1, 1, 1, 2, 2, 3, 5, 5, 10, 20];
const optionSizes = [5, 10, 10, 20, 25, 50, 100];
/**
 * From this minute on the trader does not trade options that expire on the same day. Trading in the Monday to
 * Thursday series ends at 14:00.
 */
const lastOptionMinute = minuteAt(13, 50);

const inTheMoney = ({ right, strike }: OptionContract, underlying: number): boolean =>
  right === "C" ? underlying > strike : underlying < strike;

/** The distribution of trades over a session: most between 7:00 and 15:00, some on the evening before. */
const busy: readonly (readonly [share: number, from: number, to: number])[] = [
  [0.15, minuteAt(-7, 5), minuteAt(0, 0)],
  [0.25, minuteAt(0, 1), minuteAt(7, 0)],
  [0.95, minuteAt(7, 0), minuteAt(15, 0)],
  [1, minuteAt(15, 0), minuteAt(15, 55)],
];

function chooseTimeMs(random: Random): number {
  const draw = random.unit();
  const [, from, to] = present(
    busy.find(([share]) => draw < share),
    "the last share is 1",
  );
  return from * 60_000 + random.below((to - from) * 60_000);
}
