import { expect, test } from "vitest";
import { nearest } from "./nearest.ts";

const keys = ["phase", "validation", "comparison_threshold", "position_threshold", "mode"];

test.each([
  ["phase", "phase"],
  ["phse", "phase"],
  ["phasee", "phase"],
  ["phsae", "phase"],
  ["Phase", "phase"],
  ["comparisonThreshold", "comparison_threshold"],
  ["comparison-treshold", "comparison_threshold"],
  ["position_treshhold", "position_threshold"],
  ["moed", "mode"],
  ["made", "mode"],
  ["mead", undefined],
  ["systems", undefined],
  ["", undefined],
  [`${"comparison_threshold".repeat(6)}`, undefined],
])("the suggestion for %s is %s", (text, meant) => {
  expect(nearest(text, keys)).toBe(meant);
});

test("the suggestion is the nearest candidate, the first of equally near ones, and undefined without candidates", () => {
  expect(nearest("model", ["modern", "mode"])).toBe("mode");
  expect(nearest("cat", ["bat", "hat"])).toBe("bat");
  expect(nearest("cat", [])).toBeUndefined();
});
