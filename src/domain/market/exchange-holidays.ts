import { type DayNumber, dayNumber, weekday } from "./chicago-time.ts";

/**
 * A day that is not a trade date of CME's Treasury futures and options. Globex trades short sessions on most
 * of these days (for example until noon), but their trades carry the next trade date, so they count as
 * holidays here.
 *
 * Sources: the table agrees with every calendar found, for 2016-2018 and 2021-2026 (CME's own for 2023 and
 * 2024, the others as published by ICE, a broker and QuantConnect). Earlier years rest on single notices and
 * on the rules. Unscheduled closures (September 2001, the day of mourning of 2004-06-11) are not in the
 * table. 2025-01-09 was a trade date with an early close (12:15). Columbus Day, Veterans Day, the Friday
 * after Thanksgiving and Christmas Eve are trade dates too, unless a holiday is observed on that day. Future
 * years follow the rules; to change a rule, add a row.
 */
interface ExchangeHoliday {
  readonly day: DayNumber;
  readonly name: string;
}

/** The holidays of a year, in order. No rule moves a holiday into another year. */
export function exchangeHolidays(year: number): readonly ExchangeHoliday[] {
  return rules
    .filter((rule) => rule.since <= year && year <= (rule.until ?? year))
    .flatMap((rule) => {
      const day = observed(rule.day(year), rule.weekend);
      return day === undefined || goodFridaysTraded.includes(day) ? [] : [{ day, name: rule.name }];
    });
}

interface HolidayRule {
  readonly name: string;
  readonly since: number;
  /** The last year, inclusive. */
  readonly until?: number;
  readonly day: (year: number) => DayNumber;
  /**
   * A holiday on Sunday moves to Monday; one on Saturday moves to Friday ("nearest") or is not observed
   * ("sunday-only").
   */
  readonly weekend: "never" | "nearest" | "sunday-only";
}

const always = Number.NEGATIVE_INFINITY;
const [monday, thursday] = [1, 4];

const rules: readonly HolidayRule[] = [
  // CME Globex schedules 2023 and 2024 (cmegroup.com/tools-information/holiday-calendar.html): a Sunday is
  // observed on Monday (2023-01-02). A Saturday is not observed: 2010-12-31 was a full trading day (SIFMA),
  // and no list closes 2021-12-31.
  { name: "New Year's Day", since: always, day: (year) => dayNumber(year, 1, 1), weekend: "sunday-only" },
  // CME press release of 2006-01-10: Globex Sunday evening and Monday carry trade date Tuesday, as in the
  // 2026 schedule. New York has observed the day since 1998; Chicago's first year was not found.
  { name: "Martin Luther King Day", since: 1998, day: (year) => nth(3, monday, year, 1), weekend: "never" },
  // Uniform Monday Holiday Act, in force 1971; CME schedules 2023 (17-21 February) to 2026.
  { name: "Presidents' Day", since: 1971, day: (year) => nth(3, monday, year, 2), weekend: "never" },
  // CME press release of 2005-03-16: closed, reopening for trade date Monday. Exceptions: see
  // goodFridaysTraded.
  { name: "Good Friday", since: always, day: (year) => easter(year) - 2, weekend: "never" },
  // Uniform Monday Holiday Act; CME schedules 2023 (26-30 May) to 2026.
  { name: "Memorial Day", since: 1971, day: (year) => nth(1, monday, year, 6) - 7, weekend: "never" },
  // CME schedules 2023 (16-20 June) to 2026; pandas_market_calendars has it from 2022 on, ICE's list for 2021
  // has none.
  { name: "Juneteenth", since: 2022, day: (year) => dayNumber(year, 6, 19), weekend: "nearest" },
  // Friday 2015-07-03 (CME Group's floor calendar), Monday 2021-07-05 (ICE), Friday 2026-07-03 (Globex
  // schedule 2026).
  { name: "Independence Day", since: always, day: (year) => dayNumber(year, 7, 4), weekend: "nearest" },
  // CME Group press release of 2007-08-20, Treasury futures of CBOT included.
  { name: "Labor Day", since: always, day: (year) => nth(1, monday, year, 9), weekend: "never" },
  // CME schedules 2023 (22-24 November) to 2026. Friday is a trade date with an early close.
  { name: "Thanksgiving", since: always, day: (year) => nth(4, thursday, year, 11), weekend: "never" },
  // A Sunday is observed on Monday (2005-12-26, CME's notice; 2022-12-26, QuantConnect), a Saturday on Friday
  // (2021-12-24, ICE).
  { name: "Christmas", since: always, day: (year) => dayNumber(year, 12, 25), weekend: "nearest" },
];

/**
 * Good Fridays with the monthly employment report, on which rates traded a short session (to 10:00 or 10:15)
 * that settled and was a separate trade date. The list contains only days with a notice. One secondary list
 * (pandas_market_calendars, CME_Bond) also opens 1980, 1983, 1985, 1988, 1994, 1996 and 2007, for which no
 * notice was found; they count as holidays here. That list expects 2034-04-07 next; add the row when the
 * exchange confirms it.
 */
const goodFridaysTraded: readonly DayNumber[] = [
  dayNumber(1999, 4, 2), // CBOT notice of 1999-03-24: financial contracts open, close 10:00.
  // SIFMA 2010: early close because of the report; Globex close 10:15 (pandas_market_calendars).
  dayNumber(2010, 4, 2),
  dayNumber(2012, 4, 6), // SIFMA 2012-03-21: likewise.
  dayNumber(2015, 4, 3), // SIFMA 2015-03-09: likewise.
  dayNumber(2021, 4, 2), // CME's schedule and settlement times of that day: settled 10:00, Globex to 10:15.
  dayNumber(2023, 4, 7), // CME's trading-hours page and SIFMA: early close.
  dayNumber(2026, 4, 3), // SIFMA 2026-03-20: early close; CME Globex open (reported 2026-04-04).
];

function observed(day: DayNumber, weekend: HolidayRule["weekend"]): DayNumber | undefined {
  const falls = weekday(day);
  if (weekend === "never" || (falls !== 0 && falls !== 6)) return day;
  if (falls === 0) return day + 1;
  return weekend === "nearest" ? day - 1 : undefined;
}

/** The nth occurrence of a weekday in a month, counted from 1. */
function nth(count: number, wanted: number, year: number, month: number): DayNumber {
  const first = dayNumber(year, month, 1);
  return first + ((wanted - weekday(first) + 7) % 7) + 7 * (count - 1);
}

/**
 * Easter Sunday of the Gregorian calendar (the anonymous algorithm of Meeus, Astronomical Algorithms, chapter
 * 8).
 */
function easter(year: number): DayNumber {
  const golden = year % 19;
  const [century, ofCentury] = [Math.floor(year / 100), year % 100];
  const correction = Math.floor((century - Math.floor((century + 8) / 25) + 1) / 3);
  const epact = (19 * golden + century - Math.floor(century / 4) - correction + 15) % 30;
  const toSunday = (32 + 2 * (century % 4) + 2 * Math.floor(ofCentury / 4) - epact - (ofCentury % 4)) % 7;
  const late = Math.floor((golden + 11 * epact + 22 * toSunday) / 451);
  const march = epact + toSunday - 7 * late + 22;
  return dayNumber(year, 3, march);
}
