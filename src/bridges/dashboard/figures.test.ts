import { expect, it } from "vitest";
import { figureText, sumOf } from "./figures.ts";

it.each([
  ["$-1,234.50", "-1234.5"],
  ["$1,234,567.89", "1234567.89"],
  ["-$0.25", "-0.25"],
  ["(1,234.50)", "-1234.5"],
  ["($12.00)", "-12"],
  ["−3", "-3"],
  ["+3.10", "3.1"],
  ["$0.00", "0"],
  ["$-0.00", "0"],
  [" 110.015625 ", "110.015625"],
  [".5", "0.5"],
  ["12345678901234567890.123456789", "12345678901234567890.123456789"],
  ["-188561/6315", "-188561/6315"],
  [-3, "-3"],
])("the figure %j of a desk is exactly %s", (given, text) => {
  expect(figureText(given)).toBe(text);
});

it.each([
  "",
  "-",
  "N/A",
  "nan",
  "awaiting data",
  "1,23",
  "1,2345",
  "1.2.3",
  "$",
  "(1",
  "1)",
  "(-1)",
  "--1",
  "-$-1",
  "110-16",
  "1e5",
  "1/0",
])("the text %j is no figure", (given) => {
  expect(figureText(given)).toBeUndefined();
});

it("a sum is exact, and is not known if a part is missing", () => {
  expect(sumOf(["0.1", "0.2", "1/3", "-1/3"])).toBe("0.3");
  expect(sumOf([])).toBe("0");
  expect(sumOf(["1", null])).toBeNull();
});
