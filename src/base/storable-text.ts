import { plain } from "./plain-text.ts";

/**
 * Text that every store can hold and every tool can show: NUL, where many programs stop reading, and halves of surrogate pairs, for
 * which UTF-8 has no bytes, become escapes that a person sees. All other text stays as it is.
 */
export const storable = (text: string): string =>
  text.isWellFormed() && !text.includes("\0") ? text : text.replaceAll(/[\0\p{Cs}]/gu, (character) => plain(character));

/** JSON text of a value, with all its texts storable. */
export function storableJson(value: unknown): string {
  const text = JSON.stringify(value);
  if (!/\\u(?:0000|d[89a-f])/.test(text)) return text;
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "string" ? storable(part) : part));
}

/** As `storable`, where there may be no text. */
export const storableOrNull = (text: string | null): string | null => (text === null ? null : storable(text));
