import {
  type Decimal,
  digitsMax,
  formatDecimal,
  lowest,
  parseDecimal,
  powerOfTen,
} from "../../base/decimal.ts";

/**
 * The price notations of sources. The same text is two numbers in two conventions (`99-036` is 99 + 3.75/32
 * in cash and 99 + 3.625/32 in futures; `110.165` may be decimal or 110 + 16.5/32), so the notation is
 * declared with the source and never guessed from the text. All arithmetic is exact.
 *
 * Every notation except `decimal` refuses signs (no source shows a negative price in 32nds, and the dash is a
 * separator), spaces, colons (the decimal point in the strikes of spot-risk files), and 32 or more 32nds. A
 * handle without its 32nds is refused too, except in `point-32nds`, where `110` has lost its zeros.
 */
export const priceNotations = {
  decimal: {
    describes: "plain decimal points: 110.515625, .0156250, -0.5, 1.5e-7; negative prices are exact",
    source: "trade ledgers, spot-risk files and the _DEC columns of price files",
  },
  "futures-32nds": {
    describes:
      "32nds after an apostrophe or a dash, then a truncated eighth of a 32nd: 112'20, 112'200, " +
      "104'282 = 104 + 28.25/32; or decimals: 110-16.5; this program writes three digits",
    source:
      "CME's fractional pricing display examples (NDDP 3) and its course on Treasury pricing (2, 5, 7); " +
      "the other eighths from the ticks of ZT",
  },
  "futures-32nds-whole": {
    describes: "whole 32nds in two digits: 115'09; a price between two of them cannot be written",
    source: "CME's fractional pricing display examples (NDDP 2, 30-year bond)",
  },
  "futures-32nds-decimal": {
    describes:
      "two digits of 32nds after a dash or an apostrophe, then decimals of a 32nd: " +
      "110-16.5, 109-07.25, 110-16",
    source: "Pricing-Monkey exports, CME price lists",
  },
  "cash-32nds": {
    describes:
      "32nds after a dash, then + for a half or a digit of eighths of a 32nd: " +
      "99-03, 99-03+, 99-032 = 99 + 3.25/32, 99-036 = 99 + 3.75/32",
    source:
      "CME course 'Calculating U.S. Treasury Pricing': 2 is 2/8, + is 1/2, 6 is 6/8; " +
      "the other eighths by the same rule",
  },
  "tt-32nds": {
    describes:
      "32nds after an apostrophe, then 0 or 5 tenths of a 32nd, or two truncated decimals of one: " +
      "110'165, 110'0875 = 110 + 8.75/32, 111'0762 = 111 + 7.625/32",
    source: "Trading Technologies exports of the desk",
  },
  "options-64ths": {
    describes: "64ths in two digits after an apostrophe or a dash, then decimals of a 64th: 0'10.5 = 21/128",
    source: "Saxo's contract pages for Treasury options",
  },
  "point-32nds": {
    describes:
      "32nds that look like decimals: after the point two digits of 32nds " +
      "(trailing zeros lost: 110.2 = 110 + 20/32, 110 = 110 + 0/32), " +
      "then decimals of a 32nd: 110.165 = 110 + 16.5/32, 103.21125 = 103 + 21.125/32",
    source: "the desk's Futures_YYYYMMDD_HHMM.csv with PX_LAST and PX_SETTLE, before the _DEC columns",
  },
  "broker-32nds": {
    describes:
      "after the point exactly two digits of 32nds and 0 or 5 tenths of one: " +
      "111.005 = 111 + 0.5/32, 110.280 = 110 + 28/32",
    source: "broker statements, column PRINTABLE TRADE PRICE beside the decimal TRADE PRICE",
  },
} as const satisfies Record<string, { readonly describes: string; readonly source: string }>;

export type PriceNotation = keyof typeof priceNotations;

export const isPriceNotation = (name: string): name is PriceNotation => Object.hasOwn(priceNotations, name);

/** The exact value of a price in a notation. Undefined if the text is not of that notation. */
export function parsePrice(text: string, notation: PriceNotation): Decimal | undefined {
  if (notation === "decimal") return parseDecimal(text);
  if (text.length > digitsMax) return undefined;
  const { pattern, parts, fraction: meaning } = fractional[notation];
  const { handle, whole = "", fraction = "", decimals } = pattern.exec(text)?.groups ?? {};
  if (handle === undefined) return undefined;
  // `110.2` has lost a trailing zero: it means 20 of 32. Every other pattern requires two digits.
  const parted = whole.padEnd(2, "0");
  const further = decimals ?? meaning?.[fraction] ?? (fraction === "" ? "" : undefined);
  if (further === undefined || Number(parted) >= parts.count) return undefined;
  const places = further.length + parts.places;
  const coefficient = BigInt(handle) * powerOfTen(places) + BigInt(parted + further) * parts.share;
  return lowest(coefficient, places);
}

/**
 * Writes a price in a notation. Undefined if the notation cannot express the value exactly (it lies between
 * two steps or is negative), so that parsePrice(formatPrice(x)) is x for every defined result.
 */
export function formatPrice(value: Decimal, notation: PriceNotation): string | undefined {
  const text = notation === "decimal" ? formatDecimal(value) : formatFractional(value, fractional[notation]);
  return text !== undefined && text.length <= digitsMax ? text : undefined;
}

/** The parts into which a point is divided. One part is `share` / 10^places: 1/32 = 3125 / 10^5. */
interface Parts {
  readonly count: 32 | 64;
  readonly share: bigint;
  readonly places: number;
}

const of32: Parts = { count: 32, share: 3_125n, places: 5 };
const of64: Parts = { count: 64, share: 15_625n, places: 6 };

interface Fractional {
  /** Groups: `handle`, `whole` (parts), and `fraction` (a code, see below) or `decimals` of a part. */
  readonly pattern: RegExp;
  readonly parts: Parts;
  /** The codes after the parts, with the decimals of a part that they represent. Other codes are refused. */
  readonly fraction?: Readonly<Record<string, string>>;
  /** Writes a price from its handle, two digits of parts, and the decimals of a part (no trailing zeros). */
  readonly write: (handle: string, whole: string, decimals: string) => string | undefined;
}

/** Truncated eighths of a 32nd in CME's three-digit display; 4 and 9 never occur. */
const futuresEighths = { 0: "", 1: "125", 2: "25", 3: "375", 5: "5", 6: "625", 7: "75", 8: "875" };
/** Eighths of a 32nd in the cash market; four of them are written `+`. */
const cashEighths = { "+": "5", 1: "125", 2: "25", 3: "375", 5: "625", 6: "75", 7: "875" };
const halves = { 0: "", 5: "5" };
const ttFractions = {
  ...halves,
  "00": "",
  12: "125",
  25: "25",
  37: "375",
  50: "5",
  62: "625",
  75: "75",
  87: "875",
};

const fractional: Readonly<Record<Exclude<PriceNotation, "decimal">, Fractional>> = {
  "futures-32nds": {
    pattern: /^(?<handle>0|[1-9]\d*)['-](?<whole>\d\d)(?:(?<fraction>\d)|\.(?<decimals>\d+))?$/,
    parts: of32,
    fraction: futuresEighths,
    write: (handle, whole, decimals) => suffixed(`${handle}'${whole}`, codeOf(futuresEighths, decimals)),
  },
  "futures-32nds-whole": {
    pattern: /^(?<handle>0|[1-9]\d*)['-](?<whole>\d\d)$/,
    parts: of32,
    write: (handle, whole, decimals) => (decimals === "" ? `${handle}'${whole}` : undefined),
  },
  "futures-32nds-decimal": {
    pattern: /^(?<handle>0|[1-9]\d*)['-](?<whole>\d\d)(?:\.(?<decimals>\d+))?$/,
    parts: of32,
    write: (handle, whole, decimals) => `${handle}-${whole}${decimals === "" ? "" : `.${decimals}`}`,
  },
  "cash-32nds": {
    pattern: /^(?<handle>0|[1-9]\d*)-(?<whole>\d\d)(?<fraction>[\d+])?$/,
    parts: of32,
    fraction: { ...cashEighths, 0: "" },
    write: (handle, whole, decimals) =>
      decimals === "" ? `${handle}-${whole}` : suffixed(`${handle}-${whole}`, codeOf(cashEighths, decimals)),
  },
  "tt-32nds": {
    pattern: /^(?<handle>0|[1-9]\d*)'(?<whole>\d\d)(?<fraction>\d\d?)?$/,
    parts: of32,
    fraction: ttFractions,
    write: (handle, whole, decimals) =>
      suffixed(`${handle}'${whole}`, codeOf(halves, decimals) ?? codeOf(ttFractions, decimals)),
  },
  "options-64ths": {
    pattern: /^(?<handle>0|[1-9]\d*)['-](?<whole>\d\d)(?:\.(?<decimals>\d+))?$/,
    parts: of64,
    write: (handle, whole, decimals) => `${handle}'${whole}${decimals === "" ? "" : `.${decimals}`}`,
  },
  "point-32nds": {
    pattern: /^(?<handle>0|[1-9]\d*)(?:\.(?<whole>\d\d?)(?<decimals>\d*))?$/,
    parts: of32,
    write: (handle, whole, decimals) => `${handle}.${whole}${decimals}`.replace(/\.?0+$/, ""),
  },
  "broker-32nds": {
    pattern: /^(?<handle>0|[1-9]\d*)\.(?<whole>\d\d)(?<fraction>\d)$/,
    parts: of32,
    fraction: halves,
    write: (handle, whole, decimals) => suffixed(`${handle}.${whole}`, codeOf(halves, decimals)),
  },
};

function formatFractional(value: Decimal, { parts, write }: Fractional): string | undefined {
  if (value.coefficient < 0n) return undefined;
  const one = powerOfTen(value.scale);
  const handle = value.coefficient / one;
  const counted = lowest((value.coefficient % one) * BigInt(parts.count), value.scale);
  const digits = counted.coefficient.toString().padStart(counted.scale + 2, "0");
  const split = digits.length - counted.scale;
  return write(handle.toString(), digits.slice(0, split), digits.slice(split));
}

const codeOf = (codes: Readonly<Record<string, string>>, decimals: string): string | undefined =>
  Object.keys(codes).find((code) => codes[code] === decimals);

const suffixed = (text: string, code: string | undefined): string | undefined =>
  code === undefined ? undefined : text + code;
