import { fingerprint } from "../base/fingerprint.ts";
import { exchangeHolidays } from "../domain/market/exchange-holidays.ts";
import { dialects } from "./dialects/index.ts";
import { type ExpiryOverrides, firstYear, lastYear } from "./expiry-calendar.ts";
import { products } from "./products.ts";
import { bloombergCodes, brokerCodes, cmeCodes } from "./series-codes.ts";

/** Raised by hand when a grammar or a rule in code changes what some text means; tables are hashed and need no such care. */
const grammarVersion = 1;

/**
 * `1-5f0c…`: what translations depend on. Evidence gathered under another value is evidence of other tables. Hashes products,
 * codes, dialect forms, holidays of all years and a desk's own expiries: a few milliseconds.
 */
export function tableVersion(overrides: ExpiryOverrides): string {
  const codes = [cmeCodes, bloombergCodes, brokerCodes].map((rows) =>
    rows.map(({ product, family, code, from, alias }) => [product.code, family, code, from, alias === true]),
  );
  const holidays: number[] = [];
  for (let year = firstYear; year <= lastYear; year++) for (const { day } of exchangeHolidays(year)) holidays.push(day);
  const forms = Object.values(dialects).map(({ name, forms }) => [name, forms]);
  const tables = [products, codes, forms, holidays, [...overrides].sort(([a], [b]) => (a < b ? -1 : 1))];
  return `${grammarVersion}-${fingerprint(JSON.stringify(tables))}`;
}
