import { describe, expect, it } from "vitest";
import { symbolNoteCodes, symbolRefusalCodes } from "../domain/market/finding-codes.ts";
import { parseDay } from "../domain/market/trading-day.ts";
import {
  type Detected,
  type Dialect,
  type DialectName,
  dialectAliases,
  dialectNamed,
  dialectNames,
  dialects,
  ExpiryCalendar,
  nearestSymbols,
  type Printing,
  printSymbol,
  type Read,
  type Reading,
  readAs,
  readSymbol,
  type Source,
  type SymbolContext,
  symbolLengthMax,
  yearOfDigit,
} from "./index.ts";

const calendar = new ExpiryCalendar();
const on = (day: string): SymbolContext => ({ asOf: parseDay(day) as number, calendar });
const today = "2025-07-24";

/** The name, or the code of the refusal, followed by the notes. */
const shown = (reading: Reading): string =>
  reading.ok ? [reading.instrument.name, ...reading.notes.map(({ code }) => code)].join(" ") : reading.code;
const read = (text: string, source: Source, day = today): Detected => readSymbol(text, source, on(day));
/** The instrument with a canonical name. */
const instrument = (name: string): Read["instrument"] => (read(name, "canonical") as Read).instrument;
const print = (name: string, target: DialectName, day = today): Printing =>
  printSymbol(instrument(name), target, on(day));
const printedText = (printing: Printing): string => (printing.ok ? printing.text : printing.code);

type Row = readonly [source: Source, text: string, expected: string, day?: string];
const dated = (rows: readonly Row[]) =>
  rows.map(([source, text, expected, day = today]) => [source, text, expected, day] as const);

/** Texts as the dialect prints them: read without a note, and printed back identically. */
const exact: readonly Row[] = [
  ["actant-trades", "XCMEFFDPSX20250919U0ZN", "ZNU2025"],
  ["actant-trades", "XCMEFFDPSX20250930U0ZT", "ZTU2025"],
  ["actant-trades", "XCMEFFDPSX20251231Z0ZF", "ZFZ2025"],
  ["actant-trades", "XCMEFFDPSX20250919U0ZB", "ZBU2025"],
  ["actant-trades", "XCMEFFDPSX20250919U0TN", "TNU2025"],
  ["actant-trades", "XCMEFFDPSX20350919U0UB", "UBU2035", "2035-01-02"],
  ["actant-trades", "XCMEOPADPS20250721N0VY3/111.25", "ZN-2025-07-VY3-P111.250"],
  ["actant-trades", "XCMEOCADPS20250714N0VY2/108", "ZN-2025-07-VY2-C108.000"],
  ["actant-trades", "XCMEOCADPS20250714N0VT2/103.125", "ZT-2025-07-VT2-C103.125"],
  ["actant-trades", "XCMEOPADPS20250805Q0GY1/99.5", "ZN-2025-08-GY1-P099.500"],
  ["actant-trades", "XCMEOPADPS20250718N0UB3/9.5", "UB-2025-07-UB3-P009.500"],
  ["actant-trades", "XCMEOCADPS20250807Q0HY1/0.5", "ZN-2025-08-HY1-C000.500"],
  ["actant-trades", "XCMEOPADPS20250725Q0OZN/110.5", "ZN-2025-08-OZN-P110.500"],
  ["actant-trades", "XCMEOCADPS20250902U0VY1/111", "ZN-2025-09-VY1-C111.000"],
  ["actant-trades", "XCMEOCADPS20250902U0GY1/111", "ZN-2025-09-GY1-C111.000"],
  ["actant-risk", "XCME.ZN.SEP25", "ZNU2025"],
  ["actant-risk", "XCME.UB.DEC25", "UBZ2025"],
  ["actant-risk", "XCME.VY3.21JUL25.111:75.C", "ZN-2025-07-VY3-C111.750"],
  ["actant-risk", "XCME.VY3.21JUL25.111.P", "ZN-2025-07-VY3-P111.000"],
  ["actant-risk", "XCME.ZN1.01AUG25.111:5.C", "ZN-2025-08-ZN1-C111.500"],
  ["actant-risk", "XCME.ZN3.18JUL25.110:25.P", "ZN-2025-07-ZN3-P110.250"],
  ["actant-risk", "XCME.ZF3.18JUL25.108:125.P", "ZF-2025-07-ZF3-P108.125"],
  ["actant-risk", "XCME.OZN.AUG25.110:5.P", "ZN-2025-08-OZN-P110.500"],
  ["actant-risk", "XCME.VY1.01SEP25.111.C", "ZN-2025-09-VY1-C111.000"],
  ["actant-risk", "XCME.GY1.02SEP25.111.C", "ZN-2025-09-GY1-C111.000"],
  ["bloomberg", "TYU5 Comdty", "ZNU2025"],
  ["bloomberg", "TUU5 Comdty", "ZTU2025"],
  ["bloomberg", "UXYU5 Comdty", "TNU2025"],
  ["bloomberg", "WNU5 Comdty", "UBU2025"],
  ["bloomberg", "RXU5 Comdty", "RXU2025"],
  ["bloomberg", "TYZ4 Comdty", "ZNZ2024", "2024-07-24"],
  ["bloomberg", "VBYN25C3 111.750 Comdty", "ZN-2025-07-VY3-C111.750"],
  ["bloomberg", "TJPQ25P1 110.500 Comdty", "ZN-2025-08-GY1-P110.500"],
  ["bloomberg", "TYWQ25C1 112.500 Comdty", "ZN-2025-08-WY1-C112.500"],
  ["bloomberg", "TJWQ25C1 113.250 Comdty", "ZN-2025-08-HY1-C113.250"],
  ["bloomberg", "VFTN25C2 103.125 Comdty", "ZT-2025-07-VT2-C103.125"],
  ["bloomberg", "3MN5P 110.250 Comdty", "ZN-2025-07-ZN3-P110.250"],
  ["bloomberg", "TYQ5P 110.750 Comdty", "ZN-2025-08-OZN-P110.750"],
  ["bloomberg", "UXYQ5C 113.000 Comdty", "TN-2025-08-OTN-C113.000"],
  ["bloomberg", "USQ5P 99.000 Comdty", "ZB-2025-08-OZB-P099.000"],
  ["cme", "ZNU5", "ZNU2025"],
  ["cme", "UBU5", "UBU2025"],
  ["cme", "VY3N5 C11175", "ZN-2025-07-VY3-C111.750"],
  ["cme", "ZN5Q5 C11150", "ZN-2025-08-ZN5-C111.500"],
  ["cme", "OZNQ5 P11050", "ZN-2025-08-OZN-P110.500"],
  ["cme", "VT2N5 C10312", "ZT-2025-07-VT2-C103.125"],
  ["cme", "VT2N5 C10337", "ZT-2025-07-VT2-C103.375"],
  ["cme", "OZBQ5 P09950", "ZB-2025-08-OZB-P099.500"],
  ["broker", "SEP 25 CBT 10YR TNOTE", "ZNU2025"],
  ["broker", "SEP 25 CBT 2YR TNOTE", "ZTU2025"],
  ["broker", "DEC 25 CBT 5YR TNOTE", "ZFZ2025"],
  ["broker", "SEP 25 CBT 30YR TBOND", "ZBU2025"],
  ["broker", "PUT AUG 25 CBT 10YR TNOTE W1 TUES OPT 110.50", "ZN-2025-08-GY1-P110.500"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE WED WK1 112.75", "ZN-2025-08-WY1-C112.750"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE W1 THURS OPT 112.50", "ZN-2025-08-HY1-C112.500"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE WKLY WK2 112.75", "ZN-2025-08-ZN2-C112.750"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE WKLY WK2 112.125", "ZN-2025-08-ZN2-C112.125"],
  ["canonical", "ZNU2025", "ZNU2025"],
  ["canonical", "RXZ2099", "RXZ2099"],
  ["canonical", "ZN-2025-07-VY3-P111.250", "ZN-2025-07-VY3-P111.250"],
  ["canonical", "ZN-2025-08-OZN-C099.875", "ZN-2025-08-OZN-C099.875"],
  ["canonical", "ZN-2025-08-OZN-C009.875", "ZN-2025-08-OZN-C009.875"],
  ["canonical", "ZN-2025-08-OZN-C000.125", "ZN-2025-08-OZN-C000.125"],
  ["canonical", "ZN-2025-08-OZN-C400.000", "ZN-2025-08-OZN-C400.000"],
];

it.each(["TYU25 Comdty", "TYU25", "ZNU25"])(
  "%s is refused with a suggestion that has a one-digit year",
  (text) => {
    const refusal = readSymbol(text, "auto", {
      asOf: parseDay("2025-07-24") as number,
      calendar: new ExpiryCalendar(),
    });
    const meant = text.replace("25", "5");
    expect(refusal).toMatchObject({
      ok: false,
      code: "UNKNOWN_FORM",
      nearest: [meant],
      why: expect.stringContaining(meant),
    });
  },
);

describe("exact spellings", () => {
  it.each(dated(exact))("%s %s is %s", (source, text, name, day) => {
    expect(shown(read(text, source, day))).toBe(name);
    expect(printedText(print(name, source as DialectName, day))).toBe(text);
  });

  it.each(dated(exact))("auto detects %s: %s", (source, text, name, day) => {
    const reading = read(text, "auto", day);
    expect([reading.dialect, shown(reading)]).toEqual([source, name]);
  });
});

/** Other spellings: read as the same instrument, with a note on the correction or contradiction. */
const noted: readonly Row[] = [
  ["bloomberg", "TYU5 COMDTY", "ZNU2025 CASE"],
  ["bloomberg", "tyu5 comdty", "ZNU2025 CASE"],
  ["cme", "vy3n5 c11175", "ZN-2025-07-VY3-C111.750 CASE"],
  ["actant-risk", "xcme.vy3.21jul25.111:75.c", "ZN-2025-07-VY3-C111.750 CASE"],
  ["canonical", "zn-2025-07-vy3-p111.250", "ZN-2025-07-VY3-P111.250 CASE"],
  ["broker", "Sep 25 CBT 10yr TNote", "ZNU2025 CASE"],
  ["bloomberg", " TYU5  Comdty\r\n", "ZNU2025 WHITESPACE"],
  ["bloomberg", "\tTYU5\tCOMDTY ", "ZNU2025 WHITESPACE CASE"],
  ["actant-trades", "XCMEFFDPSX20250919U0ZN ", "ZNU2025 WHITESPACE"],
  ["bloomberg", "TYU5", "ZNU2025 MISSING_COMDTY"],
  ["bloomberg", "TYQ5P 110.750", "ZN-2025-08-OZN-P110.750 MISSING_COMDTY"],
  ["bloomberg", "3MN5P 110.25", "ZN-2025-07-ZN3-P110.250 MISSING_COMDTY"],
  ["bloomberg", " vbyn25c3 111.75 ", "ZN-2025-07-VY3-C111.750 WHITESPACE CASE MISSING_COMDTY"],
  // Codes of another house, or another code of the same house.
  ["bloomberg", "TYYQ25C1 112.500 Comdty", "ZN-2025-08-WY1-C112.500 CODE_ALIAS"],
  ["actant-trades", "XCMEFFDPSX20250918U0TY", "ZNU2025 CODE_ALIAS LAST_DAY_MISMATCH"],
  ["actant-trades", "XCMEFFDPSX20250919U0US", "ZBU2025 CODE_ALIAS"],
  ["actant-trades", "XCMEFFDPSX20250919U0UXY", "TNU2025 CODE_ALIAS"],
  ["actant-trades", "XCMEFFDPSX20250908U0RX", "RXU2025 CODE_ALIAS"],
  // Bare roots.
  ["bloomberg", "TY", "ZNU2025 FRONT_CONTRACT", "2025-07-16"],
  ["cme", "ZN", "ZNU2025 FRONT_CONTRACT", "2025-07-16"],
  ["bloomberg", "RX", "RXH2025 FRONT_CONTRACT", "2025-01-31"],
  ["bloomberg", "US", "ZBZ2025 FRONT_CONTRACT", "2025-11-30"],
  // Contradicting dates, and the other date of a moved expiry.
  ["actant-trades", "XCMEFFDPSX20251230Z0ZF", "ZFZ2025 LAST_DAY_MISMATCH"],
  ["actant-trades", "XCMEFFDPSX20250919Z0ZN", "ZNU2025 MONTH_LETTER_MISMATCH"],
  ["actant-trades", "XCMEOPADPS20250721Q0VY3/111.25", "ZN-2025-07-VY3-P111.250 MONTH_LETTER_MISMATCH"],
  ["actant-trades", "XCMEOPADPS20250725N0OZN/110.5", "ZN-2025-08-OZN-P110.500 MONTH_LETTER_MISMATCH"],
  ["actant-trades", "XCMEOCADPS20250721N0VY2/109.50", "ZN-2025-07-VY3-C109.500 WEEK_DIGIT_MISMATCH"],
  [
    "actant-trades",
    "XCMEOCADPS20250721Q0VY2/109.50",
    "ZN-2025-07-VY3-C109.500 WEEK_DIGIT_MISMATCH MONTH_LETTER_MISMATCH",
  ],
  ["actant-risk", "XCME.VY2.21JUL25.109:5.C", "ZN-2025-07-VY3-C109.500 WEEK_DIGIT_MISMATCH"],
  ["actant-trades", "XCMEOCADPS20250901U0VY1/111", "ZN-2025-09-VY1-C111.000 HOLIDAY_DATE"],
  ["actant-risk", "XCME.VY1.02SEP25.111.C", "ZN-2025-09-VY1-C111.000 HOLIDAY_DATE"],
  ["actant-trades", "XCMEOCADPS20160101F0ZN1/125", "ZN-2016-01-ZN1-C125.000 HOLIDAY_DATE"],
  ["actant-trades", "XCMEOCADPS20241226Z0WY4/109", "ZN-2024-12-WY4-C109.000 HOLIDAY_DATE"],
  // The Friday of the monthly option.
  ["actant-trades", "XCMEOPADPS20250725N0ZN4/110.75", "ZN-2025-08-OZN-P110.750 STANDARD_FRIDAY"],
  ["actant-risk", "XCME.ZN4.25JUL25.110:75.P", "ZN-2025-08-OZN-P110.750 STANDARD_FRIDAY"],
  ["bloomberg", "4MN5P 110.750 Comdty", "ZN-2025-08-OZN-P110.750 STANDARD_FRIDAY"],
  ["cme", "ZN4N5 P11075", "ZN-2025-08-OZN-P110.750 STANDARD_FRIDAY"],
  ["broker", "PUT JUL 25 CBT 10YR TNOTE WKLY WK4 110.75", "ZN-2025-08-OZN-P110.750 STANDARD_FRIDAY"],
  // The weekday digit used until 18 July 2025.
  ["actant-risk", "XCME.ZN2.14JUL25.110:25.C", "ZN-2025-07-VY2-C110.250 OLD_FORM"],
  ["actant-risk", "XCME.ZN3.15JUL25.110:25.P", "ZN-2025-07-GY3-P110.250 OLD_FORM"],
  ["actant-risk", "XCME.ZN4.16JUL25.110:25.P", "ZN-2025-07-WY3-P110.250 OLD_FORM"],
  ["actant-risk", "XCME.ZN5.17JUL25.110:25.P", "ZN-2025-07-HY3-P110.250 OLD_FORM"],
  ["actant-risk", "XCME.ZN6.18JUL25.110:25.P", "ZN-2025-07-ZN3-P110.250 OLD_FORM"],
  ["actant-risk", "XCME.ZN.25JUL25.110:25.P", "ZN-2025-08-OZN-P110.250 OLD_FORM"],
  // Six digits of a strike: hundredths with a leading 0, or thousandths.
  ["cme", "VY3N5 C011175", "ZN-2025-07-VY3-C111.750 STRIKE_FORM"],
  ["cme", "VY3N5 C111750", "ZN-2025-07-VY3-C111.750 STRIKE_FORM"],
  ["cme", "VT2N5 C103125", "ZT-2025-07-VT2-C103.125 STRIKE_FORM"],
  ["cme", "OZNQ5 P009950", "ZN-2025-08-OZN-P099.500 STRIKE_FORM"],
  ["cme", "ZN4N5 P011075", "ZN-2025-08-OZN-P110.750 STANDARD_FRIDAY STRIKE_FORM"],
  // A one-digit year in another decade.
  ["bloomberg", "TYZ9 Comdty", "ZNZ2019 YEAR_IN_OTHER_DECADE"],
  ["bloomberg", "TYH0 Comdty", "ZNH2030 YEAR_IN_OTHER_DECADE", "2029-12-31"],
  ["bloomberg", "TYZ9 Comdty", "ZNZ2029 YEAR_IN_OTHER_DECADE", "2030-01-02"],
  ["cme", "ZN1F0 C11000", "ZN-2030-01-ZN1-C110.000 YEAR_IN_OTHER_DECADE", "2029-12-31"],
];

/** Further spellings of a dialect that are read without a note. */
const silent: readonly Row[] = [
  ["broker", "CALL AUG 25 CBT 10YR T NOTE W1 THURS OPT 112.50", "ZN-2025-08-HY1-C112.500"],
  ["broker", "SEP 25 CBT 30YR T BOND", "ZBU2025"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE WED WK1 112.5", "ZN-2025-08-WY1-C112.500"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE WED WK1 112", "ZN-2025-08-WY1-C112.000"],
  ["actant-trades", "XCMEOCADPS20250714N0VY2/109.50", "ZN-2025-07-VY2-C109.500"],
  ["actant-trades", "XCMEOCADPS20250714N0VY2/111.00", "ZN-2025-07-VY2-C111.000"],
  ["actant-risk", "XCME.VY3.21JUL25.111:50.C", "ZN-2025-07-VY3-C111.500"],
  ["actant-risk", "XCME.VY3.21JUL25.100:0.C", "ZN-2025-07-VY3-C100.000"],
  ["bloomberg", "VBYN25C3 111.75 Comdty", "ZN-2025-07-VY3-C111.750"],
  ["bloomberg", "VBYN25C3 111 Comdty", "ZN-2025-07-VY3-C111.000"],
];

describe("other spellings", () => {
  it.each(dated([...noted, ...silent]))("%s %j is %s", (source, text, expected, day) => {
    const reading = read(text, source, day);
    expect(shown(reading)).toBe(expected);
    for (const { why } of (reading as Read).notes) expect(why.length).toBeGreaterThan(20);
  });

  it.each([
    ["ZN-2024-12-WY4-C109.000", "XCMEOCADPS20241224Z0WY4/109"],
    ["ZN-2026-01-HY1-P110.500", "XCMEOPADPS20251231F0HY1/110.5"],
  ] as const)("%s is printed with a note that its date is unconfirmed: %s", (name, text) => {
    const printing = print(name, "actant-trades");
    expect([printedText(printing), printing.ok && printing.notes.map(({ code }) => code)]).toEqual([
      text,
      ["EXPIRY_UNCONFIRMED"],
    ]);
    expect(shown(read(text, "actant-trades"))).toBe(name);
  });

  it("cover every note except those of several dialects and of unconfirmed expiries, which other tests check", () => {
    const seen = noted.flatMap(([, , expected]) => expected.split(" ").slice(1));
    expect([...new Set([...seen, "SEVERAL_DIALECTS", "EXPIRY_UNCONFIRMED"])].sort()).toEqual(
      Object.keys(symbolNoteCodes).sort(),
    );
  });
});

const unread: readonly Row[] = [
  ["broker", "CALL AUG 25 CBT 10YR TNOTE 112.50", "AMBIGUOUS"],
  ["bloomberg", "TY", "AMBIGUOUS", "2025-09-10"],
  ["cme", "ZN", "AMBIGUOUS", "2025-12-31"],
  ["actant-risk", "XCME.ZN5.02JUL26.110.C", "AMBIGUOUS"],
  ["actant-risk", "XCME.ZN5.28NOV25.110.C", "AMBIGUOUS"],
  ["actant-trades", "XCMEFFDPSX20250230H0ZN", "BAD_DATE"],
  ["actant-trades", "XCMEFFDPSX19990919U0ZN", "BAD_DATE"],
  ["actant-trades", "XCMEFFDPSX99990919U0ZN", "BAD_DATE"],
  ["actant-trades", "XCMEOCADPS20251314N0VY2/109", "BAD_DATE"],
  ["actant-risk", "XCME.VY3.31JUN25.111.C", "BAD_DATE"],
  ["actant-risk", "XCME.VY3.21JLY25.111.C", "BAD_DATE"],
  ["actant-risk", "XCME.ZN.SPT25", "BAD_DATE"],
  ["actant-time", "XCME.ZN.N.G.32JUL25", "BAD_DATE"],
  ["broker", "SPT 25 CBT 10YR TNOTE", "BAD_DATE"],
  ["bloomberg", "VBYN25C3 110.12 Comdty", "BAD_STRIKE"],
  ["bloomberg", "VBYN25C3 110.1250000001 Comdty", "BAD_STRIKE"],
  ["bloomberg", "VBYN25C3 110.0125 Comdty", "BAD_STRIKE"],
  ["bloomberg", "VBYN25C3 110. Comdty", "BAD_STRIKE"],
  ["bloomberg", "VBYN25C3 110.5.0 Comdty", "BAD_STRIKE"],
  ["bloomberg", "VBYN25C3 010.5 Comdty", "BAD_STRIKE"],
  ["bloomberg", "VBYN25C3 0 Comdty", "BAD_STRIKE"],
  ["bloomberg", "VBYN25C3 400.125 Comdty", "BAD_STRIKE"],
  ["bloomberg", "VBYN25C3 11175 Comdty", "BAD_STRIKE"],
  ["actant-trades", "XCMEOCADPS20250714N0VY2/0110.5", "BAD_STRIKE"],
  ["actant-trades", "XCMEOCADPS20250714N0VY2/111.01", "BAD_STRIKE"],
  ["actant-risk", "XCME.VY3.21JUL25.111:05.C", "BAD_STRIKE"],
  ["actant-risk", "XCME.VY3.21JUL25.111:.C", "BAD_STRIKE"],
  ["cme", "VY3N5 C00000", "BAD_STRIKE"],
  ["cme", "VY3N5 C11113", "BAD_STRIKE"],
  ["cme", "VY3N5 C99950", "BAD_STRIKE"],
  ["cme", "VY3N5 C099500", "BAD_STRIKE"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE WED WK1 112.10", "BAD_STRIKE"],
  ["canonical", "ZN-2025-07-VY3-P000.000", "BAD_STRIKE"],
  ["canonical", "ZN-2025-07-VY3-P111.100", "BAD_STRIKE"],
  ["actant-trades", "XCMEOCADPS20250715N0VY3/110", "DATE_NOT_OF_SERIES"],
  ["actant-trades", "XCMEOCADPS20250718N0OZN/110", "DATE_NOT_OF_SERIES"],
  ["actant-trades", "XCMEFFDPSX20251230U0ZN", "DATE_NOT_OF_SERIES"],
  ["actant-risk", "XCME.WY3.21JUL25.110.C", "DATE_NOT_OF_SERIES"],
  ["actant-risk", "XCME.ZN.18JUL25.110.C", "DATE_NOT_OF_SERIES"],
  ["actant-time", "XCME.ZN.N.G.20JUL25", "DATE_NOT_OF_SERIES"],
  ["auto", "", "EMPTY"],
  ["bloomberg", " \t\r\n ", "EMPTY"],
  ["bloomberg", "TYU5\u00a0Comdty", "NOT_ASCII"],
  ["cme", "ＺＮＵ５", "NOT_ASCII"],
  ["cme", "ZNU\u0665", "NOT_ASCII"],
  ["auto", "\u0422YU5 Comdty", "NOT_ASCII"],
  ["auto", "ZNU5\0", "NOT_ASCII"],
  ["auto", "ZNU5\u007f", "NOT_ASCII"],
  ["bloomberg", "VBYN25C5 111.750 Comdty", "NOT_LISTED"],
  ["bloomberg", "VBYU23C1 111.750 Comdty", "NOT_LISTED"],
  ["bloomberg", "TYN5 Comdty", "NOT_LISTED"],
  ["actant-trades", "XCMEFFDPSX20250731N0ZN", "NOT_LISTED"],
  ["actant-risk", "XCME.ZN.JUL25", "NOT_LISTED"],
  ["cme", "GY1F5 C11000", "NOT_LISTED"],
  ["broker", "AUG 25 CBT 10YR TNOTE", "NOT_LISTED"],
  ["canonical", "ZNU1999", "NOT_LISTED"],
  ["canonical", "ZNU2100", "NOT_LISTED"],
  ["canonical", "ZN-2025-13-OZN-P110.000", "NOT_LISTED"],
  ["canonical", "ZN-2025-00-OZN-P110.000", "NOT_LISTED"],
  ["canonical", "ZN-2025-13-VY1-P110.000", "NOT_LISTED"],
  ["canonical", "ZN-2025-07-ZN4-P110.000", "NOT_LISTED"],
  ["actant-time", "XCME.ZN.N.G.21JUL25", "NO_STRIKE"],
  ["actant-time", "XCME.ZN.N.G.02SEP25", "NO_STRIKE"],
  ["actant-time", "XCME.ZN2.21JUL25", "NO_STRIKE"],
  ["actant-trades", "XCMEOCADPS20250714N0VY2", "NO_STRIKE"],
  ["bloomberg", "VBYN25C3", "NO_STRIKE"],
  ["bloomberg", "3MN5P Comdty", "NO_STRIKE"],
  ["bloomberg", "TYQ5C Comdty", "NO_STRIKE"],
  ["cme", "VY3N5", "NO_STRIKE"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE WED WK1", "NO_STRIKE"],
  ["auto", "TYU5".padEnd(symbolLengthMax + 1), "TOO_LONG"],
  ["auto", "hello", "UNKNOWN_FORM"],
  ["actant-trades", "TYU5 Comdty", "UNKNOWN_FORM"],
  ["actant-trades", "XCMEFFDPSX20250919U5ZN", "UNKNOWN_FORM"],
  ["actant-trades", "XCMEFFDPSX20250919A0ZN", "UNKNOWN_FORM"],
  ["actant-trades", "XCMEFFDPSX20250919U0ZN/111", "UNKNOWN_FORM"],
  ["actant-trades", "XCMEOXADPS20250714N0VY2/109", "UNKNOWN_FORM"],
  ["actant-trades", "XCMEOCADPS20250714N0VY6/109", "UNKNOWN_FORM"],
  ["actant-trades", "XCMEOCADPS20250714N0VY2/-1", "UNKNOWN_FORM"],
  ["actant-risk", "XCME.ZN.U5", "UNKNOWN_FORM"],
  ["actant-risk", "XCME.VY.21JUL25.111.C", "UNKNOWN_FORM"],
  ["actant-risk", "XCME.VY6.21JUL25.111.C", "UNKNOWN_FORM"],
  ["actant-risk", "XCME.VY3.21JUL25.111.75.C", "UNKNOWN_FORM"],
  ["actant-time", "XCME.ZN.N.G.21JUL2025", "UNKNOWN_FORM"],
  ["bloomberg", "TYU25 Comdty", "UNKNOWN_FORM"],
  ["bloomberg", "TYU5 Index", "UNKNOWN_FORM"],
  ["bloomberg", "TY1 Comdty", "UNKNOWN_FORM"],
  ["cme", "VY3N5C11175", "UNKNOWN_FORM"],
  ["cme", "WY2N53 C11175", "UNKNOWN_FORM"],
  ["cme", "VY3N5 C1117", "UNKNOWN_FORM"],
  ["broker", "SEP 2025 CBT 10YR TNOTE", "UNKNOWN_FORM"],
  ["canonical", "ZNU5", "UNKNOWN_FORM"],
  ["canonical", "ZN-2025-7-VY3-P111.250", "UNKNOWN_FORM"],
  ["canonical", "ZN-2025-07-VY3-P111.25", "UNKNOWN_FORM"],
  ["actant-trades", "XCME.RX.H5", "UNKNOWN_PRODUCT"],
  ["actant-trades", "XCMEFFDPSX20250919U0ZQ", "UNKNOWN_PRODUCT"],
  ["actant-risk", "XCME.RX.H5", "UNKNOWN_PRODUCT"],
  ["actant-risk", "XCME.TY.SEP25", "UNKNOWN_PRODUCT"],
  ["actant-time", "XCME.ZB.N.G.21JUL25", "UNKNOWN_PRODUCT"],
  ["bloomberg", "ZNU5 Comdty", "UNKNOWN_PRODUCT"],
  ["cme", "TYU5", "UNKNOWN_PRODUCT"],
  ["cme", "RXU5", "UNKNOWN_PRODUCT"],
  ["broker", "SEP 25 CBT 3YR TNOTE", "UNKNOWN_PRODUCT"],
  ["broker", "SEP 25 CBT 10YR TBOND", "UNKNOWN_PRODUCT"],
  ["canonical", "TYU2025", "UNKNOWN_PRODUCT"],
  ["canonical", "TY-2025-07-VY3-P111.250", "UNKNOWN_PRODUCT"],
  ["actant-trades", "XCMEOCADPS20250714N0TJ2/109", "UNKNOWN_SERIES"],
  ["actant-trades", "XCMEOCADPS20250714N0VY/109", "UNKNOWN_SERIES"],
  ["actant-trades", "XCMEOCADPS20250725Q0OZN4/109", "UNKNOWN_SERIES"],
  ["actant-risk", "XCME.XXX.01JAN99.100.C", "UNKNOWN_SERIES"],
  ["actant-risk", "XCME.OZQ.AUG25.110.C", "UNKNOWN_SERIES"],
  ["bloomberg", "WBYN25C3 111.750 Comdty", "UNKNOWN_SERIES"],
  ["bloomberg", "VBYN5C 111.750 Comdty", "UNKNOWN_SERIES"],
  ["bloomberg", "UXYN25C3 111.750 Comdty", "UNKNOWN_SERIES"],
  ["bloomberg", "TYQ25C3 111.750 Comdty", "UNKNOWN_FORM"],
  ["bloomberg", "ZNQ5C 111.750 Comdty", "UNKNOWN_SERIES"],
  ["cme", "TJ3N5 C11175", "UNKNOWN_SERIES"],
  ["cme", "OZN1Q5 C11175", "UNKNOWN_SERIES"],
  ["broker", "CALL AUG 25 CBT 5YR TNOTE WED WK1 108.75", "UNKNOWN_SERIES"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE WED WK1 TUES OPT 108.75", "UNKNOWN_SERIES"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE W1 112.50", "UNKNOWN_SERIES"],
  ["canonical", "ZN-2025-07-VF3-P111.250", "UNKNOWN_SERIES"],
  ["canonical", "ZN-2025-07-VY-P111.250", "UNKNOWN_SERIES"],
];

/** Instruments that a dialect cannot express, and the parts that would be lost. */
const unprinted: readonly {
  readonly target: DialectName;
  readonly name: string;
  readonly code: string;
  readonly lost?: readonly string[];
}[] = [
  { target: "actant-trades", name: "RXU2025", code: "NO_KNOWN_CODE" },
  { target: "actant-risk", name: "RXU2025", code: "NO_KNOWN_CODE" },
  { target: "actant-time", name: "ZNU2025", code: "CANNOT_CARRY", lost: ["everything"] },
  {
    target: "actant-time",
    name: "ZN-2025-07-VY3-P111.250",
    code: "CANNOT_CARRY",
    lost: ["series", "right", "strike"],
  },
  { target: "actant-time", name: "ZB-2025-07-VB3-P111.250", code: "NO_KNOWN_CODE" },
  { target: "bloomberg", name: "ZB-2025-07-VB3-P111.250", code: "NO_KNOWN_CODE" },
  { target: "bloomberg", name: "ZF-2025-07-ZF3-P108.250", code: "NO_KNOWN_CODE" },
  { target: "bloomberg", name: "TN-2025-08-GX1-P108.250", code: "NO_KNOWN_CODE" },
  { target: "bloomberg", name: "ZNU2028", code: "CANNOT_CARRY", lost: ["decade"] },
  { target: "bloomberg", name: "ZNU2017", code: "CANNOT_CARRY", lost: ["decade"] },
  { target: "bloomberg", name: "ZN-2035-08-OZN-P110.000", code: "CANNOT_CARRY", lost: ["decade"] },
  { target: "bloomberg", name: "ZN-2035-07-ZN3-P110.000", code: "CANNOT_CARRY", lost: ["decade"] },
  { target: "cme", name: "ZNU2028", code: "CANNOT_CARRY", lost: ["decade"] },
  { target: "cme", name: "ZN-2035-07-VY3-P110.000", code: "CANNOT_CARRY", lost: ["decade"] },
  { target: "cme", name: "RXU2025", code: "NO_KNOWN_CODE" },
  { target: "broker", name: "ZN-2025-07-VY3-P111.250", code: "CANNOT_CARRY", lost: ["series"] },
  { target: "broker", name: "ZN-2025-08-OZN-P111.250", code: "CANNOT_CARRY", lost: ["series"] },
  { target: "broker", name: "ZB-2025-07-WB3-P111.250", code: "NO_KNOWN_CODE" },
  { target: "broker", name: "ZB-2025-08-OZB-P111.250", code: "NO_KNOWN_CODE" },
  { target: "broker", name: "TNU2025", code: "NO_KNOWN_CODE" },
  { target: "broker", name: "UBU2025", code: "NO_KNOWN_CODE" },
  { target: "broker", name: "RXU2025", code: "NO_KNOWN_CODE" },
];

describe("refusals", () => {
  it.each(dated(unread))("%s %j is %s", (source, text, code, day) => {
    const reading = read(text, source, day);
    expect(shown(reading)).toBe(code);
    if (!reading.ok) expect(reading.why.length).toBeGreaterThan(15);
  });

  it.each(unprinted)("$target cannot print $name: $code $lost", ({ target, name, code, lost }) => {
    const printing = print(name, target);
    expect(printing.ok ? printing.text : [printing.code, printing.lost]).toEqual([code, lost]);
    if (!printing.ok) expect(printing.why.length).toBeGreaterThan(15);
  });

  it("cover every refusal code", () => {
    const seen = [...unread.map(([, , code]) => code), ...unprinted.map(({ code }) => code)];
    expect([...new Set(seen)].sort()).toEqual(Object.keys(symbolRefusalCodes).sort());
  });

  it.each([
    ["bloomberg", "TY", "2025-09-10", ["ZNU2025", "ZNZ2025"]],
    ["cme", "ZB", "2025-12-31", ["ZBZ2025", "ZBH2026"]],
    ["actant-risk", "XCME.ZN5.02JUL26.110.C", today, ["ZN-2026-07-ZN1", "ZN-2026-07-HY1"]],
    ["actant-risk", "XCME.ZN5.28NOV25.110.C", today, ["ZN-2025-11-ZN4", "ZN-2025-11-HY4"]],
    ["actant-time", "XCME.ZN.N.G.02SEP25", today, ["ZN-2025-09-VY1", "ZN-2025-09-GY1"]],
    ["canonical", "ZN-2025-07-ZN4-P110.000", today, ["ZN-2025-08-OZN-P110.000"]],
    [
      "broker",
      "CALL AUG 25 CBT 10YR TNOTE 112.50",
      today,
      [
        ...[
          "ZN-2025-08-VY1-C112.500",
          "ZN-2025-08-VY2-C112.500",
          "ZN-2025-08-VY3-C112.500",
          "ZN-2025-08-VY4-C112.500",
        ],
        ...["ZN-2025-09-OZN-C112.500", "ZN-2025-08-OZN-C112.500"],
      ],
    ],
  ] as const)("the refusal of %s %s as of %s lists the candidates", (source, text, day, candidates) => {
    const reading = read(text, source, day);
    expect(reading.ok ? shown(reading) : reading.candidates).toEqual(candidates);
  });

  it("report the place of the first character that is not ASCII", () => {
    expect(read("TYU5\u00a0Comdty", "bloomberg")).toMatchObject({
      code: "NOT_ASCII",
      why: expect.stringContaining("character 5 (U+00A0)"),
    });
  });

  it("for a long text begin above symbolLengthMax characters", () => {
    expect(shown(read("ZNU5".padEnd(symbolLengthMax), "cme"))).toBe("ZNU2025 WHITESPACE");
    expect(shown(read("ZNU5".padEnd(symbolLengthMax + 1), "cme"))).toBe("TOO_LONG");
    expect(Math.max(...exact.map(([, text]) => text.length)) * 1.5).toBeLessThan(symbolLengthMax);
  });
});

describe("the table of dialects", () => {
  it("has each dialect under its own name, and aliases for some", () => {
    expect(dialectNames).toEqual([
      "actant-trades",
      "actant-risk",
      "actant-time",
      "bloomberg",
      "cme",
      "broker",
      "canonical",
    ]);
    for (const name of dialectNames) expect([dialects[name].name, dialectNamed(name)]).toEqual([name, name]);
    for (const [alias, name] of Object.entries(dialectAliases))
      expect([alias, dialectNamed(alias)]).toEqual([alias, name]);
    expect(["cto", "CTO", "Bloomberg", "new", "ActantTrades"].map(dialectNamed)).toEqual([
      "bloomberg",
      "bloomberg",
      "bloomberg",
      "canonical",
      "actant-trades",
    ]);
  });

  it.each(["", "auto", "CMEX", "cme ", "toString", "constructor", "__proto__", "hasOwnProperty"])(
    "has no dialect called %j",
    (name) => {
      expect(dialectNamed(name)).toBeUndefined();
    },
  );

  it.each(
    dialectNames.flatMap((name) =>
      dialects[name].forms.map(({ example, form }) => [name, example, form] as const),
    ),
  )("%s reads its example %s, or refuses it if its form is described as refused", (name, example, form) => {
    const reading = read(example, name, "2025-07-16");
    const refusedForm = /refused/.test(form);
    expect([reading.ok, dialects[name].detects(example)]).toEqual([!refusedForm, true]);
    if (!reading.ok || /never printed/.test(form)) return;
    expect(shown(reading)).toBe(reading.instrument.name);
    expect(printedText(printSymbol(reading.instrument, name, on("2025-07-16")))).toBe(example);
  });
});

describe("detection", () => {
  it.each([
    ["TYU5", "bloomberg", "ZNU2025 MISSING_COMDTY"],
    ["ZNU5", "cme", "ZNU2025"],
    [" tyu5 ", "bloomberg", "ZNU2025 WHITESPACE CASE MISSING_COMDTY"],
    ["TY", "bloomberg", "ZNU2025 FRONT_CONTRACT"],
    ["ZN", "cme", "ZNU2025 FRONT_CONTRACT"],
    ["TN", "cme", "TNU2025 FRONT_CONTRACT"],
    ["UB", "cme", "UBU2025 FRONT_CONTRACT"],
    ["RX", "bloomberg", "RXU2025 FRONT_CONTRACT"],
    ["ZNU2025", "canonical", "ZNU2025"],
    ["XCME.ZN3.15JUL25.110:25.P", "actant-risk", "ZN-2025-07-GY3-P110.250 OLD_FORM"],
    ["CALL AUG 25 CBT 10YR T NOTE WED WK1 112.5", "broker", "ZN-2025-08-WY1-C112.500"],
    // Refused by the only dialect that has the form.
    ["XCME.ZN.N.G.21JUL25", "actant-time", "NO_STRIKE"],
    ["XCME.RX.H5", "actant-risk", "UNKNOWN_PRODUCT"],
    ["CALL AUG 25 CBT 10YR TNOTE 112.50", "broker", "AMBIGUOUS"],
    ["VBYN25C3", "bloomberg", "NO_STRIKE"],
    // The form fits two dialects, one of which gives the more specific refusal.
    ["TYN5", "bloomberg", "NOT_LISTED"],
    ["ZNN5", "cme", "NOT_LISTED"],
    // No dialect has the form, or the text is not a symbol at all.
    ["hello world", null, "UNKNOWN_FORM"],
    ["", null, "EMPTY"],
    ["ZNU\u0665", null, "NOT_ASCII"],
  ] as const)("%j is detected as %s: %s", (text, dialect, expected) => {
    const reading = read(text, "auto", "2025-07-16");
    expect([reading.dialect, shown(reading)]).toEqual([dialect, expected]);
  });

  it("notes a text that means one instrument in two dialects, refuses one that means two, and prefers a reading to a refusal", () => {
    const a = made("a", { same: "ZNU2025", other: "ZNU2025", half: "ZNU2025", bad: "ZNN2025", neither: "?" });
    const b = made("b", {
      same: "ZNU2025",
      other: "ZNZ2025",
      half: "?",
      bad: "?",
      neither: "ZNN2025",
      "only b": "ZTU2025",
    });
    const c = made("c", { other: "ZNZ2025" });
    expect(dialects.canonical.detects("same")).toBe(false);
    const among = (text: string) => readAs(text, [a, b, c], on(today));
    const summary = (text: string) => [among(text).dialect, shown(among(text))];
    expect(summary("same")).toEqual(["a", "ZNU2025 SEVERAL_DIALECTS"]);
    expect(summary("other")).toEqual([null, "AMBIGUOUS"]);
    expect(among("other")).toMatchObject({
      candidates: ["ZNU2025", "ZNZ2025"],
      why: "it means ZNU2025 in a, ZNZ2025 in b, ZNZ2025 in c; name the dialect",
    });
    expect(summary("half")).toEqual(["a", "ZNU2025"]);
    expect(summary("only b")).toEqual(["b", "ZTU2025"]);
    expect(summary("bad")).toEqual(["a", "NOT_LISTED"]);
    expect(summary("neither")).toEqual(["b", "NOT_LISTED"]);
    expect(summary("none")).toEqual([null, "UNKNOWN_FORM"]);
  });
});

/** A dialect with words for some instruments; `?` is an unknown product. */
function made<Name extends string>(
  name: Name,
  words: Readonly<Record<string, string>>,
): Dialect & { readonly name: Name } {
  return {
    name,
    describes: "words for some instruments",
    forms: [],
    detects: (text) => Object.hasOwn(words, text),
    parse: (text, context) => dialects.canonical.parse((words[text] ?? "").replace("?", "XXU2025"), context),
    print: (printed) => ({
      ok: true,
      text: Object.keys(words).find((word) => words[word] === printed.name) ?? "",
      notes: [],
    }),
  };
}

describe("one-digit years", () => {
  it("mean the latest year with that last digit that is at most two years ahead", () => {
    const asOf = on(today).asOf;
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => yearOfDigit(digit, asOf))).toEqual([
      2020, 2021, 2022, 2023, 2024, 2025, 2026, 2027, 2018, 2019,
    ]);
  });

  it("end in the digit and lie from seven years back to two ahead, on the first and last day of every year", () => {
    const wrong: string[] = [];
    for (let year = 2000; year <= 2099; year++)
      for (const day of [`${year}-01-01`, `${year}-12-31`])
        for (let digit = 0; digit <= 9; digit++) {
          const meant = yearOfDigit(digit, on(day).asOf);
          if (meant % 10 !== digit || meant < year - 7 || meant > year + 2)
            wrong.push(`${digit} on ${day}: ${meant}`);
        }
    expect(wrong).toEqual([]);
  });

  it.each(["bloomberg", "cme"] as const)(
    "%s prints a year only in those years in which its one digit is read as that year again",
    (name) => {
      for (let year = 2015; year <= 2045; year++) {
        const printing = print("ZNU2025", name, `${year}-06-15`);
        const carried = year >= 2023 && year <= 2032;
        expect([year, printing.ok]).toEqual([year, carried]);
        if (!printing.ok)
          expect(printing).toMatchObject({
            code: "CANNOT_CARRY",
            lost: ["decade"],
            why: expect.stringContaining("2025"),
          });
        else
          expect(shown(read(printing.text, name, `${year}-06-15`))).toBe(
            `ZNU2025${Math.floor(year / 10) === 202 ? "" : " YEAR_IN_OTHER_DECADE"}`,
          );
      }
    },
  );
});

describe("nearest symbols", () => {
  it.each([
    // Two characters swapped, one too many, one missing, one changed.
    ["actant-trades", "XCMEFFDPSX20250919U0NZ", "XCMEFFDPSX20250919U0ZN"],
    ["actant-trades", "XCMEOPADPS20250721N0VY3//111.25", "XCMEOPADPS20250721N0VY3/111.25"],
    ["actant-risk", "XCME.VY3.21JUL25.111:75C", "XCME.VY3.21JUL25.111:75.C"],
    ["bloomberg", "YTU5 Comdty", "TYU5 Comdty"],
    ["bloomberg", "VBYN25C3 111.850 Comdty", "VBYN25C3 111.750 Comdty"],
    ["cme", "VY3N5C11175", "VY3N5 C11175"],
    ["broker", "SEP 25 CBT 10YR TNOET", "SEP 25 CBT 10YR TNOTE"],
    ["canonical", "ZNU205", "ZNU2025"],
    ["auto", "XCMEFFDPSX2025091U0ZN", "XCMEFFDPSX20250919U0ZN"],
    ["auto", " tyuu5 comdty", "TYU5 Comdty"],
  ] as const)("%s %j may be %s", (source, text, expected) => {
    expect(read(text, source).ok).toBe(false);
    expect(nearestSymbols(text, source, on(today))).toContain(expected);
  });

  it("are at most three, translate without a note, and are the same every time", () => {
    for (const [source, text] of unread) {
      const near = nearestSymbols(text, source, on(today));
      expect(near.length).toBeLessThanOrEqual(3);
      for (const one of near) expect(shown(read(one, source))).toMatch(/^\S+\d$/);
      expect(nearestSymbols(text, source, on(today))).toEqual(near);
    }
  });

  it("are empty for a text that is not close to any symbol", () => {
    for (const text of ["", " ", "hello world", "A".repeat(symbolLengthMax), "A".repeat(1_000_000)])
      expect(nearestSymbols(text, "auto", on(today))).toEqual([]);
  });
});
