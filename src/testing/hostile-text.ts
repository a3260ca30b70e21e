/** Texts that have broken stores, files and terminals, each under the name of its problem. */
export const hostile: Readonly<Record<string, string>> = {
  NUL: "a\0b\0",
  "half of a surrogate pair": "\ud83d then \ude00",
  "control characters": "\x01\x02\b\t\n\r\x1b[31m\x7f\x85",
  quotes: `'"\`\\''""\\"`,
  SQL: "'); DROP TABLE comparisons; DELETE FROM audit; --",
  "array syntax": '{"a",NULL,\\"b\\"}',
  "the word NULL": "NULL",
  JSON: '{"a":"\\u0000"}',
  "astral, combining, right to left": "\u{1f600}e\u0301 \u202eabc\ufeff\uffff",
  "spaces at both ends": "  a  ",
};

/** The visible form that a store may keep in place of text that it cannot store as it is. */
export const visible = (text: string): string =>
  text.replaceAll(/[\0\p{Cs}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
