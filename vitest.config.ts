import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { longSeconds, variant } from "./test/campaigns.ts";

/** Each of these tests replaces a module, so it needs a process that has not loaded that module yet. */
const alone = ["src/adapters/sqlite/snapshot.test.ts", "test/simulation/power-cut.test.ts"];

/**
 * Starts the files that wait longest for browsers and processes first. vitest starts the largest files first,
 * and a small file that takes a minute would run alone at the end.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const waits = ({ moduleId }: TestSpecification): boolean =>
      /\/test\/(page|walk|simulation|tidy|reports)\//.test(moduleId);
    const sorted = await super.sort(files);
    return [...sorted.filter(waits), ...sorted.filter((file) => !waits(file))];
  }
}

// Workers, their threads and the programs that tests start share the compiled sources.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), "pnl-bridge-compile-cache");

export default defineConfig({
  test: {
    // Files share their worker's modules: loading them again for each file takes a tenth of the whole run.
    projects: [
      {
        extends: true,
        test: { name: "shared", isolate: false, include: ["{src,test,web}/**/*.test.ts"], exclude: alone },
      },
      { extends: true, test: { name: "alone", include: alone } },
    ],
    globalSetup: ["test/memory-folder.ts", "test/bundle.ts", "test/real-python.ts"],
    sequence: { sequencer: LongestFirst },
    // `SEED=17 ./run test FILE` may repeat a test with this tag, so it does not skip the tag.
    tags: [{ name: variant.tags, skip: (process.env.CAMPAIGN ?? process.env.SEED) === undefined }],
    // Generous, since a busy machine is slow; a campaign has its own time on top.
    testTimeout: 120_000 + (process.env.CAMPAIGN === undefined ? 0 : longSeconds * 1_000),
    // A hook may build the page, which takes minutes on a busy machine.
    hookTimeout: 600_000,
    expect: { poll: { timeout: 90_000 } },
    reporters: ["default"],
    // Tests wait for disks, processes and clocks about a third of their time.
    maxWorkers: 2 * availableParallelism(),
    // Node loads the sources itself. Vite's own loader takes a sixth of the run's whole time.
    experimental: { viteModuleRunner: false },
  },
});
