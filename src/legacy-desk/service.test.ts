import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { runLegacy } from "./run.ts";
import { LegacyDesk } from "./service.ts";

const folder = mkdtempSync(join(tmpdir(), "legacy-desk-"));
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
/**
 * Writes a ledger of rows `id,symbol,time,side,quantity,price` to a new file, each named after another day.
 */
function ledger(...rows: string[]): string {
  files += 1;
  const path = join(folder, `trades_202508${String(files).padStart(2, "0")}.csv`);
  writeFileSync(path, ["tradeId,instrumentName,marketTradeTime,buySell,quantity,price", ...rows].join("\n"));
  return path;
}
const position = async (...rows: string[]) =>
  (await new LegacyDesk().history({ ledgers: [ledger(...rows)] })).positions[0];

describe("the desk", () => {
  test("quirk: reports points without the multiplier, and quantity 0 and average price 0 for a flat symbol", async () => {
    const rows = await new LegacyDesk().history({
      ledgers: [ledger("1,ZN,2025-08-04 10:00:00,B,1,110", "2,ZN,2025-08-04 11:00:00,S,1,111")],
    });
    expect(rows).toEqual({
      positions: [{ symbol: "ZN", quantity: "0", averagePrice: "0", realized: "1", unrealized: "0" }],
      daily: [{ symbol: "ZN", tradingDay: "2025-08-04", realized: "1", unrealized: "0", total: "1" }],
      errors: [],
    });
  });

  test("reports -0 as 0, and a rounding remainder as its shortest text (a quirk)", async () => {
    expect(await position("1,X,2025-08-04 10:00:00,S,60,0.0")).toMatchObject({
      averagePrice: "0",
      unrealized: "0",
    });
    const at = "2025-08-04 10:00:00";
    expect((await position(`1,X,${at},B,0.1,1`, `2,X,${at},B,0.2,1`, `3,X,${at},S,0.3,1`))?.quantity).toBe(
      "2.7755575615628914e-17",
    );
  });

  test("values open lots of the last day at their mark, or at the last traded price without one", async () => {
    const path = ledger(
      "1,X,2025-08-04 10:00:00,B,1,100",
      "2,Y,2025-08-05 12:00:00,B,1,50",
      "3,Y,2025-08-05 10:00:00,B,1,40",
    );
    const { positions, daily, errors } = await new LegacyDesk().history({
      ledgers: [path],
      marks: { X: "103.5", Z: "9" },
    });
    expect(positions.map((row) => [row.symbol, row.averagePrice, row.unrealized])).toEqual([
      ["X", "100", "3.5"],
      ["Y", "45", "10"],
    ]);
    expect(daily.map((row) => [row.symbol, row.tradingDay, row.total])).toEqual([
      ["X", "2025-08-04", "0"],
      ["X", "2025-08-05", "3.5"],
      ["Y", "2025-08-05", "10"],
    ]);
    expect(errors).toEqual([]);
  });

  test("refuses a single mark that is not a price", async () => {
    const path = ledger("1,X,2025-08-04 10:00:00,B,1,100");
    for (const mark of ["", "-1", "#N/A", "Infinity"]) {
      const { positions, errors } = await new LegacyDesk().history({ ledgers: [path], marks: { X: mark } });
      expect(errors.map((error) => error.code)).toEqual(["LEGACY_MARK_REJECTED"]);
      expect(positions[0]?.unrealized).toBe("0");
    }
  });

  test("quirk: treats a mark of 0 as missing in the position, but counts it in the daily row", async () => {
    const path = ledger("1,X,2025-08-04 10:00:00,B,10,0.25");
    const { positions, daily } = await new LegacyDesk().history({ ledgers: [path], marks: { X: "0" } });
    expect([positions[0]?.unrealized, daily[0]?.unrealized]).toEqual(["0", "-2.5"]);
  });
});

describe("a row", () => {
  const row = "1,X,2025-08-04 09:00:00,B,5,100";
  test.each([
    ["quirk: side BUY", "2,X,2025-08-04 10:00:00,BUY,1,1"],
    ["quirk: quantity 0", "2,X,2025-08-04 10:00:00,B,0,1"],
    ["quirk: price -1", "2,X,2025-08-04 10:00:00,B,1,-1"],
    ["quirk: T separator", "2,X,2025-08-04T10:00:00,B,1,1"],
    ["no symbol", "2,,2025-08-04 10:00:00,B,1,1"],
  ])("with %s rejects the file, but the rows before it stay counted", async (_, bad) => {
    const [rejected, next] = [ledger(row, bad, row), ledger("3,X,2025-08-05 09:00:00,S,2,101")];
    const { positions, errors } = await new LegacyDesk().history({ ledgers: [rejected, next] });
    expect(errors).toEqual([
      { code: "LEGACY_FILE_REJECTED", rowsTaken: 1, why: expect.any(String), file: rejected },
    ]);
    expect(positions).toMatchObject([{ quantity: "3", realized: "2" }]);
  });

  test("that sells -5 is a purchase of 5 (a quirk)", async () => {
    expect(await position("1,X,2025-08-04 10:00:00,S,-5,100")).toMatchObject({
      quantity: "5",
      averagePrice: "100",
    });
  });

  test("that books an expiry at price 0 realizes the cost (a quirk)", async () => {
    const rows = ["1,X,2025-08-04 10:00:00,B,10,0.25", "2,X,2025-08-05 10:00:00,S,10,0.0"];
    expect(await position(...rows)).toMatchObject({ quantity: "0", realized: "-2.5" });
  });

  test("at midnight, which represents a start-of-day position, is an ordinary trade (a quirk)", async () => {
    const rows = ["1,X,2025-08-04 18:00:00,S,24,3", "2,X,2025-08-05 00:00:00.000,B,1000,0.0"];
    expect(await position(...rows)).toMatchObject({ quantity: "976", averagePrice: "0", realized: "72" });
  });

  test("with a repeated id counts again (a quirk)", async () => {
    const rows = ["688,X,2025-08-04 10:00:00,B,1,100", "688,X,2025-08-04 10:00:00,B,1,100"];
    expect(await position(...rows)).toMatchObject({ quantity: "2" });
  });

  test("of another file counts when a file is missing, which is reported as an error", async () => {
    const missing = join(folder, "trades_20240101.csv");
    const { positions, errors } = await new LegacyDesk().history({ ledgers: [missing, ledger(row)] });
    expect(errors).toMatchObject([{ code: "LEGACY_FILE_UNREADABLE", file: missing }]);
    expect(positions[0]?.quantity).toBe("5");
  });
});

describe("a run over several files", () => {
  test("quirk: carries lots over when chained, but not in file-at-a-time mode", async () => {
    const ledgers = [ledger("1,X,2025-08-04 10:00:00,B,1,110"), ledger("2,X,2025-08-05 10:00:00,S,1,111")];
    const chained = await new LegacyDesk().history({ ledgers });
    const deployed = await new LegacyDesk({ mode: "file-at-a-time" }).history({ ledgers });
    expect(chained.positions).toMatchObject([{ quantity: "0", realized: "1" }]);
    expect(deployed.positions).toMatchObject([{ quantity: "-1", averagePrice: "111", realized: "0" }]);
    const perFile = runLegacy({ ledgers }, "file-at-a-time").files.map(
      ({ calculation }) => calculation?.positions[0]?.position,
    );
    expect(perFile).toEqual([1, -1]);
  });

  test("counts a repeated path twice when chained, and once in file-at-a-time mode", async () => {
    const path = ledger("1,X,2025-08-04 10:00:00,B,2,110", "2,X,2025-08-04 11:00:00,S,1,111");
    const position = async (mode: "chained" | "file-at-a-time") =>
      (await new LegacyDesk({ mode }).history({ ledgers: [path, path] })).positions[0];
    expect(await position("chained")).toMatchObject({ quantity: "2", realized: "2" });
    expect(await position("file-at-a-time")).toMatchObject({ quantity: "1", realized: "1" });
  });

  test("in file-at-a-time mode uses a close for the day in its file's name, and evening fills replace the earlier row of their day", () => {
    const [first, second] = [join(folder, "trades_20250904.csv"), join(folder, "trades_20250905.csv")];
    const header = "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n";
    writeFileSync(first, `${header}1,X,2025-09-04 10:00:00,B,1,100\n2,X,2025-09-04 11:00:00,S,1,101\n`);
    writeFileSync(second, `${header}3,X,2025-09-04 17:20:00,B,2,100\n`);
    const { positions, daily } = runLegacy(
      { ledgers: [first, second], marks: { X: "103" } },
      "file-at-a-time",
    );
    expect(positions).toMatchObject([{ position: 2, realized: 1, unrealized: 6 }]);
    expect(daily.map((row) => [row.date, row.realized, row.unrealized])).toEqual([
      ["2025-09-04", 0, 0],
      ["2025-09-05", 0, 6],
    ]);
  });
});

const data = "../shared/data";
const expectedFile = join(data, "expected/two-systems.json");
const present = existsSync(expectedFile);

describe.skipIf(!present)("the desk equals the real one bit for bit on real ledgers", () => {
  interface Figures {
    readonly position: number;
    readonly avg_cost: number;
    readonly realized_unscaled: number;
    readonly realized_x_mult: number;
    readonly mark: number;
    readonly unrealized_unscaled: number;
    readonly unrealized_x_mult: number;
    readonly daily_realized_by_calendar_date: Readonly<Record<string, number>>;
  }
  interface Case {
    readonly files: readonly string[];
    readonly marks: Readonly<Record<string, number>>;
    readonly legacy: Readonly<Record<string, Figures | string>>;
  }
  const cases: Readonly<Record<string, Case>> = present ? JSON.parse(readFileSync(expectedFile, "utf8")) : {};

  test.each(Object.entries(cases))("%s", (_, { files, marks, legacy }) => {
    const ledgers = files.map((file) => join(data, file));
    const asText = Object.fromEntries(
      Object.entries(marks).map(([symbol, price]) => [symbol, String(price)]),
    );
    const run = runLegacy({ ledgers, marks: asText });
    expect(run.errors).toEqual([]);
    const expected = Object.fromEntries(
      Object.entries(legacy).filter(([, figures]) => typeof figures === "object"),
    );
    const found = run.positions.map(
      ({ symbol, position, averageCost, realized, marketClose, unrealized }) => {
        const multiplier = symbol.startsWith("XCME.TU.") || symbol.endsWith("0ZT") ? 2000 : 1000;
        const realizing = run.daily.filter((row) => row.symbol === symbol && row.realized !== 0);
        const figures: Figures = {
          position,
          avg_cost: averageCost,
          realized_unscaled: realized,
          realized_x_mult: realized * multiplier,
          mark: marketClose,
          unrealized_unscaled: unrealized,
          unrealized_x_mult: unrealized * multiplier,
          daily_realized_by_calendar_date: Object.fromEntries(
            realizing.map((row) => [row.date, row.realized]),
          ),
        };
        return [symbol, figures];
      },
    );
    expect(Object.fromEntries(found)).toStrictEqual(expected); // Compares numbers with Object.is: -0 is not 0.
  });

  test("quirk: a real chain of ledgers realizes 593.75 chained and 125.00 file at a time", () => {
    const ledgers = (cases.JULY_0721_0725?.files ?? []).map((file) => join(data, file));
    expect((runLegacy({ ledgers }).positions[0]?.realized ?? 0) * 1000).toBe(593.75);
    const deployed = runLegacy({ ledgers }, "file-at-a-time");
    expect((deployed.positions[0]?.realized ?? 0) * 1000).toBe(125);
    expect(deployed.files.map(({ calculation }) => calculation?.positions[0]?.position)).toEqual([
      2, -1, -3, 1, 1,
    ]);
  });
});
