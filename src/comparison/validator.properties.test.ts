import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatFraction, fraction, parseFraction, subtract } from "../base/fraction.ts";
import type { DailyRow, PositionRow } from "../ports/pnl-system.ts";
import type { ComparisonRow, SystemAnswer } from "./index.ts";
import { PnLComparisonValidator } from "./index.ts";

const validator = new PnLComparisonValidator();

/** Decimals of up to 24 digits, and sometimes a fraction without a finite decimal. */
const number = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.bigInt(-(10n ** 24n), 10n ** 24n), fc.nat(12))
      .map(([n, scale]) => formatFraction(fraction(n, 10n ** BigInt(scale))).text),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.bigInt(-1000n, 1000n), fc.bigInt(1n, 999n))
      .map(([n, d]) => formatFraction(fraction(n, d)).text),
  },
);
const figure = fc.oneof({ weight: 5, arbitrary: number }, { weight: 1, arbitrary: fc.constant(null) });
const symbol = fc.constantFrom("ZN", "ZT", "TYWN25P4 109.750 Comdty", "VY3/111", '"', "");
const book = fc.option(fc.constantFrom("UST", ""), { nil: undefined });
const keyed = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc
    .tuple(book, symbol, arbitrary)
    .map(([b, s, rest]) => ({ ...(b === undefined ? {} : { book: b }), symbol: s, ...rest }));
const position: fc.Arbitrary<PositionRow> = keyed(
  fc.record({ quantity: figure, averagePrice: figure, realized: figure, unrealized: figure }),
);
const daily: fc.Arbitrary<DailyRow> = keyed(
  fc.record({
    tradingDay: fc.constantFrom("2025-07-24", "2025-07-25"),
    realized: figure,
    unrealized: figure,
    total: figure,
  }),
);
const positionKey = (row: PositionRow): string => JSON.stringify([row.book, row.symbol]);
const dailyKey = (row: DailyRow): string => JSON.stringify([row.book, row.symbol, row.tradingDay]);
const answerOf = (
  positions: fc.Arbitrary<PositionRow[]>,
  days: fc.Arbitrary<DailyRow[]>,
): fc.Arbitrary<SystemAnswer> =>
  fc.record({
    system: fc.constant("desk"),
    dayRule: fc.constantFrom("calendar", "chicago-17"),
    positions,
    daily: days,
    errors: fc.constant([]),
  });
/** Every key once, as in the answer of a correct system. */
const answer = answerOf(
  fc.uniqueArray(position, { selector: positionKey }),
  fc.uniqueArray(daily, { selector: dailyKey }),
);
/** Any rows, also with duplicated keys and with text instead of numbers. */
const hostile = answerOf(
  fc.array(
    fc
      .tuple(position, fc.constantFrom("awaiting data", "NaN", "1"))
      .map(([row, text]) => (text === "1" ? row : { ...row, realized: text })),
  ),
  fc.array(daily),
);

const negated = (text: string | null): string | null =>
  text && formatFraction(subtract(fraction(0n), parseFraction(text) ?? fraction(0n))).text;

describe("a comparison, for all answers", () => {
  it("is reflexive", () => {
    fc.assert(
      fc.property(answer, (given) => {
        const report = validator.compare(given, structuredClone(given));
        expect(report.ok).toBe(report.compared > 0);
        expect(report.verdicts.equal).toBe(4 * given.positions.length + 3 * given.daily.length);
        expect(report.compared).toBe(report.verdicts.equal);
      }),
    );
  });

  it("is symmetric: swapped sides keep every verdict and negate every difference and drift", () => {
    const swappedCause = (row: ComparisonRow) =>
      row.cause?.replace(/_IN_(LEGACY|MODERN)$/, (_, side) =>
        side === "LEGACY" ? "_IN_MODERN" : "_IN_LEGACY",
      ) ?? null;
    fc.assert(
      fc.property(hostile, hostile, (a, b) => {
        const [forth, back] = [validator.compare(a, b), validator.compare(b, a)];
        expect(
          back.rows.map((row) => [row.key, row.field, row.verdict, row.cause, row.tolerance, row.difference]),
        ).toEqual(
          forth.rows.map((row) => [
            row.key,
            row.field,
            row.verdict,
            swappedCause(row),
            row.tolerance,
            negated(row.difference),
          ]),
        );
        expect(Object.values(back.drift)).toEqual(Object.values(forth.drift).map(negated));
        expect(back.ok).toBe(forth.ok);
      }),
    );
  });

  it("has counts that agree with its rows for any input", () => {
    fc.assert(
      fc.property(hostile, hostile, (a, b) => {
        const report = validator.compare(a, b);
        const counted = Object.values(report.verdicts).reduce((sum, count) => sum + count, 0);
        expect([report.compared, counted]).toEqual([report.rows.length, report.rows.length]);
        const agree = report.rows.every(
          (row) => row.verdict === "equal" || row.verdict === "within_tolerance",
        );
        expect(report.ok).toBe(report.rows.length > 0 && agree);
      }),
    );
  });

  it("does not depend on the order of the rows", () => {
    const shuffled = (given: SystemAnswer) =>
      fc
        .tuple(
          fc.shuffledSubarray([...given.positions], { minLength: given.positions.length }),
          fc.shuffledSubarray([...given.daily], { minLength: given.daily.length }),
        )
        .map(([positions, days]) => ({ ...given, positions, daily: days }));
    const pairs = fc
      .tuple(hostile, hostile)
      .chain(([a, b]) => fc.tuple(fc.constant([a, b] as const), shuffled(a), shuffled(b)));
    fc.assert(
      fc.property(pairs, ([[a, b], x, y]) => {
        expect(validator.compare(x, y)).toEqual(validator.compare(a, b));
      }),
    );
  });

  it("has an exact boundary: a difference equal to the tolerance is within it, any larger one is not", () => {
    fc.assert(
      fc.property(number, fc.bigInt(1n, 10n ** 30n), fc.boolean(), (text, hairDenominator, up) => {
        const at = parseFraction(text) ?? fraction(0n);
        const cent = fraction(up ? 1n : -1n, 100n);
        const hair = fraction(up ? 1n : -1n, hairDenominator);
        const on = (value: string): PositionRow => ({
          symbol: "ZN",
          quantity: "1",
          averagePrice: null,
          realized: value,
          unrealized: null,
        });
        const verdictAt = (value: ReturnType<typeof fraction>) => {
          const modern = `${value.numerator}/${value.denominator}`;
          const given = { system: "desk", dayRule: "calendar", daily: [], errors: [] };
          return validator.compare({ ...given, positions: [on(text)] }, { ...given, positions: [on(modern)] })
            .rows[2]?.verdict;
        };
        expect(verdictAt(subtract(at, cent))).toBe("within_tolerance");
        expect(verdictAt(subtract(subtract(at, cent), hair))).toBe("diverged");
      }),
    );
  });

  it("catches a mutated copy, at the place of the mutation", () => {
    const mutated = answer
      .filter((given) => given.positions.length > 0)
      .chain((given) =>
        fc.tuple(
          fc.constant(given),
          fc.nat(given.positions.length - 1),
          fc.constantFrom("shift", "drop", "double", "none", "text"),
          fc.constantFrom("quantity", "averagePrice", "realized", "unrealized"),
        ),
      );
    fc.assert(
      fc.property(mutated, ([given, index, mutation, field]) => {
        const row = given.positions[index] as PositionRow;
        const before = row[field as keyof PositionRow] ?? null;
        const value = before === null ? undefined : parseFraction(before);
        const replaced = (text: string | null) =>
          given.positions.map((one, at) => (at === index ? { ...one, [field]: text } : one));
        const shifted = value && subtract(value, fraction(1n, 90n));
        const positions = {
          shift: replaced(shifted ? `${shifted.numerator}/${shifted.denominator}` : "1"),
          drop: given.positions.filter((_, at) => at !== index),
          double: [...given.positions, row],
          none: replaced(value ? null : "1"),
          text: replaced("awaiting data"),
        }[mutation] as readonly PositionRow[];
        const report = validator.compare(given, { ...given, positions });
        expect(report.ok).toBe(false);
        const findings = report.rows.filter((one) => one.verdict !== "equal");
        expect(findings).toHaveLength(1);
        expect(findings[0]).toMatchObject({
          kind: "position",
          field: mutation === "drop" || mutation === "double" ? "row" : field,
        });
        expect(findings[0]?.key.symbol).toBe(row.symbol);
      }),
    );
  });
});
