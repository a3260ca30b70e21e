import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Decimal, formatDecimal, lowest, parseDecimal } from "../../base/decimal.ts";
import {
  formatPrice,
  isPriceNotation,
  type PriceNotation,
  parsePrice,
  priceNotations,
} from "./price-notation.ts";

const notations = Object.keys(priceNotations) as PriceNotation[];
const fractionalNotations = notations.filter((notation) => notation !== "decimal");

function read(text: string, notation: PriceNotation): string | undefined {
  const value = parsePrice(text, notation);
  return value && formatDecimal(value);
}
const write = (decimal: string, notation: PriceNotation) =>
  formatPrice(parseDecimal(decimal) as Decimal, notation);

/** Text, value, and the text that the notation writes if it differs. */
type Row = readonly [text: string, decimal: string, canonical?: string];
const examples: Readonly<Record<PriceNotation, readonly Row[]>> = {
  decimal: [
    ["110.515625", "110.515625"],
    [".0156250", "0.015625", "0.015625"],
    ["116", "116"],
    ["-0.5", "-0.5"],
    ["1.5e-7", "0.00000015", "0.00000015"],
  ],
  "futures-32nds": [
    ["115'09", "115.28125", "115'090"],
    ["115'090", "115.28125"],
    ["112'200", "112.625"],
    ["108'035", "108.109375"],
    ["104'282", "104.8828125"],
    ["134-012", "134.0390625", "134'012"],
    ["134-017", "134.0546875", "134'017"],
    ["126-165", "126.515625", "126'165"],
    ["109-167", "109.5234375", "109'167"],
    ["117'317", "117.9921875"],
    ["110'001", "110.00390625"],
    ["110'003", "110.01171875"],
    ["110'006", "110.01953125"],
    ["110'008", "110.02734375"],
    ["110-16.5", "110.515625", "110'165"],
    ["109-07.25", "109.2265625", "109'072"],
    ["0'00", "0", "0'000"],
  ],
  "futures-32nds-whole": [
    ["115'09", "115.28125"],
    ["115-09", "115.28125", "115'09"],
  ],
  "futures-32nds-decimal": [
    ["110-16.5", "110.515625"],
    ["109-07.25", "109.2265625"],
    ["110-16", "110.5"],
    ["110-16.50", "110.515625", "110-16.5"],
    ["110'16.3", "110.509375", "110-16.3"],
  ],
  "cash-32nds": [
    ["99-03", "99.09375"],
    ["99-030", "99.09375", "99-03"],
    ["99-03+", "99.109375"],
    ["99-032", "99.1015625"],
    ["99-035", "99.11328125"],
    ["99-036", "99.1171875"],
    ["99-037", "99.12109375"],
  ],
  "tt-32nds": [
    ["110'165", "110.515625"],
    ["110'160", "110.5"],
    ["110'16", "110.5", "110'160"],
    ["110'0875", "110.2734375"],
    ["112'1025", "112.3203125"],
    ["111'0762", "111.23828125"],
    ["110'1650", "110.515625", "110'165"],
  ],
  "options-64ths": [
    ["0'10.5", "0.1640625"],
    ["1'05", "1.078125"],
    ["0-63", "0.984375", "0'63"],
  ],
  "point-32nds": [
    ["110.2", "110.625"],
    ["110.165", "110.515625"],
    ["110.09", "110.28125"],
    ["103.21125", "103.66015625"],
    ["103.2125", "103.6640625"],
    ["103.1675", "103.5234375"],
    ["108.0425", "108.1328125"],
    ["107.2675", "107.8359375"],
    ["112.05", "112.15625"],
    ["111.31", "111.96875"],
    ["110.200", "110.625", "110.2"],
    ["110", "110"],
    ["110.0", "110", "110"],
    ["110.3", "110.9375"],
  ],
  "broker-32nds": [
    ["111.005", "111.015625"],
    ["110.280", "110.875"],
    ["110.215", "110.671875"],
  ],
};

describe("every notation", () => {
  for (const notation of notations) {
    it.each(
      examples[notation].map(([text, decimal, canonical]) => ({
        text,
        decimal,
        canonical: canonical ?? text,
      })),
    )(`${notation}: $text is $decimal`, ({ text, decimal, canonical }) => {
      expect(read(text, notation)).toBe(decimal);
      expect(write(decimal, notation)).toBe(canonical);
    });
  }

  it("is known by its name", () => {
    expect(notations.every(isPriceNotation)).toBe(true);
    expect(["32nds", "toString", ""].some(isPriceNotation)).toBe(false);
  });
});

describe("refusals", () => {
  it.each<[PriceNotation, readonly string[]]>([
    ["decimal", ["110'16", "110-16", "1,000.5", "#N/A", "0x1f", "1e99999"]],
    [
      "futures-32nds",
      [
        "110'32",
        "110'320",
        "110'164",
        "110'169",
        "110'1",
        "110'1625",
        "110",
        "110.5",
        "110:16",
        "110'16+",
        "110'16.",
        "'16",
      ],
    ],
    ["futures-32nds-whole", ["110'160", "110'32", "110'16.0"]],
    ["futures-32nds-decimal", ["110-160", "110-32.5", "110-1.5", "110-16."]],
    ["cash-32nds", ["99-034", "99-038", "99-039", "99-32+", "99'03+", "99-03++", "99-0375", "99-3+"]],
    ["tt-32nds", ["110'162", "110'167", "110'0860", "110'0876", "110'3200", "110-165", "110'16.5"]],
    ["options-64ths", ["0'64", "0'105", "0'5", "0.5"]],
    ["point-32nds", ["110.32", "110.4", "110.999", "110.", ".16", "110'16", "1e2"]],
    ["broker-32nds", ["111.00", "111.05", "111.0050", "111.002", "111.320", "111"]],
  ])("%s refuses texts of other notations", (notation, texts) => {
    for (const text of texts) expect([text, read(text, notation)]).toEqual([text, undefined]);
  });

  it("every notation refuses spaces, signs and junk, but a negative decimal is exact", () => {
    for (const [notation, rows] of Object.entries(examples) as [PriceNotation, readonly Row[]][]) {
      const [text] = rows[0] as Row;
      for (const bad of [
        ` ${text}`,
        `${text} `,
        `${text}\n`,
        `${text}x`,
        "",
        "abc",
        "٣'٠٩",
        `${"1".repeat(500)}'09`,
        "007'09",
      ])
        expect([notation, bad, read(bad, notation)]).toEqual([notation, bad, undefined]);
      if (notation !== "decimal")
        expect([notation, read(`-${text}`, notation)]).toEqual([notation, undefined]);
      expect(write("-110.5", notation)).toBe(notation === "decimal" ? "-110.5" : undefined);
    }
  });

  it.each<[string, PriceNotation]>([
    ["115.296875", "futures-32nds-whole"], // Half a 32nd.
    ["110.509375", "futures-32nds"], // 16.3 of 32.
    ["110.509375", "cash-32nds"],
    ["110.509375", "tt-32nds"],
    ["110.5234375", "broker-32nds"], // 16.75 of 32: no source shows which third digit a broker writes.
    ["104.88282", "futures-32nds"], // Truncated digits would read back as another price.
  ])("a price between two steps cannot be written: %s as %s", (decimal, notation) => {
    expect(write(decimal, notation)).toBeUndefined();
  });
});

describe("properties", () => {
  /** Prices that are multiples of 1/2^k, multiples of a tenth of a 32nd, or arbitrary. */
  const prices = fc
    .tuple(fc.bigInt({ min: 0n, max: 1_000_000_000_000n }), fc.integer({ min: 0, max: 12 }))
    .map(([count, halvings]) => lowest(count * 5n ** BigInt(halvings), halvings));
  const offGrid = fc
    .tuple(fc.bigInt({ min: 0n, max: 10n ** 15n }), fc.integer({ min: 0, max: 14 }))
    .map(([coefficient, scale]) => lowest(coefficient, scale));
  const anyNotation = fc.constantFrom(...notations);

  it("every notation reads its own texts as the same price", () => {
    const written = new Map<PriceNotation, number>();
    fc.assert(
      fc.property(fc.oneof(prices, offGrid), anyNotation, (price, notation) => {
        const text = formatPrice(price, notation);
        if (text === undefined) return;
        written.set(notation, (written.get(notation) ?? 0) + 1);
        expect(parsePrice(text, notation)).toEqual(price);
      }),
      { numRuns: 5000 },
    );
    // Proves that the test has tried each notation.
    for (const notation of notations) expect(written.get(notation) ?? 0).toBeGreaterThan(50);
  });

  it("every notation writes each price that it reads as the same price, except decimals finer than it shows", () => {
    const text = fc
      .tuple(
        fc.integer({ min: 0, max: 200 }),
        fc.constantFrom("'", "-", "."),
        fc.stringMatching(/^[0-9]{1,6}$/),
        fc.constantFrom("", "+", ".5", ".25"),
      )
      .map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, fc.constantFrom(...fractionalNotations), (given, notation) => {
        const price = parsePrice(given, notation);
        if (price === undefined) return;
        const canonical = formatPrice(price, notation);
        // Decimals of a 32nd may be finer than the three-digit display.
        if (canonical === undefined) expect([notation, given.includes(".")]).toEqual(["futures-32nds", true]);
        else expect(parsePrice(canonical, notation)).toEqual(price);
      }),
      { numRuns: 5000 },
    );
  });

  it("cash and futures read the same text as different numbers", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 200 }),
        fc.integer({ min: 0, max: 31 }),
        fc.constantFrom(5, 6, 7),
        (handle, ticks, digit) => {
          const text = `${handle}-${String(ticks).padStart(2, "0")}${digit}`;
          const [cash, futures] = [read(text, "cash-32nds"), read(text, "futures-32nds")];
          expect(cash).toBeDefined();
          expect(futures).toBeDefined();
          expect(cash).not.toBe(futures);
        },
      ),
    );
    expect(read("99-036", "cash-32nds")).toBe("99.1171875");
    expect(read("99-036", "futures-32nds")).toBe("99.11328125");
  });
});

interface PublishedCase {
  readonly src: string;
  readonly decimal: string;
  readonly fmt?: string;
  readonly nddp?: 2 | 3;
  readonly quote?: string;
  readonly unit?: string;
}

const published = "../shared/data/expected/pnl-cases.json";
describe.skipIf(!existsSync(published))("published examples", () => {
  it("are read and written as published", () => {
    const cases = (JSON.parse(readFileSync(published, "utf8")) as { priceNotationCases: PublishedCase[] })
      .priceNotationCases;
    expect(cases.length).toBeGreaterThan(0);
    for (const { src, decimal, fmt, nddp, quote, unit } of cases) {
      if (fmt !== undefined) {
        const notation = nddp === 2 ? "futures-32nds-whole" : "futures-32nds";
        expect([fmt, write(decimal, notation)]).toEqual([fmt, fmt]);
        expect([fmt, read(fmt, notation), read(fmt, "futures-32nds")]).toEqual([fmt, decimal, decimal]);
      } else {
        const notation =
          unit === "64" ? "options-64ths" : src.includes("cash") ? "cash-32nds" : "futures-32nds";
        expect([quote, read(quote as string, notation)]).toEqual([quote, decimal]);
      }
    }
  });
});
