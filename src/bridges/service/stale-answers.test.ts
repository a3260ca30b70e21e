import { describe, expect, it } from "vitest";
import { planOf } from "../../domain/migration/plan.ts";
import type { BridgedSystem } from "../../ports/system.ts";
import { TestClock } from "../../testing/test-clock.ts";
import { PnLServiceBridge } from "./index.ts";

const flags = { calculator: true, storage: true, reports: true };
const none = { count: 0, oldestMs: 0 };
const two = { count: 2, oldestMs: 700 };

/** `before` and `after` are the writes owed to legacy when a call begins and when it is answered. */
function bridgeOver(
  phase: "dual_write" | "primary_switch",
  before: typeof none,
  after: typeof none,
  modernFails = false,
) {
  let owed = before;
  const system = (side: string): BridgedSystem => ({
    name: side,
    kind: "module",
    methods: undefined,
    invoke: async () => {
      if (side === "modern" && modernFails) throw new Error("not well");
      owed = after;
      return { totals: {} };
    },
    close: async () => {},
  });
  const plan = planOf({ phase, flags });
  const options = {
    legacy: system("legacy"),
    modern: system("modern"),
    plan,
    owed: { owedToLegacy: () => owed },
  };
  return new PnLServiceBridge(options, {
    clock: new TestClock(),
    load: { overload: () => undefined },
    draw: () => 1,
  });
}

describe("an answer of legacy", () => {
  it.each([
    ["is fresh if nothing is owed", none, none, { stale: false }],
    ["is stale while writes are owed", two, two, { stale: true, staleMs: 700 }],
    ["is stale if writes became owed during the call", none, two, { stale: true, staleMs: 700 }],
    ["is stale if owed writes were delivered during the call", two, none, { stale: true, staleMs: 700 }],
  ])("%s", async (_, before, after, said) => {
    const {
      value: __,
      source,
      epoch: ___,
      ...rest
    } = await bridgeOver("dual_write", before, after).call("totals", {});
    expect([source, rest]).toEqual(["legacy", said]);
  });

  it("replaces modern's only if nothing is owed to legacy", async () => {
    const failing = (owed: typeof none) => bridgeOver("primary_switch", owed, owed, true).call("totals", {});
    expect(await failing(none)).toMatchObject({ source: "legacy", stale: false, fellBack: "FAILED" });
    await expect(failing(two)).rejects.toThrow("not well");
  });

  it("can be stale, and an answer of modern cannot", async () => {
    expect(await bridgeOver("primary_switch", two, two).call("totals", {})).toMatchObject({
      source: "modern",
      stale: false,
    });
  });
});
