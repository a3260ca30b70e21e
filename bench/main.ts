/**
 * `node --expose-gc bench/main.ts [--json] [NAME…]` runs benchmarks and prints a table for each, with ratios
 * against baselines of the same run. Each benchmark runs in a process of its own, so that code compiled for
 * one does not affect another. The exit code is 1 if a benchmark could not run, 2 for an unknown name, else
 * 0: a missed target is only reported.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { beginResult, inSeconds } from "../scripts/result-file.ts";
import { databaseBench } from "./database.ts";
import { databaseReconcile } from "./database-reconcile.ts";
import { deepBook } from "./deep-book.ts";
import { explainLanes } from "./explain.ts";
import { filesBench } from "./files.ts";
import { gates } from "./gates.ts";
import { gateway } from "./gateway.ts";
import { isolation } from "./isolation.ts";
import { matching } from "./matching.ts";
import { overhead } from "./overhead.ts";
import { page } from "./page.ts";
import { pnl } from "./pnl.ts";
import { pnlSymbols } from "./pnl-symbols.ts";
import { reading } from "./reading.ts";
import { type BenchResult, countTargets, printTable, toJson } from "./report.ts";
import { reportPage } from "./report-page.ts";
import { reports } from "./reports.ts";
import { startUp } from "./start-up.ts";
import { symbols } from "./symbols.ts";

const benchmarks: Readonly<Record<string, () => Promise<BenchResult>>> = {
  matching,
  "deep-book": deepBook,
  database: databaseBench,
  "database-reconcile": databaseReconcile,
  explain: explainLanes,
  files: filesBench,
  reading,
  pnl,
  "pnl-symbols": pnlSymbols,
  symbols,
  "start-up": startUp,
  isolation,
  overhead,
  gates,
  gateway,
  page,
  "report-page": reportPage,
  report: reports,
};

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes("--json");
  const given = args.filter((arg) => arg !== "--json");
  const names = given.length > 0 ? given : Object.keys(benchmarks);
  const unknown = names.find((name) => !Object.hasOwn(benchmarks, name));
  if (unknown !== undefined) {
    console.error(
      `BAD_USAGE: there is no benchmark ${unknown}; there are ${Object.keys(benchmarks).join(", ")}`,
    );
    return 2;
  }
  const [only] = names;
  if (names.length === 1 && only !== undefined) return alone(only, json);
  const results: BenchResult[] = [];
  const suites: object[] = [];
  const record = beginResult("benchmarks");
  let failed = false;
  for (const name of names) {
    const startedMs = performance.now();
    const result = inOwnProcess(name);
    suites.push({ name, seconds: inSeconds(performance.now() - startedMs) });
    if (result === undefined) failed = true;
    else {
      results.push(result);
      if (!json) console.log(printTable(result));
    }
  }
  if (json) console.log(toJson(results));
  const refusal = given.length === 0 ? record({ ...countTargets(results, failed), suites }) : undefined;
  if (refusal !== undefined) console.error(refusal);
  return failed ? 1 : 0;
}

async function alone(name: string, json: boolean): Promise<number> {
  try {
    const result = await (benchmarks[name] as () => Promise<BenchResult>)();
    console.log(json ? toJson([result]) : printTable(result));
    return 0;
  } catch (error) {
    console.error(`${name}: could not run: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

function inOwnProcess(name: string): BenchResult | undefined {
  const command = [...process.execArgv, fileURLToPath(import.meta.url), "--json", name];
  const { status, stdout } = spawnSync(process.execPath, command, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return status === 0 ? JSON.parse(stdout).benchmarks[0] : undefined;
}
