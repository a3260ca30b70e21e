import { expect, it } from "vitest";
import { BridgeError } from "./errors.ts";
import { jsonText, plain, plainJson } from "./plain-text.ts";

it.each([
  ["trades_é漢.csv", "trades_é漢.csv"],
  ["\x1b[2J\x07", "\\u{1b}[2J\\u{7}"],
  ["a\nb\r\u2028", "a\\u{a}b\\u{d}\\u{2028}"],
  ["\u202egnp.csv\u200b", "\\u{202e}gnp.csv\\u{200b}"],
])("plain(%j)", (text, shown) => {
  expect(plain(text)).toBe(shown);
});

it("an error's line escapes a newline in a name and joins the lines of a message", () => {
  const error = new BridgeError("UNREADABLE", {
    what: "no\n  such \x1b[2J file",
    where: "a\nb",
    fix: "look\nagain",
  });
  expect(error.line).toBe("UNREADABLE: no such \\u{1b}[2J file (a\\u{a}b); look again");
});

it.each([
  "\u009b2J",
  "\u007f",
  "é漢 is text",
  "\u202egnp",
  "\u{e0041}tag",
  "\ud800",
  "line\u2028end\n",
  "\u0000",
])("JSON of %j contains no control character for a terminal, and means the same", (text) => {
  const json = jsonText({ [text]: [text] });
  expect(json).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
  expect(JSON.parse(json)).toEqual({ [text]: [text] });
  expect(plainJson(json)).toBe(json);
});
