import { fingerprint } from "../base/fingerprint.ts";
import { exchangeHolidays } from "../domain/market/exchange-holidays.ts";
import { dialects } from "./dialects/index.ts";
import { type ExpiryOverrides, firstYear, lastYear } from "./expiry-calendar.ts";
import { products } from "./products.ts";
import { bloombergCodes, brokerCodes, cmeCodes } from "./series-codes.ts";

/**
 * A developer raises this number when a change of a grammar or rule in code changes the meaning of a text.
 * Tables are hashed instead.
 */
const grammarVersion = 1;

/**
 * The version of everything that translations depend on, such as `1-5f0c…`. Evidence gathered under another
 * version does not apply. Hashes products, codes, dialect forms, holidays of all years and a desk's own
 * expiries in a few milliseconds.
 */
export function tableVersion(overrides: ExpiryOverrides): string {
  const codes = [cmeCodes, bloombergCodes, brokerCodes].map((rows) =>
    rows.map(({ product, family, code, from, alias }) => [product.code, family, code, from, alias === true]),
  );
  const holidays: number[] = [];
  for (let year = firstYear; year <= lastYear; year++)
    for (const { day } of exchangeHolidays(year)) holidays.push(day);
  const forms = Object.values(dialects).map(({ name, forms }) => [name, forms]);
  const tables = [products, codes, forms, holidays, [...overrides].sort(([a], [b]) => (a < b ? -1 : 1))];
  return `${grammarVersion}-${fingerprint(JSON.stringify(tables))}`;
}
