import { describe, expect, it } from "vitest";
import { capabilities, phases } from "../domain/migration/phase.ts";
import { migrationModes, writesOf } from "../domain/migration/plan.ts";
import { routeOf } from "../domain/migration/route.ts";
import type { ControlRecord } from "../ports/control-store.ts";
import { recordWith } from "../testing/control-record.ts";
import { expectedPlan, type PlanCase } from "../testing/phase-oracle.ts";
import { type EffectivePlan, effectivePlan } from "./effective-plan.ts";

/** Yields all 14 400 combinations of the inputs of a plan. */
function* everyCase(): Generator<PlanCase> {
  const yesNo = [false, true];
  for (const requested of phases)
    for (const granted of phases)
      for (const mode of migrationModes)
        for (let bits = 0; bits < 8; bits++)
          for (const useNewPnlSystem of [null, true, false])
            for (const latched of yesNo)
              for (const isSwitchSet of yesNo)
                for (const closed of yesNo) {
                  const flags = Object.fromEntries(
                    capabilities.map((name, at) => [name, (bits & (1 << at)) > 0]),
                  );
                  yield {
                    requested,
                    granted,
                    mode,
                    flags: flags as PlanCase["flags"],
                    useNewPnlSystem,
                    latched,
                    isSwitchSet,
                    closed,
                  };
                }
}

const planOfCase = ({
  requested,
  granted,
  mode,
  flags,
  useNewPnlSystem,
  latched,
  isSwitchSet,
  closed,
}: PlanCase): EffectivePlan =>
  effectivePlan(
    recordWith(
      {
        grantedPhase: granted,
        latched: latched ? "error_rate" : null,
        legacyWindow: closed ? "closed" : "open",
      },
      { phase: requested, migrationMode: mode, useNewPnlSystem },
    ),
    { phase: "read_only", flags },
    isSwitchSet,
  );

describe("the plan of a record", () => {
  it("agrees with the oracle for every combination of phase, grant, mode, flags, switches, latch and window", () => {
    let cases = 0;
    for (const one of everyCase()) {
      const { plan, held } = planOfCase(one);
      const route = routeOf(plan, {}, 0);
      const what = JSON.stringify(one);
      expect({ phase: plan.phase, answer: route.answer, writes: writesOf(plan) }, what).toEqual(
        expectedPlan(one),
      );
      expect(
        held.some(({ value }) => value === "phase"),
        what,
      ).toBe(plan.phase !== one.requested);
      expect(
        held.some(({ value }) => value === "migrationMode"),
        what,
      ).toBe(plan.migrationMode !== one.mode);
      expect(plan.epoch).toBe(7);
      cases += 1;
    }
    expect(cases).toBe(14_400);
  });

  it("never lets modern answer in a later phase that was requested and not granted", () => {
    for (const one of everyCase()) {
      if (one.closed || one.granted !== "shadow_mode") continue;
      expect(routeOf(planOfCase(one).plan, { user: "amy", book: "UST" }, 0).answer, JSON.stringify(one)).toBe(
        "legacy",
      );
    }
  });

  it("names the source of each value", () => {
    const published = {
      phase: "dual_write",
      flags: { storage: true, calculator: true },
      newSystemPercentage: 10,
    } as const;
    const from = (record: ControlRecord, isSwitchSet = false) =>
      effectivePlan(record, published, isSwitchSet).from;
    expect(from(recordWith())).toEqual({
      phase: "published",
      migrationMode: "default",
      useNewPnlSystem: "default",
      flags: "published",
      newSystemPercentage: "published",
      userWhitelist: "default",
      userDenylist: "default",
    });
    expect(
      from(
        recordWith(
          {},
          { phase: "primary_switch", newSystemPercentage: 0, useNewPnlSystem: false, userWhitelist: [] },
        ),
      ),
    ).toMatchObject({
      phase: "store",
      newSystemPercentage: "store",
      useNewPnlSystem: "store",
      userWhitelist: "store",
    });
    expect(from(recordWith({ latched: "x" })).useNewPnlSystem).toBe("latch");
    expect(from(recordWith({ latched: "x" }), true).useNewPnlSystem).toBe("switch_file");
    expect(from(recordWith({ grantedPhase: "read_only" })).phase).toBe("held");
  });

  it("lets legacy alone answer and be written while nothing is published", () => {
    const { plan } = effectivePlan(recordWith({ grantedPhase: "read_only" }), undefined, false);
    expect([plan.phase, writesOf(plan)]).toEqual(["read_only", ["legacy"]]);
  });

  it("prefers an operator's percentage and user lists to the file's, even 0 and empty lists", () => {
    const users = { userWhitelist: ["amy"], userDenylist: ["eve"] };
    const published = { phase: "shadow_mode", newSystemPercentage: 50, ...users } as const;
    const nobody = { newSystemPercentage: 0, userWhitelist: [], userDenylist: [] };
    const { plan, from } = effectivePlan(recordWith({}, nobody), published, false);
    expect(plan).toMatchObject({ newSystemPercentage: 0, userWhitelist: new Set(), userDenylist: new Set() });
    expect(from).toMatchObject({
      newSystemPercentage: "store",
      userWhitelist: "store",
      userDenylist: "store",
    });
    expect(effectivePlan(recordWith(), published, false).plan).toMatchObject({
      userDenylist: new Set(["eve"]),
    });
  });

  it("lets legacy answer if a value is impossible, and reports the phase as held for that reason", () => {
    const published = { phase: "primary_switch", flags: { storage: true, calculator: true } } as const;
    const broken = recordWith({}, { newSystemPercentage: 400 });
    const { plan, held } = effectivePlan(broken, published, false);
    expect([plan.phase, routeOf(plan, { book: "UST" }, 0).answer]).toEqual(["read_only", "legacy"]);
    expect(held).toEqual([
      {
        value: "phase",
        asked: "primary_switch",
        why: "the new system percentage must be a number from 0 to 100, not 400",
      },
    ]);
    // With the window closed, legacy's answers are stale, so modern continues to answer.
    const closed = effectivePlan({ ...broken, legacyWindow: "closed" }, published, false);
    expect(routeOf(closed.plan, { book: "UST" }, 0).answer).toBe("modern");
  });
});
