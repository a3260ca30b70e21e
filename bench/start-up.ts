import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ratio, timesOf } from "./measure.ts";
import { builtProgram, run } from "./program.ts";
import { type BenchResult, milliseconds } from "./report.ts";
import { inTemporaryFolder } from "./temporary.ts";

const repetitions = 15;

/** Measures the time of `--help` against an empty Node program. */
export async function startUp(): Promise<BenchResult> {
  const program = builtProgram();
  return inTemporaryFolder(async (folder) => {
    const empty = join(folder, "empty.js");
    await writeFile(empty, "");
    const [helpMs, emptyMs]: [number[], number[]] = [[], []];
    for (let repetition = -1; repetition < repetitions; repetition++) {
      const help = run([process.execPath, program, "--help"], folder);
      const nothing = run([process.execPath, empty], folder);
      if (!help.stdout.includes("pnl-bridge")) throw new Error("--help did not print the help");
      // The first run of both programs only warms the disk's cache.
      if (repetition < 0) continue;
      helpMs.push(help.ms);
      emptyMs.push(nothing.ms);
    }
    const [help, nothing] = [timesOf(helpMs), timesOf(emptyMs)];
    return {
      name: "start-up",
      what: `whole programs, median of ${repetitions}`,
      rows: [
        {
          case: "pnl-bridge --help",
          measured: milliseconds(help.medianMs),
          ratio: ratio(help, nothing),
          against: "an empty program",
          target: { atMost: 3 },
        },
        { case: "an empty Node program", measured: milliseconds(nothing.medianMs) },
      ],
    };
  });
}
