import type { SymbolRefusalCode } from "../../domain/market/finding-codes.ts";
import { type DayNumber, dateOfDay, formatDay, parseDay } from "../../domain/market/trading-day.ts";
import type { NotedTranslation, TranslationLog } from "../../ports/translation-log.ts";
import {
  type Detected,
  type DialectName,
  dialectNames,
  ExpiryCalendar,
  type ExpiryOverrides,
  type Instrument,
  nearestSymbols,
  type Printing,
  printSymbol,
  type Read,
  type Refused,
  readSymbol,
  type Source,
  type SymbolContext,
  type SymbolNote,
  symbolLengthMax,
  tableVersion,
} from "../../symbols/index.ts";
import { ownText, ReadingCache } from "./reading-cache.ts";

export interface SymbolBridgeOptions {
  /**
   * The default as-of day, which decides the decade of one-digit years and the contract of bare roots:
   * YYYY-MM-DD, or days since 1970.
   */
  readonly asOf: string | DayNumber;
  /** The desk's own expiries. */
  readonly overrides?: ExpiryOverrides;
  /** Receives translations that carry a note. Without it, `noted` keeps the latest ones, at most 1 000. */
  readonly log?: TranslationLog;
  /** The largest number of cached readings for each dialect and as-of month. Default 65 536. */
  readonly cacheMax?: number;
  /** The largest number of refused symbols in quarantine; further ones are only counted. Default 1 000. */
  readonly quarantineMax?: number;
}

/** A refused symbol in quarantine. */
export interface QuarantinedSymbol {
  /** Cut to the length of the longest symbol. */
  readonly symbol: string;
  readonly source: Source;
  readonly code: SymbolRefusalCode;
  readonly why: string;
  /** The number of calls that were refused for it. */
  readonly count: number;
  /** Symbols that may have been meant. Computed on first access, in some milliseconds. */
  readonly nearest: readonly string[];
}

/** The result of one translation, as commands and HTTP return it. */
export type Translation = Translated | Untranslated;

export interface Translated {
  readonly input: string;
  readonly detected: DialectName;
  readonly canonical: string;
  readonly output: string;
  readonly ok: true;
  readonly notes: readonly SymbolNote[];
}

export interface Untranslated {
  readonly input: string;
  /** Present if the text was read and only the target dialect cannot express it. */
  readonly detected?: DialectName;
  readonly canonical?: string;
  readonly ok: false;
  readonly error: {
    readonly code: SymbolRefusalCode;
    readonly why: string;
    readonly nearest: readonly string[];
    readonly candidates?: readonly string[];
    readonly lost?: readonly string[];
  };
}

/** Every name of an instrument: for each dialect its text, or the reason why it has none. */
export interface Variants {
  readonly instrument: Instrument;
  readonly detected: DialectName;
  readonly notes: readonly SymbolNote[];
  readonly texts: Readonly<Record<DialectName, Printing>>;
}

/** Counts of calls, including those answered from the cache. */
export interface SymbolCounters {
  readonly translated: number;
  /** The calls in `translated` that carried a note. */
  readonly noted: number;
  /** The refused calls, by code. */
  readonly refused: Readonly<Partial<Record<SymbolRefusalCode, number>>>;
  /** Shadow calls that could not be compared. */
  readonly notComparable: number;
  /** Translations with a note that the log failed to record. */
  readonly unlogged: number;
}

/**
 * Translates symbols from any dialect to the canonical instrument, and back. Nothing is guessed: a text with
 * two meanings is refused. A refused text is counted, kept in quarantine, and never becomes another
 * instrument.
 *
 * Readings are cached by dialect and as-of month, on which alone they depend, so a repeated text costs one
 * look-up. A translation with a note is logged when it is read, not each time it is found in the cache.
 *
 * ```ts
 * const symbols = new SymbolTranslationBridge({ asOf: "2025-07-24" });
 * symbols.translate("XCMEOPADPS20250721N0VY3/110.25", "actant-trades", "bloomberg").output;
 * // "VBYN25P3 110.250 Comdty"
 * ```
 */
export class SymbolTranslationBridge {
  readonly calendar: ExpiryCalendar;
  readonly #asOf: DayNumber;
  readonly #overrides: ExpiryOverrides;
  readonly #log: TranslationLog;
  readonly #noted: NotedTranslation[] = [];
  readonly #cacheMax: number;
  readonly #quarantineMax: number;
  readonly #caches = new Map<string, ReadingCache<Detected>>();
  /** The cache that was used last and its key; nearly every call uses the same one. */
  #last: {
    readonly source: Source;
    readonly asOf: DayNumber;
    readonly cache: ReadingCache<Detected>;
    readonly context: SymbolContext;
  };
  readonly #quarantine = new Map<string, Kept>();
  #beyondQuarantine = 0;
  #translated = 0;
  #withNotes = 0;
  #notComparable = 0;
  #unlogged = 0;
  readonly #printedNotes = new ReadingCache<true>(notedMax);
  readonly #refusals = new Map<SymbolRefusalCode, number>();
  #tables: string | undefined;

  /** Throws TypeError for an as-of that is not a day. */
  constructor(options: SymbolBridgeOptions) {
    this.#asOf = dayOf(options.asOf);
    this.#overrides = options.overrides ?? new Map();
    this.calendar = new ExpiryCalendar(this.#overrides);
    this.#log = options.log ?? { record: (translation) => this.#remember(translation) };
    this.#cacheMax = options.cacheMax ?? 65_536;
    this.#quarantineMax = options.quarantineMax ?? 1_000;
    this.#last = this.#cacheOf("auto", this.#asOf);
  }

  /** Returns the instrument that a text means, with notes, or the refusal. Never throws for any text. */
  canonical(symbol: string, source: Source = "auto", asOf?: string | DayNumber): Detected {
    const found = this.#foundFor(source, asOf);
    const reading = this.#reading(symbol, source, found);
    if (reading.ok) this.#countTranslated(reading.notes.length);
    else this.#countRefused(symbol, source, reading, found.context);
    return reading;
  }

  /** Translates a text from one dialect to another. */
  translate(symbol: string, source: Source, target: DialectName, asOf?: string | DayNumber): Translation {
    const found = this.#foundFor(source, asOf);
    const reading = this.#reading(symbol, source, found);
    const input = shownOf(symbol);
    if (!reading.ok) {
      this.#countRefused(symbol, source, reading, found.context);
      return { input, ok: false, error: this.#errorOf(symbol, source, reading, asOf) };
    }
    const { dialect: detected, instrument, notes } = reading;
    const printing = printSymbol(instrument, target, found.context);
    if (!printing.ok) {
      this.#countRefused(symbol, source, { ...printing, nearest: [] }, found.context);
      return {
        input,
        detected,
        canonical: instrument.name,
        ok: false,
        error: { ...errorOf(printing), nearest: [] },
      };
    }
    this.#countTranslated(notes.length + printing.notes.length);
    if (printing.notes.length > 0 && this.#isFirstPrinted(target, symbol))
      this.#record(symbol, source, { ...reading, notes: printing.notes }, found.context);
    return {
      input,
      detected,
      canonical: instrument.name,
      output: printing.text,
      ok: true,
      notes: [...notes, ...printing.notes],
    };
  }

  /** Returns an instrument's name in a dialect, or the reason why the dialect cannot express it. */
  print(instrument: Instrument, target: DialectName, asOf?: string | DayNumber): Printing {
    return printSymbol(instrument, target, {
      asOf: asOf === undefined ? this.#asOf : dayOf(asOf),
      calendar: this.calendar,
    });
  }

  /** Returns every name of the instrument that a text means. */
  variants(symbol: string, source: Source = "auto", asOf?: string | DayNumber): Variants | Untranslated {
    const reading = this.canonical(symbol, source, asOf);
    if (!reading.ok)
      return { input: shownOf(symbol), ok: false, error: this.#errorOf(symbol, source, reading, asOf) };
    const { instrument, notes, dialect } = reading;
    const texts = Object.fromEntries(
      dialectNames.map((target) => [target, this.print(instrument, target, asOf)]),
    );
    return { instrument, detected: dialect, notes, texts: texts as Variants["texts"] };
  }

  /** Reads the symbol of a record to be written. A refused symbol stops the write and is quarantined. */
  forWrite(
    symbol: string,
    source: Source,
    asOf?: string | DayNumber,
  ): Read | { readonly ok: false; readonly kind: "stopped"; readonly refusal: Refused } {
    const reading = this.canonical(symbol, source, asOf);
    return reading.ok ? reading : { ok: false, kind: "stopped", refusal: reading };
  }

  /** Reads the symbol of a shadow comparison. The comparison of a refused symbol counts as not comparable. */
  forShadow(
    symbol: string,
    source: Source,
    asOf?: string | DayNumber,
  ): Read | { readonly ok: false; readonly kind: "not_comparable"; readonly refusal: Refused } {
    const reading = this.canonical(symbol, source, asOf);
    if (reading.ok) return reading;
    this.#notComparable += 1;
    return { ok: false, kind: "not_comparable", refusal: reading };
  }

  /** The version and the hash of all tables on which translations depend. */
  get tables(): string {
    this.#tables ??= tableVersion(this.#overrides);
    return this.#tables;
  }

  get counters(): SymbolCounters {
    return {
      translated: this.#translated,
      noted: this.#withNotes,
      refused: Object.fromEntries(this.#refusals),
      notComparable: this.#notComparable,
      unlogged: this.#unlogged,
    };
  }

  /** Each refused symbol once, in order of arrival; `more` counts the calls beyond `quarantineMax`. */
  get quarantine(): { readonly symbols: readonly QuarantinedSymbol[]; readonly more: number } {
    return { symbols: [...this.#quarantine.values()], more: this.#beyondQuarantine };
  }

  /** The latest translations with a note, if the options name no log. */
  get noted(): readonly NotedTranslation[] {
    return this.#noted;
  }

  #foundFor(source: Source, asOf: string | DayNumber | undefined): Found {
    const day = asOf === undefined ? this.#asOf : dayOf(asOf);
    return this.#last.source === source && this.#last.asOf === day ? this.#last : this.#cacheOf(source, day);
  }

  #reading(symbol: string, source: Source, { context, cache }: Found): Detected {
    if (symbol.length > symbolLengthMax) return readSymbol(symbol, source, context);
    const known = cache.get(symbol);
    if (known !== undefined) return known;
    const read = readSymbol(symbol, source, context);
    // Readings without notes share one list, which saves memory.
    const reading = read.ok && read.notes.length === 0 ? { ...read, notes: noNotes } : read;
    cache.set(symbol, reading);
    if (reading.ok && reading.notes.length > 0) this.#record(symbol, source, reading, context);
    return reading;
  }

  #cacheOf(source: Source, asOf: DayNumber): Found {
    const { year, month } = dateOfDay(asOf);
    const key = `${source} ${year}-${month}`;
    let cache = this.#caches.get(key);
    if (cache === undefined) {
      const [oldest] = this.#caches.keys();
      if (this.#caches.size >= cachesMax && oldest !== undefined) this.#caches.delete(oldest);
      cache = new ReadingCache(Math.ceil(this.#cacheMax / 2));
      this.#caches.set(key, cache);
    }
    this.#last = { source, asOf, cache, context: { asOf, calendar: this.calendar } };
    return this.#last;
  }

  #countTranslated(notes: number): void {
    this.#translated += 1;
    if (notes > 0) this.#withNotes += 1;
  }

  #countRefused(symbol: string, source: Source, refusal: Refused, context: SymbolContext): void {
    this.#refusals.set(refusal.code, (this.#refusals.get(refusal.code) ?? 0) + 1);
    const shown = shownOf(symbol);
    const known = this.#quarantine.get(`${source} ${shown}`);
    if (known !== undefined) known.count += 1;
    else if (this.#quarantine.size < this.#quarantineMax) {
      const kept = new Kept(ownText(shown), source, refusal, context);
      this.#quarantine.set(`${source} ${kept.symbol}`, kept);
    } else this.#beyondQuarantine += 1;
  }

  #errorOf(
    symbol: string,
    source: Source,
    refusal: Refused,
    asOf: string | DayNumber | undefined,
  ): Untranslated["error"] {
    const context = { asOf: asOf === undefined ? this.#asOf : dayOf(asOf), calendar: this.calendar };
    return { ...errorOf(refusal), nearest: nearestOf(symbol, source, refusal, context) };
  }

  /** Whether an output with notes has not been logged yet, as far as the cache remembers. */
  #isFirstPrinted(target: DialectName, symbol: string): boolean {
    const key = `${target} ${symbol}`;
    if (this.#printedNotes.get(key) !== undefined) return false;
    this.#printedNotes.set(key, true);
    return true;
  }

  /** A failing log loses its entry and never fails the translation. */
  #record(
    symbol: string,
    source: Source,
    { dialect, instrument, notes }: Read & Detected,
    { asOf }: SymbolContext,
  ): void {
    try {
      this.#log.record({
        symbol: ownText(symbol),
        source,
        dialect: dialect ?? "",
        instrument: instrument.name,
        notes,
        asOf: formatDay(asOf),
        tables: this.tables,
      });
    } catch {
      this.#unlogged += 1;
    }
  }

  #remember(translation: NotedTranslation): void {
    this.#noted.push(translation);
    if (this.#noted.length > notedMax) this.#noted.splice(0, notedMax / 2);
  }
}

type Found = {
  readonly cache: ReadingCache<Detected>;
  readonly context: SymbolContext;
  readonly source: Source;
  readonly asOf: DayNumber;
};

const noNotes = Object.freeze([] as const);

/** The largest number of caches, one for each dialect and as-of month. */
const cachesMax = 32;
const notedMax = 1_000;

class Kept implements QuarantinedSymbol {
  readonly symbol: string;
  readonly source: Source;
  readonly code: SymbolRefusalCode;
  readonly why: string;
  count = 1;
  readonly #refusal: Refused;
  readonly #context: SymbolContext;
  #nearest: readonly string[] | undefined;

  constructor(symbol: string, source: Source, refusal: Refused, context: SymbolContext) {
    this.symbol = symbol;
    this.source = source;
    this.code = refusal.code;
    this.why = refusal.why;
    this.#refusal = refusal;
    this.#context = context;
  }

  get nearest(): readonly string[] {
    this.#nearest ??= nearestOf(this.symbol, this.source, this.#refusal, this.#context);
    return this.#nearest;
  }

  toJSON(): QuarantinedSymbol {
    const { symbol, source, code, why, count, nearest } = this;
    return { symbol, source, code, why, count, nearest };
  }
}

/** Cuts a text to the length of the longest symbol, for answers and the quarantine. */
const shownOf = (symbol: string): string =>
  symbol.length > symbolLengthMax ? `${symbol.slice(0, symbolLengthMax)}…` : symbol;

const nearestOf = (
  symbol: string,
  source: Source,
  refusal: Refused,
  context: SymbolContext,
): readonly string[] => refusal.nearest ?? nearestSymbols(symbol, source, context);

function errorOf({ code, why, candidates, lost }: Refused): Omit<Untranslated["error"], "nearest"> {
  return {
    code,
    why,
    ...(candidates === undefined ? {} : { candidates }),
    ...(lost === undefined ? {} : { lost }),
  };
}

function dayOf(asOf: string | DayNumber): DayNumber {
  const day = typeof asOf === "string" ? parseDay(asOf) : asOf;
  if (day === undefined || !Number.isInteger(day))
    throw new TypeError(`the as-of must be a day such as 2025-07-24, not ${JSON.stringify(asOf)}`);
  return day;
}
