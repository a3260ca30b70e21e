import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseDay } from "../../src/domain/market/trading-day.ts";
import {
  type DialectName,
  ExpiryCalendar,
  nearestSymbols,
  type Printing,
  printSymbol,
  type Reading,
  readSymbol,
  type Source,
} from "../../src/symbols/index.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";

/** A day within the weeks of the desk's files. */
const context = { asOf: parseDay("2025-07-24") as number, calendar: new ExpiryCalendar() };
const read = (text: string, source: Source): Reading => readSymbol(text, source, context);
const noteCodes = (reading: Reading): readonly string[] =>
  reading.ok ? reading.notes.map(({ code }) => code) : [reading.code];
const printed = (reading: Reading, target: DialectName): string => {
  const printing: Printing | Reading = reading.ok
    ? printSymbol(reading.instrument, target, context)
    : reading;
  return printing.ok ? (printing as { readonly text: string }).text : printing.code;
};

/**
 * Symbols that the desk's systems actually used, with Bloomberg's name of the same instrument. If the
 * source's spelling is not the exact one, `exactly` is the printed text, and `notes` are the notes of reading
 * it.
 */
interface RealPair {
  readonly source: string;
  readonly bloomberg: string;
  readonly exactly?: string;
  readonly notes?: readonly string[];
}

const pairs: Readonly<Partial<Record<DialectName, readonly RealPair[]>>> = {
  "actant-trades": [
    { source: "XCMEFFDPSX20250919U0ZN", bloomberg: "TYU5 Comdty" },
    { source: "XCMEFFDPSX20251219Z0ZN", bloomberg: "TYZ5 Comdty" },
    { source: "XCMEFFDPSX20250930U0ZT", bloomberg: "TUU5 Comdty" },
    { source: "XCMEFFDPSX20250930U0ZF", bloomberg: "FVU5 Comdty" },
    {
      // This symbol is from a test of the desk. In the desk's ledgers it has the actual last trading day.
      source: "XCMEFFDPSX20251230Z0ZF",
      bloomberg: "FVZ5 Comdty",
      exactly: "XCMEFFDPSX20251231Z0ZF",
      notes: ["LAST_DAY_MISMATCH"],
    },
    { source: "XCMEFFDPSX20251231Z0ZF", bloomberg: "FVZ5 Comdty" },
    { source: "XCMEFFDPSX20250919U0ZB", bloomberg: "USU5 Comdty" },
    { source: "XCMEOCADPS20250714N0VY2/108.75", bloomberg: "VBYN25C2 108.750 Comdty" },
    { source: "XCMEOCADPS20250714N0VY2/109", bloomberg: "VBYN25C2 109.000 Comdty" },
    { source: "XCMEOCADPS20250714N0VY2/110.5", bloomberg: "VBYN25C2 110.500 Comdty" },
    { source: "XCMEOCADPS20250714N0VY2/111", bloomberg: "VBYN25C2 111.000 Comdty" },
    { source: "XCMEOCADPS20250714N0VY2/111.25", bloomberg: "VBYN25C2 111.250 Comdty" },
    {
      source: "XCMEOCADPS20250721N0VY2/109.50",
      bloomberg: "VBYN25C3 109.500 Comdty",
      exactly: "XCMEOCADPS20250721N0VY3/109.5",
      notes: ["WEEK_DIGIT_MISMATCH"],
    },
    {
      source: "XCMEOCADPS20250721N0VY2/110.75",
      bloomberg: "VBYN25C3 110.750 Comdty",
      exactly: "XCMEOCADPS20250721N0VY3/110.75",
      notes: ["WEEK_DIGIT_MISMATCH"],
    },
    {
      source: "XCMEOCADPS20250723N0WY2/111.25",
      bloomberg: "TYWN25C4 111.250 Comdty",
      exactly: "XCMEOCADPS20250723N0WY4/111.25",
      notes: ["WEEK_DIGIT_MISMATCH"],
    },
    { source: "XCMEOCADPS20250806Q0WY1/112.25", bloomberg: "TYWQ25C1 112.250 Comdty" },
    { source: "XCMEOCADPS20250806Q0WY1/112.5", bloomberg: "TYWQ25C1 112.500 Comdty" },
    { source: "XCMEOCADPS20250806Q0WY1/112.75", bloomberg: "TYWQ25C1 112.750 Comdty" },
    { source: "XCMEOCADPS20250807Q0HY1/113.25", bloomberg: "TJWQ25C1 113.250 Comdty" },
    { source: "XCMEOCADPS20250808Q0ZN2/112.5", bloomberg: "2MQ5C 112.500 Comdty" },
    { source: "XCMEOCADPS20250808Q0ZN2/112.75", bloomberg: "2MQ5C 112.750 Comdty" },
    { source: "XCMEOPADPS20250714N0VY2/110.75", bloomberg: "VBYN25P2 110.750 Comdty" },
    { source: "XCMEOPADPS20250714N0VY2/111", bloomberg: "VBYN25P2 111.000 Comdty" },
    { source: "XCMEOPADPS20250714N0VY2/111.25", bloomberg: "VBYN25P2 111.250 Comdty" },
    { source: "XCMEOPADPS20250716N0WY3/111", bloomberg: "TYWN25P3 111.000 Comdty" },
    { source: "XCMEOPADPS20250716N0WY3/111.5", bloomberg: "TYWN25P3 111.500 Comdty" },
    {
      source: "XCMEOPADPS20250718N0ZN2/111.00",
      bloomberg: "3MN5P 111.000 Comdty",
      exactly: "XCMEOPADPS20250718N0ZN3/111",
      notes: ["WEEK_DIGIT_MISMATCH"],
    },
    { source: "XCMEOPADPS20250718N0ZN3/110.25", bloomberg: "3MN5P 110.250 Comdty" },
    { source: "XCMEOPADPS20250718N0ZN3/110.75", bloomberg: "3MN5P 110.750 Comdty" },
    { source: "XCMEOPADPS20250718N0ZN3/111.25", bloomberg: "3MN5P 111.250 Comdty" },
    {
      source: "XCMEOPADPS20250721N0VY2/112.00",
      bloomberg: "VBYN25P3 112.000 Comdty",
      exactly: "XCMEOPADPS20250721N0VY3/112",
      notes: ["WEEK_DIGIT_MISMATCH"],
    },
    { source: "XCMEOPADPS20250721N0VY3/109.5", bloomberg: "VBYN25P3 109.500 Comdty" },
    { source: "XCMEOPADPS20250721N0VY3/110", bloomberg: "VBYN25P3 110.000 Comdty" },
    { source: "XCMEOPADPS20250721N0VY3/111.25", bloomberg: "VBYN25P3 111.250 Comdty" },
    { source: "XCMEOPADPS20250723N0WY4/109.75", bloomberg: "TYWN25P4 109.750 Comdty" },
    { source: "XCMEOPADPS20250723N0WY4/110.5", bloomberg: "TYWN25P4 110.500 Comdty" },
    { source: "XCMEOPADPS20250723N0WY4/111", bloomberg: "TYWN25P4 111.000 Comdty" },
    { source: "XCMEOPADPS20250723N0WY4/111.5", bloomberg: "TYWN25P4 111.500 Comdty" },
    // 25 July is the Friday on which the August option expires. Both legacy translators that knew this date
    // wrote a weekly option, with the code 3M.
    {
      source: "XCMEOPADPS20250725N0ZN4/110.75",
      bloomberg: "TYQ5P 110.750 Comdty",
      exactly: "XCMEOPADPS20250725Q0OZN/110.75",
      notes: ["STANDARD_FRIDAY"],
    },
    {
      source: "XCMEOPADPS20250725N0ZN4/111.25",
      bloomberg: "TYQ5P 111.250 Comdty",
      exactly: "XCMEOPADPS20250725Q0OZN/111.25",
      notes: ["STANDARD_FRIDAY"],
    },
    { source: "XCMEOPADPS20250805Q0GY1/110.5", bloomberg: "TJPQ25P1 110.500 Comdty" },
  ],
  "actant-risk": [
    { source: "XCME.ZN.SEP25", bloomberg: "TYU5 Comdty" },
    { source: "XCME.ZT.SEP25", bloomberg: "TUU5 Comdty" },
    { source: "XCME.ZF.SEP25", bloomberg: "FVU5 Comdty" },
    { source: "XCME.VY3.21JUL25.111:75.C", bloomberg: "VBYN25C3 111.750 Comdty" },
    { source: "XCME.VY3.21JUL25.111:75.P", bloomberg: "VBYN25P3 111.750 Comdty" },
    { source: "XCME.ZN1.01AUG25.111:5.C", bloomberg: "1MQ5C 111.500 Comdty" },
    { source: "XCME.VY3.21JUL25.111.C", bloomberg: "VBYN25C3 111.000 Comdty" },
    { source: "XCME.VY3.21JUL25.111:25.C", bloomberg: "VBYN25C3 111.250 Comdty" },
    { source: "XCME.VY3.21JUL25.111:5.C", bloomberg: "VBYN25C3 111.500 Comdty" },
    // A key from the last day of the old form, in which the digit 3 meant Tuesday. 18 July is no Tuesday but
    // the third Friday, so the key has today's form.
    { source: "XCME.ZN3.18JUL25.110:25.P", bloomberg: "3MN5P 110.250 Comdty" },
  ],
  // Bloomberg's names in these sources have one or two decimals; we print three.
  broker: [
    {
      source: "CALL AUG 25 CBT 10YR T NOTE W1 THURS OPT 112.50",
      bloomberg: "TJWQ25C1 112.500 Comdty",
      exactly: "CALL AUG 25 CBT 10YR TNOTE W1 THURS OPT 112.50",
    },
    {
      source: "CALL AUG 25 CBT 10YR T NOTE W1 THURS OPT 113.25",
      bloomberg: "TJWQ25C1 113.250 Comdty",
      exactly: "CALL AUG 25 CBT 10YR TNOTE W1 THURS OPT 113.25",
    },
    { source: "CALL AUG 25 CBT 10YR TNOTE WED WK1 112.50", bloomberg: "TYWQ25C1 112.500 Comdty" },
    { source: "CALL AUG 25 CBT 10YR TNOTE WED WK1 112.75", bloomberg: "TYWQ25C1 112.750 Comdty" },
    { source: "CALL AUG 25 CBT 10YR TNOTE WKLY WK1 111.75", bloomberg: "1MQ5C 111.750 Comdty" },
    { source: "CALL AUG 25 CBT 10YR TNOTE WKLY WK2 112.75", bloomberg: "2MQ5C 112.750 Comdty" },
    {
      source: "PUT AUG 25 CBT 10YR T NOTE W1 TUES OPT 110.50",
      bloomberg: "TJPQ25P1 110.500 Comdty",
      exactly: "PUT AUG 25 CBT 10YR TNOTE W1 TUES OPT 110.50",
    },
    { source: "SEP 25 CBT 10YR TNOTE", bloomberg: "TYU5 Comdty" },
  ],
  cme: [
    { source: "VY3N5 C11175", bloomberg: "VBYN25C3 111.750 Comdty" },
    { source: "OZNQ5 P11050", bloomberg: "TYQ5P 110.500 Comdty" },
    { source: "WY4N5 C11150", bloomberg: "TYWN25C4 111.500 Comdty" },
    { source: "HY4N5 C11150", bloomberg: "TJWN25C4 111.500 Comdty" },
    { source: "VY1Q5 C11150", bloomberg: "VBYQ25C1 111.500 Comdty" },
    { source: "WY1Q5 C11150", bloomberg: "TYWQ25C1 111.500 Comdty" },
    { source: "HY1Q5 C11150", bloomberg: "TJWQ25C1 111.500 Comdty" },
    { source: "ZN2Q5 C11150", bloomberg: "2MQ5C 111.500 Comdty" },
    { source: "OZNU5 C11150", bloomberg: "TYU5C 111.500 Comdty" },
    { source: "ZN5Q5 C11150", bloomberg: "5MQ5C 111.500 Comdty" },
    { source: "VY1U5 C11150", bloomberg: "VBYU25C1 111.500 Comdty" },
  ],
};

/** Real texts that name no instrument, although one of the systems assigned one. */
const refused: readonly {
  readonly dialect: DialectName;
  readonly source: string;
  readonly code: string;
  readonly candidates?: readonly string[];
}[] = [
  { dialect: "actant-risk", source: "XCME.XXX.01JAN99.100.C", code: "UNKNOWN_SERIES" },
  { dialect: "actant-trades", source: "XCME.RX.H5", code: "UNKNOWN_PRODUCT" },
  { dialect: "actant-trades", source: "XCME.RX.M5", code: "UNKNOWN_PRODUCT" },
  { dialect: "actant-trades", source: "XCME.TU.H5", code: "UNKNOWN_PRODUCT" },
  {
    dialect: "actant-time",
    source: "XCME.ZN.N.G.21JUL25",
    code: "NO_STRIKE",
    candidates: ["ZN-2025-07-VY3"],
  },
  {
    dialect: "actant-time",
    source: "XCME.ZN.N.G.02SEP25",
    code: "NO_STRIKE",
    candidates: ["ZN-2025-09-VY1", "ZN-2025-09-GY1"],
  },
];

const rows = Object.entries(pairs).flatMap(([dialect, list]) =>
  list.map((pair) => [dialect as DialectName, pair] as const),
);

describe("real symbols", () => {
  it.each(rows)(
    "%s $source is what Bloomberg calls $bloomberg",
    (dialect, { source, bloomberg, notes = [] }) => {
      const reading = read(source, dialect);
      expect([printed(reading, "bloomberg"), noteCodes(reading)]).toEqual([bloomberg, notes]);
      expect(read(source, "auto")).toEqual({ ...reading, dialect });
    },
  );

  it.each(rows)(
    "Bloomberg's name of the instrument prints as %s $source again, in the exact spelling",
    (dialect, { source, bloomberg, exactly = source }) => {
      const reading = read(bloomberg, "bloomberg");
      expect([printed(reading, dialect), noteCodes(reading)]).toEqual([exactly, []]);
      expect(read(bloomberg, "auto")).toEqual({ ...reading, dialect: "bloomberg" });
      expect(printed(read(exactly, dialect), "bloomberg")).toBe(bloomberg);
    },
  );

  it.each(rows)("%s $source stays the same instrument through every dialect", (dialect, { source }) => {
    const reading = read(source, dialect);
    const carried = (["actant-trades", "actant-risk", "bloomberg", "cme", "canonical"] as const).map(
      (through) => {
        const back = read(printed(reading, through), through);
        return back.ok ? back.instrument.name : `${through}: ${back.code}`;
      },
    );
    expect(new Set(carried)).toEqual(new Set([reading.ok ? reading.instrument.name : ""]));
  });

  it.each(refused)("$dialect $source is refused: $code", ({ dialect, source, code, candidates }) => {
    const reading = read(source, dialect);
    expect(reading.ok ? reading.instrument.name : [reading.code, reading.candidates]).toEqual([
      code,
      candidates,
    ]);
  });

  it("have exactly one instrument for each Bloomberg name, and one name for each instrument", () => {
    const names = new Map<string, Set<string>>();
    for (const [dialect, { source, bloomberg }] of rows) {
      const reading = read(source, dialect);
      const known = names.get(bloomberg) ?? new Set();
      names.set(bloomberg, known.add(reading.ok ? reading.instrument.name : reading.code));
    }
    for (const [bloomberg, known] of names) expect([bloomberg, known.size]).toEqual([bloomberg, 1]);
    const instruments = [...names.values()].flatMap((known) => [...known]);
    expect(new Set(instruments).size).toBe(names.size);
  });
});

/**
 * Texts of one ledger of February 2025: Bloomberg's roots with Actant's prefix, in no dialect and for no
 * known contract.
 */
const mockOddities = ["XCME.RX.H5", "XCME.RX.M5", "XCME.TU.H5"];

describe.skipIf(!hasSharedData)("the desk's ledgers (skipped if the published files are missing)", () => {
  const seen = new Map<string, string>();
  if (hasSharedData)
    for (const folder of readdirSync(sharedData).filter((name) => name.startsWith("ledgers")))
      for (const file of readdirSync(`${sharedData}/${folder}`))
        for (const line of readFileSync(`${sharedData}/${folder}/${file}`, "utf8").split("\n").slice(1)) {
          const symbol = line.split(",")[1]?.trim() ?? "";
          if (symbol !== "") seen.set(symbol, `${folder}/${file}`);
        }
  const symbols = [...seen.keys()].filter((symbol) => !mockOddities.includes(symbol));

  it("have symbols that all translate into the instrument that they name", () => {
    expect(symbols.length).toBeGreaterThan(40);
    for (const symbol of symbols) {
      const reading = read(symbol, "actant-trades");
      expect([symbol, seen.get(symbol), reading.ok]).toEqual([symbol, seen.get(symbol), true]);
      const name = reading.ok ? reading.instrument.name : "";
      const right = /^XCMEO([CP])/.exec(symbol)?.[1];
      const strike = /\/(.+)$/.exec(symbol)?.[1];
      // All symbols are of 2025. The root is not compared, because the name may have Bloomberg's root.
      if (right === undefined) expect([symbol, name.slice(2)]).toEqual([symbol, `${symbol.charAt(18)}2025`]);
      else expect([symbol, name.slice(-8)]).toEqual([symbol, `${right}${Number(strike).toFixed(3)}`]);
    }
  });

  it("have symbols that the dialect auto reads as actant-trades does, and that survive the way to Bloomberg's names and back", () => {
    for (const symbol of symbols) {
      const reading = read(symbol, "actant-trades");
      expect(read(symbol, "auto")).toEqual({ ...reading, dialect: "actant-trades" });
      const back = read(printed(reading, "bloomberg"), "bloomberg");
      expect(back.ok && reading.ok && back.instrument.name === reading.instrument.name, symbol).toBe(true);
    }
  });

  it("have no odd symbols but the known ones, which are refused without suggesting another symbol", () => {
    expect(mockOddities.filter((symbol) => !seen.has(symbol))).toEqual([]);
    for (const symbol of mockOddities) {
      expect([symbol, ...noteCodes(read(symbol, "auto"))]).toEqual([symbol, "UNKNOWN_PRODUCT"]);
      expect(nearestSymbols(symbol, "auto", context)).toEqual([]);
    }
  });
});
