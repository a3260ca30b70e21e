import { SymbolTranslationBridge } from "../../bridges/symbols/index.ts";
import { parseInstant, wallOfInstant } from "../../domain/market/chicago-time.ts";
import { type DayNumber, dayNumber, tradingDayRules } from "../../domain/market/trading-day.ts";
import type { Describe, DescribedSymbol, PnlRequest } from "../../engine/index.ts";
import {
  dialects,
  ExpiryCalendar,
  type ExpiryOverrides,
  type Product,
  productOfInstrument,
  productOfLedgerSymbol,
  type Reading,
  readAs,
} from "../../symbols/index.ts";

/** A bridge for one run. `asOf` is the default day of lookups. */
export const symbolBridge = (
  asOf: DayNumber | undefined,
  overrides?: ExpiryOverrides,
): SymbolTranslationBridge =>
  new SymbolTranslationBridge({ asOf: asOf ?? earliest, ...(overrides === undefined ? {} : { overrides }) });

const earliest = dayNumber(2000, 1, 1);

/** Describes the symbols of a run's trades, in any dialect, as of the day of the trade. */
export const describerOf =
  (symbols: SymbolTranslationBridge): Describe =>
  (symbol, day) =>
    described(symbol, symbols.canonical(symbol, "auto", day), day);

/**
 * The name under which the trades of a symbol are kept. It equals the name for marks, except that a bare root
 * never names a traded contract.
 */
export const nameOfTraded = (symbols: SymbolTranslationBridge, symbol: string, day: DayNumber): string =>
  describerOf(symbols)(symbol, day)?.instrument ?? symbol;

/**
 * The name under which the marks of a symbol are kept: the name of its instrument, whatever the dialect, or
 * else the text itself.
 */
export function nameOfSymbol(symbols: SymbolTranslationBridge, symbol: string, day: DayNumber): string {
  const reading = symbols.canonical(symbol, "auto", day);
  return reading.ok ? reading.instrument.name : symbol;
}

/**
 * Describes a symbol of any dialect for a program that passes trades. Without an as-of day a one-digit year
 * has no meaning, so only dialects with full years are read then. A bare root is not a contract that can be
 * traded, and has no description.
 */
export function describeSymbol(symbol: string, asOf: DayNumber | undefined): DescribedSymbol | undefined {
  const [onDay, onAnyDay] = [`${asOf ?? "none"} ${symbol}`, `any ${symbol}`];
  const sameOnAnyDay = asOf === undefined ? undefined : remembered.get(onAnyDay);
  const known = sameOnAnyDay === undefined ? remembered.get(onDay) : sameOnAnyDay;
  if (known !== undefined) return known ?? undefined;
  let needsDay = asOf === undefined;
  const context = {
    calendar,
    get asOf() {
      needsDay = true;
      return asOf ?? earliest;
    },
  };
  const among = asOf === undefined ? wholeYears : Object.values(dialects);
  const found = described(symbol, readAs(symbol, among, context), asOf);
  if (symbol.length > rememberedLengthMax) return found;
  if (remembered.size >= rememberedMax) remembered.clear();
  remembered.set(needsDay ? onDay : onAnyDay, found ?? null);
  return found;
}

/**
 * A cache, since a desk asks for the same symbols with every call: by the day and the symbol, or by the
 * symbol alone if it means the same on every day. Null marks an unknown symbol.
 */
const remembered = new Map<string, DescribedSymbol | null>();
const [rememberedMax, rememberedLengthMax] = [10_000, 100];

/**
 * Describes a traded symbol from its reading. A symbol whose instrument is uncertain may still have a certain
 * product, and with it the value of a point. Undefined for a bare root, which is not a contract that can be
 * traded, and if not even the product is known.
 */
function described(
  symbol: string,
  reading: Reading,
  day: DayNumber | undefined,
): DescribedSymbol | undefined {
  if (reading.ok) {
    const { instrument, notes } = reading;
    if (notes.some(({ code }) => code === "FRONT_CONTRACT")) return undefined;
    const { expiry } = instrument.kind === "future" ? instrument : instrument.series;
    return { ...factsOf(productOfInstrument(instrument)), instrument: instrument.name, expiry, notes };
  }
  const product =
    productOfLedgerSymbol(symbol.trim()) ?? (day === undefined ? productOnAnyDay(symbol) : undefined);
  if (product === undefined) return undefined;
  const why =
    `${reading.code}: ${reading.why}; ` +
    "it is reported under its own text, and only prices with that text apply to it";
  return { ...factsOf(product), instrument: null, notes: [{ code: "UNTRANSLATED", why }] };
}

/** The product of a symbol whose decade is unknown; the value of a point does not depend on the decade. */
function productOnAnyDay(symbol: string): Product | undefined {
  const reading = readAs(symbol, [dialects.cme, dialects.bloomberg], { asOf: anyDay, calendar });
  if (!reading.ok || reading.notes.some(({ code }) => code === "FRONT_CONTRACT")) return undefined;
  return productOfInstrument(reading.instrument);
}

/** A day on which options of every weekday are listed. */
const anyDay = dayNumber(2026, 1, 5);

/** The calendar day in Chicago of a trade's time; undefined if the time cannot be read. */
export function dayOfTime(time: string | undefined): DayNumber | undefined {
  const instant = time === undefined ? undefined : parseInstant(time);
  return instant === undefined ? undefined : tradingDayRules.calendar.dayOf(wallOfInstant(instant));
}

/**
 * Describes the symbols of a request. A one-digit year is read by the time of its trade; for trades without a
 * time and for marks, by the as-of time, or else by the time of the last trade that has one.
 */
export function requestDescriber(request: PnlRequest): Describe {
  let fallback: DayNumber | undefined;
  return (symbol, day) => {
    if (day !== undefined) return describeSymbol(symbol, day);
    const { asOf, trades } = request;
    fallback ??= dayOfTime(asOf ?? trades.findLast((trade) => typeof trade?.time === "string")?.time);
    return describeSymbol(symbol, fallback);
  };
}

const wholeYears = [dialects["actant-trades"], dialects["actant-risk"], dialects.broker, dialects.canonical];
const calendar = new ExpiryCalendar();

const factsOf = ({
  multiplier,
  currency,
}: Product): { readonly multiplier: string; readonly currency: string } => ({
  multiplier,
  currency,
});
