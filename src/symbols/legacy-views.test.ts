import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dialectNamed } from "./dialects/index.ts";
import { legacyViews } from "./legacy-views.ts";

const says = (view: string, text: string) => legacyViews.find(({ name }) => name === view)?.says(text);

/** Texts of real ledgers with the answers of SymbolTranslator and RosettaStone. */
const ledgerPairs: readonly (readonly [string, string | null, string | null | undefined])[] = [
  ["XCMEFFDPSX20250919U0ZN", "TYU5 Comdty", "TYU5 Comdty"],
  ["XCMEFFDPSX20251219Z0ZN", "TYZ5 Comdty", undefined],
  ["XCMEFFDPSX20250930U0ZT", null, "TUU5 Comdty"],
  ["XCMEFFDPSX20250930U0ZF", null, "FVU5 Comdty"],
  ["XCMEFFDPSX20250919U0ZB", null, "USU5 Comdty"],
  ["XCME.RX.H5", null, null],
  ["XCME.RX.M5", null, null],
  ["XCME.TU.H5", null, null],
  ["XCMEFFDPSX20251231Z0ZF", null, null],
  ["XCMEOCADPS20250714N0VY2/108.75", "VBYN25C2 108.750 Comdty", null],
  ["XCMEOCADPS20250714N0VY2/109", "VBYN25C2 109.000 Comdty", null],
  ["XCMEOCADPS20250714N0VY2/110.5", "VBYN25C2 110.500 Comdty", null],
  ["XCMEOCADPS20250714N0VY2/111", "VBYN25C2 111.000 Comdty", null],
  ["XCMEOCADPS20250714N0VY2/111.25", "VBYN25C2 111.250 Comdty", null],
  ["XCMEOCADPS20250721N0VY2/109.50", "VBYN25C3 109.500 Comdty", null],
  ["XCMEOCADPS20250721N0VY2/110.75", "VBYN25C3 110.750 Comdty", null],
  ["XCMEOCADPS20250723N0WY2/111.25", "TYWN25C4 111.250 Comdty", null],
  ["XCMEOCADPS20250806Q0WY1/112.25", null, "TYWQ25C1 112.250 Comdty"],
  ["XCMEOCADPS20250806Q0WY1/112.5", null, "TYWQ25C1 112.500 Comdty"],
  ["XCMEOCADPS20250806Q0WY1/112.75", null, "TYWQ25C1 112.750 Comdty"],
  ["XCMEOCADPS20250807Q0HY1/113.25", null, "TJWQ25C1 113.250 Comdty"],
  ["XCMEOCADPS20250808Q0ZN2/112.5", null, "2MQ5C 112.500 Comdty"],
  ["XCMEOCADPS20250808Q0ZN2/112.75", null, "2MQ5C 112.750 Comdty"],
  ["XCMEOPADPS20250714N0VY2/110.75", "VBYN25P2 110.750 Comdty", null],
  ["XCMEOPADPS20250714N0VY2/111", "VBYN25P2 111.000 Comdty", null],
  ["XCMEOPADPS20250714N0VY2/111.25", "VBYN25P2 111.250 Comdty", null],
  ["XCMEOPADPS20250716N0WY3/111", "TYWN25P3 111.000 Comdty", null],
  ["XCMEOPADPS20250716N0WY3/111.5", "TYWN25P3 111.500 Comdty", null],
  ["XCMEOPADPS20250718N0ZN2/111.00", "3MN5P 111.000 Comdty", null],
  ["XCMEOPADPS20250718N0ZN3/110.25", "3MN5P 110.250 Comdty", null],
  ["XCMEOPADPS20250718N0ZN3/110.75", "3MN5P 110.750 Comdty", null],
  ["XCMEOPADPS20250718N0ZN3/111.25", "3MN5P 111.250 Comdty", null],
  ["XCMEOPADPS20250721N0VY2/112.00", "VBYN25P3 112.000 Comdty", null],
  ["XCMEOPADPS20250721N0VY3/109.5", "VBYN25P3 109.500 Comdty", "VBYN25P3 109.500 Comdty"],
  ["XCMEOPADPS20250721N0VY3/110", "VBYN25P3 110.000 Comdty", "VBYN25P3 110.000 Comdty"],
  ["XCMEOPADPS20250721N0VY3/111.25", "VBYN25P3 111.250 Comdty", "VBYN25P3 111.250 Comdty"],
  ["XCMEOPADPS20250723N0WY4/109.75", "TYWN25P4 109.750 Comdty", "TYWN25P4 109.750 Comdty"],
  ["XCMEOPADPS20250723N0WY4/110.5", "TYWN25P4 110.500 Comdty", "TYWN25P4 110.500 Comdty"],
  ["XCMEOPADPS20250723N0WY4/111", "TYWN25P4 111.000 Comdty", "TYWN25P4 111.000 Comdty"],
  ["XCMEOPADPS20250723N0WY4/111.5", "TYWN25P4 111.500 Comdty", "TYWN25P4 111.500 Comdty"],
  ["XCMEOPADPS20250725N0ZN4/110.75", "3MN5P 110.750 Comdty", null],
  ["XCMEOPADPS20250805Q0GY1/110.5", null, "TJPQ25P1 110.500 Comdty"],
];

describe("legacy views", () => {
  it.each(ledgerPairs)(
    "SymbolTranslator and RosettaStone translate %s to %s and %s",
    (text, translated, found) => {
      expect([says("symbol-translator", text), says("rosetta-stone", text)]).toEqual([translated, found]);
    },
  );

  it.each<[string, string, string | null | undefined]>([
    // SymbolTranslator trims nothing and has no keys for GY and HY; its keys TJ and TH for them occur in no
    // ledger.
    ["symbol-translator", "XCMEOCADPS20250714N0VY2/109 ", null],
    ["symbol-translator", "XCMEOPADPS20250722N0GY4/110", null],
    ["symbol-translator", "XCMEOPADPS20250724N0HY4/110", null],
    ["symbol-translator", "XCMEOPADPS20250722N0TJ1/110", "TJPN25P4 110.000 Comdty"],
    ["symbol-translator", "XCMEOPADPS20250724N0TH1/110", "TJWN25P4 110.000 Comdty"],
    ["symbol-translator", "XCMEOPADPS20250725Q0OZN/110", null],
    // SymbolTranslator counts the root's weekday: 1 July 2025 is a Tuesday, before the first Monday.
    ["symbol-translator", "XCMEOPADPS20250701N0VY1/110", "VBYN25P0 110.000 Comdty"],
    ["symbol-translator", "XCMEOPADPS20250701N0TJ1/110", "TJPN25P1 110.000 Comdty"],
    ["symbol-translator", "XCMEOPADPS20250708N0VY1/110", "VBYN25P1 110.000 Comdty"],
    ["symbol-translator", "XCMEOPADPS20250731N0VY1/110", "VBYN25P4 110.000 Comdty"],
    ["symbol-translator", "XCMEOPADPS20250721N0VY3/109.125", "VBYN25P3 109.125 Comdty"],
    ["symbol-translator", "XCMEOPADPS20250721N0VY3/109.0625", undefined],
    ["symbol-translator", "XCMEOPADPS20250732N0VY3/109", undefined],
    ["symbol-translator", "XCMEOPADPS20250804N0VY1/109", undefined],
    ["symbol-translator", "XCMEFFDPSX20251219U0ZN", undefined],

    ["rosetta-stone", "XCMEOPADPS20250725Q0OZN/110.75", "TYQ5P 110.750 Comdty"],
    ["rosetta-stone", "XCMEOCADPS20250829Q0ZN5/111.5", "5MQ5C 111.500 Comdty"],
    ["rosetta-stone", "XCMEOCADPS20250926V0OZN/111.5", "TYV5C 111.500 Comdty"],
    ["rosetta-stone", "XCMEOCADPS20250930U0GY5/111.5", "TJPU25C5 111.500 Comdty"],
    // Labor Day: the row has the actual expiry of the option.
    ["rosetta-stone", "XCMEOCADPS20250902U0VY1/111.5", "VBYU25C1 111.500 Comdty"],
    ["rosetta-stone", "XCMEOCADPS20250901U0VY1/111.5", null],
    ["rosetta-stone", "XCMEOCADPS20250721Q0VY3/110", null],
    ["rosetta-stone", "XCMEOCADPS20250721N0VF3/110", null],
    ["rosetta-stone", "XCMEOCADPS20250904U0HY1/111.5", undefined],
    ["rosetta-stone", "XCMEOCADPS20251001V0WY1/111.5", undefined],
    ["rosetta-stone", "XCMEOCADPS20250721N0VY3/110.125", undefined],
    ["rosetta-stone", "XCMEOCADPS20250721N0VY3/110 ", undefined],

    ["trade-ledger-watcher", "XCMEFFDPSX20251231Z0ZF", "TYZ5 Comdty"],
    ["trade-ledger-watcher", "XCMEFFDPSX20250918U0TY", undefined],
    ["trade-ledger-watcher", "XCMEOPADPS20250721N0VY3/110", undefined],

    ["ledger-adapter", "XCMEOPADPS20250721N0VY3/109.50", "VBYN25P3 109.50"],
    ["ledger-adapter", "XCMEOPADPS20250723N0WY4/110.5", "WBYN25P4 110.5"],
    ["ledger-adapter", "XCMEOPADPS20250718N0ZN3/110.75", "TYN25P3 110.75"],
    ["ledger-adapter", "XCMEOPADPS20250725N0ZN4/110.75", "OZNQ5 110.75"],
    ["ledger-adapter", "XCMEOPADPS20260804Q0VY1/110", "VBYN25P1 110"],
    ["ledger-adapter", "XCMEOCADPS20250714N0VY2/109", null],
    ["ledger-adapter", "XCMEOPADPS20250805Q0GY1/110.5", undefined],
    ["ledger-adapter", "XCMEOPADPS20250725Q0OZN/110.75", undefined],
    ["ledger-adapter", "XCMEFFDPSX20250919U0ZN", undefined],

    ["spot-risk-translator", "XCME.VY3.21JUL25.111:75.C", "TYN25C3 111.750 Comdty"],
    ["spot-risk-translator", "XCME.VY3.21JUL25.111:2.P", "TYN25P3 111.200 Comdty"],
    ["spot-risk-translator", "XCME.ZN3.18JUL25.110:25.P", "TJPN25P3 110.250 Comdty"],
    ["spot-risk-translator", "XCME.OZN.AUG25.111:25.C", "OZNQ5 Comdty"],
    ["spot-risk-translator", "XCME.ZF.SEP25", "ZFU5 Comdty"],
    ["spot-risk-translator", "XCME.ZN.SEP25", undefined],
    ["spot-risk-translator", "XCME.ZF.XXX25", undefined],
    ["spot-risk-translator", "XCME.GY4.22JUL25.111.C", undefined],

    ["treasury-notation-mapper", "VBYN25C3 111.750 Comdty", "ZNN25C3 111.750 Comdty"],
    ["treasury-notation-mapper", "1MQ5P 110.500 Comdty", null],
    ["treasury-notation-mapper", "2MQ5C 112.500 Comdty", null],
    ["treasury-notation-mapper", "TYQ5P 110.500 Comdty", undefined],
    ["treasury-notation-mapper", "TYU5 Comdty", undefined],

    ["fullpnl-symbol-mapper", "VBYN25C3 112.250 Comdty", "21JUL25 C 112.250"],
    ["fullpnl-symbol-mapper", "3MN5P 110.250 Comdty", "18JUL25 P 110.250"],
    ["fullpnl-symbol-mapper", "TYWN25P4 111.000 Comdty", "23JUL25 P 111.000"],
    ["fullpnl-symbol-mapper", "VBYN25C3 109.125 Comdty", undefined],
    ["fullpnl-symbol-mapper", "VBYQ25C1 112.250 Comdty", undefined],
    ["fullpnl-symbol-mapper", "TYU5 Comdty", "SEP25"],
    ["fullpnl-symbol-mapper", "TYZ5 Comdty", null],
    ["fullpnl-symbol-mapper", "USU5 Comdty", null],

    ["fullpnl-canonical", "TYU5 Comdty", "TYU5"],
    ["fullpnl-canonical", " tyu5 COMDTY ", "TYU5"],
    ["fullpnl-canonical", "XCME.ZN.SEP25", "ZN.SEP25"],
  ])("%s translates %s to %s", (view, text, said) => {
    expect(says(view, text)).toBe(said);
  });

  it.each<[string, string, string[]]>([
    [
      "symbol-translator",
      "3MN5P 110.750 Comdty",
      ["XCMEOPADPS20250718N0ZN3/110.75", "XCMEOPADPS20250725N0ZN4/110.75"],
    ],
    [
      "symbol-translator",
      "VBYN25C3 109.500 Comdty",
      ["XCMEOCADPS20250721N0VY2/109.50", "XCMEOCADPS20250721N0VY3/109.5"],
    ],
    [
      "trade-ledger-watcher",
      "TYU5 Comdty",
      [
        "XCMEFFDPSX20250919U0ZN",
        "XCMEFFDPSX20250919U0ZB",
        "XCMEFFDPSX20250930U0ZF",
        "XCMEFFDPSX20250930U0ZT",
      ],
    ],
    ["ledger-adapter", "VBYN25P2 111", ["XCMEOPADPS20250714N0VY2/111", "XCMEOPADPS20250811Q0VY2/111"]],
    [
      "treasury-notation-mapper",
      "ZNN25C4 111.500 Comdty",
      ["VBYN25C4 111.500 Comdty", "TYWN25C4 111.500 Comdty"],
    ],
    ["fullpnl-symbol-mapper", "21JUL25 C 112.250", ["VBYN25C2 112.250 Comdty", "VBYN25C3 112.250 Comdty"]],
    ["fullpnl-canonical", "TYU5", ["TYU5", "TYU5 Comdty", "TYU5 COMDTY", "TYU5 "]],
  ])("%s gives the one answer %j to several symbols", (view, said, texts) => {
    expect(texts.map((text) => says(view, text))).toEqual(texts.map(() => said));
  });

  it("raw-name splits one option in two if its strike is written in two ways", () => {
    const texts = [
      "XCMEOCADPS20250718N0ZN2/110.50",
      "XCMEOCADPS20250718N0ZN2/110.5",
      "XCMEOCADPS20250718N0ZN2/110.5 ",
    ];
    expect(texts.map((text) => says("raw-name", text))).toEqual(texts);
    expect(new Set(texts.slice(0, 2).map((text) => says("symbol-translator", text)))).toEqual(
      new Set(["3MN5C 110.500 Comdty"]),
    );
  });

  it("have distinct names, and read existing dialects", () => {
    expect(new Set(legacyViews.map(({ name }) => name)).size).toBe(legacyViews.length);
    for (const { name, reads } of legacyViews)
      expect([name, dialectNamed(reads)]).toEqual([expect.stringMatching(/^[a-z-]+$/), reads]);
  });

  it("answer any text without throwing", () => {
    const texts = fc.oneof(
      fc.string(),
      fc.stringMatching(/^XCMEO[CP]ADPS\d{8}[FGHJKMNQUVXZ]0(?:VY|GY|WY|HY|ZN|OZN|VF)\d?\/\d+(?:\.\d+)?$/),
    );
    fc.assert(
      fc.property(texts, (text) => {
        for (const { says } of legacyViews)
          expect(["string", "object", "undefined"]).toContain(typeof says(text));
      }),
    );
  });
});
