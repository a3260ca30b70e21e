import { tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 60_000,
    reporters: ["default"],
    // Most files wait for processes of their own; by default two cores would be given one worker.
    maxWorkers: "100%",
    // Hundreds of tests start the program from its sources: what Node has stripped and compiled once it need not again.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), "pnl-bridge-compile-cache") },
  },
});
