import { namedSeries, readFrontFuture, readFuture, readOption } from "../contracts.ts";
import { letterOfMonth, monthOfLetter } from "../months.ts";
import { productOfCode } from "../products.ts";
import {
  type Dialect,
  type Printing,
  printed,
  type Reading,
  refused,
  type SymbolContext,
} from "../reading.ts";
import { cmeTable } from "../series-codes.ts";
import {
  type BadStrike,
  badStrike,
  type Eighths,
  eighthsOf,
  eighthsOfHundredths,
  hundredthsOf,
} from "../strike.ts";
import { decadeNotes, lostDecade, yearOfDigit } from "../years.ts";

const symbol = /^([A-Z]{2,3})([1-5]?)([FGHJKMNQUVXZ])(\d)(?: ([CP])(\d{5,6}))?$/;
const bareRoot = /^[A-Z]{2}$/;

/**
 * CME's Globex symbols. The year has one digit, which the as-of day resolves. Strikes are hundredths of a
 * point in five digits; eighths lose their last digit and remain distinct (10912 is 109.125). Six digits are
 * also read: if the first is 0, as hundredths (the desk's calendar writes them so), otherwise as thousandths.
 * A root of two letters and a digit means weekly options (ZN1), the letters alone a future (ZN).
 */
export const cme: Dialect = {
  name: "cme",
  describes: "CME's Globex symbols: one digit of the year, strikes in hundredths",
  forms: [
    { what: "future", form: "product letter year-digit", example: "ZNU5" },
    { what: "weekly option", form: "root week letter year-digit C|P hundredths", example: "VY3N5 C11175" },
    {
      what: "quarterly and serial option",
      form: "root letter year-digit C|P hundredths",
      example: "OZNQ5 P11050",
    },
    { what: "front future of the day", form: "product (only read, never printed)", example: "ZN" },
  ],
  detects: (text) => symbol.test(text) || (bareRoot.test(text) && ofCme(text) !== undefined),
  parse(text, context): Reading {
    const found = symbol.exec(text);
    if (found !== null) return parseSymbol(found, context);
    const product = bareRoot.test(text) ? ofCme(text) : undefined;
    if (product !== undefined) return readFrontFuture(product, context);
    return refused("UNKNOWN_FORM", "CME's symbols are like ZNU5, VY3N5 C11175 or OZNQ5 P11050");
  },
  print(instrument, { asOf }): Printing {
    const { year, month } = instrument.kind === "future" ? instrument : instrument.series;
    const when = `${letterOfMonth(month)}${year % 10}`;
    if (instrument.kind === "future") {
      if (instrument.product.exchange !== "XCBT")
        return refused("NO_KNOWN_CODE", `${instrument.product.name} futures are not listed at CME`);
      return lostDecade("cme", year, asOf) ?? printed(`${instrument.product.code}${when}`);
    }
    const { series, right, strike } = instrument;
    const row = cmeTable.codeOf(series.product, series.family, series.nominal);
    if (row === undefined) return refused("NO_KNOWN_CODE", `no source says what CME calls ${series.name}`);
    const root = `${row.code}${series.week === 0 ? "" : series.week}`;
    return (
      lostDecade("cme", year, asOf) ??
      printed(`${root}${when} ${right}${`${hundredthsOf(strike)}`.padStart(5, "0")}`)
    );
  },
};

/** The product with a code, unless it is the Bund, which Eurex lists. */
function ofCme(code: string) {
  const product = productOfCode(code);
  return product?.exchange === "XCBT" ? product : undefined;
}

function parseSymbol(
  [, root = "", week = "", letter = "", digit, right, strikeText]: RegExpExecArray,
  context: SymbolContext,
): Reading {
  const year = yearOfDigit(Number(digit), context.asOf);
  const month = monthOfLetter(letter);
  const notes = decadeNotes(year, context.asOf);
  if (week === "" && right === undefined) {
    const product = ofCme(root);
    if (product !== undefined) return readFuture(product, { year, month }, context, notes);
  }
  const row = cmeTable.named(root);
  if (row === undefined || (row.family === "standard") !== (week === ""))
    return root.length === 2 && week === ""
      ? refused(
          "UNKNOWN_PRODUCT",
          `CME has no Treasury ${right === undefined ? "future" : "option"} called ${root}`,
        )
      : refused("UNKNOWN_SERIES", `CME has no Treasury options called ${root}${week}`);
  if (right === undefined || strikeText === undefined)
    return refused(
      "NO_STRIKE",
      `${root}${week}${letter}${digit} is a series: an option has C or P and a strike`,
    );
  const found = namedSeries(row, { year, month, week: Number(week) }, context, notes);
  if ("ok" in found) return found;
  const six = strikeText.length === 6;
  const shown = `${right}${strikeText}`;
  const strikeNotes = six
    ? [...found.notes, { code: "STRIKE_FORM" as const, why: `${shown} has six digits; five are printed` }]
    : found.notes;
  return readOption({ series: found.series, notes: strikeNotes }, right, strikeOf(strikeText), shown);
}

function strikeOf(text: string): Eighths | BadStrike {
  const number = Number(text);
  if (!Number.isInteger(number)) return badStrike;
  return text.length === 6 && text[0] !== "0" ? eighthsOf(number) : eighthsOfHundredths(number);
}
