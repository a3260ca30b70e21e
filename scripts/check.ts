/**
 * `./run check` (types, lint, layers) and `./run test` (those and the tests). Types, lint and layers run side by side;
 * a failing step prints its whole output, a passing one a line. The last line of `./run test` counts what passed and what
 * failed: tests, files that failed outside any test (an import that throws, a hook), and the steps before them. It says
 * `0 failed` if and only if the exit code is 0.
 */
import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const node = process.execPath;
const steps: readonly Step[] = [
  { name: "types", command: [node, "node_modules/typescript/bin/tsc", "-p", "tsconfig.json"] },
  { name: "lint", command: [node, "node_modules/@biomejs/biome/bin/biome", "check", "--error-on-warnings", "."] },
  {
    name: "layers",
    command: [node, "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs", "--config", ".dependency-cruiser.mjs", "src"],
  },
];

const [mode = "check", ...rest] = process.argv.slice(2);
const startedMs = Date.now();
const failures = (await Promise.all(steps.map(runStep))).filter((passed) => !passed).length;
if (failures > 0) {
  if (mode === "test") console.log(`0 passed, ${failures} failed`);
  process.exit(1);
}
if (mode === "test") process.exit(await runTests(rest));

async function runStep(step: Step): Promise<boolean> {
  const { code, output } = await run(step.command);
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
  console.log(`${code === 0 ? "ok  " : "FAIL"} ${step.name} (${seconds} s)`);
  if (code !== 0) console.log(output);
  return code === 0;
}

async function runTests(args: readonly string[]): Promise<number> {
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
  const { code } = await run(command, "inherit");
  const { passed, failed, skipped } = count(report, code);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  return failed > 0 ? 1 : 0;
}

/** What the report of vitest's JSON reporter has seen. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly { readonly status: string }[] }[];
}

/** Reads the report and removes it. Without one, or with nothing passed, or with a bad exit code, something failed. */
function count(path: string, code: number): { passed: number; failed: number; skipped: number } {
  try {
    const seen: Report = JSON.parse(readFileSync(path, "utf8"));
    const broken = seen.testResults.filter(
      ({ status, assertionResults }) => status === "failed" && !assertionResults.some((test) => test.status === "failed"),
    ).length;
    const failed = seen.numFailedTests + broken;
    const bad = code !== 0 || seen.numPassedTests === 0;
    return {
      passed: seen.numPassedTests,
      failed: bad ? Math.max(failed, 1) : failed,
      skipped: seen.numPendingTests + seen.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  } finally {
    rmSync(path, { force: true });
  }
}

function run(command: readonly string[], output: "pipe" | "inherit" = "pipe"): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(command[0] ?? "", command.slice(1), { stdio: ["ignore", output, output] });
    const chunks: Buffer[] = [];
    child.stdout?.on("data", (chunk) => chunks.push(chunk));
    child.stderr?.on("data", (chunk) => chunks.push(chunk));
    child.on("close", (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }));
    child.on("error", (error) => resolve({ code: 1, output: String(error) }));
  });
}
