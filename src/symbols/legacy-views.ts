/**
 * Reproduces the answers of the desk's own translators for a symbol, right or wrong. They show whether a
 * difference may come from legacy's names: a translator that gives two instruments one answer merges them,
 * and one that gives two symbols of one instrument different answers splits it. A view returns undefined if
 * the translator's behaviour is unknown. Two views needed an assumption, which the comments of the ledger
 * adapter and the notation mapper state. Each view is linear in the length of the text and keeps no state.
 */
import { present } from "../base/present.ts";
import { type DayNumber, dateOfDay, dayNumber, weekday } from "../domain/market/trading-day.ts";
import { realDay } from "./contracts.ts";
import type { DialectName } from "./dialects/index.ts";
import { ExpiryCalendar } from "./expiry-calendar.ts";
import { letterOfMonth, monthOfLetter, monthOfName } from "./months.ts";
import { productOfCode } from "./products.ts";
import { cmeTable, type Weekly } from "./series-codes.ts";

export interface LegacyView {
  readonly name: string;
  /** One sentence for people: the translator and its known defects. */
  readonly describes: string;
  /** The dialect of the translator's input. */
  readonly reads: DialectName;
  /**
   * The translator's answer: a text; null if it gave none (None, or an exception); undefined if its answer is
   * not known.
   */
  says(text: string): Said;
}

type Said = string | null | undefined;

export const legacyViews: readonly LegacyView[] = [
  {
    name: "raw-name",
    describes:
      "The first calculator and its database pnl_tracker.db keep the ledger's text as it is, untrimmed, so /110.50 and /110.5 are two instruments",
    reads: "actant-trades",
    says: (text) => text,
  },
  {
    name: "symbol-translator",
    describes:
      "The desk's SymbolTranslator knows July options (N0) and ZN futures only, counts weeks by the date, and calls every Friday option 3M",
    reads: "actant-trades",
    says: symbolTranslator,
  },
  {
    name: "rosetta-stone",
    describes:
      "The desk's RosettaStone (commit 083dc56) finds only the rows of its expiration calendar: the first option expires on 21 July 2025, and date, letter, root and week must all match a row",
    reads: "actant-trades",
    says: rosettaStone,
  },
  {
    name: "trade-ledger-watcher",
    describes:
      "The desk's TradeLedgerWatcher, up to commit 45e8681, takes ZB, ZF and ZT futures for TY, so four products are one position",
    reads: "actant-trades",
    says: tradeLedgerWatcher,
  },
  {
    name: "ledger-adapter",
    describes:
      "The adapter of the desk's TYU5 engine (_parse_xcme) skips calls and writes every put as a July 2025 put, Wednesdays under WBY and Fridays under TY",
    reads: "actant-trades",
    says: ledgerAdapter,
  },
  {
    name: "spot-risk-translator",
    describes:
      "The desk's SpotRiskTranslator reads the keys used until 18 July 2025: it writes TY for VY3, takes ZN3 for a Tuesday option, and takes a quarterly option for a future",
    reads: "actant-risk",
    says: spotRiskTranslator,
  },
  {
    name: "treasury-notation-mapper",
    describes:
      "The desk's TreasuryNotationMapper writes ZN for the root of every Monday to Thursday option and fails on Friday options",
    reads: "bloomberg",
    says: treasuryNotationMapper,
  },
  {
    name: "fullpnl-symbol-mapper",
    describes:
      "The desk's FULLPNL SymbolMapper takes an option's expiry from its root and month, whatever the week, and knows one future, TYU5",
    reads: "bloomberg",
    says: fullpnlSymbolMapper,
  },
  {
    name: "fullpnl-canonical",
    describes:
      "The desk's canonical() (commit 9fb559b) strips spaces, writes capitals, and drops COMDTY and XCME.",
    reads: "bloomberg",
    says: (text) => text.trim().toUpperCase().replace(" COMDTY", "").replace("XCME.", ""),
  },
];

/**
 * The desk's SymbolTranslator. Its pattern contains the letter N and the filler 0, so it never matches August
 * or September; for Tuesday and Thursday it has keys (TJ, TH) that no ledger uses. It computes the week by
 * counting the root's weekday from the 1st to the date and ignores the symbol's digit: VY2 of 21 July is week
 * 3. It does not trim the text.
 */
function symbolTranslator(text: string): Said {
  const future = ledgerFuture(text);
  if (future !== undefined) return future.code === "ZN" ? bloombergFuture("TY", future) : null;
  const option = ledgerOption(text);
  if (option === undefined || option.letter !== "N" || option.digit === "") return null;
  const { root, right, day } = option;
  const family = translatorKeys.get(root);
  if (family === undefined) return null;
  const strike = threePlaces(option.strikeText);
  if (strike === undefined || day === undefined) return undefined;
  const { year, month } = dateOfDay(day);
  // All known dates with the letter N are in July. For other dates it is unknown whether the letter or the
  // date counted.
  if (month !== 7) return undefined;
  if (family === "fri") return `3MN${year % 10}${right} ${strike} Comdty`;
  return `${bloombergRoots[family]}N${twoDigits(year)}${right}${countOfWeekday(family, day)} ${strike} Comdty`;
}

const translatorKeys: ReadonlyMap<string, Weekly> = new Map([
  ["VY", "mon"],
  ["TJ", "tue"],
  ["WY", "wed"],
  ["TH", "thu"],
  ["ZN", "fri"],
]);

/**
 * The desk's RosettaStone: a look-up in its calendar, which has only options of the 10-year. A symbol is
 * found only if its text before the strike equals that of a row: VY2 of 21 July is not found, nor is ZN4 of
 * 25 July, where the calendar has OZN. Puts are found in the calls' row. All known strikes are quarters; its
 * answer for eighths is not known.
 */
function rosettaStone(text: string): Said {
  const exact = rosettaTexts.get(text);
  if (exact !== undefined) return exact;
  const option = ledgerOption(text);
  if (option?.day === undefined) return undefined;
  const { root, right, day, digit, letter } = option;
  if (day < rosettaFrom) return null;
  if (day > rosettaUntil) return undefined;
  const row = cmeTable.named(root);
  if (row?.product !== tenYear) return null;
  const series = calendar.seriesOn(tenYear, row.family, day);
  if (series?.expiry !== day || series.week !== Number(digit) || letterOfMonth(series.month) !== letter)
    return null;
  const strike = quarterPlaces(option.strikeText);
  if (strike === undefined || series.name === rosettaGap) return undefined;
  const { family, week, year } = series;
  if (family === "standard") return `TY${letter}${year % 10}${right} ${strike} Comdty`;
  if (family === "fri") return `${week}M${letter}${year % 10}${right} ${strike} Comdty`;
  return `${bloombergRoots[family]}${letter}${twoDigits(year)}${right}${week} ${strike} Comdty`;
}

const calendar = new ExpiryCalendar();
const tenYear = present(productOfCode("ZN"), "ZN is a product");

/** The expiries of the calendar's first option and of its last known row. */
const rosettaFrom = dayNumber(2025, 7, 21);
const rosettaUntil = dayNumber(2025, 9, 30);
/**
 * The Thursday option of 4 September 2025 is the only one between those two days that has no row in the known
 * part of the calendar; an unknown part may have one.
 */
const rosettaGap = "ZN-2025-09-HY1";

/** The calendar's four futures, and texts that it is known to lack. */
const rosettaTexts: ReadonlyMap<string, string | null> = new Map([
  ["XCMEFFDPSX20250919U0ZN", "TYU5 Comdty"],
  ["XCMEFFDPSX20250930U0ZT", "TUU5 Comdty"],
  ["XCMEFFDPSX20250930U0ZF", "FVU5 Comdty"],
  ["XCMEFFDPSX20250919U0ZB", "USU5 Comdty"],
  ["XCMEFFDPSX20251231Z0ZF", null],
  ["XCME.RX.H5", null],
  ["XCME.RX.M5", null],
  ["XCME.TU.H5", null],
]);

/** The desk's TradeLedgerWatcher up to commit 45e8681: futures of products unknown to it become TY. */
function tradeLedgerWatcher(text: string): Said {
  const future = ledgerFuture(text);
  return future !== undefined && watcherProducts.has(future.code) ? bloombergFuture("TY", future) : undefined;
}

/** ZN, and the products whose futures are known to become TY. */
const watcherProducts: ReadonlySet<string> = new Set(["ZN", "ZB", "ZF", "ZT"]);

/**
 * The adapter's pattern matches only puts, so calls are skipped. It rebuilds the name with a fixed month,
 * year and P; only the week's digit comes from the symbol. One date, 25 July 2025, is a special case. How it
 * wrote the strike is not known: this view assumes a space and the strike as given.
 */
function ledgerAdapter(text: string): Said {
  const option = ledgerOption(text);
  if (option === undefined) return undefined;
  if (option.right === "C") return null;
  const root = adapterRoots.get(option.root);
  if (root === undefined || option.digit === "") return undefined;
  const name = option.day === adapterCase ? "OZNQ5" : `${root}N25P${option.digit}`;
  return `${name} ${option.strikeText}`;
}

const adapterRoots: ReadonlyMap<string, string> = new Map([
  ["VY", "VBY"],
  ["WY", "WBY"],
  ["ZN", "TY"],
]);
const adapterCase = dayNumber(2025, 7, 25);

/**
 * The desk's SpotRiskTranslator. Its pattern for futures has no end anchor, so it takes a quarterly option
 * for a future called OZN; ZF keeps CME's root. Two weekly series are known. One digit after the colon means
 * tenths (:2 is .20).
 */
function spotRiskTranslator(text: string): Said {
  const [, code, monthText = "", year] = riskFuture.exec(text) ?? [];
  if (code !== undefined) {
    const month = monthOfName(monthText);
    return month === 0 ? undefined : `${code}${letterOfMonth(month)}${year} Comdty`;
  }
  const [, series = "", strikeText = "", right] = riskOption.exec(text) ?? [];
  const root = riskRoots.get(series);
  const strike = threePlaces(strikeText.replace(":", "."));
  return root === undefined || strike === undefined ? undefined : `${root}N25${right}3 ${strike} Comdty`;
}

const riskFuture = /^XCME\.(ZF(?=\.[^.]*$)|OZN)\.([A-Z]{3})\d(\d)(?:\.\d+(?::\d+)?\.[CP])?$/;
const riskOption = /^XCME\.([A-Z]{2}\d\.\d\d[A-Z]{3}\d\d)\.(\d+(?::\d\d?)?)\.([CP])$/;
const riskRoots: ReadonlyMap<string, string> = new Map([
  ["VY3.21JUL25", "TY"],
  ["ZN3.18JUL25", "TJP"],
]);

/**
 * The desk's TreasuryNotationMapper. Only the root is known to change; this view assumes that the rest of the
 * text stays.
 */
function treasuryNotationMapper(text: string): Said {
  if (fridayName.test(text)) return null;
  const [, rest] = weekdayName.exec(text) ?? [];
  return rest === undefined ? undefined : `ZN${rest}`;
}

const fridayName = /^[1-5]M[FGHJKMNQUVXZ]\d[CP](?: |$)/;
const weekdayName = /^(?:VBY|TJP|TYW|TJW)([FGHJKMNQUVXZ]\d\d[CP][1-5](?: .*)?)$/;

/**
 * The desk's FULLPNL SymbolMapper paired Bloomberg's names with the keys of the spot-risk file. The answer is
 * the key of that pairing: `21JUL25 C 112.250` (expiry, put or call, strike), or `SEP25` for the one future.
 * An option of another root or month had no expiry and was paired with any option, which no text can express;
 * so the answer is undefined, as it is for eighths, which the mapper rounded.
 */
function fullpnlSymbolMapper(text: string): Said {
  if (futureName.test(text)) return text.startsWith("TYU5") ? "SEP25" : null;
  const [, family = "", right, strikeText = ""] = mappedName.exec(text) ?? [];
  const expiry = mappedExpiries.get(family);
  const strike = quarterPlaces(strikeText);
  return expiry === undefined || strike === undefined ? undefined : `${expiry} ${right} ${strike}`;
}

const futureName = /^[A-Z]{2,3}[FGHJKMNQUVXZ]\d(?: Comdty)?$/;
const mappedName =
  /^(3MN(?=\d[CP] )|VBYN(?=\d\d[CP]\d)|TYWN(?=\d\d[CP]\d))\d+([CP])\d? (\d[\d.]*)(?: Comdty)?$/;
const mappedExpiries: ReadonlyMap<string, string> = new Map([
  ["3MN", "18JUL25"],
  ["VBYN", "21JUL25"],
  ["TYWN", "23JUL25"],
]);

interface LedgerFuture {
  readonly code: string;
  /** `U5`; undefined if letter and date contradict, since it is not known which one counted. */
  readonly contract: string | undefined;
}

function ledgerFuture(text: string): LedgerFuture | undefined {
  const [, year = "", month, letter = "", code] = ledgerFutureForm.exec(text) ?? [];
  if (code === undefined) return undefined;
  return {
    code,
    contract: monthOfLetter(letter) === Number(month) ? `${letter}${year.slice(3)}` : undefined,
  };
}

interface LedgerOption {
  readonly right: string;
  /** Undefined if the day does not exist. */
  readonly day: DayNumber | undefined;
  readonly letter: string;
  readonly root: string;
  /** The digit of the week; empty if the symbol has none. */
  readonly digit: string;
  readonly strikeText: string;
}

function ledgerOption(text: string): LedgerOption | undefined {
  const [, right = "", year, month, date, letter = "", root = "", digit = "", strikeText] =
    ledgerOptionForm.exec(text) ?? [];
  if (strikeText === undefined) return undefined;
  return { right, day: realDay(Number(year), Number(month), Number(date)), letter, root, digit, strikeText };
}

const ledgerFutureForm = /^XCMEFFDPSX(\d{4})(\d\d)\d\d([FGHJKMNQUVXZ])0([A-Z]{2,3})$/;
const ledgerOptionForm =
  /^XCMEO([CP])ADPS(\d{4})(\d\d)(\d\d)([FGHJKMNQUVXZ])0([A-Z]{2,3})(\d?)\/(\d+(?:\.\d+)?)$/;

const bloombergFuture = (root: string, { contract }: LedgerFuture): string | undefined =>
  contract === undefined ? undefined : `${root}${contract} Comdty`;

const bloombergRoots = { mon: "VBY", tue: "TJP", wed: "TYW", thu: "TJW" } as const;
const weekdays = { mon: 1, tue: 2, wed: 3, thu: 4 } as const;

/** Returns the number of times that a weekday occurs from the 1st of the month to the day, both included. */
function countOfWeekday(family: keyof typeof weekdays, day: DayNumber): number {
  const last = day - ((weekday(day) - weekdays[family] + 7) % 7);
  return Math.floor((dateOfDay(day).date - (day - last) + 6) / 7);
}

const twoDigits = (year: number): string => `${year % 100}`.padStart(2, "0");

/**
 * Returns the number with three decimal places; undefined if it has more, or if the text is not a plain
 * number.
 */
function threePlaces(text: string): string | undefined {
  const [, points, fraction = ""] = /^(0|[1-9]\d*)(?:\.(\d{1,3}?)0*)?$/.exec(text) ?? [];
  return points === undefined ? undefined : `${points}.${fraction.padEnd(3, "0")}`;
}

/** Like `threePlaces`, for multiples of a quarter only. */
function quarterPlaces(text: string): string | undefined {
  const places = threePlaces(text);
  return places !== undefined && /\.(?:00|25|50|75)0$/.test(places) ? places : undefined;
}
