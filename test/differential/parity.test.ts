import { createHash } from "node:crypto";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { renderParityPage, renderParityTable, renderPnlTable } from "../../src/adapters/report/index.ts";
import { pnlDocument, runPnl } from "../../src/app/parity/pnl-run.ts";
import { type ReplayOptions, replay } from "../../src/app/parity/replay.ts";
import { compareStored } from "../../src/app/parity/stored.ts";
import { defaultConfig } from "../../src/config/index.ts";
import { openDatabase } from "../../src/legacy-desk/database.ts";
import type { ParityReport, ParityRow } from "../../src/ports/parity-report.ts";
import { ledger, withFiles } from "../cli/run-cli.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";

const ZN = "XCMEFFDPSX20250919U0ZN";
const OZN = "XCMEOPADPS20250725Q0OZN/110.5";
const config = defaultConfig;

const agrees = ({ verdict }: ParityRow): boolean => verdict === "equal" || verdict === "within_tolerance";
const apart = ({ rows }: ParityReport): readonly ParityRow[] => rows.filter((row) => !agrees(row));
const find = (report: ParityReport, kind: string, symbol: string, field: string, tradingDay?: string) =>
  report.rows.find(
    (row) =>
      row.kind === kind &&
      row.key.symbol === symbol &&
      row.field === field &&
      row.key.tradingDay === tradingDay,
  );

/** Replays ledgers, given by name and rows. */
const replayed = (
  ledgers: Readonly<Record<string, readonly string[]>>,
  options: Partial<ReplayOptions> = {},
): Promise<ParityReport> =>
  withFiles(
    Object.fromEntries(Object.entries(ledgers).map(([name, rows]) => [name, ledger(...rows)])),
    (folder) => replay({ config, trades: [folder], ...options }),
  );

type Rows = readonly (readonly (string | number)[])[];
interface Desk {
  /** trade_id, instrument_name, trade_timestamp, side, quantity, price, source_file. */
  readonly trades: Rows;
  /** instrument_name, position_quantity, avg_cost, total_realized_pnl. */
  readonly positions?: Rows;
  /** trade_date, instrument_name, closing_position. */
  readonly endOfDay?: Rows;
  /** snapshot_type, snapshot_timestamp, instrument_name, position_quantity, avg_cost. */
  readonly positionSnapshots?: Rows;
  readonly without?: readonly string[];
}

/** Compares a database that the desk could have written. */
const compared = (desk: Desk) =>
  withFiles({}, async (folder) => {
    const path = join(folder, "pnl_tracker.db");
    const database = openDatabase(path, { journal: "rollback", busyTimeoutMs: 5_000 });
    const insert = (into: string, rows: Rows = []): void => {
      for (const row of rows)
        database.prepare(`INSERT INTO ${into} VALUES (${row.map(() => "?").join(", ")})`).run(...row);
    };
    insert(
      "processed_trades (trade_id, instrument_name, trade_timestamp, side, quantity, price, source_file, trade_date)",
      desk.trades.map(
        ([id = "", symbol = "", time = "", side = "", quantity = 0, price = 0, source = "a.csv"]) => [
          ...[id, symbol, time, side, quantity, price, source, String(time).slice(0, 10)],
        ],
      ),
    );
    insert(
      "positions (instrument_name, position_quantity, avg_cost, total_realized_pnl, last_updated)",
      desk.positions?.map((row) => [...row, "2025-07-25 16:00:00"]),
    );
    insert(
      "eod_pnl (trade_date, instrument_name, closing_position, opening_position, trades_count, realized_pnl, unrealized_pnl, total_pnl)",
      desk.endOfDay?.map((row) => [...row, 0, 1, 0, 0, 0]),
    );
    insert(
      "position_snapshots (snapshot_type, snapshot_timestamp, instrument_name, position_quantity, avg_cost, total_realized_pnl, unrealized_pnl)",
      desk.positionSnapshots?.map((row) => [...row, 0, 0]),
    );
    for (const table of desk.without ?? []) database.exec(`DROP TABLE ${table}`);
    database.close();
    return compareStored({ database: path, config });
  });

describe("an empty table of one side does not reduce the comparison", () => {
  const bought = (day: string): readonly (string | number)[] => [day, ZN, `${day} 10:00:00`, "B", 2, 110.5];

  it("a position is missing if the table of positions is empty", async () => {
    const { report } = await compared({
      trades: [bought("2025-07-24")],
      endOfDay: [["2025-07-24", ZN, 2]],
      without: ["pnl_snapshots", "position_snapshots"],
    });
    expect(find(report, "position", ZN, "row")).toMatchObject({
      verdict: "diverged",
      cause: "MISSING_IN_LEGACY",
    });
    expect(report.ok).toBe(false);
  });

  it("days after the last stored one are reported as not compared, and the report is not ok", async () => {
    const { report } = await compared({
      trades: ["2025-07-23", "2025-07-24", "2025-07-25"].map(bought),
      positions: [[ZN, 6, 110.5, 0]],
      endOfDay: [["2025-07-23", ZN, 2]],
      without: ["position_snapshots"],
    });
    expect(report.notCompared).toEqual([
      { kind: "daily", tradingDays: ["2025-07-24", "2025-07-25"], why: "eod_pnl ends on 2025-07-23" },
    ]);
    expect(report.ok).toBe(false);
    const line = "daily rows of 2025-07-24, 2025-07-25: eod_pnl ends on 2025-07-23";
    expect(renderParityTable(report, { colour: false })).toContain(line);
    expect(renderParityTable(report, { colour: false })).toContain("2 days not compared");
    expect(renderParityPage(report)).toContain(line);
  });

  it("if only trades are stored, positions are missing and every day is reported", async () => {
    const { report } = await compared({ trades: [bought("2025-07-24")] });
    expect(report.ok).toBe(false);
    expect(apart(report).map(({ kind, cause }) => [kind, cause])).toEqual([
      ["position", "MISSING_IN_LEGACY"],
    ]);
    expect(report.notCompared?.map(({ kind, tradingDays }) => [kind, tradingDays])).toEqual([
      ["daily", ["2025-07-24"]],
      ["snapshot", ["2025-07-24"]],
    ]);
  });

  it("a database without any row is not in parity", async () => {
    expect((await compared({ trades: [] })).report).toMatchObject({ ok: false, compared: 0 });
  });
});

describe("stored trades follow the rules for all trades", () => {
  it("a row that two source files have counts once, as it does in a replay of the files", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(`1,${ZN},2025-07-24 10:00:00.000,B,2,110.5`),
        "trades_20250725.csv": ledger(
          `1,${ZN},2025-07-24 10:00:00.000,B,2,110.5`,
          `2,${ZN},2025-07-25 10:00:00.000,S,1,110.75`,
        ),
      },
      async (folder) => {
        const database = join(folder, "t.db");
        const fromFiles = await replay({ config, trades: [folder], legacyDatabase: database });
        const { report: fromDatabase } = await compareStored({ database, config });
        for (const report of [fromFiles, fromDatabase]) {
          expect(report.ok).toBe(false);
          expect(report.input).toMatchObject({ files: 2, rows: 3, accepted: 2, duplicates: 1 });
          expect(find(report, "position", ZN, "quantity")).toMatchObject({
            legacy: "3",
            modern: "1",
            cause: "COUNTED_TWICE",
          });
          expect(find(report, "position", ZN, "unrealized")).toMatchObject({
            modern: "250",
            cause: "COUNTED_TWICE",
          });
          expect(report.notes?.map(({ code }) => code)).toContain("DUPLICATE_ROW");
        }
        expect(find(fromDatabase, "position", ZN, "quantity")?.trades).toEqual([
          { file: "t.db:processed_trades", line: 1, id: "1" },
        ]);
      },
    ));

  it.each([
    [
      "2025-03-09 02:30:00",
      { quarantine: [expect.objectContaining({ code: "BAD_TIME", line: 1 })], notes: [] },
    ],
    [
      "2025-11-02 01:30:00",
      { quarantine: [], notes: [expect.objectContaining({ code: "AMBIGUOUS_TIME", line: 1 })] },
    ],
  ])("the time %s is judged as in a ledger", async (time, findings) => {
    expect((await compared({ trades: [["1", ZN, time, "B", 2, 110.5]] })).report).toMatchObject(findings);
  });
});

describe("one instrument is one position, however the desk's tables spell it", () => {
  const spellings: readonly (readonly [string, string, string])[] = [
    ["trailing spaces everywhere", `${ZN} `, `${ZN} `],
    ["spaces around it in the results", ZN, ` ${ZN} `],
    ["a strike with more zeros in the results", OZN, `${OZN}0`],
    ["a strike with more zeros in the trades", `${OZN}0`, OZN],
  ];
  it.each(spellings)("also with %s", async (_, traded, stored) => {
    const { report } = await compared({
      trades: [["1", traded, "2025-07-24 10:00:00", "B", 2, 0.5]],
      positions: [[stored, 2, 0.5, 0]],
      endOfDay: [["2025-07-24", stored, 2]],
      positionSnapshots: [["EOD", "2025-07-24 16:00:00", stored, 2, 0.5]],
    });
    expect(apart(report).filter(({ cause }) => cause !== "NO_MARK")).toEqual([]);
    expect(new Set(report.rows.map(({ kind }) => kind))).toEqual(new Set(["position", "daily", "snapshot"]));
    expect(new Set(report.rows.map(({ key }) => key.symbol))).toEqual(new Set([traded.trim()]));
  });

  it.each(["eod", "EOD ", "Eod"])("a position snapshot of type %j is an end of day", async (type) => {
    const { report, notes } = await compared({
      trades: [["1", ZN, "2025-07-24 10:00:00", "B", 2, 110.5]],
      positionSnapshots: [
        [type, "2025-07-24 16:00:00", ZN, 2, 110.5],
        ["NOON", "2025-07-24 12:00:00", ZN, 9, 110.5],
      ],
    });
    expect(find(report, "snapshot", ZN, "quantity", "2025-07-24")).toMatchObject({
      legacy: "2",
      verdict: "equal",
    });
    expect(notes).toEqual([
      expect.stringContaining("1 position_snapshots of type NOON, which are not compared"),
    ]);
  });
});

describe("a cause is named only if modern under its rule gives legacy's figure", () => {
  it("a figure that no rule explains has no cause and no trades", async () => {
    const { report } = await compared({
      trades: [
        ["1", OZN, "2025-07-24 10:00:00", "B", 2, 0.5],
        ["2", `${OZN}0`, "2025-07-24 10:00:01", "B", 1, 0.5],
      ],
      positions: [[OZN, 3, 0.5, 7]],
    });
    const realized = find(report, "position", OZN, "realized");
    expect(realized).toMatchObject({ legacy: "7000", modern: "0", verdict: "diverged", cause: null });
    expect(realized).not.toHaveProperty("trades");
  });

  it("separate symbols are the cause if modern agrees when it keeps them separate", async () => {
    const { report } = await compared({
      trades: [
        ["1", OZN, "2025-07-24 10:00:00", "B", 2, 0.5],
        ["2", `${OZN}0`, "2025-07-24 10:00:01", "S", 1, 0.75],
      ],
      positions: [
        [OZN, 2, 0.5, 0],
        [`${OZN}0`, -1, 0.75, 0],
      ],
    });
    const file = "pnl_tracker.db:processed_trades";
    const trades = [{ file, line: 2, id: "2" }];
    expect(find(report, "position", OZN, "quantity")).toMatchObject({
      legacy: "2",
      modern: "1",
      cause: "SYMBOL_SPLIT",
      trades,
    });
    expect(find(report, "position", `${OZN}0`, "row")).toMatchObject({ cause: "SYMBOL_SPLIT", trades });
  });

  it("the cause of a day that only modern has is the day rule, not a rejected file", async () => {
    const report = await replayed(
      {
        "trades_20250723.csv": [
          "2,A,2025-07-23 10:00:00,B,1,110",
          "3,A,2025-07-23 10:00:01,Q,1,110",
          "4,A,2025-07-23 10:00:02,B,1,110",
        ],
        "trades_20250725.csv": ["1,B,2025-07-25 18:00:00,B,1,110"],
      },
      { dayRule: "chicago-17" },
    );
    const late = apart(report).filter(({ key }) => key.tradingDay === "2025-07-28");
    expect(late.map(({ key, cause }) => [key.symbol, cause])).toEqual([
      ["A", "DAY_RULE"],
      ["B", "DAY_RULE"],
    ]);
    expect(find(report, "position", "A", "quantity")).toMatchObject({
      legacy: "1",
      modern: "2",
      cause: "FILE_REJECTED",
    });
  });

  it("a rejected file is the cause of a missing position whose trades all follow the bad row", async () => {
    const report = await replayed({
      "trades_20250724.csv": [
        "1,A,2025-07-24 10:00:00,B,1,110",
        "2,A,2025-07-24 10:00:01,Q,1,110",
        "3,C,2025-07-24 10:00:02,B,1,110",
      ],
    });
    const lost = { cause: "FILE_REJECTED", trades: [{ file: "trades_20250724.csv", line: 4, id: "3" }] };
    expect(find(report, "position", "C", "row")).toMatchObject(lost);
    expect(find(report, "daily", "C", "row", "2025-07-24")).toMatchObject(lost);
  });

  it("rows that an earlier file also has count among the rows before the bad one", async () => {
    const report = await replayed({
      "trades_20250723.csv": ["1,B,2025-07-23 10:00:00,B,1,110"],
      "trades_20250724.csv": [
        "1,B,2025-07-23 10:00:00,B,1,110",
        "2,A,2025-07-24 10:00:00,B,1,110",
        "3,A,2025-07-24 10:00:01,Q,1,110",
        "4,A,2025-07-24 10:00:02,B,1,110",
      ],
    });
    expect(find(report, "position", "A", "quantity")).toMatchObject({
      legacy: "1",
      modern: "2",
      cause: "FILE_REJECTED",
    });
    expect(find(report, "position", "B", "quantity")).toMatchObject({
      legacy: "2",
      modern: "1",
      cause: "COUNTED_TWICE",
    });
  });

  it("if only two rules together give legacy's figure, the row names both", () =>
    withFiles(
      {
        "trades_20250716.csv": ledger(`1,${ZN},2025-07-16 09:00:00,B,2,110`),
        "trades_20250717.csv": ledger(
          `1,${ZN},2025-07-16 09:00:00,B,2,110`,
          `2,${ZN},2025-07-17 09:00:00,S,1,111`,
        ),
        "market_prices_20250716_1400.csv":
          "bloomberg,PX_LAST,PX_SETTLE,PX_BID,PX_ASK,OPT_EXPIRE_DT,MONEYNESS\nTYU5 Comdty,111,,,,,\n",
      },
      async (folder) => {
        const report = await replay({ config, trades: [folder], prices: [folder] });
        expect(find(report, "daily", ZN, "total", "2025-07-16")).toMatchObject({
          legacy: "4000",
          cause: "COUNTED_TWICE",
        });
        // Legacy reverses 4000 on a day without a price; modern does not.
        const swing = find(report, "daily", ZN, "total", "2025-07-17");
        expect(swing).toMatchObject({
          legacy: "-3000",
          modern: "1000",
          causes: ["COUNTED_TWICE", "NO_MARK"],
        });
        expect(renderParityTable(report, { colour: false })).toContain("COUNTED_TWICE and NO_MARK");
        expect(find(report, "position", ZN, "unrealized")).toMatchObject({
          legacy: "0",
          modern: null,
          cause: "NO_MARK",
        });
        expect(apart(report).filter(({ cause }) => cause === null)).toEqual([]);
      },
    ));

  it.skipIf(!hasSharedData)(
    "a daily amount of the desk's own history has one cause, and no difference lacks a cause",
    async () => {
      const report = await replay({
        config,
        trades: [join(sharedData, "ledgers")],
        prices: [join(sharedData, "prices")],
      });
      const ofDay = (field: string) =>
        find(report, "daily", "XCMEOPADPS20250718N0ZN3/110", field, "2025-07-17");
      expect(
        [ofDay("unrealized"), ofDay("total")].map((row) => [row?.difference, row?.cause, row?.causes]),
      ).toEqual([
        ["6250", "COUNTED_TWICE", undefined],
        ["6250", "COUNTED_TWICE", undefined],
      ]);
      expect(apart(report).filter(({ cause }) => cause === null)).toEqual([]);
    },
  );
});

it("a report has the digest of what was read of a ledger, and says if the file has changed since", () => {
  const content = ledger(`1,${ZN},2025-07-16 09:00:00,B,2,110`);
  return withFiles({ "trades_20250716.csv": content }, async (folder) => {
    const path = join(folder, "trades_20250716.csv");
    const onProgress = (text: string) => {
      if (text.startsWith("matching")) appendFileSync(path, "\n");
    };
    const { inputs } = await replay({ config, trades: [folder], onProgress });
    expect(inputs).toMatchObject([
      {
        path,
        bytes: content.length,
        sha256: createHash("sha256").update(content).digest("hex"),
        changed: true,
      },
    ]);
  });
});

describe("P&L that rests on lots opened at a price of 0", () => {
  const ledgers = {
    "trades_20250724.csv": [
      `1,${ZN},2025-07-24 00:00:00,B,3,0`,
      `2,${ZN},2025-07-24 10:00:00,S,1,110`,
      `3,${OZN},2025-07-24 10:00:01,B,1,0.5`,
      `4,${OZN},2025-07-24 10:00:02,S,1,0`,
    ],
  };

  it.each([
    ["fifo", "110000", "220000"],
    ["lifo", "110000", "220000"],
    ["average", "110000", "220000"],
  ] as const)(
    "is reported with its share of the total, but an expiry at 0 is not (%s)",
    async (method, realized, unrealized) => {
      const report = await replayed(ledgers, { method });
      expect(report.zeroPriceLots).toEqual({
        positions: [{ symbol: ZN, currency: "USD", realized, unrealized }],
        totals: { USD: { resting: "330000", total: "329500" } },
      });
      const [headline, warning] = [
        "warning: 330,000.00 of 329,500.00 USD P&L rests on lots opened at a price of 0, of unknown cost",
        "warning: P&L rests on lots opened at a price of 0: realized 110,000.00, unrealized 220,000.00",
      ];
      const table = renderParityTable(report, { colour: false });
      expect(table.split("\n\n")[0]).toContain(headline);
      expect(table).toContain(warning);
      const pnl = await withFiles(
        { "trades_20250724.csv": ledger(...ledgers["trades_20250724.csv"]) },
        (folder) => runPnl({ trades: [folder], method }),
      );
      expect(renderPnlTable(pnlDocument(pnl), { colour: false }).split("\n\n")[0]).toContain(headline);
      const page = renderParityPage(report).replaceAll("&amp;", "&");
      for (const line of [headline, warning]) expect(page).toContain(line);
    },
  );
});
