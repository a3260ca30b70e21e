import { assert } from "../../base/errors.ts";
import { at, present } from "../../base/present.ts";
import { type DayNumber, formatDay, weekday } from "../../domain/market/trading-day.ts";
import {
  type DialectName,
  ExpiryCalendar,
  type Family,
  type OptionInstrument,
  optionOf as optionInstrumentOf,
  printSymbol,
  productOfRoot,
} from "../../symbols/index.ts";

export interface FutureContract {
  readonly kind: "future";
  /** The symbol in the ledgers, such as `XCMEFFDPSX20250919U0ZN`. */
  readonly symbol: string;
  /** CME's code. */
  readonly root: string;
  /** The tick in points, a power of two, so that every price is exact in a float. */
  readonly tick: number;
}

export interface OptionContract {
  readonly kind: "option";
  /** The symbol in the ledgers, such as `XCMEOCADPS20250714N0VY2/108.75`. */
  readonly symbol: string;
  readonly instrument: OptionInstrument;
  readonly right: "C" | "P";
  readonly strike: number;
  readonly expiry: DayNumber;
}

export type Contract = FutureContract | OptionContract;

/** Options of the ten-year note are quoted in 64ths of a point. */
export const optionTick = 1 / 64;

/**
 * The futures of the desk whose contracts are the front ones from late June to late August 2025, busiest
 * first.
 */
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

export const frontFuture = (root: string): FutureContract =>
  present(
    frontFutures.find((future) => future.root === root),
    `${root} has a front future`,
  );

/**
 * The option of the ten-year note with this right, expiry and strike. `expiry` must be a business day,
 * `strike` a multiple of an eighth.
 */
export function optionOf(right: "C" | "P", expiry: DayNumber, strike: number): OptionContract {
  const ofWeekday = calendar.seriesOn(tenYear, at(weekdays, weekday(expiry) - 1), expiry);
  const series = ofWeekday ?? calendar.seriesOn(tenYear, "standard", expiry);
  assert(series !== undefined, `an option of the ten-year note expires on ${formatDay(expiry)}`);
  const instrument = optionInstrumentOf(series, right, strike * 8);
  return {
    kind: "option",
    symbol: nameIn("actant-trades", instrument, expiry),
    instrument,
    right,
    strike,
    expiry,
  };
}

/** The option's Bloomberg symbol, such as `VBYN25C2 112.250 Comdty` or `TYQ5P 110.500 Comdty`. */
export const bloombergOf = ({ instrument, expiry }: OptionContract): string =>
  nameIn("bloomberg", instrument, expiry);

/** `YYYYMMDD`. */
export const compactDay = (day: DayNumber): string => formatDay(day).replaceAll("-", "");

const calendar = new ExpiryCalendar();
const tenYear = present(productOfRoot("ZN"), "ZN is a product");
const weekdays = ["mon", "tue", "wed", "thu", "fri"] as const satisfies readonly Family[];

function nameIn(dialect: DialectName, instrument: OptionInstrument, asOf: DayNumber): string {
  const printing = printSymbol(instrument, dialect, { asOf, calendar });
  assert(printing.ok, `${instrument.name} has a name in ${dialect}`);
  return printing.text;
}
