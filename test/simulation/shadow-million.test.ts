import { expect, it } from "vitest";
import { complaintsOf, shadowNight } from "../../scripts/shadow-million.ts";

it("a hundred thousand calls with a modern side that leaks, hangs and throws: all accounted for, nothing kept", async () => {
  const report = await shadowNight(100_000, 1);
  // Keeping nothing but each call's input would be 15 MB.
  expect(complaintsOf(report, 1_500_000)).toEqual([]);
  // The night was as bad as it should be.
  const all = Object.values(report.counters);
  const seen = (of: (counters: (typeof all)[number]) => number | undefined): number =>
    all.reduce((sum, counters) => sum + (of(counters) ?? 0), 0);
  expect(seen(({ compared }) => compared)).toBeGreaterThan(50_000);
  expect(seen(({ errors }) => errors)).toBeGreaterThan(1_000);
  expect(seen(({ verdicts }) => verdicts.diverged)).toBeGreaterThan(1_000);
  expect(seen(({ fellBack }) => fellBack.FAILED)).toBeGreaterThan(100);
  expect(seen(({ fellBack }) => fellBack.TIMEOUT)).toBeGreaterThan(0);
  expect(seen(({ timeouts }) => timeouts)).toBeGreaterThan(0);
  expect(seen(({ broken }) => broken)).toBeGreaterThan(0);
  expect(report.kept).toBeGreaterThan(100);
});
