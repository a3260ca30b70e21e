import { expect, it, vi } from "vitest";
import { ageText, deskTime } from "./times.ts";

it.each([
  [-5, "0.0 s"],
  [940, "0.9 s"],
  [9_999, "9.9 s"],
  [59_999, "59 s"],
  [65_000, "1 min 05 s"],
  [3_600_000, "1 h 00 min"],
  [59 * 3_600_000, "2 d 11 h"],
])("an age of %d ms is shown as %s: cut, never rounded up, and never below zero", (ms, text) => {
  expect(ageText(ms)).toBe(text);
});

it.each([
  ["2025-03-09T07:59:59Z", "2025-03-09 01:59:59 CST"],
  ["2025-03-09T08:00:00Z", "2025-03-09 03:00:00 CDT"],
  ["2025-11-02T06:30:00Z", "2025-11-02 01:30:00 CDT"],
  ["2025-11-02T07:30:00Z", "2025-11-02 01:30:00 CST"],
])("%s is %s for the desk, whatever the zone of the browser", (instant, shown) => {
  expect(deskTime(Date.parse(instant), "full")).toBe(shown);
});

/** The first instants of daylight saving time and of standard time in Chicago in 2025. */
const [summer, winter] = [Date.UTC(2025, 2, 9, 8), Date.UTC(2025, 10, 2, 7)];

/** An instant as Chicago's clock shows it, from the offsets of 2025 alone. */
const expectedTime = (instantMs: number): string => {
  const isSummer = summer <= instantMs && instantMs < winter;
  const wall = new Date(instantMs - (isSummer ? 5 : 6) * 3_600_000).toISOString();
  return `${wall.slice(0, 10)} ${wall.slice(11, 19)} ${isSummer ? "CDT" : "CST"}`;
};

it.each(["Asia/Tokyo", "Europe/London", "Europe/Paris", "America/New_York", "America/Chicago"])(
  "each half hour of the days on which clocks change has the desk's time in a browser in %s",
  (zone) => {
    vi.stubEnv("TZ", zone);
    try {
      expect(Intl.DateTimeFormat().resolvedOptions().timeZone).toBe(zone);
      // The American and the European changes, and a day before and after each.
      for (const day of ["2025-03-09", "2025-03-30", "2025-10-26", "2025-11-02"])
        for (let halfHour = -48; halfHour < 96; halfHour++) {
          const instantMs = Date.parse(`${day}T00:00:00Z`) + halfHour * 1_800_000;
          expect(deskTime(instantMs, "full")).toBe(expectedTime(instantMs));
        }
    } finally {
      vi.unstubAllEnvs();
    }
  },
);
