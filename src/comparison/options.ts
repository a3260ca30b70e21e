import { BridgeError } from "../base/errors.ts";
import type { Fraction } from "../base/fraction.ts";
import { absolute, isZero, maximum, multiply, parseFigure, parseFraction, zero } from "../base/fraction.ts";
import type { Side } from "../domain/migration/phase.ts";
import type { DailyRow, PositionRow } from "../ports/pnl-system.ts";
import { toleranceFrom } from "./judgement.ts";
import type { Field } from "./report.ts";
import { fields } from "./report.ts";

/** The options of a comparison; omitted ones have their defaults. */
export interface ComparisonOptions {
  /** Tolerances by field; each replaces the default of its field as a whole. */
  readonly tolerances: Readonly<Partial<Record<Field, Tolerance>>>;
  /** Conversions, applied once and in this order to the incoming answers. */
  readonly conversions: readonly Conversion[];
  /**
   * The size of one tick in the unit of the field, as decimal text. If it is undefined, a tolerance in ticks
   * allows nothing.
   */
  readonly tickOf: (symbol: string, field: Field) => string | undefined;
}

/**
 * The largest allowed difference of two values: the maximum of the given bounds, each decimal text of 0 or
 * more. Symmetric (`relative` refers to the larger of the two); a difference equal to the bound is within it.
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
  /** The name of the rule in the report. */
  readonly rule: string;
  /**
   * Returns the converted value; the same value if the rule does not apply to this row; null if the
   * convention means that there is no value; undefined if the multiplier is unknown, which makes the field
   * not comparable.
   */
  readonly apply: (value: Fraction, row: PositionRow | DailyRow) => Fraction | null | undefined;
}

/**
 * Tolerances from the two thresholds of the configuration: one for quantities and prices, one for P&L.
 * Decimal text.
 */
export const tolerancesFrom = (thresholds: {
  readonly position: string;
  readonly pnl: string;
}): Record<Field, Tolerance> => ({
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

/**
 * Conversions of P&L from points into money, for a legacy system that reports points. Multipliers are decimal
 * text by symbol.
 */
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
 * Conversion for a legacy system that reports an average price of 0 for a flat position, where modern reports
 * none. Only a 0 counts as none: any other average price of a flat position remains a difference.
 */
export const flatHasNoAveragePrice: Conversion = {
  system: "legacy",
  field: "averagePrice",
  rule: "0 counts as no value if the position is flat",
  apply: (value, row) => {
    if (!isZero(value) || !("quantity" in row) || row.quantity === null) return value;
    const quantity = parseFigure(row.quantity);
    return quantity && isZero(quantity) ? null : value;
  },
};

/**
 * Conversion for a legacy system that reports an unrealized P&L of 0 on a day without a price, where modern
 * reports none. Only a 0 counts as none, and only in daily rows: an unknown value of a final position must
 * not be hidden.
 */
export const unpricedDayHasNoValue = (
  isUnpriced: (symbol: string, tradingDay: string) => boolean,
): Conversion => ({
  system: "legacy",
  field: "unrealized",
  rule: "0 counts as no value on a day without a price",
  apply: (value, row) =>
    isZero(value) && "tradingDay" in row && isUnpriced(row.symbol, row.tradingDay) ? null : value,
});

/** The options with all defaults filled in and all texts parsed. */
export interface ResolvedOptions {
  readonly conversions: readonly Conversion[];
  /** The largest difference that is within tolerance; never negative. */
  readonly allowed: (field: Field, symbol: string, legacy: Fraction, modern: Fraction) => Fraction;
}

/**
 * Fills in the defaults. Throws BAD_CONFIG for an unknown name and for a bound that is not a number of 0 or
 * more, so that a misspelt tolerance is not ignored.
 */
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
      if (relative)
        allowed = maximum(allowed, multiply(relative, maximum(absolute(legacy), absolute(modern))));
      if (ticks)
        allowed = maximum(
          allowed,
          multiply(ticks, absolute(parseFraction(options.tickOf(symbol, field) ?? "") ?? zero)),
        );
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
      fix: `use one of ${known.join(", ")}`,
    });
}
