import { beforeEach, describe, expect, it } from "vitest";
import { BridgeError } from "../base/errors.ts";
import { type Phase, phases } from "../domain/migration/phase.ts";
import { routeOf } from "../domain/migration/route.ts";
import type { Overrides, SignOff } from "../ports/control-store.ts";
import { allFlags, amy, Fleet, type Process, publishedSection, settle, timing } from "../testing/fleet.ts";
import { effectivePlan } from "./effective-plan.ts";
import { simpleGates } from "./gates.ts";
import { whoAnswers } from "./moves.ts";

let fleet: Fleet;
let process: Process;
beforeEach(async () => {
  fleet = new Fleet();
  process = await fleet.start("one");
  const published = publishedSection({ plan: { phase: "shadow_mode", flags: allFlags } });
  await fleet.operator.publish(published, amy);
  await fleet.pass(100);
});

const phaseNow = (): Phase => process.follower.effective.plan.phase;
const refusal = async (work: Promise<unknown>) => {
  const failure = await work.then(
    () => expect.fail("was allowed"),
    (error) => error,
  );
  return [failure.code, failure.message] as const;
};
const approve = (actor: string) =>
  fleet.operator.signOff("approved", { actor, note: "I have looked at the numbers" });
/** Advances to a phase, with the approvals that it needs. */
async function goTo(target: Phase): Promise<void> {
  while (phaseNow() !== target) {
    if (phases.indexOf(phaseNow()) >= phases.indexOf("dual_write")) await approve("bob");
    const { moved, gates } = await fleet.operator.move({ kind: "advance" }, amy);
    expect(moved, JSON.stringify(gates)).toBe(true);
    await fleet.pass(1_000);
  }
}
const closed = async (target?: Phase) =>
  (await fleet.operator.gates(target)).gates.filter(({ open }) => !open).map(({ name, why }) => [name, why]);

describe("a phase that a file or SQL requests", () => {
  it("is held until a live process records that its gates are open", async () => {
    expect(phaseNow()).toBe("read_only");
    expect(process.follower.effective.held.map(({ asked }) => asked)).toEqual(["shadow_mode"]);
    await fleet.pass(6_000);
    expect(phaseNow()).toBe("shadow_mode");
    expect(fleet.place.rows.at(-1)).toMatchObject({ action: "grant", actor: "one" });
  });

  it("stays held while a gate is closed or the phase is not the next one", async () => {
    await fleet.pass(6_000);
    fleet.place.sql({ phase: "primary_switch" });
    await fleet.pass(10_000);
    expect(phaseNow()).toBe("shadow_mode");
    fleet.quarantined = 3;
    fleet.place.sql({ phase: "dual_write" });
    await fleet.pass(10_000);
    expect(phaseNow()).toBe("shadow_mode");
    fleet.quarantined = 0;
    await fleet.pass(10_000);
    expect(phaseNow()).toBe("dual_write");
  });

  it("is obeyed at once if it is earlier, and the later one has to be granted again", async () => {
    await goTo("dual_write");
    fleet.place.sql({ phase: "read_only" });
    await fleet.pass(100);
    expect(phaseNow()).toBe("read_only");
    fleet.place.sql({ phase: "dual_write" });
    await fleet.pass(100);
    expect(phaseNow()).toBe("read_only");
  });
});

describe("a move", () => {
  it("goes forward through open gates, one phase at a time, and back to any phase", async () => {
    await goTo("cleanup");
    expect((await refusal(fleet.operator.move({ kind: "advance" }, amy)))[1]).toBe(
      "cleanup is the last phase",
    );
    await fleet.operator.move({ kind: "set", phase: "dual_write" }, amy);
    await fleet.pass(100);
    expect(phaseNow()).toBe("dual_write");
    await fleet.operator.move({ kind: "retreat" }, amy);
    await fleet.pass(100);
    expect(phaseNow()).toBe("shadow_mode");
    expect(await refusal(fleet.operator.move({ kind: "set", phase: "cleanup" }, amy))).toEqual([
      "REFUSED",
      "forward moves go one phase at a time, and after shadow_mode comes dual_write",
    ]);
  });

  it("changes nothing if a gate is closed, names the gate, and is recorded in the audit", async () => {
    await goTo("dual_write");
    const { epoch } = fleet.place.record;
    const result = await fleet.operator.move({ kind: "advance" }, amy);
    expect(result.moved).toBe(false);
    expect(result.gates?.gates.filter(({ open }) => !open).map(({ name }) => name)).toEqual(["approved"]);
    expect(fleet.place.record.epoch).toBe(epoch);
    expect(fleet.place.rows.at(-1)).toMatchObject({
      action: "refused",
      actor: "amy",
      reason: "dual_write to primary_switch: because",
    });
  });

  it("shows its changes in a dry run, and writes no audit row", async () => {
    await goTo("shadow_mode");
    const rows = fleet.place.rows.length;
    const result = await fleet.operator.move({ kind: "advance" }, amy, { dryRun: true });
    expect(result).toMatchObject({
      moved: false,
      target: "dual_write",
      set: { phase: "dual_write", grantedPhase: "dual_write" },
    });
    expect([result.gates?.open, fleet.place.rows.length]).toEqual([true, rows]);
  });

  it("succeeds for one of two operators who make it at the same time", async () => {
    await goTo("shadow_mode");
    const both = await Promise.allSettled([
      fleet.operator.move({ kind: "advance" }, amy),
      fleet.operator.move({ kind: "advance" }, { actor: "bob", reason: "me too" }),
    ]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(both.find(({ status }) => status === "rejected")).toMatchObject({ reason: { code: "CONFLICT" } });
    expect(fleet.place.record.grantedPhase).toBe("dual_write");
  });

  it("backward never moves forward, even if somebody else moves further back at the same time", async () => {
    await goTo("primary_switch");
    const moves = [{ kind: "retreat" }, { kind: "set", phase: "read_only" }] as const;
    const moved = await Promise.all(moves.map((move) => fleet.operator.move(move, amy)));
    expect(moved.map(({ target }) => target)).toEqual(["dual_write", "read_only"]);
    expect(fleet.place.record).toMatchObject({
      grantedPhase: "read_only",
      overrides: { phase: "read_only" },
    });
    await goTo("primary_switch");
    await Promise.all(moves.toReversed().map((move) => fleet.operator.move(move, amy)));
    expect(fleet.place.record).toMatchObject({
      grantedPhase: "read_only",
      overrides: { phase: "read_only" },
    });
  });

  it("such as a rollback needs a reason and a name", async () => {
    for (const by of [
      { actor: "", reason: "x" },
      { actor: "amy", reason: "  " },
    ])
      expect((await refusal(fleet.operator.rollback(by)))[0]).toBe("BAD_USAGE");
  });
});

describe("gates", () => {
  it("are closed if a process is behind or no process is alive", async () => {
    await goTo("shadow_mode");
    expect(await closed()).toEqual([]);
    await process.follower.close();
    expect(await closed()).toEqual([
      ["fleet_acknowledged", "no live process is registered, so a failure would stay unnoticed"],
    ]);
    fleet.place.instances.set("x", {
      ...process,
      id: "x",
      name: "slow",
      seenEpoch: 1,
      drainedEpoch: 1,
      report: null,
      startedAt: "",
      beats: 1,
      beatMs: fleet.place.nowMs,
    } as never);
    expect(await closed()).toEqual([["fleet_acknowledged", "1 of 1 processes are behind: slow"]]);
    // After its lease the process is gone, so no live process is left.
    fleet.clock.advance(timing.leaseMs + 1);
    expect((await closed())[0]?.[1]).toMatch("no live process");
  });

  it("do not forbid new_only, and the overview warns of the writes that legacy lacks after a rollback", async () => {
    await goTo("primary_switch");
    fleet.place.sql({ migrationMode: "new_only" });
    expect((await fleet.operator.wayBack(await fleet.operator.overview())).why).toMatch(
      "legacy lacks what was written under it",
    );
  });

  it("are closed by a quarantine that is unknown or has rows, by writes owed to legacy, and by missing flags", async () => {
    await goTo("shadow_mode");
    fleet.quarantined = 2;
    fleet.owed = { count: 5, oldestMs: 70 };
    expect(await closed()).toEqual([
      ["no_quarantine", "rows wait in the quarantine: 2"],
      ["rollback_possible", "5 writes are owed to legacy, the oldest for 70 ms"],
    ]);
    fleet.quarantined = null;
    fleet.owed = { count: 0, oldestMs: 0 };
    expect(await closed()).toEqual([["no_quarantine", "the content of the quarantine is unknown"]]);
    fleet.quarantined = 0;
    await fleet.operator.publish(publishedSection({ plan: { phase: "shadow_mode" } }), amy);
    await fleet.pass(1_000);
    expect(await closed()).toEqual([
      ["flags_set", "set use_new_storage in the published configuration first"],
    ]);
  });

  it("of the phases in which modern answers need one approval, or two if so configured", async () => {
    await goTo("dual_write");
    expect(await closed()).toEqual([
      [
        "approved",
        "primary_switch needs the approval of one person, nobody has approved: sign-off approved --actor NAME --note TEXT",
      ],
    ]);
    await approve("bob");
    expect(await closed()).toEqual([]);
    const plan = { phase: "shadow_mode", flags: allFlags } as const;
    await fleet.operator.publish(publishedSection({ plan, twoPerson: ["primary_switch"] }), amy);
    await fleet.pass(1_000);
    await approve("bob");
    expect((await closed())[0]?.[1]).toMatch("primary_switch needs the approval of two people, only bob has");
    await approve("carol");
    expect(await closed()).toEqual([]);
  });

  it("ignore approvals that have expired or were given before a backward move", async () => {
    await goTo("dual_write");
    await approve("bob");
    const week = 7 * 86_400_000;
    expect(Date.parse(fleet.place.signOffs[0]?.expiresAt ?? "") - fleet.place.nowMs).toBeGreaterThan(
      week - 10_000,
    );
    fleet.place.signOffs.splice(0, 1, {
      ...(fleet.place.signOffs[0] as SignOff),
      expiresAt: new Date(fleet.place.nowMs - 1).toISOString(),
    });
    expect((await closed())[0]?.[0]).toBe("approved");
    await approve("bob");
    await fleet.operator.move({ kind: "retreat" }, amy);
    await fleet.pass(1_000);
    await goTo("dual_write");
    expect((await closed())[0]?.[0]).toBe("approved");
  });

  it("that are judged from the facts accept no sign-off", async () => {
    expect(await refusal(fleet.operator.signOff("no_quarantine", { actor: "amy", note: "fine" }))).toEqual([
      "REFUSED",
      "the gate no_quarantine is judged from the facts and accepts no sign-off",
    ]);
    expect((await refusal(fleet.operator.signOff("legacy_window", { actor: "amy", note: "done" })))[1]).toBe(
      "the window to legacy can be closed only in cleanup, and the phase is read_only",
    );
  });
});

describe("rollback", () => {
  it("takes everything back, voids caches, sends an alert, and waits for every live process", async () => {
    await goTo("primary_switch");
    const result = fleet.operator.rollback({ actor: "eve", reason: "numbers are wrong" });
    await fleet.pass(100, 10);
    expect(await result).toMatchObject({
      possible: true,
      acknowledged: ["one"],
      waiting: [],
      gone: [],
      owedToLegacy: 0,
    });
    expect(process.follower.effective.plan).toMatchObject({
      useNewPnlSystem: false,
      migrationMode: "old_only",
      phase: "primary_switch",
    });
    expect(fleet.place.record.cacheGeneration).toBe(1);
    expect(fleet.alerts).toMatchObject([
      { kind: "rollback", title: "rolled back by eve: numbers are wrong" },
    ]);
  });

  it("does not wait for a process beyond its lease, and names the processes that have not acknowledged", async () => {
    const hung = {
      id: "h",
      name: "hung",
      seenEpoch: 1,
      drainedEpoch: 1,
      report: null,
      startedAt: "",
      beats: 1,
    };
    fleet.place.instances.set("h", { ...hung, beatMs: fleet.place.nowMs });
    const short = fleet.operator.rollback(amy, { waitMs: 200 });
    await fleet.pass(400, 10);
    expect(await short).toMatchObject({ acknowledgedMs: null, waiting: ["hung"], acknowledged: ["one"] });
    const long = fleet.operator.rollback(amy);
    await fleet.pass(timing.leaseMs + 2_000, 500);
    expect(await long).toMatchObject({ waiting: [], gone: ["hung"], acknowledged: ["one"] });
  });

  it("does not take a live process for gone because somebody has set the clock", async () => {
    const old = {
      id: "h",
      name: "hasty",
      seenEpoch: 1,
      drainedEpoch: 1,
      report: null,
      startedAt: "",
      beats: 1,
    };
    const beatMs = fleet.place.nowMs - 3_600_000;
    fleet.place.instances.set("h", { ...old, beatMs });
    const rollback = fleet.operator.rollback(amy);
    await fleet.pass(100, 10);
    fleet.place.instances.set("h", { ...old, beatMs, beats: 2 });
    await fleet.pass(2_000, 10);
    fleet.place.instances.set("h", { ...old, beatMs, beats: 3, seenEpoch: fleet.place.record.epoch });
    await fleet.pass(100, 10);
    expect(await rollback).toMatchObject({ acknowledged: ["one", "hasty"], gone: [], waiting: [] });
  });

  it("a killed process leaves the fleet after a day, and a live one is listed again after its next heartbeat", async () => {
    const dead = {
      id: "d",
      name: "dead",
      seenEpoch: 1,
      drainedEpoch: 1,
      report: null,
      startedAt: "",
      beats: 1,
    };
    fleet.place.instances.set("d", { ...dead, beatMs: fleet.place.nowMs });
    await fleet.pass(120_000, 1_000);
    expect([...fleet.place.instances.keys()]).toContain("d");
    fleet.clock.jump(86_400_000);
    await fleet.pass(120_000, 1_000);
    expect([...fleet.place.instances.values()].map(({ name }) => name)).toEqual(["one"]);
  });

  it("is undone by setting the phase again, through its gates", async () => {
    await goTo("primary_switch");
    const rollback = fleet.operator.rollback(amy);
    await fleet.pass(100, 10);
    await rollback;
    expect((await refusal(fleet.operator.move({ kind: "advance" }, amy)))[1]).toBe(
      "modern is out of use (use_new_pnl_system is false)",
    );
    expect((await refusal(fleet.operator.traffic(50, amy)))[1]).toMatch("modern is out of use");
    fleet.quarantined = 1;
    const refused = await fleet.operator.move({ kind: "set", phase: "primary_switch" }, amy);
    expect(refused.moved).toBe(false);
    fleet.quarantined = 0;
    await approve("bob");
    expect((await fleet.operator.move({ kind: "set", phase: "primary_switch" }, amy)).moved).toBe(true);
    await fleet.pass(100);
    expect(process.follower.effective.plan).toMatchObject({
      useNewPnlSystem: true,
      migrationMode: "dual_write",
      phase: "primary_switch",
    });
  });

  it("is possible until the window to legacy is closed by sign-off, and reports afterwards that it is not", async () => {
    await goTo("cleanup");
    expect(await fleet.operator.wayBack(await fleet.operator.overview())).toMatchObject({ possible: true });
    await fleet.operator.signOff("legacy_window", { actor: "carol", note: "month end is done" });
    await fleet.pass(100);
    const rollback = fleet.operator.rollback(amy);
    await fleet.pass(100, 10);
    expect(await rollback).toMatchObject({ possible: false, why: expect.stringMatching("cannot roll back") });
    expect((await refusal(fleet.operator.move({ kind: "retreat" }, amy)))[1]).toMatch(
      "legacy is no longer written",
    );
    expect(process.follower.effective.plan).toMatchObject({ phase: "cleanup", legacyWindow: "closed" });
  });
});

describe("traffic", () => {
  it("is raised by a ramp, one step each dwell time, and the percentage of the last step is kept", async () => {
    await goTo("dual_write");
    await fleet.operator.ramp({ steps: [10, 25, 50, 100], dwellMs: 60_000, endsIn: "stay" }, amy);
    const seen: number[] = [];
    for (let minute = 0; minute < 5; minute++) {
      await fleet.pass(1_000);
      seen.push(process.follower.effective.plan.newSystemPercentage);
      await fleet.pass(61_000, 500);
    }
    expect(seen).toEqual([10, 25, 50, 100, 100]);
    expect(fleet.place.record.ramp).toBeNull();
  });

  it("a ramp ends when a trigger fires, and modern is out of use until a person takes it back into use", async () => {
    await goTo("dual_write");
    await fleet.operator.ramp({ steps: [10, 25, 50], dwellMs: 60_000, endsIn: "stay" }, amy);
    await fleet.pass(2_000);
    process.signals = { ...process.signals, modernAsked: 40, modernFailed: 30 };
    await fleet.pass(2_000);
    expect(fleet.place.record).toMatchObject({
      latched: "error_rate: modern failed 30 of 40 calls within 10 s",
      ramp: null,
    });
    expect(process.follower.effective.plan.useNewPnlSystem).toBe(false);
    expect(process.alerts.map(({ kind }) => kind)).toContain("trigger");
    expect(process.events.filter(({ kind }) => kind === "latched").map(({ what }) => what)).toEqual([
      "modern was taken out of use: error_rate: modern failed 30 of 40 calls within 10 s",
    ]);
    await fleet.pass(120_000, 1_000);
    expect(fleet.place.record.overrides.newSystemPercentage).toBe(10);
    expect((await fleet.operator.move({ kind: "set", phase: "dual_write" }, amy)).moved).toBe(true);
    await fleet.pass(30_000, 500);
    expect(fleet.place.record.latched).toBeNull();
    expect(process.follower.effective.plan.useNewPnlSystem).toBe(true);
  });

  it("a ramp ends for good when somebody leaves dual_write by SQL", async () => {
    await goTo("dual_write");
    await fleet.operator.ramp({ steps: [10, 25, 50], dwellMs: 60_000, endsIn: "stay" }, amy);
    fleet.place.sql({ phase: "shadow_mode" });
    await fleet.pass(2_000);
    expect(fleet.place.record).toMatchObject({ ramp: null, overrides: { newSystemPercentage: 10 } });
    expect(fleet.place.rows.at(-1)).toMatchObject({ action: "traffic", actor: "one" });
  });

  it("a failure does not fire its trigger twice, however soon modern is taken back into use", async () => {
    await goTo("dual_write");
    await process.supervisor.second();
    process.signals = { ...process.signals, servedMismatches: 1 };
    await process.supervisor.second();
    await settle();
    expect(fleet.place.record.latched).toMatch("served_mismatch");
    expect((await fleet.operator.move({ kind: "set", phase: "dual_write" }, amy)).moved).toBe(true);
    await settle();
    await process.supervisor.second();
    expect(fleet.place.record.latched).toBeNull();
    process.signals = { ...process.signals, servedMismatches: 2 };
    await process.supervisor.second();
    expect(fleet.place.record.latched).toMatch("1 of modern's answers");
  });

  it("is lowered gradually by a ramp that ends in a rollback", async () => {
    await goTo("dual_write");
    await fleet.operator.traffic(100, amy);
    await fleet.operator.ramp({ steps: [50, 10, 0], dwellMs: 10_000, endsIn: "rollback" }, amy);
    const seen: unknown[] = [];
    for (let step = 0; step < 4; step++) {
      await fleet.pass(1_000);
      const { newSystemPercentage, useNewPnlSystem } = process.follower.effective.plan;
      seen.push([newSystemPercentage, useNewPnlSystem]);
      await fleet.pass(11_000, 500);
    }
    expect(seen).toEqual([
      [50, true],
      [10, true],
      [0, true],
      [0, false],
    ]);
  });

  it.each([
    ["SQL turns use_new_pnl_system off", () => fleet.place.sql({ useNewPnlSystem: false })],
    ["SQL sets migration_mode to old_only", () => fleet.place.sql({ migrationMode: "old_only" })],
    ["a trigger latches", () => fleet.place.sql({ latched: "error_rate: modern failed" })],
  ])("a ramp that stops because %s does not resume when modern is taken back into use", async (_, stop) => {
    const waysBack = [
      () => fleet.operator.move({ kind: "set", phase: "dual_write" }, amy),
      async () => fleet.place.sql({ useNewPnlSystem: null, migrationMode: null, latched: null }),
    ];
    for (const takeBack of waysBack) {
      await goTo("dual_write");
      await fleet.operator.ramp({ steps: [5, 60, 100], dwellMs: 4_000, endsIn: "stay" }, amy);
      await fleet.pass(1_000);
      stop();
      await fleet.pass(1_100);
      await takeBack();
      await fleet.pass(20_000, 500);
      expect(process.follower.effective.plan.useNewPnlSystem).toBe(true);
      expect(fleet.place.record).toMatchObject({ ramp: null, overrides: { newSystemPercentage: 5 } });
    }
  });

  it("taking modern back into use ends a ramp that no process was alive to end", async () => {
    await goTo("dual_write");
    await fleet.operator.ramp({ steps: [5, 60], dwellMs: 4_000, endsIn: "stay" }, amy);
    await process.follower.close();
    fleet.place.sql({ useNewPnlSystem: false });
    expect(fleet.place.record.ramp).not.toBeNull();
    process = await fleet.start("two");
    const { set } = await fleet.operator.move({ kind: "set", phase: "dual_write" }, amy, { dryRun: true });
    expect(set).toMatchObject({ ramp: null });
  });

  it("a falling ramp continues while modern is out of use, and ends in the rollback", async () => {
    await goTo("dual_write");
    await fleet.operator.traffic(100, amy);
    await fleet.operator.rollbackGradually(amy, 2_000);
    fleet.place.sql({ useNewPnlSystem: false });
    await fleet.pass(20_000, 500);
    expect(fleet.place.record).toMatchObject({
      ramp: null,
      overrides: { newSystemPercentage: 0, migrationMode: "old_only" },
    });
  });

  it.each(["shadow_mode", "primary_switch"] as const)(
    "no ramp begins in %s, where the percentage has no effect",
    async (phase) => {
      await goTo(phase);
      const refused = [["REFUSED", expect.stringMatching(`^in ${phase} the percentage does not decide`)]];
      for (const endsIn of ["stay", "rollback"] as const) {
        await expect(
          refusal(fleet.operator.ramp({ steps: [0], dwellMs: 60_000, endsIn }, amy)),
        ).resolves.toEqual(refused[0]);
      }
      await expect(refusal(fleet.operator.rollbackGradually(amy))).resolves.toEqual(refused[0]);
      expect(fleet.place.record.ramp).toBeNull();
    },
  );

  it("a gradual rollback only lowers the percentage, and begins at the present one or below", async () => {
    await goTo("dual_write");
    await fleet.operator.traffic(10, amy);
    const begin = (...steps: number[]) =>
      fleet.operator.ramp({ steps, dwellMs: 60_000, endsIn: "rollback" }, amy);
    expect(await refusal(begin(90, 50, 0))).toEqual([
      "REFUSED",
      "a gradual rollback only lowers the percentage, and 90 % is above the present 10 %",
    ]);
    expect((await refusal(begin(5, 10)))[0]).toBe("BAD_USAGE");
    expect((await begin(10, 5, 0)).ramp).toMatchObject({ steps: [5, 0], endsIn: "rollback" });
    await fleet.operator.rollback(amy, { waitMs: 0 });
    expect((await refusal(fleet.operator.rollbackGradually(amy)))[1]).toMatch("modern is out of use already");
  });

  it.each([12.3456, 33.33333, -1, 100.001, Number.NaN, Number.POSITIVE_INFINITY])(
    "a percentage that stores do not accept is bad usage: %d",
    async (percentage) => {
      await goTo("dual_write");
      const ramp = { steps: [0, percentage, 100], dwellMs: 60_000, endsIn: "stay" } as const;
      for (const work of [fleet.operator.traffic(percentage, amy), fleet.operator.ramp(ramp, amy)])
        expect((await refusal(work))[0]).toBe("BAD_USAGE");
    },
  );

  it.each([
    [[], 60_000],
    [[10, 5, 20], 60_000],
    [[10, 10], 60_000],
    [[10, 101], 60_000],
    [[10, 20], 10],
    [[10, 20], 1_000.5],
    [[10, 20], 31 * 86_400_000],
    [[10, 20], Number.MAX_SAFE_INTEGER],
    [[Number.NaN], 60_000],
  ])("is not changed by an impossible ramp: %j every %d ms", async (steps, dwellMs) => {
    expect((await refusal(fleet.operator.ramp({ steps, dwellMs, endsIn: "stay" }, amy)))[0]).toBe(
      "BAD_USAGE",
    );
  });

  it.each([
    ["whitelist", "userWhitelist"],
    ["denylist", "userDenylist"],
  ] as const)("users are added to the %s and removed from it", async (list, column) => {
    const change = (change: "add" | "remove", user: string) =>
      fleet.operator.changeList(list, { change, user }, amy);
    await change("add", "amy");
    await change("add", "bob");
    expect(await change("add", "bob")).toBeNull();
    await change("remove", "amy");
    expect(await change("remove", "amy")).toBeNull();
    // Two people at once: both changes are made.
    await Promise.all([change("add", "cleo"), change("add", "dan")]);
    await fleet.pass(100);
    expect([...process.follower.effective.plan[column]].toSorted()).toEqual(["bob", "cleo", "dan"]);
    expect(fleet.place.rows.at(-1)).toMatchObject({ action: list, actor: "amy" });
  });

  it("legacy answers a user on the denylist, even one on the whitelist, until the user is removed from it", async () => {
    await goTo("dual_write");
    const reasonOfBob = async () => {
      await fleet.pass(100);
      return routeOf(process.follower.effective.plan, { user: "bob" }, 0).because;
    };
    await fleet.operator.changeList("whitelist", { change: "add", user: "bob" }, amy);
    expect(await reasonOfBob()).toBe("WHITELIST");
    await fleet.operator.changeList("denylist", { change: "add", user: "bob" }, amy);
    expect(await reasonOfBob()).toBe("DENYLIST");
    await fleet.operator.changeList("denylist", { change: "remove", user: "bob" }, amy);
    expect(await reasonOfBob()).toBe("WHITELIST");
  });
});

describe("the switch file of the operator's machine", () => {
  const to = (phase: Phase) => fleet.operator.move({ kind: "set", phase }, amy);
  const forward: Readonly<Record<string, readonly [Phase, () => Promise<unknown>]>> = {
    "phase advance": ["shadow_mode", () => fleet.operator.move({ kind: "advance" }, amy)],
    "phase advance --dry-run": [
      "shadow_mode",
      () => fleet.operator.move({ kind: "advance" }, amy, { dryRun: true }),
    ],
    "taking modern back into use": ["shadow_mode", () => to("shadow_mode")],
    "more traffic": ["dual_write", () => fleet.operator.traffic(50, amy)],
    "a ramp up": [
      "dual_write",
      () => fleet.operator.ramp({ steps: [50, 100], dwellMs: 60_000, endsIn: "stay" }, amy),
    ],
    "a user who is added to the whitelist": [
      "dual_write",
      () => fleet.operator.changeList("whitelist", { change: "add", user: "bob" }, amy),
    ],
    "a user who is removed from the denylist": [
      "dual_write",
      () => fleet.operator.changeList("denylist", { change: "remove", user: "eve" }, amy),
    ],
    "closing the window to legacy": [
      "cleanup",
      () => fleet.operator.signOff("legacy_window", { actor: "carol", note: "done" }),
    ],
  };
  it.each(Object.entries(forward))("blocks %s", async (_, [phase, move]) => {
    await goTo(phase);
    await fleet.operator.changeList("denylist", { change: "add", user: "eve" }, amy);
    const { epoch } = fleet.place.record;
    fleet.disk.isSwitchSet = true;
    expect(await refusal(move())).toEqual(["REFUSED", "the switch file is set"]);
    expect(fleet.place.record.epoch).toBe(epoch);
    fleet.disk.isSwitchSet = false;
    await move();
  });

  it("blocks no move towards legacy, and the overview shows it", async () => {
    await goTo("dual_write");
    await fleet.operator.traffic(50, amy);
    await fleet.operator.changeList("whitelist", { change: "add", user: "bob" }, amy);
    fleet.disk.isSwitchSet = true;
    expect((await fleet.operator.overview()).switchFile).toBe("LEGACY_ONLY");
    await fleet.operator.changeList("whitelist", { change: "remove", user: "bob" }, amy);
    await fleet.operator.changeList("denylist", { change: "add", user: "bob" }, amy);
    await fleet.operator.rollbackGradually(amy);
    await fleet.operator.traffic(10, amy);
    await fleet.operator.move({ kind: "retreat" }, amy);
    expect(await fleet.operator.rollback(amy, { waitMs: 0 })).toMatchObject({ via: "store", possible: true });
  });
});

describe("a rollback while the store cannot be written", () => {
  const failures: Readonly<Record<string, unknown>> = {
    "the store is missing": new BridgeError("SYSTEM_DOWN", { what: "the control file is gone" }),
    "the store is locked": new BridgeError("DATABASE_BUSY", { what: "somebody holds the lock" }),
    "the store is damaged": new BridgeError("BAD_DATABASE", { what: "no SQLite database" }),
    "the store is read-only": new BridgeError("UNWRITABLE", { what: "read-only" }),
    "the store refuses the login": new BridgeError("BAD_CONFIG", { what: "PostgreSQL refuses the login" }),
    "the driver fails in an unexpected way": new TypeError("undefined is not a function"),
  };
  it.each(Object.entries(failures))(
    "sets the switch file if %s, whether that shows when the store is opened or when it is written",
    async (_, failure) => {
      for (const fails of ["change", "open"] as const) {
        const fallen = new Fleet();
        const place = fallen.place.open();
        place.change = () => Promise.reject(failure);
        fallen.store = () => (fails === "open" ? Promise.reject(failure) : place);
        const result = await fallen.operator.rollback({ actor: "eve", reason: "wrong numbers" });
        const why = failure instanceof BridgeError ? failure.line : (failure as Error).message;
        expect(result).toEqual({ via: "switch_file", path: "LEGACY_ONLY", why });
        expect(fallen.disk.isSwitchSet).toBe(true);
        expect(fallen.alerts).toMatchObject([
          { kind: "rollback", title: "rolled back by eve: wrong numbers" },
        ]);
      }
    },
  );

  it("fails with UNWRITABLE if the switch file cannot be created either", async () => {
    fleet.place.away = true;
    fleet.disk.isBroken = true;
    expect(await refusal(fleet.operator.rollback(amy))).toEqual([
      "UNWRITABLE",
      "neither the control store (SYSTEM_DOWN: the control store is unreachable) nor the switch file can be written: ENOSPC: no space left on device",
    ]);
  });

  it("requires a reason before it changes anything", async () => {
    fleet.place.away = true;
    expect((await refusal(fleet.operator.rollback({ actor: "eve", reason: "" })))[0]).toBe("BAD_USAGE");
    expect(fleet.disk.isSwitchSet).toBe(false);
  });
});

describe("a move that names the plan that it expects", () => {
  it("is a conflict under another phase or epoch, so that a relative move that is sent twice counts once", async () => {
    await goTo("shadow_mode");
    const { epoch } = fleet.place.record;
    for (const expected of [{ from: "shadow_mode" }, { epoch }] as const) {
      expect((await fleet.operator.move({ kind: "advance" }, amy, expected)).target).toBe("dual_write");
      await fleet.pass(1_000);
      const [code, message] = await refusal(fleet.operator.move({ kind: "advance" }, amy, expected));
      expect([code, message]).toEqual([
        "CONFLICT",
        expect.stringMatching(/^the plan has the phase dual_write and epoch \d+, but the request expects/),
      ]);
      expect((await refusal(fleet.operator.move({ kind: "retreat" }, amy, expected)))[0]).toBe("CONFLICT");
      fleet.place.sql({ phase: "shadow_mode" });
      fleet.place.record = { ...fleet.place.record, epoch };
      await fleet.pass(1_000);
    }
  });
});

describe("a person's name", () => {
  it("is compared trimmed and composed, so that one person is one approver", async () => {
    await goTo("dual_write");
    const plan = { phase: "shadow_mode", flags: allFlags } as const;
    await fleet.operator.publish(publishedSection({ plan, twoPerson: ["primary_switch"] }), amy);
    await fleet.pass(1_000);
    const spellings = ["Ren\u00e9", "Rene\u0301", " Ren\u00e9 ", "Ren\u00e9\u00a0"];
    for (const actor of spellings) await approve(actor);
    expect((await closed())[0]?.[1]).toMatch(
      "primary_switch needs the approval of two people, only Ren\u00e9 has",
    );
    expect(new Set(fleet.place.signOffs.map(({ actor }) => actor))).toEqual(new Set(["Ren\u00e9"]));
  });

  it("on the whitelist is trimmed and composed, matches a caller's in any spelling, and is not empty", async () => {
    await goTo("dual_write");
    await fleet.operator.changeList("whitelist", { change: "add", user: " Rene\u0301 " }, amy);
    expect(
      await fleet.operator.changeList("whitelist", { change: "add", user: "Ren\u00e9" }, amy),
    ).toBeNull();
    await fleet.pass(100);
    const { plan } = process.follower.effective;
    for (const user of ["Ren\u00e9", "Rene\u0301", "Ren\u00e9 "])
      expect(routeOf(plan, { user }, 0).because).toBe("WHITELIST");
    expect(
      (await refusal(fleet.operator.changeList("whitelist", { change: "add", user: " " }, amy)))[0],
    ).toBe("BAD_USAGE");
    await fleet.operator.changeList("whitelist", { change: "remove", user: "Rene\u0301" }, amy);
    expect(fleet.place.record.overrides.userWhitelist).toEqual([]);
  });

  it("is trimmed and composed in the audit", async () => {
    await fleet.operator.traffic(0, { actor: " Rene\u0301", reason: " quiet " });
    expect(fleet.place.rows.at(-1)).toMatchObject({ actor: "Ren\u00e9", reason: "quiet" });
  });
});

describe("whoAnswers describes the plan in force, whatever was requested", () => {
  const out = { flags: { storage: true } };
  it.each<readonly [string, Parameters<typeof effectivePlan>[1], Partial<Overrides>, string | null]>([
    ["modern answers 25 % of the traffic", { phase: "dual_write", flags: allFlags }, {}, null],
    [
      "modern answers 25 % of the traffic and 1 user on the whitelist",
      { phase: "dual_write", flags: allFlags, userWhitelist: ["amy"] },
      {},
      null,
    ],
    [
      "modern answers 25 % of the traffic and 1 user on the whitelist; legacy answers 2 users on the denylist",
      { phase: "dual_write", flags: allFlags, userWhitelist: ["amy"], userDenylist: ["bob"] },
      { userDenylist: ["bob", "eve"] },
      null,
    ],
    [
      "modern answers everything: the phase is primary_switch; legacy answers 1 user on the denylist",
      { phase: "primary_switch", flags: allFlags },
      { userDenylist: ["eve"] },
      null,
    ],
    [
      "legacy answers everything: the phase is shadow_mode",
      { phase: "shadow_mode", flags: allFlags },
      { userDenylist: ["eve"] },
      null,
    ],
    ["legacy answers everything: use_new_calculator is off", { phase: "dual_write", ...out }, {}, null],
    [
      "legacy answers everything: the phase is shadow_mode",
      { phase: "shadow_mode", flags: allFlags },
      {},
      null,
    ],
    [
      "modern answers everything: the phase is primary_switch",
      { phase: "primary_switch", flags: allFlags },
      {},
      null,
    ],
    [
      "legacy answers everything: use_new_pnl_system is false",
      { phase: "primary_switch", flags: allFlags },
      { useNewPnlSystem: false },
      null,
    ],
    [
      "legacy answers everything: migration_mode is old_only",
      { phase: "dual_write", flags: allFlags },
      { migrationMode: "old_only" },
      null,
    ],
    [
      "legacy answers everything: latched by a trigger: error_rate: 3 of 4",
      { phase: "dual_write", flags: allFlags },
      {},
      "error_rate: 3 of 4",
    ],
  ])("%s", (text, published, overrides, latched) => {
    const { record } = fleet.place;
    const given = { ...record.overrides, newSystemPercentage: 25, ...overrides };
    const now = { ...record, grantedPhase: "cleanup", overrides: given, latched } as const;
    expect(whoAnswers(now, effectivePlan(now, published, false))).toBe(text);
  });

  it("names the switch file as the reason", () => {
    const { record } = fleet.place;
    expect(whoAnswers(record, effectivePlan(record, undefined, true))).toBe(
      "legacy answers everything: by the switch file of this machine",
    );
  });
});

describe("publishing", () => {
  it("refuses a file without the flags of the granted phase", async () => {
    await goTo("dual_write");
    const lacking = publishedSection({ plan: { phase: "dual_write", flags: { calculator: true } } });
    expect(await refusal(fleet.operator.publish(lacking, amy))).toEqual([
      "REFUSED",
      "with this file the phase dual_write could not be kept: it needs the flags use_new_storage",
    ]);
  });

  describe("while the gates of a rise are not open, a file", () => {
    const plan = { phase: "dual_write", flags: allFlags, newSystemPercentage: 10 } as const;
    const withoutCalculator = { ...plan, flags: { ...allFlags, calculator: false } };
    type Plan = Parameters<typeof publishedSection>[0]["plan"];
    const needs = "REFUSED a higher percentage needs evidence";
    it.each<readonly [string, Plan, Plan, Partial<Overrides>, string]>([
      ["with a higher percentage is refused", plan, { ...plan, newSystemPercentage: 100 }, {}, needs],
      ["that turns on use_new_calculator is refused", withoutCalculator, plan, {}, needs],
      [
        "with a higher percentage is refused also before dual_write",
        { ...plan, phase: "shadow_mode" },
        { ...plan, phase: "shadow_mode", newSystemPercentage: 100 },
        {},
        needs,
      ],
      [
        "with a higher percentage is refused with the reason that modern is out of use, if it is",
        plan,
        { ...plan, newSystemPercentage: 100 },
        { useNewPnlSystem: false },
        "REFUSED modern is out of use",
      ],
      ["with a lower percentage is published", plan, { ...plan, newSystemPercentage: 5 }, {}, "published"],
      [
        "whose higher percentage is not obeyed is published",
        plan,
        { ...plan, newSystemPercentage: 100 },
        { newSystemPercentage: 5 },
        "published",
      ],
      ["with another whitelist is published", plan, { ...plan, userWhitelist: ["eve"] }, {}, "published"],
    ])("%s", async (_, before, after, overrides, expected) => {
      const judgedBy: unknown[] = [];
      fleet = new Fleet(simpleGates, async ({ tolerances }) => {
        judgedBy.push(tolerances?.pnl);
        return "there is none";
      });
      const { record } = fleet.place;
      const published = publishedSection({ plan: before });
      const given = { ...record.overrides, ...overrides };
      fleet.place.record = { ...record, published, grantedPhase: before.phase, overrides: given };
      const tolerances = { position: "0.0001", pnl: "0.5" };
      const result = await fleet.operator.publish(publishedSection({ plan: after, tolerances }), amy).then(
        () => "published",
        ({ code, message }) => `${code} ${message}`,
      );
      expect(result).toMatch(expected);
      // The evidence under the tolerances of the new file counts.
      expect(judgedBy).toEqual(expected === needs ? ["0.5"] : []);
    });
  });
});
