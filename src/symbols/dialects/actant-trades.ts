import { formatDay } from "../../domain/market/trading-day.ts";
import {
  datedSeries,
  holidayNotes,
  readFuture,
  readOption,
  realDay,
  refusedDate,
  unconfirmedNotes,
} from "../contracts.ts";
import { letterOfMonth, monthOfLetter } from "../months.ts";
import { type Product, productOfBloomberg, productOfCode, productOfRoot } from "../products.ts";
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
import { cmeTable } from "../series-codes.ts";
import { formatStrike, parseStrike } from "../strike.ts";

const future = /^XCMEFFDPSX(\d{4})(\d\d)(\d\d)([FGHJKMNQUVXZ])0([A-Z]{2,3})$/;
const option = /^XCMEO([CP])ADPS(\d{4})(\d\d)(\d\d)([FGHJKMNQUVXZ])0([A-Z]{2,3})([1-5]?)(?:\/(\d[\d.]*))?$/;
/**
 * A form of one ledger of February 2025: Bloomberg's root, a letter and a digit. No source says which
 * contracts these are.
 */
const dotted = /^XCME\.([A-Z]{2,3})\.[FGHJKMNQUVXZ]\d$/;

/**
 * The names in the desk's trade ledgers. The 0 is a filler, never a year. The date is the actual expiry, the
 * letter the contract month. If they contradict, the date counts, with a note. A future whose date is not its
 * last trading day gets a note if the letter agrees with the month of the date, and is refused otherwise.
 */
export const actantTrades: Dialect = {
  name: "actant-trades",
  describes: "the desk's trade ledgers: the whole expiry date, the contract month's letter, CME's root",
  forms: [
    { what: "future", form: "XCMEFFDPSX YYYYMMDD letter 0 product", example: "XCMEFFDPSX20250919U0ZN" },
    {
      what: "weekly option",
      form: "XCMEO C|P ADPS YYYYMMDD letter 0 root week / strike",
      example: "XCMEOPADPS20250721N0VY3/111.25",
    },
    {
      what: "quarterly and serial option",
      form: "… letter 0 root / strike",
      example: "XCMEOPADPS20250725Q0OZN/110.5",
    },
  ],
  detects: (text) => future.test(text) || option.test(text),
  parse(text, context) {
    const asFuture = future.exec(text);
    if (asFuture !== null) return parseFuture(asFuture, context);
    const asOption = option.exec(text);
    if (asOption !== null) return parseOption(asOption, context);
    const asDotted = dotted.exec(text);
    if (asDotted !== null)
      return refused(
        "UNKNOWN_PRODUCT",
        `no product of the ledgers is called ${asDotted[1]} in the dotted form`,
      );
    return refused(
      "UNKNOWN_FORM",
      "ledger symbols are like XCMEFFDPSX20250919U0ZN or XCMEOPADPS20250721N0VY3/111.25",
    );
  },
  print(instrument): Printing {
    if (instrument.kind === "future") {
      const { product, month, expiry } = instrument;
      if (expiry === null || product.exchange !== "XCBT")
        return refused("NO_KNOWN_CODE", `no source says how the ledgers write ${product.name} futures`);
      return printed(`XCMEFFDPSX${compact(expiry)}${letterOfMonth(month)}0${product.code}`);
    }
    const { series, right, strike } = instrument;
    const row = cmeTable.codeOf(series.product, series.family, series.nominal);
    if (row === undefined) return refused("NO_KNOWN_CODE", `no source says what ${series.name} is called`);
    const root = `${row.code}${series.week === 0 ? "" : series.week}`;
    const text = `XCMEO${right}ADPS${compact(series.expiry)}${letterOfMonth(series.month)}0${root}/${formatStrike(strike)}`;
    return printed(text, unconfirmedNotes(series));
  },
};

/**
 * The product that a ledger symbol names, even if the rest of it names no instrument. Undefined for an
 * unknown product.
 */
export function productOfLedgerSymbol(text: string): Product | undefined {
  const root = future.exec(text)?.[5] ?? dotted.exec(text)?.[1];
  if (root !== undefined) return productOfRoot(root);
  const [, , , , , , code = ""] = option.exec(text) ?? [];
  return cmeTable.named(code)?.product;
}

function parseFuture([, y, m, d, letter = "", root = ""]: RegExpExecArray, context: SymbolContext): Reading {
  const product = productOfCode(root) ?? productOfBloomberg(root);
  if (product === undefined) return refused("UNKNOWN_PRODUCT", `no product of the ledgers is called ${root}`);
  const year = Number(y);
  const dated = Number(m);
  const day = realDay(year, dated, Number(d));
  if (day === undefined) return refusedDate(`${y}-${m}-${d}`);
  const notes: SymbolNote[] = [];
  // Mock ledgers use Bloomberg's product names. The Bund has no other name.
  if (product.exchange !== "XCBT")
    notes.push({ code: "CODE_ALIAS", why: `${root} is Bloomberg's code; no source says what ledgers write` });
  else if (root !== product.code)
    notes.push({ code: "CODE_ALIAS", why: `${root} is Bloomberg's code; ledgers write ${product.code}` });
  const lastDay = context.calendar.lastTradingDay(product, year, dated);
  const lettered = monthOfLetter(letter);
  if (lettered !== dated) {
    const contradicts = `the letter ${letter} contradicts ${formatDay(day)}, whose letter is ${letterOfMonth(dated)}`;
    if (day !== lastDay)
      return refused(
        "DATE_NOT_OF_SERIES",
        `${contradicts}, and ${product.code} has no last trading day on that date`,
      );
    notes.push({ code: "MONTH_LETTER_MISMATCH", why: `${contradicts}; the date counts` });
  } else if (lastDay !== null && day !== lastDay) {
    const why = `the text has ${formatDay(day)}; the last trading day of ${product.code}${letter}${year} is ${formatDay(lastDay)}`;
    notes.push({ code: "LAST_DAY_MISMATCH", why });
  }
  return readFuture(product, { year, month: dated }, context, notes.length === 0 ? noNotes : notes);
}

function parseOption(
  [, right = "", y, m, d, letter = "", root = "", week, strikeText]: RegExpExecArray,
  context: SymbolContext,
): Reading {
  const row = cmeTable.named(root);
  if (row === undefined || (row.family === "standard") !== (week === ""))
    return refused("UNKNOWN_SERIES", `no options are called ${root}${week}`);
  const day = realDay(Number(y), Number(m), Number(d));
  if (day === undefined) return refusedDate(`${y}-${m}-${d}`);
  const found = datedSeries(row, day, { week: Number(week), month: monthOfLetter(letter) }, context);
  if ("ok" in found) return found;
  if (strikeText === undefined)
    return refused("NO_STRIKE", `this is the series ${found.series.name}; an option has a /strike`);
  const moved = holidayNotes(found.series, day, "expiry");
  const named = moved.length === 0 ? found : { ...found, notes: [...found.notes, ...moved] };
  return readOption(named, right, parseStrike(strikeText, "."), strikeText);
}

const compact = (day: number): string => formatDay(day).replaceAll("-", "");
