/** Code that the dialects share: turns the parts of a text into an instrument, with its notes. */
import { type DayNumber, dateOfDay, dayNumber, formatDay, weekday } from "../domain/market/trading-day.ts";
import { firstYear, futureName, isListedFuture, lastYear, type OptionSeries } from "./expiry-calendar.ts";
import { futureOf, optionOf } from "./instrument.ts";
import {
  letterOfMonth,
  monthIndex,
  monthNames,
  monthOfIndex,
  monthOfName,
  quarterFrom,
  yearOfIndex,
} from "./months.ts";
import type { Product } from "./products.ts";
import {
  noNotes,
  type Reading,
  type Refused,
  read,
  refused,
  type SymbolContext,
  type SymbolNote,
} from "./reading.ts";
import { type CodeTable, firstExpiryOf, type SeriesCode, type Weekly } from "./series-codes.ts";
import { badStrike, type Eighths } from "./strike.ts";

export interface ContractMonth {
  readonly year: number;
  readonly month: number;
}

/** Returns the future of a product and month. */
export function readFuture(
  product: Product,
  { year, month }: ContractMonth,
  { calendar }: SymbolContext,
  notes: readonly SymbolNote[] = noNotes,
): Reading {
  if (!isListedFuture(year, month))
    return refused(
      "NOT_LISTED",
      `${product.code} futures are listed for March, June, September and December (H, M, U, Z) only`,
    );
  return read(futureOf(product, year, month, calendar.lastTradingDay(product, year, month)), notes);
}

/**
 * Returns the future that a bare root means on a day: the next quarterly contract. Refuses the root in a
 * delivery month, because people may mean the expiring contract or the next one.
 */
export function readFrontFuture(product: Product, context: SymbolContext): Reading {
  const { year, month } = dateOfDay(context.asOf);
  const front = quarterFrom(monthIndex(year, month));
  const nameOf = (index: number): string => futureName(product, yearOfIndex(index), monthOfIndex(index));
  const nearName = nameOf(front);
  if (month === monthOfIndex(front))
    return refused(
      "AMBIGUOUS",
      "in a delivery month a bare root may mean the expiring contract or the next",
      {
        candidates: [nearName, nameOf(front + 3)],
      },
    );
  const why = `a bare root means the next quarterly contract: ${nearName} in ${monthNames[month - 1]} ${year}`;
  const contract = { year: yearOfIndex(front), month: monthOfIndex(front) };
  return readFuture(product, contract, context, [{ code: "FRONT_CONTRACT", why }]);
}

/** Returns the option of a series, right and strike. The refusal quotes `strikeText`. */
export function readOption(
  { series, notes }: SeriesFound,
  right: string,
  strike: Eighths,
  strikeText: string,
): Reading {
  if (strike === badStrike) return refusedStrike(strikeText);
  return read(optionOf(series, right === "P" ? "P" : "C", strike), notes);
}

export const refusedStrike = (text: string): Refused =>
  refused(
    "BAD_STRIKE",
    `${JSON.stringify(text)} is not a strike: strikes are multiples of 0.125 above 0 and up to 400, without leading zeros`,
  );

/**
 * Finds the option series from its code, contract month and week, for a text without a date. A Friday on
 * which the monthly option expires names the monthly option.
 */
export function namedSeries(
  row: SeriesCode,
  { year, month, week }: ContractMonth & { readonly week: number },
  { calendar }: SymbolContext,
  notes: readonly SymbolNote[],
): SeriesFound | Refused {
  const { product, family } = row;
  const shown = `${monthNames[month - 1] ?? `month ${month} of`} ${year}`;
  if (family === "standard") {
    const series = calendar.standard(product, year, month);
    return series === undefined
      ? refused("NOT_LISTED", `no monthly option of ${shown} is known`)
      : { series, notes };
  }
  const series = calendar.weekly({ product, family, year, month, week });
  if (series !== undefined) return { series, notes };
  const standard = family === "fri" ? calendar.standardOfFriday(product, year, month, week) : undefined;
  if (standard !== undefined) return { series: standard, notes: [...notes, standardFridayNote(standard)] };
  return refused("NOT_LISTED", notListed(family, week, shown));
}

interface SeriesFound {
  readonly series: OptionSeries;
  readonly notes: readonly SymbolNote[];
}

/**
 * Finds the option series from its code and a date. The date decides: a contradicting week digit (0 = none)
 * or month letter is noted. `month` is absent if the dialect has no such letter.
 */
export function datedSeries(
  row: SeriesCode,
  day: DayNumber,
  { week, month }: { readonly week: number; readonly month?: number },
  { calendar }: SymbolContext,
): SeriesFound | Refused {
  const { product, family } = row;
  const series = calendar.seriesOn(product, family, day);
  if (series === undefined) {
    const standard = family === "fri" ? calendar.seriesOn(product, "standard", day) : undefined;
    if (standard !== undefined) return { series: standard, notes: [standardFridayNote(standard)] };
    return refused(
      "DATE_NOT_OF_SERIES",
      `${row.code} options (${familyShown[family]}) do not expire on ${weekdays[weekday(day)]} ${formatDay(day)}`,
    );
  }
  const lettered = month ?? series.month;
  if (series.week === week && series.month === lettered) return { series, notes: noNotes };
  const notes: SymbolNote[] = [];
  if (series.week !== week) {
    const why = `week ${week} contradicts ${formatDay(day)}, which is in week ${series.week}; the date counts`;
    notes.push({ code: "WEEK_DIGIT_MISMATCH", why });
  }
  if (series.month !== lettered) {
    const why = `the letter ${letterOfMonth(lettered)} contradicts ${formatDay(day)}, whose letter is ${letterOfMonth(series.month)}; the date counts`;
    notes.push({ code: "MONTH_LETTER_MISMATCH", why });
  }
  return { series, notes };
}

const standardFridayNote = (series: OptionSeries): SymbolNote => ({
  code: "STANDARD_FRIDAY",
  why: `the monthly option ${series.name} expires on that Friday, so there is no weekly one`,
});

/**
 * Returns a note if a holiday moved the expiry and the text has the wrong one of its two days: the dialect
 * writes either the nominal day or the expiry.
 */
export function holidayNotes(
  series: OptionSeries,
  day: DayNumber,
  writes: "nominal" | "expiry",
): readonly SymbolNote[] {
  if (day === series[writes]) return noNotes;
  const why = `the text has ${formatDay(day)}; ${series.name} is due on ${formatDay(series.nominal)}, a holiday, and expires on ${formatDay(series.expiry)}`;
  return [{ code: "HOLIDAY_DATE", why }];
}

/** Returns a note if the printed expiry is not confirmed by a notice of the exchange. */
export const unconfirmedNotes = (series: OptionSeries): readonly SymbolNote[] =>
  series.confirmed
    ? noNotes
    : [
        {
          code: "EXPIRY_UNCONFIRMED",
          why: `the option is due on ${formatDay(series.nominal)}, a holiday; its expiry is assumed to be ${formatDay(series.expiry)}, as for Friday options`,
        },
      ];

/** Returns a note if the text has another code than the one that its table prints on that day. */
export function aliasNotes(table: CodeTable, row: SeriesCode, series: OptionSeries): readonly SymbolNote[] {
  const own = table.codeOf(row.product, row.family, series.nominal);
  if (own === row || series.family !== row.family) return noNotes;
  return [
    { code: "CODE_ALIAS", why: `${row.code} is also published; ${own?.code ?? "another code"} is printed` },
  ];
}

/** Reads a day such as `21JUL25`; undefined if it does not exist. */
export function dayOfText(date: string, monthName: string, year: string): DayNumber | undefined {
  const month = monthOfName(monthName);
  return month === 0 ? undefined : realDay(firstYear + Number(year), month, Number(date));
}

/** Writes a day in the form `21JUL25`. */
export function textOfDay(day: DayNumber): string {
  const { year, month, date } = dateOfDay(day);
  return `${`${date}`.padStart(2, "0")}${monthNames[month - 1]}${`${year % 100}`.padStart(2, "0")}`;
}

/** Returns the day of a date; undefined if it does not exist or if symbols cannot name its year. */
export function realDay(year: number, month: number, date: number): DayNumber | undefined {
  if (month < 1 || month > 12 || date < 1 || date > 31 || year < firstYear || year > lastYear)
    return undefined;
  const day = dayNumber(year, month, date);
  return dateOfDay(day).month === month ? day : undefined;
}

export const refusedDate = (text: string): Refused =>
  refused("BAD_DATE", `${text} is not a day of the years ${firstYear} to ${lastYear}`);

const familyShown = {
  mon: "Mondays",
  tue: "Tuesdays",
  wed: "Wednesdays",
  thu: "Thursdays",
  fri: "Fridays",
  standard: "quarterly and serial",
} as const;

function notListed(family: Weekly, week: number, shown: string): string {
  const begins = formatDay(firstExpiryOf(family));
  return `${shown} has no option of week ${week} on ${familyShown[family]}: the day does not exist, or it is before ${begins}, when these options began`;
}

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
