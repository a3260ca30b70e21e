/** The price parser for programs: text in, text out. */
import { formatDecimal, parseDecimal } from "../../base/decimal.ts";
import * as notation from "../../domain/market/price-notation.ts";

export { isPriceNotation, type PriceNotation, priceNotations } from "../../domain/market/price-notation.ts";

/**
 * The exact decimal text of a price as printed under a notation; undefined where the text is not of that notation. Throws
 * TypeError for an unknown notation.
 */
export function parsePrice(text: string, of: notation.PriceNotation): string | undefined {
  refuseUnknown(of);
  const value = notation.parsePrice(text, of);
  return value && formatDecimal(value);
}

/** A decimal text as a price of a notation; undefined where the notation cannot carry it. */
export function formatPrice(text: string, as: notation.PriceNotation): string | undefined {
  refuseUnknown(as);
  const value = parseDecimal(text);
  return value && notation.formatPrice(value, as);
}

/** The convention comes with the source: without one there is no answer, and none is guessed. */
function refuseUnknown(name: string): void {
  if (notation.isPriceNotation(name)) return;
  throw new TypeError(
    `the price notation must be one of ${Object.keys(notation.priceNotations).join(", ")}, not ${JSON.stringify(name)}`,
  );
}
