import type { Fraction } from "../base/fraction.ts";

/**
 * The kinds of a mark: the running price, a day's closing price, its opening value (the settlement of the day
 * before), its settlement (the opening value of the next day), the price of the last trade, or a price that
 * the caller gave.
 */
export const markKinds = ["now", "close", "sod_today", "sod_tomorrow", "last_trade", "given"] as const;
export type MarkKind = (typeof markKinds)[number];

/** A price used to value open lots, and its time (microseconds UTC). */
export interface Mark {
  readonly price: Fraction;
  readonly kind: MarkKind;
  readonly atUs: number;
}

/**
 * Marks by name (canonical instrument, or the symbol of the source) and trading day; the latest of a day
 * counts. A mark is never carried over from another day, and a missing mark is never taken as zero.
 */
export class MarkBook {
  readonly #byName = new Map<string, Map<number, Mark>>();
  readonly #days: Set<number>;
  readonly #base: MarkBook | undefined;

  /** `base` supplies the marks that this book lacks; it must not change afterwards. */
  constructor(base?: MarkBook) {
    this.#base = base;
    this.#days = new Set(base?.days);
  }

  add(name: string, day: number, mark: Mark): void {
    let days = this.#byName.get(name);
    if (days === undefined) {
      days = new Map();
      this.#byName.set(name, days);
    }
    const known = days.get(day);
    if (known === undefined || known.atUs <= mark.atUs) days.set(day, mark);
    this.#days.add(day);
  }

  on(
    instrument: { readonly instrument: string | null; readonly symbol: string },
    day: number,
  ): Mark | undefined {
    const byInstrument =
      instrument.instrument === null ? undefined : this.#byName.get(instrument.instrument)?.get(day);
    const bySymbol = this.#byName.get(instrument.symbol)?.get(day);
    if (byInstrument === undefined || bySymbol === undefined)
      return byInstrument ?? bySymbol ?? this.#base?.on(instrument, day);
    return byInstrument.atUs > bySymbol.atUs ? byInstrument : bySymbol;
  }

  /** Every trading day that has a mark. */
  get days(): ReadonlySet<number> {
    return this.#days;
  }
}
