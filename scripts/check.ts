/**
 * `./run check` runs its steps in parallel: types, lint, layers, unused code, and the package. `./run test`
 * runs all tests beside the steps, because tests wait for disks and processes a part of their time.
 * `./run test FILE…` runs only some of the tests. A step that fails prints its whole output, and a step that
 * passes prints one line. The last lines of `./run test` name the steps that failed, and count passes and
 * failures: tests, files that failed outside any test (an import that throws, a hook), and steps. The count
 * says `0 failed` if and only if the exit code is 0.
 *
 * `./run test --long` lists the long campaigns. `./run test --long NAME|seeds|all` runs one of them, those
 * over random seeds, or all. The campaigns that are run share `LONG_S` seconds equally; a campaign over
 * random seeds ends when its share is over.
 */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Campaign, type CampaignName, campaigns, longSeconds } from "../test/campaigns.ts";
import { beginResult, featuresOf, suitesOf, type TestedFile } from "./result-file.ts";

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const node = process.execPath;
const steps: readonly Step[] = [
  { name: "types", command: [node, "node_modules/typescript-7/bin/tsc", "-p", "tsconfig.json"] },
  {
    name: "page types",
    command: [node, "node_modules/typescript-7/bin/tsc", "-p", "web/tsconfig.json"],
  },
  {
    name: "lint",
    command: [node, "node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", "."],
  },
  {
    name: "layers",
    command: [
      node,
      "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs",
      "--config",
      ".dependency-cruiser.mjs",
      "src",
      "web",
    ],
  },
  { name: "unused", command: [node, "node_modules/knip/bin/knip.js", "--no-progress"] },
  { name: "package", command: [node, "scripts/package.ts"] },
];

const [mode = "check", ...rest] = process.argv.slice(2);
const startedMs = Date.now();
if (mode === "test" && rest[0] === "--long") process.exit(await runCampaigns(rest[1]));
const checked = Promise.all(steps.map(runStep));
const failed = mode === "test" ? await runTests(rest, checked) : failuresOf(await checked).length;
process.exit(Math.min(failed, 1));

interface StepResult {
  readonly name: string;
  readonly passed: boolean;
}

async function runStep({ name, command }: Step): Promise<StepResult> {
  const { code, output } = await run(command);
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
  if (code !== 0) console.log(output);
  return { name, passed: code === 0 };
}

function failuresOf(results: readonly StepResult[]): readonly StepResult[] {
  return results.filter(({ passed }) => !passed);
}

/**
 * Runs the campaigns that are asked for in turn, with equal shares of the time. Without a name it lists them.
 * The last lines name the tests that failed.
 */
async function runCampaigns(asked: string | undefined): Promise<number> {
  const known: Readonly<Record<CampaignName, Campaign>> = campaigns;
  const names = Object.keys(campaigns) as CampaignName[];
  const chosen = names.filter(
    (name) => asked === "all" || asked === name || (asked === "seeds" && known[name].isOverSeeds),
  );
  if (chosen.length === 0) {
    if (asked !== undefined) console.error(`BAD_USAGE: there is no campaign ${asked}`);
    console.log("usage: [LONG_S=SECONDS] ./run test --long NAME|seeds|all\n");
    for (const name of names) console.log(`  ${name.padEnd(15)}${campaigns[name].proves}`);
    console.log(`\nseeds: ${names.filter((name) => known[name].isOverSeeds).join(", ")}`);
    return asked === undefined ? 0 : 2;
  }
  const failures: string[] = [];
  for (const name of chosen) {
    const { files, title = "", tag, proves } = known[name];
    const seconds = Math.ceil(longSeconds / chosen.length);
    console.log(`campaign ${name}, ${seconds} s: ${proves}`);
    const env = { CAMPAIGN: name, LONG_S: String(seconds) };
    const { failedTests, ...counts } = await vitest(
      [...files, "-t", title, ...(tag === undefined ? [] : ["--tags-filter", tag])],
      env,
    );
    if (printCount(counts) > 0)
      failures.push(`campaign ${name} failed: ${failedTests.join("; ") || "no test ended"}`);
  }
  for (const failure of failures) console.log(failure);
  console.log(`${chosen.length - failures.length} campaigns passed, ${failures.length} failed`);
  return Math.min(failures.length, 1);
}

/**
 * Runs test files, or all tests, while the steps run. Records the result of all tests if the steps passed.
 * Returns how many steps and tests failed.
 */
async function runTests(args: readonly string[], checked: Promise<readonly StepResult[]>): Promise<number> {
  const record = beginResult("tests");
  const { failedTests: _, ...result } = await vitest(args);
  const failedSteps = failuresOf(await checked);
  if (args.length === 0 && failedSteps.length === 0) {
    const refusal = record(result);
    if (refusal !== undefined) console.log(refusal);
  }
  for (const { name } of failedSteps) console.log(`step ${name} failed`);
  return printCount({ ...result, failed: result.failed + failedSteps.length });
}

function printCount({ passed, failed, skipped }: Pick<Counts, "passed" | "failed" | "skipped">): number {
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed;
}

async function vitest(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Counts> {
  const report = join(tmpdir(), `pnl-bridge-tests-${process.pid}.json`);
  const command = [
    node,
    "node_modules/vitest/vitest.mjs",
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
    ...args,
  ];
  const { code } = await run(command, "inherit", env);
  return count(report, code);
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly skippedTests: readonly string[];
  readonly failedTests: readonly string[];
  readonly suites: ReturnType<typeof suitesOf>;
  /** The edge features that the passed tests cover. */
  readonly features: readonly string[];
}

/** The parts of the report of vitest's JSON reporter that are used here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly TestedFile[];
}

/**
 * Reads and removes the report. Counts at least one failure if it is missing, nothing passed, or `code` is
 * not 0.
 */
function count(path: string, code: number): Counts {
  try {
    const seen: Report = JSON.parse(readFileSync(path, "utf8"));
    const tests = seen.testResults.flatMap(({ assertionResults }) => assertionResults);
    const named = (isCounted: (status: string) => boolean): readonly string[] =>
      tests.flatMap(({ status, fullName }) => (isCounted(status) ? [fullName] : []));
    const broken = seen.testResults.filter(
      ({ status, assertionResults }) =>
        status === "failed" && !assertionResults.some((test) => test.status === "failed"),
    ).length;
    const failed = seen.numFailedTests + broken;
    const bad = code !== 0 || seen.numPassedTests === 0;
    return {
      passed: seen.numPassedTests,
      failed: bad ? Math.max(failed, 1) : failed,
      skipped: seen.numPendingTests + seen.numTodoTests,
      skippedTests: named((status) => status !== "passed" && status !== "failed"),
      failedTests: named((status) => status === "failed"),
      suites: suitesOf(seen.testResults),
      features: featuresOf(seen.testResults),
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0, skippedTests: [], failedTests: [], suites: [], features: [] };
  } finally {
    rmSync(path, { force: true });
  }
}

function run(
  [program = "", ...args]: readonly string[],
  output: "pipe" | "inherit" = "pipe",
  env: Readonly<Record<string, string>> = {},
): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ["ignore", output, output],
      env: { ...process.env, ...env },
    });
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk) => chunks.push(chunk));
    child.stderr?.on("data", (chunk) => chunks.push(chunk));
    child.on("close", (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }));
    child.on("error", (error) => resolve({ code: 1, output: String(error) }));
  });
}
