/** Text from outside made harmless on a terminal and visible in full: control, invisible and direction characters become escapes. */
export const plain = (text: string): string =>
  text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);

/** JSON with the same meaning, in which the characters that `plain` escapes are escaped as JSON does it. */
export const plainJson = (json: string): string =>
  /[^\x20-\x7e]/.test(json) ? json.replaceAll(/[\x7f-\x9f\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, jsonEscape) : json;

/** A value as such JSON. */
export const jsonText = (value: unknown): string => plainJson(JSON.stringify(value));

const jsonEscape = (character: string): string =>
  character
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");
