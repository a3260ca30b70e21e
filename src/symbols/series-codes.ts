import { present } from "../base/present.ts";
import { type DayNumber, dayNumber } from "../domain/market/trading-day.ts";
import { type Product, productOfCode } from "./products.ts";

/** The weekday whose options a series is, or `standard`: the quarterly and serial options, one a month. */
export const families = ["mon", "tue", "wed", "thu", "fri", "standard"] as const;
export type Family = (typeof families)[number];
export type Weekly = Exclude<Family, "standard">;

/** What one house calls the options of a product and family: a row for each code, with the day it begins and who says so. */
export interface SeriesCode {
  readonly product: Product;
  readonly family: Family;
  readonly code: string;
  /** The first day on which such an option can expire. */
  readonly from: DayNumber;
  /** Read, with a note, and never printed: another code is the house's own. */
  readonly alias?: true;
  readonly source: string;
}

/** Launch days of the families, the same for all six products. */
const since = {
  standard: { day: dayNumber(2000, 1, 1), source: "CME option specifications of each product; before the years known here" },
  fri: { day: dayNumber(2011, 1, 1), source: "CME, weekly Treasury options since 2011 (article of 2025; the day is not given)" },
  wed: { day: dayNumber(2017, 6, 5), source: "CME advisory 17-179: listed for trade date 5 June 2017" },
  mon: { day: dayNumber(2023, 10, 30), source: "CME FAQ on weekly Treasury options: launched 30 October 2023" },
  tue: { day: dayNumber(2025, 6, 16), source: "CME, Tuesday and Thursday weekly options: listed 16 June 2025" },
  thu: { day: dayNumber(2025, 6, 16), source: "CME, Tuesday and Thursday weekly options: listed 16 June 2025" },
} as const satisfies Record<Family, { readonly day: DayNumber; readonly source: string }>;

const weekdayFaq = "CME FAQ, New Treasury options for each day of the week (2025)";

/** CME's roots; Actant writes the same. In a symbol the number of the week follows those of weekly options. */
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
    row(product, family, codes[family], family === "standard" ? since.standard.source : `${weekdayFaq}; ${since[family].source}`),
  ),
);

const midWeek = "CME, Mid-Week Risk, Managed (2018), without its final A, which asks for the active contract";
const mondays = "CME, Hedging weekend event risk (2023), Exhibit 1, without its final A, which asks for the active contract";
const desk = "the desk's expiration calendar, rows of July to September 2025";
const quarterly = "the future's own root, as in the desk's expiration calendar; CME option specifications";

/**
 * Bloomberg's roots of options. What is not here is not known: no source was found for the Friday options but the 10-year's,
 * for Tuesday and Thursday but the 10-year's, and for Monday but the 2-year's and 10-year's.
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
  // Two codes are published for the 10-year's Wednesdays. The desk's is printed.
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
 * The words by which the broker tells a weekly option of the 10-year; # stands for the week. Monday and monthly options have
 * none, so their text is that of several options. Other products' words are not known.
 */
export const brokerCodes: readonly SeriesCode[] = [
  row("ZN", "tue", "W# TUES OPT", statement),
  row("ZN", "wed", "WED WK#", statement),
  row("ZN", "thu", "W# THURS OPT", statement),
  row("ZN", "fri", "WKLY WK#", statement),
];

function row(code: string, family: Family, name: string, source: string): SeriesCode {
  return { product: present(productOfCode(code), `${code} is a product`), family, code: name, from: since[family].day, source };
}

/** One house's codes, to be asked both ways. Constant time. */
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

  /** The rows of a code, whatever the day: usually one. */
  named(code: string): SeriesCode | undefined {
    return this.#byCode.get(code)?.[0];
  }

  /** The row that says what options of a family expiring on a day are called. */
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
