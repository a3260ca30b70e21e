/**
 * Makes foreign text safe and fully visible on a terminal: control, invisible and direction characters become
 * escapes.
 */
export const plain = (text: string): string =>
  text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  );

/**
 * Returns the same JSON with JSON escapes for the characters from U+007F on that `plain` escapes. JSON has
 * already escaped control characters below U+0020 in its texts, and a newline may end the JSON.
 */
export const plainJson = (json: string): string =>
  /[^\0-\x7e]/.test(json) ? json.replaceAll(/[\x7f-\x9f\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, jsonEscape) : json;

/** Returns the JSON of a value, safe for a terminal (`plainJson`). */
export const jsonText = (value: unknown): string => plainJson(JSON.stringify(value));

const jsonEscape = (character: string): string =>
  character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
