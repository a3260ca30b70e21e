import { SymbolTranslationBridge } from "../../bridges/symbols/index.ts";
import { parseInstant, wallOfInstant } from "../../domain/market/chicago-time.ts";
import { type DayNumber, dayNumber, tradingDayRules } from "../../domain/market/trading-day.ts";
import type { DescribedSymbol } from "../../ports/ledger.ts";
import {
  dialects,
  ExpiryCalendar,
  type ExpiryOverrides,
  type Instrument,
  type Product,
  productOfInstrument,
  productOfLedgerSymbol,
  readAs,
} from "../../symbols/index.ts";

/** A bridge for one run. Ledger symbols carry whole dates, so the day matters only to what else is asked. */
export const symbolBridge = (asOf: DayNumber | undefined, overrides?: ExpiryOverrides): SymbolTranslationBridge =>
  new SymbolTranslationBridge({ asOf: asOf ?? earliest, ...(overrides === undefined ? {} : { overrides }) });

const earliest = dayNumber(2000, 1, 1);

/**
 * What the tables say of a symbol of the trade ledgers. One that names no instrument for certain may still name a product, and
 * with it what a point is worth. Undefined where not even that is known.
 */
export function describeLedgerSymbol(symbols: SymbolTranslationBridge, symbol: string): DescribedSymbol | undefined {
  const reading = symbols.canonical(symbol, "actant-trades");
  if (reading.ok) return described(reading.instrument, reading.notes);
  const product = productOfLedgerSymbol(symbol.trim());
  if (product === undefined) return undefined;
  const why = `${reading.code}: ${reading.why}; it stays under its own text, and prices join it by that text only`;
  return { ...factsOf(product), instrument: null, notes: [{ code: "UNTRANSLATED", why }] };
}

/** The name under which marks are kept: that of the instrument, in whatever dialect it is written, or else the text itself. */
export function nameOfSymbol(symbols: SymbolTranslationBridge, symbol: string, day: DayNumber): string {
  const reading = symbols.canonical(symbol, "auto", day);
  return reading.ok ? reading.instrument.name : symbol;
}

/**
 * What is known of a symbol of any dialect, for a program that hands in trades. Without an as-of time a one-digit year means
 * nothing, so only dialects with whole years are read then. A bare root is no contract that anybody could have traded.
 */
export function describeSymbol(symbol: string, asOf: DayNumber | undefined): DescribedSymbol | undefined {
  const key = `${asOf ?? ""} ${symbol}`;
  const known = remembered.get(key);
  if (known !== undefined) return known ?? undefined;
  const found = describeAnew(symbol, asOf);
  if (symbol.length > rememberedLengthMax) return found;
  if (remembered.size >= rememberedMax) remembered.clear();
  remembered.set(key, found ?? null);
  return found;
}

/** A desk asks for the same symbols all day, with every call. Null is what is not known. */
const remembered = new Map<string, DescribedSymbol | null>();
const [rememberedMax, rememberedLengthMax] = [10_000, 100];

function describeAnew(symbol: string, asOf: DayNumber | undefined): DescribedSymbol | undefined {
  const among = asOf === undefined ? wholeYears : Object.values(dialects);
  const reading = readAs(symbol, among, { asOf: asOf ?? earliest, calendar });
  if (reading.ok) return reading.notes.some(({ code }) => code === "FRONT_CONTRACT") ? undefined : described(reading.instrument);
  const product = productOfLedgerSymbol(symbol.trim()) ?? (asOf === undefined ? productOnAnyDay(symbol) : undefined);
  return product && { ...factsOf(product), instrument: null };
}

/** The product of a symbol that does not say which decade it is of: what a point is worth does not depend on it. */
function productOnAnyDay(symbol: string): Product | undefined {
  const reading = readAs(symbol, [dialects.cme, dialects.bloomberg], { asOf: anyDay, calendar });
  if (!reading.ok || reading.notes.some(({ code }) => code === "FRONT_CONTRACT")) return undefined;
  return productOfInstrument(reading.instrument);
}

/** A day on which options of every weekday are listed. */
const anyDay = dayNumber(2026, 1, 5);

/** The calendar day in Chicago of a time as trades carry it; undefined where it does not read. */
export function dayOfTime(time: string | undefined): DayNumber | undefined {
  const instant = time === undefined ? undefined : parseInstant(time);
  return instant === undefined ? undefined : tradingDayRules.calendar.dayOf(wallOfInstant(instant));
}

const wholeYears = [dialects["actant-trades"], dialects["actant-risk"], dialects.broker, dialects.canonical];
const calendar = new ExpiryCalendar();

const described = (instrument: Instrument, notes: DescribedSymbol["notes"] = []): DescribedSymbol => ({
  ...factsOf(productOfInstrument(instrument)),
  instrument: instrument.name,
  notes,
});

const factsOf = ({ multiplier, currency }: Product): { readonly multiplier: string; readonly currency: string } => ({
  multiplier,
  currency,
});
