import { present } from "../base/present.ts";
import { type DayNumber, dayNumber } from "../domain/market/trading-day.ts";
import { type Product, productOfCode } from "./products.ts";

/**
 * The weekday on which a weekly series expires, or `standard` for the quarterly and serial options, one per
 * month.
 */
export const families = ["mon", "tue", "wed", "thu", "fri", "standard"] as const;
export type Family = (typeof families)[number];
export type Weekly = Exclude<Family, "standard">;

/**
 * The code by which one house (CME, Bloomberg or the broker) names the options of a product and family, with
 * its first day and its source.
 */
export interface SeriesCode {
  readonly product: Product;
  readonly family: Family;
  readonly code: string;
  /** The first day on which such an option can expire. */
  readonly from: DayNumber;
  /** Set for a code that is read, with a note, but never printed: the house's usual code is another one. */
  readonly alias?: true;
  readonly source: string;
}

/** Launch days of the families, the same for all six products. */
const since = {
  standard: {
    day: dayNumber(2000, 1, 1),
    source: "CME option specifications of each product; the day is the first one known here, not the launch",
  },
  fri: {
    day: dayNumber(2011, 1, 1),
    source: "CME, weekly Treasury options since 2011 (article of 2025; the day is not given)",
  },
  wed: { day: dayNumber(2017, 6, 5), source: "CME advisory 17-179: listed for trade date 5 June 2017" },
  mon: {
    day: dayNumber(2023, 10, 30),
    source: "CME FAQ on weekly Treasury options: launched 30 October 2023",
  },
  tue: {
    day: dayNumber(2025, 6, 16),
    source: "CME, Tuesday and Thursday weekly options: listed 16 June 2025",
  },
  thu: {
    day: dayNumber(2025, 6, 16),
    source: "CME, Tuesday and Thursday weekly options: listed 16 June 2025",
  },
} as const satisfies Record<Family, { readonly day: DayNumber; readonly source: string }>;

const weekdayFaq = "CME FAQ, New Treasury options for each day of the week (2025)";

/**
 * CME's roots, which Actant also uses. In a symbol, the number of the week follows the root of a weekly
 * option.
 */
export const cmeCodes: readonly SeriesCode[] = (
  [
    ["ZT", { standard: "OZT", mon: "VT", tue: "GT", wed: "WT", thu: "HT", fri: "ZT" }],
    ["ZF", { standard: "OZF", mon: "VF", tue: "GF", wed: "WF", thu: "HF", fri: "ZF" }],
    ["ZN", { standard: "OZN", mon: "VY", tue: "GY", wed: "WY", thu: "HY", fri: "ZN" }],
    ["TN", { standard: "OTN", mon: "VX", tue: "GX", wed: "WX", thu: "HX", fri: "TN" }],
    ["ZB", { standard: "OZB", mon: "VB", tue: "GB", wed: "WB", thu: "HB", fri: "ZB" }],
    ["UB", { standard: "OUB", mon: "VU", tue: "GU", wed: "WU", thu: "HU", fri: "UB" }],
  ] as const
).flatMap(([product, codes]) =>
  families.map((family) =>
    row(
      product,
      family,
      codes[family],
      family === "standard" ? since.standard.source : `${weekdayFaq}; ${since[family].source}`,
    ),
  ),
);

const midWeek = "CME, Mid-Week Risk, Managed (2018); each root there has a final A for the active contract";
const mondays =
  "CME, Hedging weekend event risk (2023), Exhibit 1; the root there has a final A for the active contract";
const desk = "the desk's expiration calendar, rows of July to September 2025";
const quarterly = "the future's own root, as in the desk's expiration calendar; CME option specifications";

/**
 * Bloomberg's roots of options. Missing roots are not known: the only sources found for Tuesday, Thursday and
 * Friday options are for the 10-year, and for Monday options for the 2-year and the 10-year.
 */
export const bloombergCodes: readonly SeriesCode[] = [
  row("ZT", "standard", "TU", quarterly),
  row("ZF", "standard", "FV", quarterly),
  row("ZN", "standard", "TY", quarterly),
  row("TN", "standard", "UXY", "CME, Ultra 10-year options page"),
  row("ZB", "standard", "US", quarterly),
  row("UB", "standard", "WN", "CME option specifications; Bloomberg's root of the future"),
  row("ZT", "mon", "VFT", mondays),
  row("ZT", "wed", "TUI", midWeek),
  row("ZF", "wed", "FVW", midWeek),
  row("ZN", "mon", "VBY", desk),
  row("ZN", "tue", "TJP", desk),
  // Two codes are published for the Wednesday options of the 10-year. The desk's code is printed.
  row("ZN", "wed", "TYW", desk),
  { ...row("ZN", "wed", "TYY", midWeek), alias: true },
  row("ZN", "thu", "TJW", desk),
  row("ZN", "fri", "M", desk),
  row("TN", "wed", "UXT", midWeek),
  row("ZB", "wed", "USY", midWeek),
  row("UB", "wed", "WNY", midWeek),
];

const statement = "the desk's broker statements and expiration calendar, July to September 2025";

/**
 * The broker's words for weekly options of the 10-year; # stands for the week. Monday and monthly options
 * have no words, so several of them share one text. The words for other products are not known.
 */
export const brokerCodes: readonly SeriesCode[] = [
  row("ZN", "tue", "W# TUES OPT", statement),
  row("ZN", "wed", "WED WK#", statement),
  row("ZN", "thu", "W# THURS OPT", statement),
  row("ZN", "fri", "WKLY WK#", statement),
];

function row(code: string, family: Family, name: string, source: string): SeriesCode {
  return {
    product: present(productOfCode(code), `${code} is a product`),
    family,
    code: name,
    from: since[family].day,
    source,
  };
}

/** One house's codes, with look-ups in both directions. Constant time. */
export class CodeTable {
  readonly #byCode: ReadonlyMap<string, readonly SeriesCode[]>;
  readonly #bySeries: ReadonlyMap<Product, ReadonlyMap<Family, readonly SeriesCode[]>>;
  readonly codes: readonly SeriesCode[];

  constructor(codes: readonly SeriesCode[]) {
    this.codes = codes;
    this.#byCode = Map.groupBy(codes, ({ code }) => code);
    this.#bySeries = new Map(
      [...Map.groupBy(codes, ({ product }) => product)].map(([product, rows]) => [
        product,
        Map.groupBy(
          rows.filter(({ alias }) => alias !== true).toSorted((a, b) => b.from - a.from),
          ({ family }) => family,
        ),
      ]),
    );
  }

  /** Returns the first row of a code, whatever the day. */
  named(code: string): SeriesCode | undefined {
    return this.#byCode.get(code)?.[0];
  }

  /** Returns the row with the code for options of a family that expire on a day. */
  codeOf(product: Product, family: Family, day: DayNumber): SeriesCode | undefined {
    return this.#bySeries
      .get(product)
      ?.get(family)
      ?.find(({ from }) => from <= day);
  }
}

export const cmeTable = new CodeTable(cmeCodes);
export const bloombergTable = new CodeTable(bloombergCodes);
export const brokerTable = new CodeTable(brokerCodes);

/** The first day on which options of a family can expire. */
export const firstExpiryOf = (family: Family): DayNumber => since[family].day;
