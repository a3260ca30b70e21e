import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ledger, pnlBridge, withFiles } from "./run-cli.ts";

const ZN = "XCMEFFDPSX20250919U0ZN";

describe("pnl --json", () => {
  it("is the document of the contract", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          `46,${ZN},2025-07-24 13:08:35.561,B,2.0,110.875`,
          `47,${ZN},2025-07-24 15:01:09.091,S,1.0,110.859375`,
        ),
      },
      async (folder) => {
        const { code, out, err } = await pnlBridge(["pnl", "--trades", folder, "--json"]);
        expect(err).toBe("");
        expect(JSON.parse(out)).toEqual({
          method: "fifo",
          asOf: "2025-07-24T15:01:09.091-05:00",
          dayRule: "chicago-17",
          positions: [
            {
              symbol: ZN,
              instrument: "ZNU2025",
              quantity: "1",
              averagePrice: "110.875",
              realized: "-15.625",
              unrealized: "-15.625",
              fees: "0",
              mark: "110.859375",
              markKind: "last_trade",
              multiplier: "1000",
              currency: "USD",
              lots: [{ tradeId: "46", quantity: "1", price: "110.875", openedAt: "2025-07-24T13:08:35.561-05:00" }],
            },
          ],
          daily: [
            {
              tradingDay: "2025-07-24",
              symbol: ZN,
              quantity: "1",
              averagePrice: "110.875",
              realized: "-15.625",
              realizedToDate: "-15.625",
              unrealized: "-15.625",
              unrealizedChange: "-15.625",
              mark: "110.859375",
              markKind: "last_trade",
              total: "-31.25",
            },
          ],
          totals: { USD: { realized: "-15.625", unrealized: "-15.625", total: "-31.25" }, unmarked: [], untranslated: [] },
          quarantine: [],
          notes: [],
          input: { files: 1, rows: 2, accepted: 2, duplicates: 0 },
        });
        expect(code).toBe(0);
      },
    ));

  it("keeps flat symbols, separates books and currencies, and adds fees apart", () =>
    withFiles(
      {
        "trades_20250724.csv": `tradeId,instrumentName,marketTradeTime,buySell,quantity,price,book,fee
1,${ZN},2025-07-24 09:00:00,B,1,110,UST,1.25
2,${ZN},2025-07-24 09:00:01,S,1,111,UST,1.25
3,${ZN},2025-07-24 09:00:02,S,1,111,HEDGE,
4,XCME.RX.H5,2025-07-24 09:00:03,B,1,129.2336,,0
5,WHAT IS THIS,2025-07-24 09:00:04,B,0.1,2,,
`,
      },
      async (folder) => {
        const { code, out } = await pnlBridge(["pnl", "--trades", folder, "--json"]);
        const { positions, totals, notes } = JSON.parse(out);
        expect(code).toBe(0);
        expect(
          positions.map(({ book, symbol, quantity, averagePrice, realized, unrealized, fees }: Record<string, string>) => [
            book,
            symbol,
            quantity,
            averagePrice,
            realized,
            unrealized,
            fees,
          ]),
        ).toEqual([
          [undefined, "WHAT IS THIS", "0.1", "2", "0", "0", "0"],
          [undefined, "XCME.RX.H5", "1", "129.2336", "0", "0", "0"],
          ["HEDGE", ZN, "-1", "111", "0", "0", "0"],
          ["UST", ZN, "0", null, "1000", "0", "2.5"],
        ]);
        expect(totals).toEqual({
          EUR: { realized: "0", unrealized: "0", total: "0" },
          USD: { realized: "1000", unrealized: "0", total: "1000" },
          XXX: { realized: "0", unrealized: "0", total: "0" },
          unmarked: [],
          untranslated: ["WHAT IS THIS", "XCME.RX.H5"],
        });
        expect(notes.map(({ code: of }: { code: string }) => of)).toContain("UNKNOWN_PRODUCT");
      },
    ));

  it("values only where there is a mark, carries the change to the next marked day, and sums to the total", () =>
    withFiles(
      {
        "trades_20250716.csv": ledger(`1,${ZN},2025-07-16 09:00:00,B,1,110`),
        "trades_20250717.csv": ledger(`2,${ZN},2025-07-17 09:00:00,B,1,110.5`, `3,${ZN},2025-07-17 10:00:00,S,1,110.75`),
        "trades_20250718.csv": ledger(`4,${ZN},2025-07-18 09:00:00,B,1,111`),
        "Futures_20250716_1400.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,110.2,110.09,\n",
        "Futures_20250718_1600.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,110.2,111.165,\n",
      },
      async (folder) => {
        const { out } = await pnlBridge(["pnl", "--trades", folder, "--prices", folder, "--json"]);
        const { positions, daily, totals, asOf } = JSON.parse(out);
        expect(asOf).toBe("2025-07-18T16:00:00-05:00");
        // 110-20 = 110.625 at two; 111-16.5 = 111.515625 at four.
        expect(
          daily.map((day: Record<string, unknown>) => [
            day.tradingDay,
            day.realized,
            day.unrealized,
            day.unrealizedChange,
            day.total,
            day.markKind,
          ]),
        ).toEqual([
          ["2025-07-16", "0", "625", "625", "625", "close"],
          ["2025-07-17", "750", null, null, "750", null],
          ["2025-07-18", "0", "1531.25", "906.25", "906.25", "sod_tomorrow"],
        ]);
        expect(positions[0]).toMatchObject({
          mark: "111.515625",
          markKind: "sod_tomorrow",
          unrealized: "1531.25",
          realized: "750",
        });
        expect(totals.USD.total).toBe("2281.25");
      },
    ));

  it("says no mark instead of zero, and lists the symbol", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(`1,${ZN},2025-07-24 09:00:00,B,1,110`, "2,XCME.TU.H5,2025-07-24 09:00:00,B,1,103"),
        "marks.json": '{"ZNU2025": 110.50000000000000000001, "MISSPELT": "1"}',
      },
      async (folder) => {
        const { out } = await pnlBridge(["pnl", "--trades", folder, "--marks", join(folder, "marks.json"), "--json"]);
        const { positions, totals, notes } = JSON.parse(out);
        expect(positions[0]).toMatchObject({ symbol: "XCME.TU.H5", mark: null, markKind: null, unrealized: null });
        expect(positions[1]).toMatchObject({
          mark: "110.50000000000000000001",
          markKind: "given",
          unrealized: "500.00000000000000001",
        });
        expect(totals).toMatchObject({ unmarked: ["XCME.TU.H5"], USD: { unrealized: "500.00000000000000001" } });
        expect(notes).toContainEqual(expect.objectContaining({ code: "UNUSED_MARK", why: expect.stringContaining("MISSPELT") }));
      },
    ));

  it("values every book at the last trade of the instrument, whichever book made it", () =>
    withFiles(
      {
        "trades_20250724.csv": `tradeId,instrumentName,marketTradeTime,buySell,quantity,price,book
1,${ZN},2025-07-24 09:00:00,B,10,110,UST
2,${ZN},2025-07-24 14:00:00,S,10,112,RV
`,
      },
      async (folder) => {
        const { positions, totals } = JSON.parse((await pnlBridge(["pnl", "--trades", folder, "--json"])).out);
        expect(positions.map(({ book, mark }: Record<string, string>) => [book, mark])).toEqual([
          ["RV", "112"],
          ["UST", "112"],
        ]);
        expect(totals.USD.total).toBe("20000");
      },
    ));

  it("notes trades that an earlier file should have had, and session days that have no price yet", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(`1,${ZN},2025-07-24 09:00:00,B,1,110`),
        "trades_20250725.csv": ledger(`2,${ZN},2025-07-24 08:00:00,B,1,109`, `3,${ZN},2025-07-25 08:00:00,S,1,111`),
        "Futures_20250725_1600.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,110.2,111.165,\n",
      },
      async (folder) => {
        const at = (...more: string[]) =>
          pnlBridge(["pnl", "--trades", folder, "--json", ...more]).then(({ out }) => JSON.parse(out));
        const { notes, positions } = await at();
        expect(notes).toContainEqual(expect.objectContaining({ code: "LATE_TRADE", file: "trades_20250725.csv", line: 2 }));
        // First in, first out: the late trade is the oldest.
        expect(positions[0].lots[0].tradeId).toBe("1");
        const evening = await at("--prices", folder, "--as-of", "2025-07-25T17:00:00");
        expect(evening.notes).toContainEqual(
          expect.objectContaining({ code: "NO_PRICES_YET", why: expect.stringContaining("2025-07-28") }),
        );
        expect(evening.positions[0].mark).toBeNull();
        const byFile = await at("--day-rule", "file-name", "--as-of", "2025-07-24T12:00:00");
        expect(byFile.daily.at(-1).tradingDay).toBe("2025-07-25");
      },
    ));

  it("leaves out what is later than --as-of, and says so", () =>
    withFiles(
      { "trades_20250724.csv": ledger(`1,${ZN},2025-07-24 09:00:00,B,1,110`, `2,${ZN},2025-07-24 17:30:00,B,1,111`) },
      async (folder) => {
        const { out } = await pnlBridge(["pnl", "--trades", folder, "--as-of", "2025-07-24 16:00:00", "--json"]);
        const { positions, asOf, daily, notes } = JSON.parse(out);
        expect(asOf).toBe("2025-07-24T16:00:00-05:00");
        expect(positions[0].quantity).toBe("1");
        expect(daily).toHaveLength(1);
        expect(notes).toContainEqual(expect.objectContaining({ code: "AFTER_AS_OF" }));
      },
    ));

  it("exits 1 with the good rows' result where a row was refused", () =>
    withFiles(
      { "trades_20250724.csv": ledger(`1,${ZN},2025-07-24 09:00:00,B,1,110`, `2,${ZN},2025-07-24 09:00:01,BUY,1,110`) },
      async (folder) => {
        const { code, out } = await pnlBridge(["pnl", "--trades", folder, "--json"]);
        const document = JSON.parse(out);
        expect(code).toBe(1);
        expect(document.positions[0].quantity).toBe("1");
        expect(document.quarantine).toEqual([
          {
            file: "trades_20250724.csv",
            line: 3,
            code: "BAD_SIDE",
            text: `2,${ZN},2025-07-24 09:00:01,BUY,1,110`,
            why: 'buySell must be B or S, not "BUY"',
          },
        ]);
      },
    ));

  it("answers an empty desk", () =>
    withFiles({ "trades_20250830.csv": ledger() }, async (folder) => {
      const { code, out } = await pnlBridge(["pnl", "--trades", folder, "--json"]);
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ asOf: null, positions: [], daily: [], totals: { unmarked: [], untranslated: [] } });
    }));
});

describe("pnl for people", () => {
  it("prints an aligned table, what was refused, and what was noted", () =>
    withFiles({ "trades_20250724.csv": ledger(`1,${ZN},2025-07-24 00:00:00,B,3,110`, "oops") }, async (folder) => {
      const { code, out } = await pnlBridge(["pnl", "--trades", folder]);
      expect(code).toBe(1);
      expect(
        out,
      ).toBe(`P&L fifo as of 2025-07-24T00:00:00-05:00 · day rule chicago-17 · 1 file, 1 of 2 rows accepted, 0 duplicates

symbol                  quantity  average  mark  realized  unrealized  total
${ZN}         3      110   110         0           0      0  USD
total                                                   0           0      0  USD

1 row refused (quarantine), in no figure above:
  trades_20250724.csv:3 MISSING_COLUMN: the line has only 1 of the 6 columns of the header

START_OF_DAY × 1: a trade at midnight is a start-of-day position; kept (trades_20250724.csv:2)
`);
    }));

  it("writes every match for an audit", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          `1,${ZN},2025-07-24 09:00:00,B,3,110`,
          `2,${ZN},2025-07-24 09:00:01,S,5,111`,
          `3,${ZN},2025-07-24 09:00:02,B,1,110`,
        ),
      },
      async (folder) => {
        const matches = join(folder, "deep", "matches.csv");
        const { code } = await pnlBridge(["pnl", "--trades", folder, "--matches", matches, "--method", "average"]);
        expect(code).toBe(0);
        expect(await readFile(matches, "utf8")).toBe(
          `book,symbol,openTradeId,closeTradeId,quantity,openPrice,closePrice,pnl\n,${ZN},,2,3,110,111,3000\n,${ZN},,3,1,111,110,1000\n`,
        );
      },
    ));
});
