import { BridgeError } from "../../base/errors.ts";

export function percentage(text: string): number {
  const value = /^\d{1,3}(\.\d{1,3})?$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value <= 100) return value;
  throw new BridgeError("BAD_USAGE", {
    what: `${text} is not a percentage`,
    fix: "write a number from 0 to 100, with at most three decimals",
  });
}

export function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new BridgeError("BAD_USAGE", {
    what: `${text} is not a whole number`,
    fix: "write a number such as 12",
  });
}

export const percentages = (text: string): readonly number[] => text.split(",").map(percentage);

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Parses a duration such as `90s`, `10m` or `1h`; `option` is named in the error. */
export function durationMs(option: string, text: string): number {
  const [, count, unit] = /^(\d{1,9})(ms|s|m|h)$/.exec(text.trim()) ?? [];
  const unitMs = unitsMs[unit ?? ""];
  if (count !== undefined && unitMs !== undefined) return Number(count) * unitMs;
  throw new BridgeError("BAD_USAGE", {
    what: `${option} ${text} is not a duration`,
    fix: "write 90s, 10m or 1h",
  });
}
