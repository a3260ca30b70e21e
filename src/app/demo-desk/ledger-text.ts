import { ledgerColumns } from "../../adapters/csv/ledger-lines.ts";
import { formatDay } from "../../domain/market/trading-day.ts";

export const ledgerHeader = ledgerColumns.join(",");

/** `2025-07-13 17:20:36.986`, from milliseconds since 17:00 of the day before `day`. */
export function wallText(day: number, atMs: number, places: 0 | 3 | 6): string {
  const sinceMidnight = atMs - eveningMs;
  const date = formatDay(sinceMidnight < 0 ? day - 1 : day);
  const clockMs = sinceMidnight < 0 ? sinceMidnight + dayMs : sinceMidnight;
  const seconds = Math.floor(clockMs / 1_000);
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor(seconds / 60) % 60;
  const clock = `${two(hours)}:${two(minutes)}:${two(seconds % 60)}`;
  const fraction = `${clockMs % 1_000}`.padStart(3, "0").padEnd(places, "0");
  return `${date} ${clock}${places === 0 ? "" : `.${fraction}`}`;
}

const dayMs = 86_400_000;
/** From 17:00 to midnight. */
export const eveningMs = 7 * 3_600_000;
const two = (value: number): string => (value < 10 ? `0${value}` : `${value}`);
