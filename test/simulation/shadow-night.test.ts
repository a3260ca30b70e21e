import { expect, it } from "vitest";
import { isLongRun, overSeeds } from "../campaigns.ts";
import { complaintsOf, shadowNight } from "./shadow-night.ts";

const calls = isLongRun("shadow") ? 100_000 : 30_000;

it(`a modern side that leaks, hangs and throws leaves no memory behind, and each of ${calls} calls is accounted for`, async () => {
  await overSeeds("shadow", 1, async (seed) => {
    const report = await shadowNight(calls, seed);
    // If only the inputs of the calls were kept, the heap would grow by 150 bytes a call.
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
