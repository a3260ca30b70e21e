import { namedSeries, readFuture, readOption, refusedStrike } from "../contracts.ts";
import { firstYear, lastYear } from "../expiry-calendar.ts";
import { monthOfLetter } from "../months.ts";
import { productOfCode } from "../products.ts";
import { type Dialect, noNotes, printed, refused } from "../reading.ts";
import { cmeTable } from "../series-codes.ts";
import { badStrike, formatStrike, parseStrike } from "../strike.ts";

const future = /^([A-Z]{2})([FGHJKMNQUVXZ])(\d{4})$/;
const option = /^([A-Z]{2})-(\d{4})-(\d\d)-([A-Z]{2,3})([1-5]?)-([CP])(\d{3}\.\d{3})$/;

/** The names of `Instrument`. They are complete, so their meaning does not depend on the as-of day. */
export const canonical: Dialect = {
  name: "canonical",
  describes:
    "pnl-bridge's own names: every instrument has exactly one, with a four-digit year and no date that could move",
  forms: [
    { what: "future", form: "product, month letter, year", example: "ZNU2025" },
    {
      what: "option",
      form: "product-YYYY-MM-root[week]-C|P strike (three digits, three decimals); the month is the contract's",
      example: "ZN-2025-07-VY3-P111.250",
    },
  ],
  detects: (text) => future.test(text) || option.test(text),
  parse(text, context) {
    const asFuture = future.exec(text);
    if (asFuture !== null) {
      const [, code = "", letter = "", digits] = asFuture;
      const product = productOfCode(code);
      if (product === undefined) return refused("UNKNOWN_PRODUCT", `no product is called ${code}`);
      const year = Number(digits);
      if (year < firstYear || year > lastYear)
        return refused("NOT_LISTED", `only contracts of ${firstYear} to ${lastYear} have canonical names`);
      return readFuture(product, { year, month: monthOfLetter(letter) }, context);
    }
    const asOption = option.exec(text);
    if (asOption === null)
      return refused("UNKNOWN_FORM", "canonical names are like ZNU2025 or ZN-2025-07-VY3-P111.250");
    const [, code = "", year, month, root = "", week, right = "", strikeText = ""] = asOption;
    const row = cmeTable.named(root);
    if (productOfCode(code) === undefined) return refused("UNKNOWN_PRODUCT", `no product is called ${code}`);
    if (row === undefined || row.product.code !== code || (row.family === "standard") !== (week === ""))
      return refused("UNKNOWN_SERIES", `${code} has no options called ${root}${week}`);
    const found = namedSeries(
      row,
      { year: Number(year), month: Number(month), week: Number(week) },
      context,
      noNotes,
    );
    if ("ok" in found) return found;
    // A canonical name has one spelling, so a text that is never printed is refused.
    if (found.series.family !== row.family)
      return refused("NOT_LISTED", `the option of that Friday is the monthly option ${found.series.name}`, {
        candidates: [`${found.series.name}-${right}${strikeText}`],
      });
    const strike = parseStrike(strikeText.replace(/^0{1,2}/, ""), ".");
    if (strike !== badStrike && formatStrike(strike, ".", 3).padStart(7, "0") !== strikeText)
      return refusedStrike(strikeText);
    return readOption(found, right, strike, strikeText);
  },
  print: (instrument) => printed(instrument.name),
};
