import { expect, it } from "vitest";
import { linesOf, obeyLatency, onEachStore, statements } from "../../scripts/obey-latency.ts";

it("a fleet obeys each of the operator's statements from its acknowledgement on (four processes, a few times; the script does it more often)", async () => {
  const skipped = await onEachStore(async (store) => {
    const report = await obeyLatency(store, 2, 4);
    console.info(linesOf(report).join("\n"));
    expect(report.disobeyed).toEqual([]);
    expect(Object.keys(report.times)).toHaveLength(statements.length);
    expect(report.callsAfter).toBeGreaterThan(20);
    expect(report.servedByModern).toBeGreaterThan(20);
  });
  if (skipped !== undefined) console.info(skipped);
});
