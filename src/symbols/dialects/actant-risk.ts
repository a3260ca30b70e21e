import type { DayNumber } from "../../domain/market/trading-day.ts";
import {
  datedSeries,
  dayOfText,
  holidayNotes,
  namedSeries,
  readFuture,
  readOption,
  refusedDate,
  textOfDay,
} from "../contracts.ts";
import type { OptionSeries } from "../expiry-calendar.ts";
import { monthNames, monthOfLetter, monthOfName } from "../months.ts";
import { type Product, productOfBloomberg, productOfCode, products } from "../products.ts";
import {
  type Dialect,
  noNotes,
  type Printing,
  printed,
  type Reading,
  refused,
  type SymbolContext,
  type SymbolNote,
} from "../reading.ts";
import { cmeTable, type Family, type SeriesCode } from "../series-codes.ts";
import { formatStrike, parseStrike } from "../strike.ts";
import { twoDigitsOf, yearOfTwoDigits } from "../years.ts";

const future = /^XCME\.([A-Z]{2,3})\.([A-Z]{3})(\d\d)$/;
const weekly = /^XCME\.([A-Z]{2,3})([1-6]?)\.(\d\d)([A-Z]{3})(\d\d)\.(\d[\d:]*)\.([CP])$/;
const standard = /^XCME\.([A-Z]{3})\.([A-Z]{3})(\d\d)\.(\d[\d:]*)\.([CP])$/;
/** Not a form of this dialect, but seen in old ledgers; it only serves to suggest the intended symbol. */
const lettered = /^XCME\.([A-Z]{2,3})\.([FGHJKMNQUVXZ])(\d)$/;

/**
 * The keys of the desk's spot-risk files. A colon is the decimal point of the strike; trailing zeros are
 * dropped. Weekly options carry their nominal day (01SEP25 for VY1, although Labor Day moves it), monthly
 * ones the contract month and no day.
 *
 * Until 18 July 2025 all options of the 10-year were called ZN, with a digit for the weekday (2 Monday to 6
 * Friday) or no digit for the monthly ones. In today's form ZN1 to ZN5 are the Friday options. The date
 * distinguishes the two forms, with one exception: a text with the digit 5 is refused if its day is a
 * Thursday to which a holiday moved the Friday option of another week than the fifth, because the text may
 * mean that option or the Thursday option.
 */
export const actantRisk: Dialect = {
  name: "actant-risk",
  describes: "the desk's spot-risk files: dotted keys, strikes with a colon for the decimal point",
  forms: [
    { what: "future", form: "XCME.product.MONYY", example: "XCME.ZN.SEP25" },
    {
      what: "weekly option",
      form: "XCME.root week.DDMONYY.strike.C|P (nominal day)",
      example: "XCME.VY3.21JUL25.111:75.C",
    },
    {
      what: "quarterly and serial option",
      form: "XCME.root.MONYY.strike.C|P (contract month)",
      example: "XCME.OZN.AUG25.110:5.P",
    },
    {
      what: "10-year option until 18 July 2025",
      form: "XCME.ZN[2-6].DDMONYY.strike.C|P (only read, never printed)",
      example: "XCME.ZN3.15JUL25.110:25.P",
    },
  ],
  detects: (text) => future.test(text) || weekly.test(text) || standard.test(text) || lettered.test(text),
  parse(text, context) {
    const asFuture = future.exec(text);
    if (asFuture !== null) {
      const [, code = "", monthText = "", year = ""] = asFuture;
      const product = productOfRisk(code);
      if (product === undefined) return unknownProduct(code, `${monthText}${year}`);
      const month = monthOfName(monthText);
      if (month === 0) return refusedDate(`${monthText}${year}`);
      return readFuture(product, { year: yearOfTwoDigits(year), month }, context);
    }
    const asWeekly = weekly.exec(text);
    if (asWeekly !== null) return parseWeekly(asWeekly, context);
    const asStandard = standard.exec(text);
    if (asStandard !== null) {
      const [, code = "", monthText = "", year = "", strikeText = "", right = ""] = asStandard;
      const row = cmeTable.named(code);
      if (row?.family !== "standard")
        return refused("UNKNOWN_SERIES", `no monthly options are called ${code}`);
      const month = monthOfName(monthText);
      if (month === 0) return refusedDate(`${monthText}${year}`);
      const found = namedSeries(row, { year: yearOfTwoDigits(year), month, week: 0 }, context, noNotes);
      return "ok" in found
        ? found
        : readOption(found, right, parseStrike(strikeText, ":"), strikeText.replaceAll(":", "."));
    }
    const asLettered = lettered.exec(text);
    if (asLettered !== null) {
      const [, code = "", letter = "", digit] = asLettered;
      const month = `${monthNames[monthOfLetter(letter) - 1]}2${digit}`;
      if (productOfRisk(code) === undefined) return unknownProduct(code, month);
      return refused("UNKNOWN_FORM", "the month is written as in SEP25", {
        nearest: [`XCME.${code}.${month}`],
      });
    }
    return refused("UNKNOWN_FORM", "spot-risk keys are like XCME.ZN.SEP25 or XCME.VY3.21JUL25.111:75.C");
  },
  print(instrument): Printing {
    if (instrument.kind === "future") {
      const { product, year, month } = instrument;
      if (product.exchange !== "XCBT")
        return refused("NO_KNOWN_CODE", `no source says how spot-risk files write ${product.name}`);
      return printed(`XCME.${product.code}.${monthNames[month - 1]}${twoDigitsOf(year)}`);
    }
    const { series, right, strike } = instrument;
    const row = cmeTable.codeOf(series.product, series.family, series.nominal);
    if (row === undefined) return refused("NO_KNOWN_CODE", `no source says what ${series.name} is called`);
    const when =
      series.week === 0
        ? `${row.code}.${monthNames[series.month - 1]}${twoDigitsOf(series.year)}`
        : `${row.code}${series.week}.${textOfDay(series.nominal)}`;
    return printed(`XCME.${when}.${formatStrike(strike, ":")}.${right}`);
  },
};

/** Actant uses CME's product codes. */
const productOfRisk = (code: string): Product | undefined => {
  const product = productOfCode(code);
  return product?.exchange === "XCBT" ? product : undefined;
};

/** Suggests the product that Bloomberg calls by the code or, if there is no such product, every product. */
function unknownProduct(code: string, month: string): Reading {
  const meant = productOfBloomberg(code);
  const likely = products.filter(
    (product) => product.exchange === "XCBT" && (meant?.exchange !== "XCBT" || product === meant),
  );
  return refused("UNKNOWN_PRODUCT", `no product of the spot-risk files is called ${code}`, {
    nearest: likely.map((product) => `XCME.${product.code}.${month}`),
  });
}

function parseWeekly(
  [
    ,
    code = "",
    digit = "",
    date = "",
    monthText = "",
    year = "",
    strikeText = "",
    right = "",
  ]: RegExpExecArray,
  context: SymbolContext,
): Reading {
  const row = cmeTable.named(code);
  if (row === undefined) return refused("UNKNOWN_SERIES", `no options are called ${code}${digit}`);
  const day = dayOfText(date, monthText, year);
  if (day === undefined) return refusedDate(`${date}${monthText}${year}`);
  const found = seriesOf(row, digit, day, context);
  if ("ok" in found) return found;
  const moved = holidayNotes(found.series, day, "nominal");
  const named = moved.length === 0 ? found : { ...found, notes: [...found.notes, ...moved] };
  return readOption(named, right, parseStrike(strikeText, ":"), strikeText.replaceAll(":", "."));
}

/** The family of options that each digit meant in the form used until 18 July 2025. */
const oldDigits: Readonly<Record<string, Family>> = {
  "": "standard",
  2: "mon",
  3: "tue",
  4: "wed",
  5: "thu",
  6: "fri",
};

function seriesOf(
  row: SeriesCode,
  digit: string,
  day: DayNumber,
  context: SymbolContext,
): ReturnType<typeof datedSeries> {
  const old = row.code === "ZN" ? oldSeries(row.product, digit, day, context) : undefined;
  if (digit === "" || digit === "6") {
    if (old !== undefined) return { series: old, notes: [oldFormNote(old)] };
    const why =
      row.code === "ZN"
        ? "no option of the form used until 18 July 2025 expires on that day"
        : "weekly options carry the number of their week, 1 to 5";
    return refused(row.code === "ZN" ? "DATE_NOT_OF_SERIES" : "UNKNOWN_FORM", why);
  }
  const found = datedSeries(row, day, { week: Number(digit) }, context);
  if (old === undefined) return found;
  if ("ok" in found) return { series: old, notes: [oldFormNote(old)] };
  if (found.series === old || Number(digit) === found.series.week) return found;
  return refused(
    "AMBIGUOUS",
    `${row.code}${digit} on that day means ${found.series.name} now and meant ${old.name} until 18 July 2025`,
    {
      candidates: [found.series.name, old.name],
    },
  );
}

function oldSeries(
  product: Product,
  digit: string,
  day: DayNumber,
  { calendar }: SymbolContext,
): OptionSeries | undefined {
  const family = oldDigits[digit];
  return family === undefined ? undefined : calendar.seriesOn(product, family, day);
}

const oldFormNote = (series: OptionSeries): SymbolNote => ({
  code: "OLD_FORM",
  why: `the text has the form used until 18 July 2025, in which the digit is the weekday; it means ${series.name}`,
});
