import {
  dateOfDay,
  isBusinessDay,
  nextBusinessDay,
  parseDay,
  weekday,
} from "../../domain/market/trading-day.ts";

/**
 * Returns those kinds of a trading day that its date shows; most days have none. A day is a month-end if no
 * business day of its month follows. The expiry week has the days 15 to 21.
 */
export function kindsOfDay(day: string): ReadonlySet<string> {
  const found = new Set<string>();
  const number = parseDay(day);
  if (number === undefined) return found;
  const { month, date } = dateOfDay(number);
  if (dateOfDay(nextBusinessDay(number)).month !== month) found.add("month-end");
  if (date >= 15 && date <= 21) found.add("expiry week");
  // The weekday before a Monday is the Friday three days earlier.
  if (!isBusinessDay(number - (weekday(number) === 1 ? 3 : 1))) found.add("day after a holiday");
  return found;
}
