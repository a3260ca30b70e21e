/**
 * A thread of the matching benchmark. It creates the trades in the form that its candidate needs, and matches
 * them on request.
 */
import { parentPort, workerData } from "node:worker_threads";
import { Decimal } from "decimal.js";
import { PnlEngine, TradeColumns } from "../src/engine/index.ts";
import { toNumber } from "./exact.ts";
import { type Order, symbols, trades, type Way } from "./matching.ts";

const ways: Readonly<Record<Way, () => () => number>> = {
  engine: () => {
    const columns = asColumns();
    return () => engineRealized(columns);
  },
  floats: () => {
    const made = asFloats();
    return () => floatRealized(made);
  },
  decimals: () => {
    const made = asDecimals();
    return () => decimalRealized(made);
  },
};

interface FloatTrade {
  readonly symbol: string;
  readonly side: "B" | "S";
  readonly quantity: number;
  readonly price: number;
}

interface DecimalTrade {
  readonly symbol: string;
  readonly side: "B" | "S";
  readonly quantity: Decimal;
  readonly price: Decimal;
}

/** Calls `take` with each trade of a history that is the same for all candidates. */
function history(take: (symbol: number, side: "B" | "S", quantity: number, price: number) => void): void {
  const ticks = new Int32Array(symbols).fill(110 * 64);
  let state = 1;
  const below = (count: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * count);
  };
  for (let trade = 0; trade < trades; trade++) {
    const symbol = below(symbols);
    const tick = Math.max(1, (ticks[symbol] as number) + below(5) - 2);
    ticks[symbol] = tick;
    take(symbol, below(2) === 0 ? "B" : "S", 1 + below(20), tick / 64);
  }
}

const names = Array.from({ length: symbols }, (_, index) => `SYMBOL-${index}`);

function asColumns(): TradeColumns {
  const columns = new TradeColumns(trades);
  const lanes = names.map((symbol) =>
    columns.laneOf({ symbol, instrument: null, multiplier: "1", currency: "USD" }),
  );
  history((symbol, side, quantity, price) => {
    const index = columns.next();
    columns.lane[index] = lanes[symbol] as number;
    columns.side[index] = side === "B" ? 1 : -1;
    columns.quantity.parse(index, `${quantity}`);
    columns.price.parse(index, `${price}`);
    columns.timeUs[index] = index;
    columns.commit();
  });
  return columns;
}

function asFloats(): FloatTrade[] {
  const made: FloatTrade[] = [];
  history((symbol, side, quantity, price) =>
    made.push({ symbol: names[symbol] as string, side, quantity, price }),
  );
  return made;
}

/** Equal numbers share one object, which saves most of the memory of this form. */
function asDecimals(): DecimalTrade[] {
  const known = new Map<number, Decimal>();
  const shared = (value: number): Decimal => {
    const seen = known.get(value) ?? new Decimal(value);
    known.set(value, seen);
    return seen;
  };
  const made: DecimalTrade[] = [];
  history((symbol, side, quantity, price) =>
    made.push({ symbol: names[symbol] as string, side, quantity: shared(quantity), price: shared(price) }),
  );
  return made;
}

function engineRealized(columns: TradeColumns): number {
  const engine = new PnlEngine(columns, { method: "fifo" });
  engine.feed();
  return engine.lanes.reduce((sum, lane) => sum + toNumber(lane.matcher.standing().realized), 0);
}

/** The simplest matching loop: a list of lots per symbol, and the index of the oldest open lot. */
function floatRealized(given: readonly FloatTrade[]): number {
  const books = new Map<string, { lots: { quantity: number; price: number }[]; head: number }>();
  let realized = 0;
  for (const { symbol, side, quantity, price } of given) {
    let book = books.get(symbol);
    if (book === undefined) {
      book = { lots: [], head: 0 };
      books.set(symbol, book);
    }
    let left = side === "B" ? quantity : -quantity;
    while (left !== 0 && book.head < book.lots.length) {
      const lot = book.lots[book.head] as { quantity: number; price: number };
      if (lot.quantity > 0 === left > 0) break;
      const taken = Math.min(Math.abs(left), Math.abs(lot.quantity));
      realized += (price - lot.price) * (lot.quantity > 0 ? taken : -taken);
      lot.quantity += lot.quantity > 0 ? -taken : taken;
      left += left > 0 ? -taken : taken;
      if (lot.quantity === 0) book.head += 1;
    }
    if (left !== 0) book.lots.push({ quantity: left, price });
  }
  return realized;
}

function decimalRealized(given: readonly DecimalTrade[]): number {
  const books = new Map<string, { lots: { quantity: Decimal; price: Decimal }[]; head: number }>();
  let realized = new Decimal(0);
  for (const { symbol, side, quantity, price } of given) {
    let book = books.get(symbol);
    if (book === undefined) {
      book = { lots: [], head: 0 };
      books.set(symbol, book);
    }
    let left = side === "B" ? quantity : quantity.negated();
    while (!left.isZero() && book.head < book.lots.length) {
      const lot = book.lots[book.head] as { quantity: Decimal; price: Decimal };
      if (lot.quantity.isPositive() === left.isPositive()) break;
      const taken = Decimal.min(left.abs(), lot.quantity.abs());
      const signed = lot.quantity.isPositive() ? taken : taken.negated();
      realized = realized.plus(price.minus(lot.price).times(signed));
      lot.quantity = lot.quantity.minus(signed);
      left = left.plus(signed);
      if (lot.quantity.isZero()) book.head += 1;
    }
    if (!left.isZero()) book.lots.push({ quantity: left, price });
  }
  return realized.toNumber();
}

const match = ways[workerData as Way]();
const orders: Readonly<Record<Order, () => unknown>> = {
  collect: () => globalThis.gc?.(),
  run: () => {
    const startedMs = performance.now();
    const answer = match();
    return { answer, ms: performance.now() - startedMs };
  },
};
parentPort?.on("message", (order: Order) => parentPort?.postMessage(orders[order]()));
