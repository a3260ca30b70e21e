import { expect, it, vi } from "vitest";
import type { Sample } from "./metrics.ts";

vi.stubGlobal("document", { baseURI: "http://127.0.0.1/", addEventListener: () => {} });
const { latencyMs, sampleBefore, sampleOf, thinned } = await import("./metrics.ts");

const text = (calls: readonly number[]) => `# HELP pnl_bridge_calls_total Calls
pnl_bridge_calls_total{method="totals",source="modern"} 3
pnl_bridge_calls_total{method="calculatePnl",source="modern"} 4
pnl_bridge_verdicts_total{method="totals",verdict="diverged"} 2
process_resident_memory_bytes 1048576
pnl_bridge_impact_users{what="seen"} 3
pnl_bridge_calculation_p99_seconds{method="totals",side="modern"} +Inf
pnl_bridge_calculation_pairs{method="totals",result="all"} 7

${["0.001", "0.01", "+Inf"]
  .map(
    (le, index) =>
      `pnl_bridge_latency_seconds_bucket{le="${le}",method="totals",side="legacy"} ${calls[index]}`,
  )
  .join("\n")}
`;

it("a sample adds up the methods, and keeps verdicts by method", () => {
  const { answered, verdicts, memoryBytes, impact, paired } = sampleOf(text([0, 0, 0]), 1);
  expect(answered).toEqual({ legacy: 0, modern: 7 });
  expect([...verdicts]).toEqual([["totals diverged", 2]]);
  expect(memoryBytes).toBe(1_048_576);
  expect(impact).toEqual({ seen: 3 });
  expect([...paired]).toEqual([["totals", { "p99 modern": Number.POSITIVE_INFINITY, "pairs all": 7 }]]);
});

it("a latency is that of the calls between two samples, and there is none without a call", () => {
  const before = sampleOf(text([5, 5, 5]), 1);
  const now = sampleOf(text([15, 15, 15]), 2);
  expect(latencyMs(before, now, "legacy", 0.5)).toBeCloseTo(0.5);
  expect(latencyMs(now, now, "legacy", 0.5)).toBeNull();
  expect(latencyMs(before, now, "modern", 0.5)).toBeNull();
  // Of calls beyond the last limit only this limit is known.
  expect(latencyMs(before, sampleOf(text([5, 5, 9]), 2), "legacy", 0.5)).toBe(10);
});

it("of two hours of samples few are kept, and each has one that is a minute to 95 seconds older", () => {
  const { atMs: _, ...counts } = sampleOf(text([0, 0, 0]), 0);
  let samples: readonly Sample[] = [];
  for (let atMs = 0; atMs <= 7_200_000; atMs += 5_000)
    samples = [...thinned(samples, atMs), { atMs, ...counts }];
  expect(samples).toHaveLength(141);
  for (const [index, { atMs }] of samples.entries()) {
    const before = sampleBefore(samples.slice(0, index + 1), 60_000)?.atMs ?? 0;
    if (index > 3) expect(atMs - before).toSatisfy((ms: number) => ms >= 60_000 && ms < 95_000);
  }
});
