import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isClean, type PnlRunOptions, runPnl } from "./pnl-run.ts";

const base = mkdtempSync(join(tmpdir(), "pnl-run-"));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const header = "tradeId,instrumentName,marketTradeTime,buySell,quantity,price";
let count = 0;
/** A run over ledgers with these rows, one list per file. */
async function run(files: readonly (readonly string[])[], options: Partial<PnlRunOptions> = {}) {
  const paths = files.map((rows) => {
    const path = join(base, `trades_${20250701 + count++}.csv`);
    writeFileSync(path, `${[header, ...rows].join("\n")}\n`);
    return path;
  });
  const made = await runPnl({ trades: paths, ...options });
  return { ...made, codes: made.notes.map(({ code, line }) => `${line} ${code}`) };
}

describe("a ledger's symbols", () => {
  it("may be of any dialect, and all spellings of an instrument are one position", async () => {
    const spellings = ["TYU5 Comdty", "TYU5", "ZNU5", "ZNU2025", "XCME.ZN.SEP25", "XCMEFFDPSX20250919U0ZN"];
    const rows = spellings.flatMap((symbol, id) => [
      `${id},${symbol},2025-07-24 09:00:00,B,10,112.5`,
      `${id},${symbol},2025-07-24 10:00:00,S,10,112.75`,
    ]);
    const { statement } = await run([rows]);
    expect(statement.positions).toMatchObject([
      { symbol: "TYU5 Comdty", instrument: "ZNU2025", realized: "15000", currency: "USD", quantity: "0" },
    ]);
  });

  it("with a one-digit year are read by the year of the trade", async () => {
    const rows = [
      "1,TYU5,2015-07-24 09:00:00,B,1,112",
      "2,TYU5,2025-07-24 09:00:00,B,1,112",
      "3,TYU5,2015-07-24 10:00:00,S,1,112",
    ];
    const { statement } = await run([rows]);
    expect(statement.positions.map(({ instrument, quantity }) => [instrument, quantity])).toEqual([
      ["ZNU2015", "0"],
      ["ZNU2025", "1"],
    ]);
  });

  it("that are unknown and differ only in trailing zeros of the strike are one position", async () => {
    const { statement } = await run([
      ["1,MINE/110.50,2025-07-24 09:00:00,B,1,1", "2,MINE/110.5,2025-07-24 09:00:01,S,1,2"],
    ]);
    expect(statement.positions).toMatchObject([
      { symbol: "MINE/110.50", instrument: null, quantity: "0", realized: "1" },
    ]);
  });
});

describe("a run is in doubt", () => {
  const first = "1,XCMEFFDPSX20250919U0ZN,2025-07-24 10:00:00.046,B,2,110.5";

  it("if two files have different versions of one trade", async () => {
    const made = await run([[first], [first.replace(",B,2,", ",B,3,")]]);
    expect(made.codes).toContain("2 CONFLICTING_TRADE");
    expect([made.input.accepted, isClean(made)]).toEqual([2, false]);
  });

  it("only for different versions: one version of a trade in two files causes no doubt", async () => {
    const made = await run([[first], [first.replace(".046", "")]]);
    expect([made.input.accepted, made.input.duplicates, isClean(made)]).toEqual([1, 1, true]);
  });
});

describe("an expired instrument", () => {
  const option = (id: number, day: string, row: string) =>
    `${id},XCMEOPADPS20250725Q0OZN/110.5,${day} 10:00:00,${row}`;

  it("is noted if it stays open or is traded later", async () => {
    const rows = [option(1, "2025-07-24", "S,3,0.25"), option(2, "2025-08-20", "S,2,0.5")];
    const made = await run([[...rows, "3,XCMEFFDPSX20250919U0ZN,2025-10-20 10:00:00,B,1,111"]]);
    expect(made.codes.filter((code) => code.includes("EXP"))).toEqual([
      "3 TRADED_AFTER_EXPIRY",
      "3 EXPIRED_OPEN",
      "4 TRADED_AFTER_EXPIRY",
      "4 EXPIRED_OPEN",
    ]);
    expect(made.input.accepted).toBe(3);
  });

  it("is not noted if a trade at price 0 books the expiry, even a day late", async () => {
    const rows = [option(1, "2025-07-24", "S,3,0.25"), option(2, "2025-07-28", "B,3,0")];
    expect((await run([rows])).codes).toEqual(["3 ZERO_PRICE"]);
  });

  it("is not noted on its last day", async () => {
    expect((await run([[option(1, "2025-07-25", "S,3,0.25")]])).codes).toEqual([]);
  });
});

it("an as-of time that occurs twice is read as the first one, with a note", async () => {
  const made = await run([["1,ZNZ2025,2025-10-24 10:00:00,B,1,110"]], { asOf: "2025-11-02 01:30:00" });
  expect(made.notes).toMatchObject([
    { code: "AMBIGUOUS_TIME", why: expect.stringMatching(/^--as-of: .*an offset says which/) },
  ]);
  expect(made.asOfUs).toBe(Date.parse("2025-11-02T01:30:00-05:00") * 1000);
});
