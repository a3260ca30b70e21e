import { describe, expect, it } from "vitest";
import type { Phase } from "../domain/migration/phase.ts";
import { noSignals, type Signals, type TriggerLimits, Triggers, triggerDefaults } from "./triggers.ts";

/** The trigger that fires in each second. */
function fired(
  seconds: readonly Partial<Signals>[],
  phase: Phase = "primary_switch",
  given: Partial<TriggerLimits> = {},
) {
  const triggers = new Triggers();
  return seconds.map(
    (signals, second) =>
      triggers.observe({ ...noSignals, ...signals }, phase, { ...triggerDefaults, ...given }, second * 1_000)
        ?.trigger,
  );
}

describe("triggers", () => {
  it("error_rate counts the calls within the window, and does not fire for few calls", () => {
    expect(fired([{}, { modernAsked: 19, modernFailed: 19 }])).toEqual([undefined, undefined]);
    expect(fired([{}, { modernAsked: 20, modernFailed: 10 }])).toEqual([undefined, "error_rate"]);
    expect(fired([{}, { modernAsked: 20, modernFailed: 9 }])).toEqual([undefined, undefined]);
    // One call a second, and it fails: the window never holds as many calls as a rate needs to be judged.
    const slow = Array.from({ length: 30 }, (_, second) => ({ modernAsked: second, modernFailed: second }));
    expect(fired(slow)).toEqual(slow.map(() => undefined));
  });

  it("error_rate no longer fires when the failures are older than the window", () => {
    const bad = { modernAsked: 20, modernFailed: 20 };
    const seconds = [{}, ...Array.from({ length: 14 }, () => bad)];
    expect(
      fired(seconds)
        .map((trigger) => trigger ?? "-")
        .join(""),
    ).toBe(`-${"error_rate".repeat(10)}----`);
  });

  it("fallback_rate counts calls that legacy answered instead of modern, and is off by default", () => {
    const seconds = [{}, { modernAsked: 20, modernFellBack: 4 }];
    expect(fired(seconds)).toEqual([undefined, undefined]);
    expect(fired(seconds, "dual_write", { fallbackRate: 0.2 })).toEqual([undefined, "fallback_rate"]);
    expect(fired(seconds, "dual_write", { fallbackRate: 0.21 })).toEqual([undefined, undefined]);
    // Too few calls fire no trigger, and neither do calls from before the window.
    expect(fired([{}, { modernAsked: 19, modernFellBack: 19 }], "dual_write", { fallbackRate: 0.2 })).toEqual(
      [undefined, undefined],
    );
    const late = [...seconds, ...Array.from({ length: 11 }, () => seconds[1] ?? {})];
    expect(fired(late, "dual_write", { fallbackRate: 0.2 }).at(-1)).toBeUndefined();
  });

  it("failures from before the first sample fire no trigger", () => {
    expect(
      fired([
        { modernAsked: 100, modernFailed: 100, servedMismatches: 3 },
        { modernAsked: 100, modernFailed: 100, servedMismatches: 3 },
      ]),
    ).toEqual([undefined, undefined]);
  });

  it("served_mismatch fires at the first divergence, unless it is switched off", () => {
    expect(fired([{}, { servedMismatches: 1 }])).toEqual([undefined, "served_mismatch"]);
    expect(fired([{}, { servedMismatches: 1 }], "dual_write", { servedMismatch: false })).toEqual([
      undefined,
      undefined,
    ]);
  });

  it("served_mismatch names the method, the field and both figures if they are known", () => {
    const servedMismatch = {
      method: "calculatePnl",
      field: "positions[].realized (ZN)",
      legacy: "1",
      modern: null,
    };
    const triggers = new Triggers();
    triggers.observe(noSignals, "dual_write", triggerDefaults, 0);
    expect(
      triggers.observe(
        { ...noSignals, servedMismatches: 2, servedMismatch },
        "dual_write",
        triggerDefaults,
        1_000,
      ),
    ).toEqual({
      trigger: "served_mismatch",
      why:
        "2 of modern's answers to callers differed from legacy's beyond tolerance, such as " +
        "calculatePnl positions[].realized (ZN): legacy 1, modern nothing",
      evidence: { mismatches: 2, ...servedMismatch },
    });
  });

  it("proved_harm fires when the evidence proves harm, unless it is switched off", () => {
    const provedHarm =
      "modern was wrong about ZNZ6 (realized) on 2026-11-27 by up to $5000; the limit is $1000";
    expect(fired([{}, { provedHarm }])).toEqual([undefined, "proved_harm"]);
    expect(fired([{ provedHarm }], "dual_write", { provedHarm: false })).toEqual([undefined]);
  });

  it("quarantine and owed_age fire from dual_write on, not before", () => {
    for (const [phase, expected] of [
      ["shadow_mode", undefined],
      ["dual_write", "quarantine"],
      ["cleanup", "quarantine"],
    ] as const)
      expect(fired([{ quarantined: 1 }], phase), phase).toEqual([expected]);
    expect(fired([{ owedOldestMs: 30_000 }, { owedOldestMs: 30_001 }])).toEqual([undefined, "owed_age"]);
    // An unknown count closes a gate, but fires no trigger, because it proves no harm.
    expect(fired([{ quarantined: null }])).toEqual([undefined]);
  });

  it("failures that led to one rollback do not lead to the next", () => {
    const triggers = new Triggers();
    const observe = (signals: Partial<Signals>, second: number) =>
      triggers.observe({ ...noSignals, ...signals }, "primary_switch", triggerDefaults, second * 1_000)
        ?.trigger;
    observe({}, 0);
    expect(observe({ modernAsked: 50, modernFailed: 50, servedMismatches: 1 }, 1)).toBe("error_rate");
    triggers.reset();
    expect(observe({ modernAsked: 50, modernFailed: 50, servedMismatches: 1 }, 2)).toBeUndefined();
    expect(observe({ modernAsked: 60, modernFailed: 60, servedMismatches: 1 }, 3)).toBeUndefined();
    expect(observe({ modernAsked: 70, modernFailed: 70, servedMismatches: 1 }, 4)).toBe("error_rate");
  });
});
