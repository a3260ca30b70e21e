import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readCalendarFile } from "../../src/adapters/csv/calendar-file.ts";
import { type CalendarColumn, checkCalendar, ExpiryCalendar, overridesOf } from "../../src/symbols/index.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";

const calendar = new ExpiryCalendar();

describe.skipIf(!hasSharedData)("the desk's own calendar", async () => {
  const { rows, read, quarantine } = hasSharedData
    ? await readCalendarFile(join(sharedData, "symbols/expiration-calendar.csv"))
    : { rows: [], read: 0, quarantine: [] };
  const result = checkCalendar(rows, { calendar });

  it("is read completely", () => {
    expect([rows.length, read, quarantine]).toEqual([55, 55, []]);
  });

  it("has exactly the known findings by code and column", () => {
    const count = Map.groupBy(
      result.findings,
      ({ severity, code, column }) => `${severity} ${code} ${column}`,
    );
    expect(Object.fromEntries([...count].map(([what, found]) => [what, found.length]))).toEqual({
      // Every option has a strike of 111 in two of its examples and of 11 in the third.
      "form OTHER_FORM CME_Original": 51,
      "differs EXAMPLE_STRIKE ActantRisk_Original": 51,
      "differs EXPIRY_TIME Option Expiration Date (CT)": 1,
      "differs PRODUCT_TEXT Option Product": 1,
      "differs TEXT_DIFFERS Broker": 1,
      "differs TEXT_DIFFERS PricingMonkey": 1,
      "ambiguous AMBIGUOUS_TEXT ActantTime": 2,
      "ambiguous AMBIGUOUS_TEXT Broker": 13,
      "ambiguous SHARED_TEXT Broker": 1,
      "ambiguous SHARED_TEXT PricingMonkey": 1,
    });
    const symbols = new Set(result.findings.map(({ symbol }) => symbol));
    expect([result.rows, result.agreeing]).toEqual([55, 3]);
    expect(rows.filter(({ symbol }) => !symbols.has(symbol)).map(({ symbol }) => symbol)).toEqual([
      "ZNU5",
      "ZTU5",
      "ZFU5",
    ]);
  });

  it("has the known contradictions outside its examples, and the known shared texts", () => {
    const told = result.findings.filter(({ column }) => !/Original$/.test(column));
    expect(told.map(({ line, symbol, column, code }) => `${line} ${symbol} ${column} ${code}`)).toEqual([
      "2 VY3N5 Broker AMBIGUOUS_TEXT",
      "6 OZNQ5 Broker AMBIGUOUS_TEXT",
      "7 VY4N5 Broker AMBIGUOUS_TEXT",
      "12 VY1Q5 Broker AMBIGUOUS_TEXT",
      "17 VY2Q5 Broker AMBIGUOUS_TEXT",
      "21 ZN3Q5 Option Expiration Date (CT) EXPIRY_TIME",
      "22 VY3Q5 Broker AMBIGUOUS_TEXT",
      "26 OZNU5 Broker AMBIGUOUS_TEXT",
      "27 VY4Q5 Broker AMBIGUOUS_TEXT",
      "32 VY1U5 ActantTime AMBIGUOUS_TEXT",
      "32 VY1U5 Broker TEXT_DIFFERS",
      "32 VY1U5 PricingMonkey TEXT_DIFFERS",
      "33 GY1U5 ActantTime AMBIGUOUS_TEXT",
      "33 GY1U5 Broker SHARED_TEXT",
      "33 GY1U5 PricingMonkey SHARED_TEXT",
      "36 VY2U5 Broker AMBIGUOUS_TEXT",
      "41 VY3U5 Broker AMBIGUOUS_TEXT",
      "49 ZBU5 Option Product PRODUCT_TEXT",
      "50 VY4U5 Broker AMBIGUOUS_TEXT",
      "54 OZNV5 Broker AMBIGUOUS_TEXT",
      "55 VY5U5 Broker AMBIGUOUS_TEXT",
    ]);
  });

  it("has these findings in full", () => {
    const of = (line: number, column: CalendarColumn) =>
      result.findings.filter((finding) => finding.line === line && finding.column === column);
    expect([
      ...of(21, "Option Expiration Date (CT)"),
      ...of(49, "Option Product"),
      ...of(32, "Broker"),
      ...of(33, "Broker"),
      ...of(33, "ActantTime"),
      ...of(2, "CME_Original"),
      ...of(2, "ActantRisk_Original"),
    ]).toEqual([
      {
        line: 21,
        symbol: "ZN3Q5",
        column: "Option Expiration Date (CT)",
        code: "EXPIRY_TIME",
        severity: "differs",
        stands: "8/15/2025 17:00",
        computed: "8/15/2025 16:00",
        why: "Friday and monthly options expire at 16:00 Chicago time",
      },
      {
        line: 49,
        symbol: "ZBU5",
        column: "Option Product",
        code: "PRODUCT_TEXT",
        severity: "differs",
        stands: "20-Year Treasury Note Future",
        computed: "Treasury Bond Future",
        why: "ZB is the Treasury Bond",
      },
      {
        line: 32,
        symbol: "VY1U5",
        column: "Broker",
        code: "TEXT_DIFFERS",
        severity: "differs",
        stands: "CALL/PUT SEP 25 CBT 10YR TNOTE W1 TUES OPT",
        computed: "CALL/PUT SEP 25 CBT 10YR TNOTE",
        why: "it is the text of ZN-2025-09-GY1",
      },
      {
        line: 33,
        symbol: "GY1U5",
        column: "Broker",
        code: "SHARED_TEXT",
        severity: "ambiguous",
        stands: "CALL/PUT SEP 25 CBT 10YR TNOTE W1 TUES OPT",
        computed: "CALL/PUT SEP 25 CBT 10YR TNOTE W1 TUES OPT",
        why: "it is also in line 32 (VY1U5)",
      },
      {
        line: 33,
        symbol: "GY1U5",
        column: "ActantTime",
        code: "AMBIGUOUS_TEXT",
        severity: "ambiguous",
        stands: "XCME.ZN.N.G.02SEP25",
        computed: "XCME.ZN.N.G.02SEP25",
        why: "it is also the text of ZN-2025-09-VY1",
      },
      {
        line: 2,
        symbol: "VY3N5",
        column: "CME_Original",
        code: "OTHER_FORM",
        severity: "form",
        stands: "VY3N5 C011100",
        computed: "VY3N5 C11100",
        why: "C011100 has six digits; five are printed",
      },
      {
        line: 2,
        symbol: "VY3N5",
        column: "ActantRisk_Original",
        code: "EXAMPLE_STRIKE",
        severity: "differs",
        stands: "XCME.VY3.21JUL25.11.C",
        computed: "XCME.VY3.21JUL25.111.C",
        why: "it names ZN-2025-07-VY3-C011.000, but Original names ZN-2025-07-VY3-C111.000",
      },
    ]);
  });

  it("overrides no computed expiry with another day", () => {
    const { overrides, findings } = overridesOf(rows, { calendar });
    expect([overrides.size, findings]).toEqual([55, []]);
    const moved = new ExpiryCalendar(overrides);
    expect(checkCalendar(rows, { calendar: moved }).findings).toEqual(result.findings);
  });
});
