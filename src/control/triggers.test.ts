import { describe, expect, it } from "vitest";
import type { Phase } from "../domain/migration/phase.ts";
import type { TriggerLimits } from "../domain/migration/trigger-limits.ts";
import { type Signals, Triggers } from "./triggers.ts";

const limits: TriggerLimits = {
  errorRate: 0.5,
  errorCallsMin: 20,
  windowS: 10,
  servedMismatch: true,
  quarantine: true,
  owedAgeS: 30,
};
const quiet: Signals = { modernAsked: 0, modernFailed: 0, servedMismatches: 0, quarantined: 0, owedOldestMs: 0 };

/** The trigger that fires in each second. */
function fired(seconds: readonly Partial<Signals>[], phase: Phase = "primary_switch", given: Partial<TriggerLimits> = {}) {
  const triggers = new Triggers();
  return seconds.map(
    (signals, second) => triggers.observe({ ...quiet, ...signals }, phase, { ...limits, ...given }, second * 1_000)?.trigger,
  );
}

describe("triggers", () => {
  it("error_rate counts what was asked within the window, and proves nothing with few calls", () => {
    expect(fired([{}, { modernAsked: 19, modernFailed: 19 }])).toEqual([undefined, undefined]);
    expect(fired([{}, { modernAsked: 20, modernFailed: 10 }])).toEqual([undefined, "error_rate"]);
    expect(fired([{}, { modernAsked: 20, modernFailed: 9 }])).toEqual([undefined, undefined]);
    // 30 failures, three a second: the oldest fall out of the window.
    const slow = Array.from({ length: 30 }, (_, second) => ({ modernAsked: second, modernFailed: second }));
    expect(fired(slow)).toEqual(slow.map(() => undefined));
  });

  it("error_rate is over when the window is", () => {
    const bad = { modernAsked: 20, modernFailed: 20 };
    const seconds = [{}, ...Array.from({ length: 14 }, () => bad)];
    expect(
      fired(seconds)
        .map((trigger) => trigger ?? "-")
        .join(""),
    ).toBe(`-${"error_rate".repeat(10)}----`);
  });

  it("a process that begins with old failures has none of its own", () => {
    expect(
      fired([
        { modernAsked: 100, modernFailed: 100, servedMismatches: 3 },
        { modernAsked: 100, modernFailed: 100, servedMismatches: 3 },
      ]),
    ).toEqual([undefined, undefined]);
  });

  it("served_mismatch fires at the first one, unless it is switched off", () => {
    expect(fired([{}, { servedMismatches: 1 }])).toEqual([undefined, "served_mismatch"]);
    expect(fired([{}, { servedMismatches: 1 }], "dual_write", { servedMismatch: false })).toEqual([undefined, undefined]);
  });

  it("quarantine and owed_age count from dual_write on", () => {
    for (const [phase, expected] of [
      ["shadow_mode", undefined],
      ["dual_write", "quarantine"],
      ["cleanup", "quarantine"],
    ] as const)
      expect(fired([{ quarantined: 1 }], phase), phase).toEqual([expected]);
    expect(fired([{ owedOldestMs: 30_000 }, { owedOldestMs: 30_001 }])).toEqual([undefined, "owed_age"]);
    // Nobody can say: that closes a gate, it proves no harm.
    expect(fired([{ quarantined: null }])).toEqual([undefined]);
  });

  it("what led to a rollback does not lead to the next one", () => {
    const triggers = new Triggers();
    const observe = (signals: Partial<Signals>, second: number) =>
      triggers.observe({ ...quiet, ...signals }, "primary_switch", limits, second * 1_000)?.trigger;
    observe({}, 0);
    expect(observe({ modernAsked: 50, modernFailed: 50, servedMismatches: 1 }, 1)).toBe("error_rate");
    triggers.reset();
    expect(observe({ modernAsked: 50, modernFailed: 50, servedMismatches: 1 }, 2)).toBeUndefined();
    expect(observe({ modernAsked: 60, modernFailed: 60, servedMismatches: 1 }, 3)).toBeUndefined();
    expect(observe({ modernAsked: 70, modernFailed: 70, servedMismatches: 1 }, 4)).toBe("error_rate");
  });
});
