import { plain } from "./plain-text.ts";

/**
 * Makes text safe for every store and tool: NUL, at which many programs stop reading, and lone surrogates,
 * which UTF-8 cannot encode, become visible escapes. All other text stays unchanged.
 */
export const storable = (text: string): string =>
  text.isWellFormed() && !text.includes("\0")
    ? text
    : text.replaceAll(/[\0\p{Cs}]/gu, (character) => plain(character));

/** The JSON of a value whose texts, except the names of properties, are made storable. */
export function storableJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (!/\\u(?:0000|d[89a-f])/.test(text)) return text;
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? storable(part) : part));
}

/** Like `storable`, but null stays null. */
export const storableOrNull = (text: string | null): string | null => (text === null ? null : storable(text));
