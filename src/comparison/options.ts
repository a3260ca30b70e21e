import { BridgeError } from "../base/errors.ts";
import type { Fraction } from "../base/fraction.ts";
import { absolute, isZero, maximum, multiply, parseFigure, parseFraction, zero } from "../base/fraction.ts";
import type { Side } from "../domain/migration/phase.ts";
import type { DailyRow, PositionRow } from "../ports/pnl-system.ts";
import { toleranceFrom } from "./judgement.ts";
import type { Field } from "./report.ts";
import { fields } from "./report.ts";

/** What the caller may set; whatever is left out has the default. */
export interface ComparisonOptions {
  /** By field; a field that is named here replaces that field's default as a whole. */
  readonly tolerances: Readonly<Partial<Record<Field, Tolerance>>>;
  /** Applied once, in this order, to the answers as they come in. */
  readonly conversions: readonly Conversion[];
  /** The size of one tick in the field's own unit, as decimal text. Undefined where it is not known: then ticks allow nothing. */
  readonly tickOf: (symbol: string, field: Field) => string | undefined;
}

/**
 * How far two values may be apart: the largest of the given bounds, each decimal text of 0 or more. Symmetric (relative is
 * relative to the larger of the two), and a difference of exactly the bound is within it.
 */
export interface Tolerance {
  readonly absolute?: string;
  readonly relative?: string;
  readonly ticks?: string;
}

/** A declared difference of unit or convention between the two systems. */
export interface Conversion {
  readonly system: Side;
  readonly field: Field;
  /** How the report names it. */
  readonly rule: string;
  /**
   * The converted value; the very same value where the rule does not apply to this row; null where by this convention there
   * is no value; undefined where the multiplier is not known, which makes the field not comparable.
   */
  readonly apply: (value: Fraction, row: PositionRow | DailyRow) => Fraction | null | undefined;
}

/** Tolerances from the two thresholds of the configuration: one for quantities and prices, one for P&L. Decimal text. */
export const tolerancesFrom = (thresholds: { readonly position: string; readonly pnl: string }): Record<Field, Tolerance> => ({
  quantity: { absolute: thresholds.position },
  averagePrice: { absolute: thresholds.position },
  realized: { absolute: thresholds.pnl },
  unrealized: { absolute: thresholds.pnl },
  total: { absolute: thresholds.pnl },
});

const comparisonDefaults: ComparisonOptions = Object.freeze({
  tolerances: tolerancesFrom({ position: "0.0001", pnl: "0.01" }),
  conversions: [],
  tickOf: () => undefined,
});

/** For a legacy system whose P&L is in points: the rules that make it money. Multipliers are decimal text by symbol. */
export const pointsToMoney = (multiplierOf: (symbol: string) => string | undefined): readonly Conversion[] =>
  (["realized", "unrealized", "total"] as const).map((field) => ({
    system: "legacy",
    field,
    rule: "points × multiplier",
    apply: (value, row) => {
      const multiplier = parseFraction(multiplierOf(row.symbol) ?? "");
      return multiplier && multiply(value, multiplier);
    },
  }));

/**
 * For a legacy system that reports an average price of 0 where nothing is held, while modern says there is none. Only a 0 is
 * taken for "none": any other average price of a flat position is a difference and stays one.
 */
export const flatHasNoAveragePrice: Conversion = {
  system: "legacy",
  field: "averagePrice",
  rule: "0 of a flat position is none",
  apply: (value, row) => {
    if (!isZero(value) || !("quantity" in row) || row.quantity === null) return value;
    const quantity = parseFigure(row.quantity);
    return quantity && isZero(quantity) ? null : value;
  },
};

/**
 * For a legacy system that reports an unrealized P&L of 0 on a day of which it has no price, while modern says that there is
 * none. Only a 0 is taken for "none", and only in rows of a day: what a position is worth at last must not be unknown in silence.
 */
export const unpricedDayHasNoValue = (isUnpriced: (symbol: string, tradingDay: string) => boolean): Conversion => ({
  system: "legacy",
  field: "unrealized",
  rule: "0 of a day without a price is none",
  apply: (value, row) => (isZero(value) && "tradingDay" in row && isUnpriced(row.symbol, row.tradingDay) ? null : value),
});

/** The options with every default filled in and every text read. */
export interface ResolvedOptions {
  readonly conversions: readonly Conversion[];
  /** The largest difference that is still within tolerance; never negative. */
  readonly allowed: (field: Field, symbol: string, legacy: Fraction, modern: Fraction) => Fraction;
}

/** Throws BAD_CONFIG for a name that is unknown and for a bound that is not a number of 0 or more: a misspelt tolerance must not pass for none. */
export function resolveComparisonOptions(given: Partial<ComparisonOptions>): ResolvedOptions {
  refuseUnknown("comparison option", Object.keys(given), Object.keys(comparisonDefaults));
  const options = { ...comparisonDefaults, ...given };
  refuseUnknown("field of a tolerance", Object.keys(options.tolerances), fields);
  refuseUnknown(
    "field of a conversion",
    options.conversions.map((conversion) => conversion.field),
    fields,
  );
  const byField = { ...comparisonDefaults.tolerances, ...options.tolerances };
  const bounds = new Map(fields.map((field) => [field, readTolerance(field, byField[field] ?? {})]));
  return {
    conversions: options.conversions,
    allowed: (field, symbol, legacy, modern) => {
      const { absolute: fixed = zero, relative, ticks } = bounds.get(field) ?? {};
      let allowed = fixed;
      if (relative) allowed = maximum(allowed, multiply(relative, maximum(absolute(legacy), absolute(modern))));
      if (ticks)
        allowed = maximum(allowed, multiply(ticks, absolute(parseFraction(options.tickOf(symbol, field) ?? "") ?? zero)));
      return allowed;
    },
  };
}

interface Bounds {
  absolute?: Fraction;
  relative?: Fraction;
  ticks?: Fraction;
}

const boundNames = ["absolute", "relative", "ticks"] as const;

function readTolerance(field: Field, tolerance: Tolerance): Bounds {
  refuseUnknown(`bound in the tolerance of ${field}`, Object.keys(tolerance), boundNames);
  const bounds: Bounds = {};
  for (const name of boundNames) {
    const text = tolerance[name];
    if (text === undefined) continue;
    bounds[name] = toleranceFrom(`the ${name} tolerance of ${field}`, text);
  }
  return bounds;
}

function refuseUnknown(what: string, given: readonly string[], known: readonly string[]): void {
  const unknown = given.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new BridgeError("BAD_CONFIG", {
      what: `unknown ${what}: ${JSON.stringify(unknown)}`,
      fix: `known are ${known.join(", ")}`,
    });
}
