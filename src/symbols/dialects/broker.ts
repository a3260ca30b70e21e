import { type ContractMonth, namedSeries, readFuture, readOption, refusedDate } from "../contracts.ts";
import type { OptionSeries } from "../expiry-calendar.ts";
import { optionOf, type Right } from "../instrument.ts";
import { monthNames, monthOfName } from "../months.ts";
import { type Product, productOfCode } from "../products.ts";
import {
  type Dialect,
  noNotes,
  type Printing,
  printed,
  type Reading,
  refused,
  type SymbolContext,
} from "../reading.ts";
import { brokerTable } from "../series-codes.ts";
import { badStrike, formatStrike, parseStrike } from "../strike.ts";
import { twoDigitsOf, yearOfTwoDigits } from "../years.ts";

const future = /^([A-Z]{3}) (\d\d) CBT (\d+YR) (T ?NOTE|T ?BOND)$/;
const option =
  /^(CALL|PUT) ([A-Z]{3}) (\d\d) CBT (\d+YR) (T ?NOTE|T ?BOND)(?: (W(?=[1-5] )|WED WK|WKLY WK)([1-5])( TUES OPT| THURS OPT)?)?(?: (\d[\d.]*))?$/;

/**
 * The desk's statements and calendar name these four products; the words for the ultra contracts are not
 * known.
 */
const products: Readonly<Record<string, { readonly code: string; readonly text: string }>> = {
  "2YR NOTE": { code: "ZT", text: "2YR TNOTE" },
  "5YR NOTE": { code: "ZF", text: "5YR TNOTE" },
  "10YR NOTE": { code: "ZN", text: "10YR TNOTE" },
  "30YR BOND": { code: "ZB", text: "30YR TBOND" },
};
const textOf: ReadonlyMap<string, string> = new Map(
  Object.values(products).map(({ code, text }) => [code, text]),
);

/**
 * The words of the broker's statements. `T NOTE` and `TNOTE` are both in use. Monday and monthly options have
 * no words of their own: `CALL AUG 25 CBT 10YR TNOTE 112.50` may be any of them, so it is refused with all
 * candidates.
 */
export const broker: Dialect = {
  name: "broker",
  describes:
    "the broker's statements: words for month, product and week; Monday and monthly options have the same words",
  forms: [
    { what: "future", form: "MON YY CBT 2YR|5YR|10YR TNOTE, 30YR TBOND", example: "SEP 25 CBT 10YR TNOTE" },
    {
      what: "Tuesday or Thursday option",
      form: "CALL|PUT MON YY CBT 10YR TNOTE Wn TUES|THURS OPT strike",
      example: "PUT AUG 25 CBT 10YR TNOTE W1 TUES OPT 110.50",
    },
    {
      what: "Wednesday option",
      form: "… WED WKn strike",
      example: "CALL AUG 25 CBT 10YR TNOTE WED WK1 112.75",
    },
    {
      what: "Friday option",
      form: "… WKLY WKn strike",
      example: "CALL AUG 25 CBT 10YR TNOTE WKLY WK2 112.75",
    },
    {
      what: "Monday or monthly option",
      form: "… strike (refused, because it may be either)",
      example: "CALL AUG 25 CBT 10YR TNOTE 112.50",
    },
  ],
  detects: (text) => future.test(text) || option.test(text),
  parse(text, context): Reading {
    const asFuture = future.exec(text);
    if (asFuture !== null) {
      const [, monthText = "", year = "", term = "", kind = ""] = asFuture;
      const product = productOf(term, kind);
      if (product === undefined) return unknownProduct(term, kind);
      const month = monthOfName(monthText);
      return month === 0
        ? refusedDate(`${monthText} ${year}`)
        : readFuture(product, { year: yearOfTwoDigits(year), month }, context);
    }
    const asOption = option.exec(text);
    if (asOption !== null) return parseOption(asOption, context);
    return refused(
      "UNKNOWN_FORM",
      "the broker's words are like SEP 25 CBT 10YR TNOTE or CALL AUG 25 CBT 10YR TNOTE WED WK1 112.75",
    );
  },
  print(instrument): Printing {
    const { product, year, month } = instrument.kind === "future" ? instrument : instrument.series;
    const words = textOf.get(product.code);
    if (words === undefined)
      return refused("NO_KNOWN_CODE", `no source says what the broker calls the ${product.name}`);
    const when = `${monthNames[month - 1]} ${twoDigitsOf(year)} CBT ${words}`;
    if (instrument.kind === "future") return printed(when);
    const { series, right, strike } = instrument;
    const row = brokerTable.codeOf(product, series.family, series.nominal);
    if (row !== undefined)
      return printed(
        `${right === "C" ? "CALL" : "PUT"} ${when} ${row.code.replace("#", `${series.week}`)} ${formatStrike(strike, ".", 2)}`,
      );
    if (product.code !== "ZN")
      return refused("NO_KNOWN_CODE", `no source says what the broker calls options of the ${product.name}`);
    return refused(
      "CANNOT_CARRY",
      "the broker has the same words for the Monday options of a month and for the monthly option",
      {
        lost: ["series"],
      },
    );
  },
};

function parseOption(
  [
    ,
    side = "",
    monthText = "",
    yearText = "",
    term = "",
    kind = "",
    before,
    weekText,
    after,
    strikeText,
  ]: RegExpExecArray,
  context: SymbolContext,
): Reading {
  const product = productOf(term, kind);
  if (product === undefined) return unknownProduct(term, kind);
  const month = monthOfName(monthText);
  if (month === 0) return refusedDate(`${monthText} ${yearText}`);
  if (product.code !== "ZN")
    return refused(
      "UNKNOWN_SERIES",
      `no source says what the broker's words for options of the ${product.name} mean`,
    );
  if (strikeText === undefined) return refused("NO_STRIKE", "an option has a strike after its words");
  const right: Right = side === "CALL" ? "C" : "P";
  const year = yearOfTwoDigits(yearText);
  const strike = parseStrike(strikeText, ".");
  if (before === undefined) {
    const series = seriesWithoutWeek(product, { year, month }, context);
    const name = (one: OptionSeries): string =>
      strike === badStrike ? one.name : optionOf(one, right, strike).name;
    return refused("AMBIGUOUS", "words without a week may mean a Monday option or the monthly option", {
      candidates: [...new Set(series.map(name))],
    });
  }
  const row = brokerTable.named(`${before}#${after ?? ""}`);
  if (row === undefined)
    return refused("UNKNOWN_SERIES", `the broker has no options called ${before}${weekText}${after ?? ""}`);
  const found = namedSeries(row, { year, month, week: Number(weekText) }, context, noNotes);
  if ("ok" in found) return found;
  return readOption(found, right, strike, strikeText);
}

/**
 * Returns all series that words without a week may mean. The month in the words is the month of expiry in the
 * desk's calendar, and the contract month in other sources.
 */
function seriesWithoutWeek(
  product: Product,
  { year, month }: ContractMonth,
  { calendar }: SymbolContext,
): readonly OptionSeries[] {
  const contract = calendar.standard(product, year, month);
  const expiring = calendar.seriesExpiringIn(product, year, month);
  const unnamed = expiring.filter(({ family }) => family === "mon" || family === "standard");
  return contract === undefined ? unnamed : [...unnamed, contract];
}

const productOf = (term: string, kind: string): Product | undefined => {
  const known = products[`${term} ${kind.endsWith("NOTE") ? "NOTE" : "BOND"}`];
  return known === undefined ? undefined : productOfCode(known.code);
};

const unknownProduct = (term: string, kind: string): Reading =>
  refused(
    "UNKNOWN_PRODUCT",
    `the broker's statements are known for 2YR, 5YR, 10YR TNOTE and 30YR TBOND, not for ${term} ${kind}`,
  );
