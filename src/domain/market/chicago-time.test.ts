import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  dateOfDay,
  dayNumber,
  dayUs,
  formatDay,
  formatInstant,
  formatWallSecond,
  hourUs,
  instantOfWall,
  offsetMinutesOfInstant,
  parseDay,
  parseInstant,
  wallOfInstant,
  wallReading,
  weekday,
} from "./chicago-time.ts";

/** An independent source: the platform's time-zone data. */
const zone = new Intl.DateTimeFormat("en-US", { timeZone: "America/Chicago", timeZoneName: "longOffset" });
function offsetByIntl(instantUs: number): number {
  const [, sign, hours, minutes] =
    /GMT([+-])(\d\d):(\d\d)$/.exec(zone.format(Math.floor(instantUs / 1000))) ?? [];
  return (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

const utcUs = (year: number, month: number, date: number, hour = 0, minute = 0) =>
  Date.UTC(year, month - 1, date, hour, minute) * 1000;
const [from, until] = [utcUs(1970, 1, 1), utcUs(2101, 1, 1)];
const anyTimeUs = fc.integer({ min: from, max: until - 1 });

describe("Chicago offsets", () => {
  it("agree with Intl at random instants, in any order", () => {
    fc.assert(
      fc.property(anyTimeUs, (instantUs) => {
        expect(offsetMinutesOfInstant(instantUs)).toBe(offsetByIntl(instantUs));
        expect(wallOfInstant(instantUs)).toBe(instantUs + offsetByIntl(instantUs) * 60_000_000);
      }),
      { numRuns: 3000 },
    );
  });

  it("change at the same microsecond as Intl's, twice in every year from 1970 to 2100", () => {
    for (let year = 1970; year <= 2100; year++) {
      for (const [low, high] of [
        [utcUs(year, 1, 2), utcUs(year, 7, 1)],
        [utcUs(year, 7, 1), utcUs(year, 12, 31)],
      ] as const) {
        let [before, after] = [low, high];
        expect(offsetByIntl(before)).not.toBe(offsetByIntl(after));
        while (after - before > 1000) {
          const middle = Math.floor((before + after) / 2000) * 1000;
          if (offsetByIntl(middle) === offsetByIntl(before)) before = middle;
          else after = middle;
        }
        expect([year, offsetMinutesOfInstant(after - 1), offsetMinutesOfInstant(after)]).toEqual([
          year,
          offsetByIntl(before),
          offsetByIntl(after),
        ]);
      }
    }
  });
});

describe("wall readings", () => {
  const nearChange = fc
    .tuple(
      fc.integer({ min: 1970, max: 2100 }),
      fc.constantFrom(1, 2, 3, 4, 10, 11),
      fc.integer({ min: 1, max: 31 }),
    )
    .chain(([year, month, date]) =>
      fc.integer({ min: 0, max: 4 * hourUs }).map((inside) => dayNumber(year, month, date) * dayUs + inside),
    );

  it("have as many instants as Intl finds, and mean the earlier one", () => {
    fc.assert(
      fc.property(fc.oneof(anyTimeUs, nearChange), (wallUs) => {
        const instants = [wallUs + 5 * hourUs, wallUs + 6 * hourUs].filter(
          (instantUs) => instantUs + offsetByIntl(instantUs) * 60_000_000 === wallUs,
        );
        expect(wallReading(wallUs)).toBe(["nonexistent", "unique", "ambiguous"][instants.length]);
        expect(instantOfWall(wallUs)).toBe(instants[0] ?? wallUs + 6 * hourUs);
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ["2025-03-09T01:59:59.999999", "unique", "2025-03-09T01:59:59.999999-06:00"],
    ["2025-03-09T02:00:00", "nonexistent", "2025-03-09T03:00:00-05:00"],
    ["2025-03-09T02:59:59.999999", "nonexistent", "2025-03-09T03:59:59.999999-05:00"],
    ["2025-03-09T03:00:00", "unique", "2025-03-09T03:00:00-05:00"],
    ["2025-11-02T00:59:59.999999", "unique", "2025-11-02T00:59:59.999999-05:00"],
    ["2025-11-02T01:00:00", "ambiguous", "2025-11-02T01:00:00-05:00"],
    ["2025-11-02T01:59:59.999999", "ambiguous", "2025-11-02T01:59:59.999999-05:00"],
    ["2025-11-02T02:00:00", "unique", "2025-11-02T02:00:00-06:00"],
    ["1974-01-06T02:30:00", "nonexistent", "1974-01-06T03:30:00-05:00"],
  ])("the wall time %s is %s, and means the instant %s", (text, reading, instant) => {
    const wallUs = parseInstant(`${text}Z`) as number;
    expect(wallReading(wallUs)).toBe(reading);
    expect(formatInstant(instantOfWall(wallUs))).toBe(instant);
  });
});

describe("text of instants", () => {
  it.each([
    ["2025-07-24T15:01:09.091-05:00", utcUs(2025, 7, 24, 20, 1) + 9_091_000],
    ["2025-07-24T15:01:09-05:00", utcUs(2025, 7, 24, 20, 1) + 9_000_000],
    ["2025-01-24T15:01:09.000001-06:00", utcUs(2025, 1, 24, 21, 1) + 9_000_001],
    ["1969-12-31T18:00:00-06:00", 0],
    ["1969-12-31T17:59:59.999999-06:00", -1],
  ])("writes and reads %s", (text, instantUs) => {
    expect(formatInstant(instantUs)).toBe(text);
    expect(formatWallSecond(instantUs)).toBe(text.slice(0, 19).replace("T", " "));
    expect(parseInstant(text)).toBe(instantUs);
  });

  it.each([
    ["2025-07-24T20:01:09.091Z", "2025-07-24T15:01:09.091-05:00"],
    ["2025-07-24 15:01:09.091", "2025-07-24T15:01:09.091-05:00"],
    ["2025-07-24 15:01:09.986000", "2025-07-24T15:01:09.986-05:00"],
    ["2025-07-24 15:01:09.000001000", "2025-07-24T15:01:09.000001-05:00"],
    ["2025-07-24T15:01", "2025-07-24T15:01:00-05:00"],
    ["2025-07-24T15:01:09.5+0530", "2025-07-24T04:31:09.500-05:00"],
    ["2025-07-24", "2025-07-24T00:00:00-05:00"],
    ["2024-02-29", "2024-02-29T00:00:00-06:00"],
    ["2025-11-02 01:30:00-06:00", "2025-11-02T01:30:00-06:00"],
  ])("reads %s", (text, instant) => {
    expect(formatInstant(parseInstant(text) as number)).toBe(instant);
  });

  it.each([
    ...[
      "",
      "x",
      "2025-02-30",
      "2025-02-29T00:00:00",
      "2025-13-01",
      "2025-00-10",
      "2025-01-00",
      "2025-7-24",
      "2025-08-1 15:59:00",
    ],
    ...[
      "2025-07-24T25:00:00",
      "2025-07-24T24:00:00",
      "2025-07-24T12:60:00",
      "2025-07-24T12:00:60",
      "2025-07-24T1:00:00",
    ],
    ...[
      "2025-07-24T12:00:00.",
      "2025-07-24T12:00:00.0000001",
      "2025-07-24T12:00:00.0000000000",
      "2025-07-24T12:00:00,5",
    ],
    ...[
      "2025-07-24T12:00:00+15:00",
      "2025-07-24T12:00:00-05:60",
      "2025-07-24T12:00:00-05",
      "2025-07-24Z",
      "1899-12-31",
      "2101-01-01",
    ],
    ...[
      " 2025-07-24",
      "2025-07-24 ",
      "2025-07-24T12:00:00 -05:00",
      "20250724",
      "2025-07-24T12",
      "٢٠٢٥-07-24",
    ],
  ])("refuses %j", (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });

  it("reads the text of any instant as that same instant", () => {
    fc.assert(fc.property(anyTimeUs, (instantUs) => parseInstant(formatInstant(instantUs)) === instantUs));
  });
});

describe("calendar", () => {
  it("converts dates to day numbers and back as the platform does", () => {
    fc.assert(
      fc.property(fc.integer({ min: -700_000, max: 2_900_000 }), (day) => {
        const there = new Date(day * 86_400_000);
        const { year, month, date } = dateOfDay(day);
        expect([year, month, date]).toEqual([
          there.getUTCFullYear(),
          there.getUTCMonth() + 1,
          there.getUTCDate(),
        ]);
        expect(dayNumber(year, month, date)).toBe(day);
        expect(weekday(day)).toBe(there.getUTCDay());
        expect(formatDay(day)).toBe(there.toISOString().slice(0, 10));
        expect(parseDay(formatDay(day))).toBe(day);
      }),
    );
  });

  it.each([
    "2025-02-29",
    "2025-04-31",
    "2100-02-29",
    "2025-1-01",
    "2025-01-01 ",
    "25-01-01",
    "2025/01/01",
    "2025-01-32",
    "",
  ])("refuses the day %j", (text) => {
    expect(parseDay(text)).toBeUndefined();
  });
});
