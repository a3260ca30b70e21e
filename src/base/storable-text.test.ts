import { expect, test } from "vitest";
import { storable, storableJson } from "./storable-text.ts";

test.each([
  ["plain text", "plain text"],
  ["", ""],
  ["\u{1f600} é \n\t\u202e", "\u{1f600} é \n\t\u202e"],
  ["a\0b\0", "a\\u{0}b\\u{0}"],
  ["\ud83d", "\\u{d83d}"],
  ["\ude00\ud83d", "\\u{de00}\\u{d83d}"],
])("%j can be stored as %j", (text, stored) => {
  expect(storable(text)).toBe(stored);
  expect(JSON.parse(storableJson([text, null, 1]))).toEqual([stored, null, 1]);
});

test("a written escape stays text", () => {
  expect(JSON.parse(storableJson(["\\u0000", "\\ud83d"]))).toEqual(["\\u0000", "\\ud83d"]);
});
