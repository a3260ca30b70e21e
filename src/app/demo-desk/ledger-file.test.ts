import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readLedgers } from "../../adapters/csv/ledger-reader.ts";
import { tradingDayRules } from "../../domain/market/trading-day.ts";
import { PnlEngine } from "../../engine/index.ts";
import { describerOf, symbolBridge } from "../symbols/symbols.ts";
import { generateLedgerFile } from "./index.ts";

const symbols = symbolBridge(undefined);
const describeSymbol = describerOf(symbols);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "ledger-file-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("a ledger has the requested trades and symbols in time order, without refusals or notes", async () => {
  const path = join(folder, "trades_20250718.csv");
  const { bytes } = await generateLedgerFile(path, { trades: 20_000, symbols: 40 });
  expect((await stat(path)).size).toBe(bytes);
  const input = await readLedgers([path], {
    dayRule: tradingDayRules["chicago-17"],
    describe: describeSymbol,
  });
  expect([input.accepted, input.quarantined, input.notes]).toEqual([20_000, 0, []]);
  expect(input.trades.instruments).toHaveLength(40);
  const times = input.trades.timeUs.subarray(0, input.accepted);
  expect(times.every((time, index) => index === 0 || time >= (times[index - 1] as number))).toBe(true);
  expect(new Set(input.trades.day.subarray(0, input.accepted)).size).toBe(5);

  const engine = new PnlEngine(input.trades, { method: "fifo" });
  expect(engine.feed()).toEqual([]);
  engine.audit();
  for (const { matcher } of engine.lanes) expect(matcher.matches.length).toBeGreaterThan(50);
});

test("equal seeds write equal bytes, other seeds do not, and zero trades give only a header", async () => {
  const write = async (name: string, options: { seed?: number; trades: number }): Promise<string> => {
    await generateLedgerFile(join(folder, name), options);
    return readFile(join(folder, name), "utf8");
  };
  const once = await write("once.csv", { seed: 7, trades: 3_000 });
  expect(await write("again.csv", { seed: 7, trades: 3_000 })).toBe(once);
  expect(await write("other.csv", { seed: 8, trades: 3_000 })).not.toBe(once);
  expect(await write("empty.csv", { trades: 0 })).toBe(
    "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n",
  );
});

test("memory does not grow with the file", { timeout: 60_000 }, async () => {
  const entryPoint = new URL("./index.ts", import.meta.url).href;
  const peakBytes = async (trades: number): Promise<number> => {
    const path = join(folder, `big-${trades}.csv`);
    const program = `const { generateLedgerFile } = await import(${JSON.stringify(entryPoint)});
      let peak = 0;
      const look = () => { peak = Math.max(peak, process.memoryUsage.rss()); };
      const looking = setInterval(look, 5);
      await generateLedgerFile(${JSON.stringify(path)}, { trades: ${trades} });
      look();
      clearInterval(looking);
      console.log(peak);`;
    // Memory is sampled, because the peak that the system reports for a child may include its parent's before
    // exec. The small young generation keeps uncollected garbage out of the peak.
    const { stdout } = await promisify(execFile)(process.execPath, [
      "--max-semi-space-size=1",
      "--disable-warning=ExperimentalWarning",
      "--input-type=module",
      "--eval",
      program,
    ]);
    return Number(stdout);
  };
  // The baseline is not zero rows, because a program that has just started still grows by itself.
  const [some, four] = [200_000, 800_000];
  const [small, big] = [await peakBytes(some), await peakBytes(four)];
  const sizes = await Promise.all(
    [some, four].map(async (trades) => (await stat(join(folder, `big-${trades}.csv`))).size),
  );
  const more = (sizes[1] ?? 0) - (sizes[0] ?? 0);
  expect(more).toBeGreaterThan(40e6);
  expect(big - small).toBeLessThan(more / 2);
});

test("an unwritable path and invalid options are refused", async () => {
  await expect(generateLedgerFile(join(folder, "none", "x.csv"), { trades: 1 })).rejects.toMatchObject({
    code: "UNWRITABLE",
  });
  await expect(generateLedgerFile(join(folder, "x.csv"), { trades: -1 })).rejects.toThrow(RangeError);
  await expect(generateLedgerFile(join(folder, "x.csv"), { trades: 1, symbols: 201 })).rejects.toThrow(
    RangeError,
  );
});
