import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ledger, pnlBridge, withFiles } from "./run-cli.ts";

const ZN = "XCMEFFDPSX20250919U0ZN";

describe("pnl --json", () => {
  it("prints the documented JSON document", () =>
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
              lots: [
                { tradeId: "46", quantity: "1", price: "110.875", openedAt: "2025-07-24T13:08:35.561-05:00" },
              ],
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
          totals: {
            USD: { realized: "-15.625", unrealized: "-15.625", total: "-31.25" },
            unmarked: [],
            untranslated: [],
          },
          quarantine: [],
          notes: [],
          input: { files: 1, rows: 2, accepted: 2, duplicates: 0 },
        });
        expect(code).toBe(0);
      },
    ));

  it("keeps flat symbols, separates books and currencies, and lists fees separately", () =>
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
          positions.map(
            ({
              book,
              symbol,
              quantity,
              averagePrice,
              realized,
              unrealized,
              fees,
            }: Record<string, string>) => [book, symbol, quantity, averagePrice, realized, unrealized, fees],
          ),
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

  it("values only days with a mark; the next such day has the whole change, and days add up to totals", () =>
    withFiles(
      {
        "trades_20250716.csv": ledger(`1,${ZN},2025-07-16 09:00:00,B,1,110`),
        "trades_20250717.csv": ledger(
          `2,${ZN},2025-07-17 09:00:00,B,1,110.5`,
          `3,${ZN},2025-07-17 10:00:00,S,1,110.75`,
        ),
        "trades_20250718.csv": ledger(`4,${ZN},2025-07-18 09:00:00,B,1,111`),
        "Futures_20250716_1400.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,110.2,110.09,\n",
        "Futures_20250718_1600.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,110.2,111.165,\n",
      },
      async (folder) => {
        const { out } = await pnlBridge(["pnl", "--trades", folder, "--prices", folder, "--json"]);
        const { positions, daily, totals, asOf } = JSON.parse(out);
        expect(asOf).toBe("2025-07-18T16:00:00-05:00");
        // `110.2` in a file is 110-20 or 110.625, at 14:00; `111.165` is 111-16.5 or 111.515625, at 16:00.
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

  it("reports a missing mark as null, not as zero, and lists the symbol", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          `1,${ZN},2025-07-24 09:00:00,B,1,110`,
          "2,XCME.TU.H5,2025-07-24 09:00:00,B,1,103",
        ),
        "marks.json": '{"ZNU2025": 110.50000000000000000001, "MISSPELT": "1"}',
      },
      async (folder) => {
        const { out } = await pnlBridge([
          "pnl",
          "--trades",
          folder,
          "--marks",
          join(folder, "marks.json"),
          "--json",
        ]);
        const { positions, totals, notes } = JSON.parse(out);
        expect(positions[0]).toMatchObject({
          symbol: "XCME.TU.H5",
          mark: null,
          markKind: null,
          unrealized: null,
        });
        expect(positions[1]).toMatchObject({
          mark: "110.50000000000000000001",
          markKind: "given",
          unrealized: "500.00000000000000001",
        });
        expect(totals).toMatchObject({
          unmarked: ["XCME.TU.H5"],
          USD: { unrealized: "500.00000000000000001" },
        });
        expect(notes).toContainEqual(
          expect.objectContaining({ code: "UNUSED_MARK", why: expect.stringContaining("MISSPELT") }),
        );
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
        const { positions, totals } = JSON.parse(
          (await pnlBridge(["pnl", "--trades", folder, "--json"])).out,
        );
        expect(positions.map(({ book, mark }: Record<string, string>) => [book, mark])).toEqual([
          ["RV", "112"],
          ["UST", "112"],
        ]);
        expect(totals.USD.total).toBe("20000");
      },
    ));

  it("notes a trade older than the trades of an earlier file, and a session that has no price yet", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(`1,${ZN},2025-07-24 09:00:00,B,1,110`),
        "trades_20250725.csv": ledger(
          `2,${ZN},2025-07-24 08:00:00,B,1,109`,
          `3,${ZN},2025-07-25 08:00:00,S,1,111`,
        ),
        "Futures_20250725_1600.csv": "SYMBOL,PX_LAST,PX_SETTLE,\nTY,110.2,111.165,\n",
      },
      async (folder) => {
        const at = (...more: string[]) =>
          pnlBridge(["pnl", "--trades", folder, "--json", ...more]).then(({ out }) => JSON.parse(out));
        const { notes, positions } = await at();
        expect(notes).toContainEqual(
          expect.objectContaining({ code: "LATE_TRADE", file: "trades_20250725.csv", line: 2 }),
        );
        // The late trade is the oldest lot, so the sale closes it first and trade 1 stays open.
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

  it("leaves out trades later than --as-of, and says so", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          `1,${ZN},2025-07-24 09:00:00,B,1,110`,
          `2,${ZN},2025-07-24 17:30:00,B,1,111`,
        ),
      },
      async (folder) => {
        const { out } = await pnlBridge([
          "pnl",
          "--trades",
          folder,
          "--as-of",
          "2025-07-24 16:00:00",
          "--json",
        ]);
        const { positions, asOf, daily, notes } = JSON.parse(out);
        expect(asOf).toBe("2025-07-24T16:00:00-05:00");
        expect(positions[0].quantity).toBe("1");
        expect(daily).toHaveLength(1);
        expect(notes).toContainEqual(expect.objectContaining({ code: "AFTER_AS_OF" }));
      },
    ));

  it("exits 1 with the result of the good rows if a row was refused", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          `1,${ZN},2025-07-24 09:00:00,B,1,110`,
          `2,${ZN},2025-07-24 09:00:01,BUY,1,110`,
        ),
      },
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

  it("returns an empty document for a ledger without rows", () =>
    withFiles({ "trades_20250830.csv": ledger() }, async (folder) => {
      const { code, out } = await pnlBridge(["pnl", "--trades", folder, "--json"]);
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({
        asOf: null,
        positions: [],
        daily: [],
        totals: { unmarked: [], untranslated: [] },
      });
    }));
});

describe("pnl for people", () => {
  it("prints an aligned table, the refused rows, and the notes", () =>
    withFiles(
      { "trades_20250724.csv": ledger(`1,${ZN},2025-07-24 00:00:00,B,3,110`, "oops") },
      async (folder) => {
        const { code, out } = await pnlBridge(["pnl", "--trades", folder]);
        expect(code).toBe(1);
        expect(
          out,
        ).toBe(`P&L fifo as of 2025-07-24T00:00:00-05:00 · day rule chicago-17 · 1 file, 1 of 2 rows accepted, 0 duplicates

symbol                  quantity  average  mark  realized  unrealized  total
${ZN}         3      110   110      0.00        0.00   0.00  USD
total                                                0.00        0.00   0.00  USD

1 row refused (quarantine), not in the figures above:
  trades_20250724.csv:3 MISSING_COLUMN: the line has only 1 of the 6 columns of the header

START_OF_DAY × 1: a trade at midnight is a start-of-day position; it counts (trades_20250724.csv:2)
`);
      },
    ));

  it("adds up figures of any size, with the same total in the table as in the JSON", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(`1,${ZN},2025-07-24 09:00:00,B,2,110.5`),
        "marks.json": '{ "ZNU2025": 1e400 }',
      },
      async (folder) => {
        const args = ["pnl", "--trades", folder, "--marks", join(folder, "marks.json")];
        const [table, json] = [await pnlBridge(args), await pnlBridge([...args, "--json"])];
        expect(JSON.parse(json.out).totals.USD.total).toBe((2000n * 10n ** 400n - 221_000n).toString());
        const total = table.out.split("\n").find((line) => line.startsWith("total"));
        expect(total?.split(/ +/)).toEqual(["total", "0.00", "2e403", "2e403", "USD"]);
      },
    ));

  it("writes every match to a CSV file", () =>
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
        const { code } = await pnlBridge([
          "pnl",
          "--trades",
          folder,
          "--matches",
          matches,
          "--method",
          "average",
        ]);
        expect(code).toBe(0);
        expect(await readFile(matches, "utf8")).toBe(
          "book,symbol,openTradeId,closeTradeId,quantity,openPrice,closePrice,pnl\n" +
            `,${ZN},,2,3,110,111,3000\n,${ZN},,3,1,111,110,1000\n`,
        );
      },
    ));
});

describe("pnl and the names of instruments", () => {
  type Row = Readonly<Record<string, string | null>>;
  const pnl = async (folder: string, ...more: readonly string[]) => {
    const { code, out, err } = await pnlBridge(["pnl", "--trades", folder, ...more, "--json"]);
    expect(err).toBe("");
    return { code, ...JSON.parse(out) };
  };
  const marketPrices = (...rows: readonly string[]): string =>
    `bloomberg,PX_LAST,PX_SETTLE,PX_BID,PX_ASK,OPT_EXPIRE_DT,MONEYNESS\n${rows.map((row) => `${row},,,,,\n`).join("")}`;
  const optionPrices = (...rows: readonly string[]): string =>
    `SYMBOL,PX_LAST,PX_SETTLE,EXPIRE_DT,MONEYNESS\n${rows.map((row) => `${row},,,\n`).join("")}`;

  it("finds an instrument's price under any name that the day's file uses", () => {
    const future = [
      ["2025-07-21", "TYU5"],
      ["2025-07-22", "TYU5 Comdty"],
      ["2025-07-23", "XCME.ZN.SEP25"],
      ["2025-07-24", "ZNU2025"],
      ["2025-07-25", "TY"],
      ["2025-07-28", "ZN"],
      ["2025-07-29", "ZNU5"],
      ["2025-07-30", "SEP 25 CBT 10YR TNOTE"],
      ["2025-07-31", ZN],
    ] as const;
    const option = [
      ["2025-07-21", "TYQ5P 110.750 Comdty"],
      ["2025-07-22", "TYQ5P 110.75 Comdty"],
      ["2025-07-23", "OZNQ5 P11075"],
      ["2025-07-24", "XCME.OZN.AUG25.110:75.P"],
      ["2025-07-25", "ZN-2025-08-OZN-P110.750"],
    ] as const;
    const fileOf = (family: string, day: string): string => `${family}_${day.replaceAll("-", "")}_1400.csv`;
    const OZN = "XCMEOPADPS20250725Q0OZN/110.75";
    return withFiles(
      {
        "trades_20250721.csv": ledger(
          `1,${ZN},2025-07-21 09:00:00,B,1,100`,
          `2,${OZN},2025-07-21 09:00:01,B,1,0`,
        ),
        ...Object.fromEntries(
          future.map(([day, name], at) => [
            fileOf("market_prices", day),
            marketPrices(`${name},${110 + at}`),
          ]),
        ),
        ...Object.fromEntries(
          option.map(([day, name], at) => [fileOf("Options", day), optionPrices(`${name},0.${at + 1}`)]),
        ),
        // In a delivery month a symbol without a month may mean either of two contracts.
        "market_prices_20250902_1400.csv": marketPrices("TY,150"),
      },
      async (folder) => {
        const { daily, notes, quarantine } = await pnl(folder, "--prices", folder);
        const marks = (symbol: string, days: number) =>
          daily
            .filter((row: Row) => row.symbol === symbol)
            .slice(0, days)
            .map((row: Row) => [row.tradingDay, row.mark]);
        expect(marks(ZN, future.length + 1)).toEqual([
          ...future.map(([day], at) => [day, `${110 + at}`]),
          ["2025-09-02", null],
        ]);
        expect(marks(OZN, option.length)).toEqual(option.map(([day], at) => [day, `0.${at + 1}`]));
        expect(quarantine).toEqual([]);
        expect(notes.filter(({ file }: Row) => file?.startsWith("market"))).toEqual([
          {
            file: "market_prices_20250902_1400.csv",
            line: 2,
            code: "AMBIGUOUS_ROOT",
            why: expect.stringContaining("TY"),
          },
        ]);
      },
    );
  });

  it("finds an option's price under its Bloomberg name, and refuses a ledger's name in a price file", () => {
    const VY3 = "XCMEOPADPS20250721N0VY3/110.25";
    return withFiles(
      {
        "trades_20250721.csv": ledger(`1,${VY3},2025-07-21 09:00:00,B,2,0.25`),
        "market_prices_20250721_1400.csv": marketPrices(
          "VBYN25P3 110.250 Comdty,0.5",
          "XCMEOCADPS20250721N0VY3/110.25,0.75",
          `${VY3},0.75`,
        ),
      },
      async (folder) => {
        const { code, positions, quarantine } = await pnl(folder, "--prices", folder);
        expect(positions).toMatchObject([
          { symbol: VY3, instrument: "ZN-2025-07-VY3-P110.250", mark: "0.5", unrealized: "500" },
        ]);
        expect(quarantine.map((row: Row) => [row.file, row.line, row.code])).toEqual([
          ["market_prices_20250721_1400.csv", 3, "UNKNOWN_CONVENTION"],
          ["market_prices_20250721_1400.csv", 4, "UNKNOWN_CONVENTION"],
        ]);
        expect(quarantine[0].why).toContain("XCMEOCADCS");
        expect(code).toBe(1);
      },
    );
  });

  it("finds a given mark under any name of its instrument, and refuses two prices of one instrument", () =>
    withFiles(
      {
        "trades_20250721.csv": ledger(
          `1,${ZN},2025-07-21 09:00:00,B,1,110`,
          "2,XCMEFFDPSX20250930U0ZT,2025-07-21 09:00:01,B,1,103",
          "3,XCMEFFDPSX20250930U0ZF,2025-07-21 09:00:02,B,1,108",
          "4,XCMEFFDPSX20250919U0ZB,2025-07-21 09:00:03,B,1,113",
          "5,XCMEOPADPS20250721N0VY3/110.25,2025-07-21 09:00:04,B,1,0.25",
        ),
        "marks.json": JSON.stringify({
          TY: "111",
          "XCME.ZT.SEP25": "104",
          "fvu5 comdty": "109",
          "SEP 25 CBT 30YR TBOND": "114",
          "VBYN25P3 110.25": "1.25",
        }),
        "two.json": '{"TY": "111", "XCME.ZN.SEP25": "112"}',
      },
      async (folder) => {
        const { positions, notes } = await pnl(folder, "--marks", join(folder, "marks.json"));
        expect(positions.map((row: Row) => [row.instrument, row.unrealized])).toEqual([
          ["ZBU2025", "1000"],
          ["ZNU2025", "1000"],
          ["ZFU2025", "1000"],
          ["ZTU2025", "2000"],
          ["ZN-2025-07-VY3-P110.250", "1000"],
        ]);
        expect(notes).toEqual([]);
        const { code, err } = await pnlBridge([
          "pnl",
          "--trades",
          folder,
          "--marks",
          join(folder, "two.json"),
        ]);
        expect([code, err]).toEqual([
          2,
          expect.stringMatching(
            /^BAD_MARKS: .*"TY" and "XCME\.ZN\.SEP25" are one instrument with two prices/,
          ),
        ]);
      },
    ));

  it("joins two spellings in one position, resolves a wrong week by the date, and notes both by line", () =>
    withFiles(
      {
        "trades_20250721.csv": ledger(
          "1,XCMEOPADPS20250721N0VY3/110.5,2025-07-21 09:00:00,B,2,0.5",
          "2,XCMEOPADPS20250721N0VY3/110.50,2025-07-21 09:00:01,S,1,0.75",
          "3,XCMEOPADPS20250721N0VY2/110.50,2025-07-21 09:00:02,S,1,1",
        ),
      },
      async (folder) => {
        const { positions, notes, code } = await pnl(folder);
        expect(positions).toMatchObject([
          {
            symbol: "XCMEOPADPS20250721N0VY3/110.5",
            instrument: "ZN-2025-07-VY3-P110.500",
            quantity: "0",
            realized: "750",
            multiplier: "1000",
          },
        ]);
        const aliased = expect.stringContaining("one position, under XCMEOPADPS20250721N0VY3/110.5");
        expect(notes).toEqual([
          { file: "trades_20250721.csv", line: 3, code: "ALIASED_SYMBOL", why: aliased },
          {
            file: "trades_20250721.csv",
            line: 4,
            code: "WEEK_DIGIT_MISMATCH",
            why: expect.stringContaining("VY2/110.50: week 2"),
          },
          { file: "trades_20250721.csv", line: 4, code: "ALIASED_SYMBOL", why: aliased },
        ]);
        expect(code).toBe(0);
      },
    ));

  it("keeps an untranslated symbol under its own text, with its product's multiplier if that is known", () =>
    withFiles(
      {
        "trades_20250721.csv": ledger(
          "1,XCME.TU.H5,2025-07-21 09:00:00,B,1,103",
          "2,XCME.TU.H5,2025-07-21 09:00:01,S,1,103.5",
          "3,XCMEOPADPS20250722N0VY3/110,2025-07-21 09:00:02,B,1,0.25",
          "4,XCMEOPADPS20250721N0VY3/110,2025-07-21 09:00:03,S,1,0.25",
          "5,XCME.XX.H5,2025-07-21 09:00:04,B,1,2",
          "6,XCME.XX.H5,2025-07-21 09:00:05,S,1,3",
        ),
        "marks.json": '{"XCMEOPADPS20250722N0VY3/110": "0.5", "XCMEOPADPS20250721N0VY3/110": "0.75"}',
      },
      async (folder) => {
        const { positions, totals, notes, code } = await pnl(folder, "--marks", join(folder, "marks.json"));
        const shown = positions.map((row: Row) => [
          row.symbol,
          row.instrument,
          row.multiplier,
          row.currency,
          row.realized,
          row.mark,
        ]);
        expect(shown).toEqual([
          ["XCME.TU.H5", null, "2000", "USD", "1000", null],
          ["XCME.XX.H5", null, "1", "XXX", "1", null],
          ["XCMEOPADPS20250721N0VY3/110", "ZN-2025-07-VY3-P110.000", "1000", "USD", "0", "0.75"],
          // One digit of its date is wrong, so it must not share lots with the symbol above.
          ["XCMEOPADPS20250722N0VY3/110", null, "1000", "USD", "0", "0.5"],
        ]);
        expect(totals.untranslated).toEqual(["XCME.TU.H5", "XCME.XX.H5", "XCMEOPADPS20250722N0VY3/110"]);
        expect(notes.map(({ line, code: of, why }: Row) => [line, of, why])).toEqual([
          [2, "UNTRANSLATED", expect.stringMatching(/^XCME\.TU\.H5: UNKNOWN_PRODUCT: /)],
          [
            4,
            "UNTRANSLATED",
            expect.stringMatching(/^XCMEOPADPS20250722N0VY3\/110: DATE_NOT_OF_SERIES: .*Tuesday/),
          ],
          [6, "UNKNOWN_PRODUCT", expect.stringContaining("XCME.XX.H5: multiplier 1")],
        ]);
        expect(code).toBe(0);
      },
    ));

  it("takes expiries from the desk's calendar, and refuses a calendar that contradicts itself", () => {
    const head = "Option Expiration Date (CT),Option Symbol\n";
    return withFiles(
      {
        "trades_20250721.csv": ledger("1,XCMEOPADPS20250722N0VY3/110,2025-07-21 09:00:00,B,1,0.25"),
        "moved.csv": `${head}7/22/2025 14:00,VY3N5\n`,
        "torn.csv": `${head}7/22/2025 14:00,VY3N5\n7/21/2025 14:00,VY3N5\n`,
      },
      async (folder) => {
        const { positions, notes } = await pnl(folder, "--calendar", join(folder, "moved.csv"));
        expect(positions).toMatchObject([{ instrument: "ZN-2025-07-VY3-P110.000" }]);
        expect(notes).toEqual([]);
        const { code, out, err } = await pnlBridge([
          "pnl",
          "--trades",
          folder,
          "--calendar",
          join(folder, "torn.csv"),
        ]);
        expect([code, out]).toEqual([2, ""]);
        expect(err).toMatch(/^BAD_CALENDAR: .*CONFLICTING_EXPIRY.*torn\.csv:2\); .*\n$/);
      },
    );
  });
});
