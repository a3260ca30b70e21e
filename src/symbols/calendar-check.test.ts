import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs } from "../../test/campaigns.ts";
import { dateOfDay, dayNumber, formatDay, parseDay } from "../domain/market/trading-day.ts";
import {
  type CalendarColumn,
  type CalendarFinding,
  type CalendarRow,
  calendarColumns,
  calendarFindingCodes,
  calendarSeverities,
  checkCalendar,
  dialects,
  ExpiryCalendar,
  type OptionSeries,
  overridesOf,
  parseCalendarMoment,
  products,
} from "./index.ts";
import { optionOf } from "./instrument.ts";

const calendar = new ExpiryCalendar();

const tuesday =
  "7/8/2025,7/22/2025 14:00,10-Year Treasury Note Tuesday Weekly Options - Week 4,GY4N5,TJPN25C4,TJPN25P4,GY4N5,XCME.GY4.22JUL25,ZNU5,9/19/2025 12:01,GY4N5 C11100,GY4N5 P11050,XCME.GY4.22JUL25.111.C,XCMEOCADPS20250722N0GY4,XCME.ZN.N.G.22JUL25,CALL/PUT JUL 25 CBT 10YR TNOTE W4 TUES OPT,jul25 wk4 tue ty";
const wednesday =
  "7/24/2025,8/6/2025 14:00,10-Year Treasury Note Wednesday Weekly Options Wk 1,WY1Q5,TYWQ25C1,TYWQ25P1,WY1Q5,XCME.WY1.06AUG25,ZNU5,9/19/2025 12:01,WY1Q5 C11100,,,XCMEOCADPS20250806Q0WY1,XCME.ZN.N.G.06AUG25,CALL/PUT AUG 25 CBT 10YR TNOTE WED WK1,aug25 wk1 wed ty";
const friday =
  "7/3/2025,8/1/2025 16:00,10-Year T-Note Weekly Options Wk 1,ZN1Q5,1MQ5C,1MQ5P,ZN1Q5,XCME.ZN1.01AUG25,ZNU5,9/19/2025 12:01,ZN1Q5 C11100,ZN1Q5 C11100,XCME.ZN1.01AUG25.111.C,XCMEOCADPS20250801Q0ZN1,XCME.ZN.N.G.01AUG25,CALL/PUT AUG 25 CBT 10YR TNOTE WKLY WK1,aug25 wk1 fri ty";
const monthly =
  "3/21/2025,7/25/2025 16:00,10-Year T-Note Options,OZNQ5,TYQ5C,TYQ5P,OZNQ5,XCME.OZN.AUG25,ZNU5,9/19/2025 12:01,OZNQ5 C11100,OZNQ5 C11100,XCME.OZN.AUG25.111.C,XCMEOCADPS20250725Q0OZN,XCME.ZN.N.G.25JUL25,CALL/PUT JUL 25 CBT 10YR TNOTE,jul25 wk4 fri ty";
const moved =
  "8/19/2025,9/2/2025 14:00,10-Year Treasury Note Monday Weekly Options - Week 1,VY1U5,VBYU25C1,VBYU25P1,VY1U5,XCME.VY1.01SEP25,ZNZ5,12/19/2025 12:01,VY1U5 C11100,VY1U5 C11100,XCME.VY1.01SEP25.111.C,XCMEOCADPS20250902U0VY1,XCME.ZN.N.G.02SEP25,CALL/PUT SEP 25 CBT 10YR TNOTE,sep25 wk1 mon ty";
const future =
  "3/19/2025,9/30/2025 12:01,2-Year Treasury Note Future,ZTU5,TUU5 Comdty,TUU5 Comdty,ZTU5,XCME.ZT.SEP25,ZTU5,9/30/2025 12:01,,,XCME.ZT.SEP25,XCMEFFDPSX20250930U0ZT,,SEP 25 CBT 2YR TNOTE,";
const bond =
  "3/19/2025,9/19/2025 12:01,30-Year Treasury Bond Future,ZBU5,USU5 Comdty,USU5 Comdty,ZBU5,XCME.ZB.SEP25,ZBU5,9/19/2025 12:01,,,,XCMEFFDPSX20250919U0ZB,,SEP 25 CBT 30YR TBOND,";

/**
 * A row as the desk's file writes it, with some columns changed. The rows of these tests contain no quotes.
 */
function rowOf(text: string, line = 2, changed: Partial<Record<CalendarColumn, string>> = {}): CalendarRow {
  const values = text.split(",");
  expect(values).toHaveLength(calendarColumns.length);
  const cells = new Map(
    calendarColumns.map((column, index) => [column, changed[column] ?? (values[index] as string)]),
  );
  const expiry = parseCalendarMoment(cells.get("Option Expiration Date (CT)") as string);
  if (expiry === undefined) throw new Error("the test row has no expiry");
  return { line, symbol: cells.get("Option Symbol") as string, expiry, cells };
}

const check = (...rows: readonly CalendarRow[]) => checkCalendar(rows, { calendar });
const short = ({ line, column, code, computed }: CalendarFinding): string =>
  `${line} ${column} ${code} ${computed ?? "–"}`;

describe("rows that agree", () => {
  it.each([
    ["Tuesday", tuesday.replace("GY4N5 P11050", "GY4N5 C11100")],
    ["Wednesday, without some examples", wednesday],
    ["Friday", friday],
    ["a future", future],
    ["the bond, whose words may say 30-Year", bond],
    ["the bond, as CME names it", bond.replace("30-Year Treasury Bond Future", "U.S. Treasury Bond Futures")],
  ])("a row agrees in every cell: %s", (_, text) => {
    expect(check(rowOf(text))).toEqual({ rows: 1, agreeing: 1, findings: [] });
  });

  it("rows of a monthly option and of a moved expiry agree except for texts that several options share", () => {
    expect(
      check(rowOf(monthly), rowOf(moved, 3)).findings.map((finding) => [
        short(finding),
        finding.severity,
        finding.why,
      ]),
    ).toEqual([
      [
        "2 Broker AMBIGUOUS_TEXT CALL/PUT JUL 25 CBT 10YR TNOTE",
        "ambiguous",
        "it is also the text of ZN-2025-07-VY1, ZN-2025-07-VY2, ZN-2025-07-VY3, ZN-2025-07-VY4, ZN-2025-07-OZN",
      ],
      [
        "3 ActantTime AMBIGUOUS_TEXT XCME.ZN.N.G.02SEP25",
        "ambiguous",
        "it is also the text of ZN-2025-09-GY1",
      ],
      [
        "3 Broker AMBIGUOUS_TEXT CALL/PUT SEP 25 CBT 10YR TNOTE",
        "ambiguous",
        "it is also the text of ZN-2025-09-VY2, ZN-2025-09-VY3, ZN-2025-09-VY4, ZN-2025-09-VY5, ZN-2025-10-OZN, ZN-2025-09-OZN",
      ],
    ]);
  });

  it("a row with few columns agrees in the columns that it has", () => {
    const { line, symbol, expiry, cells } = rowOf(monthly);
    const some = new Map(
      [...cells].filter(([column]) => column === "Option Symbol" || column === "ActantTrades"),
    );
    expect(check({ line, symbol, expiry, cells: some }).findings).toEqual([]);
  });
});

describe("errors in a cell", () => {
  it.each<
    readonly [
      column: CalendarColumn,
      stands: string,
      code: string,
      computed: string | null,
      why: string,
      text: string,
    ]
  >([
    [
      "Option First Avail Date",
      "7/23/2025",
      "FIRST_DAY",
      null,
      "the expiry of the row is 2025-07-22",
      tuesday,
    ],
    ["Option First Avail Date", "soon", "UNREADABLE_DATE", null, "as in 7/7/2025", tuesday],
    [
      "Option Expiration Date (CT)",
      "8/1/2025 17:00",
      "EXPIRY_TIME",
      "8/1/2025 16:00",
      "Friday and monthly options expire at 16:00",
      friday,
    ],
    [
      "Option Expiration Date (CT)",
      "7/22/2025 16:00",
      "EXPIRY_TIME",
      "7/22/2025 14:00",
      "Monday to Thursday options",
      tuesday,
    ],
    [
      "Option Expiration Date (CT)",
      "9/30/2025 12:00",
      "EXPIRY_TIME",
      "9/30/2025 12:01",
      "futures expire at 12:01",
      future,
    ],
    [
      "Option Expiration Date (CT)",
      "7/29/2025 14:00",
      "EXPIRY_DATE",
      "7/22/2025 14:00",
      "ZN-2025-07-GY4 expires on 2025-07-22, not on 2025-07-29",
      tuesday,
    ],
    [
      "Option Expiration Date (CT)",
      "9/1/2025 14:00",
      "EXPIRY_DATE",
      "9/2/2025 14:00",
      "ZN-2025-09-VY1 expires on 2025-09-02",
      moved,
    ],
    [
      "Option Expiration Date (CT)",
      "9/29/2025 12:01",
      "EXPIRY_DATE",
      "9/30/2025 12:01",
      "ZTU2025 trades last on 2025-09-30",
      future,
    ],
    [
      "Option Product",
      "20-Year Treasury Bond Future",
      "PRODUCT_TEXT",
      "Treasury Bond Future",
      "ZB is the Treasury Bond",
      bond,
    ],
    [
      "Option Product",
      "30-Year Treasury Note Future",
      "PRODUCT_TEXT",
      "Treasury Bond Future",
      "ZB is the Treasury Bond",
      bond,
    ],
    [
      "Option Product",
      "Ultra Treasury Bond Future",
      "PRODUCT_TEXT",
      "Treasury Bond Future",
      "ZB is the Treasury Bond",
      bond,
    ],
    [
      "Option Product",
      "2-Year Treasury Note Options",
      "PRODUCT_TEXT",
      "2-Year Treasury Note Future",
      "it is a future",
      future,
    ],
    [
      "Option Product",
      "10-Year T-Note Thursday Weekly Options Wk 4",
      "PRODUCT_TEXT",
      "10-Year Treasury Note Tuesday Weekly Options - Week 4",
      "it is a Tuesday option",
      tuesday,
    ],
    [
      "Option Product",
      "10-Year T-Note Weekly Options Wk 4",
      "PRODUCT_TEXT",
      "10-Year Treasury Note Tuesday Weekly Options - Week 4",
      "it is a Tuesday option, which the words omit",
      tuesday,
    ],
    [
      "Option Product",
      "10-Year T-Note Tuesday Weekly Options Wk 3",
      "PRODUCT_TEXT",
      "10-Year Treasury Note Tuesday Weekly Options - Week 4",
      "it is of week 4",
      tuesday,
    ],
    [
      "Option Product",
      "10-Year T-Note Monday Weekly Options Wk 1",
      "PRODUCT_TEXT",
      "10-Year Treasury Note Weekly Options - Week 1",
      "it is not a Monday option",
      friday,
    ],
    [
      "Option Product",
      "10-Year T-Note Weekly Options Wk 4",
      "PRODUCT_TEXT",
      "10-Year Treasury Note Options",
      "it is not weekly; it has no week",
      monthly,
    ],
    ["Bloomberg_Call", "TJPN25C3", "TEXT_DIFFERS", "TJPN25C4", "it is the text of ZN-2025-07-GY3", tuesday],
    ["Bloomberg_Call", "TJPN25P4", "TEXT_DIFFERS", "TJPN25C4", "names puts instead of calls", tuesday],
    ["Bloomberg_Put", "TJPN25C4", "TEXT_DIFFERS", "TJPN25P4", "calls instead of puts", tuesday],
    ["Bloomberg_Call", "TYYQ25C1", "OTHER_FORM", "TYWQ25C1", "TYY is also published", wednesday],
    [
      "Bloomberg_Put",
      "TUU5",
      "OTHER_FORM",
      "TUU5 Comdty",
      "Comdty that ends Bloomberg's names is missing",
      future,
    ],
    ["Bloomberg_Put", "TYU5 Comdty", "TEXT_DIFFERS", "TUU5 Comdty", "it is the text of ZNU2025", future],
    ["CME", "gy4n5", "OTHER_FORM", "GY4N5", "upper and lower case differ", tuesday],
    ["CME", "GY4Q5", "TEXT_DIFFERS", "GY4N5", "it is the text of ZN-2025-08-GY4", tuesday],
    ["CME", "TJ4N5", "TEXT_DIFFERS", "GY4N5", "no Treasury options called TJ4", tuesday],
    ["CME", "", "EMPTY_CELL", "GY4N5", "it is GY4N5", tuesday],
    ["ActantRisk", "XCME.GY4.29JUL25", "TEXT_DIFFERS", "XCME.GY4.22JUL25", "the date counts", tuesday],
    [
      "ActantRisk",
      "XCME.ZN3.22JUL25",
      "OTHER_FORM",
      "XCME.GY4.22JUL25",
      "the form used until 18 July 2025",
      tuesday,
    ],
    [
      "ActantRisk",
      "XCME.VY1.02SEP25",
      "OTHER_FORM",
      "XCME.VY1.01SEP25",
      "ZN-2025-09-VY1 is due on 2025-09-01, a holiday, and expires on 2025-09-02",
      moved,
    ],
    [
      "ActantTrades",
      "XCMEOCADPS20250722N0GY3",
      "TEXT_DIFFERS",
      "XCMEOCADPS20250722N0GY4",
      "week 3 contradicts 2025-07-22",
      tuesday,
    ],
    [
      "ActantTrades",
      "XCMEOPADPS20250722N0GY4",
      "TEXT_DIFFERS",
      "XCMEOCADPS20250722N0GY4",
      "of puts",
      tuesday,
    ],
    [
      "ActantTrades",
      "XCMEFFDPSX20250929U0ZT",
      "TEXT_DIFFERS",
      "XCMEFFDPSX20250930U0ZT",
      "the last trading day of ZTU2025 is 2025-09-30",
      future,
    ],
    [
      "ActantTime",
      "XCME.ZN.N.G.23JUL25",
      "TEXT_DIFFERS",
      "XCME.ZN.N.G.22JUL25",
      "it is the text of ZN-2025-07-WY4",
      tuesday,
    ],
    ["ActantTime", "XCME.ZN3.22JUL25", "OTHER_FORM", "XCME.ZN.N.G.22JUL25", "it means the same", tuesday],
    ["ActantTime", "XCME.ZN.N.G.22JUL25", "TEXT_DIFFERS", null, "it is the text of ZN-2025-07-GY4", future],
    [
      "Broker",
      "CALL/PUT JUL 25 CBT 10YR T NOTE W4 TUES OPT",
      "OTHER_FORM",
      "CALL/PUT JUL 25 CBT 10YR TNOTE W4 TUES OPT",
      "it means the same",
      tuesday,
    ],
    [
      "Broker",
      "CALL/PUT JUL 25 CBT 10YR TNOTE W4 THURS OPT",
      "TEXT_DIFFERS",
      "CALL/PUT JUL 25 CBT 10YR TNOTE W4 TUES OPT",
      "it is the text of ZN-2025-07-HY4",
      tuesday,
    ],
    [
      "Broker",
      "CALL/PUT JUL 25 CBT 10YR TNOTE",
      "TEXT_DIFFERS",
      "CALL/PUT JUL 25 CBT 10YR TNOTE W4 TUES OPT",
      "it is the text of ZN-2025-07-VY1, ",
      tuesday,
    ],
    [
      "Broker",
      "CALL/PUT AUG 25 CBT 10YR TNOTE",
      "AMBIGUOUS_TEXT",
      "CALL/PUT JUL 25 CBT 10YR TNOTE",
      "it is also the text of ZN-2025-08-VY1, ",
      monthly,
    ],
    [
      "PricingMonkey",
      "sep25 wk1 tue ty",
      "TEXT_DIFFERS",
      "sep25 wk1 mon ty",
      "it is the text of ZN-2025-09-GY1",
      moved,
    ],
    [
      "PricingMonkey",
      "jul25 wk4 fri ty",
      "TEXT_DIFFERS",
      "jul25 wk4 tue ty",
      "it is the text of ZN-2025-08-OZN",
      tuesday,
    ],
    ["PricingMonkey", "jul25 week 4", "TEXT_DIFFERS", "jul25 wk4 tue ty", "like jul25 wk3 mon ty", tuesday],
    [
      "PricingMonkey",
      "jul25 wk6 mon ty",
      "TEXT_DIFFERS",
      "jul25 wk4 tue ty",
      "like jul25 wk3 mon ty",
      tuesday,
    ],
    ["Underlying Symbol", "ZNZ5", "TEXT_DIFFERS", "ZNU5", "it is the text of ZNZ2025", tuesday],
    ["Underlying Symbol", "ZNU5", "TEXT_DIFFERS", "ZTU5", "it is the text of ZNU2025", future],
    [
      "Underlying Expiration Date (CT)",
      "9/20/2025 12:01",
      "EXPIRY_DATE",
      "9/19/2025 12:01",
      "ZNU2025 trades last on 2025-09-19",
      tuesday,
    ],
    [
      "Underlying Expiration Date (CT)",
      "9/19/2025 12:00",
      "EXPIRY_TIME",
      "9/19/2025 12:01",
      "futures",
      tuesday,
    ],
    [
      "Underlying Expiration Date (CT)",
      "19/9/2025 12:01",
      "UNREADABLE_DATE",
      "9/19/2025 12:01",
      "month first",
      tuesday,
    ],
    [
      "Underlying Expiration Date (CT)",
      "",
      "EMPTY_CELL",
      "9/19/2025 12:01",
      "it is 9/19/2025 12:01",
      tuesday,
    ],
    ["Original", "ZN2Q5 C11100", "TEXT_DIFFERS", "ZN1Q5 C11100", "it is the text of ZN-2025-08-ZN2", friday],
    [
      "CME_Original",
      "ZN1Q5 C011100",
      "OTHER_FORM",
      "ZN1Q5 C11100",
      "C011100 has six digits; five are printed",
      friday,
    ],
    [
      "CME_Original",
      "ZN1Q5 C11125",
      "EXAMPLE_STRIKE",
      "ZN1Q5 C11100",
      "it names ZN-2025-08-ZN1-C111.250, but Original names ZN-2025-08-ZN1-C111.000",
      friday,
    ],
    [
      "ActantRisk_Original",
      "XCME.ZN1.01AUG25.11.C",
      "EXAMPLE_STRIKE",
      "XCME.ZN1.01AUG25.111.C",
      "it names ZN-2025-08-ZN1-C011.000",
      friday,
    ],
    [
      "ActantRisk_Original",
      "XCME.ZN1.01AUG25",
      "TEXT_DIFFERS",
      "XCME.ZN1.01AUG25.111.C",
      "spot-risk keys are like",
      friday,
    ],
    ["Original", "ZTZ5", "TEXT_DIFFERS", "ZTU5", "it is the text of ZTZ2025", future],
  ])('%s "%s" is reported as %s', (column, stands, code, computed, why, text) => {
    const row = rowOf(text.replace("GY4N5 P11050", "GY4N5 C11100"), 7, { [column]: stands });
    const found = check(row).findings.filter((finding) => finding.column === column);
    expect(found).toEqual([
      {
        line: 7,
        symbol: row.symbol,
        column,
        code,
        severity: calendarSeverities[code as keyof typeof calendarSeverities],
        stands,
        computed,
        why: expect.stringContaining(why),
      },
    ]);
  });

  it("a wrong day and a wrong time of one expiry are two findings", () => {
    const row = rowOf(friday, 2, { "Option Expiration Date (CT)": "8/2/2025 17:00" });
    expect(check(row).findings.map(short)).toEqual([
      "2 Option Expiration Date (CT) EXPIRY_DATE 8/1/2025 16:00",
      "2 Option Expiration Date (CT) EXPIRY_TIME 8/1/2025 16:00",
    ]);
  });

  it("a put among the examples of a call is reported", () => {
    expect(check(rowOf(tuesday)).findings.map(short)).toEqual(["2 CME_Original EXAMPLE_STRIKE GY4N5 C11100"]);
  });
});

describe("cells and rows that cannot be compared", () => {
  it("a cell without a known text is reported as unchecked, not as agreeing", () => {
    const text =
      ",8/1/2025 16:00,2-Year Treasury Note Weekly Options - Week 1,ZT1Q5,3MQ5C,1XQ5P,ZT1Q5,XCME.ZT1.01AUG25,ZTU5,9/30/2025 12:01,,,,XCMEOCADPS20250801Q0ZT1,XCME.ZT.N.G.01AUG25,CALL/PUT AUG 25 CBT 2YR TNOTE WKLY WK1,aug25 wk1 fri tu";
    expect(check(rowOf(text)).findings.map((finding) => `${short(finding)}: ${finding.why}`)).toEqual([
      "2 Bloomberg_Call TEXT_DIFFERS –: it is the text of ZN-2025-08-ZN3",
      "2 Bloomberg_Put UNCHECKED –: no source says what Bloomberg calls Friday's options of the 2-Year Treasury Note",
      "2 ActantTime UNCHECKED –: the volatility-time files are known for the 10-year (ZN) only",
      "2 Broker UNCHECKED –: no source says what the broker calls options of the 2-Year Treasury Note",
      "2 PricingMonkey UNCHECKED –: the names of PricingMonkey are known for the 10-year (ZN) only",
    ]);
  });

  it("an expiry that a holiday moves by an unconfirmed rule is reported as unchecked", () => {
    const thanksgiving =
      ",11/28/2025 14:00,10-Year Treasury Note Thursday Weekly Options - Week 4,HY4X5,TJWX25C4,TJWX25P4,HY4X5,XCME.HY4.27NOV25,ZNH6,3/20/2026 12:01,,,,XCMEOCADPS20251128X0HY4,,,nov25 wk4 thu ty";
    expect(check(rowOf(thanksgiving)).findings.map(short)).toEqual([
      "2 Option Expiration Date (CT) UNCHECKED 11/26/2025 14:00",
      "2 ActantTrades OTHER_FORM XCMEOCADPS20251126X0HY4",
      "2 ActantTime EMPTY_CELL XCME.ZN.N.G.26NOV25",
      "2 Broker EMPTY_CELL CALL/PUT NOV 25 CBT 10YR TNOTE W4 THURS OPT",
    ]);
    expect(check(rowOf(thanksgiving.replace("11/28", "11/25"))).findings[0]?.code).toBe("UNCHECKED");
  });

  it.each([
    ["RXU5", "CME has no Treasury"],
    ["VY6N5", "CME's symbols are like"],
    ["VY5N5", "JUL 2025 has no option of week 5 on Mondays"],
    ["ZNQ5", "are listed for March, June"],
    ["ZN", "bare root may mean the expiring contract or the next"],
    ["TYU5 Comdty", "CME's symbols are like"],
    ["", "the symbol is empty"],
    ["\u202eZNU5", "U+202E"],
  ])("a row with the unknown symbol %j is not compared", (symbol, why) => {
    const row = rowOf(future, 2, { "Option Symbol": symbol });
    const { agreeing, findings } = check(row);
    expect([agreeing, findings.map(({ column, code, severity }) => [column, code, severity])]).toEqual([
      0,
      [["Option Symbol", "UNKNOWN_SYMBOL", "unchecked"]],
    ]);
    expect(findings[0]?.why).toContain(why);
  });
});

describe("several rows", () => {
  it("the later of two rows of one series is reported, whatever its name", () => {
    const again = rowOf(monthly, 9, { "Option Symbol": "ZN4N5" });
    const found = check(rowOf(monthly), again).findings.filter(({ column }) => column === "Option Symbol");
    expect(found.map((finding) => [finding.line, finding.code, finding.why])).toEqual([
      [
        9,
        "OTHER_FORM",
        "the monthly option ZN-2025-08-OZN expires on that Friday, so there is no weekly one",
      ],
      [9, "DUPLICATE_SERIES", "line 2 also describes ZN-2025-08-OZN"],
    ]);
  });

  it("a text copied into another row makes the look-up of its rightful row ambiguous", () => {
    const copied = rowOf(wednesday, 3, { Broker: "CALL/PUT AUG 25 CBT 10YR TNOTE WKLY WK1" });
    expect(
      check(rowOf(friday), copied).findings.map((finding) => `${short(finding)}: ${finding.why}`),
    ).toEqual([
      "2 Broker SHARED_TEXT CALL/PUT AUG 25 CBT 10YR TNOTE WKLY WK1: it is also in line 3 (WY1Q5)",
      "3 Broker TEXT_DIFFERS CALL/PUT AUG 25 CBT 10YR TNOTE WED WK1: it is the text of ZN-2025-08-ZN1",
    ]);
  });

  it("a finding lists the first few of many copies, and counts the others", () => {
    const copies = Array.from({ length: 12 }, (_, index) =>
      rowOf(future, 3 + index, { "Option Symbol": `ZQ${index}`, CME: "ZN1Q5" }),
    );
    const found = check(rowOf(friday), ...copies).findings.find(({ code }) => code === "SHARED_TEXT");
    expect(found?.why).toMatch(
      /^it is also in line 3 \(ZQ0\), .*line 8 \(ZQ5\) and in rows of 6 more series$/,
    );
  });
});

/**
 * A row with every text of a series, printed by the dialects for an option of another strike than the check
 * uses.
 */
function rowOfSeries(series: OptionSeries, line: number): CalendarRow {
  const context = { asOf: series.expiry, calendar };
  const text = (dialect: keyof typeof dialects, right: "C" | "P", tail: RegExp): string => {
    const printing = dialects[dialect].print(optionOf(series, right, 99 * 8 + 4), context);
    return printing.ok ? printing.text.replace(tail, "") : "";
  };
  const cme = text("cme", "C", / C09950$/);
  const { year, month, date } = dateOfDay(series.expiry);
  const cells = new Map<CalendarColumn, string>([
    [
      "Option Expiration Date (CT)",
      `${month}/${date}/${year} ${["fri", "standard"].includes(series.family) ? "16" : "14"}:00`,
    ],
    ["Option Symbol", cme],
    ["Bloomberg_Call", text("bloomberg", "C", / 99\.500 Comdty$/)],
    ["Bloomberg_Put", text("bloomberg", "P", / 99\.500 Comdty$/)],
    ["CME", cme],
    ["ActantRisk", text("actant-risk", "C", /\.99:5\.C$/)],
    ["ActantTrades", text("actant-trades", "C", /\/99\.5$/)],
    ["Original", text("cme", "C", /$/)],
    ["CME_Original", text("cme", "C", /$/)],
    ["ActantRisk_Original", text("actant-risk", "C", /$/)],
    ["Broker", text("broker", "C", / 99\.50$/).replace(/^CALL/, "CALL/PUT")],
  ]);
  return {
    line,
    symbol: cme,
    expiry: parseCalendarMoment(cells.get("Option Expiration Date (CT)") as string) as never,
    cells,
  };
}

describe("calendars made by the dialects", () => {
  const all = products.flatMap((product) =>
    product.lastDay === null
      ? []
      : Array.from({ length: 12 * 6 }, (_, index) =>
          calendar.seriesExpiringIn(product, 2025 + Math.floor(index / 12), (index % 12) + 1),
        ).flat(),
  );
  const rows = all.map((series, index) => rowOfSeries(series, index + 2));

  it("six years of all products agree, except for the broker text of Monday and monthly options", () => {
    expect(rows.length).toBeGreaterThan(8_000);
    const { agreeing, findings } = check(...rows);
    const wordless = all.filter(
      ({ product, family }) => product.code === "ZN" && (family === "mon" || family === "standard"),
    );
    expect(new Set(findings.map(({ column, code }) => `${column} ${code}`))).toEqual(
      new Set(["Broker EMPTY_CELL"]),
    );
    expect(findings).toHaveLength(wordless.length);
    expect(agreeing).toBe(rows.length - wordless.length);
  });

  it("a cell taken from another row never agrees", () => {
    const columns = [
      "CME",
      "Bloomberg_Call",
      "Bloomberg_Put",
      "ActantRisk",
      "ActantTrades",
      "Broker",
      "Original",
    ] as const;
    const place = fc.integer({ min: 0, max: rows.length - 1 });
    fc.assert(
      fc.property(place, place, fc.constantFrom(...columns), (at, from, column) => {
        const [row, other] = [rows[at] as CalendarRow, rows[from] as CalendarRow];
        const text = other.cells.get(column) as string;
        fc.pre(text !== "" && text !== row.cells.get(column));
        const cells = new Map(row.cells).set(column, text);
        const codes = check({ ...row, cells }).findings.filter((finding) => finding.column === column);
        expect(codes.map(({ code, severity }) => [code, severity])).toEqual([["TEXT_DIFFERS", "differs"]]);
      }),
      { numRuns: runs(60, 500) },
    );
  });

  it("the expiries become overrides unchanged", () => {
    const { overrides, findings } = overridesOf(rows, { calendar });
    expect(findings).toEqual([]);
    expect(overrides).toEqual(new Map(all.map(({ name, expiry }) => [name, expiry])));
  });
});

describe("any row at all", () => {
  it("has only findings whose code is in the catalogue, each with the severity of its code", () => {
    const seeds = [tuesday, wednesday, friday, monthly, moved, future, bond];
    const junk = fc.oneof(
      fc.string(),
      fc.string({ unit: "binary", maxLength: 200 }),
      fc.constantFrom(...seeds.flatMap((text) => text.split(","))),
      fc.constantFrom(
        "ZNZ9",
        "OZNF0",
        "ZN5Z9",
        "ZN1F0",
        "VY1F0",
        "OZNF0 C11100",
        "CALL/PUT JAN 00 CBT 10YR TNOTE",
      ),
    );
    const day = fc.oneof(
      fc.integer({ min: dayNumber(2000, 1, 1), max: dayNumber(2099, 12, 31) }),
      fc.constantFrom(
        dayNumber(2000, 1, 1),
        dayNumber(2099, 12, 31),
        dayNumber(2099, 12, 25),
        dayNumber(2025, 7, 22),
      ),
    );
    const row = fc
      .tuple(
        fc.constantFrom(...seeds),
        day,
        fc.array(fc.tuple(fc.constantFrom(...calendarColumns), junk), { maxLength: 4 }),
      )
      .map(([text, on, changes]): CalendarRow => {
        const cells = new Map(rowOf(text).cells);
        for (const [column, stands] of changes) cells.set(column, stands);
        return {
          line: 2,
          symbol: cells.get("Option Symbol") as string,
          expiry: { day: on, minute: 840 },
          cells,
        };
      });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 4 }), (rows) => {
        const { agreeing, findings } = check(...rows);
        expect(agreeing).toBeLessThanOrEqual(rows.length);
        for (const finding of [...findings, ...overridesOf(rows, { calendar }).findings]) {
          expect(Object.keys(calendarFindingCodes)).toContain(finding.code);
          expect(finding.severity).toBe(calendarSeverities[finding.code]);
        }
      }),
      { numRuns: runs(60, 500) },
    );
  });
});

describe("overrides", () => {
  const day = (text: string) => parseDay(text) as number;
  const given = (...rows: readonly CalendarRow[]) => {
    const { overrides, findings } = overridesOf(rows, { calendar });
    return {
      overrides: [...overrides].map(([name, on]) => `${name} ${formatDay(on)}`),
      findings: findings.map(({ line, code, computed, why }) => `${line} ${code} ${computed}: ${why}`),
    };
  };

  it("are the desk's expiries by name of the series or future", () => {
    expect(given(rowOf(tuesday), rowOf(monthly, 3), rowOf(moved, 4), rowOf(future, 5))).toEqual({
      overrides: [
        "ZN-2025-07-GY4 2025-07-22",
        "ZN-2025-08-OZN 2025-07-25",
        "ZN-2025-09-VY1 2025-09-02",
        "ZTU2025 2025-09-30",
      ],
      findings: [],
    });
  });

  it("give a calendar the desk's expiries", () => {
    const thursday = rowOf(tuesday, 2, { "Option Expiration Date (CT)": "7/24/2025 14:00" });
    const desks = new ExpiryCalendar(overridesOf([thursday], { calendar }).overrides);
    const row = {
      ...thursday,
      cells: new Map([...thursday.cells].filter(([column]) => /^Option (?:Exp|Sym)/.test(column))),
    };
    expect(checkCalendar([row], { calendar }).findings.map(({ code }) => code)).toEqual(["EXPIRY_DATE"]);
    expect(checkCalendar([row], { calendar: desks }).findings).toEqual([]);
  });

  it("resolve a one-digit year by the row's own date", () => {
    const symbol = { "Option Symbol": "ZNZ5" };
    const rows = ["12/21/2015 12:01", "12/19/2025 12:01", "12/19/2035 12:01"].map((text, index) =>
      rowOf(future, 2 + index, { ...symbol, "Option Expiration Date (CT)": text }),
    );
    expect(given(...rows).overrides).toEqual([
      "ZNZ2015 2015-12-21",
      "ZNZ2025 2025-12-19",
      "ZNZ2035 2035-12-19",
    ]);
    const january = rowOf(future, 2, {
      "Option Symbol": "OZNF0",
      "Option Expiration Date (CT)": "12/21/2029 16:00",
    });
    expect(given(january).overrides).toEqual(["ZN-2030-01-OZN 2029-12-21"]);
  });

  it("omit a series whose rows differ, and keep the others", () => {
    const other = rowOf(tuesday, 3, { "Option Expiration Date (CT)": "7/23/2025 14:00" });
    expect(given(rowOf(tuesday), other, rowOf(tuesday, 4), rowOf(friday, 5))).toEqual({
      overrides: ["ZN-2025-08-ZN1 2025-08-01"],
      findings: [
        "2 CONFLICTING_EXPIRY 7/22/2025 14:00: line 3 has 2025-07-23, this line 2025-07-22",
        "3 CONFLICTING_EXPIRY 7/22/2025 14:00: line 2 has 2025-07-22, this line 2025-07-23",
        "4 CONFLICTING_EXPIRY 7/22/2025 14:00: line 3 has 2025-07-23, this line 2025-07-22",
      ],
    });
  });

  it("omit unknown symbols and days that must be typing errors", () => {
    const unknown = rowOf(future, 2, { "Option Symbol": "RXU5" });
    const late = rowOf(tuesday, 3, { "Option Expiration Date (CT)": "7/29/2025 14:00" });
    const saturday = rowOf(friday, 4, { "Option Expiration Date (CT)": "8/2/2025 16:00" });
    const { overrides, findings } = given(unknown, late, saturday);
    expect([overrides, findings.map((text) => text.replace(/^(\d \S+ ).*: /, "$1"))]).toEqual([
      [],
      [
        expect.stringMatching(/^2 UNKNOWN_SYMBOL /),
        "3 IMPROBABLE_EXPIRY 2025-07-29 is 7 days from 2025-07-22; no holiday moves an expiry so far",
        "4 IMPROBABLE_EXPIRY 2025-08-02 is on a weekend",
      ],
    ]);
    expect(day("2025-08-02") % 7).toBe(2); // A Saturday, as 3 January 1970 was.
  });
});

describe("moments", () => {
  it.each([
    ["7/21/2025 14:00", "2025-07-21", 840],
    ["07/01/2025 09:05", "2025-07-01", 545],
    ["12/31/2099 0:00:00", "2099-12-31", 0],
    ["2/29/2028 23:59", "2028-02-29", 1439],
  ])("%s is read as the day %s and the minute %i", (text, on, minute) => {
    expect(parseCalendarMoment(text)).toEqual({ day: parseDay(on), minute });
  });

  it.each([
    "",
    "7/21/2025",
    "21/7/2025 14:00",
    "2/29/2025 14:00",
    "7/21/25 14:00",
    "7/21/2025 24:00",
    "7/21/2025 14:60",
    "7/21/1999 14:00",
  ])("%j is refused, because it is no day and minute from 2000 to 2099", (text) => {
    expect(parseCalendarMoment(text)).toBeUndefined();
  });

  it.each([
    "7/21/2100 14:00",
    "7/21/2025 14:00:01",
    "7/21/2025T14:00",
    "2025-07-21 14:00",
    "7/21/2025 2:00 PM",
  ])("%j is refused, because it is out of range or in another form", (text) => {
    expect(parseCalendarMoment(text)).toBeUndefined();
  });
});
