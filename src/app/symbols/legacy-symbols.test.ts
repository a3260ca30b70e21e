import { describe, expect, it } from "vitest";
import { SymbolTranslationBridge } from "../../bridges/symbols/index.ts";
import { type DialectName, legacyViews } from "../../symbols/index.ts";
import { legacyOpinions, legacySymbolsOf } from "./legacy-symbols.ts";

const bridge = (): SymbolTranslationBridge => new SymbolTranslationBridge({ asOf: "2025-07-24" });

describe("legacyOpinions", () => {
  const opinion = (symbol: string, dialect: DialectName, view: string) =>
    legacyOpinions(bridge(), symbol, dialect).find((one) => one.view === view);

  it("gives every translator one text in its own dialect", () => {
    const opinions = legacyOpinions(bridge(), "XCMEOPADPS20250721N0VY3/110.25", "actant-trades");
    expect(opinions.map(({ view }) => view)).toEqual(legacyViews.map(({ name }) => name));
    const asked = {
      "actant-trades": "XCMEOPADPS20250721N0VY3/110.25",
      "actant-risk": "XCME.VY3.21JUL25.110:25.P",
    };
    for (const { view, asked: text } of opinions) {
      const reads = legacyViews.find(({ name }) => name === view)?.reads as DialectName;
      expect(text).toBe({ ...asked, bloomberg: "VBYN25P3 110.250 Comdty" }[reads as keyof typeof asked]);
    }
  });

  it.each<[string, DialectName, string, string | null, string | null, boolean]>([
    // A translator that reads the dialect gets the symbol unchanged, even in an unusual spelling.
    [
      "XCMEOPADPS20250721N0VY2/112.00",
      "actant-trades",
      "raw-name",
      "XCMEOPADPS20250721N0VY2/112.00",
      "itself",
      true,
    ],
    [
      "XCMEOPADPS20250721N0VY2/112.00",
      "actant-trades",
      "symbol-translator",
      "XCMEOPADPS20250721N0VY2/112.00",
      "VBYN25P3 112.000 Comdty",
      true,
    ],
    ["vbyn25p3 112", "bloomberg", "treasury-notation-mapper", "vbyn25p3 112", null, false],
    // A translator of another dialect gets the instrument's name in its own dialect.
    ["vbyn25p3 112", "bloomberg", "raw-name", "XCMEOPADPS20250721N0VY3/112", "itself", true],
    ["TYU5 Comdty", "bloomberg", "symbol-translator", "XCMEFFDPSX20250919U0ZN", "TYU5 Comdty", true],
    ["ZBU2025", "canonical", "trade-ledger-watcher", "XCMEFFDPSX20250919U0ZB", "TYU5 Comdty", true],
    [
      "XCME.OZN.AUG25.110:5.P",
      "actant-risk",
      "spot-risk-translator",
      "XCME.OZN.AUG25.110:5.P",
      "OZNQ5 Comdty",
      true,
    ],
    // This translator is known to have no answer for the symbol.
    [
      "XCMEOPADPS20250805Q0GY1/110.5",
      "actant-trades",
      "symbol-translator",
      "XCMEOPADPS20250805Q0GY1/110.5",
      null,
      true,
    ],
    // This translator's answer is unknown.
    [
      "XCMEOPADPS20250721N0VY3/110",
      "actant-trades",
      "trade-ledger-watcher",
      "XCMEOPADPS20250721N0VY3/110",
      null,
      false,
    ],
    // This translator could not have been asked: its dialect has no name for the instrument.
    ["RXU5 Comdty", "bloomberg", "raw-name", null, null, false],
  ])("%s (%s): %s gets %s and answers %s (known: %s)", (symbol, dialect, view, asked, said, known) => {
    expect(opinion(symbol, dialect, view)).toEqual({
      view,
      asked,
      said: said === "itself" ? asked : said,
      known,
    });
  });
});

describe("legacySymbolsOf", () => {
  const ZN3 = "XCMEOPADPS20250718N0ZN3/110.75";
  const ZN4 = "XCMEOPADPS20250725N0ZN4/110.75";
  const ofView = <Row extends { readonly view: string }>(
    rows: readonly Row[],
    view: string,
  ): readonly Omit<Row, "view">[] =>
    rows.filter((row) => row.view === view).map(({ view: _, ...row }) => row);

  it("is empty for no symbols, for a symbol that all translators knew, and for unknown instruments", () => {
    const nothing = { merges: [], splits: [], lost: [] };
    expect(legacySymbolsOf(bridge(), [])).toEqual(nothing);
    expect(legacySymbolsOf(bridge(), ["XCMEFFDPSX20250919U0ZN", "XCMEFFDPSX20250919U0ZN"])).toEqual(nothing);
    expect(legacySymbolsOf(bridge(), ["XCME.RX.H5", "XCME.TU.H5", "nonsense", ""])).toEqual(nothing);
  });

  it("lists merges, two instruments under one text, by view", () => {
    const { merges, splits } = legacySymbolsOf(bridge(), [
      ZN3,
      "XCMEFFDPSX20250919U0ZN",
      ZN4,
      "XCMEFFDPSX20250919U0ZB",
    ]);
    expect(ofView(merges, "symbol-translator")).toEqual([
      {
        text: "3MN5P 110.750 Comdty",
        instruments: ["ZN-2025-07-ZN3-P110.750", "ZN-2025-08-OZN-P110.750"],
        symbols: [ZN3, ZN4],
      },
    ]);
    expect(ofView(merges, "trade-ledger-watcher")).toEqual([
      {
        text: "TYU5 Comdty",
        instruments: ["ZNU2025", "ZBU2025"],
        symbols: ["XCMEFFDPSX20250919U0ZN", "XCMEFFDPSX20250919U0ZB"],
      },
    ]);
    expect(ofView(merges, "raw-name")).toEqual([]);
    expect(splits).toEqual([]);
  });

  it("lists splits, one instrument under several texts, and never as merges", () => {
    const [short, long] = ["XCMEOPADPS20250721N0VY3/110.5", "XCMEOPADPS20250721N0VY3/110.50"];
    const { merges, splits } = legacySymbolsOf(bridge(), [short, long]);
    expect(splits).toContainEqual({
      view: "raw-name",
      instrument: "ZN-2025-07-VY3-P110.500",
      texts: [short, long],
      symbols: [short, long],
    });
    expect(ofView(splits, "symbol-translator")).toEqual([]);
    expect(merges).toEqual([]);
  });

  it("lists lost symbols, but not those whose answer is unknown", () => {
    const august = ["XCMEOPADPS20250805Q0GY1/110.5", "XCMEOCADPS20250807Q0HY1/113.25"];
    const { lost } = legacySymbolsOf(bridge(), [
      ...august,
      "XCMEFFDPSX20250919U0ZN",
      "XCMEFFDPSX20250930U0ZF",
    ]);
    expect(ofView(lost, "symbol-translator")).toEqual([{ symbols: [...august, "XCMEFFDPSX20250930U0ZF"] }]);
    expect(ofView(lost, "ledger-adapter")).toEqual([{ symbols: ["XCMEOCADPS20250807Q0HY1/113.25"] }]);
    expect(ofView(lost, "raw-name")).toEqual([]);
    expect(ofView(lost, "trade-ledger-watcher")).toEqual([]);
  });
});
