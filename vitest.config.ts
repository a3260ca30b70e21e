import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { longSeconds } from "./test/campaigns.ts";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    // Generous, since a busy machine is slow; a campaign has its own time on top.
    testTimeout: 120_000 + (process.env.CAMPAIGN === undefined ? 0 : longSeconds * 1_000),
    hookTimeout: 120_000,
    expect: { poll: { timeout: 90_000 } },
    reporters: ["default"],
    // Most files wait for processes of their own; by default two cores would be given one worker.
    maxWorkers: "100%",
    // Hundreds of tests start the program from its sources: what Node has stripped and compiled once it need not again.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), "pnl-bridge-compile-cache") },
  },
});
