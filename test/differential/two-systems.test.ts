import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readLedgers } from "../../src/adapters/csv/ledger-reader.ts";
import { describerOf, symbolBridge } from "../../src/app/symbols/symbols.ts";
import { fraction, multiply, parseFraction } from "../../src/base/fraction.ts";
import { tradingDayRules } from "../../src/domain/market/trading-day.ts";
import { MarkBook, methods, PnlEngine, statementOf } from "../../src/engine/index.ts";
import { hasSharedData, readShared, sharedData } from "../shared-data.ts";

const symbols = symbolBridge(undefined);
const describeSymbol = describerOf(symbols);

interface Expected {
  readonly files: readonly string[];
  readonly marks: Readonly<Record<string, number>>;
  readonly modern_with_numeric_lot_order: {
    readonly fifo: Readonly<
      Record<
        string,
        {
          position: number;
          avg_price: number;
          open_lots: number;
          realized_x1000: number;
          realizations: number;
          unrealized_simple_x1000: number;
        }
      >
    >;
  };
}

/** The multiplier of the published figures, for every contract. */
const publishedMultiplier = 1000;

describe.skipIf(!hasSharedData)(
  "the engine agrees with the desk's new module if lots are in numeric order (skipped without ../shared/data)",
  () => {
    const expected = hasSharedData ? readShared<Record<string, Expected>>("expected/two-systems.json") : {};

    it.each(Object.keys(expected))("on %s", async (name) => {
      const { files, marks, modern_with_numeric_lot_order: published } = expected[name] as Expected;
      const dayRule = tradingDayRules["chicago-17"];
      const input = await readLedgers(
        files.map((file) => join(sharedData, file)),
        { dayRule, describe: describeSymbol },
      );
      expect(input.quarantine).toEqual([]);
      const book = new MarkBook();
      for (const [symbol, price] of Object.entries(marks)) {
        const mark = {
          price: parseFraction(String(price)) as { numerator: bigint; denominator: bigint },
          kind: "given" as const,
          atUs: 0,
        };
        book.add(describeSymbol(symbol, undefined)?.instrument ?? symbol, 0, mark);
      }
      const statements = methods.map((method) => {
        const engine = new PnlEngine(input.trades, { method });
        engine.feed();
        engine.audit();
        return { engine, statement: statementOf(engine, { marks: book, asOfDay: 0, openedAt: () => false }) };
      });
      const { engine, statement } = statements[0] as (typeof statements)[number];
      expect(statement.positions.map(({ symbol }) => symbol).sort()).toEqual(
        Object.keys(published.fifo).sort(),
      );
      for (const position of statement.positions) {
        const truth = published.fifo[
          position.symbol
        ] as Expected["modern_with_numeric_lot_order"]["fifo"][string];
        const multiplier = parseFraction(position.multiplier) as { numerator: bigint; denominator: bigint };
        const points = (money: string | null): number => {
          const value = multiply(
            parseFraction(money ?? "") as typeof multiplier,
            fraction(multiplier.denominator, multiplier.numerator),
          );
          return Number(value.numerator) / Number(value.denominator);
        };
        closeTo(Number(position.quantity), truth.position);
        closeTo(position.averagePrice === null ? 0 : asNumber(position.averagePrice), truth.avg_price);
        closeTo(points(position.realized), truth.realized_x1000 / publishedMultiplier);
        closeTo(points(position.unrealized), truth.unrealized_simple_x1000 / publishedMultiplier);
        expect(position.lots.length).toBe(truth.open_lots);
        const lane = input.trades.instruments.findIndex(({ symbol }) => symbol === position.symbol);
        expect(engine.lanes[lane]?.matcher.matches.length).toBe(truth.realizations);
        expect(position.multiplier).toBe(/TU|ZT/.test(position.symbol) ? "2000" : "1000");
        expect(position.currency).toBe(position.symbol.includes("RX") ? "EUR" : "USD");
      }
      const totals = statements.map(({ statement: { totals: of } }) =>
        Object.entries(of).flatMap(([currency, sum]) => ("total" in sum ? [[currency, sum.total]] : [])),
      );
      expect(totals[1]).toEqual(totals[0]);
      expect(totals[2]).toEqual(totals[0]);
    });
  },
);

const asNumber = (text: string): number => {
  const { numerator, denominator } = parseFraction(text) as { numerator: bigint; denominator: bigint };
  return Number(numerator) / Number(denominator);
};

/**
 * Expects two numbers to differ by at most 1e-9 of the larger one, or by less than 1e-12, because floats that
 * should be zero carry rounding errors.
 */
function closeTo(ours: number, published: number): void {
  const gap = Math.abs(ours - published);
  expect(
    gap <= 1e-9 * Math.max(Math.abs(ours), Math.abs(published)) || gap < 1e-12,
    `${ours} should be ${published}, up to float errors`,
  ).toBe(true);
}
