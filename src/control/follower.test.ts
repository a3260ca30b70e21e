import { beforeEach, describe, expect, it } from "vitest";
import { writesOf } from "../domain/migration/plan.ts";
import { allFlags, amy, Disk, Fleet, type Process, publishedSection, settle, timing } from "../testing/fleet.ts";

let fleet: Fleet;
beforeEach(async () => {
  fleet = new Fleet();
  const published = publishedSection({ plan: { phase: "primary_switch", flags: allFlags } });
  await fleet.place.open().change({ ...amy, action: "test", set: { published, grantedPhase: "primary_switch" } });
});

const planOf = ({ follower }: Process) => follower.effective.plan;
const kinds = ({ events }: Process): readonly string[] => events.map(({ kind, what }) => (kind === "freshness" ? what : kind));
const instance = (name: string) => [...fleet.place.instances.values()].find((one) => one.name === name);

describe("a process that reaches the store", () => {
  it("goes by it from the start, and by each change as soon as it is told", async () => {
    const process = await fleet.start("one");
    expect(planOf(process)).toMatchObject({ phase: "primary_switch", epoch: 2 });
    fleet.place.sql({ useNewPnlSystem: false });
    await settle();
    expect(planOf(process)).toMatchObject({ useNewPnlSystem: false, epoch: 3 });
    expect(instance("one")).toMatchObject({ seenEpoch: 3, drainedEpoch: 3 });
  });

  it("says that it has drained an epoch only when no call of an older one runs", async () => {
    const process = await fleet.start("one");
    process.oldestRunning = 2;
    fleet.place.sql({ useNewPnlSystem: false });
    await fleet.pass(500);
    expect(instance("one")).toMatchObject({ seenEpoch: 3, drainedEpoch: 2 });
    process.oldestRunning = undefined;
    await fleet.pass(100);
    expect(instance("one")).toMatchObject({ seenEpoch: 3, drainedEpoch: 3 });
  });

  it("beats, leaves when it ends, and is told nothing afterwards", async () => {
    const process = await fleet.start("one");
    await fleet.pass(5_000);
    expect(instance("one")?.beats).toBeGreaterThanOrEqual(5);
    await process.follower.close();
    const plans = process.plans.length;
    fleet.place.sql({ useNewPnlSystem: false });
    await fleet.pass(5_000);
    expect([fleet.place.instances.size, process.plans.length]).toEqual([0, plans]);
  });

  it("keeps what it can read of a section that a newer program has published", async () => {
    const process = await fleet.start("one");
    await fleet.place
      .open()
      .change({ ...amy, action: "publish", set: { published: { text: "{", hash: "x", phase: "primary_switch" } } });
    await settle();
    expect(planOf(process)).toMatchObject({ phase: "primary_switch", epoch: 3 });
    expect(kinds(process)).toContain("unreadable_section");
    // One that has never read another has nothing to go by.
    expect(planOf(await fleet.start("two"))).toMatchObject({ phase: "read_only" });
  });

  it("does not follow a store that was put back from an old copy, but for its way to legacy", async () => {
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

describe("a process whose store was put back from an old copy", () => {
  const putBack = async (changes: number): Promise<Process> => {
    const process = await fleet.start("one");
    const old = fleet.place.record;
    for (let percentage = 1; percentage <= changes; percentage++) fleet.place.sql({ newSystemPercentage: percentage });
    await settle();
    fleet.place.record = old;
    await fleet.pass(2_000);
    return process;
  };

  it("acknowledges no plan there that it does not go by", async () => {
    const process = await putBack(3);
    expect(planOf(process)).toMatchObject({ newSystemPercentage: 3, epoch: 5 });
    expect(instance("one")).toMatchObject({ seenEpoch: 0, drainedEpoch: 0 });
    fleet.place.sql({ useNewPnlSystem: false });
    await fleet.pass(100);
    expect(instance("one")).toMatchObject({ seenEpoch: 3, drainedEpoch: 3 });
  });

  it("is taken to legacy there by each way that leads there, also when the epochs are the same by then", async () => {
    for (const way of [{ useNewPnlSystem: false }, { latched: "error_rate" }, { migrationMode: "old_only" as const }]) {
      const process = await putBack(1);
      fleet.place.sql(way);
      expect(fleet.place.record.epoch).toBe(process.follower.record.epoch);
      await fleet.pass(1_500);
      expect(planOf(process), JSON.stringify(way)).toMatchObject({ useNewPnlSystem: false });
      process.kill();
      fleet.place.sql({ useNewPnlSystem: null, latched: null, migrationMode: null });
    }
  });

  it("goes with what answers by legacy there, so that no two processes write with different authority", async () => {
    const process = await putBack(3);
    fleet.place.sql({ phase: "dual_write" });
    await fleet.pass(100);
    expect(writesOf(planOf(process))[0]).toBe("legacy");
  });

  it("goes by it again as soon as it is further than what was known", async () => {
    const process = await putBack(2);
    for (const percentage of [11, 12, 13]) fleet.place.sql({ newSystemPercentage: percentage });
    await fleet.pass(100);
    expect(planOf(process)).toMatchObject({ newSystemPercentage: 13, epoch: 5 });
    expect(instance("one")).toMatchObject({ seenEpoch: 5, drainedEpoch: 5 });
  });

  it("is not taken for put back where an answer of before was overtaken", async () => {
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

describe("a process whose store is away", () => {
  it("starts by legacy within two seconds where it never knew better, and follows as soon as the store is there", async () => {
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

  it("starts by the newest snapshot that any process left on its disk", async () => {
    const disk = new Disk();
    await fleet.start("one", disk);
    fleet.place.sql({ newSystemPercentage: 30 });
    await settle();
    fleet.place.away = true;
    const again = await fleet.start("one", disk);
    expect(planOf(again)).toMatchObject({ phase: "primary_switch", newSystemPercentage: 30, epoch: 3 });
    expect(again.follower.freshness).toBe("none");
  });

  it("is fresh, then stale, then expired, goes on with its last plan, and is fresh again", async () => {
    const process = await fleet.start("one");
    fleet.place.away = true;
    await fleet.pass(timing.leaseMs + 3_000, 500);
    expect(kinds(process).filter((kind) => ["fresh", "stale", "expired"].includes(kind))).toEqual(["fresh", "stale", "expired"]);
    expect(planOf(process)).toMatchObject({ phase: "primary_switch", useNewPnlSystem: true });
    fleet.place.away = false;
    await fleet.pass(1_500);
    expect(process.follower.freshness).toBe("fresh");
    // What failed was told once, not every second.
    expect(kinds(process).filter((kind) => kind === "store_failed").length).toBe(1);
  });

  it("opens its store again where the handle itself is broken", async () => {
    const process = await fleet.start("one");
    const broken = process.follower.store;
    await broken?.close();
    await fleet.pass(2_500);
    expect(process.follower.store).not.toBe(broken);
    fleet.place.sql({ newSystemPercentage: 40 });
    await settle();
    expect(planOf(process).newSystemPercentage).toBe(40);
  });

  it("is taken to legacy by the switch file, and when the store is back the whole fleet is", async () => {
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
    expect(fleet.place.rows.at(-1)).toMatchObject({ action: "rollback", actor: "one", reason: "LEGACY_ONLY is set" });
    const { epoch } = fleet.place.record;
    await fleet.pass(3_000);
    expect(fleet.place.record.epoch).toBe(epoch);
  });

  it("goes on where its disk is full, and says so once", async () => {
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
  it("asks again where the answer is one of long ago, since the process was stopped meanwhile", async () => {
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
    // One whose answers are always late says nothing.
    store.read = async () => {
      const record = await read();
      fleet.clock.advance(timing.staleMs);
      return record;
    };
    fleet.place.sql({ useNewPnlSystem: null });
    await expect(process.follower.admitWrite()).rejects.toMatchObject({ code: "FENCED" });
  });

  it("goes by what the store says now, also where the process was not told", async () => {
    const process = await fleet.start("one");
    fleet.place.watchers.clear();
    fleet.place.sql({ useNewPnlSystem: false });
    await settle();
    expect(planOf(process).useNewPnlSystem).toBe(true);
    await process.follower.admitWrite();
    expect(planOf(process)).toMatchObject({ useNewPnlSystem: false, epoch: 3 });
  });

  it("is refused while nobody can say whether modern is still authoritative, and not where legacy is", async () => {
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
