/** Price parsing for programs: text in, text out. */
import { formatDecimal, parseDecimal } from "../../base/decimal.ts";
import * as notation from "../../domain/market/price-notation.ts";

export { isPriceNotation, type PriceNotation, priceNotations } from "../../domain/market/price-notation.ts";

/**
 * The exact decimal text of a price that is written in a notation; undefined if the text is not of that
 * notation. Throws TypeError for an unknown notation.
 */
export function parsePrice(text: string, of: notation.PriceNotation): string | undefined {
  refuseUnknown(of);
  const value = notation.parsePrice(text, of);
  return value && formatDecimal(value);
}

/** Writes a decimal text as a price in a notation; undefined if the notation cannot express it. */
export function formatPrice(text: string, as: notation.PriceNotation): string | undefined {
  refuseUnknown(as);
  const value = parseDecimal(text);
  return value && notation.formatPrice(value, as);
}

/** Throws for an unknown notation. The notation depends on the source of a price and is never guessed. */
function refuseUnknown(name: string): void {
  if (notation.isPriceNotation(name)) return;
  const known = Object.keys(notation.priceNotations).join(", ");
  throw new TypeError(`the price notation must be one of ${known}, not ${JSON.stringify(name)}`);
}
