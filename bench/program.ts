import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Returns the path of the built program. Throws if it has not been built. */
export function builtProgram(): string {
  if (!existsSync(join(root, "dist/surfaces/cli/main.js")))
    throw new Error("dist/ is not built; run ./run build");
  return join(root, "bin/pnl-bridge.js");
}

export interface Ran {
  readonly stdout: string;
  readonly ms: number;
  /** Peak memory of the program. Undefined if this machine has no GNU time. */
  readonly peakBytes: number | undefined;
}

/** Runs a program to its end. Throws if it does not exit with 0. GNU time measures its peak memory. */
export function run(command: readonly string[], folder: string): Ran {
  const report = join(folder, "time.txt");
  const timed = gnuTime === undefined ? command : [gnuTime, "-v", "-o", report, ...command];
  const startedMs = performance.now();
  const ended = spawnSync(timed[0] as string, timed.slice(1), { encoding: "utf8", maxBuffer: 1 << 28 });
  const ms = performance.now() - startedMs;
  if (ended.status !== 0) throw new Error(`${command.slice(0, 4).join(" ")} … ended with ${whyEnded(ended)}`);
  const kilobytes =
    gnuTime === undefined
      ? undefined
      : /Maximum resident set size \(kbytes\): (\d+)/.exec(readFileSync(report, "utf8"))?.[1];
  return {
    stdout: ended.stdout,
    ms,
    peakBytes: kilobytes === undefined ? undefined : Number(kilobytes) * 1024,
  };
}

const gnuTime = ["/usr/bin/time"].find(
  (path) => existsSync(path) && spawnSync(path, ["-v", process.execPath, "--version"]).status === 0,
);

const whyEnded = ({ status, signal, error, stderr }: SpawnSyncReturns<string>): string =>
  error?.message ?? `${signal ?? status}: ${(stderr ?? "").trim().split("\n").slice(0, 3).join(" ")}`;
