import { aliasNotes, namedSeries, readFrontFuture, readFuture, readOption } from "../contracts.ts";
import { letterOfMonth, monthOfLetter } from "../months.ts";
import { productOfBloomberg } from "../products.ts";
import {
  type Dialect,
  noNotes,
  type Printing,
  printed,
  type Reading,
  type Refused,
  refused,
  type SymbolContext,
  type SymbolNote,
} from "../reading.ts";
import { bloombergTable, type SeriesCode } from "../series-codes.ts";
import { formatStrike, parseStrike } from "../strike.ts";
import { decadeNotes, lostDecade, twoDigitsOf, yearOfDigit, yearOfTwoDigits } from "../years.ts";

const future = /^([A-Z]{2,3})([FGHJKMNQUVXZ])(\d)( Comdty)?$/;
const midWeek = /^([A-Z]{3})([FGHJKMNQUVXZ])(\d\d)([CP])([1-5])(?: (\d[\d.]*))?( Comdty)?$/;
const friday = /^([1-5])(M)([FGHJKMNQUVXZ])(\d)([CP])(?: (\d[\d.]*))?( Comdty)?$/;
const standard = /^([A-Z]{2,3})([FGHJKMNQUVXZ])(\d)([CP])(?: (\d[\d.]*))?( Comdty)?$/;
const bareRoot = /^[A-Z]{2,3}$/;

/**
 * Bloomberg's names, which the desk's CTO tables also use. Monday to Thursday options have two digits of the
 * year, and the week after put or call; Friday options have the week before an M; monthly options have the
 * root of the future and the contract month. Strikes are printed with three decimals and read with any number
 * of decimals.
 */
export const bloomberg: Dialect = {
  name: "bloomberg",
  describes:
    "Bloomberg's names, which the desk's CTO tables also use: a separate root for the options of each weekday",
  forms: [
    { what: "future", form: "root letter year-digit Comdty", example: "TYU5 Comdty" },
    {
      what: "Monday to Thursday option",
      form: "root letter YY C|P week strike Comdty",
      example: "VBYN25C3 111.750 Comdty",
    },
    {
      what: "Friday option",
      form: "week M letter year-digit C|P strike Comdty",
      example: "3MN5P 110.250 Comdty",
    },
    {
      what: "quarterly and serial option",
      form: "root letter year-digit C|P strike Comdty",
      example: "TYQ5P 110.750 Comdty",
    },
    { what: "front future of the day", form: "root (only read, never printed)", example: "TY" },
  ],
  detects: (text) =>
    future.test(text) ||
    midWeek.test(text) ||
    friday.test(text) ||
    standard.test(text) ||
    (bareRoot.test(text) && productOfBloomberg(text) !== undefined),
  parse(text, context): Reading {
    const asFuture = future.exec(text);
    if (asFuture !== null) {
      const [, root = "", letter = "", digit, suffix] = asFuture;
      const product = productOfBloomberg(root);
      if (product === undefined)
        return refused("UNKNOWN_PRODUCT", `no known future has the root ${root} at Bloomberg`);
      const year = yearOfDigit(Number(digit), context.asOf);
      const notes = withSuffix(suffix, decadeNotes(year, context.asOf));
      return readFuture(product, { year, month: monthOfLetter(letter) }, context, notes);
    }
    const asMidWeek = midWeek.exec(text);
    if (asMidWeek !== null) {
      const [, root = "", letter = "", year = "", right = "", week, strikeText, suffix] = asMidWeek;
      const parts = {
        root,
        year: yearOfTwoDigits(year),
        letter,
        week: Number(week),
        right,
        strikeText,
        suffix,
      };
      return parseOption(parts, noNotes, context);
    }
    const asFriday = friday.exec(text);
    if (asFriday !== null) {
      const [, week, root = "", letter = "", digit, right = "", strikeText, suffix] = asFriday;
      const year = yearOfDigit(Number(digit), context.asOf);
      const notes = decadeNotes(year, context.asOf);
      return parseOption(
        { root, year, letter, week: Number(week), right, strikeText, suffix },
        notes,
        context,
      );
    }
    const asStandard = standard.exec(text);
    if (asStandard !== null) {
      const [, root = "", letter = "", digit, right = "", strikeText, suffix] = asStandard;
      const year = yearOfDigit(Number(digit), context.asOf);
      const notes = decadeNotes(year, context.asOf);
      return parseOption({ root, year, letter, week: 0, right, strikeText, suffix }, notes, context);
    }
    const product = bareRoot.test(text) ? productOfBloomberg(text) : undefined;
    if (product !== undefined) return readFrontFuture(product, context);
    return refused(
      "UNKNOWN_FORM",
      "Bloomberg's names are like TYU5 Comdty, VBYN25C3 111.750 Comdty, 3MN5P 110.250 Comdty or TYQ5P 110.750 Comdty",
    );
  },
  print(instrument, { asOf }): Printing {
    if (instrument.kind === "future") {
      const { product, year, month } = instrument;
      return (
        lostDecade("bloomberg", year, asOf) ??
        printed(`${product.bloomberg}${letterOfMonth(month)}${year % 10} Comdty`)
      );
    }
    const { series, right, strike } = instrument;
    const { product, family, year, month, week } = series;
    const row = bloombergTable.codeOf(product, family, series.nominal);
    if (row === undefined) return noKnownCode(product.name, family);
    const letter = letterOfMonth(month);
    const strikeText = formatStrike(strike, ".", 3);
    if (shapeOf(row) === "mid-week")
      return printed(`${row.code}${letter}${twoDigitsOf(year)}${right}${week} ${strikeText} Comdty`);
    const root = week === 0 ? row.code : `${week}${row.code}`;
    return (
      lostDecade("bloomberg", year, asOf) ??
      printed(`${root}${letter}${year % 10}${right} ${strikeText} Comdty`)
    );
  },
};

/** The form of the names that contain a code. */
const shapeOf = ({ family }: SeriesCode): "mid-week" | "friday" | "standard" =>
  family === "standard" || family === "fri" ? (family === "fri" ? "friday" : "standard") : "mid-week";

interface OptionParts {
  readonly root: string;
  readonly year: number;
  readonly letter: string;
  /** 0 for a monthly option. */
  readonly week: number;
  readonly right: string;
  readonly strikeText: string | undefined;
  readonly suffix: string | undefined;
}

function parseOption(parts: OptionParts, notes: readonly SymbolNote[], context: SymbolContext): Reading {
  const { root, year, letter, week, right, strikeText, suffix } = parts;
  const row = bloombergTable.named(root);
  const shape = week === 0 ? "standard" : root === "M" ? "friday" : "mid-week";
  if (row === undefined || shapeOf(row) !== shape)
    return refused("UNKNOWN_SERIES", `no known source says which options Bloomberg calls ${root}`);
  const found = namedSeries(row, { year, month: monthOfLetter(letter), week }, context, notes);
  if ("ok" in found) return found;
  if (strikeText === undefined)
    return refused(
      "NO_STRIKE",
      `this is the series ${found.series.name}; an option has a strike after a space`,
    );
  const alias = aliasNotes(bloombergTable, row, found.series);
  const allNotes = withSuffix(suffix, alias.length === 0 ? found.notes : [...found.notes, ...alias]);
  return readOption(
    { series: found.series, notes: allNotes },
    right,
    parseStrike(strikeText, "."),
    strikeText,
  );
}

const missingSuffix: SymbolNote = {
  code: "MISSING_COMDTY",
  why: "the Comdty that ends Bloomberg's names is missing",
};

const withSuffix = (suffix: string | undefined, notes: readonly SymbolNote[]): readonly SymbolNote[] =>
  suffix === undefined ? [...notes, missingSuffix] : notes;

const noKnownCode = (product: string, family: SeriesCode["family"]): Refused =>
  refused(
    "NO_KNOWN_CODE",
    `no source says what Bloomberg calls ${family === "standard" ? "monthly" : `${dayNames[family]}'s`} options of the ${product}`,
  );

const dayNames = { mon: "Monday", tue: "Tuesday", wed: "Wednesday", thu: "Thursday", fri: "Friday" } as const;
