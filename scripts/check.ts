/**
 * `./run check` (types, lint, layers) and `./run test` (those and the tests). Types, lint and layers run side by side;
 * a failing step prints its whole output, a passing one a line. The last line of `./run test` counts the tests.
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
if (failures > 0) process.exit(1);
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
  try {
    const seen = JSON.parse(readFileSync(report, "utf8"));
    const skipped = seen.numPendingTests + seen.numTodoTests;
    console.log(`${seen.numPassedTests} passed, ${seen.numFailedTests} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
    if (seen.numPassedTests === 0) return 1;
  } catch {
    console.log("0 passed, 1 failed");
    return 1;
  } finally {
    rmSync(report, { force: true });
  }
  return code;
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
