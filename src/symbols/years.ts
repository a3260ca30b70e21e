import { type DayNumber, dateOfDay } from "../domain/market/trading-day.ts";
import { firstYear } from "./expiry-calendar.ts";
import { noNotes, type Refused, refused, type SymbolNote } from "./reading.ts";

/** Contracts are listed at most this many calendar years ahead. */
const aheadMax = 2;

/**
 * Returns the year that one digit means on a day: the latest year with that last digit that is at most two
 * years ahead, since no contract is listed further out. So on any day of 2025 the digits 8, 9, 0 … 7 mean
 * 2018 to 2027.
 */
export function yearOfDigit(digit: number, asOf: DayNumber): number {
  const latest = dateOfDay(asOf).year + aheadMax;
  return latest - ((((latest - digit) % 10) + 10) % 10);
}

/** Returns a note on a year that was read from one digit, if its decade is not that of the as-of day. */
export function decadeNotes(year: number, asOf: DayNumber): readonly SymbolNote[] {
  const today = dateOfDay(asOf).year;
  if (Math.floor(year / 10) === Math.floor(today / 10)) return noNotes;
  return [
    { code: "YEAR_IN_OTHER_DECADE", why: `the year's one digit ${year % 10}, read in ${today}, is ${year}` },
  ];
}

/** Two digits mean a year from 2000 to 2099. */
export const yearOfTwoDigits = (digits: string): number => firstYear + Number(digits);

export const twoDigitsOf = (year: number): string => `${year % 100}`.padStart(2, "0");

/** Returns a refusal if one digit would be read as another year on that day; otherwise undefined. */
export function lostDecade(dialect: string, year: number, asOf: DayNumber): Refused | undefined {
  const readAs = yearOfDigit(year % 10, asOf);
  if (readAs === year) return undefined;
  return refused(
    "CANNOT_CARRY",
    `${dialect} writes one digit of the year: ${year} would be read as ${readAs} in ${dateOfDay(asOf).year}; ` +
      "choose an as-of day closer to that year",
    { lost: ["decade"] },
  );
}
