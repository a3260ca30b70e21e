import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { symbolNoteCodes, symbolRefusalCodes } from "../../src/domain/market/finding-codes.ts";
import { type DayNumber, dayNumber, formatDay, weekday } from "../../src/domain/market/trading-day.ts";
import {
  bloombergCodes,
  brokerCodes,
  cmeCodes,
  type DialectName,
  dialectNames,
  dialects,
  ExpiryCalendar,
  nearestSymbols,
  type OptionSeries,
  type Printing,
  printSymbol,
  products,
  type Read,
  type Reading,
  type Refused,
  readSymbol,
  type Source,
  type SymbolContext,
} from "../../src/symbols/index.ts";
import { isLongRun, overSeeds, runs } from "../campaigns.ts";

/** The years that these properties cover. */
const [from, until] = [2020, 2039];
const strikesMax = 400 * 8;
const calendar = new ExpiryCalendar();
const asOf = (day: DayNumber): SymbolContext => ({ asOf: day, calendar });
const treasuries = products.filter(({ exchange }) => exchange === "XCBT");

const series: readonly OptionSeries[] = treasuries.flatMap((product) =>
  months((year, month) => calendar.seriesExpiringIn(product, year, month)),
);

function months<T>(of: (year: number, month: number) => readonly T[]): T[] {
  const found: T[] = [];
  for (let year = from; year <= until; year++)
    for (let month = 1; month <= 12; month++) found.push(...of(year, month));
  return found;
}

const monthNames = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/** The canonical name of an option, built independently of the code under test. */
function optionName({ name }: OptionSeries, right: string, eighths: number): string {
  const thousandths = `${(eighths % 8) * 125}`.padStart(3, "0");
  return `${name}-${right}${`${Math.floor(eighths / 8)}`.padStart(3, "0")}.${thousandths}`;
}

const futureNames: readonly string[] = products.flatMap(({ code }) =>
  months((year, month) =>
    month % 3 === 0 ? [`${code}${{ 3: "H", 6: "M", 9: "U", 12: "Z" }[month]}${year}`] : [],
  ),
);

function instrumentNamed(name: string): Read["instrument"] {
  const reading = readSymbol(name, "canonical", asOf(0));
  if (!reading.ok || reading.instrument.name !== name) throw new Error(`${name} does not read as itself`);
  return reading.instrument;
}

/** The day that lies `daysBefore` days before an option's expiry, or before the 15th of a future's month. */
const tradedOn = (instrument: Read["instrument"], daysBefore: number): DayNumber =>
  (instrument.kind === "option"
    ? instrument.series.expiry
    : dayNumber(instrument.year, instrument.month, 15)) - daysBefore;

/** The fault of printing an instrument and reading it back; undefined if there is none. */
function roundTripFault(
  instrument: Read["instrument"],
  target: DialectName,
  context: SymbolContext,
): string | undefined {
  const printing = printSymbol(instrument, target, context);
  if (!printing.ok) return refusalFault(printing);
  for (const source of [target, "auto"] as const) {
    const back = readSymbol(printing.text, source, context);
    if (!back.ok) return `${printing.text} is refused by ${source}: ${back.code}`;
    if (back.dialect !== target) return `${printing.text} is taken for ${back.dialect}`;
    if (back.instrument.name !== instrument.name) return `${printing.text} reads as ${back.instrument.name}`;
    const notes = back.notes.filter(({ code }) => code !== "YEAR_IN_OTHER_DECADE");
    if (notes.length > 0) return `${printing.text} reads with ${notes.map(({ code }) => code)}`;
  }
  return undefined;
}

function refusalFault({ code, why, lost }: Refused): string | undefined {
  if (code !== "CANNOT_CARRY" && code !== "NO_KNOWN_CODE") return `printing is refused by ${code}`;
  if (why.length < 20 || why.includes("undefined")) return `printing is refused without a reason: ${why}`;
  if ((code === "CANNOT_CARRY") !== (lost !== undefined && lost.length > 0)) return `${code} loses ${lost}`;
  return undefined;
}

/** A short run checks every n-th of many similar cases; the campaign `properties` checks all of them. */
const eachOf = <T>(cases: readonly T[], step: number): readonly T[] =>
  isLongRun("properties") ? cases : cases.filter((_, at) => at % step === 0);
const allEighths = Array.from({ length: strikesMax }, (_, at) => at + 1);
/** The years of these properties, and one year more at either end. */
const years = Array.from({ length: until - from + 3 }, (_, at) => from - 1 + at);

const codeOf = (printing: Printing): string => (printing.ok ? "" : printing.code);
/** The first ten faults: enough to see what is wrong. */
const some = (faults: readonly string[]): readonly string[] => faults.slice(0, 10);

describe("the calendar that these properties cover", () => {
  it("contains one option series of each of the six products for each weekday since the options of that weekday began, and every quarterly future", () => {
    const begins = [0, dayNumber(2023, 10, 30), dayNumber(2025, 6, 16), 0, dayNumber(2025, 6, 16), 0];
    let days = 0;
    for (let day = dayNumber(from, 1, 1); day <= dayNumber(until, 12, 31); day++) {
      const falls = weekday(day);
      if (falls >= 1 && falls <= 5 && day >= (begins[falls] as number)) days += 1;
    }
    expect(series.length).toBe(days * 6);
    expect(new Set(series.map(({ name }) => name)).size).toBe(series.length);
    expect(futureNames.length).toBe(7 * 20 * 4);
  });
});

describe("printing and reading back", () => {
  /** The smallest and largest strikes, strikes around 10 and 100 points, and each eighth. */
  const strikes = [1, 4, 79, 80, 797, 799, 800, 870, 873, 874, 883, 885, 886, 895, 3199, strikesMax];

  it("gives the same instrument for options and futures of every kind, in every dialect that can express it", () => {
    const faults: string[] = [];
    const carried: Record<string, number> = {};
    let at = 0;
    const check = (instrument: Read["instrument"], group: string): void => {
      at += 1;
      // The as-of day varies over the life of the instrument, which is listed at most two years ahead.
      const context = asOf(tradedOn(instrument, (at * 37) % 600));
      for (const target of dialectNames) {
        const fault = roundTripFault(instrument, target, context);
        if (fault !== undefined) faults.push(`${instrument.name} in ${target}: ${fault}`);
        if (printSymbol(instrument, target, context).ok)
          carried[`${target} ${group}`] = (carried[`${target} ${group}`] ?? 0) + 1;
      }
    };
    const counts: Record<string, number> = {};
    for (const one of eachOf(series, 4)) {
      const group = `${one.product.code} ${one.family}`;
      counts[group] = (counts[group] ?? 0) + 2;
      check(instrumentNamed(optionName(one, "C", strikes[at % strikes.length] as number)), group);
      check(instrumentNamed(optionName(one, "P", strikes[(at + 7) % strikes.length] as number)), group);
    }
    for (const name of futureNames) check(instrumentNamed(name), "futures");
    expect(some(faults)).toEqual([]);

    // Exactly the instruments with a code are printed.
    const withCodes = (codes: typeof bloombergCodes) =>
      codes.filter(({ alias }) => alias !== true).map(({ product, family }) => `${product.code} ${family}`);
    const groups: Record<string, readonly string[]> = {
      "actant-trades": Object.keys(counts),
      "actant-risk": Object.keys(counts),
      bloomberg: withCodes(bloombergCodes),
      cme: Object.keys(counts),
      broker: withCodes(brokerCodes),
      canonical: Object.keys(counts),
    };
    const futures = { "actant-trades": 6, "actant-risk": 6, bloomberg: 7, cme: 6, broker: 4, canonical: 7 };
    const expected = Object.fromEntries([
      ...Object.entries(groups).flatMap(([target, of]) =>
        of.map((group) => [`${target} ${group}`, counts[group]]),
      ),
      ...Object.entries(futures).map(([target, count]) => [`${target} futures`, count * 20 * 4]),
    ]);
    expect(carried).toEqual(expected);
  });

  it("works for any strike in eighths on any day on which the instrument can be listed; on other days printing is refused, and the refusal names what the text would lose", () => {
    const anyOption = fc.record({
      of: fc.nat({ max: series.length - 1 }),
      right: fc.constantFrom("C", "P"),
      eighths: fc.integer({ min: 1, max: strikesMax }),
      daysBefore: fc.oneof(fc.integer({ min: -30, max: 700 }), fc.integer({ min: -7000, max: 7000 })),
      target: fc.constantFrom(...dialectNames),
    });
    fc.assert(
      fc.property(anyOption, ({ of, right, eighths, daysBefore, target }) => {
        const name = optionName(series[of] as OptionSeries, right, eighths);
        const instrument = instrumentNamed(name);
        expect([name, roundTripFault(instrument, target, asOf(tradedOn(instrument, daysBefore)))]).toEqual([
          name,
          undefined,
        ]);
      }),
      { numRuns: runs(700, 20_000) },
    );
  });

  it("works for strikes up to 400 points", () => {
    const one = series.find(({ name }) => name === "ZN-2025-08-WY1") as OptionSeries;
    const faults: string[] = [];
    for (const eighths of eachOf(allEighths, 3))
      for (const right of ["C", "P"]) {
        const instrument = instrumentNamed(optionName(one, right, eighths));
        for (const target of dialectNames) {
          const fault = roundTripFault(instrument, target, asOf(one.expiry));
          if (fault !== undefined) faults.push(`${instrument.name} in ${target}: ${fault}`);
        }
      }
    expect(some(faults)).toEqual([]);
    for (const beyond of [0, strikesMax + 1])
      expect(readSymbol(optionName(one, "C", beyond), "canonical", asOf(0)).ok).toBe(false);
  });

  it("depends only on the year of the as-of day", () => {
    const faults: string[] = [];
    const spread = series.filter((_, at) => at % 97 === 0);
    for (const one of eachOf(spread, 3)) {
      const instrument = instrumentNamed(optionName(one, "C", 880));
      for (const year of years)
        for (const target of dialectNames) {
          const [first, last] = [dayNumber(year, 1, 1), dayNumber(year, 12, 31)].map((day) =>
            printSymbol(instrument, target, asOf(day)),
          );
          if (JSON.stringify(first) !== JSON.stringify(last))
            faults.push(`${instrument.name} in ${target}, ${year}`);
        }
    }
    expect(some(faults)).toEqual([]);
  });
});

describe("one text, one instrument", () => {
  // All calls have one strike, so only their series differ, and two series with the same text are found.
  const instruments = [...series.map((one) => optionName(one, "C", 885)), ...futureNames].map(
    instrumentNamed,
  );

  it.each(dialectNames)(
    "in %s every printed instrument has a distinct text, as of a day of any year",
    (target) => {
      const shared: string[] = [];
      let printed = 0;
      for (const year of eachOf(years, 4)) {
        const context = asOf(dayNumber(year, 7, 1));
        const texts = new Map<string, string>();
        for (const { name, printing } of instruments.map((one) => ({
          name: one.name,
          printing: printSymbol(one, target, context),
        }))) {
          if (!printing.ok) continue;
          const other = texts.get(printing.text);
          if (other !== undefined) shared.push(`${printing.text} is ${other} and ${name} in ${year}`);
          texts.set(printing.text, name);
        }
        printed += texts.size;
      }
      expect(some(shared)).toEqual([]);
      expect(printed > 0).toBe(target !== "actant-time");
    },
  );

  it("all strikes, puts and calls of a series have distinct texts in every dialect", () => {
    const recent = series.filter(({ year, month }) => year === 2025 && month >= 7);
    const ofFamilies = new Map(recent.map((one) => [`${one.product.code} ${one.family}`, one]));
    expect(ofFamilies.size).toBe(6 * 6);
    // A step of seven takes each product and each family once.
    for (const one of eachOf([...ofFamilies.values()], 7)) {
      const all: Read["instrument"][] = [];
      for (const eighths of allEighths)
        for (const right of ["C", "P"]) all.push(instrumentNamed(optionName(one, right, eighths)));
      for (const target of dialectNames) {
        const printings = all.map((instrument) => printSymbol(instrument, target, asOf(one.expiry)));
        const texts = printings.flatMap((printing) => (printing.ok ? [printing.text] : []));
        // A dialect prints all of them or none.
        expect([target, one.name, [0, all.length].includes(texts.length)]).toEqual([target, one.name, true]);
        expect([target, one.name, new Set(texts).size]).toEqual([target, one.name, texts.length]);
      }
    }
  });

  it("the broker's words for Monday and monthly options are refused with all candidates", () => {
    const ofTenYear = series.filter(({ product }) => product.code === "ZN");
    const faults: string[] = [];
    months((year, month) => {
      const text = `PUT ${monthNames[month - 1]} ${year % 100} CBT 10YR TNOTE 110.50`;
      // Monday options by their month; monthly options by the contract month or by the month of expiry, which
      // is the month before.
      const next = month === 12 ? [year + 1, 1] : [year, month + 1];
      const means = ofTenYear.filter(
        (one) =>
          (one.year === year && one.month === month && (one.family === "mon" || one.family === "standard")) ||
          (one.family === "standard" && one.year === next[0] && one.month === next[1]),
      );
      for (const source of ["broker", "auto"] as const) {
        const reading = readSymbol(text, source, asOf(dayNumber(year, month, 1)));
        const candidates = reading.ok ? [reading.instrument.name] : (reading.candidates ?? []);
        // The option that expires before the first of these months is not included.
        const expected = means
          .map((one) => optionName(one, "P", 884))
          .concat(year === from && month === 1 ? ["ZN-2020-01-OZN-P110.500"] : []);
        if (
          reading.ok ||
          reading.code !== "AMBIGUOUS" ||
          candidates.toSorted().join() !== expected.toSorted().join()
        )
          faults.push(`${text}: ${candidates} not ${expected}`);
      }
      for (const one of means) {
        const printing = printSymbol(instrumentNamed(optionName(one, "P", 884)), "broker", asOf(one.expiry));
        if (codeOf(printing) !== "CANNOT_CARRY")
          faults.push(`${one.name} prints ${JSON.stringify(printing)}`);
      }
      return [];
    });
    expect(some(faults)).toEqual([]);
  });
});

const without = (codes: object, left: readonly string[]): readonly string[] =>
  Object.keys(codes)
    .filter((code) => !left.includes(code))
    .sort();

/** A small deterministic generator of numbers below a limit (mulberry32). */
function dice(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}

interface Base {
  readonly text: string;
  readonly dialect: DialectName;
  /** The name of the instrument; null if the text is refused. */
  readonly name: string | null;
  readonly context: SymbolContext;
}

const symbolCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ./:-CP";
const blanks = [" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\ufeff", "\u200b"];
const strangers = [
  "\u0422",
  "\uff35",
  "\u0665",
  "\u0301",
  "\u202e",
  "\ud800",
  "\udc00",
  "\u{1f4b5}",
  "\0",
  "\u007f",
  "ı",
  "ſ",
  "K",
  "é",
];

/** Mutations of a text; `other` is another valid text of the dialect. */
type Mutation = (text: string, roll: (limit: number) => number, other: string) => string;
const roots = [
  ...new Set([...cmeCodes, ...bloombergCodes].map(({ code }) => code)),
  ...products.map(({ bloomberg }) => bloomberg),
];
const spliced = (text: string, at: number, count: number, into: string): string =>
  text.slice(0, at) + into + text.slice(at + count);
const mutations: Readonly<Record<string, Mutation>> = {
  change: (text, roll) =>
    spliced(text, roll(text.length), 1, symbolCharacters.charAt(roll(symbolCharacters.length))),
  insert: (text, roll) =>
    spliced(text, roll(text.length + 1), 0, symbolCharacters.charAt(roll(symbolCharacters.length))),
  delete: (text, roll) => spliced(text, roll(text.length), 1, ""),
  swap: (text, roll) => {
    const at = roll(Math.max(1, text.length - 1));
    return spliced(text, at, 2, text.charAt(at + 1) + text.charAt(at));
  },
  duplicate: (text, roll) => {
    const at = roll(text.length);
    const count = 1 + roll(3);
    return spliced(text, at, 0, text.slice(at, at + count));
  },
  case: (text, roll) => {
    const at = roll(text.length);
    const letter = text.charAt(at);
    return spliced(
      text,
      at,
      1,
      letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
    );
  },
  blank: (text, roll) =>
    spliced(
      text,
      [0, text.length, roll(text.length + 1)][roll(3)] as number,
      0,
      blanks[roll(blanks.length)] as string,
    ),
  stranger: (text, roll) =>
    spliced(text, roll(text.length + 1), roll(2), strangers[roll(strangers.length)] as string),
  digit: (text, roll) => {
    const digits = [...text.matchAll(/\d/g)];
    return digits.length === 0
      ? text
      : spliced(text, (digits[roll(digits.length)] as RegExpExecArray).index, 1, `${roll(10)}`);
  },
  // The last three make texts that are almost names: they exchange a month, a root or half of the text.
  month: (text, roll) => {
    const found = [...text.matchAll(/[FGHJKMNQUVXZ](?=\d)|[A-Z]{3}(?=\d\d| {1,2}\d)/g)];
    if (found.length === 0) return text;
    const { 0: known, index } = found[roll(found.length)] as RegExpExecArray;
    return spliced(
      text,
      index,
      known.length,
      known.length === 1 ? "FGHJKMNQUVXZ".charAt(roll(12)) : (monthNames[roll(12)] as string),
    );
  },
  root: (text, roll) => {
    const known = roots.filter((root) => text.includes(root));
    const root = known[roll(known.length)];
    return root === undefined ? text : text.replace(root, roots[roll(roots.length)] as string);
  },
  graft: (text, roll, other) => {
    const at = roll(text.length);
    return text.slice(0, at) + other.slice(at);
  },
};
const mutationList = Object.values(mutations);

/** Spellings that no dialect prints. */
const otherSpellings: readonly (readonly [DialectName, string])[] = [
  ["actant-trades", "XCMEFFDPSX20250908U0RX"],
  ["actant-trades", "XCMEFFDPSX20250918U0TY"],
  ["actant-trades", "XCMEFFDPSX20251230Z0ZF"],
  ["actant-trades", "XCMEOCADPS20250721N0VY2/109.50"],
  ["actant-trades", "XCMEOPADPS20250725N0ZN4/110.75"],
  ["actant-trades", "XCMEOCADPS20250901U0VY1/111.00"],
  ["actant-trades", "XCME.TU.H5"],
  ["actant-risk", "XCME.ZN3.15JUL25.110:25.P"],
  ["actant-risk", "XCME.ZN6.18JUL25.110:25.P"],
  ["actant-risk", "XCME.ZN.25JUL25.110:50.P"],
  ["actant-risk", "XCME.VY1.02SEP25.100:0.C"],
  ["actant-time", "XCME.ZN.N.G.21JUL25"],
  ["actant-time", "XCME.ZN2.21JUL25"],
  ["bloomberg", "TYU5"],
  ["bloomberg", "TY"],
  ["bloomberg", "TYYQ25C1 112.5 Comdty"],
  ["bloomberg", "3MN5P 111"],
  ["cme", "ZN"],
  ["cme", "VY3N5 C011175"],
  ["cme", "VT2N5 C103125"],
  ["broker", "CALL AUG 25 CBT 10YR T NOTE W1 THURS OPT 112.5"],
  ["broker", "CALL AUG 25 CBT 10YR TNOTE 112.50"],
  ["broker", "SEP 25 CBT 30YR T BOND"],
];

function basesOf(roll: (limit: number) => number): readonly Base[] {
  const bases: Base[] = [];
  const add = (text: string, dialect: DialectName, context: SymbolContext): void => {
    const reading = readSymbol(text, dialect, context);
    bases.push({ text, dialect, name: reading.ok ? reading.instrument.name : null, context });
  };
  for (let count = 0; count < 3000; count++) {
    const future = roll(6) === 0;
    // Mostly traded strikes, and the 10-year, whose options all dialects know.
    const eighths = roll(4) === 0 ? 1 + roll(strikesMax) : 4 * (190 + roll(60)) + roll(4);
    const of = series[roll(series.length)] as OptionSeries;
    const tenYear = calendar.seriesExpiringIn(
      treasuries[2] as (typeof treasuries)[number],
      of.year,
      of.month,
    );
    const one = roll(2) === 0 && tenYear.length > 0 ? (tenYear[roll(tenYear.length)] as OptionSeries) : of;
    const name = future
      ? (futureNames[roll(futureNames.length)] as string)
      : optionName(one, "CP".charAt(roll(2)), eighths);
    const instrument = instrumentNamed(name);
    const context = asOf(tradedOn(instrument, roll(400)));
    for (const target of dialectNames) {
      const printing = printSymbol(instrument, target, context);
      if (printing.ok) add(printing.text, target, context);
    }
  }
  // Each of these texts is added 60 times, so that together they occur about as often as one dialect's texts.
  for (let times = 0; times < 60; times++)
    for (const [dialect, text] of otherSpellings) add(text, dialect, asOf(dayNumber(2025, 7, 1 + roll(31))));
  return bases;
}

/**
 * Notes on the form of a text; all other notes mean that the text is not the plain name of the instrument.
 */
const formNotes = new Set([
  "WHITESPACE",
  "CASE",
  "MISSING_COMDTY",
  "YEAR_IN_OTHER_DECADE",
  "SEVERAL_DIALECTS",
]);

/** A text in the form of its dialect, without a trailing decimal point and zeros of the strike. */
function plain(dialect: DialectName, text: string): string {
  const spaced = text.trim().replaceAll(/\s+/g, " ").toUpperCase();
  switch (dialect) {
    case "bloomberg":
      return shortStrike(spaced.replace(/ COMDTY$/, ""));
    case "broker":
      return shortStrike(spaced.replace(" T NOTE", " TNOTE").replace(" T BOND", " TBOND"));
    case "actant-trades":
      return shortStrike(spaced);
    case "actant-risk":
      return spaced.replace(/(:\d*?)0+(?=\.[CP]$)/, "$1").replace(/:(?=\.[CP]$)/, "");
    default:
      return spaced;
  }
}
const shortStrike = (text: string): string => text.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");

/** Whether a text is the name that its dialect prints for the instrument that was read. */
function isPlainNameOf(
  text: string,
  reading: Read,
  dialect: DialectName | null,
  context: SymbolContext,
): boolean {
  if (dialect === null) return false;
  const printing = printSymbol(reading.instrument, dialect, context);
  return printing.ok && plain(dialect, text) === plain(dialect, printing.text);
}

/** A long run reads a million texts for each seed. */
const mutatedTexts = isLongRun("symbols") ? 1_000_000 : 40_000;

describe("mutated symbols", () => {
  it("never throw, and mean another instrument only with a note or if they are exactly its name", async () => {
    await overSeeds("symbols", 1, (seed) => {
      const roll = dice(20250723 + seed);
      const bases = basesOf(roll);
      const faults: string[] = [];
      const outcomes = {
        same: 0,
        "same, noted": 0,
        "another's exact name": 0,
        "another, noted": 0,
        refused: 0,
      };
      const [codes, notes] = [new Set<string>(), new Set<string>()];
      const ofDialect = Map.groupBy(bases, ({ dialect }) => dialect);
      for (let count = 0; count < mutatedTexts; count++) {
        const base = bases[roll(bases.length)] as Base;
        const alike = ofDialect.get(base.dialect) as readonly Base[];
        let text = base.text;
        // Mostly one mutation, sometimes two or three.
        for (let left = 1 + Math.max(0, roll(5) - 2); left > 0 && text !== ""; left--)
          text = (mutationList[roll(mutationList.length)] as Mutation)(
            text,
            roll,
            (alike[roll(alike.length)] as Base).text,
          );
        const source: Source = roll(4) === 0 ? "auto" : base.dialect;
        const told = () =>
          `${JSON.stringify(base.text)} → ${JSON.stringify(text)} by ${source} as of ${formatDay(base.context.asOf)}`;
        let reading: ReturnType<typeof readSymbol>;
        try {
          reading = readSymbol(text, source, base.context);
        } catch (error) {
          faults.push(`${told()} throws ${error}`);
          continue;
        }
        if (!reading.ok) {
          outcomes.refused += 1;
          codes.add(reading.code);
          if (!Object.hasOwn(symbolRefusalCodes, reading.code) || reading.why === "")
            faults.push(`${told()} is refused without a reason`);
          continue;
        }
        const { name } = reading.instrument;
        for (const { code } of reading.notes) notes.add(code);
        if (name === base.name) {
          outcomes[reading.notes.length === 0 ? "same" : "same, noted"] += 1;
          continue;
        }
        if (reading.notes.some(({ code }) => !formNotes.has(code))) {
          outcomes["another, noted"] += 1;
          continue;
        }
        outcomes["another's exact name"] += 1;
        if (!isPlainNameOf(text, reading, reading.dialect, base.context))
          faults.push(`${told()} is ${name}, not ${base.name}`);
      }
      expect(some(faults)).toEqual([]);
      // Each outcome occurs often enough for this test to be meaningful.
      for (const [outcome, count] of Object.entries(outcomes))
        expect(count, outcome).toBeGreaterThan(mutatedTexts / 200);
      // Every code occurs, except those of printing and those that single mutations cannot cause (too long,
      // two dialects).
      expect([...notes].sort()).toEqual(without(symbolNoteCodes, ["EXPIRY_UNCONFIRMED", "SEVERAL_DIALECTS"]));
      expect([...codes].sort()).toEqual(
        without(symbolRefusalCodes, ["CANNOT_CARRY", "NO_KNOWN_CODE", "TOO_LONG"]),
      );
    });
  });
});

const megabyte = 1_000_000;

/** Texts that are not symbols, or symbols that contain something hidden. */
const hostile: Readonly<Record<string, readonly string[]>> = {
  "megabytes of text": [
    ...[
      "A",
      "9",
      " ",
      "\t",
      ".",
      ":",
      "/",
      "-",
      "\0",
      "\n",
      "é",
      "\u0301",
      "\u202e",
      "\ud83d\ude00",
      "\ud800",
      "\udfff",
      "\uffff",
    ].map((one) => one.repeat(megabyte / one.length)),
    ...[
      "TYU5 Comdty ",
      "XCME.",
      "XCME.VY3.",
      "1M",
      "CALL ",
      "ZN-",
      "110.",
      "((((",
      '{"a":',
      "\r\n",
      "<script>",
      "%00",
      "../",
    ].map((one) => one.repeat(megabyte / one.length)),
    `TYU5 Comdty${" ".repeat(megabyte)}`,
    `${" ".repeat(megabyte)}TYU5 Comdty`,
    `VBYN25C3 111.${"0".repeat(megabyte)} Comdty`,
    `VBYN25C3 ${"0".repeat(megabyte)}111 Comdty`,
    `XCMEOCADPS20250714N0VY2/${"1".repeat(megabyte)}`,
    `XCME.VY3.21JUL25.111${":".repeat(megabyte)}.C`,
    `CALL AUG 25 CBT 10YR${" ".repeat(megabyte)}TNOTE WED WK1 112.50`,
  ],
  "texts of about the maximum length": [
    ...["A", "9", ".", ":", "XCME.", "1M", "ZN-", "((("].flatMap((one) => [
      one.repeat(96).slice(0, 95),
      one.repeat(96).slice(0, 96),
    ]),
    `VBYN25C3 111.${"0".repeat(75)}1 Comdty`,
    `XCMEOCADPS20250714N0VY2/${"1".repeat(70)}`,
    `XCME.VY3.21JUL25.111${":".repeat(70)}.C`,
    `VBYN25C3 ${"9.".repeat(35)}9 Comdty`,
  ],
  "characters that no symbol contains": [
    ...[
      "\0",
      "\u0001",
      "\u000b",
      "\u000c",
      "\u001b[31m",
      "\u007f",
      "\u0080",
      "\u0085",
      "\u00a0",
      "\u00ad",
      "\u0301",
      "\u034f",
      "\u1680",
    ],
    ...[
      "\u2003",
      "\u2028",
      "\u2029",
      "\u200b",
      "\u200e",
      "\u202e",
      "\u2066",
      "\u3000",
      "\ufe0f",
      "\ufeff",
      "\ufffd",
      "\uffff",
      "\ud800",
    ],
    ...["\udc00", "\udc00\ud800", "\u{1f4b5}", "\u{e0041}", "\u{10ffff}"],
  ].flatMap((one) => [`TYU5${one} Comdty`, `${one}TYU5 Comdty`, `TYU5 Comdty${one}`, one]),
  "letters and digits that look like others": [
    ...[
      "ＴＹＵ５ Comdty",
      "\u0422\u0423U5 Comdty",
      "TYU\u0665 Comdty",
      "TYU\u06f5 Comdty",
      "TYU\u096b Comdty",
      "TYU\u{1d7d3} Comdty",
    ],
    ...[
      "ZNU５",
      "\u2160ZNU5",
      "TYU⁵ Comdty",
      "VBYN25C3 111٫750 Comdty",
      "VBYN25C3 111。750 Comdty",
      "XCME․ZN․SEP25",
      "ZN‐2025‐07‐VY3‐P111.250",
    ],
    ...["tyu5 comdtY\u0307", "ſEP 25 CBT 10YR TNOTE", "SEP 25 CBT 10YR TNOTE\u0131", "XCME.Z\u212a.SEP25"],
  ],
  "names of object members": [
    ...[
      "__proto__",
      "constructor",
      "prototype",
      "toString",
      "valueOf",
      "hasOwnProperty",
      "__defineGetter__",
      "length",
      "undefined",
      "null",
    ],
    ...[
      "NaN",
      "Infinity",
      "-0",
      "[object Object]",
      "XCME.__proto__",
      "XCME.__proto__.SEP25",
      "__proto__U5 Comdty",
      "__PROTO__U5",
    ],
    ...[
      "__proto__-2025-07-VY3-P111.250",
      "SEP 25 CBT __proto__ TNOTE",
      "CALL AUG 25 CBT 10YR TNOTE constructor 112.50",
    ],
  ],
  "texts that look like numbers": [
    ...[
      "1e2",
      "+111",
      "-111",
      "0x6f",
      "1_000",
      "1,000",
      "111.",
      ".5",
      "111..5",
      "1.1.1",
      "Infinity",
      "NaN",
      "00111",
      "0111",
      "99999",
      "1e309",
    ].flatMap((strike) => [
      `VBYN25C3 ${strike} Comdty`,
      `XCMEOCADPS20250714N0VY2/${strike}`,
      `XCME.VY3.21JUL25.${strike.replaceAll(".", ":")}.C`,
      `CALL AUG 25 CBT 10YR TNOTE WED WK1 ${strike}`,
    ]),
  ],
  "days, months, years and weeks that do not exist": [
    ...[
      "XCMEFFDPSX00000000U0ZN",
      "XCMEFFDPSX99999999U0ZN",
      "XCMEFFDPSX20250229H0ZN",
      "XCMEFFDPSX20251301Z0ZN",
      "XCMEFFDPSX20250900U0ZN",
    ],
    ...[
      "XCME.ZN.SEP00A",
      "XCME.VY3.00JUL25.111.C",
      "XCME.VY3.99JUL25.111.C",
      "XCME.VY0.21JUL25.111.C",
      "XCME.VY3.29FEB25.111.C",
    ],
    ...[
      "ZN-0000-00-OZN-P110.000",
      "ZN-9999-12-OZN-P110.000",
      "ZN-2025-00-OZN-P110.000",
      "ZN-2025-13-OZN-P110.000",
      "ZN-2025-99-VY1-P110.000",
    ],
    ...[
      "ZNU0000",
      "ZNU9999",
      "0MN5P 110.000 Comdty",
      "6MN5P 110.000 Comdty",
      "VBYN25C0 110.000 Comdty",
      "VBYN25C6 110.000 Comdty",
      "VY0N5 C11000",
    ],
  ],
};

describe("hostile texts", () => {
  const context = asOf(dayNumber(2025, 7, 24));

  it.each(Object.keys(hostile))(
    "%s are refused by every dialect and by auto, with a short reason",
    (kind) => {
      for (const text of hostile[kind] as readonly string[])
        for (const source of [...dialectNames, "auto"] as const) {
          const reading: Reading = readSymbol(text, source, context);
          const told = `${JSON.stringify(text.slice(0, 60))} of ${text.length} by ${source}`;
          expect([told, reading.ok ? reading.instrument.name : ""]).toEqual([told, ""]);
          if (reading.ok) continue;
          expect(Object.hasOwn(symbolRefusalCodes, reading.code), told).toBe(true);
          expect(
            reading.why.length > 15 && reading.why.length < 300,
            `${told}: ${reading.why.slice(0, 400)}`,
          ).toBe(true);
        }
    },
  );

  it("have nearest symbols that never throw and are read without a note", () => {
    for (const text of Object.values(hostile).flat())
      for (const near of nearestSymbols(text, "auto", context)) {
        const reading = readSymbol(near, "auto", context);
        expect([near, reading.ok && reading.notes.length]).toEqual([near, 0]);
      }
  });

  it("do not affect later readings", () => {
    const fresh = new ExpiryCalendar();
    for (const text of Object.values(hostile).flat())
      for (const source of dialectNames) readSymbol(text, source, { asOf: context.asOf, calendar: fresh });
    for (const name of [
      "ZN-2026-01-OZN-P110.000",
      "ZN-2025-12-OZN-P110.000",
      "ZN-2025-07-VY3-P111.250",
      "ZNU2025",
    ])
      for (const { text } of dialectNames
        .map((target) => printSymbol(instrumentNamed(name), target, context))
        .filter((one) => one.ok)) {
        const reading = readSymbol(text, "auto", { asOf: context.asOf, calendar: fresh });
        expect([text, reading.ok && reading.instrument.name]).toEqual([text, name]);
      }
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(Object.keys(dialects)).toEqual(dialectNames);
  });
});
