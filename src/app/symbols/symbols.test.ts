import { describe, expect, it } from "vitest";
import { parseDay } from "../../domain/market/trading-day.ts";
import { computePnl, type PnlRequest } from "../engine.ts";
import { dayOfTime, describerOf, describeSymbol, nameOfSymbol, symbolBridge } from "./symbols.ts";

const july = parseDay("2025-07-24") as number;

/** Symbols of the dialects with full years: symbol, multiplier, currency, instrument. */
const wholeYears: readonly (readonly [string, string, string, string])[] = [
  ["XCMEFFDPSX20250919U0ZN", "1000", "USD", "ZNU2025"],
  ["XCMEFFDPSX20250930U0ZT", "2000", "USD", "ZTU2025"],
  ["XCMEOPADPS20250721N0VY3/110.25", "1000", "USD", "ZN-2025-07-VY3-P110.250"],
  ["XCME.ZT.SEP25", "2000", "USD", "ZTU2025"],
  ["XCME.OZN.AUG25.110:5.P", "1000", "USD", "ZN-2025-08-OZN-P110.500"],
  ["SEP 25 CBT 2YR TNOTE", "2000", "USD", "ZTU2025"],
  ["PUT AUG 25 CBT 10YR TNOTE W1 TUES OPT 110.50", "1000", "USD", "ZN-2025-08-GY1-P110.500"],
  ["ZTU2025", "2000", "USD", "ZTU2025"],
  ["RXU2025", "1000", "EUR", "RXU2025"],
  ["ZN-2025-07-VY3-P110.250", "1000", "USD", "ZN-2025-07-VY3-P110.250"],
];
const oneDigit: typeof wholeYears = [
  ["TUU5 Comdty", "2000", "USD", "ZTU2025"],
  ["TUU5", "2000", "USD", "ZTU2025"],
  ["RXU5 Comdty", "1000", "EUR", "RXU2025"],
  ["3MN5P 110.250 Comdty", "1000", "USD", "ZN-2025-07-ZN3-P110.250"],
  ["TUU5C 103.125 Comdty", "2000", "USD", "ZT-2025-09-OZT-C103.125"],
  ["ZTU5", "2000", "USD", "ZTU2025"],
  ["VY3N5 P11025", "1000", "USD", "ZN-2025-07-VY3-P110.250"],
];
/** Symbols with a known product and an uncertain instrument. */
const productsOnly: readonly (readonly [string, string, string])[] = [
  ["XCME.TU.H5", "2000", "USD"],
  ["XCME.RX.H5", "1000", "EUR"],
  ["XCMEOPADPS20250721N0VY3", "1000", "USD"],
  ["XCMEOPADPS20250722N0VY3/110", "1000", "USD"],
];
const unknown = [
  "A",
  "TU",
  "ZN",
  "TY",
  "XCME.ZN.N.G.21JUL25",
  "XCME.XX.H5",
  "constructor",
  "__proto__",
  "",
  "NaN",
  "\ud800",
];

describe("describeSymbol", () => {
  it.each([...wholeYears, ...oneDigit])(
    "%s, as of a day, is worth %s %s per point and is %s",
    (symbol, multiplier, currency, instrument) => {
      expect(describeSymbol(symbol, july)).toMatchObject({ multiplier, currency, instrument });
    },
  );

  it.each(wholeYears)(
    "%s has the same description without a day",
    (symbol, multiplier, currency, instrument) => {
      expect(describeSymbol(symbol, undefined)).toMatchObject({ multiplier, currency, instrument });
    },
  );

  it.each(oneDigit)(
    "%s has a product but no instrument without a day, because its year is unknown",
    (symbol, multiplier, currency) => {
      expect(describeSymbol(symbol, undefined)).toMatchObject({ multiplier, currency, instrument: null });
    },
  );

  it("reads a one-digit year by the day", () => {
    for (const year of ["2015", "2025", "2015"])
      expect(describeSymbol("TUU5 Comdty", parseDay(`${year}-07-24`))?.instrument).toBe(`ZTU${year}`);
  });

  it.each(productsOnly)(
    "%s has its product's multiplier and no instrument",
    (symbol, multiplier, currency) => {
      for (const asOf of [july, undefined])
        expect(describeSymbol(symbol, asOf)).toMatchObject({ multiplier, currency, instrument: null });
    },
  );

  it.each(unknown)("%j is not a tradable symbol and has no description", (symbol) => {
    for (const asOf of [july, parseDay("2025-09-10"), undefined])
      expect(describeSymbol(symbol, asOf)).toBeUndefined();
  });
});

describe("the symbols of a run's trades", () => {
  const describeTraded = describerOf(symbolBridge(july));

  it("pass on the notes of a reading", () => {
    expect(describeTraded("XCMEOPADPS20250721N0VY2/112.00", july)).toMatchObject({
      instrument: "ZN-2025-07-VY3-P112.000",
      multiplier: "1000",
      currency: "USD",
      expiry: parseDay("2025-07-21"),
      notes: [{ code: "WEEK_DIGIT_MISMATCH", why: expect.any(String) }],
    });
  });

  it.each(productsOnly)("note %s as untranslated, with the reason", (symbol, multiplier, currency) => {
    const described = describeTraded(symbol, july);
    expect(described).toMatchObject({
      instrument: null,
      multiplier,
      currency,
      notes: [{ code: "UNTRANSLATED" }],
    });
    expect(described?.notes?.[0]?.why).toMatch(/^[A-Z_]+: .+; it is reported under its own text/);
  });

  it.each([...wholeYears, ...oneDigit])(
    "%s means the same as in computePnl",
    (symbol, multiplier, currency, instrument) => {
      expect(describeTraded(symbol, july)).toMatchObject({ instrument, multiplier, currency });
      expect(describeSymbol(symbol, july)).toMatchObject({ instrument, multiplier, currency });
    },
  );
});

describe("nameOfSymbol", () => {
  it.each([
    ["TY", "2025-07-24", "ZNU2025"],
    ["TY", "2025-09-10", "TY"],
    ["XCME.ZN.SEP25", "2025-07-24", "ZNU2025"],
    ["VBYN25P3 110.25 Comdty", "2025-07-24", "ZN-2025-07-VY3-P110.250"],
    ["XCME.TU.H5", "2025-07-24", "XCME.TU.H5"],
    ["MISSPELT", "2025-07-24", "MISSPELT"],
  ])("%s on %s is %s", (symbol, day, name) => {
    expect(nameOfSymbol(symbolBridge(july), symbol, parseDay(day) as number)).toBe(name);
  });
});

describe("dayOfTime", () => {
  it.each([
    ["2025-07-24T23:59:59-05:00", "2025-07-24"],
    ["2025-07-25T04:00:00Z", "2025-07-24"],
    ["2025-07-24 09:00:00", "2025-07-24"],
    ["soon", undefined],
    [undefined, undefined],
  ])("%s is on %s in Chicago", (time, day) => {
    expect(dayOfTime(time)).toBe(day === undefined ? undefined : parseDay(day));
  });
});

describe("computePnl", () => {
  const time = "2025-07-24T09:00:00-05:00";
  const trip = (symbol: string, at?: string): PnlRequest["trades"] => [
    { id: "1", symbol, side: "B", quantity: "1", price: "100", ...(at === undefined ? {} : { time: at }) },
    { id: "2", symbol, side: "S", quantity: "1", price: "100.5", ...(at === undefined ? {} : { time: at }) },
  ];
  const realized = (request: PnlRequest) =>
    computePnl(request).positions.map(({ realized, currency }) => [realized, currency]);
  const half = (multiplier: string): string => `${Number(multiplier) / 2}`;

  it.each([...wholeYears, ...oneDigit])(
    "%s has the default multiplier %s at the time of its trades or of the request",
    (symbol, multiplier, currency, instrument) => {
      expect(realized({ trades: trip(symbol, time) })).toEqual([[half(multiplier), currency]]);
      expect(realized({ trades: trip(symbol), asOf: time })).toEqual([[half(multiplier), currency]]);
      expect(computePnl({ trades: trip(symbol, time) }).positions[0]?.instrument).toBe(instrument);
    },
  );

  it.each(wholeYears)("%s has its multiplier without any time", (symbol, multiplier, currency) => {
    expect(realized({ trades: trip(symbol) })).toEqual([[half(multiplier), currency]]);
  });

  it.each(productsOnly)(
    "%s has its multiplier although its instrument is uncertain",
    (symbol, multiplier, currency) => {
      const { positions, totals } = computePnl({ trades: trip(symbol, time) });
      expect(positions).toMatchObject([{ symbol, instrument: null, realized: half(multiplier), currency }]);
      expect(totals.untranslated).toEqual([symbol]);
    },
  );

  it.each(unknown.filter((symbol) => symbol !== ""))("%j has multiplier 1", (symbol) => {
    for (const trades of [trip(symbol, time), trip(symbol)]) {
      expect(computePnl({ trades }).positions).toMatchObject([
        { symbol, instrument: null, multiplier: "1", currency: "XXX", realized: "0.5" },
      ]);
    }
  });

  it("follows the request before the instrument table", () => {
    const request = {
      trades: trip("TUU5 Comdty", time),
      instruments: { "TUU5 Comdty": { multiplier: "7" } },
    };
    expect(realized(request)).toEqual([["3.5", "USD"]]);
  });

  it("matches one instrument under two names, and marks it under a third", () => {
    const [bought, sold] = [
      trip("TYU5 Comdty", time)[0],
      trip("XCMEFFDPSX20250919U0ZN", time)[1],
    ] as PnlRequest["trades"];
    const trades = [bought, sold, { ...bought, id: "3" }] as PnlRequest["trades"];
    const { positions } = computePnl({ trades, marks: { "XCME.ZN.SEP25": "101" } });
    expect(positions).toMatchObject([
      {
        symbol: "TYU5 Comdty",
        instrument: "ZNU2025",
        quantity: "1",
        realized: "500",
        unrealized: "1000",
        mark: "101",
      },
    ]);
  });

  it("reads a one-digit year by the trade's time, the as-of time, or the last trade with a time", () => {
    const names = (request: PnlRequest) => computePnl(request).positions.map(({ instrument }) => instrument);
    const [first, last] = trip("TYU5 Comdty", "2015-07-24T09:00:00-05:00") as [
      PnlRequest["trades"][0],
      PnlRequest["trades"][0],
    ];
    expect(names({ trades: [first, last] })).toEqual(["ZNU2015"]);
    expect(names({ trades: [first, { ...last, time }] })).toEqual(["ZNU2015", "ZNU2025"]);
    expect(names({ trades: [first, last], asOf: time })).toEqual(["ZNU2015"]);
    const { time: _, ...timeless } = last;
    expect(names({ trades: [first, timeless] })).toEqual(["ZNU2015"]);
    expect(names({ trades: [timeless], asOf: time })).toEqual(["ZNU2025"]);
    expect(names({ trades: [{ ...timeless, id: "1" }, timeless] })).toEqual([null]);
  });
});
