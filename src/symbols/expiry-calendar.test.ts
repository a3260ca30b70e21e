import { describe, expect, it } from "vitest";
import {
  type DayNumber,
  dateOfDay,
  dayNumber,
  formatDay,
  isBusinessDay,
  parseDay,
  weekday,
} from "../domain/market/trading-day.ts";
import {
  ExpiryCalendar,
  type Family,
  firstYear,
  lastYear,
  type OptionSeries,
  type Product,
  printSymbol,
  productOfRoot,
  products,
  readSymbol,
} from "./index.ts";

type Weekly = Exclude<Family, "standard">;

const calendar = new ExpiryCalendar();
const day = (text: string): DayNumber => parseDay(text) as DayNumber;
const product = (root: string): Product => productOfRoot(root) as Product;
const zn = product("ZN");
const weekly = (root: string, family: Weekly, month: string, week: number, among = calendar) =>
  among.weekly({
    product: product(root),
    family,
    year: Number(month.slice(0, 4)),
    month: Number(month.slice(5)),
    week,
  });
const standard = (root: string, month: string, among = calendar) =>
  among.standard(product(root), Number(month.slice(0, 4)), Number(month.slice(5)));
/** `name nominal expiry underlying`, with a mark on an unconfirmed expiry. */
const shown = (series: OptionSeries | undefined): string =>
  series === undefined
    ? "none"
    : `${series.name} ${formatDay(series.nominal)} ${formatDay(series.expiry)}${series.confirmed ? "" : "?"} ${series.underlying}`;

describe("weekly options", () => {
  it.each([
    // The nth weekday of the month.
    ["ZN", "mon", "2025-07", 2, "ZN-2025-07-VY2 2025-07-14 2025-07-14 ZNU2025"],
    ["ZN", "tue", "2025-07", 1, "ZN-2025-07-GY1 2025-07-01 2025-07-01 ZNU2025"],
    ["ZN", "tue", "2025-07", 5, "ZN-2025-07-GY5 2025-07-29 2025-07-29 ZNU2025"],
    ["ZN", "wed", "2025-07", 3, "ZN-2025-07-WY3 2025-07-16 2025-07-16 ZNU2025"],
    ["ZN", "thu", "2025-08", 1, "ZN-2025-08-HY1 2025-08-07 2025-08-07 ZNU2025"],
    ["ZN", "fri", "2025-08", 5, "ZN-2025-08-ZN5 2025-08-29 2025-08-29 ZNZ2025"],
    ["ZT", "mon", "2025-07", 3, "ZT-2025-07-VT3 2025-07-21 2025-07-21 ZTU2025"],
    ["UB", "fri", "2025-07", 3, "UB-2025-07-UB3 2025-07-18 2025-07-18 UBU2025"],
    // A Monday that is a holiday: the next business day, and never the name of another month.
    ["ZN", "mon", "2025-09", 1, "ZN-2025-09-VY1 2025-09-01 2025-09-02 ZNZ2025"],
    ["ZN", "tue", "2025-09", 1, "ZN-2025-09-GY1 2025-09-02 2025-09-02 ZNZ2025"],
    ["ZN", "mon", "2027-05", 5, "ZN-2027-05-VY5 2027-05-31 2027-06-01 ZNU2027"],
    // A Friday that is a holiday: the business day before, even in another year.
    ["ZN", "fri", "2016-01", 1, "ZN-2016-01-ZN1 2016-01-01 2015-12-31 ZNH2016"],
    ["ZN", "fri", "2026-07", 1, "ZN-2026-07-ZN1 2026-07-03 2026-07-02 ZNU2026"],
    // Good Friday 2023 had a session of its own, Good Friday 2024 had none.
    ["ZN", "fri", "2023-04", 1, "ZN-2023-04-ZN1 2023-04-07 2023-04-07 ZNM2023"],
    ["ZN", "fri", "2024-03", 5, "ZN-2024-03-ZN5 2024-03-29 2024-03-28 ZNM2024"],
    // Other days: Friday's rule, marked as unconfirmed.
    ["ZN", "wed", "2024-12", 4, "ZN-2024-12-WY4 2024-12-25 2024-12-24? ZNH2025"],
    ["ZN", "thu", "2025-11", 4, "ZN-2025-11-HY4 2025-11-27 2025-11-26? ZNH2026"],
    ["ZN", "thu", "2026-01", 1, "ZN-2026-01-HY1 2026-01-01 2025-12-31? ZNH2026"],
    ["ZN", "tue", "2029-12", 4, "ZN-2029-12-GY4 2029-12-25 2029-12-24? ZNH2030"],
  ] as const)(
    "%s %s %s week %i has the expected name, days and underlying",
    (root, family, month, week, expected) => {
      expect(shown(weekly(root, family, month, week))).toBe(expected);
    },
  );

  it.each([
    // The month has no such week.
    ["mon", "2025-07", 5],
    ["mon", "2025-07", 0],
    ["mon", "2025-07", 6],
    // The month does not exist, or symbols cannot name the year.
    ["mon", "2025-00", 1],
    ["mon", "2025-13", 1],
    ["fri", "1999-07", 1],
    ["fri", "2100-07", 1],
    // Before the family began.
    ["mon", "2023-10", 4],
    ["tue", "2025-06", 2],
    ["wed", "2017-05", 5],
    ["thu", "2025-06", 2],
    ["fri", "2010-12", 5],
    // The monthly option's Friday.
    ["fri", "2025-07", 4],
    ["fri", "2025-08", 4],
    ["fri", "2025-09", 4],
    ["fri", "2020-12", 4],
    ["fri", "2016-03", 4],
  ] as const)("no series exists for %s %s week %i", (family, month, week) => {
    expect(weekly("ZN", family, month, week)).toBeUndefined();
  });

  it.each([
    ["mon", "2023-10", 5, "2023-10-30"],
    ["tue", "2025-06", 3, "2025-06-17"],
    ["wed", "2017-06", 1, "2017-06-07"],
    ["thu", "2025-06", 3, "2025-06-19"],
    ["fri", "2011-01", 1, "2011-01-07"],
  ] as const)("the first %s series is %s week %i", (family, month, week, nominal) => {
    expect(formatDay((weekly("ZN", family, month, week) as OptionSeries).nominal)).toBe(nominal);
  });

  it("of the Bund are not known", () => {
    expect(weekly("RX", "fri", "2025-08", 1)).toBeUndefined();
    expect(standard("RX", "2025-09")).toBeUndefined();
  });
});

describe("quarterly and serial options", () => {
  it.each([
    ["ZN", "2025-03", "ZN-2025-03-OZN 2025-02-21 2025-02-21 ZNH2025"],
    ["ZN", "2025-05", "ZN-2025-05-OZN 2025-04-25 2025-04-25 ZNM2025"],
    ["ZN", "2025-06", "ZN-2025-06-OZN 2025-05-23 2025-05-23 ZNM2025"],
    ["ZN", "2025-07", "ZN-2025-07-OZN 2025-06-20 2025-06-20 ZNU2025"],
    ["ZN", "2025-08", "ZN-2025-08-OZN 2025-07-25 2025-07-25 ZNU2025"],
    ["ZN", "2025-09", "ZN-2025-09-OZN 2025-08-22 2025-08-22 ZNU2025"],
    ["ZN", "2025-10", "ZN-2025-10-OZN 2025-09-26 2025-09-26 ZNZ2025"],
    ["ZN", "2026-01", "ZN-2026-01-OZN 2025-12-26 2025-12-26 ZNH2026"],
    ["TN", "2025-09", "TN-2025-09-OTN 2025-08-22 2025-08-22 TNU2025"],
    // A Friday that is a holiday counts, and the option expires before it.
    ["ZN", "2021-01", "ZN-2021-01-OZN 2020-12-25 2020-12-24 ZNH2021"],
    ["ZN", "2016-04", "ZN-2016-04-OZN 2016-03-25 2016-03-24 ZNM2016"],
    // The first and last months of the calendar.
    ["ZN", "2000-02", "ZN-2000-02-OZN 2000-01-21 2000-01-21 ZNH2000"],
    ["ZN", "2099-12", "ZN-2099-12-OZN 2099-11-20 2099-11-20 ZNZ2099"],
  ] as const)("%s of %s has the expected name, days and underlying", (root, month, expected) => {
    expect(shown(standard(root, month))).toBe(expected);
  });

  it.each(["1999-12", "2000-01", "2100-01", "2025-00", "2025-13", "2025-99"])(
    "no series exists for %s",
    (month) => {
      expect(standard("ZN", month)).toBeUndefined();
    },
  );

  it("do not depend on earlier requests", () => {
    const fresh = new ExpiryCalendar();
    for (const month of ["2025-13", "2027-00", "2025-99"]) standard("ZN", month, fresh);
    expect(
      [standard("ZN", "2026-01", fresh), standard("ZN", "2026-12", fresh)].map((series) => series?.name),
    ).toEqual(["ZN-2026-01-OZN", "ZN-2026-12-OZN"]);
  });

  it("expire in every month of the century on the day that a plain form of the rule gives", () => {
    const wrong: string[] = [];
    // The options of a contract month expire in the month before.
    for (let year = firstYear; year <= lastYear; year++)
      for (let expires = 1; expires <= (year === lastYear ? 11 : 12); expires++) {
        const series = calendar.standard(zn, expires === 12 ? year + 1 : year, (expires % 12) + 1);
        if (series?.nominal !== plainStandardFriday(year, expires))
          wrong.push(`${year}-${expires} ${shown(series)}`);
      }
    expect(wrong).toEqual([]);
  });
});

/** The last Friday that at least two business days of its month follow. */
function plainStandardFriday(year: number, month: number): DayNumber {
  const ofMonth: DayNumber[] = [];
  for (let on = dayNumber(year, month, 1); dateOfDay(on).month === month; on++) ofMonth.push(on);
  const fridays = ofMonth.filter((on) => weekday(on) === 5);
  return fridays.findLast(
    (friday) => ofMonth.filter((on) => on > friday && isBusinessDay(on)).length >= 2,
  ) as DayNumber;
}

describe("underlyings", () => {
  it.each([
    // A weekly option: the underlying of the nearest monthly option that expires on its day or later.
    ["mon", "2025-08", 3, "ZNU2025"],
    ["thu", "2025-08", 3, "ZNU2025"],
    ["mon", "2025-08", 4, "ZNZ2025"],
    ["fri", "2025-09", 3, "ZNZ2025"],
    ["fri", "2025-11", 3, undefined],
    ["thu", "2025-11", 3, "ZNZ2025"],
    ["mon", "2025-11", 4, "ZNH2026"],
  ] as const)("%s %s week %i exercises into %s", (family, month, week, expected) => {
    expect(weekly("ZN", family, month, week)?.underlying).toBe(expected);
  });

  it.each([
    ["2025-07", "ZNU2025"],
    ["2025-08", "ZNU2025"],
    ["2025-09", "ZNU2025"],
    ["2025-10", "ZNZ2025"],
    ["2025-12", "ZNZ2025"],
    ["2026-01", "ZNH2026"],
  ] as const)("the monthly option of %s exercises into %s", (month, expected) => {
    expect(standard("ZN", month)?.underlying).toBe(expected);
  });
});

describe("last trading days", () => {
  it.each([
    ["ZN", "2025-09", "2025-09-19"],
    ["TN", "2025-09", "2025-09-19"],
    ["ZB", "2025-09", "2025-09-19"],
    ["UB", "2025-09", "2025-09-19"],
    ["ZT", "2025-09", "2025-09-30"],
    ["ZF", "2025-09", "2025-09-30"],
    ["ZN", "2025-12", "2025-12-19"],
    ["ZF", "2025-12", "2025-12-31"],
    ["ZN", "2025-03", "2025-03-20"],
    ["ZT", "2024-03", "2024-03-28"],
    ["ZN", "2024-03", "2024-03-19"],
  ] as const)("that of the %s future of %s is %s", (root, month, expected) => {
    const [year, ofYear] = [Number(month.slice(0, 4)), Number(month.slice(5))];
    expect(formatDay(calendar.lastTradingDay(product(root), year, ofYear) as DayNumber)).toBe(expected);
  });

  it("of the Bund are not known", () => {
    expect(calendar.lastTradingDay(product("RX"), 2025, 9)).toBeNull();
  });
});

describe("the series of a day", () => {
  it.each([
    ["mon", "2025-07-21", "ZN-2025-07-VY3"],
    // Both days of a holiday-moved expiry.
    ["mon", "2025-09-01", "ZN-2025-09-VY1"],
    ["mon", "2025-09-02", "ZN-2025-09-VY1"],
    ["tue", "2025-09-02", "ZN-2025-09-GY1"],
    ["fri", "2015-12-31", "ZN-2016-01-ZN1"],
    ["fri", "2016-01-01", "ZN-2016-01-ZN1"],
    ["standard", "2016-03-24", "ZN-2016-04-OZN"],
    ["standard", "2016-03-25", "ZN-2016-04-OZN"],
    // Unconfirmed: both the day before and the day after are accepted.
    ["wed", "2024-12-24", "ZN-2024-12-WY4"],
    ["wed", "2024-12-25", "ZN-2024-12-WY4"],
    ["wed", "2024-12-26", "ZN-2024-12-WY4"],
    ["standard", "2025-07-25", "ZN-2025-08-OZN"],
    ["standard", "2025-12-26", "ZN-2026-01-OZN"],
  ] as const)("%s on %s is %s", (family, on, expected) => {
    expect(calendar.seriesOn(zn, family, day(on))?.name).toBe(expected);
  });

  it.each([
    ["mon", "2025-07-22"],
    ["mon", "2025-09-03"],
    ["tue", "2025-09-01"],
    ["fri", "2025-07-25"],
    ["fri", "2026-07-06"],
    ["standard", "2025-07-18"],
    ["standard", "2025-07-24"],
    ["mon", "2023-10-23"],
    ["wed", "2024-12-23"],
  ] as const)("%s on %s does not exist", (family, on) => {
    expect(calendar.seriesOn(zn, family, day(on))).toBeUndefined();
  });

  it("is the monthly option for the nth Friday of a month only if that Friday is the monthly option's", () => {
    expect(calendar.standardOfFriday(zn, 2025, 7, 4)?.name).toBe("ZN-2025-08-OZN");
    expect(calendar.standardOfFriday(zn, 2020, 12, 4)?.name).toBe("ZN-2021-01-OZN");
    expect(calendar.standardOfFriday(zn, 2025, 7, 3)).toBeUndefined();
  });
});

describe("the whole calendar", () => {
  const cme = products.filter(({ exchange }) => exchange === "XCBT");

  it("has one series, found by its nominal day and its expiry, for every weekday since the families began", () => {
    const wrong: string[] = [];
    const families = ["mon", "tue", "wed", "thu", "fri"] as const;
    const begins = {
      mon: "2023-10-30",
      tue: "2025-06-16",
      wed: "2017-06-05",
      thu: "2025-06-16",
      fri: "2011-01-01",
    };
    let count = 0;
    for (let on = day("2011-01-01"); on <= day("2099-11-30"); on++) {
      const family = families[weekday(on) - 1];
      if (family === undefined || on < day(begins[family])) continue;
      const { year, month, date } = dateOfDay(on);
      const week = Math.floor((date - 1) / 7) + 1;
      const series =
        calendar.weekly({ product: zn, family, year, month, week }) ??
        calendar.standardOfFriday(zn, year, month, week);
      count += 1;
      if (
        series === undefined ||
        series.nominal !== on ||
        !isBusinessDay(series.expiry) ||
        Math.abs(series.expiry - on) > 4 ||
        (isBusinessDay(on) && series.expiry !== on) ||
        calendar.seriesOn(zn, series.family, on) !== series ||
        calendar.seriesOn(zn, series.family, series.expiry) !== series
      )
        wrong.push(`${formatDay(on)} ${shown(series)}`);
    }
    expect(wrong).toEqual([]);
    expect(count).toBeGreaterThan(20_000);
  });

  it("lists the series of a month by week and weekday, with the monthly one last, under distinct names", () => {
    expect(calendar.seriesExpiringIn(zn, 2025, 7).map(({ name }) => name.slice("ZN-2025-".length))).toEqual([
      ...["07-VY1", "07-GY1", "07-WY1", "07-HY1", "07-ZN1", "07-VY2", "07-GY2", "07-WY2", "07-HY2", "07-ZN2"],
      ...["07-VY3", "07-GY3", "07-WY3", "07-HY3", "07-ZN3", "07-VY4", "07-GY4", "07-WY4", "07-HY4"],
      ...["07-GY5", "07-WY5", "07-HY5", "08-OZN"],
    ]);
    const names = new Set<string>();
    let count = 0;
    for (const one of cme)
      for (let year = 2020; year <= 2039; year++)
        for (let month = 1; month <= 12; month++)
          for (const { name } of calendar.seriesExpiringIn(one, year, month)) {
            names.add(name);
            count += 1;
          }
    expect(names.size).toBe(count);
  });
});

describe("a desk's own expiries", () => {
  const own = new ExpiryCalendar(
    new Map([
      ["ZN-2025-07-VY3", day("2025-07-23")],
      ["ZN-2025-08-OZN", day("2025-07-24")],
      ["ZN-2024-12-WY4", day("2024-12-23")],
      // More than a week from the nominal day, into another month, and onto the day of a monthly option.
      ["ZT-2025-07-VT3", day("2025-08-01")],
      ["ZT-2025-08-OZT", day("2025-08-01")],
      ["ZN-2025-08-HY3", day("2025-08-22")],
      ["ZNU2025", day("2025-09-18")],
      // Names of no series.
      ["ZT-2025-08-VY1", day("2025-08-06")],
      ["ZN-2025-13-OZN", day("2025-12-22")],
      ["ZN-2025-08-VY9", day("2025-08-07")],
      ["", day("2025-08-08")],
    ]),
  );

  it("move an expiry, make the series known by it, and change no name", () => {
    expect(shown(weekly("ZN", "mon", "2025-07", 3, own))).toBe(
      "ZN-2025-07-VY3 2025-07-21 2025-07-23 ZNU2025",
    );
    expect(own.seriesOn(zn, "mon", day("2025-07-23"))?.name).toBe("ZN-2025-07-VY3");
    expect(own.seriesOn(zn, "mon", day("2025-07-21"))?.name).toBe("ZN-2025-07-VY3");
    expect(shown(standard("ZN", "2025-08", own))).toBe("ZN-2025-08-OZN 2025-07-25 2025-07-24 ZNU2025");
    expect(own.seriesOn(zn, "standard", day("2025-07-24"))?.name).toBe("ZN-2025-08-OZN");
    expect(formatDay(own.lastTradingDay(zn, 2025, 9) as DayNumber)).toBe("2025-09-18");
  });

  it("make a series known by its expiry however far they move it", () => {
    expect(own.seriesOn(product("ZT"), "mon", day("2025-08-01"))?.name).toBe("ZT-2025-07-VT3");
    expect(own.seriesOn(product("ZT"), "standard", day("2025-08-01"))?.name).toBe("ZT-2025-08-OZT");
    expect(own.seriesOn(zn, "mon", day("2025-08-01"))).toBeUndefined();
    // It expires no later than the monthly option, so it exercises into the same future.
    expect(shown(weekly("ZN", "thu", "2025-08", 3, own))).toBe(
      "ZN-2025-08-HY3 2025-08-21 2025-08-22 ZNU2025",
    );
  });

  it("confirm an expiry that no notice confirms", () => {
    expect(shown(weekly("ZN", "wed", "2024-12", 4, own))).toBe(
      "ZN-2024-12-WY4 2024-12-25 2024-12-23 ZNH2025",
    );
    expect(own.seriesOn(zn, "wed", day("2024-12-26"))).toBeUndefined();
  });

  it("change nothing else, and unknown names have no effect", () => {
    expect(shown(weekly("ZN", "mon", "2025-07", 4, own))).toBe(shown(weekly("ZN", "mon", "2025-07", 4)));
    expect(shown(weekly("ZF", "mon", "2025-07", 3, own))).toBe(shown(weekly("ZF", "mon", "2025-07", 3)));
    for (const on of ["2025-08-06", "2025-08-07", "2025-08-08"])
      expect(own.seriesOn(zn, "mon", day(on))).toBeUndefined();
    expect(standard("ZN", "2026-01", own)?.name).toBe("ZN-2026-01-OZN");
    expect(formatDay(own.lastTradingDay(zn, 2025, 12) as DayNumber)).toBe("2025-12-19");
  });

  it("are printed and read back in ledger symbols even if every expiry of a year is a day later", () => {
    const months = Array.from({ length: 12 }, (_, at) => at + 1);
    const ofYear = months.flatMap((month) => calendar.seriesExpiringIn(zn, 2026, month));
    const later = new Map(ofYear.map(({ name, expiry }) => [name, expiry + 1]));
    const context = { asOf: day("2026-01-02"), calendar: new ExpiryCalendar(later) };
    const wrong = ofYear.filter(({ name }) => {
      const reading = readSymbol(`${name}-C110.000`, "canonical", context);
      const printing = reading.ok ? printSymbol(reading.instrument, "actant-trades", context) : undefined;
      const back = printing?.ok ? readSymbol(printing.text, "actant-trades", context) : undefined;
      return !(back?.ok && back.instrument.name === `${name}-C110.000` && back.notes.length === 0);
    });
    expect(wrong).toEqual([]);
    expect(ofYear.length).toBeGreaterThan(200);
  });
});
