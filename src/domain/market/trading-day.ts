import {
  type DayNumber,
  dateOfDay,
  dayNumber,
  dayUs,
  hourUs,
  wallOfInstant,
  weekday,
} from "./chicago-time.ts";
import { exchangeHolidays } from "./exchange-holidays.ts";

export { type DayNumber, dateOfDay, dayNumber, formatDay, parseDay, weekday } from "./chicago-time.ts";

/**
 * Assigns a trading day to a trade. Five rules were in use at one desk at the same time, so the rule is an
 * explicit parameter that every answer names, never an assumption.
 */
export interface TradingDayRule {
  readonly name: string;
  /** A description for people. */
  readonly describes: string;
  /**
   * The day of a trade at `wallUs` (Chicago wall clock, microseconds since 1970-01-01 read as UTC) from a
   * file of the day `fileDay`. Undefined if the rule has no answer.
   */
  dayOf(wallUs: number, fileDay: number | undefined): number | undefined;
}

/**
 * From `hour` on, Chicago time, a trade belongs to the next calendar day, even a Saturday, as in the desk's
 * systems.
 */
const calendarDayFrom =
  (hour: number) =>
  (wallUs: number): number =>
    Math.floor((wallUs + (24 - hour) * hourUs) / dayUs);

export const tradingDayRules = {
  "chicago-17": {
    name: "chicago-17",
    describes:
      "The exchange's trade date: from 17:00 Chicago time a trade belongs to the next business day; " +
      "weekends and exchange holidays are skipped",
    dayOf: (wallUs) => businessDayOnOrAfter(Math.floor((wallUs + 7 * hourUs) / dayUs)),
  },
  calendar: {
    name: "calendar",
    describes: "The calendar day in Chicago, from midnight to midnight",
    dayOf: calendarDayFrom(24),
  },
  "file-name": {
    name: "file-name",
    describes: "The day in the name of the ledger file, whatever the trade's time",
    dayOf: (_wallUs, fileDay) => fileDay,
  },
  "after-14": {
    name: "after-14",
    describes: "The next calendar day from 14:00 Chicago time on, even if it is a weekend or a holiday",
    dayOf: calendarDayFrom(14),
  },
  "after-16": {
    name: "after-16",
    describes: "The next calendar day from 16:00 Chicago time on, even if it is a weekend or a holiday",
    dayOf: calendarDayFrom(16),
  },
  "after-17": {
    name: "after-17",
    describes: "The next calendar day from 17:00 Chicago time on, even if it is a weekend or a holiday",
    dayOf: calendarDayFrom(17),
  },
} as const satisfies Record<string, TradingDayRule>;

export type TradingDayRuleName = keyof typeof tradingDayRules;

export const isTradingDayRule = (name: string): name is TradingDayRuleName =>
  Object.hasOwn(tradingDayRules, name);

const defaultRule = "chicago-17";
export const defaultTradingDayRule: TradingDayRuleName = defaultRule;

/**
 * The trading day of an instant, in microseconds since 1970 UTC. A rule that needs a file's day has no
 * answer, and the default rule gives it.
 */
export function tradingDayAt(rule: TradingDayRuleName, instantUs: number): DayNumber {
  const wallUs = wallOfInstant(instantUs);
  return tradingDayRules[rule].dayOf(wallUs, undefined) ?? tradingDayRules[defaultRule].dayOf(wallUs);
}

/**
 * Whether a day is neither on a weekend nor a holiday of the exchange (exchange-holidays.ts lists the years
 * whose holidays are known).
 */
export const isBusinessDay = (day: DayNumber): boolean => businessDayOnOrAfter(day) === day;

/** The first business day after `day`, never `day` itself. */
export const nextBusinessDay = (day: DayNumber): DayNumber => businessDayOnOrAfter(day + 1);

/** The last business day before `day`, never `day` itself. */
export function businessDayBefore(day: DayNumber): DayNumber {
  let before = day - 1;
  while (!isBusinessDay(before)) before -= 1;
  return before;
}

/** `day` itself if it is a business day, otherwise the next one. */
export function businessDayOnOrAfter(day: DayNumber): DayNumber {
  const ahead = waits[day - tableFrom];
  return ahead === undefined ? search(day) : day + ahead;
}

/**
 * The first day of the table, which covers the years of real trades. For any other day the next business day
 * is found by a search under the same rules.
 */
const tableFrom = dayNumber(1970, 1, 1);
const waits = tabulate(tableFrom, dayNumber(2101, 1, 1));

/**
 * Returns, for each day from `from` until `until` (exclusive), the number of days to the next business day;
 * it is 0 for a business day. The table takes 48 kB.
 */
function tabulate(from: DayNumber, until: DayNumber): Uint8Array {
  const holidays = new Set<DayNumber>();
  for (let year = dateOfDay(from).year; year < dateOfDay(until).year; year++)
    for (const { day } of exchangeHolidays(year)) holidays.add(day);
  const table = new Uint8Array(until - from);
  let next = search(until);
  for (let day = until - 1; day >= from; day--) {
    if (!isWeekend(day) && !holidays.has(day)) next = day;
    table[day - from] = next - day;
  }
  return table;
}

function search(day: DayNumber): DayNumber {
  for (let candidate = day; ; candidate++) {
    if (isWeekend(candidate)) continue;
    if (!exchangeHolidays(dateOfDay(candidate).year).some((holiday) => holiday.day === candidate))
      return candidate;
  }
}

function isWeekend(day: DayNumber): boolean {
  const falls = weekday(day);
  return falls === 0 || falls === 6;
}
