/** The price parser for programs: text in, text out. */
import { formatDecimal, parseDecimal } from "../domain/decimal.ts";
import * as notation from "../domain/price-notation.ts";

export { isPriceNotation, type PriceNotation, priceNotations } from "../domain/price-notation.ts";

/** The exact decimal text of a price as printed under a notation; undefined where the text is not of that notation. */
export function parsePrice(text: string, of: notation.PriceNotation): string | undefined {
  const value = notation.parsePrice(text, of);
  return value && formatDecimal(value);
}

/** A decimal text as a price of a notation; undefined where the notation cannot carry it. */
export function formatPrice(text: string, as: notation.PriceNotation): string | undefined {
  const value = parseDecimal(text);
  return value && notation.formatPrice(value, as);
}
