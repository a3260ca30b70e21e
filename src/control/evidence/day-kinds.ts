import {
  dateOfDay,
  isBusinessDay,
  nextBusinessDay,
  parseDay,
  weekday,
} from "../../domain/market/trading-day.ts";

/** The kinds of a trading day that evidence must cover. The third week of a month is its expiry week. */
export function kindsOfDay(day: string): ReadonlySet<string> {
  const found = new Set<string>();
  const number = parseDay(day);
  if (number === undefined) return found;
  const { month, date } = dateOfDay(number);
  if (dateOfDay(nextBusinessDay(number)).month !== month) found.add("month-end");
  if (date >= 15 && date <= 21) found.add("expiry week");
  // On a Monday the weekday before is a Friday.
  if (!isBusinessDay(number - (weekday(number) === 1 ? 3 : 1))) found.add("day after a holiday");
  return found;
}
