import { type DayNumber, dateOfDay, parseDay } from "../domain/trading-day.ts";

/**
 * The products of the desk. Money per point and tick are contract facts: every row says where they were read.
 * Named by CME's Globex code; the Bund, which CME does not list, by Bloomberg's.
 */
export interface Product {
  readonly code: string;
  /** Bloomberg's root, which the desk's price files and mock ledgers use. */
  readonly bloomberg: string;
  readonly name: string;
  readonly currency: "USD" | "EUR";
  /** Money per point of price, of the future and of its options alike. */
  readonly multiplier: string;
  /** Smallest step of an outright future, exact. Spread legs and settlements print between: a warning, never a refusal. */
  readonly tick: string;
  readonly options: {
    /** Root of the quarterly and serial options. */
    readonly standard: string;
    /** Roots of the weekly options, by weekday of expiry; in a symbol the number of the week (1-5) follows. */
    readonly weekly: {
      readonly mon: string;
      readonly tue: string;
      readonly wed: string;
      readonly thu: string;
      readonly fri: string;
    };
  } | null;
}

const weekly = (mon: string, tue: string, wed: string, thu: string, fri: string) => ({ mon, tue, wed, thu, fri });

/** Weekly roots: CME, "New Treasury options for each day of the week" (FAQ, 2025). Standard roots: CME's option specifications. */
export const products: readonly Product[] = [
  {
    // CME 2-year specification: 200,000 USD of face, 1/8 of 1/32 (clearing notice 17-461 of 2017 announced it; older pages say 1/4).
    code: "ZT",
    bloomberg: "TU",
    name: "2-Year Treasury Note",
    currency: "USD",
    multiplier: "2000",
    tick: "0.00390625",
    options: { standard: "OZT", weekly: weekly("VT", "GT", "WT", "HT", "ZT") },
  },
  {
    // CME 5-year specification: 100,000 USD of face, 1/4 of 1/32.
    code: "ZF",
    bloomberg: "FV",
    name: "5-Year Treasury Note",
    currency: "USD",
    multiplier: "1000",
    tick: "0.0078125",
    options: { standard: "OZF", weekly: weekly("VF", "GF", "WF", "HF", "ZF") },
  },
  {
    // CME 10-year specification: 100,000 USD of face, 1/2 of 1/32.
    code: "ZN",
    bloomberg: "TY",
    name: "10-Year Treasury Note",
    currency: "USD",
    multiplier: "1000",
    tick: "0.015625",
    options: { standard: "OZN", weekly: weekly("VY", "GY", "WY", "HY", "ZN") },
  },
  {
    // CME Ultra 10-year specification: 100,000 USD of face, 1/2 of 1/32.
    code: "TN",
    bloomberg: "UXY",
    name: "Ultra 10-Year Treasury Note",
    currency: "USD",
    multiplier: "1000",
    tick: "0.015625",
    options: { standard: "OTN", weekly: weekly("VX", "GX", "WX", "HX", "TN") },
  },
  {
    // CME bond specification: 100,000 USD of face, 1/32 (spreads 1/4 of it).
    code: "ZB",
    bloomberg: "US",
    name: "Treasury Bond",
    currency: "USD",
    multiplier: "1000",
    tick: "0.03125",
    options: { standard: "OZB", weekly: weekly("VB", "GB", "WB", "HB", "ZB") },
  },
  {
    // CME Ultra bond specification: 100,000 USD of face, 1/32 (spreads 1/4 of it).
    code: "UB",
    bloomberg: "WN",
    name: "Ultra Treasury Bond",
    currency: "USD",
    multiplier: "1000",
    tick: "0.03125",
    options: { standard: "OUB", weekly: weekly("VU", "GU", "WU", "HU", "UB") },
  },
  {
    // Eurex FGBL specification (version of 26 Oct 2015): 100,000 EUR of face, 0.01 = 10 EUR. Its options are not traded here.
    code: "RX",
    bloomberg: "RX",
    name: "Euro-Bund",
    currency: "EUR",
    multiplier: "1000",
    tick: "0.01",
    options: null,
  },
];

export interface InstrumentFacts {
  /** Product code, as in `products`. */
  readonly product: string;
  /** Canonical name such as `ZNU2025`; null where the symbol does not settle which one it is. */
  readonly instrument: string | null;
  readonly kind: "future" | "option";
  /** Money per point, decimal text. */
  readonly multiplier: string;
  readonly currency: string;
}

/**
 * What a symbol of the trade ledgers says. Surrounding spaces are dropped, nothing else is mended; undefined = unknown.
 *
 * - Future `XCMEFFDPSX20250919U0ZN`: last trading day, month letter, always 0, product (CME's code, or Bloomberg's as in mock
 *   ledgers) → `ZNU2025`. The year is the date's; where the letter is not the date's month, the instrument is left null.
 * - Option `XCMEOCADPS20250714N0VY2/108.75`, `XCMEOPADPS20250725Q0OZN/111`: product facts. The instrument is null: options have
 *   no canonical name yet. The letter is the contract's month, which may differ from the date's.
 * - Future `XCME.TU.H5`: product facts; null, since one digit of a year does not say which decade.
 */
export function describeLedgerSymbol(symbol: string): InstrumentFacts | undefined {
  const text = symbol.replaceAll(/^ +| +$/g, "");
  const [, future, month, root] = /^XCMEFFDPSX(\d{8})([FGHJKMNQUVXZ])0([A-Z]{2,3})$/.exec(text) ?? [];
  if (future !== undefined) {
    const expiry = dateOf(future);
    const product = byRoot.get(root as string);
    if (expiry === undefined || product === undefined) return undefined;
    const agrees = monthLetters[expiry.month - 1] === month;
    return facts(product, "future", agrees ? `${product.code}${month}${expiry.year}` : null);
  }
  const [, option, series] = /^XCMEO[CP]ADPS(\d{8})[FGHJKMNQUVXZ]0([A-Z]{2}[1-5]|[A-Z]{3})\/\d+(?:\.\d+)?$/.exec(text) ?? [];
  if (option !== undefined) {
    const product = bySeries.get((series as string).replace(/\d$/, "#"));
    return product && dateOf(option) && facts(product, "option", null);
  }
  const [, dotted] = /^XCME\.([A-Z]{2,3})\.[FGHJKMNQUVXZ]\d$/.exec(text) ?? [];
  const product = dotted === undefined ? undefined : byRoot.get(dotted);
  return product && facts(product, "future", null);
}

/** The canonical name of a ledger symbol, or its own text where there is none: what marks are kept under. */
export const ledgerInstrumentName = (symbol: string): string => describeLedgerSymbol(symbol)?.instrument ?? symbol;

/**
 * The future that a row of a price file of `day` means: `TYU5 Comdty`, `TYU5`, `ZNU5` → `ZNU2025`, or a bare root `TY`, `ZN`.
 * One-digit years: the first such year from the year before `day`'s on (a file of 2025 knows 2024 to 2033), since files
 * carry contracts just expired, and none is listed nine years ahead.
 * Bare roots: the next quarterly contract (H, M, U, Z). In a delivery month itself the desk may mean the expiring or the next
 * one, so there is no answer. The roll late in the month before is not known to us: it is still the nearest one then.
 * Undefined for everything else (`TYU25`, generics such as `TY1 Comdty`, options).
 */
export function futureOfPriceSymbol(symbol: string, day: DayNumber): string | undefined {
  const text = symbol.replaceAll(/^ +| +$/g, "");
  const { year, month } = dateOfDay(day);
  const bare = byRoot.get(text);
  if (bare !== undefined) return month % 3 === 0 ? undefined : `${bare.code}${monthLetters[Math.ceil(month / 3) * 3 - 1]}${year}`;
  const [, root, letter, digit] = /^([A-Z]{2,3})([FGHJKMNQUVXZ])(\d)(?: Comdty| COMDTY)?$/.exec(text) ?? [];
  const product = root === undefined ? undefined : byRoot.get(root);
  return product && `${product.code}${letter}${yearOfDigit(Number(digit), year - 1)}`;
}

/** Contract months, January first. */
export const monthLetters = "FGHJKMNQUVXZ";

/** The product behind CME's or Bloomberg's root. */
export const productOfRoot = (root: string): Product | undefined => byRoot.get(root);

/** No root of one house names another product of the other (a test checks). */
const byRoot: ReadonlyMap<string, Product> = new Map(
  products.flatMap((product) => [
    [product.code, product],
    [product.bloomberg, product],
  ]),
);

/** Weekly roots end in #, the place of the week's number: ZN1 is an option where ZN is a future. */
const bySeries: ReadonlyMap<string, Product> = new Map(
  products.flatMap((product) =>
    product.options === null
      ? []
      : [product.options.standard, ...Object.values(product.options.weekly).map((root) => `${root}#`)].map(
          (series): [string, Product] => [series, product],
        ),
  ),
);

const facts = (product: Product, kind: InstrumentFacts["kind"], instrument: string | null): InstrumentFacts => ({
  product: product.code,
  instrument,
  kind,
  multiplier: product.multiplier,
  currency: product.currency,
});

const yearOfDigit = (digit: number, from: number): number => from + ((((digit - from) % 10) + 10) % 10);

function dateOf(yyyymmdd: string): ReturnType<typeof dateOfDay> | undefined {
  const day = parseDay(`${yyyymmdd.slice(0, 4)}-${yyyymmdd.slice(4, 6)}-${yyyymmdd.slice(6)}`);
  return day === undefined ? undefined : dateOfDay(day);
}
