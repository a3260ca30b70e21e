import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runs } from "../../test/campaigns.ts";
import { jsonPieces } from "./json-pieces.ts";
import { jsonText } from "./plain-text.ts";

const joined = (document: object): string => [...jsonPieces(document)].join("");

describe("jsonPieces", () => {
  it("equals JSON.stringify for any document, with control characters escaped", () => {
    const odd = fc.constantFrom(
      undefined,
      Number.NaN,
      new Date(0),
      new String("boxed"),
      () => 1,
      Symbol("s"),
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ depthSize: "small" }, fc.jsonValue(), odd, tie("list"), tie("record")),
      list: fc.array(tie("value")),
      record: fc.dictionary(fc.string({ unit: "binary" }), tie("value")),
    }));
    fc.assert(
      fc.property(fc.oneof(fc.array(value), fc.dictionary(fc.string(), value)), (document) => {
        expect(joined(document)).toBe(jsonText(document));
      }),
      { numRuns: runs(15, 100) },
    );
  });

  it("prints an iterable as an array while iterating it", () => {
    let made = 0;
    const rows = function* () {
      for (; made < 20_000; made++) yield { made, gone: undefined };
    };
    const pieces = jsonPieces({ before: [1], rows: rows(), none: new Set(), after: "x" });
    const first = pieces.next().value as string;
    expect(first.length).toBeGreaterThanOrEqual(1 << 16);
    expect(made).toBeLessThan(10_000);
    const document = JSON.parse([first, ...pieces].join(""));
    expect(document).toMatchObject({ before: [1], none: [], after: "x" });
    expect(document.rows).toHaveLength(20_000);
    expect(document.rows[19_999]).toEqual({ made: 19_999 });
  });

  it("keeps pieces small for an array of rows and for an array inside a row", () => {
    const lots = Array.from({ length: 40_000 }, (_, id) => ({ id }));
    for (const document of [{ lots }, { positions: [{ symbol: "ZN", lots, of: { lots: [] } }] }, lots]) {
      const pieces = [...jsonPieces(document)];
      expect(pieces.join("")).toBe(JSON.stringify(document));
      expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(70_000);
    }
  });
});
