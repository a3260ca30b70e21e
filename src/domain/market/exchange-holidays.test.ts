import { describe, expect, it } from "vitest";
import { formatDay } from "./chicago-time.ts";
import { exchangeHolidays } from "./exchange-holidays.ts";

const daysOf = (year: number) => exchangeHolidays(year).map(({ day }) => formatDay(day).slice(5));

describe("exchange holidays", () => {
  // CME's Globex schedules (2023 and 2024 as published, 2026 as quoted by a broker) and ICE's published US
  // calendars for 2021-2023 and 2025, reduced to the holidays that CME observes, with Juneteenth added. The
  // Good Fridays of 2021, 2023 and 2026 had short sessions and were trade dates.
  it.each([
    [2021, ["01-01", "01-18", "02-15", "05-31", "07-05", "09-06", "11-25", "12-24"]],
    [2022, ["01-17", "02-21", "04-15", "05-30", "06-20", "07-04", "09-05", "11-24", "12-26"]],
    [2023, ["01-02", "01-16", "02-20", "05-29", "06-19", "07-04", "09-04", "11-23", "12-25"]],
    [2024, ["01-01", "01-15", "02-19", "03-29", "05-27", "06-19", "07-04", "09-02", "11-28", "12-25"]],
    [2025, ["01-01", "01-20", "02-17", "04-18", "05-26", "06-19", "07-04", "09-01", "11-27", "12-25"]],
    [2026, ["01-01", "01-19", "02-16", "05-25", "06-19", "07-03", "09-07", "11-26", "12-25"]],
  ])("of %i match the published calendars", (year, expected) => {
    expect(daysOf(year)).toEqual(expected);
  });

  // QuantConnect's table of Ultra 10-year market hours: full closes, and closes at noon (whose trades carry
  // the next date).
  it.each([
    [2016, ["01-18", "02-15", "03-25", "05-30", "07-04", "09-05", "11-24", "12-26"]],
    [2017, ["01-16", "02-20", "04-14", "05-29", "07-04", "09-04", "11-23", "12-25"]],
    [2018, ["01-01", "01-15", "02-19", "03-30", "05-28", "07-04", "09-03", "11-22", "12-25"]],
  ])("of %i include every full close and noon close of the Ultra 10-year future", (year, expected) => {
    expect(daysOf(year)).toEqual(expect.arrayContaining(expected));
    // Only New Year may be missing in the expected list, as in 2016 and 2017.
    expect(expected.length).toBeGreaterThanOrEqual(daysOf(year).length - 1);
  });

  it("follow the published dates of Easter", () => {
    // Early, late and ordinary dates from the list of Good Fridays in pandas_market_calendars.
    const goodFridays = {
      1970: "03-27",
      1998: "04-10",
      2000: "04-21",
      2008: "03-21",
      2019: "04-19",
      2038: "04-23",
      2049: "04-16",
    };
    for (const [year, day] of Object.entries(goodFridays)) expect(daysOf(Number(year))).toContain(day);
  });

  it.each([
    [1999, "04-02"],
    [2010, "04-02"],
    [2012, "04-06"],
    [2015, "04-03"],
  ])("do not include the Good Friday of %i, when the employment report came out", (year, day) => {
    expect(daysOf(year)).not.toContain(day);
  });

  it("do not move New Year's Day into the old year", () => {
    expect(daysOf(2021)).not.toContain("12-31");
    expect(daysOf(2022)).not.toContain("01-01");
  });

  it("include a holiday only in the years in which its rule applies", () => {
    expect(daysOf(2021)).not.toContain("06-18");
    expect(daysOf(1997)).not.toContain("01-20");
  });

  it("are in order, within the year, and on weekdays only", () => {
    for (let year = 1970; year <= 2100; year++) {
      const holidays = exchangeHolidays(year);
      const days = holidays.map(({ day }) => day);
      expect(days).toEqual([...new Set(days)].toSorted((a, b) => a - b));
      for (const day of days) {
        expect(formatDay(day).slice(0, 4)).toBe(`${year}`);
        expect([1, 2, 3, 4, 5]).toContain(new Date(day * 86_400_000).getUTCDay());
      }
    }
  });
});
