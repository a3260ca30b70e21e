/**
 * A product of the desk. Money per point and ticks are contract facts; every row names its source.
 * Products have CME's Globex code; the Bund, which CME does not list, has Bloomberg's.
 */
export interface Product {
  readonly code: string;
  /** Bloomberg's root of the future, which the desk's price files use. */
  readonly bloomberg: string;
  readonly name: string;
  /** The name in a sentence or a table: `10-year note`. */
  readonly shortName: string;
  readonly currency: "USD" | "EUR";
  /** Market identifier code, ISO 10383. */
  readonly exchange: "XCBT" | "XEUR";
  /** Money per point of price, the same for the future and its options. */
  readonly multiplier: string;
  /**
   * Smallest price step of an outright future. Prices of spread legs and settlements may lie between two
   * steps, so such a price is never refused.
   */
  readonly tick: string;
  /** Smallest price step of its options; null if the desk trades none. */
  readonly optionTick: string | null;
  /**
   * The rule for the future's last trading day; null if the rule or the exchange's holidays are not known.
   */
  readonly lastDay: LastDayRule | null;
}

/** The last business day of the delivery month, or the seventh business day before it. */
type LastDayRule = "last" | "seventh-before-last";

const treasury = { currency: "USD", exchange: "XCBT", multiplier: "1000" } as const;

export const products: readonly Product[] = [
  {
    // CME 2-year specification: 200,000 USD of face, 1/8 of 1/32 (clearing notice 17-461 of 2017 announced
    // it; older pages say 1/4). Its options (Wednesday specification, product 8344): 1/2 of 1/64.
    code: "ZT",
    bloomberg: "TU",
    name: "2-Year Treasury Note",
    shortName: "2-year note",
    ...treasury,
    multiplier: "2000",
    tick: "0.00390625",
    optionTick: "0.0078125",
    lastDay: "last",
  },
  {
    // CME 5-year specification: 100,000 USD of face, 1/4 of 1/32; options 1/2 of 1/64.
    code: "ZF",
    bloomberg: "FV",
    name: "5-Year Treasury Note",
    shortName: "5-year note",
    ...treasury,
    tick: "0.0078125",
    optionTick: "0.0078125",
    lastDay: "last",
  },
  {
    // CME 10-year specification: 100,000 USD of face, 1/2 of 1/32; options 1/64.
    code: "ZN",
    bloomberg: "TY",
    name: "10-Year Treasury Note",
    shortName: "10-year note",
    ...treasury,
    tick: "0.015625",
    optionTick: "0.015625",
    lastDay: "seventh-before-last",
  },
  {
    // CME Ultra 10-year specification: 100,000 USD of face, 1/2 of 1/32; options 1/64.
    code: "TN",
    bloomberg: "UXY",
    name: "Ultra 10-Year Treasury Note",
    shortName: "Ultra 10-year note",
    ...treasury,
    tick: "0.015625",
    optionTick: "0.015625",
    lastDay: "seventh-before-last",
  },
  {
    // CME bond specification: 100,000 USD of face, 1/32 (spreads 1/4 of it); options 1/64.
    code: "ZB",
    bloomberg: "US",
    name: "Treasury Bond",
    shortName: "Treasury bond",
    ...treasury,
    tick: "0.03125",
    optionTick: "0.015625",
    lastDay: "seventh-before-last",
  },
  {
    // CME Ultra bond specification: 100,000 USD of face, 1/32 (spreads 1/4 of it); options 1/64.
    code: "UB",
    bloomberg: "WN",
    name: "Ultra Treasury Bond",
    shortName: "Ultra bond",
    ...treasury,
    tick: "0.03125",
    optionTick: "0.015625",
    lastDay: "seventh-before-last",
  },
  {
    // Eurex FGBL specification (version of 26 Oct 2015): 100,000 EUR of face, 0.01 = 10 EUR. Its options are
    // not traded here, and its last day follows Eurex's holidays, which are not known here.
    code: "RX",
    bloomberg: "RX",
    name: "Euro-Bund",
    shortName: "Euro-Bund",
    currency: "EUR",
    exchange: "XEUR",
    multiplier: "1000",
    tick: "0.01",
    optionTick: null,
    lastDay: null,
  },
];

const byCode = new Map(products.map((product) => [product.code, product]));
const byBloomberg = new Map(products.map((product) => [product.bloomberg, product]));

/** The product with a CME Globex code, or with the Bund's own code. */
export const productOfCode = (code: string): Product | undefined => byCode.get(code);

/** The product with a Bloomberg root of the future. */
export const productOfBloomberg = (root: string): Product | undefined => byBloomberg.get(root);

/** The product with a root of CME or of Bloomberg. No root names two products (a test checks this). */
export const productOfRoot = (root: string): Product | undefined => byCode.get(root) ?? byBloomberg.get(root);
