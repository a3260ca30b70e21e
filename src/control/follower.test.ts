import { beforeEach, describe, expect, it } from "vitest";
import { writesOf } from "../domain/migration/plan.ts";
import {
  allFlags,
  amy,
  Disk,
  Fleet,
  type Process,
  publishedSection,
  settle,
  timing,
} from "../testing/fleet.ts";

let fleet: Fleet;
beforeEach(async () => {
  fleet = new Fleet();
  const published = publishedSection({ plan: { phase: "primary_switch", flags: allFlags } });
  await fleet.place
    .open()
    .change({ ...amy, action: "test", set: { published, grantedPhase: "primary_switch" } });
});

const planOf = ({ follower }: Process) => follower.effective.plan;
const kinds = ({ events }: Process): readonly string[] =>
  events.map(({ kind, what }) => (kind === "freshness" ? what : kind));
const instance = (name: string) => [...fleet.place.instances.values()].find((one) => one.name === name);

describe("a process that reaches the store", () => {
  it("follows the store from the start, and each change as soon as it is notified", async () => {
    const process = await fleet.start("one");
    expect(planOf(process)).toMatchObject({ phase: "primary_switch", epoch: 2 });
    fleet.place.sql({ useNewPnlSystem: false });
    await settle();
    expect(planOf(process)).toMatchObject({ useNewPnlSystem: false, epoch: 3 });
    expect(instance("one")).toMatchObject({ seenEpoch: 3, drainedEpoch: 3 });
  });

  it("reports an epoch as drained only when no call of an older epoch runs", async () => {
    const process = await fleet.start("one");
    process.oldestRunning = 2;
    fleet.place.sql({ useNewPnlSystem: false });
    await fleet.pass(500);
    expect(instance("one")).toMatchObject({ seenEpoch: 3, drainedEpoch: 2 });
    process.oldestRunning = undefined;
    await fleet.pass(100);
    expect(instance("one")).toMatchObject({ seenEpoch: 3, drainedEpoch: 3 });
  });

  it("sends heartbeats, leaves the fleet when it ends, and receives no plan afterwards", async () => {
    const process = await fleet.start("one");
    await fleet.pass(5_000);
    expect(instance("one")?.beats).toBeGreaterThanOrEqual(5);
    await process.follower.close();
    const plans = process.plans.length;
    fleet.place.sql({ useNewPnlSystem: false });
    await fleet.pass(5_000);
    expect([fleet.place.instances.size, process.plans.length]).toEqual([0, plans]);
  });

  it("keeps the last readable section when a newer program publishes one that it cannot read", async () => {
    const process = await fleet.start("one");
    await fleet.place.open().change({
      ...amy,
      action: "publish",
      set: { published: { text: "{", hash: "x", phase: "primary_switch" } },
    });
    await settle();
    expect(planOf(process)).toMatchObject({ phase: "primary_switch", epoch: 3 });
    expect(kinds(process)).toContain("unreadable_section");
    // A process that starts now has no earlier section to keep, so legacy answers.
    expect(planOf(await fleet.start("two"))).toMatchObject({ phase: "read_only" });
  });

  it("obeys a store that was restored from an old copy only in changes towards legacy", async () => {
    const process = await fleet.start("one");
    const old = fleet.place.record;
    for (const percentage of [10, 20, 30]) fleet.place.sql({ newSystemPercentage: percentage });
    await settle();
    fleet.place.record = old;
    await fleet.pass(2_000);
    expect(planOf(process)).toMatchObject({ newSystemPercentage: 30, epoch: 5 });
    expect(kinds(process).filter((kind) => kind === "epoch_went_back")).toEqual(["epoch_went_back"]);
    fleet.place.sql({ useNewPnlSystem: false });
    await fleet.pass(2_000);
    expect(planOf(process)).toMatchObject({ useNewPnlSystem: false });
  });
});

describe("a process whose store was restored from an old copy", () => {
  const restored = async (changes: number): Promise<Process> => {
    const process = await fleet.start("one");
    const old = fleet.place.record;
    for (let percentage = 1; percentage <= changes; percentage++)
      fleet.place.sql({ newSystemPercentage: percentage });
    await settle();
    fleet.place.record = old;
    await fleet.pass(2_000);
    return process;
  };

  it("acknowledges a plan of that store only if it follows the plan", async () => {
    const process = await restored(3);
    expect(planOf(process)).toMatchObject({ newSystemPercentage: 3, epoch: 5 });
    expect(instance("one")).toMatchObject({ seenEpoch: 0, drainedEpoch: 0 });
    fleet.place.sql({ useNewPnlSystem: false });
    await fleet.pass(100);
    expect(instance("one")).toMatchObject({ seenEpoch: 3, drainedEpoch: 3 });
  });

  it("obeys each change towards legacy, even if the restored store then has exactly the epoch that the process knows", async () => {
    for (const way of [
      { useNewPnlSystem: false },
      { latched: "error_rate" },
      { migrationMode: "old_only" as const },
    ]) {
      const process = await restored(1);
      fleet.place.sql(way);
      expect(fleet.place.record.epoch).toBe(process.follower.record.epoch);
      await fleet.pass(1_500);
      expect(planOf(process), JSON.stringify(way)).toMatchObject({ useNewPnlSystem: false });
      process.kill();
      fleet.place.sql({ useNewPnlSystem: null, latched: null, migrationMode: null });
    }
  });

  it("follows a phase in which legacy is authoritative, so that no two processes write with different authority", async () => {
    const process = await restored(3);
    fleet.place.sql({ phase: "dual_write" });
    await fleet.pass(100);
    expect(writesOf(planOf(process))[0]).toBe("legacy");
  });

  it("follows the store again as soon as its epoch exceeds the known one", async () => {
    const process = await restored(2);
    for (const percentage of [11, 12, 13]) fleet.place.sql({ newSystemPercentage: percentage });
    await fleet.pass(100);
    expect(planOf(process)).toMatchObject({ newSystemPercentage: 13, epoch: 5 });
    expect(instance("one")).toMatchObject({ seenEpoch: 5, drainedEpoch: 5 });
  });

  it("does not mistake a late read for a restored store", async () => {
    const process = await fleet.start("one");
    const store = process.follower.store as NonNullable<typeof process.follower.store>;
    const read = store.read.bind(store);
    const late = Promise.withResolvers<void>();
    store.read = async () => {
      const record = await read();
      await late.promise;
      return record;
    };
    fleet.place.sql({ useNewPnlSystem: false });
    await settle();
    store.read = read;
    await fleet.pass(50);
    fleet.place.sql({ useNewPnlSystem: null });
    await process.follower.refresh();
    expect(planOf(process)).toMatchObject({ useNewPnlSystem: true, epoch: 4 });
    await fleet.pass(50);
    late.resolve();
    await settle();
    expect(planOf(process)).toMatchObject({ useNewPnlSystem: true, epoch: 4 });
    expect(kinds(process)).not.toContain("epoch_went_back");
  });
});

describe("a process whose store is unreachable", () => {
  it("starts with legacy within two seconds if it has no snapshot, and follows the store once it is reachable", async () => {
    fleet.place.away = true;
    const startedMs = fleet.clock.nowMs();
    const process = await fleet.start("one");
    expect(fleet.clock.nowMs() - startedMs).toBeLessThanOrEqual(2_000);
    expect(planOf(process)).toMatchObject({ phase: "read_only", epoch: 0 });
    expect([process.follower.freshness, writesOf(planOf(process))]).toEqual(["none", ["legacy"]]);
    fleet.place.away = false;
    await fleet.pass(1_500);
    expect(planOf(process)).toMatchObject({ phase: "primary_switch", epoch: 2 });
  });

  it("starts with the newest snapshot that any process saved on its disk", async () => {
    const disk = new Disk();
    await fleet.start("one", disk);
    fleet.place.sql({ newSystemPercentage: 30 });
    await settle();
    fleet.place.away = true;
    const again = await fleet.start("one", disk);
    expect(planOf(again)).toMatchObject({ phase: "primary_switch", newSystemPercentage: 30, epoch: 3 });
    expect(again.follower.freshness).toBe("none");
  });

  it("becomes stale, then expired, keeps its last plan, and is fresh again when the store returns", async () => {
    const process = await fleet.start("one");
    fleet.place.away = true;
    await fleet.pass(timing.leaseMs + 3_000, 500);
    expect(kinds(process).filter((kind) => ["fresh", "stale", "expired"].includes(kind))).toEqual([
      "fresh",
      "stale",
      "expired",
    ]);
    expect(planOf(process)).toMatchObject({ phase: "primary_switch", useNewPnlSystem: true });
    fleet.place.away = false;
    await fleet.pass(1_500);
    expect(process.follower.freshness).toBe("fresh");
    // The failure is reported once, not every second.
    expect(kinds(process).filter((kind) => kind === "store_failed").length).toBe(1);
  });

  it("opens its store again if the handle is broken", async () => {
    const process = await fleet.start("one");
    const broken = process.follower.store;
    await broken?.close();
    await fleet.pass(2_500);
    expect(process.follower.store).not.toBe(broken);
    fleet.place.sql({ newSystemPercentage: 40 });
    await settle();
    expect(planOf(process).newSystemPercentage).toBe(40);
  });

  it("obeys its machine's switch file while the store is unreachable, and rolls the fleet back when the store returns", async () => {
    const [disk, process] = [new Disk(), await fleet.start("other")];
    const switched = await fleet.start("one", disk);
    fleet.place.away = true;
    disk.isSwitchSet = true;
    await fleet.pass(200);
    expect(planOf(switched)).toMatchObject({ useNewPnlSystem: false, epoch: 2 });
    expect(planOf(process)).toMatchObject({ useNewPnlSystem: true });
    fleet.place.away = false;
    await fleet.pass(1_500);
    expect(planOf(process)).toMatchObject({ useNewPnlSystem: false, migrationMode: "old_only" });
    expect(fleet.place.rows.at(-1)).toMatchObject({
      action: "rollback",
      actor: "one",
      reason: "LEGACY_ONLY is set",
    });
    const { epoch } = fleet.place.record;
    await fleet.pass(3_000);
    expect(fleet.place.record.epoch).toBe(epoch);
  });

  it("continues on a full disk, and reports the failure once", async () => {
    const disk = new Disk();
    disk.isBroken = true;
    const process = await fleet.start("one", disk);
    for (const percentage of [10, 20, 30]) {
      fleet.place.sql({ newSystemPercentage: percentage });
      await settle();
    }
    expect(planOf(process).newSystemPercentage).toBe(30);
    expect(kinds(process).filter((kind) => kind === "snapshot_failed")).toEqual(["snapshot_failed"]);
  });
});

describe("a write", () => {
  it("reads the store again if the answer is too old, because the process was suspended meanwhile", async () => {
    const process = await fleet.start("one");
    const store = process.follower.store as NonNullable<typeof process.follower.store>;
    const read = store.read.bind(store);
    store.read = async () => {
      const record = await read();
      fleet.place.watchers.clear();
      fleet.place.sql({ useNewPnlSystem: false });
      fleet.clock.advance(timing.leaseMs + 1);
      store.read = read;
      return record;
    };
    await process.follower.admitWrite();
    expect(planOf(process)).toMatchObject({ useNewPnlSystem: false, epoch: 3 });
    // A store whose answers are always late confirms nothing.
    store.read = async () => {
      const record = await read();
      fleet.clock.advance(timing.staleMs);
      return record;
    };
    fleet.place.sql({ useNewPnlSystem: null });
    await expect(process.follower.admitWrite()).rejects.toMatchObject({ code: "FENCED" });
  });

  it("follows the store's present record, even if the process received no notification", async () => {
    const process = await fleet.start("one");
    fleet.place.watchers.clear();
    fleet.place.sql({ useNewPnlSystem: false });
    await settle();
    expect(planOf(process).useNewPnlSystem).toBe(true);
    await process.follower.admitWrite();
    expect(planOf(process)).toMatchObject({ useNewPnlSystem: false, epoch: 3 });
  });

  it("is refused if the store cannot confirm that modern is authoritative, and allowed if legacy is", async () => {
    const process = await fleet.start("one");
    fleet.place.away = true;
    await expect(process.follower.admitWrite()).rejects.toMatchObject({ failure: "BUSY", code: "FENCED" });
    fleet.place.away = false;
    fleet.place.sql({ phase: "dual_write" });
    await settle();
    fleet.place.away = true;
    await expect(process.follower.admitWrite()).resolves.toBeUndefined();
  });
});
