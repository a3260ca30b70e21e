import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs } from "../../../test/campaigns.ts";
import { dayNumber, parseDay } from "../../domain/market/trading-day.ts";
import type { NotedTranslation } from "../../ports/translation-log.ts";
import {
  type DialectName,
  dialectNames,
  type ExpiryOverrides,
  readSymbol,
  type Source,
} from "../../symbols/index.ts";
import { type SymbolBridgeOptions, SymbolTranslationBridge } from "./index.ts";

const VY3 = "XCMEOPADPS20250721N0VY3/110.25";
const VY3Name = "ZN-2025-07-VY3-P110.250";

const bridge = (options: Partial<SymbolBridgeOptions> = {}): SymbolTranslationBridge =>
  new SymbolTranslationBridge({ asOf: "2025-07-24", ...options });

const nameOf = (reading: ReturnType<SymbolTranslationBridge["canonical"]>): string =>
  reading.ok ? reading.instrument.name : reading.code;

describe("translations", () => {
  it.each<[string, Source, DialectName, string]>([
    [VY3, "actant-trades", "bloomberg", "VBYN25P3 110.250 Comdty"],
    [VY3, "auto", "canonical", VY3Name],
    ["VBYN25P3 110.250 Comdty", "bloomberg", "actant-trades", VY3],
    ["XCME.VY3.21JUL25.110:25.P", "actant-risk", "cme", "VY3N5 P11025"],
    ["VY3N5 P11025", "auto", "actant-risk", "XCME.VY3.21JUL25.110:25.P"],
    ["XCMEOPADPS20250725N0ZN4/110.75", "actant-trades", "bloomberg", "TYQ5P 110.750 Comdty"],
    ["CALL AUG 25 CBT 10YR TNOTE WED WK1 112.75", "broker", "bloomberg", "TYWQ25C1 112.750 Comdty"],
    [VY3Name, "canonical", "canonical", VY3Name],
    ["XCMEFFDPSX20251231Z0ZF", "auto", "broker", "DEC 25 CBT 5YR TNOTE"],
  ])("%s (%s) becomes, in %s, %s", (symbol, source, target, output) => {
    const translation = bridge().translate(symbol, source, target);
    expect(translation).toMatchObject({ input: symbol, ok: true, output });
    expect(dialectNames).toContain(translation.ok ? translation.detected : undefined);
  });

  it("contain the dialect, the canonical name, the output, and the notes of reading and printing", () => {
    expect(bridge().translate("xcme.hy4.27nov25.110.p", "auto", "actant-trades")).toEqual({
      input: "xcme.hy4.27nov25.110.p",
      detected: "actant-risk",
      canonical: "ZN-2025-11-HY4-P110.000",
      output: "XCMEOPADPS20251126X0HY4/110",
      ok: true,
      notes: [
        { code: "CASE", why: expect.any(String) },
        { code: "EXPIRY_UNCONFIRMED", why: expect.stringContaining("2025-11-26") },
      ],
    });
  });

  it("give the reason of a refusal: unreadable, ambiguous, or impossible in the target dialect", () => {
    const symbols = bridge();
    expect(symbols.translate("TYU55 Comdty", "auto", "cme")).toEqual({
      input: "TYU55 Comdty",
      ok: false,
      error: { code: "UNKNOWN_FORM", why: expect.any(String), nearest: ["TYU5 Comdty"] },
    });
    const ambiguous = symbols.translate("CALL AUG 25 CBT 10YR TNOTE 112.50", "auto", "cme");
    expect(ambiguous).toMatchObject({ ok: false, error: { code: "AMBIGUOUS" } });
    expect(ambiguous.ok ? [] : ambiguous.error.candidates).toContain("ZN-2025-08-VY1-C112.500");
    expect(symbols.translate(VY3, "auto", "broker")).toEqual({
      input: VY3,
      detected: "actant-trades",
      canonical: VY3Name,
      ok: false,
      error: { code: "CANNOT_CARRY", why: expect.any(String), nearest: [], lost: ["series"] },
    });
  });

  it("print an instrument in one dialect, by the as-of day", () => {
    const symbols = bridge();
    const reading = symbols.canonical("ZNU2025");
    if (!reading.ok) throw new Error("the canonical name was refused");
    expect(symbols.print(reading.instrument, "bloomberg")).toMatchObject({ ok: true, text: "TYU5 Comdty" });
    expect(symbols.print(reading.instrument, "bloomberg", "2015-01-05")).toMatchObject({
      ok: false,
      code: "CANNOT_CARRY",
      lost: ["decade"],
    });
  });

  it("list every name of an instrument: for each dialect its text or the reason why it has none", () => {
    const found = bridge().variants("VY3N5 P11025");
    if ("ok" in found) throw new Error(found.error.why);
    expect([found.detected, found.instrument.name, found.notes]).toEqual(["cme", VY3Name, []]);
    expect(Object.keys(found.texts)).toEqual(dialectNames);
    const texts = Object.entries(found.texts).map(([dialect, printing]) => [
      dialect,
      printing.ok ? printing.text : printing.code,
    ]);
    expect(Object.fromEntries(texts)).toEqual({
      "actant-trades": VY3,
      "actant-risk": "XCME.VY3.21JUL25.110:25.P",
      "actant-time": "CANNOT_CARRY",
      bloomberg: "VBYN25P3 110.250 Comdty",
      cme: "VY3N5 P11025",
      broker: "CANNOT_CARRY",
      canonical: VY3Name,
    });
    expect(bridge().variants("TYU55 Comdty")).toMatchObject({
      ok: false,
      error: { nearest: ["TYU5 Comdty"] },
    });
  });
});

describe("the as-of day", () => {
  it.each<[string, string, string]>([
    ["TY", "2025-07-24", "ZNU2025"],
    ["TY", "2025-08-31", "ZNU2025"],
    ["TY", "2025-09-01", "AMBIGUOUS"],
    ["TY", "2025-10-01", "ZNZ2025"],
    ["TYU5", "2015-07-24", "ZNU2015"],
    ["TYU5", "2025-07-24", "ZNU2025"],
    ["TYU5", "2032-12-31", "ZNU2025"],
    ["TYU5", "2033-01-01", "ZNU2035"],
    ["ZNU2025", "2015-07-24", "ZNU2025"],
  ])("decides the meaning: %s on %s is %s, whatever was read before", (symbol, asOf, expected) => {
    const symbols = bridge();
    for (const before of ["2015-07-24", "2025-07-24", "2025-10-01", "2033-01-01"])
      symbols.canonical(symbol, "auto", before);
    expect(nameOf(symbols.canonical(symbol, "auto", asOf))).toBe(expected);
    expect(nameOf(symbols.canonical(symbol, "auto", parseDay(asOf)))).toBe(expected);
    expect(nameOf(bridge({ asOf }).canonical(symbol))).toBe(expected);
  });

  it("that puts the year into another decade causes a note", () => {
    const reading = bridge().canonical("TYU5 Comdty", "bloomberg", "2032-12-31");
    expect(reading).toMatchObject({ ok: true, notes: [{ code: "YEAR_IN_OTHER_DECADE" }] });
  });

  it.each([
    "2025-7-24",
    "2025-02-30",
    "today",
    "",
    "2025-07-24T09:00:00",
    Number.NaN,
    1.5,
    Number.POSITIVE_INFINITY,
    null,
  ])("%j is refused, for a bridge and for a call", (asOf) => {
    const symbols = bridge();
    expect(() => bridge({ asOf: asOf as string })).toThrow(TypeError);
    for (const call of [
      () => symbols.canonical(VY3, "auto", asOf as string),
      () => symbols.translate(VY3, "auto", "cme", asOf as string),
      () => symbols.variants(VY3, "auto", asOf as string),
      () => symbols.forWrite(VY3, "auto", asOf as string),
      () => symbols.forShadow(VY3, "auto", asOf as string),
    ])
      expect(call).toThrow(TypeError);
    expect(symbols.counters).toMatchObject({ translated: 0, refused: {} });
  });
});

describe("a cached reading", () => {
  it("is one object within a dialect and as-of month, and another one in others", () => {
    const symbols = bridge();
    const reading = symbols.canonical(VY3);
    expect(symbols.canonical(VY3)).toBe(reading);
    expect(symbols.canonical(VY3, "auto", "2025-07-01")).toBe(reading);
    expect(symbols.canonical(VY3, "actant-trades")).not.toBe(reading);
    expect(symbols.canonical(VY3, "auto", "2025-08-01")).not.toBe(reading);
    expect(symbols.canonical(VY3, "auto", "2024-07-01")).not.toBe(reading);
    expect(symbols.canonical(VY3)).toBe(reading);
    const refusal = symbols.canonical("TYU55 Comdty");
    expect(symbols.canonical("TYU55 Comdty")).toBe(refusal);
  });

  it("equals a new reading, even in a bridge with a tiny cache", () => {
    const texts = [
      VY3,
      "TY",
      "ZN",
      "tyu5",
      " TYU5 Comdty",
      "XCME.RX.H5",
      "XCME.ZN.N.G.02SEP25",
      "",
      "ZNU2025",
      "VY3N5 P11025",
    ];
    const asOfs = ["2015-07-24", "2025-07-24", "2025-07-25", "2025-09-01", "2032-01-01"];
    const call = fc.record({
      text: fc.constantFrom(...texts),
      source: fc.constantFrom<Source>("auto", ...dialectNames),
      asOf: fc.constantFrom(...asOfs),
    });
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), fc.constantFrom(1, 2, 5, 100), (calls, cacheMax) => {
        const symbols = bridge({ cacheMax });
        for (const { text, source, asOf } of calls) {
          const context = { asOf: parseDay(asOf) as number, calendar: symbols.calendar };
          expect(symbols.canonical(text, source, asOf)).toEqual(readSymbol(text, source, context));
        }
      }),
      { numRuns: runs(30, 100) },
    );
  });

  it("is dropped when newer symbols fill the cache", () => {
    const seen: string[] = [];
    const cacheMax = 100;
    const symbols = bridge({ cacheMax, log: { record: ({ symbol }) => seen.push(symbol) } });
    const texts = strikes.map((strike) => `zn-2025-07-vy3-p${strike}`);
    expect(texts.length).toBeGreaterThan(20 * cacheMax);
    for (const text of texts) symbols.canonical(text);
    expect(seen).toEqual(texts);
    for (const text of texts.toReversed()) symbols.canonical(text);
    const remembered = 2 * texts.length - seen.length;
    expect(remembered).toBeLessThanOrEqual(cacheMax);
    expect(remembered).toBeGreaterThanOrEqual(cacheMax / 2);
  });

  it("is kept while it is used, however many other symbols are read", () => {
    const symbols = bridge({ cacheMax: 8 });
    const reading = symbols.canonical(VY3);
    for (const strike of strikes) {
      symbols.canonical(`ZN-2025-07-VY3-C${strike}`);
      expect(symbols.canonical(VY3)).toBe(reading);
    }
  });

  it("that is dropped frees its memory, as do its text and the file from which the text was cut", async () => {
    const symbols = bridge({ cacheMax: 64, quarantineMax: 100 });
    const rest = "x".repeat(1 << 18);
    const readings: WeakRef<object>[] = [];
    const before = await heapUsed();
    for (const [index, strike] of strikes.slice(0, 150).entries()) {
      // Each text begins with a different number, so that no two share memory.
      readings.push(new WeakRef(symbols.canonical(`zn-2025-07-vy3-p${strike}${rest}`.slice(0, 23))));
      symbols.canonical(`NO SUCH SYMBOL ${index} ${rest}`.slice(0, 20));
      symbols.canonical(`${index}${rest}`);
    }
    expect(symbols.counters).toMatchObject({ noted: 150, refused: { UNKNOWN_FORM: 150, TOO_LONG: 150 } });
    // All texts together have 110 MB; the kept ones have some hundred kilobytes.
    expect((await heapUsed()) - before).toBeLessThan(10e6);
    expect(readings.filter((reading) => reading.deref() !== undefined).length).toBeLessThanOrEqual(64);
    expect(symbols.quarantine.symbols).toHaveLength(100);
  });

  it("is dropped with its month when too many dialects and months are cached", () => {
    const seen: string[] = [];
    const symbols = bridge({ log: { record: ({ asOf }) => seen.push(asOf) } });
    const days = Array.from({ length: 600 }, (_, index) =>
      dayNumber(2000 + Math.floor(index / 12), 1 + (index % 12), 1),
    );
    for (const day of days) symbols.canonical(" ZNU2025", "auto", day);
    expect(seen).toHaveLength(600);
    for (const day of days.toReversed()) symbols.canonical(" ZNU2025", "auto", day);
    const remembered = 1200 - seen.length;
    expect(remembered).toBeGreaterThan(1);
    expect(remembered).toBeLessThan(100);
  });
});

/** All strikes that the name of an option can express. */
const strikes = Array.from({ length: 400 * 8 }, (_, index) => ((index + 1) / 8).toFixed(3).padStart(7, "0"));

/** The heap after garbage collection, in bytes. */
async function heapUsed(): Promise<number> {
  // The target of a new WeakRef stays alive until the end of the current turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve));
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

describe("counters", () => {
  it("count every call, including those answered from the cache", () => {
    const symbols = bridge();
    for (let times = 0; times < 3; times++) {
      symbols.canonical(VY3);
      symbols.translate("tyu5", "bloomberg", "cme");
      symbols.variants("XCME.RX.H5");
      symbols.forWrite("XCMEOPADPS20250721N0VY3/110.2", "actant-trades");
      symbols.forShadow("XCMEOPADPS20250721N0VY3/110.2", "actant-trades");
      symbols.forShadow(VY3, "actant-trades");
      symbols.canonical("x".repeat(97));
    }
    expect(symbols.counters).toEqual({
      translated: 9,
      noted: 3,
      refused: { UNKNOWN_PRODUCT: 3, BAD_STRIKE: 6, TOO_LONG: 3 },
      notComparable: 3,
      unlogged: 0,
    });
  });

  it("begin at zero, and a returned copy does not change", () => {
    const symbols = bridge();
    const before = symbols.counters;
    symbols.canonical("nonsense");
    expect(before).toEqual({ translated: 0, noted: 0, refused: {}, notComparable: 0, unlogged: 0 });
  });
});

describe("the log of translations with a note", () => {
  const recorded = (options: Partial<SymbolBridgeOptions> = {}) => {
    const entries: NotedTranslation[] = [];
    return { entries, symbols: bridge({ log: { record: (entry) => entries.push(entry) }, ...options }) };
  };

  it("contains each once while it is cached, with everything needed to reproduce it", () => {
    const { entries, symbols } = recorded();
    symbols.canonical("TYU5 Comdty");
    symbols.canonical("nonsense");
    expect(entries).toEqual([]);
    for (let times = 0; times < 3; times++)
      symbols.canonical("XCMEOPADPS20250721N0VY2/112.00", "actant-trades", "2025-07-18");
    expect(entries).toEqual([
      {
        symbol: "XCMEOPADPS20250721N0VY2/112.00",
        source: "actant-trades",
        dialect: "actant-trades",
        instrument: "ZN-2025-07-VY3-P112.000",
        notes: [{ code: "WEEK_DIGIT_MISMATCH", why: expect.stringContaining("week 3") }],
        asOf: "2025-07-18",
        tables: symbols.tables,
      },
    ]);
    symbols.canonical("XCMEOPADPS20250721N0VY2/112.00", "auto", "2025-08-18");
    expect(entries.slice(1)).toMatchObject([
      { source: "auto", dialect: "actant-trades", asOf: "2025-08-18" },
    ]);
    expect(symbols.noted).toEqual([]);
  });

  it("contains a translation again if it was dropped from the cache meanwhile", () => {
    const { entries, symbols } = recorded({ cacheMax: 2 });
    for (const symbol of ["tyu5 Comdty", "ZNU2025", "ZNZ2025", "ZNH2026", "tyu5 Comdty"])
      symbols.canonical(symbol);
    expect(entries.map(({ symbol }) => symbol)).toEqual(["tyu5 Comdty", "tyu5 Comdty"]);
  });

  it("loses an entry if it throws, and never fails the translation", () => {
    const full = {
      record: () => {
        throw new Error("the disk is full");
      },
    };
    const symbols = bridge({ log: full });
    const reading = symbols.canonical("tyu5 Comdty");
    expect(nameOf(reading)).toBe("ZNU2025");
    expect(symbols.canonical("tyu5 Comdty")).toBe(reading);
    expect(symbols.translate("tyz5 Comdty", "auto", "cme")).toMatchObject({ ok: true, output: "ZNZ5" });
    expect(symbols.counters).toMatchObject({ translated: 3, noted: 3, unlogged: 2 });
  });

  it("is replaced by the latest translations in memory, at most 1 000, if the options name none", () => {
    const symbols = bridge();
    const texts = strikes.map((strike) => `zn-2025-07-vy3-p${strike}`);
    for (const [index, text] of texts.entries()) {
      symbols.canonical(text);
      expect(symbols.noted.length).toBeLessThanOrEqual(1_000);
      expect(symbols.noted.at(-1)?.symbol).toBe(text);
      expect(symbols.noted.length).toBeGreaterThanOrEqual(Math.min(index + 1, 500));
    }
    expect(symbols.noted.map(({ symbol }) => symbol)).toEqual(texts.slice(-symbols.noted.length));
  });
});

describe("quarantine", () => {
  it("keeps each refused symbol once, in order of arrival, with its count", () => {
    const symbols = bridge();
    expect(symbols.quarantine).toEqual({ symbols: [], more: 0 });
    for (const symbol of ["XCME.RX.H5", "TYU55 Comdty", VY3, "XCME.RX.H5", "XCME.RX.H5"])
      symbols.canonical(symbol);
    symbols.forWrite("XCME.RX.H5", "actant-trades");
    const { symbols: kept, more } = symbols.quarantine;
    expect(kept.map(({ symbol, source, code, count }) => [symbol, source, code, count])).toEqual([
      ["XCME.RX.H5", "auto", "UNKNOWN_PRODUCT", 3],
      ["TYU55 Comdty", "auto", "UNKNOWN_FORM", 1],
      ["XCME.RX.H5", "actant-trades", "UNKNOWN_PRODUCT", 1],
    ]);
    expect(kept[0]?.why).toContain("RX");
    expect(more).toBe(0);
  });

  it("is limited, and counts the symbols beyond the limit", () => {
    const symbols = bridge({ quarantineMax: 3 });
    for (let index = 0; index < 10; index++) symbols.canonical(`NONSENSE ${index}`);
    symbols.canonical("NONSENSE 1");
    const { symbols: kept, more } = symbols.quarantine;
    expect(kept.map(({ symbol, count }) => [symbol, count])).toEqual([
      ["NONSENSE 0", 1],
      ["NONSENSE 1", 2],
      ["NONSENSE 2", 1],
    ]);
    expect(more).toBe(7);
  });

  it("keeps a thousand symbols by default", () => {
    const symbols = bridge();
    for (let index = 0; index < 1_500; index++) symbols.canonical(`NONSENSE ${index}`);
    expect([symbols.quarantine.symbols.length, symbols.quarantine.more]).toEqual([1_000, 500]);
  });

  it("names the symbols that may have been meant, by the as-of day of the refusal", () => {
    const symbols = bridge();
    symbols.canonical("XCME.ZN.U5");
    symbols.canonical("TYU55 Comdty");
    symbols.canonical("XCMEOPADPS20250722N0VY3/110", "actant-trades");
    symbols.canonical("TYV5 Comdty", "auto");
    // In 2032 the digit 5 is a year of another decade, so it cannot mean one of those symbols without a note.
    symbols.canonical("TYV5 Comdty", "bloomberg", "2032-06-01");
    symbols.canonical("\ud800");
    const { symbols: kept } = symbols.quarantine;
    expect(kept.map(({ nearest }) => nearest)).toEqual([
      ["XCME.ZN.SEP25"],
      ["TYU5 Comdty"],
      ["XCMEOPADPS20250721N0VY3/110"],
      ["TYH5 Comdty", "TYM5 Comdty", "TYU5 Comdty"],
      [],
      [],
    ]);
    expect(kept[1]?.nearest).toBe(kept[1]?.nearest);
    expect(symbols.counters).toMatchObject({ translated: 0 });
  });

  it("cuts texts longer than any symbol, and counts texts with the same beginning as one", () => {
    const symbols = bridge();
    symbols.canonical("y".repeat(96));
    symbols.canonical("y".repeat(97));
    symbols.canonical("y".repeat(1 << 20));
    expect(symbols.quarantine.symbols.map(({ symbol, code, count }) => [symbol, code, count])).toEqual([
      ["y".repeat(96), "UNKNOWN_FORM", 1],
      [`${"y".repeat(96)}…`, "TOO_LONG", 2],
    ]);
  });
});

describe("write and shadow paths", () => {
  it("return the reading; a refused symbol stops a write, or makes a shadow call not comparable", () => {
    const symbols = bridge();
    const reading = symbols.canonical(VY3, "actant-trades");
    expect(symbols.forWrite(VY3, "actant-trades")).toBe(reading);
    expect(symbols.forShadow(VY3, "actant-trades")).toBe(reading);
    const refusal = symbols.canonical("XCME.RX.H5", "actant-trades");
    expect(refusal.ok).toBe(false);
    const stopped = symbols.forWrite("XCME.RX.H5", "actant-trades");
    expect(stopped).toEqual({ ok: false, kind: "stopped", refusal });
    expect(symbols.counters.notComparable).toBe(0);
    expect(symbols.forShadow("XCME.RX.H5", "actant-trades")).toEqual({
      ok: false,
      kind: "not_comparable",
      refusal,
    });
    expect(symbols.counters).toMatchObject({ notComparable: 1, refused: { UNKNOWN_PRODUCT: 3 } });
    expect(symbols.quarantine.symbols).toMatchObject([{ symbol: "XCME.RX.H5", count: 3 }]);
  });
});

describe("tables and overrides", () => {
  const overrides = (...rows: readonly (readonly [string, number])[]): ExpiryOverrides => new Map(rows);
  const moved = ["ZN-2025-07-VY3", dayNumber(2025, 7, 22)] as const;
  const other = ["ZNU2025", dayNumber(2025, 9, 18)] as const;

  it("have a version and a hash that depend on their content only, not on the day or the order", () => {
    const { tables } = bridge();
    expect(tables).toMatch(/^[1-9]\d*-[0-9a-f]{16}$/);
    expect(bridge({ asOf: "2033-01-01", cacheMax: 1 }).tables).toBe(tables);
    expect(bridge({ overrides: overrides() }).tables).toBe(tables);
    const both = bridge({ overrides: overrides(moved, other) }).tables;
    expect(bridge({ overrides: overrides(other, moved) }).tables).toBe(both);
    const later = bridge({ overrides: overrides(["ZN-2025-07-VY3", dayNumber(2025, 7, 23)]) }).tables;
    expect(new Set([tables, both, bridge({ overrides: overrides(moved) }).tables, later]).size).toBe(4);
  });

  it("move an expiry in the names that contain it, and change no other name", () => {
    const symbols = bridge({ overrides: overrides(moved, other) });
    const output = (target: DialectName, symbol = VY3Name) => {
      const translation = symbols.translate(symbol, "canonical", target);
      return translation.ok ? translation.output : translation.error.code;
    };
    expect(output("actant-trades")).toBe("XCMEOPADPS20250722N0VY3/110.25");
    expect(output("bloomberg")).toBe("VBYN25P3 110.250 Comdty");
    expect(output("canonical")).toBe(VY3Name);
    expect(output("actant-trades", "ZN-2025-07-VY2-P110.250")).toBe("XCMEOPADPS20250714N0VY2/110.25");
    expect(output("actant-trades", "ZNU2025")).toBe("XCMEFFDPSX20250918U0ZN");
    expect(symbols.canonical("XCMEOPADPS20250722N0VY3/110.25")).toMatchObject({ ok: true, notes: [] });
    // A name with the day of the general rule still means the series, with a note.
    const nominal = symbols.canonical(VY3);
    expect([nameOf(nominal), nominal.ok ? nominal.notes.map(({ code }) => code) : []]).toEqual([
      VY3Name,
      ["HOLIDAY_DATE"],
    ]);
    expect(nameOf(bridge().canonical("XCMEOPADPS20250722N0VY3/110.25"))).toBe("DATE_NOT_OF_SERIES");
  });
});

describe("hostile texts", () => {
  const long = 1 << 20;
  const texts: readonly (readonly [string, string])[] = [
    ["a megabyte of letters", "Z".repeat(long)],
    ["a megabyte of blanks", " ".repeat(long)],
    ["a symbol behind a megabyte of blanks", `${" ".repeat(long)}TYU5 Comdty`],
    ["a megabyte of digits behind a strike", `${VY3}${"0".repeat(long)}`],
    ["a megabyte of surrogates", "\ud83d".repeat(long)],
    ["a lone surrogate", "\ud800"],
    ["a lone surrogate at the cut", `${"x".repeat(95)}\ud83d\ude00`],
    ["a lone surrogate in a symbol", "TYU5\udc00 Comdty"],
    ["letters that look alike", "ΤYU5 Comdty"],
    ["full-width digits", "TYU５ Comdty"],
    ["letters that become several letters in upper case", "ŉßﬃ TYU5 Comdty"],
    ["a direction override", "\u202eTYU5 Comdty"],
    ["NUL", "TYU5\0 Comdty"],
    ["a name that every object has", "__proto__"],
    ["an empty text", ""],
  ];

  it.each(texts)("%s is refused, counted, and kept short", (_, text) => {
    const symbols = bridge();
    for (const source of ["auto", ...dialectNames] as const) {
      const translation = symbols.translate(text, source, "bloomberg");
      expect(translation.ok).toBe(false);
      expect(JSON.stringify(translation).length).toBeLessThan(2_000);
      const variants = symbols.variants(text, source);
      expect(JSON.stringify(variants).length).toBeLessThan(2_000);
    }
    const sources = 1 + dialectNames.length;
    expect(symbols.quarantine.symbols.map(({ count }) => count)).toEqual(
      Array.from({ length: sources }, () => 2),
    );
    for (const { symbol, nearest } of symbols.quarantine.symbols) {
      expect(symbol.length).toBeLessThanOrEqual(97);
      expect(nearest.length).toBeLessThanOrEqual(3);
    }
    expect(symbols.counters).toMatchObject({ translated: 0 });
  });

  it("any text is read without an exception, and a reading prints as the same instrument", () => {
    const pieces = fc.constantFrom(
      "XCME",
      "O",
      "P",
      "ADPS",
      "20250721",
      "N0",
      "VY3",
      "/",
      "110.25",
      " ",
      ".",
      "TYU5",
      "Comdty",
      "ZN",
    );
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "grapheme", maxLength: 200 }),
      fc.array(pieces, { maxLength: 12 }).map((parts) => parts.join("")),
    );
    const symbols = bridge();
    fc.assert(
      fc.property(text, fc.constantFrom<Source>("auto", ...dialectNames), (symbol, source) => {
        const reading = symbols.canonical(symbol, source);
        if (reading.ok)
          expect(nameOf(symbols.canonical(reading.instrument.name, "canonical"))).toBe(
            reading.instrument.name,
          );
        else expect(reading.why).not.toBe("");
      }),
      { numRuns: runs(80, 2_000) },
    );
  });
});
