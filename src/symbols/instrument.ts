import { type DayNumber, dateOfDay, formatDay } from "../domain/market/trading-day.ts";
import { futureName, type OptionSeries } from "./expiry-calendar.ts";
import { isQuarterly, monthNames } from "./months.ts";
import type { Product } from "./products.ts";
import { type Eighths, formatStrike } from "./strike.ts";

/**
 * A future or option, independent of the names that systems use for it. `name` is its identity: two
 * instruments are the same if and only if their names are equal. Futures are named `ZNU2025`, options
 * `ZN-2025-07-VY3-P111.250` (product, contract month, CME's root with the week, put or call, strike): sorted
 * as text, the options of a product are in the order of these parts. A name contains no expiry date, because
 * a holiday that moves the expiry does not change what was traded.
 */
export type Instrument = FutureInstrument | OptionInstrument;

export interface FutureInstrument {
  readonly kind: "future";
  readonly name: string;
  readonly product: Product;
  readonly year: number;
  readonly month: number;
  /** The last trading day; null if it is not known. */
  readonly expiry: DayNumber | null;
}

export interface OptionInstrument {
  readonly kind: "option";
  readonly name: string;
  readonly series: OptionSeries;
  readonly right: Right;
  readonly strike: Eighths;
}

export type Right = "C" | "P";

export function futureOf(
  product: Product,
  year: number,
  month: number,
  expiry: DayNumber | null,
): FutureInstrument {
  return { kind: "future", name: futureName(product, year, month), product, year, month, expiry };
}

export function optionOf(series: OptionSeries, right: Right, strike: Eighths): OptionInstrument {
  // Strikes below 100 points get leading zeros, so that text order is the order of strikes.
  const name = `${series.name}-${right}${strike < 800 ? (strike < 80 ? "00" : "0") : ""}${formatStrike(strike, ".", 3)}`;
  return { kind: "option", name, series, right, strike };
}

export const productOfInstrument = (instrument: Instrument): Product =>
  instrument.kind === "future" ? instrument.product : instrument.series.product;

/**
 * A name for people: `10-year note, Sep 2025`, `10-year note 110.75 put, 21 Jul 2025`; an option's date is
 * its expiry.
 */
export function titleOf(instrument: Instrument): string {
  if (instrument.kind === "future") {
    const { product, year, month } = instrument;
    return `${product.shortName}, ${monthTitle(month)} ${year}`;
  }
  const { series, right, strike } = instrument;
  const { year, month, date } = dateOfDay(series.expiry);
  const contract = `${series.product.shortName} ${formatStrike(strike)} ${rightNames[right]}`;
  return `${contract}, ${date} ${monthTitle(month)} ${year}`;
}

const rightNames = { C: "call", P: "put" } as const;
const monthTitle = (month: number): string => {
  const name = monthNames[month - 1] ?? "";
  return name.charAt(0) + name.slice(1).toLowerCase();
};

/**
 * The known facts of an instrument, in the form used in documents. Dates are YYYY-MM-DD, numbers decimal
 * text.
 */
export interface InstrumentFacts {
  readonly name: string;
  readonly kind: "future" | "option";
  readonly product: string;
  readonly productName: string;
  /** YYYY-MM. */
  readonly contractMonth: string;
  /** The last trading day; null if it is not known. */
  readonly expiry: string | null;
  readonly multiplier: string;
  readonly tick: string;
  readonly currency: string;
  readonly exchange: string;
  /** Options only. */
  readonly series?: "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "quarterly" | "serial";
  /** Weekly options only. */
  readonly week?: number;
  /** The expiry by the rule; present only if a holiday moved it. */
  readonly nominalExpiry?: string;
  readonly underlying?: string;
  readonly right?: "call" | "put";
  readonly strike?: string;
}

export function instrumentFacts(instrument: Instrument): InstrumentFacts {
  const product = productOfInstrument(instrument);
  const contract = instrument.kind === "future" ? instrument : instrument.series;
  const shared = {
    name: instrument.name,
    kind: instrument.kind,
    product: product.code,
    productName: product.name,
    contractMonth: `${contract.year}-${`${contract.month}`.padStart(2, "0")}`,
    expiry: contract.expiry === null ? null : formatDay(contract.expiry),
    multiplier: product.multiplier,
    tick: (instrument.kind === "option" ? product.optionTick : null) ?? product.tick,
    currency: product.currency,
    exchange: product.exchange,
  };
  if (instrument.kind === "future") return shared;
  const { series, right, strike } = instrument;
  return {
    ...shared,
    series:
      series.family === "standard"
        ? isQuarterly(series.month)
          ? "quarterly"
          : "serial"
        : dayNames[series.family],
    ...(series.week === 0 ? {} : { week: series.week }),
    ...(series.nominal === series.expiry ? {} : { nominalExpiry: formatDay(series.nominal) }),
    underlying: series.underlying,
    right: rightNames[right],
    strike: formatStrike(strike),
  };
}

const dayNames = { mon: "monday", tue: "tuesday", wed: "wednesday", thu: "thursday", fri: "friday" } as const;

/** Orders instruments as a risk report does: by product, expiry, futures before options, and name. */
export function compareInstruments(a: Instrument, b: Instrument): number {
  const [left, right] = [sortKey(a), sortKey(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function sortKey(instrument: Instrument): string {
  const { code } = productOfInstrument(instrument);
  const { expiry } = instrument.kind === "future" ? instrument : instrument.series;
  return `${code} ${expiry === null ? "9999" : formatDay(expiry)} ${instrument.kind === "future" ? 0 : 1} ${instrument.name}`;
}
