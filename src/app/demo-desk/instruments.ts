import { type DayNumber, dateOfDay, isBusinessDay, nextBusinessDay, weekday } from "../../domain/trading-day.ts";
import { monthLetters, productOfRoot } from "../../symbols/index.ts";

export interface FutureContract {
  readonly kind: "future";
  /** As the ledgers write it, `XCMEFFDPSX20250919U0ZN`. */
  readonly symbol: string;
  /** CME's code. */
  readonly root: string;
  /** Points. A power of two, so every price is exact in a float. */
  readonly tick: number;
}

export interface OptionContract {
  readonly kind: "option";
  /** As the ledgers write it, `XCMEOCADPS20250714N0VY2/108.75`. */
  readonly symbol: string;
  readonly right: "C" | "P";
  readonly strike: number;
  readonly expiry: DayNumber;
}

export type Contract = FutureContract | OptionContract;

/** Options of the ten-year note are quoted in 64ths of a point. */
export const optionTick = 1 / 64;

/** The futures of the desk that are in front from late June to late August 2025, busiest first. */
export const frontFutures: readonly FutureContract[] = (
  [
    ["ZN", "20250919"],
    ["ZB", "20250919"],
    ["ZF", "20250930"],
    ["ZT", "20250930"],
  ] as const
).map(([root, lastDay]) => ({
  kind: "future",
  symbol: `XCMEFFDPSX${lastDay}U0${root}`,
  root,
  tick: Number(productOfRoot(root)?.tick),
}));

/** The ten-year option of one expiry; `expiry` must be a business day from Monday to Friday. */
export function optionOf(right: "C" | "P", expiry: DayNumber, strike: number): OptionContract {
  const { letter, ledger } = seriesOf(expiry);
  const symbol = `XCMEO${right}ADPS${compactDay(expiry)}${letter}0${ledger}/${strike}`;
  return { kind: "option", symbol, right, strike, expiry };
}

/** What Bloomberg calls it: `VBYN25C2 112.250 Comdty`, `3MN5C 111.000 Comdty`, `TYQ5P 110.500 Comdty`. */
export function bloombergOf({ right, expiry, strike }: OptionContract): string {
  const { letter, bloomberg, week } = seriesOf(expiry);
  const year = dateOfDay(expiry).year % 100;
  const series =
    bloomberg === "TY"
      ? `TY${letter}${year % 10}${right}`
      : bloomberg === "M"
        ? `${week}M${letter}${year % 10}${right}`
        : `${bloomberg}${letter}${year}${right}${week}`;
  return `${series} ${strike.toFixed(3)} Comdty`;
}

/** `YYYYMMDD`. */
export function compactDay(day: DayNumber): string {
  const { year, month, date } = dateOfDay(day);
  return `${year}${`${month}`.padStart(2, "0")}${`${date}`.padStart(2, "0")}`;
}

/** Monday to Friday. Weekly roots of the ledgers are CME's, with the week's number behind. */
const weeklies = [
  { ledger: "VY", bloomberg: "VBY" },
  { ledger: "GY", bloomberg: "TJP" },
  { ledger: "WY", bloomberg: "TYW" },
  { ledger: "HY", bloomberg: "TJW" },
  { ledger: "ZN", bloomberg: "M" },
] as const;

interface Series {
  /** Month of the contract. */
  readonly letter: string;
  readonly ledger: string;
  readonly bloomberg: string;
  readonly week: number;
}

function seriesOf(expiry: DayNumber): Series {
  const { month, date } = dateOfDay(expiry);
  const week = Math.floor((date - 1) / 7) + 1;
  // The standard option of a month expires in the month before, so its letter is the next month's.
  if (isStandardExpiry(expiry)) return { letter: letterOf((month % 12) + 1), ledger: "OZN", bloomberg: "TY", week };
  const { ledger, bloomberg } = weeklies[weekday(expiry) - 1] as (typeof weeklies)[number];
  return { letter: letterOf(month), ledger: `${ledger}${week}`, bloomberg, week };
}

const letterOf = (month: number): string => monthLetters[month - 1] as string;

/** CME: the last Friday that precedes the month's last business day by at least two business days. */
function isStandardExpiry(day: DayNumber): boolean {
  if (weekday(day) !== 5) return false;
  const precedes = (friday: DayNumber): boolean => {
    const second = nextBusinessDay(nextBusinessDay(friday));
    return dateOfDay(second).month === dateOfDay(day).month;
  };
  return isBusinessDay(day) && precedes(day) && (dateOfDay(day + 7).month !== dateOfDay(day).month || !precedes(day + 7));
}
