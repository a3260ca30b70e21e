import { describe, expect, it } from "vitest";
import { parseDecimal } from "../base/decimal.ts";
import { dayNumber, formatDay } from "../domain/market/trading-day.ts";
import {
  bloombergCodes,
  brokerCodes,
  cmeCodes,
  dialects,
  ExpiryCalendar,
  families,
  productOfRoot,
  products,
  readAs,
  type SeriesCode,
  titleOf,
} from "./index.ts";

describe("products", () => {
  it("have the contract facts of the exchange", () => {
    expect(
      products.map((p) =>
        [p.code, p.bloomberg, p.exchange, p.currency, p.multiplier, p.tick, p.optionTick, p.lastDay]
          .map((fact) => fact ?? "-")
          .join(" "),
      ),
    ).toEqual([
      "ZT TU XCBT USD 2000 0.00390625 0.0078125 last",
      "ZF FV XCBT USD 1000 0.0078125 0.0078125 last",
      "ZN TY XCBT USD 1000 0.015625 0.015625 seventh-before-last",
      "TN UXY XCBT USD 1000 0.015625 0.015625 seventh-before-last",
      "ZB US XCBT USD 1000 0.03125 0.015625 seventh-before-last",
      "UB WN XCBT USD 1000 0.03125 0.015625 seventh-before-last",
      "RX RX XEUR EUR 1000 0.01 - -",
    ]);
  });

  it("have numbers that are decimal text", () => {
    for (const { tick, optionTick, multiplier } of products)
      expect([tick, optionTick ?? tick, multiplier].map((text) => parseDecimal(text))).not.toContain(
        undefined,
      );
  });

  it("have roots of CME and Bloomberg that name one product each", () => {
    const roots = products.flatMap((p) => [...new Set([p.code, p.bloomberg])]);
    expect(new Set(roots).size).toBe(roots.length);
    for (const p of products) expect([productOfRoot(p.code), productOfRoot(p.bloomberg)]).toEqual([p, p]);
  });

  it.each(["", "Z", "zn", "TYA", "ZN ", "__proto__", "constructor"])("%j is not a root", (root) => {
    expect(productOfRoot(root)).toBeUndefined();
  });
});

/**
 * One line per product: the codes of a house for its options by family; `-` for an unknown code, aliases in
 * brackets.
 */
const linesOf = (codes: readonly SeriesCode[]): readonly string[] =>
  products.flatMap((product) => {
    const rows = codes.filter((row) => row.product === product);
    if (rows.length === 0) return [];
    const named = families.map((family) => {
      const own = rows.filter((row) => row.family === family);
      return own.length === 0
        ? "-"
        : own.map(({ code, alias }) => (alias === true ? `(${code})` : code)).join("");
    });
    return [`${product.code}: ${named.join(" ")}`];
  });

describe("codes of options", () => {
  it("have families in the order Monday to Friday, then quarterly and serial", () => {
    expect(families).toEqual(["mon", "tue", "wed", "thu", "fri", "standard"]);
  });

  it("CME's codes are known for all six products and all six families", () => {
    expect(linesOf(cmeCodes)).toEqual([
      "ZT: VT GT WT HT ZT OZT",
      "ZF: VF GF WF HF ZF OZF",
      "ZN: VY GY WY HY ZN OZN",
      "TN: VX GX WX HX TN OTN",
      "ZB: VB GB WB HB ZB OZB",
      "UB: VU GU WU HU UB OUB",
    ]);
    expect(new Set(cmeCodes.map(({ code }) => code)).size).toBe(6 * 6);
  });

  it("Bloomberg's codes are those with a source, and the desk's TYW takes precedence over TYY", () => {
    expect(linesOf(bloombergCodes)).toEqual([
      "ZT: VFT - TUI - - TU",
      "ZF: - - FVW - - FV",
      "ZN: VBY TJP TYW(TYY) TJW M TY",
      "TN: - - UXT - - UXY",
      "ZB: - - USY - - US",
      "UB: - - WNY - - WN",
    ]);
  });

  it("the broker's codes are known for weekly options of the 10-year, except Monday options", () => {
    expect(linesOf(brokerCodes)).toEqual(["ZN: - W# TUES OPT WED WK# W# THURS OPT WKLY WK# -"]);
  });

  it.each([
    ["CME", cmeCodes],
    ["Bloomberg", bloombergCodes],
    ["the broker", brokerCodes],
  ] as const)(
    "each code of %s names one series, begins on the launch day of its family, and has a source",
    (_house, codes) => {
      expect(new Set(codes.map(({ code }) => code)).size).toBe(codes.length);
      for (const { code, family, from, source } of codes) {
        expect([code, formatDay(from)]).toEqual([code, launched[family]]);
        expect(source.length, code).toBeGreaterThan(20);
        expect(source, code).not.toMatch(/undefined|TODO|\?/);
      }
    },
  );

  it.each([
    ["CME", cmeCodes],
    ["Bloomberg", bloombergCodes],
    ["the broker", brokerCodes],
  ] as const)("on no day does %s print two codes for one series", (_house, codes) => {
    const printed = codes
      .filter(({ alias }) => alias !== true)
      .map(({ product, family, from }) => `${product.code} ${family} ${from}`);
    expect(new Set(printed).size).toBe(printed.length);
  });
});

/** The day on which the exchange listed the first options of a family. For Fridays only the year is known. */
const launched = {
  mon: "2023-10-30",
  tue: "2025-06-16",
  wed: "2017-06-05",
  thu: "2025-06-16",
  fri: "2011-01-01",
  standard: "2000-01-01",
} as const;

describe("an instrument's title names it for people", () => {
  it.each([
    ["ZNU2025", "10-year note, Sep 2025"],
    ["UBZ2025", "Ultra bond, Dec 2025"],
    ["ZN-2025-07-VY3-P111.250", "10-year note 111.25 put, 21 Jul 2025"],
    // The standard option of August expires in July.
    ["ZB-2025-08-OZB-C113.000", "Treasury bond 113 call, 25 Jul 2025"],
  ])("%s is a %s", (name, title) => {
    const reading = readAs(name, [dialects.canonical], {
      asOf: dayNumber(2025, 7, 1),
      calendar: new ExpiryCalendar(),
    });
    expect(reading.ok && titleOf(reading.instrument)).toBe(title);
  });
});
