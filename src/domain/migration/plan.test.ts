import { describe, expect, it } from "vitest";
import { BridgeError } from "../../base/errors.ts";
import { type Phase, phasePolicies, phases } from "./phase.ts";
import {
  isLegacyClosed,
  type MigrationMode,
  migrationModes,
  type PlanInput,
  planOf,
  writesOf,
} from "./plan.ts";

/** Flags that satisfy every phase. */
const flags = { calculator: true, storage: true, reports: true };

describe("a plan", () => {
  it("has defaults that route nothing to modern", () => {
    expect(planOf({ phase: "shadow_mode" })).toEqual({
      epoch: 1,
      phase: "shadow_mode",
      migrationMode: "dual_write",
      useNewPnlSystem: true,
      flags: { calculator: false, storage: false, reports: false },
      newSystemPercentage: 0,
      userWhitelist: new Set(),
      userDenylist: new Set(),
      bucketBy: "book",
      bucketAlgorithm: "v1",
      salt: "",
      shadowSampleRatio: 1,
      legacyWindow: "open",
    });
  });

  it("is frozen, and later changes of its input do not affect it", () => {
    const input = {
      phase: "dual_write" as const,
      flags: { storage: true },
      userWhitelist: ["amy"],
      userDenylist: new Set(["bob"]),
    };
    const plan = planOf(input);
    expect([Object.isFrozen(plan), Object.isFrozen(plan.flags)]).toEqual([true, true]);
    input.flags.storage = false;
    input.userWhitelist.push("carl");
    input.userDenylist.add("dora");
    expect([plan.flags.storage, [...plan.userWhitelist], [...plan.userDenylist]]).toEqual([
      true,
      ["amy"],
      ["bob"],
    ]);
  });

  it("made from a plan equals that plan", () => {
    const plan = planOf({
      epoch: 7,
      phase: "cleanup",
      flags,
      newSystemPercentage: 12.345,
      userWhitelist: ["amy"],
      salt: "2025-08",
      legacyWindow: "closed",
    });
    expect(planOf(plan)).toEqual(plan);
  });

  it.each<[string, object, string]>([
    ["an unknown phase", { phase: "shadow" }, 'unknown phase: "shadow"'],
    ["no phase", {}, "unknown phase"],
    ["an unknown mode", { phase: "read_only", migrationMode: "new" }, 'unknown migration mode: "new"'],
    ["an unknown flag", { phase: "read_only", flags: { calculater: true } }, 'unknown flag: "calculater"'],
    [
      "a flag that is a text",
      { phase: "read_only", flags: { storage: "no" } },
      'flag storage must be true or false, not "no"',
    ],
    [
      "a switch that is a text",
      { phase: "read_only", useNewPnlSystem: "false" },
      "use_new_pnl_system must be true or false",
    ],
    ["an unknown unit", { phase: "read_only", bucketBy: "desk" }, 'unknown unit to bucket by: "desk"'],
    ["an unknown algorithm", { phase: "read_only", bucketAlgorithm: "v2" }, 'unknown bucket algorithm: "v2"'],
    ["an unknown window", { phase: "read_only", legacyWindow: "shut" }, 'unknown legacy window: "shut"'],
    [
      "more than 100 percent",
      { phase: "read_only", newSystemPercentage: 100.001 },
      "from 0 to 100, not 100.001",
    ],
    ["less than 0 percent", { phase: "read_only", newSystemPercentage: -1 }, "from 0 to 100, not -1"],
    ["a percentage that is not a number", { phase: "read_only", newSystemPercentage: Number.NaN }, "not NaN"],
    ["a percentage that is a text", { phase: "read_only", newSystemPercentage: "25" }, "must be a number"],
    ["a sample ratio above 1", { phase: "read_only", shadowSampleRatio: 2 }, "from 0 to 1, not 2"],
    [
      "a whitelist that is a text",
      { phase: "read_only", userWhitelist: "amy" },
      'must be a list, not the text "amy"',
    ],
    [
      "a denylist that is a text",
      { phase: "read_only", userDenylist: "amy" },
      'must be a list, not the text "amy"',
    ],
    [
      "dual_write without storage",
      { phase: "dual_write" },
      "the phase dual_write needs the flags use_new_storage",
    ],
    [
      "primary_switch without flags",
      { phase: "primary_switch" },
      "the phase primary_switch needs the flags use_new_calculator, use_new_storage",
    ],
    [
      "cleanup without reports",
      { phase: "cleanup", flags: { ...flags, reports: false } },
      "needs the flags use_new_reports",
    ],
    [
      "new_only while legacy answers",
      { phase: "dual_write", flags, migrationMode: "new_only" },
      "stop writing legacy while legacy answers",
    ],
    [
      "a window that closes too soon",
      { phase: "primary_switch", flags, legacyWindow: "closed" },
      "closes in cleanup only",
    ],
  ])("is refused with %s", (_, input, what) => {
    const failure = failureOf(() => planOf(input as PlanInput));
    expect(failure).toMatchObject({ code: "BAD_CONFIG", message: expect.stringContaining(what) });
    // The error says how to fix it.
    expect(failure.fix).not.toBe("");
  });

  it("is refused for a misspelt name with the nearest known one", () => {
    expect(failureOf(() => planOf({ phase: "shadow_mod" } as unknown as PlanInput)).fix).toContain(
      "did you mean shadow_mode?",
    );
  });

  it.each(phases)(
    "of the phase %s is accepted with the flags that it needs, and refused if one of them is missing",
    (phase) => {
      const { requires } = phasePolicies[phase];
      const needed = Object.fromEntries(requires.map((capability) => [capability, true]));
      expect(planOf({ phase, flags: needed }).phase).toBe(phase);
      for (const capability of requires)
        expect(
          failureOf(() => planOf({ phase, flags: { ...needed, [capability]: false } })).message,
        ).toContain(capability);
    },
  );
});

describe("writes, authoritative first", () => {
  it.each<[Phase, Partial<PlanInput>, string]>([
    ["read_only", {}, "legacy"],
    ["shadow_mode", {}, "legacy"],
    ["dual_write", {}, "legacy modern"],
    ["primary_switch", {}, "modern legacy"],
    ["cleanup", {}, "modern legacy"],
    ["cleanup", { legacyWindow: "closed" }, "modern"],
    ["dual_write", { migrationMode: "old_only" }, "legacy"],
    ["primary_switch", { migrationMode: "old_only" }, "legacy"],
    ["cleanup", { migrationMode: "old_only" }, "legacy"],
    ["cleanup", { migrationMode: "old_only", legacyWindow: "closed" }, "modern"],
    ["primary_switch", { migrationMode: "new_only" }, "modern"],
    ["cleanup", { migrationMode: "new_only" }, "modern"],
    ["shadow_mode", { useNewPnlSystem: false }, "legacy"],
    ["dual_write", { useNewPnlSystem: false }, "legacy modern"],
    ["primary_switch", { useNewPnlSystem: false }, "legacy modern"],
    ["primary_switch", { useNewPnlSystem: false, migrationMode: "new_only" }, "legacy modern"],
    ["primary_switch", { useNewPnlSystem: false, migrationMode: "old_only" }, "legacy"],
    ["cleanup", { useNewPnlSystem: false }, "legacy modern"],
    ["cleanup", { useNewPnlSystem: false, legacyWindow: "closed" }, "modern"],
  ])("in %s with %o go to %s", (phase, more, sides) => {
    expect(writesOf(planOf({ phase, flags, ...more })).join(" ")).toBe(sides);
  });

  it("go to legacy if a file or a table has new_only while legacy answers", () => {
    for (const phase of ["read_only", "shadow_mode", "dual_write"] as const) {
      const plan = { ...planOf({ phase, flags }), migrationMode: "new_only" as const };
      expect(writesOf(plan)).toEqual(["legacy"]);
    }
  });

  it("always go to the answering side first", () => {
    for (const phase of phases)
      for (const migrationMode of migrationModes)
        for (const useNewPnlSystem of [true, false])
          for (const legacyWindow of ["open", "closed"] as const) {
            const plan = accepted({ phase, flags, migrationMode, useNewPnlSystem, legacyWindow });
            if (plan === undefined) continue;
            const answers = legacyAnswers(phase, useNewPnlSystem, migrationMode, isLegacyClosed(plan))
              ? "legacy"
              : "modern";
            expect(
              writesOf(plan)[0],
              JSON.stringify({ phase, migrationMode, useNewPnlSystem, legacyWindow }),
            ).toBe(answers);
          }
  });
});

/** Whether legacy answers a user who is in no list: the rule in an independent form. */
const legacyAnswers = (
  phase: Phase,
  useNewPnlSystem: boolean,
  mode: MigrationMode,
  closed: boolean,
): boolean =>
  !closed &&
  (!useNewPnlSystem || mode === "old_only" || phases.indexOf(phase) < phases.indexOf("primary_switch"));

function accepted(input: PlanInput): ReturnType<typeof planOf> | undefined {
  try {
    return planOf(input);
  } catch {
    return undefined;
  }
}

function failureOf(work: () => unknown): BridgeError {
  try {
    work();
  } catch (error) {
    if (error instanceof BridgeError) return error;
    throw error;
  }
  throw new Error("was not refused");
}
