import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { generateLedgerFile } from "../src/app/demo-desk/index.ts";
import { ratio, timesOf } from "./measure.ts";
import { builtProgram, type Ran, run } from "./program.ts";
import { type BenchResult, type BenchRow, megabytes, milliseconds } from "./report.ts";
import { inTemporaryFolder } from "./temporary.ts";

const trades = 1_000_000;
const repetitions = 3;
const peakMaxBytes = 600e6;

/**
 * Measures two whole programs over one ledger: pnl-bridge, exact and with all its checks, against a plain
 * Python loop over csv.DictReader and deques of floats.
 */
export async function pnl(): Promise<BenchResult> {
  const program = builtProgram();
  const what = `${trades / 1e6} M trades, from the file to the answer, whole programs, median of ${repetitions}`;
  const python = pythonPath();
  if (python === undefined)
    return { name: "pnl", what, rows: [], skipped: "python3 is not installed on this machine" };
  return inTemporaryFolder(async (folder) => {
    const ledger = join(folder, "trades_20250718.csv");
    await generateLedgerFile(ledger, { trades });
    const commands = {
      ours: [process.execPath, program, "pnl", "--trades", ledger, "--json"],
      naive: [python, fileURLToPath(new URL("naive_pnl.py", import.meta.url)), ledger],
    };
    const runs: { ours: Ran[]; naive: Ran[] } = { ours: [], naive: [] };
    for (let repetition = 0; repetition < repetitions; repetition++)
      for (const name of repetition % 2 === 0 ? (["ours", "naive"] as const) : (["naive", "ours"] as const))
        runs[name].push(run(commands[name], folder));
    checkAnswers((runs.ours[0] as Ran).stdout, (runs.naive[0] as Ran).stdout);
    const ours = timesOf(runs.ours.map(({ ms }) => ms));
    const naive = timesOf(runs.naive.map(({ ms }) => ms));
    return {
      name: "pnl",
      what,
      rows: [
        {
          case: "pnl-bridge pnl --json",
          measured: milliseconds(ours.medianMs),
          ratio: ratio(ours, naive),
          against: "naive Python",
          target: { atMost: 0.8 },
        },
        { case: "naive Python loop", measured: milliseconds(naive.medianMs) },
        ...memoryRows(runs),
      ],
    };
  });
}

function memoryRows(runs: { readonly ours: readonly Ran[]; readonly naive: readonly Ran[] }): BenchRow[] {
  const peakOf = (ran: readonly Ran[]): number =>
    Math.max(...ran.map(({ peakBytes }) => peakBytes ?? Number.NaN));
  const [ours, naive] = [peakOf(runs.ours), peakOf(runs.naive)];
  if (Number.isNaN(ours)) return [{ case: "peak memory", measured: "unknown: GNU time is not installed" }];
  return [
    {
      case: "peak memory of pnl-bridge",
      measured: megabytes(ours),
      ratio: ours / peakMaxBytes,
      against: megabytes(peakMaxBytes),
      target: { atMost: 1 },
    },
    { case: "peak memory of the Python loop", measured: megabytes(naive) },
  ];
}

/**
 * Throws unless both programs give the same answer. Python's answer is in points; its floats hold 64ths
 * exactly.
 */
function checkAnswers(ours: string, naive: string): void {
  const positions: { symbol: string; quantity: string; realized: string; multiplier: string }[] =
    JSON.parse(ours).positions;
  const points: Record<string, { quantity: number; realized: number }> = JSON.parse(naive).positions;
  const differing = positions.filter(({ symbol, quantity, realized, multiplier }) => {
    const other = points[symbol];
    return other?.quantity !== Number(quantity) || other.realized * Number(multiplier) !== Number(realized);
  });
  if (positions.length === 0 || positions.length !== Object.keys(points).length || differing.length > 0)
    throw new Error(`the two programs differ on ${differing.length} of ${positions.length} symbols`);
}

/** Returns the path of the interpreter itself, since `python3` may be a script that starts it. */
function pythonPath(): string | undefined {
  const { status, stdout } = spawnSync("python3", ["-c", "import sys; print(sys.executable)"], {
    encoding: "utf8",
  });
  return status === 0 ? stdout.trim() : undefined;
}
