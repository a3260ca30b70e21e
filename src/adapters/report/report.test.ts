import { describe, expect, it } from "vitest";
import { isLongRun } from "../../../test/campaigns.ts";
import { compared, day, type Position, sample } from "../../../test/golden/sample-report.ts";
import type { ParityReport } from "../../ports/parity-report.ts";
import { renderParityPage, renderParityTable, renderPnlTable, summaryLine } from "./index.ts";

const table = (report: ParityReport, options: { width?: number; rowsMax?: number } = {}): string =>
  renderParityTable(report, { colour: false, ...options });

/** The data of the page's script. */
const dataOf = (page: string): { readonly rows: readonly (readonly unknown[])[] } =>
  JSON.parse(/<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page)?.[1] ?? "");

it("the report counts every refused or noted row, including those beyond the limit of a list", () => {
  const refused = { file: "a.csv", line: 2, code: "BAD_SIDE", text: "x", why: "no side" } as const;
  const noted = { file: "a.csv", line: 2, code: "ZERO_PRICE", why: "a price of zero" } as const;
  const quarantine = [refused, { ...refused, code: "MORE", more: 149_999 }] as const;
  const notes = [noted, { ...noted, more: 2_499 }];
  const report = { ...sample, quarantine, notes };
  expect(summaryLine(report)).toContain("150,000 quarantined");
  expect(table(report)).toMatch(
    /quarantined: 150,000\n.*ZERO_PRICE × 2,500: a price of zero \(first a\.csv:2\)/s,
  );
  expect(renderParityPage(report)).toContain("Quarantined: 150,000 rows");
  const none = { positions: [], totals: { unmarked: [], untranslated: [] }, quarantine, notes };
  const input = { files: 1, rows: 150_000, accepted: 0, duplicates: 0 };
  const text = renderPnlTable(
    { ...none, method: "fifo", asOf: null, dayRule: "calendar", input },
    { colour: false },
  );
  expect(text).toMatch(/150,000 rows refused .*… and 149,998 more.*ZERO_PRICE × 2,500/s);
});

it("a table prints any number of positions", () => {
  const row = {
    symbol: "A",
    instrument: null,
    quantity: "1",
    averagePrice: "1",
    realized: "0",
    unrealized: "0",
    fees: "0",
  };
  const position = {
    ...row,
    mark: "1",
    markKind: "given",
    multiplier: "1",
    currency: "USD",
    lots: [],
  } as const;
  // A call can have about 126,000 arguments.
  const count = isLongRun("sizes") ? 200_000 : 130_000;
  const positions = Array.from({ length: count }, () => position);
  const input = { files: 1, rows: count, accepted: count, duplicates: 0 };
  const totals = { unmarked: [], untranslated: [] };
  const pnl = {
    method: "fifo",
    asOf: null,
    dayRule: "calendar",
    positions,
    totals,
    quarantine: [],
    notes: [],
    input,
  };
  expect(renderPnlTable(pnl, { colour: false }).split("\n").length).toBeGreaterThan(count);
});

describe("the table", () => {
  it("has escape codes only on request, and never those of its input", () => {
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

  it("keeps its columns aligned for wide, combining and long symbols", () => {
    const symbols = ["ZN", "日本国債先物", "e\u0301tude", "📈", `LONG${"x".repeat(90)}END`];
    const rows = symbols.map((symbol): Position => [symbol, "1", "1", "0", "0"]);
    const lines = table(compared(rows, rows), { width: 90 }).split("\n");
    // Width in terminal columns: a wide character takes two, a combining mark none.
    const columns = (text: string): number =>
      [...text].reduce(
        (sum, c) => sum + (/[\u{1f000}-\u{1ffff}一-龯]/u.test(c) ? 2 : c === "\u0301" ? 0 : 1),
        0,
      );
    const widths = lines.filter((line) => line.startsWith("=")).map(columns);
    expect(widths).toHaveLength(symbols.length);
    expect(new Set(widths).size).toBe(1);
    expect(widths[0]).toBeLessThanOrEqual(90);
    expect(lines.some((line) => /LONGx+…x+END/.test(line))).toBe(true);
  });

  it("shows books if rows have them", () => {
    const given = { symbol: "ZN", quantity: "1", averagePrice: "1", realized: "0", unrealized: "0" };
    const positions = [{ ...given, book: "UST" }, given];
    const lines = table(compared([], [], { legacy: { positions }, modern: { positions } })).split("\n");
    expect(lines.filter((line) => line.startsWith("=")).map((line) => line.slice(0, 12))).toEqual([
      "=        ZN ",
      "=  UST   ZN ",
    ]);
    expect(table(sample)).not.toContain("book");
  });

  it("stops at rowsMax and counts the rest", () => {
    const rows = (realized: (index: number) => string) =>
      Array.from({ length: 30 }, (_, index): Position => [`S${index}`, "1", "1", realized(index), "0"]);
    const legacy = rows(() => "1");
    const modern = rows((index) => (index < 20 ? "1000" : "7"));
    const text = table(compared(legacy, modern), { rowsMax: 4 });
    expect(text.split("\n").filter((line) => line.startsWith("✗  S"))).toHaveLength(4);
    expect(text.split("\n").filter((line) => line.startsWith("=  S"))).toHaveLength(4);
    expect(text).toContain("… and 6 more positions;");
    expect(text).toContain("… and 16 more positions that agree;");
  });

  it("rounds figures to 6 decimals, groups their digits, and never shows a difference as 0", () => {
    const report = compared(
      [["A", "1/3", "1", "0", "0"]],
      [["A", "0.33333333333333333333", "1", "0.0000000000000000000000000004", "12345678901234.5678901"]],
    );
    const [line = ""] = table(report)
      .split("\n")
      .filter((text) => text.startsWith("✗  A"));
    expect(line.split(/ +/)).toEqual([
      "✗",
      "A",
      "0.333333",
      "0.333333",
      "0.00",
      "≈0.00",
      "0.00",
      "12,345,678,901,234.56789",
    ]);
    expect(table(report)).toContain("quantity -3.3e-21");
  });
});

describe("the summary line", () => {
  it("is one line for a chat", () => {
    const equal = compared([["A", "1", "1", "0", "0"]], [["A", "1", "1", "0", "0"]]);
    expect(summaryLine(equal)).toBe(
      "parity: 4 of 4 equal, 0 within tolerance, 0 diverged · " +
        "legacy-desk vs modern-engine · day rule calendar",
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
      "parity: 5 of 8 equal, 0 within tolerance, 3 diverged (worst realized B -93.75) · " +
        "legacy-desk vs modern-engine · day rules calendar (legacy), chicago-17 (modern)",
    );
    expect(summaryLine(compared([], []))).toBe(
      "parity: nothing to compare · legacy-desk vs modern-engine · day rule calendar",
    );
  });

  it("names the row with the most money, whether of a position, of a day, or missing on one side", () => {
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
    ).toContain("(worst realized S 1.00)");
    expect(summaryLine(compared([small], [["S", "900", "1", "2", "0"]]))).toContain(
      "(worst realized S 1.00)",
    );
    const days = {
      legacy: { daily: [{ ...day, realized: "0", unrealized: "0", total: "0" }] },
      modern: { daily: [{ ...day, realized: "0", unrealized: "0", total: "7" }] },
    };
    expect(summaryLine(compared([small], [["S", "1", "1", "1.5", "0"]], days))).toContain(
      "(worst total ZNU2025 2025-07-24 7.00)",
    );
    expect(summaryLine(compared([], [], days))).toContain("(worst total ZNU2025 2025-07-24 7.00)");
  });
});

describe("the page", () => {
  it("is one document that loads nothing else", () => {
    const page = renderParityPage(sample);
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/<link|<img|<iframe|@import|url\(|https?:|\ssrc=|\bfetch\(|XMLHttpRequest/i);
    expect(page.match(/<script/g)).toHaveLength(2);
  });

  it("holds every figure, worst first, and all refusals", () => {
    const page = renderParityPage(sample);
    const { rows } = dataOf(page);
    expect(rows).toHaveLength(sample.compared);
    const ranks = rows.map(([verdict]) => verdict);
    expect(ranks).toEqual(ranks.toSorted());
    expect(page).toContain("trade trades_20250724.csv:12 (id 46)");
    expect(page).toContain("BAD_PRICE trades_20250725.csv:3: the price is not a number – ZN,?");
    expect(page).toContain("Refused by legacy-desk: 1");
  });

  it("escapes every text from outside", () => {
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

  it("shows sums that do not agree, and keeps the exact figure of a rounded one", () => {
    const report = compared([["A", "1", "1/3", "0", "0"]], [["A", "1", "1/3", "0", "5.0000001"]]);
    const page = renderParityPage(report);
    expect(page).toMatch(/Sums that do not agree: 1[\s\S]*realized_plus_unrealized/);
    expect(page).toContain('<data value="5.0000001">5.00</data>');
    expect(JSON.stringify(dataOf(page).rows)).toContain('["1/3","0.333333"]');
  });

  it("stops at its limit and counts the rest", () => {
    const rows = Array.from({ length: 3 }, (_, index): Position => [`S${index}`, "1", "1", "0", "0"]);
    const page = renderParityPage(compared(rows, rows), { rowsMax: 8 });
    expect(dataOf(page).rows).toHaveLength(8);
    expect(page).toContain("4 more are in the JSON report");
  });
});

describe("the caller's additions to a report", () => {
  it("appear in the table: method and input above, notes counted by kind below", () => {
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
      "In parity: legacy-desk (legacy) and modern-engine (modern)",
      "2 files, 3 of 5 rows accepted, 1 duplicate",
    ]);
    expect(table).toContain("   day rule calendar; modern closes lots by lifo");
    expect(table).toContain("ZERO_PRICE × 2: a price of zero (first b.csv:2)");
    expect(table).toContain("UNUSED_MARK × 1: the mark of X");
  });
});
