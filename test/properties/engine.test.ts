import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  computePnl,
  type Method,
  methods,
  PnlEngine,
  type PnlRequest,
  statementOf,
  TradeColumns,
  type TradeInput,
} from "../../src/engine/index.ts";
import { equal, oracle, type Rational, read } from "../../src/testing/slow-oracle.ts";
import { isLongRun, overSeeds, runs } from "../campaigns.ts";

/** Realistic quantities and prices, and hostile ones: many decimals, huge, tiny, zero and negative prices. */
const quantityText = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 20 }).map(String) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 5000 }).map((n) => (n / 8).toString()) },
  { weight: 1, arbitrary: fc.bigInt({ min: 1n, max: 10n ** 15n }).map(String) },
  {
    weight: 1,
    arbitrary: fc.bigInt({ min: 1n, max: 10n ** 18n }).map((n) => `0.${n.toString().padStart(18, "0")}`),
  },
);
const priceText = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 109 * 64, max: 112 * 64 }).map((n) => (n / 64).toString()) },
  { weight: 1, arbitrary: fc.constantFrom("0", "0.0", "-37.63", "110.875", "1234.0") },
  { weight: 1, arbitrary: fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }).map(String) },
  {
    weight: 1,
    arbitrary: fc.bigInt({ min: 0n, max: 10n ** 20n }).map((n) => `1.${n.toString().padStart(20, "0")}`),
  },
);
const sideText = fc.constantFrom("B" as const, "S" as const);
const tradeList = (max: number) =>
  fc
    .array(fc.record({ side: sideText, quantity: quantityText, price: priceText }), {
      minLength: 1,
      maxLength: max,
    })
    .map((rows) => rows.map((row, index): TradeInput => ({ id: String(index), symbol: "A", ...row })));
const methodOf = fc.constantFrom(...methods);

const only = (request: PnlRequest) => {
  const result = computePnl(request);
  return { ...result, position: result.positions[0] as (typeof result.positions)[number] };
};
const sum = (values: readonly string[]): Rational =>
  values.map(read).reduce((a, b) => [a[0] * b[1] + b[0] * a[1], a[1] * b[1]], [0n, 1n]);
const total = ({ realized, unrealized }: { realized: string; unrealized: string | null }): Rational =>
  sum([realized, unrealized ?? "0"]);

describe("the engine against an independent oracle", () => {
  it("agrees exactly on random histories under all three methods", async () => {
    await overSeeds("histories", 1, (seed) =>
      fc.assert(
        fc.property(tradeList(24), priceText, methodOf, (trades, mark, method) => {
          const { position, matches } = only({ method, trades, marks: { A: mark } });
          const truth = oracle(method, trades, mark);
          const same = (text: string | null, value: Rational) => {
            if (position.rounded === undefined)
              expect(equal(read(text ?? "0"), value), `${text} is ${value}`).toBe(true);
          };
          same(position.quantity, truth.quantity);
          same(position.realized, truth.realized);
          same(position.unrealized, truth.unrealized);
          expect(position.lots.map((lot) => lot.tradeId)).toEqual(
            truth.lots.map((lot) => (lot.opened === null ? null : String(lot.opened))),
          );
          position.lots.forEach((lot, index) => {
            same(lot.quantity, (truth.lots[index] as (typeof truth.lots)[number]).quantity);
            same(lot.price, (truth.lots[index] as (typeof truth.lots)[number]).price);
          });
          expect(matches.length).toBe(truth.matches.length);
          matches.forEach((match, index) => {
            const expected = truth.matches[index] as (typeof truth.matches)[number];
            expect(match.closeTradeId).toBe(String(expected.closed));
            expect(match.openTradeId).toBe(expected.opened === null ? null : String(expected.opened));
            expect(equal(read(match.quantity), expected.quantity)).toBe(true);
            if (match.rounded === undefined) expect(equal(read(match.pnl), expected.pnl)).toBe(true);
          });
        }),
        { seed, numRuns: isLongRun("histories") ? 2_000 : 400 },
      ),
    );
  });
});

describe("laws of lot matching", () => {
  it("bought minus sold is the open quantity, and the traded quantity is twice the matched plus the open one", () => {
    fc.assert(
      fc.property(tradeList(40), methodOf, (trades, method) => {
        const { position, matches } = only({ method, trades });
        const signed = sum(
          trades.map((trade) => (trade.side === "B" ? trade.quantity : `-${trade.quantity}`)),
        );
        expect(equal(read(position.quantity), signed)).toBe(true);
        const open = position.quantity.replace("-", "");
        const closed = matches.map((match) => match.quantity);
        expect(equal(sum([...closed, ...closed, open]), sum(trades.map((trade) => trade.quantity)))).toBe(
          true,
        );
      }),
      { numRuns: runs(60, 500) },
    );
  });

  it("realized + unrealized is the same under every method", () => {
    fc.assert(
      fc.property(tradeList(40), priceText, (trades, mark) => {
        const answers = methods.map((method) => only({ method, trades, marks: { A: mark } }).position);
        const [fifo, ...others] = answers.filter((answer) => answer.rounded === undefined).map(total);
        for (const other of others) expect(equal(other, fifo as Rational)).toBe(true);
      }),
      { numRuns: runs(60, 500) },
    );
  });

  it("swapping buys and sells negates every figure", () => {
    const swap = (trades: readonly TradeInput[]) =>
      trades.map((trade) => ({ ...trade, side: trade.side === "B" ? ("S" as const) : ("B" as const) }));
    const negated = (text: string | null) =>
      text === null || text === "0" ? text : text.startsWith("-") ? text.slice(1) : `-${text}`;
    fc.assert(
      fc.property(tradeList(30), priceText, methodOf, (trades, mark, method) => {
        const straight = only({ method, trades, marks: { A: mark } }).position;
        const mirrored = only({ method, trades: swap(trades), marks: { A: mark } }).position;
        expect([mirrored.quantity, mirrored.realized, mirrored.unrealized]).toEqual(
          [straight.quantity, straight.realized, straight.unrealized].map(negated),
        );
        expect(mirrored.averagePrice).toBe(straight.averagePrice);
      }),
      { numRuns: runs(150, 300) },
    );
  });

  it("multiplying the prices or the quantities by k multiplies the P&L by k", () => {
    const scaled = (text: string, k: bigint): string => {
      const [numerator, denominator] = read(text);
      return decimalText(numerator * k, denominator);
    };
    fc.assert(
      fc.property(
        tradeList(20),
        priceText,
        methodOf,
        fc.bigInt({ min: 1n, max: 1_000_000n }),
        (trades, mark, method, k) => {
          const base = only({ method, trades, marks: { A: mark } }).position;
          const byPrice = only({
            method,
            trades: trades.map((t) => ({ ...t, price: scaled(t.price, k) })),
            marks: { A: scaled(mark, k) },
          }).position;
          const byQuantity = only({
            method,
            trades: trades.map((t) => ({ ...t, quantity: scaled(t.quantity, k) })),
            marks: { A: mark },
          }).position;
          for (const position of [byPrice, byQuantity]) {
            if (base.rounded || position.rounded) continue;
            for (const field of ["realized", "unrealized"] as const) {
              const [numerator, denominator] = read(base[field] ?? "0");
              expect(equal(read(position[field] ?? "0"), [numerator * k, denominator])).toBe(true);
            }
          }
        },
      ),
      { numRuns: runs(150, 300) },
    );
  });

  it("the result does not depend on the input order of trades with different times", () => {
    fc.assert(
      fc.property(tradeList(25), methodOf, fc.infiniteStream(fc.nat()), (trades, method, keys) => {
        const timed = trades.map((trade, index) => ({
          ...trade,
          time: `2025-07-24T09:30:${String(index).padStart(2, "0")}.5-05:00`,
        }));
        const shuffled = timed
          .map((trade) => ({ trade, key: keys.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ trade }) => trade);
        const rowsOf = (rows: readonly TradeInput[]) =>
          computePnl({ method, trades: rows, marks: { A: "110" } });
        expect(rowsOf(shuffled)).toEqual(rowsOf(timed));
      }),
      { numRuns: runs(150, 300) },
    );
  });
});

describe("feeding in pieces", () => {
  const row = fc.record({
    symbol: fc.constantFrom("A", "B"),
    side: sideText,
    quantity: fc.integer({ min: 1, max: 9 }),
    price: fc.integer({ min: 90, max: 110 }),
    minute: fc.integer({ min: 0, max: 400 }),
  });
  const append = (
    trades: TradeColumns,
    rows: readonly { symbol: string; side: "B" | "S"; quantity: number; price: number; minute: number }[],
  ) => {
    for (const { symbol, side, quantity, price, minute } of rows) {
      const at = trades.next();
      trades.lane[at] = trades.laneOf({ symbol, instrument: null, multiplier: "1000", currency: "USD" });
      trades.side[at] = side === "B" ? 1 : -1;
      trades.quantity.set(at, { coefficient: BigInt(quantity), scale: 0 });
      trades.price.set(at, { coefficient: BigInt(price), scale: 0 });
      trades.timeUs[at] = minute * 60e6;
      trades.day[at] = Math.floor(minute / 100);
      trades.setId(at, String(at));
      trades.commit();
    }
  };
  const answer = (engine: PnlEngine) => {
    const statement = statementOf(engine, { marks: "last_trade", asOfDay: 4, openedAt: () => true });
    return { ...statement, daily: [...statement.daily] };
  };

  it("equals feeding all at once, late trades included", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(row, { maxLength: 20 }), { maxLength: 6 }),
        methodOf,
        (batches, method: Method) => {
          const whole = new TradeColumns();
          append(whole, batches.flat());
          const atOnce = new PnlEngine(whole, { method });
          atOnce.feed();
          const pieces = new TradeColumns(2);
          const inPieces = new PnlEngine(pieces, { method });
          const newest = new Map<string, number>();
          for (const batch of batches) {
            const late = batch.filter(({ symbol, minute }) => minute < (newest.get(symbol) ?? 0)).length;
            append(pieces, batch);
            expect(
              inPieces.feed().length,
              "exactly the trades older than the newest matched ones are late",
            ).toBe(late);
            for (const { symbol, minute } of batch)
              newest.set(symbol, Math.max(newest.get(symbol) ?? 0, minute));
          }
          inPieces.audit();
          expect(answer(inPieces)).toEqual(answer(atOnce));
          expect(inPieces.lanes.map((lane) => [...lane.order])).toEqual(
            atOnce.lanes.map((lane) => [...lane.order]),
          );
        },
      ),
      { numRuns: runs(80, 1_000) },
    );
  });

  it("daily totals sum to the position's total", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 60 }), methodOf, (rows, method: Method) => {
        const trades = new TradeColumns();
        append(trades, rows);
        const engine = new PnlEngine(trades, { method });
        engine.feed();
        const { positions, daily } = answer(engine);
        for (const position of positions) {
          const days = daily.filter((day) => day.symbol === position.symbol);
          if (position.rounded || days.some((day) => day.rounded)) continue;
          expect(equal(sum(days.map((day) => day.total)), total(position))).toBe(true);
        }
      }),
      { numRuns: runs(250, 500) },
    );
  });
});

function decimalText(numerator: bigint, denominator: bigint): string {
  let places = 0;
  while ((numerator * 10n ** BigInt(places)) % denominator !== 0n) places += 1;
  const digits = ((numerator < 0n ? -numerator : numerator) * 10n ** BigInt(places)) / denominator;
  const text = digits.toString().padStart(places + 1, "0");
  return `${numerator < 0n ? "-" : ""}${text.slice(0, text.length - places)}${places > 0 ? `.${text.slice(-places)}` : ""}`;
}
