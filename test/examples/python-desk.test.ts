import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "../cli/run-cli.ts";

const hasPython =
  spawnSync("python3", ["-c", "import sys; assert sys.version_info >= (3, 9)"], { stdio: "ignore" })
    .status === 0;

/** Runs the example as its README says. */
function run(): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  return new Promise((resolve) => {
    const program = spawn(process.execPath, [join(root, "examples/python-desk/bridge.ts")], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    program.stdout.on("data", (chunk) => {
      out += chunk;
    });
    program.stderr.on("data", (chunk) => {
      err += chunk;
    });
    program.on("close", (code) => resolve({ code, out, err }));
  });
}

describe.skipIf(!hasPython)("examples/python-desk (needs python3 of 3.9 or newer)", () => {
  it("shows what agrees and what differs, and answers every call whose shadow is killed", async () => {
    const { code, out, err } = await run();
    expect([code, err]).toEqual([0, ""]);
    // How many shadows were sent before the process was killed depends on the machine.
    const lines = out.split("\n").map((line) => line.trim().replace(/\d+ have been/, "N have been"));
    const expected = [
      "1. Python is legacy and answers, the engine is its shadow",
      "fifo: BUND realized 19.99999999998181, XCMEFFDPSX20250919U0ZN realized 15.625",
      "compared: within_tolerance",
      "average, which the desk does not know: BUND realized 19.99999999998181, XCMEFFDPSX20250919U0ZN realized 15.625",
      "compared: diverged",
      "positions[].averagePrice of XCMEFFDPSX20250919U0ZN diverged: legacy 110.625, modern 1327/12",
      "positions[].realized of XCMEFFDPSX20250919U0ZN diverged: legacy 15.625, modern -1625/24",
      "positions[].unrealized of XCMEFFDPSX20250919U0ZN not_comparable: legacy 0, modern null",
      "its process is killed in the middle of a call: failed, DOWN",
      "the next call starts it again: answered",
      "its process is killed while 16 calls run: 16 answered",
      "of their 16 shadows, N have been compared",
      "its process is killed in the middle of a call: answered, 1 time by legacy and 0 by modern",
    ];
    let from = 0;
    for (const line of expected) {
      const at = lines.indexOf(line, from);
      expect(at, `in this order: ${line}\n${out}`).toBeGreaterThanOrEqual(0);
      from = at + 1;
    }
  });
});
