import type { ComparisonReport, SystemAnswer } from "../../src/comparison/index.ts";
import { flatHasNoAveragePrice, PnLComparisonValidator, pointsToMoney } from "../../src/comparison/index.ts";
import type { ParityReport } from "../../src/ports/parity-report.ts";

/**
 * The comparison and the renderings do not import each other. Here the compiler checks that the renderings
 * accept the report of the comparison.
 */
const asParity = (report: ComparisonReport): ParityReport => report;

export type Position = readonly [
  symbol: string,
  quantity: string,
  averagePrice: string | null,
  realized: string,
  unrealized: string,
];

const answer = (
  system: string,
  positions: readonly Position[],
  given: Partial<SystemAnswer> = {},
): SystemAnswer => ({
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

const validator = new PnLComparisonValidator({
  conversions: [...pointsToMoney(() => "1000"), flatHasNoAveragePrice],
});

/** The report of two systems' positions; `given` replaces other parts of their answers. */
export const compared = (
  legacy: readonly Position[],
  modern: readonly Position[],
  given: { legacy?: Partial<SystemAnswer>; modern?: Partial<SystemAnswer> } = {},
): ParityReport =>
  asParity(
    validator.compare(
      answer("legacy-desk", legacy, given.legacy),
      answer("modern-engine", modern, given.modern),
    ),
  );

export const day = { symbol: "ZNU2025", tradingDay: "2025-07-24" };
const quiet = { symbol: "ZNU2025", tradingDay: "2025-07-23", realized: "0", unrealized: "0", total: "0" };

/** A report with examples of the verdicts, causes, notes and refusals that a desk can meet. */
export const sample = ((): ParityReport => {
  const report = compared(
    [
      ["ZTU2025", "3", "103", "0.02", "0.000000000000000003"],
      ["ZNU2025", "1200", "110.875", "-1.015625", "0"],
      ["VY3/111", "0", "0", "0.5", "0"],
      ["TYQ5C", "1", "1", "0.1", "awaiting data"],
      ["DUP", "1", "1", "0", "0"],
      ["DUP", "1", "1", "0", "0"],
      ["RXU5", "5", "99", "-0.05", "0"],
    ],
    [
      ["ZNU2025", "1200", "110.75", "-1140.625", "125"],
      ["ZTU2025", "3", "103", "20", "0"],
      ["VY3/111", "0", null, "500", "0"],
      ["TYQ5C", "1", "1/3", "100", "125"],
      ["DUP", "1", "1", "0", "0"],
    ],
    {
      legacy: {
        daily: [{ ...day, realized: "-1.015625", unrealized: "0", total: "-1.015625" }, quiet],
        errors: [{ code: "BAD_SIDE", why: "side is BUY", file: "trades_20250801.csv" }],
      },
      modern: { daily: [{ ...day, realized: "-1140.625", unrealized: "125", total: "-1015.625" }, quiet] },
    },
  );
  const trades = [{ file: "trades_20250724.csv", line: 12, id: "46" }];
  const known = (symbol: string, instrument: string, title: string) => ({
    symbol,
    instrument,
    title,
    currency: "USD",
  });
  return {
    ...report,
    ok: false,
    rows: report.rows.map((row) =>
      row.kind === "position" && row.field === "realized" && row.cause !== null ? { ...row, trades } : row,
    ),
    method: "fifo",
    input: { files: 1, rows: 9, accepted: 7, duplicates: 1 },
    quarantine: [
      {
        file: "trades_20250725.csv",
        line: 3,
        code: "BAD_PRICE",
        text: "ZN,?",
        why: "the price is not a number",
      },
    ],
    notes: [{ file: "trades_20250724.csv", line: 5, code: "ZERO_PRICE", why: "a price of zero" }],
    notCompared: [{ kind: "daily", tradingDays: ["2025-07-25"], why: "eod_pnl ends on 2025-07-24" }],
    zeroPriceLots: {
      positions: [{ symbol: "ZTU2025", currency: "USD", realized: "20", unrealized: null }],
      totals: { USD: { resting: "20", total: "-395.625" } },
    },
    legacySymbols: {
      merges: [
        {
          view: "raw-name",
          text: "TYU5",
          instruments: ["ZNU2025", "ZTU2025"],
          symbols: ["ZNU2025", "ZTU2025"],
        },
      ],
      splits: [],
      lost: [],
    },
    generated: { product: "pnl-bridge", version: "1.2.3", at: "2025-08-01T12:00:00.000Z" },
    inputs: [
      {
        kind: "trades",
        path: "ledgers/trades_20250724.csv",
        bytes: 1_234,
        sha256: "0123456789abcdef".repeat(4),
        rows: 9,
        accepted: 7,
        duplicates: 1,
        refused: 1,
      },
      { kind: "marks", path: "marks.json", bytes: 12, sha256: "fedcba9876543210".repeat(4), changed: true },
    ],
    instruments: [
      known("ZNU2025", "ZNU2025", "10-year note, Sep 2025"),
      known("ZTU2025", "ZTU2025", "2-year note, Sep 2025"),
      known("VY3/111", "ZN-2025-07-VY3-P111.000", "10-year note 111 put, 21 Jul 2025"),
      { symbol: "RXU5", instrument: null, title: null, currency: "EUR" },
      { symbol: "TYQ5C", instrument: null, title: null, currency: null },
      { symbol: "DUP", instrument: null, title: null, currency: null },
    ],
    codes: { LOT_ORDER: "lots were closed in another order", ZERO_PRICE: "a price of zero; kept" },
  };
})();
