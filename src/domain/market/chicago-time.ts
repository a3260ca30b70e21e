import { at as itemAt, present } from "../../base/present.ts";
import { firstWhere } from "../../base/search.ts";
/**
 * Chicago's clock and calendar: converts between instants and the wall clock of the exchange. Times are whole
 * microseconds in plain numbers (exact until the year 2255). There are two kinds, which must not be mixed:
 *   wallUs     since 1970-01-01T00:00, reading the Chicago wall clock as if it were UTC
 *   instantUs  since 1970-01-01T00:00Z: real time
 * Correct from 1967 (Uniform Time Act) to 2101; other years have standard time only. The rules are a table in
 * this file, so that results never depend on the machine's time-zone data; the tests compare it with Intl.
 */
export const dayUs = 86_400_000_000;
export const hourUs = 3_600_000_000;
const minuteUs = 60_000_000;
const secondUs = 1_000_000;

/** Days since 1970-01-01, a whole number. */
export type DayNumber = number;

/**
 * Whether a wall-clock time occurs once, twice (in the hour when daylight time ends), or never (in the hour
 * skipped in spring).
 */
export type WallReading = "unique" | "ambiguous" | "nonexistent";

/**
 * The instant of a wall-clock time. A time that occurs twice means the earlier instant (daylight time); one
 * that never occurs is extrapolated from before the change, so 02:30 becomes 03:30 daylight time.
 * `wallReading` distinguishes these cases.
 */
export function instantOfWall(wallUs: number): number {
  if (!(wallUs >= wallSpan.from && wallUs < wallSpan.until)) wallSpan = spanAt(wallEdges, wallUs);
  return wallUs + wallSpan.behindUs;
}

export function wallReading(wallUs: number): WallReading {
  if (!(wallUs >= wallSpan.from && wallUs < wallSpan.until)) wallSpan = spanAt(wallEdges, wallUs);
  if (wallSpan.until - wallUs > hourUs) return "unique";
  return wallSpan.behindUs === daylightUs ? "ambiguous" : "nonexistent";
}

/** The wall-clock time of an instant. */
export function wallOfInstant(instantUs: number): number {
  if (!(instantUs >= instantSpan.from && instantUs < instantSpan.until))
    instantSpan = spanAt(instantEdges, instantUs);
  return instantUs - instantSpan.behindUs;
}

/** Minutes to add to UTC: -300 in daylight time, -360 in standard time. */
export const offsetMinutesOfInstant = (instantUs: number): number =>
  (wallOfInstant(instantUs) - instantUs) / minuteUs;

/**
 * `2025-07-24T15:01:09.091-05:00`; the fraction has three digits if they suffice, otherwise six, and is
 * omitted if zero.
 */
export function formatInstant(instantUs: number): string {
  const wallUs = wallOfInstant(instantUs);
  const { day, seconds, fraction } = partsOfWall(wallUs);
  const digits = fraction === 0 ? "" : `.${fraction.toString().padStart(6, "0").replace(/000$/, "")}`;
  const offset = wallUs - instantUs === -daylightUs ? "-05:00" : "-06:00";
  return `${formatDay(day)}T${formatClock(seconds)}${digits}${offset}`;
}

/** The wall-clock time in Chicago to the second, `2025-07-24 15:01:09`; a fraction is cut. */
export function formatWallSecond(instantUs: number): string {
  const { day, seconds } = partsOfWall(wallOfInstant(instantUs));
  return `${formatDay(day)} ${formatClock(seconds)}`;
}

function partsOfWall(wallUs: number) {
  const day = Math.floor(wallUs / dayUs);
  const time = Math.floor(wallUs - day * dayUs);
  const fraction = time % secondUs;
  return { day, seconds: (time - fraction) / secondUs, fraction };
}

const formatClock = (seconds: number): string =>
  `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;

const instantPattern =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:(Z)|([+-])(\d{2}):?(\d{2}))?)?$/;

/** The time that a text names. */
export interface ReadInstant {
  readonly instantUs: number;
  /** The wall-clock time in Chicago. */
  readonly wallUs: number;
  /** How often the wall time of the text occurs; `unique` if the text has an offset. */
  readonly reading: WallReading;
}

/**
 * Reads ISO text with `T` or a space, optional seconds and fraction (up to 9 digits), and an optional `Z` or
 * offset such as `-05:00`. Without an offset it is Chicago wall time: `reading` says whether that time occurs
 * once, twice (the earlier one counts) or never (extrapolated from before the change). A date alone means its
 * midnight in Chicago. Undefined for impossible dates and times (Feb 30, 25:00, 24:00, second 60), years
 * outside 1967-2100, offsets beyond 14 h, digits other than 0 beyond microseconds, and any other text.
 */
export function readInstant(text: string): ReadInstant | undefined {
  if (text !== lastRead.text) lastRead = { text, instant: readAnew(text) };
  return lastRead.instant;
}

/** The last text that was read: callers ask for the same time several times in a row. */
let lastRead: { readonly text: string; readonly instant: ReadInstant | undefined } = {
  text: "",
  instant: undefined,
};

function readAnew(text: string): ReadInstant | undefined {
  const parts = instantPattern.exec(text);
  if (parts === null) return undefined;
  const [
    ,
    year,
    month,
    date,
    hour = "0",
    minute = "0",
    second = "0",
    fraction = "",
    utc,
    sign,
    offsetHour,
    offsetMinute,
  ] = parts;
  const day = realDay(Number(year), Number(month), Number(date));
  if (day === undefined || Number(year) < firstYear || Number(year) >= lastYear) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59 || Number(fraction.slice(6)) !== 0)
    return undefined;
  const clockUs = Number(hour) * hourUs + Number(minute) * minuteUs + Number(second) * secondUs;
  const read = day * dayUs + clockUs + (fraction === "" ? 0 : Number(fraction.slice(0, 6).padEnd(6, "0")));
  if (utc === undefined && sign === undefined) {
    const instantUs = instantOfWall(read);
    return { instantUs, wallUs: read, reading: wallReading(read) };
  }
  const offset = Number(offsetHour ?? 0) * 60 + Number(offsetMinute ?? 0);
  if (Number(offsetMinute ?? 0) > 59 || offset > 14 * 60) return undefined;
  const instantUs = sign === "-" ? read + offset * minuteUs : read - offset * minuteUs;
  return { instantUs, wallUs: wallOfInstant(instantUs), reading: "unique" };
}

/**
 * The instant of a text. For input from people and systems use `readInstant`, which reports nonexistent
 * times.
 */
export const parseInstant = (text: string): number | undefined => readInstant(text)?.instantUs;

/**
 * The day number of a Gregorian date; months count from 1. A date that does not exist overflows (Feb 30 is
 * Mar 1 or 2).
 */
export function dayNumber(year: number, month: number, date: number): DayNumber {
  // Years begin in March here, so that the leap day is the last one (Hinnant, chrono-compatible low-level
  // date algorithms).
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + date - 1;
  return (
    era * 146_097 +
    yearOfEra * 365 +
    Math.floor(yearOfEra / 4) -
    Math.floor(yearOfEra / 100) +
    dayOfYear -
    719_468
  );
}

interface CalendarDate {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  /** 1 to 31. */
  readonly date: number;
}

/** The date of a day number: the inverse of `dayNumber`. */
export function dateOfDay(day: DayNumber): CalendarDate {
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const leaps = Math.floor(dayOfEra / 1460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leaps) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const date = dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  return { year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, date };
}

/** `YYYY-MM-DD`. */
export function formatDay(day: DayNumber): string {
  if (day !== lastFormatted.day) lastFormatted = { day, text: dayText(dateOfDay(day)) };
  return lastFormatted.text;
}

const dayText = ({ year, month, date }: CalendarDate): string =>
  `${year.toString().padStart(4, "0")}-${two(month)}-${two(date)}`;

/** The last day that was formatted. It is kept because the rows of one day follow each other. */
let lastFormatted: { readonly day: DayNumber; readonly text: string } = { day: Number.NaN, text: "" };

/** Reads exactly `YYYY-MM-DD`. Undefined for other text and for dates that do not exist. */
export function parseDay(text: string): DayNumber | undefined {
  if (text !== lastDay.text) lastDay = { text, day: dayIn(text) };
  return lastDay.day;
}

/** The last text that was read as a day. It is kept because the rows of one day follow each other. */
let lastDay: { readonly text: string; readonly day: DayNumber | undefined } = { text: "", day: undefined };

function dayIn(text: string): DayNumber | undefined {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  return parts === null ? undefined : realDay(Number(parts[1]), Number(parts[2]), Number(parts[3]));
}

/** 0 = Sunday to 6 = Saturday. */
export const weekday = (day: DayNumber): number => (((day + 4) % 7) + 7) % 7;

function realDay(year: number, month: number, date: number): DayNumber | undefined {
  if (month < 1 || month > 12 || date < 1 || date > 31) return undefined;
  const day = dayNumber(year, month, date);
  return dateOfDay(day).month === month ? day : undefined;
}

const two = (value: number): string => (value < 10 ? `0${value}` : `${value}`);

/** The offset by which the wall clock is behind UTC. */
const standardUs = 6 * hourUs;
const daylightUs = 5 * hourUs;

interface DaylightRule {
  readonly since: number;
  readonly begins: (year: number) => DayNumber;
  readonly ends: (year: number) => DayNumber;
}

const firstSunday = (year: number, month: number): DayNumber => sundayFrom(dayNumber(year, month, 1));
const lastSunday = (year: number, month: number): DayNumber => sundayFrom(dayNumber(year, month + 1, 1)) - 7;
const sundayFrom = (day: DayNumber): DayNumber => day + ((7 - weekday(day)) % 7);

/**
 * The rules of daylight time in Chicago; it changes at 02:00 on the wall clock. Each row applies until the
 * next.
 */
const daylightRules: readonly DaylightRule[] = [
  // Uniform Time Act of 1966 (15 USC 260a).
  { since: 1967, begins: (year) => lastSunday(year, 4), ends: (year) => lastSunday(year, 10) },
  // Emergency Daylight Saving Time Energy Conservation Act of 1973, and its amendment of 1974 for 1975.
  { since: 1974, begins: (year) => dayNumber(year, 1, 6), ends: (year) => lastSunday(year, 10) },
  { since: 1975, begins: (year) => dayNumber(year, 2, 23), ends: (year) => lastSunday(year, 10) },
  { since: 1976, begins: (year) => lastSunday(year, 4), ends: (year) => lastSunday(year, 10) },
  // Public Law 99-359, of 1986.
  { since: 1987, begins: (year) => firstSunday(year, 4), ends: (year) => lastSunday(year, 10) },
  // Energy Policy Act of 2005, section 110.
  { since: 2007, begins: (year) => firstSunday(year, 3) + 7, ends: (year) => firstSunday(year, 11) },
];

const firstYear = 1967;
/**
 * The first year that no readable text names. The table below includes it, because the UTC offset of a text
 * may move its instant into that year.
 */
const lastYear = 2101;

/** All changes in order: daylight time begins at even places and ends at odd ones. */
const instantEdges: number[] = [];
const wallEdges: number[] = [];
for (let year = firstYear; year <= lastYear; year++) {
  const rule = present(
    daylightRules.findLast(({ since }) => since <= year),
    "the first row begins in firstYear",
  );
  const [begins, ends] = [rule.begins(year) * dayUs + 2 * hourUs, rule.ends(year) * dayUs + 2 * hourUs];
  instantEdges.push(begins + standardUs, ends + daylightUs);
  // The skipped hour counts as standard time and the repeated one as daylight time: see instantOfWall.
  wallEdges.push(begins + hourUs, ends);
}

/** A period with one offset, from (inclusive) until (exclusive). */
interface Span {
  readonly from: number;
  readonly until: number;
  readonly behindUs: number;
}

/** The spans of the last calls. Times usually come in order, so nearly every call hits them. */
let wallSpan: Span = spanAt(wallEdges, 0);
let instantSpan: Span = spanAt(instantEdges, 0);

function spanAt(edges: readonly number[], at: number): Span {
  const low = firstWhere(edges.length, (place) => itemAt(edges, place) > at);
  return {
    from: edges[low - 1] ?? Number.NEGATIVE_INFINITY,
    until: edges[low] ?? Number.POSITIVE_INFINITY,
    behindUs: low % 2 === 1 ? daylightUs : standardUs,
  };
}
