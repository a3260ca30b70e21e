/**
 * Verifies a desk's own expiration calendar: computes every column that follows from the exchange's rules and
 * the dialects, and compares the result with the file. The names in a calendar carry no strike, which the
 * dialects require. So each name is completed to that of the option of strike 111, and the strike is cut off
 * afterwards. The day on which options are first listed follows from no rule, so it is only checked to be
 * before the expiry.
 */
import { at } from "../base/present.ts";
import { type DayNumber, dateOfDay, formatDay, weekday } from "../domain/market/trading-day.ts";
import { dayOfText, realDay, textOfDay } from "./contracts.ts";
import { broker } from "./dialects/broker.ts";
import type { DialectName } from "./dialects/index.ts";
import type { ExpiryCalendar, ExpiryOverrides, OptionSeries } from "./expiry-calendar.ts";
import {
  type FutureInstrument,
  futureOf,
  type OptionInstrument,
  optionOf,
  type Right,
} from "./instrument.ts";
import { monthIndex, monthNames, monthOfIndex, yearOfIndex } from "./months.ts";
import type { Product } from "./products.ts";
import { type Reading, type Refused, refused, type SymbolContext } from "./reading.ts";
import type { Family, Weekly } from "./series-codes.ts";
import { printSymbol, readSymbol } from "./translator.ts";

/** The columns of the desk's file, in its order. */
export const calendarColumns = [
  "Option First Avail Date",
  "Option Expiration Date (CT)",
  "Option Product",
  "Option Symbol",
  "Bloomberg_Call",
  "Bloomberg_Put",
  "CME",
  "ActantRisk",
  "Underlying Symbol",
  "Underlying Expiration Date (CT)",
  "Original",
  "CME_Original",
  "ActantRisk_Original",
  "ActantTrades",
  "ActantTime",
  "Broker",
  "PricingMonkey",
] as const;
export type CalendarColumn = (typeof calendarColumns)[number];

/** The findings that a row may have. */
export const calendarFindingCodes = {
  AMBIGUOUS_TEXT: "the text is right, but other options have the same text",
  CONFLICTING_EXPIRY: "rows of one series give different expiry days; none of them is used",
  DUPLICATE_SERIES: "an earlier row describes the same future or series",
  EMPTY_CELL: "the cell is empty, although its text is known",
  EXAMPLE_STRIKE: "the examples of the row name different options",
  EXPIRY_DATE: "the day is not the one that the exchange's rules and holidays give",
  EXPIRY_TIME: "the time is not the one at which contracts of that kind expire",
  FIRST_DAY: "the first available day is after the expiry",
  IMPROBABLE_EXPIRY: "the day is a week or more from the computed day, or on a weekend, and is not used",
  OTHER_FORM: "the text is not in the form that is printed, but means the same",
  PRODUCT_TEXT: "the words name another product, kind, weekday or week than the symbol",
  SHARED_TEXT: "the text is right, but a row of another series has it too",
  TEXT_DIFFERS: "the text is not that of the row's future or series",
  UNCHECKED: "no value is known to compare the cell with",
  UNKNOWN_SYMBOL: "the symbol names no known future or option series, so the row was not compared",
  UNREADABLE_DATE: "the date cannot be read",
} as const;
export type CalendarFindingCode = keyof typeof calendarFindingCodes;

/**
 * `differs`: the row contradicts the computed value. `ambiguous`: the text is correct, but a look-up by it
 * also finds another row or series. `form`: the text has the same meaning in another form. `unchecked`: the
 * cell could not be compared.
 */
type CalendarSeverity = "differs" | "ambiguous" | "form" | "unchecked";

export const calendarSeverities: Readonly<Record<CalendarFindingCode, CalendarSeverity>> = {
  AMBIGUOUS_TEXT: "ambiguous",
  CONFLICTING_EXPIRY: "differs",
  DUPLICATE_SERIES: "ambiguous",
  EMPTY_CELL: "differs",
  EXAMPLE_STRIKE: "differs",
  EXPIRY_DATE: "differs",
  EXPIRY_TIME: "differs",
  FIRST_DAY: "differs",
  IMPROBABLE_EXPIRY: "differs",
  OTHER_FORM: "form",
  PRODUCT_TEXT: "differs",
  SHARED_TEXT: "ambiguous",
  TEXT_DIFFERS: "differs",
  UNCHECKED: "unchecked",
  UNKNOWN_SYMBOL: "unchecked",
  UNREADABLE_DATE: "differs",
};

export interface CalendarRow {
  /** 1-based line of the file. */
  readonly line: number;
  /** The text of the column `Option Symbol`. */
  readonly symbol: string;
  /** The value of the column `Option Expiration Date (CT)`. */
  readonly expiry: CalendarMoment;
  /** The cells of all known columns of the file, including these two. */
  readonly cells: ReadonlyMap<CalendarColumn, string>;
}

/** Chicago time. */
interface CalendarMoment {
  readonly day: DayNumber;
  /** Minutes since midnight. */
  readonly minute: number;
}

export interface CalendarFinding {
  readonly line: number;
  readonly symbol: string;
  readonly column: CalendarColumn;
  readonly code: CalendarFindingCode;
  readonly severity: CalendarSeverity;
  /** The text in the cell; empty if the file lacks the column. */
  readonly stands: string;
  /** Null if there is no value to compare with. */
  readonly computed: string | null;
  readonly why: string;
}

interface CalendarCheck {
  readonly rows: number;
  /** Rows without any finding. */
  readonly agreeing: number;
  /** In order of rows, then of the columns in the desk's file. */
  readonly findings: readonly CalendarFinding[];
}

/**
 * The calendar to compute with. It has no as-of day, since each row's expiration date decides how one-digit
 * years are read.
 */
type CalendarContext = Pick<SymbolContext, "calendar">;

/**
 * Compares every row with the computed values. Missing columns are not compared. Linear in the rows: about 40
 * microseconds and at most twenty findings per row.
 */
export function checkCalendar(rows: readonly CalendarRow[], context: CalendarContext): CalendarCheck {
  const sheets = rows.map((row) => new Sheet(row, context.calendar));
  for (const sheet of sheets) if (!("ok" in sheet.subject)) checkRow(sheet, sheet.subject);
  findDuplicates(sheets);
  for (const column of baseColumns) findShared(sheets, column);
  const findings = sheets.flatMap((sheet) => sheet.inOrder());
  return { rows: rows.length, agreeing: sheets.filter(({ found }) => found.length === 0).length, findings };
}

/**
 * Returns the expiries of a calendar for an ExpiryCalendar, by name of the series or future. Uses only rows
 * that can be trusted: those with a known symbol, one day per name, and no day that is obviously a typing
 * error. The findings report the rest.
 */
export function overridesOf(
  rows: readonly CalendarRow[],
  context: CalendarContext,
): { readonly overrides: ExpiryOverrides; readonly findings: readonly CalendarFinding[] } {
  const sheets = rows.map((row) => new Sheet(row, context.calendar));
  const overrides = new Map<string, DayNumber>();
  for (const [name, group] of Map.groupBy(sheets, ({ name }) => name)) {
    if (name === undefined) continue;
    const { row, subject } = at(group, 0);
    if ("ok" in subject) continue;
    const rival = group.find((other) => other.row.expiry.day !== row.expiry.day);
    for (const sheet of group) {
      const other = sheet.row.expiry.day === row.expiry.day ? rival : group[0];
      const slip = slipOf(sheet.row.expiry.day, subject.expiry);
      if (other !== undefined) {
        const why = `line ${other.row.line} has ${formatDay(other.row.expiry.day)}, this line ${formatDay(sheet.row.expiry.day)}`;
        sheet.add(expiryColumn, "CONFLICTING_EXPIRY", subject.expiryText, why);
      } else if (slip === undefined) overrides.set(name, row.expiry.day);
      else sheet.add(expiryColumn, "IMPROBABLE_EXPIRY", subject.expiryText, slip);
    }
  }
  return { overrides, findings: sheets.flatMap((sheet) => sheet.inOrder()) };
}

/**
 * Reads `7/21/2025 14:00`, month first, with optional zero seconds. Returns undefined for other text, and for
 * a day outside of 2000 to 2099.
 */
export function parseCalendarMoment(text: string): CalendarMoment | undefined {
  const [, month, date, year, hour, minute] =
    /^(\d{1,2})\/(\d{1,2})\/(\d{4}) (\d{1,2}):(\d\d)(?::00)?$/.exec(text) ?? [];
  const day = realDay(Number(year), Number(month), Number(date));
  if (day === undefined || Number(hour) > 23 || Number(minute) > 59) return undefined;
  return { day, minute: Number(hour) * 60 + Number(minute) };
}

function formatMoment({ day, minute }: CalendarMoment): string {
  const { year, month, date } = dateOfDay(day);
  return `${month}/${date}/${year} ${Math.floor(minute / 60)}:${`${minute % 60}`.padStart(2, "0")}`;
}

const expiryColumn = "Option Expiration Date (CT)";
const underlyingExpiryColumn = "Underlying Expiration Date (CT)";

/** A row, the future or series that its symbol names, and the findings about it. */
class Sheet {
  readonly row: CalendarRow;
  readonly context: SymbolContext;
  readonly subject: Subject | Refused;
  /** The name of the future or series; undefined if the symbol is unknown. */
  readonly name: string | undefined;
  readonly found: CalendarFinding[] = [];

  constructor(row: CalendarRow, calendar: ExpiryCalendar) {
    this.row = row;
    this.context = { asOf: row.expiry.day, calendar };
    this.subject = subjectOf(row.symbol, this.context);
    this.name = "ok" in this.subject ? undefined : this.subject.name;
    if ("ok" in this.subject) this.add("Option Symbol", "UNKNOWN_SYMBOL", null, this.subject.why);
  }

  cell(column: CalendarColumn): string | undefined {
    return this.row.cells.get(column);
  }

  add(column: CalendarColumn, code: CalendarFindingCode, computed: string | null, why: string): void {
    const { line, symbol } = this.row;
    const found = this.cell(column) ?? "";
    this.found.push({
      line,
      symbol,
      column,
      code,
      severity: calendarSeverities[code],
      stands: found,
      computed,
      why,
    });
  }

  inOrder(): readonly CalendarFinding[] {
    return this.found.toSorted(
      (a, b) => calendarColumns.indexOf(a.column) - calendarColumns.indexOf(b.column),
    );
  }
}

/** The future or series that a row describes. */
interface Subject {
  readonly name: string;
  readonly product: Product;
  /** Undefined for a future. */
  readonly series: OptionSeries | undefined;
  /** The future, or an option of the series. */
  example(right: Right): FutureInstrument | OptionInstrument;
  /** Null if the last trading day is not known. */
  readonly expiry: CalendarMoment | null;
  /** The expiry in the form of the file. */
  readonly expiryText: string | null;
}

/** 111 points, in eighths; any strike would serve. */
const exampleStrike = 111 * 8;

/** Chicago time, minutes since midnight. */
const expiryMinutes = { weekday: 14 * 60, friday: 16 * 60, future: 12 * 60 + 1 } as const;

function subjectOf(symbol: string, context: SymbolContext): Subject | Refused {
  const bare = readSymbol(symbol, "cme", context);
  const reading: Reading =
    bare.ok || bare.code !== "NO_STRIKE" ? bare : readSymbol(`${symbol} C11100`, "cme", context);
  if (!reading.ok) return reading;
  const { instrument } = reading;
  if (instrument.kind === "future") return futureSubject(instrument);
  const { series } = instrument;
  const expiry = {
    day: series.expiry,
    minute: isFriday(series.family) ? expiryMinutes.friday : expiryMinutes.weekday,
  };
  return {
    name: series.name,
    product: series.product,
    series,
    example: (right) => optionOf(series, right, exampleStrike),
    expiry,
    expiryText: formatMoment(expiry),
  };
}

function futureSubject(future: FutureInstrument): Subject {
  const expiry = future.expiry === null ? null : { day: future.expiry, minute: expiryMinutes.future };
  const { name, product } = future;
  return {
    name,
    product,
    series: undefined,
    example: () => future,
    expiry,
    expiryText: expiry && formatMoment(expiry),
  };
}

const isFriday = (family: Family): family is "fri" | "standard" => family === "fri" || family === "standard";

function checkRow(sheet: Sheet, subject: Subject): void {
  const { row, context } = sheet;
  const first = sheet.cell("Option First Avail Date") ?? "";
  const firstDay = (parseCalendarMoment(first) ?? parseCalendarMoment(`${first} 0:00`))?.day;
  if (first !== "" && firstDay === undefined)
    sheet.add("Option First Avail Date", "UNREADABLE_DATE", null, "write the date as in 7/7/2025");
  else if (firstDay !== undefined && firstDay > row.expiry.day)
    sheet.add(
      "Option First Avail Date",
      "FIRST_DAY",
      null,
      `the expiry of the row is ${formatDay(row.expiry.day)}`,
    );
  compareMoment(sheet, expiryColumn, row.expiry, subject);
  checkProductText(sheet, subject);
  for (const text of dialectTexts) compareDialectText(sheet, text, subject);
  const own = subject.name;
  compareText(sheet, "ActantTime", {
    computed: timeText(subject),
    own,
    read: (text) => readTime(text, context),
  });
  const readMonkeyText = (text: string): Reading => readMonkey(text, subject.product, context.calendar);
  compareText(sheet, "PricingMonkey", { computed: monkeyText(subject), own, read: readMonkeyText });
  checkExamples(sheet, subject);

  const underlying = subject.series === undefined ? subject : underlyingOf(subject.series, context);
  if (!("ok" in underlying)) checkUnderlying(sheet, underlying);
  else sheet.add("Underlying Symbol", "UNCHECKED", null, underlying.why);
}

function checkUnderlying(sheet: Sheet, underlying: Subject): void {
  compareDialectText(
    sheet,
    { column: "Underlying Symbol", dialect: "cme", right: "C", tail: "" },
    underlying,
  );
  const found = sheet.cell(underlyingExpiryColumn);
  if (found === undefined) return;
  const moment = parseCalendarMoment(found);
  if (moment !== undefined) compareMoment(sheet, underlyingExpiryColumn, moment, underlying);
  else if (found === "")
    sheet.add(underlyingExpiryColumn, "EMPTY_CELL", underlying.expiryText, `it is ${underlying.expiryText}`);
  else
    sheet.add(
      underlyingExpiryColumn,
      "UNREADABLE_DATE",
      underlying.expiryText,
      "write the time as in 9/19/2025 12:01, month first",
    );
}

/** The future that a series delivers. Refused if its year is beyond the years that symbols can name. */
function underlyingOf({ underlying }: OptionSeries, context: SymbolContext): Subject | Refused {
  const reading = readSymbol(underlying, "canonical", context);
  if (!reading.ok) return reading;
  return reading.instrument.kind === "future"
    ? futureSubject(reading.instrument)
    : refused("UNKNOWN_FORM", `${underlying} is not a future`);
}

function compareMoment(
  sheet: Sheet,
  column: CalendarColumn,
  found: CalendarMoment,
  { series, expiry, expiryText, name }: Subject,
): void {
  if (expiry === null) {
    sheet.add(column, "UNCHECKED", null, `the last trading day of ${name} is not known`);
    return;
  }
  if (found.day !== expiry.day) {
    const computed = `${name} ${series === undefined ? "trades last" : "expires"} on ${formatDay(expiry.day)}`;
    if (series?.confirmed === false)
      sheet.add(
        column,
        "UNCHECKED",
        expiryText,
        `${computed} if the holiday rule of Friday options applies to it, which no notice confirms`,
      );
    else sheet.add(column, "EXPIRY_DATE", expiryText, `${computed}, not on ${formatDay(found.day)}`);
  }
  if (found.minute !== expiry.minute) {
    const kind =
      series === undefined
        ? "futures"
        : isFriday(series.family)
          ? "Friday and monthly options"
          : "Monday to Thursday options";
    const [, time] = (expiryText ?? "").split(" ");
    sheet.add(column, "EXPIRY_TIME", expiryText, `${kind} expire at ${time} Chicago time`);
  }
}

/** A column that holds texts of a dialect, without the strike. */
interface DialectText {
  readonly column: CalendarColumn;
  readonly dialect: DialectName;
  readonly right: Right;
  /** The ending that turns the text of a series into that of its option of strike 111. */
  readonly tail: string;
}

const dialectTexts: readonly DialectText[] = [
  { column: "Option Symbol", dialect: "cme", right: "C", tail: " C11100" },
  { column: "Bloomberg_Call", dialect: "bloomberg", right: "C", tail: " 111.000 Comdty" },
  { column: "Bloomberg_Put", dialect: "bloomberg", right: "P", tail: " 111.000 Comdty" },
  { column: "CME", dialect: "cme", right: "C", tail: " C11100" },
  { column: "ActantRisk", dialect: "actant-risk", right: "C", tail: ".111.C" },
  // The column has the call's name for calls and puts.
  { column: "ActantTrades", dialect: "actant-trades", right: "C", tail: "/111" },
  { column: "Broker", dialect: "broker", right: "C", tail: " 111.00" },
];

/** The columns used for look-ups: a look-up confuses two rows that share a text. */
const baseColumns: readonly CalendarColumn[] = [
  ...dialectTexts.map(({ column }) => column).filter((column) => column !== "Option Symbol"),
  "ActantTime",
  "PricingMonkey",
];

/** The calendar has one broker text for calls and puts. */
const bothRights = /^CALL\/PUT /;

function compareDialectText(
  sheet: Sheet,
  { column, dialect, right, tail }: DialectText,
  subject: Subject,
): void {
  const { context } = sheet;
  const instrument = subject.example(right);
  const printing = printSymbol(instrument, dialect, context);
  const ends = instrument.kind === "future" ? "" : tail;
  let computed: string | Refused;
  if (printing.ok) computed = printing.text.slice(0, printing.text.length - ends.length);
  else if (dialect === "broker" && printing.code === "CANNOT_CARRY" && instrument.kind === "option")
    computed = wordlessText(instrument.series, context) ?? printing;
  else computed = printing;
  if (typeof computed === "string" && dialect === "broker")
    computed = computed.replace(/^CALL /, "CALL/PUT ");
  const read = (text: string): Reading =>
    readSymbol(`${text.replace(bothRights, "CALL ")}${ends}`, dialect, context);
  compareText(sheet, column, { computed, own: instrument.name, read });
}

/**
 * Returns the text of the column Broker for an option that the broker dialect cannot print, because its words
 * fit several series. The calendar writes the month of expiry in it; for monthly options that is the month
 * before the contract month.
 */
function wordlessText(
  { product, family, year, month }: OptionSeries,
  context: SymbolContext,
): string | undefined {
  const index = monthIndex(year, month) - (family === "standard" ? 1 : 0);
  const printing = broker.print(futureOf(product, yearOfIndex(index), monthOfIndex(index), null), context);
  return printing.ok ? `CALL ${printing.text}` : undefined;
}

/** Notes that report a contradiction and not only another form of the text. */
const contradictions: ReadonlySet<string> = new Set([
  "WEEK_DIGIT_MISMATCH",
  "MONTH_LETTER_MISMATCH",
  "LAST_DAY_MISMATCH",
]);

interface ExpectedText {
  /** The text, or the reason why it cannot be computed. */
  readonly computed: string | Refused;
  /** The name that reading the text should yield. */
  readonly own: string;
  readonly read: (text: string) => Reading;
}

function compareText(sheet: Sheet, column: CalendarColumn, { computed, own, read }: ExpectedText): void {
  const found = sheet.cell(column);
  if (found === undefined) return;
  const expected = typeof computed === "string" ? computed : null;
  if (found === "") {
    if (expected !== null) sheet.add(column, "EMPTY_CELL", expected, `it is ${expected}`);
    return;
  }
  const reading = read(found);
  const means = reading.ok ? [reading.instrument.name] : (reading.candidates ?? []);
  const others = means.filter((name) => name !== own).map(withoutStrike);
  const notes = reading.ok ? reading.notes : [];
  const contradiction = notes.find(({ code }) => contradictions.has(code));
  if (means.includes(own) && others.length > 0)
    sheet.add(column, "AMBIGUOUS_TEXT", expected, `it is also the text of ${listed(others)}`);
  else if (found === expected) return;
  else if (contradiction !== undefined) sheet.add(column, "TEXT_DIFFERS", expected, contradiction.why);
  else if (means.includes(own))
    sheet.add(column, "OTHER_FORM", expected, notes.map(({ why }) => why).join("; ") || "it means the same");
  else if (others.includes(withoutStrike(own)))
    sheet.add(column, "TEXT_DIFFERS", expected, "it names puts instead of calls, or calls instead of puts");
  else if (others.length > 0)
    sheet.add(column, "TEXT_DIFFERS", expected, `it is the text of ${listed(others)}`);
  else if (typeof computed !== "string") sheet.add(column, "UNCHECKED", null, computed.why);
  else sheet.add(column, "TEXT_DIFFERS", expected, reading.ok ? "" : reading.why);
}

const withoutStrike = (name: string): string => name.replace(/-[CP]\d{3}\.\d{3}$/, "");

const listedMax = 6;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, listedMax).join(", ");
  return names.length > listedMax ? `${shown} and ${names.length - listedMax} more` : shown;
}

/**
 * Returns the key of the volatility-time files. The dialect `actant-time` reads such keys but never prints
 * one, since a key names no instrument.
 */
function timeText({ series, product }: Subject): string | Refused {
  if (series === undefined) return refused("CANNOT_CARRY", "volatility-time keys name expiries of options");
  if (product.code !== "ZN")
    return refused("NO_KNOWN_CODE", "the volatility-time files are known for the 10-year (ZN) only");
  return `XCME.ZN.N.G.${textOfDay(series.expiry)}`;
}

const readTime = (text: string, context: SymbolContext): Reading => readSymbol(text, "actant-time", context);

const monkeyWeekdays: readonly (Weekly | undefined)[] = [undefined, "mon", "tue", "wed", "thu", "fri"];

/**
 * Returns PricingMonkey's name of a series, such as `jul25 wk3 mon ty`. It states the nominal day, even if
 * that day is a holiday. The monthly option has the text of a Friday option. The names are known for the
 * 10-year only.
 */
function monkeyText({ series, product }: Subject): string | Refused {
  if (series === undefined) return refused("CANNOT_CARRY", "PricingMonkey names only options");
  if (product.code !== "ZN")
    return refused("NO_KNOWN_CODE", "the names of PricingMonkey are known for the 10-year (ZN) only");
  const { year, month, date } = dateOfDay(series.nominal);
  const when = `${monthNames[month - 1]?.toLowerCase()}${`${year % 100}`.padStart(2, "0")}`;
  return `${when} wk${Math.floor((date - 1) / 7) + 1} ${monkeyWeekdays[weekday(series.nominal)]} ty`;
}

function readMonkey(text: string, product: Product, calendar: ExpiryCalendar): Reading {
  const [, monthName = "", yearText = "", week, family] =
    /^([a-z]{3})(\d\d) wk([1-5]) (mon|tue|wed|thu|fri) ty$/.exec(text) ?? [];
  const first = dayOfText("01", monthName.toUpperCase(), yearText);
  if (first === undefined || product.code !== "ZN")
    return refused("UNKNOWN_FORM", "the names of PricingMonkey are like jul25 wk3 mon ty");
  const { year, month } = dateOfDay(first);
  const series =
    calendar.weekly({ product, family: family as Weekly, year, month, week: Number(week) }) ??
    (family === "fri" ? calendar.standardOfFriday(product, year, month, Number(week)) : undefined);
  if (series === undefined) return refused("NOT_LISTED", "there are no such options");
  return refused("NO_STRIKE", "", { candidates: [series.name] });
}

const examples = [
  { column: "Original", dialect: "cme" },
  { column: "CME_Original", dialect: "cme" },
  { column: "ActantRisk_Original", dialect: "actant-risk" },
] as const;

/**
 * The examples of a row may name any option of the series, but all of them must name the same option. The
 * first readable example decides which one.
 */
function checkExamples(sheet: Sheet, subject: Subject): void {
  const { context } = sheet;
  let model:
    | { readonly column: string; readonly instrument: FutureInstrument | OptionInstrument }
    | undefined;
  for (const { column, dialect } of examples) {
    const found = sheet.cell(column) ?? "";
    if (found === "") continue;
    const reading = readSymbol(found, dialect, context);
    const { instrument } = reading.ok ? reading : { instrument: subject.example("C") };
    const isOwn = (instrument.kind === "future" ? instrument.name : instrument.series.name) === subject.name;
    if (reading.ok && isOwn && model !== undefined && instrument.name !== model.instrument.name) {
      const printing = printSymbol(model.instrument, dialect, context);
      const why = `it names ${instrument.name}, but ${model.column} names ${model.instrument.name}`;
      sheet.add(column, "EXAMPLE_STRIKE", printing.ok ? printing.text : null, why);
      continue;
    }
    if (reading.ok && isOwn) model ??= { column, instrument };
    const own = isOwn ? instrument : (model?.instrument ?? subject.example("C"));
    const printing = printSymbol(own, dialect, context);
    const computed = printing.ok ? printing.text : printing;
    compareText(sheet, column, { computed, own: own.name, read: () => reading });
  }
}

/** The facts that the words for a product state. */
interface Words {
  /** `10` of `10-Year`. */
  readonly term: string;
  readonly paper: "bond" | "note" | "";
  readonly ultra: boolean;
  readonly kind: "options" | "future" | "";
  readonly weekly: boolean;
  readonly weekday: string;
  readonly week: string;
}

const wordsOf = (text: string): Words => ({
  term: /(\d{1,4})[- ]?years?\b/i.exec(text)?.[1] ?? "",
  paper: /\b(?:T-?)?bonds?\b/i.test(text) ? "bond" : /\b(?:T-?)?notes?\b/i.test(text) ? "note" : "",
  ultra: /\bultra\b/i.test(text),
  kind: /\boptions?\b/i.test(text) ? "options" : /\bfutures?\b/i.test(text) ? "future" : "",
  weekly: /\bweekly\b/i.test(text),
  weekday: /\b(?:mon|tues|wednes|thurs|fri)day\b/i.exec(text)?.[0].toLowerCase() ?? "",
  week: /\b(?:week|wk) ?(\d{1,4})\b/i.exec(text)?.[1] ?? "",
});

const weekdayNames: Readonly<Record<Weekly, string>> = {
  mon: "Monday",
  tue: "Tuesday",
  wed: "Wednesday",
  thu: "Thursday",
  fri: "Friday",
};

/**
 * The wording is free, but its meaning must match: `10-Year T-Note Weekly Options Wk 1` is as good as the
 * computed text.
 */
function checkProductText(sheet: Sheet, { product, series }: Subject): void {
  const found = sheet.cell("Option Product");
  if (found === undefined) return;
  const day = series === undefined || isFriday(series.family) ? "" : weekdayNames[series.family];
  const week = series === undefined || series.week === 0 ? "" : `${series.week}`;
  const computed =
    series === undefined
      ? `${product.name} Future`
      : week === ""
        ? `${product.name} Options`
        : `${product.name} ${day === "" ? "" : `${day} `}Weekly Options - Week ${week}`;
  if (found === "") {
    sheet.add("Option Product", "EMPTY_CELL", computed, `it is ${computed}`);
    return;
  }
  const said = wordsOf(found);
  const meant = wordsOf(computed);
  const wrong: string[] = [];
  // The bond's name has no term, so 30 years are not an error.
  const sameTerm = said.term === meant.term || (meant.paper === "bond" && said.term === "30");
  if (!sameTerm || said.paper !== meant.paper || said.ultra !== meant.ultra)
    wrong.push(`${product.code} is the ${product.name}`);
  if (said.kind !== meant.kind)
    wrong.push(`it is ${series === undefined ? "a future" : "a series of options"}`);
  if (said.weekly !== meant.weekly) wrong.push(meant.weekly ? "it is weekly" : "it is not weekly");
  if (said.weekday !== meant.weekday && !(said.weekday === "friday" && series?.family === "fri"))
    wrong.push(
      day === ""
        ? `it is not a ${said.weekday.replace(/^./, (letter) => letter.toUpperCase())} option`
        : `it is a ${day} option${said.weekday === "" ? ", which the words omit" : ""}`,
    );
  if (said.week !== meant.week) wrong.push(week === "" ? "it has no week" : `it is of week ${week}`);
  if (wrong.length > 0) sheet.add("Option Product", "PRODUCT_TEXT", computed, wrong.join("; "));
}

function findDuplicates(sheets: readonly Sheet[]): void {
  const firstOf = new Map<string, Sheet>();
  for (const sheet of sheets) {
    if (sheet.name === undefined) continue;
    const first = firstOf.get(sheet.name);
    if (first === undefined) firstOf.set(sheet.name, sheet);
    else
      sheet.add(
        "Option Symbol",
        "DUPLICATE_SERIES",
        null,
        `line ${first.row.line} also describes ${sheet.name}`,
      );
  }
}

/**
 * Reports correct texts that another row has as well; a text that is wrong or ambiguous by itself already has
 * a finding.
 */
function findShared(sheets: readonly Sheet[], column: CalendarColumn): void {
  const withText = sheets.filter((sheet) => (sheet.cell(column) ?? "") !== "");
  for (const [text, group] of Map.groupBy(withText, (sheet) => sheet.cell(column) ?? "")) {
    const firstOf = new Map<string, Sheet>();
    for (const sheet of group) {
      const name = sheet.name ?? sheet.row.symbol;
      if (!firstOf.has(name)) firstOf.set(name, sheet);
    }
    if (firstOf.size < 2) continue;
    const some = [...firstOf].slice(0, listedMax + 1);
    for (const sheet of group) {
      if (sheet.name === undefined || sheet.found.some((finding) => finding.column === column)) continue;
      const others = some.filter(([name]) => name !== sheet.name).slice(0, listedMax);
      const more = firstOf.size - 1 - others.length;
      const shown = others.map(([, { row }]) => `line ${row.line} (${row.symbol})`).join(", ");
      sheet.add(
        column,
        "SHARED_TEXT",
        text,
        `it is also in ${shown}${more > 0 ? ` and in rows of ${more} more series` : ""}`,
      );
    }
  }
}

/** The reason why a day must be a typing error; undefined if it may be an expiry moved by a holiday. */
function slipOf(day: DayNumber, computed: CalendarMoment | null): string | undefined {
  if (weekday(day) === 0 || weekday(day) === 6) return `${formatDay(day)} is on a weekend`;
  if (computed === null || Math.abs(day - computed.day) < 7) return undefined;
  return `${formatDay(day)} is ${Math.abs(day - computed.day)} days from ${formatDay(computed.day)}; no holiday moves an expiry so far`;
}
