import { expect, it } from "vitest";
import { overSeeds } from "../campaigns.ts";
import { linesOf, obeyLatency, onEachStore, statements } from "./obeying-fleet.ts";

it("four processes obey each of the operator's statements from its acknowledgement on", async () => {
  await overSeeds("obey", 1, async () => {
    const skipped = await onEachStore(async (store) => {
      const report = await obeyLatency(store, 1, 4);
      console.info(linesOf(report).join("\n"));
      expect(report.disobeyed).toEqual([]);
      expect(Object.keys(report.times)).toHaveLength(statements.length);
      expect(report.callsAfter).toBeGreaterThan(0);
      expect(report.servedByModern).toBeGreaterThan(0);
    });
    if (skipped !== undefined) console.info(skipped);
  });
});
