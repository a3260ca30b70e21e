import { expect, it } from "vitest";
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
