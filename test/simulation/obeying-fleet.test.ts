import { expect, it } from "vitest";
import { isLongRun, overSeeds, variant } from "../campaigns.ts";
import { linesOf, type ObeyedStore, obeyLatency, onEachStore, statements } from "./obeying-fleet.ts";

it("each process obeys each of the operator's statements from its acknowledgement on", variant, async () => {
  const isLong = isLongRun("obey");
  const obeyed = async (store: ObeyedStore): Promise<void> => {
    const report = await obeyLatency(store, 1, isLong ? 4 : 2);
    console.info(linesOf(report).join("\n"));
    expect(report.disobeyed).toEqual([]);
    expect(Object.keys(report.times)).toHaveLength(statements.length);
    expect(report.callsAfter).toBeGreaterThan(0);
    expect(report.servedByModern).toBeGreaterThan(0);
  };
  await overSeeds("obey", 1, async () => {
    if (!isLong) return obeyed({ name: "SQLite" });
    const skipped = await onEachStore(obeyed);
    if (skipped !== undefined) console.info(skipped);
  });
});
