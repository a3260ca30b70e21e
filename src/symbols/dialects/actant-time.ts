import { formatDay } from "../../domain/market/trading-day.ts";
import { dayOfText, refusedDate, textOfDay } from "../contracts.ts";
import { productOfCode } from "../products.ts";
import { type Dialect, refused } from "../reading.ts";
import { families } from "../series-codes.ts";

const key = /^XCME\.([A-Z]{2})(?:\.N\.G\.|[2-6]?\.)(\d\d)([A-Z]{3})(\d\d)$/;

/**
 * The keys of the desk's volatility-time files, which contain only an expiry. Many options share a key, so no
 * option can be read from a key or printed as one.
 */
export const actantTime: Dialect = {
  name: "actant-time",
  describes:
    "the desk's volatility-time files: a text holds only an expiry day and names no instrument, so it is refused with the series that expire that day",
  forms: [
    {
      what: "expiry of 10-year options",
      form: "XCME.ZN.N.G.DDMONYY, refused: no strike",
      example: "XCME.ZN.N.G.21JUL25",
    },
    {
      what: "the same until 18 July 2025",
      form: "XCME.ZN[2-6].DDMONYY, refused: no strike",
      example: "XCME.ZN2.21JUL25",
    },
  ],
  detects: (text) => key.test(text),
  parse(text, { calendar }) {
    const [, code = "", date = "", month = "", year = ""] = key.exec(text) ?? [];
    if (code === "") return refused("UNKNOWN_FORM", "volatility-time keys are like XCME.ZN.N.G.21JUL25");
    const product = code === "ZN" ? productOfCode(code) : undefined;
    if (product === undefined)
      return refused("UNKNOWN_PRODUCT", "the volatility-time files are known for the 10-year (ZN) only");
    const day = dayOfText(date, month, year);
    if (day === undefined) return refusedDate(`${date}${month}${year}`);
    const series = families
      .flatMap((family) => calendar.seriesOn(product, family, day) ?? [])
      .filter(({ expiry }) => expiry === day);
    if (series.length === 0)
      return refused("DATE_NOT_OF_SERIES", `no option of ${code} expires on ${formatDay(day)}`);
    const names = series.map(({ name }) => name);
    return refused(
      "NO_STRIKE",
      `the key names the expiry of ${names.join(" and ")}, but no strike, put or call`,
      {
        candidates: names,
      },
    );
  },
  print(instrument) {
    if (instrument.kind === "future")
      return refused("CANNOT_CARRY", "volatility-time keys name expiries of options", {
        lost: ["everything"],
      });
    const { series } = instrument;
    if (series.product.code !== "ZN")
      return refused("NO_KNOWN_CODE", "the volatility-time files are known for the 10-year (ZN) only");
    return refused(
      "CANNOT_CARRY",
      `only its expiry can be written, XCME.ZN.N.G.${textOfDay(series.expiry)}, without series, put or call, and strike`,
      {
        lost: ["series", "right", "strike"],
      },
    );
  },
};
