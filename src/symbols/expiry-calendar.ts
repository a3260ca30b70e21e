import {
  businessDayBefore,
  type DayNumber,
  dateOfDay,
  dayNumber,
  isBusinessDay,
  nextBusinessDay,
  weekday,
} from "../domain/market/trading-day.ts";
import { isQuarterly, letterOfMonth, monthIndex, monthOfIndex, quarterFrom, yearOfIndex } from "./months.ts";
import type { Product } from "./products.ts";
import { cmeTable, type Family, firstExpiryOf, type Weekly } from "./series-codes.ts";

/** Years that symbols can name: a year of two digits is in this century. */
export const firstYear = 2000;
export const lastYear = 2099;

/**
 * The parts that name a series: product, family, contract month, and the week in it (0 for a standard
 * series).
 */
type SeriesKey = Pick<OptionSeries, "product" | "family" | "year" | "month" | "week">;
type WeeklyKey = SeriesKey & { readonly family: Weekly };

/** All options of one product that expire together under one name. */
export interface OptionSeries {
  /** `ZN-2025-07-VY3`: product, contract month, CME's root. Contains no date, so no holiday can change it. */
  readonly name: string;
  readonly product: Product;
  readonly family: Family;
  /** 1 to 5: the number of its weekday within the month; 0 for a standard series. */
  readonly week: number;
  /**
   * The contract month. A weekly series has the month of its nominal day; a standard series expires in the
   * month before.
   */
  readonly year: number;
  readonly month: number;
  /** The expiry by the rule, without regard to holidays. */
  readonly nominal: DayNumber;
  /** The actual expiry. */
  readonly expiry: DayNumber;
  /** Whether a source confirms the day to which a holiday moves the expiry. */
  readonly confirmed: boolean;
  /** The future it exercises into, `ZNU2025`. */
  readonly underlying: string;
}

/** Expiries of a desk's own calendar, by name of the series or future (`ZN-2025-07-VY3`, `ZNU2025`). */
export type ExpiryOverrides = ReadonlyMap<string, DayNumber>;

/** The number of the weekday; Sunday is 0. */
const weekdayOf: Readonly<Record<Weekly, number>> = { mon: 1, tue: 2, wed: 3, thu: 4, fri: 5 };
const weeklies: readonly Weekly[] = ["mon", "tue", "wed", "thu", "fri"];

/**
 * The direction in which a holiday moves an expiry. Monday: the next business day (CME FAQ on weekly Treasury
 * options; the desk's calendar has VY1U5 on Tuesday 2 September 2025). Friday: the business day before (CME's
 * calendar of weekly options for 2016: 31 December 2015 for Friday 1 January, and 24 March 2016 for Good
 * Friday). No notice was found for the other days: they follow Friday's rule and count as unconfirmed.
 */
const holidayRules: Readonly<
  Record<Weekly, { readonly moves: "after" | "before"; readonly confirmed: boolean }>
> = {
  mon: { moves: "after", confirmed: true },
  tue: { moves: "before", confirmed: false },
  wed: { moves: "before", confirmed: false },
  thu: { moves: "before", confirmed: false },
  fri: { moves: "before", confirmed: true },
};

/**
 * Computes when options expire and futures trade last from the exchange's rules and holidays; a desk's
 * calendar may override it. Constant time and memory for each requested series; every request for a series
 * returns the same object.
 */
export class ExpiryCalendar {
  readonly #overrides: ExpiryOverrides;
  readonly #series = new Map<number, OptionSeries>();
  readonly #standardDays: (Days | undefined)[] = [];
  /** The series whose expiry the desk's calendar overrides, by product, family and that expiry. */
  readonly #moved = new Map<string, OptionSeries>();

  constructor(overrides: ExpiryOverrides = new Map()) {
    this.#overrides = overrides;
    for (const [name, day] of overrides) {
      const series = this.#seriesNamed(name);
      if (series?.name === name) this.#moved.set(`${series.product.code} ${series.family} ${day}`, series);
    }
  }

  /**
   * Returns the series of the nth weekday of a month; undefined if the month has no such day, if the family
   * did not exist yet, and if the Friday belongs to the standard option.
   */
  weekly(key: WeeklyKey): OptionSeries | undefined {
    const { family, year, month, week } = key;
    const nominal = nthWeekday(year, month, weekdayOf[family], week);
    if (nominal === undefined || nominal < firstExpiryOf(family)) return undefined;
    if (family === "fri" && nominal === this.#standardOf(year, month).nominal) return undefined;
    return this.#kept(key, () => {
      const moved = isBusinessDay(nominal) ? nominal : moveWeekly(family, nominal);
      return { nominal, expiry: moved, confirmed: moved === nominal || holidayRules[family].confirmed };
    });
  }

  /** Returns the quarterly or serial series of a contract month; it expires in the month before. */
  standard(product: Product, year: number, month: number): OptionSeries | undefined {
    if (year < firstYear || year > lastYear || month < 1 || month > 12) return undefined;
    const before = monthIndex(year, month) - 1;
    return this.#kept({ product, family: "standard", year, month, week: 0 }, () => ({
      ...this.#standardOf(yearOfIndex(before), monthOfIndex(before)),
      confirmed: true,
    }));
  }

  /**
   * Returns the series of a family to which a day belongs: as its nominal day, as its expiry, or as another
   * day to which a holiday may move the expiry.
   */
  seriesOn(product: Product, family: Family, day: DayNumber): OptionSeries | undefined {
    if (family === "standard") return this.#standardOn(product, day);
    // The candidates have the family's weekday as nominal day: the last one up to the day, and the next one.
    const before = day - ((weekday(day) - weekdayOf[family] + 7) % 7);
    for (const nominal of [before, before + 7]) {
      const series = this.#weeklyOn(product, family, nominal);
      if (series === undefined) continue;
      if (nominal === day || series.expiry === day) return series;
      if (!series.confirmed && nextBusinessDay(nominal) === day) return series;
    }
    return this.#moved.get(`${product.code} ${family} ${day}`);
  }

  /** Returns the standard series whose nominal Friday is the nth Friday of a month. */
  standardOfFriday(product: Product, year: number, month: number, week: number): OptionSeries | undefined {
    const { nominal } = this.#standardOf(year, month);
    if (nthWeekday(year, month, weekdayOf.fri, week) !== nominal) return undefined;
    return this.standard(
      product,
      yearOfIndex(monthIndex(year, month) + 1),
      monthOfIndex(monthIndex(year, month) + 1),
    );
  }

  /**
   * Returns every series of a product whose nominal day is in a month: the weekly ones by week and weekday,
   * then the standard one.
   */
  seriesExpiringIn(product: Product, year: number, month: number): readonly OptionSeries[] {
    const found: OptionSeries[] = [];
    for (let week = 1; week <= 5; week++)
      for (const family of weeklies) {
        const series = this.weekly({ product, family, year, month, week });
        if (series !== undefined) found.push(series);
      }
    const next = monthIndex(year, month) + 1;
    const standard = this.standard(product, yearOfIndex(next), monthOfIndex(next));
    return standard === undefined ? found : [...found, standard];
  }

  /** Returns the last trading day of a future; null if it is not known. */
  lastTradingDay(product: Product, year: number, month: number): DayNumber | null {
    const given = this.#overrides.get(futureName(product, year, month));
    if (given !== undefined) return given;
    if (product.lastDay === null) return null;
    let day = lastBusinessDay(year, month);
    if (product.lastDay === "seventh-before-last")
      for (let back = 0; back < 7; back++) day = businessDayBefore(day);
    return day;
  }

  /** Returns the series with a given `OptionSeries.name`. */
  #seriesNamed(name: string): OptionSeries | undefined {
    const [, year, month, code = "", week] =
      /^[A-Z]{2}-(\d{4})-(\d{2})-([A-Z]{2,3})([1-5])?$/.exec(name) ?? [];
    const row = cmeTable.named(code);
    if (row === undefined) return undefined;
    if (row.family === "standard")
      return week === undefined ? this.standard(row.product, Number(year), Number(month)) : undefined;
    const { product, family } = row;
    return this.weekly({ product, family, year: Number(year), month: Number(month), week: Number(week) });
  }

  #standardOn(product: Product, day: DayNumber): OptionSeries | undefined {
    const { year, month } = dateOfDay(day);
    const next = monthIndex(year, month) + 1;
    const series = this.standard(product, yearOfIndex(next), monthOfIndex(next));
    if (series !== undefined && (series.nominal === day || series.expiry === day)) return series;
    return this.#moved.get(`${product.code} standard ${day}`);
  }

  #weeklyOn(product: Product, family: Weekly, nominal: DayNumber): OptionSeries | undefined {
    const { year, month, date } = dateOfDay(nominal);
    return this.weekly({ product, family, year, month, week: Math.floor((date - 1) / 7) + 1 });
  }

  /** Nominal Friday and expiry of the standard options that expire in a month. */
  #standardOf(year: number, month: number): Days {
    const index = monthIndex(year, month);
    const known = this.#standardDays[index];
    if (known !== undefined) return known;
    const nominal = standardFriday(year, month);
    // CME's calendar of 2016 has the April options on Thursday 24 March, before Good Friday.
    const days = { nominal, expiry: isBusinessDay(nominal) ? nominal : businessDayBefore(nominal) };
    this.#standardDays[index] = days;
    return days;
  }

  #kept(named: SeriesKey, days: () => Days & { readonly confirmed: boolean }): OptionSeries | undefined {
    const { product, family, year, month, week } = named;
    if (year < firstYear || year > lastYear) return undefined;
    const key = keyOf(named);
    const known = this.#series.get(key);
    if (known !== undefined) return known;
    const code = cmeTable.codeOf(product, family, days().nominal)?.code;
    if (code === undefined) return undefined;
    const name = `${product.code}-${year}-${month < 10 ? "0" : ""}${month}-${code}${week === 0 ? "" : week}`;
    const given = this.#overrides.get(name);
    const computed = days();
    const series: OptionSeries = Object.freeze({
      name,
      product,
      family,
      week,
      year,
      month,
      nominal: computed.nominal,
      expiry: given ?? computed.expiry,
      confirmed: given !== undefined || computed.confirmed,
      underlying: this.#underlying(named, given ?? computed.expiry),
    });
    this.#series.set(key, series);
    return series;
  }

  /**
   * Returns the future that an option exercises into. A standard option exercises into the future of its
   * contract month, or, if that month is not quarterly, of the next quarterly month; a weekly option into the
   * same future as the nearest standard option that expires on its day or later (CME FAQ on weekly Treasury
   * options).
   */
  #underlying({ product, family, year, month }: SeriesKey, expiry: DayNumber): string {
    let contract = monthIndex(year, month);
    if (family !== "standard") {
      const on = dateOfDay(expiry);
      contract = monthIndex(on.year, on.month) + 1;
      if (this.#standardOf(on.year, on.month).expiry < expiry) contract += 1;
    }
    const quarter = quarterFrom(contract);
    return futureName(product, yearOfIndex(quarter), monthOfIndex(quarter));
  }
}

/** Returns the name of a future, such as `ZNU2025`. */
export const futureName = (product: Product, year: number, month: number): string =>
  `${product.code}${letterOfMonth(month)}${year}`;

export const isListedFuture = (year: number, month: number): boolean =>
  isQuarterly(month) && year >= firstYear && year <= lastYear;

interface Days {
  readonly nominal: DayNumber;
  readonly expiry: DayNumber;
}

const familyIndex: Readonly<Record<Family, number>> = { mon: 0, tue: 1, wed: 2, thu: 3, fri: 4, standard: 5 };

/** Returns a number that identifies a series. */
const keyOf = ({ product, family, year, month, week }: SeriesKey): number =>
  (((product.code.charCodeAt(0) * 128 + product.code.charCodeAt(1)) * 6 + familyIndex[family]) * 8 + week) *
    4096 +
  (monthIndex(year, month) - monthIndex(firstYear, 1));

const moveWeekly = (family: Weekly, nominal: DayNumber): DayNumber =>
  holidayRules[family].moves === "after" ? nextBusinessDay(nominal) : businessDayBefore(nominal);

function nthWeekday(year: number, month: number, wanted: number, count: number): DayNumber | undefined {
  if (month < 1 || month > 12 || count < 1) return undefined;
  const first = dayNumber(year, month, 1);
  const day = first + ((wanted - weekday(first) + 7) % 7) + 7 * (count - 1);
  return dateOfDay(day).month === month ? day : undefined;
}

/**
 * Returns the last Friday that precedes the last business day of the month by at least two business days (CME
 * option specifications). The Friday itself may be a holiday.
 */
function standardFriday(year: number, month: number): DayNumber {
  const last = lastBusinessDay(year, month);
  let friday = last - ((weekday(last) - weekdayOf.fri + 7) % 7);
  while (businessDaysAfter(friday, last) < 2) friday -= 7;
  return friday;
}

/** Returns the number of business days after `from` up to and including `until`, counted up to two. */
function businessDaysAfter(from: DayNumber, until: DayNumber): number {
  let count = 0;
  for (let day = from + 1; day <= until && count < 2; day++) if (isBusinessDay(day)) count += 1;
  return count;
}

function lastBusinessDay(year: number, month: number): DayNumber {
  const next = monthIndex(year, month) + 1;
  return businessDayBefore(dayNumber(yearOfIndex(next), monthOfIndex(next), 1));
}
