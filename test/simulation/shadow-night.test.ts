import { expect, it } from "vitest";
import { overSeeds } from "../campaigns.ts";
import { complaintsOf, shadowNight } from "./shadow-night.ts";

it("a modern side that leaks, hangs and throws leaves no memory behind, and each of 100,000 calls is accounted for", async () => {
  await overSeeds("shadow", 1, async (seed) => {
    const report = await shadowNight(100_000, seed);
    // If only the inputs of the calls were kept, the heap would grow by 15 MB.
    expect(complaintsOf(report, 1_500_000)).toEqual([]);
    // Each kind of failure has occurred. The numbers of comparisons and of shed calls depend on the machine.
    const all = Object.values(report.counters);
    const seen = (of: (counters: (typeof all)[number]) => number | undefined): number =>
      all.reduce((sum, counters) => sum + (of(counters) ?? 0), 0);
    for (const of of [
      ({ compared }) => compared,
      ({ errors }) => errors,
      ({ verdicts }) => verdicts.diverged,
      ({ fellBack }) => fellBack.FAILED,
      ({ fellBack }) => fellBack.TIMEOUT,
      ({ timeouts }) => timeouts,
      ({ broken }) => broken,
    ] satisfies readonly Parameters<typeof seen>[0][])
      expect(seen(of), String(of)).toBeGreaterThan(0);
    expect(report.kept).toBeGreaterThan(0);
  });
});
