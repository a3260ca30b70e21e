import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { median } from "./measure.ts";
import { builtProgram, run } from "./program.ts";
import { type BenchResult, type BenchRow, megabytes, milliseconds } from "./report.ts";
import { inTemporaryFolder } from "./temporary.ts";

const [fewer, more] = [100_000, 300_000];
const repetitions = 3;
/** Three times as many symbols may take 3.5 times as long, because some parts grow a little faster. */
const target = { atMost: 3.5 };
const grouped = new Intl.NumberFormat("en");

/** Measures the whole program `pnl` over ledgers of one trade per symbol: time and memory must be linear. */
export function pnlSymbols(): Promise<BenchResult> {
  const program = builtProgram();
  return inTemporaryFolder(async (folder) => {
    const measured = async (symbols: number) => {
      const ledger = join(folder, `trades_${symbols}.csv`);
      const rows = Array.from({ length: symbols }, (_, at) => `${at},SYMBOL${at},2025-07-18 09:00:00,B,1,1`);
      await writeFile(
        ledger,
        `tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n${rows.join("\n")}\n`,
      );
      const command = [process.execPath, program, "pnl", "--trades", ledger];
      const ran = Array.from({ length: repetitions }, () => run(command, folder));
      const peaks = ran.flatMap(({ peakBytes }) => peakBytes ?? []);
      return {
        ms: median(ran.map(({ ms }) => ms)),
        peakBytes: peaks.length === 0 ? undefined : median(peaks),
      };
    };
    const [few, many] = [await measured(fewer), await measured(more)];
    const against = `${grouped.format(fewer)} symbols`;
    const rows: BenchRow[] = [
      { case: `time, ${against}`, measured: milliseconds(few.ms) },
      {
        case: `time, ${grouped.format(more)} symbols`,
        measured: milliseconds(many.ms),
        ratio: many.ms / few.ms,
        against,
        target,
      },
    ];
    if (few.peakBytes !== undefined && many.peakBytes !== undefined)
      rows.push({
        case: `peak memory, ${grouped.format(more)} symbols`,
        measured: megabytes(many.peakBytes),
        ratio: many.peakBytes / few.peakBytes,
        against,
        target,
      });
    const what = `pnl over one trade in each symbol, whole programs, median of ${repetitions}`;
    return { name: "pnl-symbols", what, rows };
  });
}
