import { expect, it } from "vitest";
import { BridgeError } from "./errors.ts";
import { plain } from "./plain-text.ts";

it.each([
  ["trades_é漢.csv", "trades_é漢.csv"],
  ["\x1b[2J\x07", "\\u{1b}[2J\\u{7}"],
  ["a\nb\r\u2028", "a\\u{a}b\\u{d}\\u{2028}"],
  ["\u202egnp.csv\u200b", "\\u{202e}gnp.csv\\u{200b}"],
])("plain(%j)", (text, shown) => {
  expect(plain(text)).toBe(shown);
});

it("an error's line shows a name's newline and joins the lines of a sentence", () => {
  const error = new BridgeError("UNREADABLE", { what: "no\n  such \x1b[2J file", where: "a\nb", mend: "look\nagain" });
  expect(error.line).toBe("UNREADABLE: no such \\u{1b}[2J file (a\\u{a}b); look again");
});
