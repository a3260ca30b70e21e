import { describe, expect, it } from "vitest";
import type { ComparisonReport, SystemAnswer } from "../../comparison/index.ts";
import { flatHasNoAveragePrice, PnLComparisonValidator, pointsToMoney } from "../../comparison/index.ts";
import type { ParityReport } from "../../ports/parity-report.ts";
import { pageRowsMax, renderParityPage, renderParityTable, renderPnlTable, summaryLine } from "./index.ts";

/** The comparison and this folder do not know each other: here the compiler checks that one's report is the other's. */
const asParity = (report: ComparisonReport): ParityReport => report;

type Position = readonly [symbol: string, quantity: string, averagePrice: string | null, realized: string, unrealized: string];
const answer = (system: string, positions: readonly Position[], given: Partial<SystemAnswer> = {}): SystemAnswer => ({
  system,
  dayRule: "calendar",
  positions: positions.map(([symbol, quantity, averagePrice, realized, unrealized]) => ({
    symbol,
    quantity,
    averagePrice,
    realized,
    unrealized,
  })),
  daily: [],
  errors: [],
  ...given,
});
const validator = new PnLComparisonValidator({ conversions: [...pointsToMoney(() => "1000"), flatHasNoAveragePrice] });
const compared = (
  legacy: readonly Position[],
  modern: readonly Position[],
  given: { legacy?: Partial<SystemAnswer>; modern?: Partial<SystemAnswer> } = {},
): ParityReport =>
  asParity(validator.compare(answer("legacy-desk", legacy, given.legacy), answer("modern-engine", modern, given.modern)));
const table = (report: ParityReport, options: { width?: number; rowsMax?: number } = {}): string =>
  renderParityTable(report, { colour: false, ...options });

const day = { symbol: "ZNU2025", tradingDay: "2025-07-24" };
/** One of everything a desk can meet. */
const sample = ((): ParityReport => {
  const report = compared(
    [
      ["ZTU2025", "3", "103", "0.02", "0.000000000000000003"],
      ["ZNU2025", "1", "110.875", "-0.015625", "0"],
      ["VY3/111", "0", "0", "0.5", "0"],
      ["TYQ5C", "1", "1", "0.1", "awaiting data"],
      ["DUP", "1", "1", "0", "0"],
      ["DUP", "1", "1", "0", "0"],
      ["GONE", "5", "99", "-0.05", "0"],
    ],
    [
      ["ZNU2025", "1", "110.75", "-140.625", "125"],
      ["ZTU2025", "3", "103", "20", "0"],
      ["VY3/111", "0", null, "500", "0"],
      ["TYQ5C", "1", "1", "100", "125"],
      ["DUP", "1", "1", "0", "0"],
    ],
    {
      legacy: {
        daily: [{ ...day, realized: "-0.015625", unrealized: "0", total: "-0.015625" }],
        errors: [{ code: "BAD_SIDE", why: "side is BUY", file: "trades_20250801.csv" }],
      },
      modern: { daily: [{ ...day, realized: "-140.625", unrealized: "125", total: "-15.625" }] },
    },
  );
  const trades = [{ file: "trades_20250724.csv", line: 12, id: "46" }];
  return {
    ...report,
    ok: false,
    rows: report.rows.map((row) =>
      row.kind === "position" && row.field === "realized" && row.cause !== null ? { ...row, trades } : row,
    ),
    quarantine: [{ file: "trades_20250725.csv", line: 3, code: "BAD_PRICE", text: "ZN,?", why: "the price is not a number" }],
  };
})();

it("counts every row that was refused or noted, also those beyond the limit of a list", () => {
  const refused = { file: "a.csv", line: 2, code: "BAD_SIDE", text: "x", why: "no side" } as const;
  const noted = { file: "a.csv", line: 2, code: "ZERO_PRICE", why: "a price of zero" } as const;
  const quarantine = [refused, { ...refused, code: "MORE", more: 149_999 }] as const;
  const notes = [noted, { ...noted, more: 2_499 }];
  const report = { ...sample, quarantine, notes };
  expect(summaryLine(report)).toContain("150000 quarantined");
  expect(table(report)).toMatch(/quarantined: 150000\n.*ZERO_PRICE × 2500: a price of zero \(first a\.csv:2\)/s);
  expect(renderParityPage(report)).toContain("Quarantined: 150000 rows");
  const none = { positions: [], totals: { unmarked: [], untranslated: [] }, quarantine, notes };
  const input = { files: 1, rows: 150_000, accepted: 0, duplicates: 0 };
  const text = renderPnlTable({ ...none, method: "fifo", asOf: null, dayRule: "calendar", input }, { colour: false });
  expect(text).toMatch(/150000 rows refused .*… and 149998 more.*ZERO_PRICE × 2500/s);
});

it("prints a table of any number of positions", () => {
  const row = { symbol: "A", instrument: null, quantity: "1", averagePrice: "1", realized: "0", unrealized: "0", fees: "0" };
  const position = { ...row, mark: "1", markKind: "given", multiplier: "1", currency: "USD", lots: [] } as const;
  const positions = Array.from({ length: 200_000 }, () => position);
  const input = { files: 1, rows: 200_000, accepted: 200_000, duplicates: 0 };
  const totals = { unmarked: [], untranslated: [] };
  const pnl = { method: "fifo", asOf: null, dayRule: "calendar", positions, totals, quarantine: [], notes: [], input };
  expect(renderPnlTable(pnl, { colour: false }).split("\n").length).toBeGreaterThan(200_000);
});

describe("the table", () => {
  it("says what differs, where and why, worst first", () => {
    expect(`\n${table(sample)}\n`).toMatchInlineSnapshot(`
      "
      legacy-desk (legacy) and modern-engine (modern) · day rule calendar
      converted: legacy realized, unrealized, total: points × multiplier
      converted: legacy averagePrice: 0 of a flat position is none

      4 POSITIONS DIFFERING
                        quantity           realized             unrealized
         symbol   legacy  modern   legacy    modern         legacy  modern
      ✗  ZNU2025       1       1  -15.625  -140.625              0     125
           realized differs by -125, allowed 0.01 · LOT_ORDER · trade trades_20250724.csv:12 (id 46)
           unrealized differs by 125, allowed 0.01 · LOT_ORDER
           averagePrice 110.875 against 110.75 differs by -0.125, allowed 0.0001 · LOT_ORDER
           realized + unrealized agree: -15.625
      ✗  GONE          5       –      -50         –              0       –
           no such row in modern · MISSING_IN_MODERN
      !  DUP           –       –        –         –              –       –
           2 rows of this key in legacy, 1 in modern · DUPLICATE_KEY
      ?  TYQ5C         1       1      100       100  awaiting data     125
           unrealized: legacy awaiting data, modern 125 · NOT_A_NUMBER

      2 DAILY FIGURES DIFFERING
         day         symbol   field        legacy    modern  difference  cause
      ✗  2025-07-24  ZNU2025  realized    -15.625  -140.625        -125  LOT_ORDER
      ✗  2025-07-24  ZNU2025  unrealized        0       125         125  LOT_ORDER

      2 POSITIONS AGREEING
                        quantity           realized             unrealized
         symbol   legacy  modern   legacy    modern         legacy  modern
      ≈  ZTU2025       3       3       20        20         ≈3e-15       0
      =  VY3/111       0       0      500       500              0       0

      1 daily figure agreeing

      drift within tolerance: unrealized ≈-3e-15
      refused by legacy-desk: 1
           BAD_SIDE trades_20250801.csv: side is BUY
      quarantined: 1
           BAD_PRICE trades_20250725.csv:3: the price is not a number

      parity: 12 of 21 equal, 1 within tolerance, 6 diverged (worst realized ZNU2025 -125), 1 error, 1 not comparable · legacy-desk vs modern-engine · day rule calendar · 1 refused by legacy-desk · 1 quarantined
      "
    `);
  });

  it("of systems that agree is short and ends in the summary", () => {
    const report = compared([["A", "1", "1", "0", "0"]], [["A", "1", "1", "0", "0"]]);
    expect(`\n${table(report)}\n`).toMatchInlineSnapshot(`
      "
      legacy-desk (legacy) and modern-engine (modern) · day rule calendar
      converted: legacy realized, unrealized: points × multiplier

      1 POSITION AGREEING
                       quantity        realized      unrealized
         symbol  legacy  modern  legacy  modern  legacy  modern
      =  A            1       1       0       0       0       0

      parity: 4 of 4 equal, 0 within tolerance, 0 diverged · legacy-desk vs modern-engine · day rule calendar
      "
    `);
  });

  it("has escape codes only when asked for, and none that came from outside", () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape codes are what this looks for
    const control = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/u;
    const hostile: Position = ["\u001b[31mred\u001b[0m\u202e\r\n\u009b1m", "1", "1", "1", "1"];
    const report = compared([hostile], [], { legacy: { errors: [{ code: "X", why: "a\u001b[2Jb\nc" }] } });
    expect(table(report)).not.toMatch(control);
    expect(table(report)).toContain("\\u{1b}[31mred");
    expect(summaryLine(report)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(table(sample)).not.toMatch(control);

    const coloured = renderParityTable(sample, { colour: true });
    expect(coloured).toContain("\u001b[31m✗\u001b[39m");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
    expect(coloured.replaceAll(/\u001b\[\d+m/gu, "")).toBe(table(sample));
  });

  it("keeps its columns under wide, combining and long symbols", () => {
    const symbols = ["ZN", "日本国債先物", "e\u0301tude", "📈", `LONG${"x".repeat(90)}END`];
    const rows = symbols.map((symbol): Position => [symbol, "1", "1", "0", "0"]);
    const lines = table(compared(rows, rows), { width: 90 }).split("\n");
    // Terminal columns of the same figures: a wide character takes two, a combining mark none.
    const columns = (text: string): number =>
      [...text].reduce((sum, c) => sum + (/[\u{1f000}-\u{1ffff}一-龯]/u.test(c) ? 2 : c === "\u0301" ? 0 : 1), 0);
    const widths = lines.filter((line) => line.startsWith("=")).map(columns);
    expect(widths).toHaveLength(symbols.length);
    expect(new Set(widths).size).toBe(1);
    expect(widths[0]).toBeLessThanOrEqual(90);
    expect(lines.some((line) => /LONGx+…x+END/.test(line))).toBe(true);
  });

  it("shows books where rows have them", () => {
    const given = { symbol: "ZN", quantity: "1", averagePrice: "1", realized: "0", unrealized: "0" };
    const positions = [{ ...given, book: "UST" }, given];
    const lines = table(compared([], [], { legacy: { positions }, modern: { positions } })).split("\n");
    expect(lines.filter((line) => line.startsWith("=")).map((line) => line.slice(0, 12))).toEqual([
      "=        ZN ",
      "=  UST   ZN ",
    ]);
    expect(table(sample)).not.toContain("book");
  });

  it("stops at rowsMax and says how much is left", () => {
    const rows = (realized: (index: number) => string) =>
      Array.from({ length: 30 }, (_, index): Position => [`S${index}`, "1", "1", realized(index), "0"]);
    const legacy = rows(() => "1");
    const modern = rows((index) => (index < 20 ? "1000" : "7"));
    const text = table(compared(legacy, modern), { rowsMax: 4 });
    expect(text.split("\n").filter((line) => line.startsWith("✗"))).toHaveLength(4);
    expect(text.split("\n").filter((line) => line.startsWith("="))).toHaveLength(4);
    expect(text).toContain("… and 6 more differing");
    expect(text).toContain("… and 16 more agreeing");
  });

  it("shortens figures that nobody can read, and never a difference to 0", () => {
    const report = compared(
      [["A", "1/3", "1", "0", "0"]],
      [["A", "0.33333333333333333333", "1", "0.0000000000000000000000000004", "12345678901234.5678901"]],
    );
    expect(table(report)).toContain("≈0.333333");
    expect(table(report)).toContain("≈4e-28");
    expect(table(report)).toContain("≈12345678901234.56789");
    expect(table(report)).toContain("quantity ≈-3.3e-21");
  });
});

describe("the summary line", () => {
  it("fits a chat", () => {
    const equal = compared([["A", "1", "1", "0", "0"]], [["A", "1", "1", "0", "0"]]);
    expect(summaryLine(equal)).toBe(
      "parity: 4 of 4 equal, 0 within tolerance, 0 diverged · legacy-desk vs modern-engine · day rule calendar",
    );
    const ahead = compared(
      [
        ["A", "1", "1", "0", "0"],
        ["B", "1", "1", "0", "0"],
      ],
      [
        ["A", "1", "1", "1", "0"],
        ["B", "90", "1", "-93.75", "0"],
      ],
      { modern: { dayRule: "chicago-17" } },
    );
    expect(summaryLine(ahead)).toBe(
      "parity: 5 of 8 equal, 0 within tolerance, 3 diverged (worst realized B -93.75) · legacy-desk vs modern-engine · day rules calendar (legacy), chicago-17 (modern)",
    );
    expect(summaryLine(compared([], []))).toBe("parity: nothing to compare · legacy-desk vs modern-engine · day rule calendar");
  });

  it("names the worst by money, missing rows included, positions before days", () => {
    const small = ["S", "1", "1", "0.001", "0"] as const;
    expect(
      summaryLine(
        compared(
          [small],
          [
            ["S", "1", "1", "2", "0"],
            ["NEW", "9", "1", "500", "0"],
          ],
        ),
      ),
    ).toContain("(worst NEW missing in legacy)");
    expect(
      summaryLine(
        compared(
          [small],
          [
            ["S", "1", "1", "2", "0"],
            ["NEW", "9", "1", "0.5", "0"],
          ],
        ),
      ),
    ).toContain("(worst realized S 1)");
    expect(summaryLine(compared([small], [["S", "900", "1", "2", "0"]]))).toContain("(worst realized S 1)");
    const days = {
      legacy: { daily: [{ ...day, realized: "0", unrealized: "0", total: "0" }] },
      modern: { daily: [{ ...day, realized: "0", unrealized: "0", total: "7" }] },
    };
    expect(summaryLine(compared([small], [["S", "1", "1", "1.5", "0"]], days))).toContain("(worst realized S 0.5)");
    expect(summaryLine(compared([], [], days))).toContain("(worst total ZNU2025 2025-07-24 7)");
  });
});

describe("the page", () => {
  it("is one document that asks nobody for anything", () => {
    const page = renderParityPage(sample);
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/<script|<link|<img|@import|url\(|https?:|\ssrc=/i);
    expect(page).toContain("color-scheme: light dark");
    expect(page).toMatch(/thead th \{ position: sticky/);
  });

  it("has every comparison, worst first, every cell under its header", () => {
    const page = renderParityPage(sample);
    const rows = [...page.matchAll(/<tr class="(\w+) (?:position|daily)[^"]*">(.*?)<\/tr>/g)];
    expect(rows).toHaveLength(sample.compared);
    const order = ["diverged", "error", "not_comparable", "within_tolerance", "equal"];
    const ranks = rows.map(([, verdict = ""]) => order.indexOf(verdict));
    expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
    for (const [, , cells = ""] of rows)
      expect(cells.match(/<t[dh]/g)).toHaveLength(page.match(/<th scope="col">/g)?.length ?? 0);
    expect(page).toContain("LOT_ORDER · trade trades_20250724.csv:12 (id 46)");
    expect(page).toContain("BAD_PRICE trades_20250725.csv:3: the price is not a number – ZN,?");
    expect(page).toContain("Refused by legacy-desk: 1");
  });

  it("escapes whatever came from outside, wherever it stands", () => {
    const evil = `<img src=x onerror="alert('1')">&`;
    const hostile: Position = [evil, "1", "1", evil, "0"];
    const report: ParityReport = {
      ...compared([hostile], [[evil, "2", "1", "0", "0"]], {
        legacy: { system: evil, dayRule: evil, errors: [{ code: evil, why: evil, file: evil }] },
        modern: { daily: [{ ...day, book: evil, realized: evil, unrealized: "0", total: null }] },
      }),
      quarantine: [{ file: evil, line: 1, code: evil, text: evil, why: evil }],
    };
    const traced = {
      ...report,
      rows: report.rows.map((row) => ({ ...row, cause: evil, trades: [{ file: evil, line: 1, id: evil }] })),
    };
    const page = renderParityPage(traced);
    expect(page).not.toContain("<img");
    expect(page).not.toMatch(/onerror="/);
    expect(page).toContain("&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;");
  });

  it("shows broken invariants and keeps the exact figure where it shortens one", () => {
    const report = compared([["A", "1", "1/3", "0", "0"]], [["A", "1", "1/3", "0", "5"]]);
    expect(renderParityPage(report)).toMatch(/Those that do not hold[\s\S]*realized_plus_unrealized/);
    expect(renderParityPage(report)).toContain('<td class="number" title="1/3">≈0.333333</td>');
  });

  it("stops at its limit and says so", () => {
    const rows = Array.from({ length: pageRowsMax / 4 + 1 }, (_, index): Position => [`S${index}`, "1", "1", "0", "0"]);
    const page = renderParityPage(compared(rows, rows));
    expect(page.match(/<tr class="equal/g)).toHaveLength(pageRowsMax);
    expect(page).toContain("4 more are in the JSON report");
  });
});

describe("what the caller adds to a report", () => {
  it("stands in the table: method and input above, notes counted by kind below", () => {
    const table = renderParityTable(
      {
        ...compared([["A", "1", "100", "0", "0"]], [["A", "1", "100", "0", "0"]]),
        method: "lifo",
        input: { files: 2, rows: 5, accepted: 3, duplicates: 1 },
        notes: [
          { file: "b.csv", line: 2, code: "ZERO_PRICE", why: "a price of zero" },
          { file: "b.csv", line: 9, code: "ZERO_PRICE", why: "a price of zero" },
          { file: "", line: 0, code: "UNUSED_MARK", why: "the mark of X" },
        ],
      },
      { colour: false },
    ).split("\n");
    expect(table.slice(0, 2)).toEqual([
      "legacy-desk (legacy) and modern-engine (modern) · day rule calendar · lifo",
      "2 files, 3 of 5 rows accepted, 1 duplicate",
    ]);
    expect(table).toContain("ZERO_PRICE × 2: a price of zero (first b.csv:2)");
    expect(table).toContain("UNUSED_MARK × 1: the mark of X");
  });
});
