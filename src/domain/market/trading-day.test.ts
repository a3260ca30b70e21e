import { existsSync, readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dayUs } from "./chicago-time.ts";
import { exchangeHolidays } from "./exchange-holidays.ts";
import {
  businessDayOnOrAfter,
  dateOfDay,
  dayNumber,
  defaultTradingDayRule,
  formatDay,
  isBusinessDay,
  nextBusinessDay,
  parseDay,
  type TradingDayRuleName,
  tradingDayRules,
  weekday,
} from "./trading-day.ts";

const wall = (text: string): number => Date.parse(`${text.replace(" ", "T")}Z`) * 1000;
const names = Object.keys(tradingDayRules) as TradingDayRuleName[];

function dayUnder(rule: TradingDayRuleName, time: string, file?: string): string | undefined {
  const day = tradingDayRules[rule].dayOf(wall(time), file === undefined ? undefined : parseDay(file));
  return day === undefined ? undefined : formatDay(day);
}

describe("trading-day rules", () => {
  it("are named as in the table", () => {
    for (const name of names) expect(tradingDayRules[name].name).toBe(name);
    expect(defaultTradingDayRule).toBe("chicago-17");
  });

  // The rules of the desk's systems; 2025-07-21 was a Monday, 07-25 a Friday.
  it.each([
    [
      "2025-07-21 13:59:59.999",
      { calendar: 21, "after-14": 21, "after-16": 21, "after-17": 21, "chicago-17": 21 },
    ],
    ["2025-07-21 14:00", { calendar: 21, "after-14": 22, "after-16": 21, "after-17": 21, "chicago-17": 21 }],
    ["2025-07-21 14:55", { calendar: 21, "after-14": 22, "after-16": 21, "after-17": 21, "chicago-17": 21 }],
    ["2025-07-21 16:30", { calendar: 21, "after-14": 22, "after-16": 22, "after-17": 21, "chicago-17": 21 }],
    [
      "2025-07-21 16:59:59.999",
      { calendar: 21, "after-14": 22, "after-16": 22, "after-17": 21, "chicago-17": 21 },
    ],
    ["2025-07-21 17:00", { calendar: 21, "after-14": 22, "after-16": 22, "after-17": 22, "chicago-17": 22 }],
    [
      "2025-07-21 23:59:59.999",
      { calendar: 21, "after-14": 22, "after-16": 22, "after-17": 22, "chicago-17": 22 },
    ],
    ["2025-07-22 00:00", { calendar: 22, "after-14": 22, "after-16": 22, "after-17": 22, "chicago-17": 22 }],
    ["2025-07-25 17:30", { calendar: 25, "after-14": 26, "after-16": 26, "after-17": 26, "chicago-17": 28 }],
    ["2025-07-26 11:00", { calendar: 26, "after-14": 26, "after-16": 26, "after-17": 26, "chicago-17": 28 }],
    [
      "2025-07-27 17:19:26",
      { calendar: 27, "after-14": 28, "after-16": 28, "after-17": 28, "chicago-17": 28 },
    ],
  ])("assign %s to the day that each rule states", (time, expected) => {
    for (const [rule, date] of Object.entries(expected))
      expect([rule, dayUnder(rule as TradingDayRuleName, time)]).toEqual([rule, `2025-07-${date}`]);
  });

  it.each([
    ["2025-07-03 17:00", "2025-07-07"], // The evening before Independence Day, a Friday.
    ["2025-07-04 11:59", "2025-07-07"], // The short session of the holiday itself.
    ["2025-08-31 17:00", "2025-09-02"], // Sunday before Labor Day.
    ["2025-09-01 11:00", "2025-09-02"],
    ["2025-04-17 17:00", "2025-04-21"], // Good Friday, closed.
    ["2021-04-01 17:00", "2021-04-02"], // Good Friday with the employment report, open.
    ["2021-12-23 17:00", "2021-12-27"], // Christmas on Saturday, observed on Friday.
    ["2021-12-30 17:00", "2021-12-31"], // New Year on Saturday, not observed.
    ["2021-12-31 17:00", "2022-01-03"],
    ["2025-10-12 17:00", "2025-10-13"], // Columbus Day trades.
    ["2025-11-10 17:00", "2025-11-11"], // Veterans Day trades.
    ["2025-11-26 17:00", "2025-11-28"], // Thanksgiving does not; the Friday after does.
  ])("assign %s to %s under the rule of the exchange", (time, day) => {
    expect(dayUnder("chicago-17", time)).toBe(day);
  });

  it("use the file's day under the rule file-name, and have no answer without one", () => {
    expect(dayUnder("file-name", "2025-07-21 17:20:36", "2025-07-22")).toBe("2025-07-22");
    expect(dayUnder("file-name", "2025-07-21 17:20:36")).toBeUndefined();
    for (const rule of names.filter((name) => name !== "file-name"))
      expect(dayUnder(rule, "2025-07-21 17:20:36", "1999-01-01")).toBe(dayUnder(rule, "2025-07-21 17:20:36"));
  });

  it("never assign a later trade to an earlier day, nor a trade to a day beyond the next long weekend", () => {
    const times = fc.integer({ min: dayNumber(1970, 1, 2) * dayUs, max: dayNumber(2100, 12, 1) * dayUs });
    fc.assert(
      fc.property(
        times,
        fc.integer({ min: 0, max: 3 * dayUs }),
        fc.constantFrom(...names),
        (wallUs, later, name) => {
          const rule = tradingDayRules[name];
          if (name === "file-name") return;
          const day = rule.dayOf(wallUs, undefined) as number;
          expect(rule.dayOf(wallUs + later, undefined)).toBeGreaterThanOrEqual(day);
          expect(day - Math.floor(wallUs / dayUs)).toBeGreaterThanOrEqual(0);
          expect(day - Math.floor(wallUs / dayUs)).toBeLessThanOrEqual(name === "chicago-17" ? 4 : 1);
          if (name === "chicago-17") expect(isBusinessDay(day)).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe("business days", () => {
  it("are the days that are neither weekend nor holiday, inside and outside the table", () => {
    const isHoliday = (day: number) =>
      exchangeHolidays(dateOfDay(day).year).some((holiday) => holiday.day === day);
    fc.assert(
      fc.property(fc.integer({ min: dayNumber(1960, 1, 1), max: dayNumber(2110, 1, 1) }), (day) => {
        const [falls, next] = [weekday(day), nextBusinessDay(day)];
        expect(isBusinessDay(day)).toBe(falls !== 0 && falls !== 6 && !isHoliday(day));
        expect(next).toBeGreaterThan(day);
        expect(isBusinessDay(next)).toBe(true);
        for (let between = day + 1; between < next; between++) expect(isBusinessDay(between)).toBe(false);
        expect(businessDayOnOrAfter(day)).toBe(isBusinessDay(day) ? day : next);
      }),
      { numRuns: 2000 },
    );
  });

  it("continue beyond the edges of the table", () => {
    expect(formatDay(businessDayOnOrAfter(dayNumber(1969, 12, 31)))).toBe("1969-12-31");
    expect(formatDay(nextBusinessDay(dayNumber(1969, 12, 31)))).toBe("1970-01-02");
    expect(formatDay(nextBusinessDay(dayNumber(2100, 12, 23)))).toBe("2100-12-27");
    expect(formatDay(nextBusinessDay(dayNumber(2100, 12, 31)))).toBe("2101-01-03");
  });
});

const ledgers = "../shared/data/ledgers";
describe.skipIf(!existsSync(ledgers))("real ledgers", () => {
  it("have every trade of a regular file on the day in the file's name", () => {
    // The files of the first weeks are left out, because they do not begin a new day at 17:00.
    const files = readdirSync(ledgers).filter((name) =>
      /trades_202507(2[2459]|3[01])\.csv|trades_202508/.test(name),
    );
    let trades = 0;
    for (const file of files) {
      const [, year, month, date] = /(\d{4})(\d\d)(\d\d)\.csv$/.exec(file) ?? [];
      for (const line of readFileSync(`${ledgers}/${file}`, "utf8").split("\n").slice(1)) {
        const time = line.split(",")[2];
        if (time === undefined || !/^\d{4}-\d\d-\d\d /.test(time)) continue;
        trades += 1;
        expect([file, time, dayUnder("chicago-17", time)]).toEqual([file, time, `${year}-${month}-${date}`]);
      }
    }
    expect(trades).toBeGreaterThan(100);
  });
});
