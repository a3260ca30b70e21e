/**
 * Tests the rules of the file watcher one by one, over a disk in memory. The random simulation
 * (files-sim.test.ts) tests them in combination.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it, vi } from "vitest";
import { isLongRun } from "../campaigns.ts";
import { hasSharedData, sharedData } from "../shared-data.ts";
import { header, type ModelTrade, rowOf, symbols } from "./files/model.ts";
import { leaseMs, ledgers, prices, settleMs, World, type WorldOptions } from "./files/world.ts";

const today = "trades_20250724.csv";
const yesterday = "trades_20250723.csv";
const dayMs = 86_400_000;
/** The number of steps between two deaths or halts of a process: a short run tries every seventh step. */
const stride = isLongRun("files-sim") ? 1 : 7;

/** Returns the row of a trade; trades of different ids have different times. */
const row = (id: number, changes: Partial<ModelTrade> = {}): string => {
  const time = new Date(Date.UTC(2025, 6, 24, 8) + id * 1_000).toISOString().slice(0, 19).replace("T", " ");
  const side = id % 3 === 0 ? "S" : "B";
  return rowOf({
    id: `${id}`,
    symbol: symbols[0],
    time,
    side,
    quantity: "2",
    price: `110.${id}5`,
    ...changes,
  });
};
const rows = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, at) => row(from + at)).join("");
const rowsOfYesterday = (from: number, to: number): string => rows(from, to).replaceAll("07-24", "07-23");
const ledger = (...parts: readonly string[]): string => header + parts.join("");

/** Returns a world in which a process watches and has read the given files. */
async function watched(
  options: Partial<WorldOptions> = {},
  files: Readonly<Record<string, string>> = {},
): Promise<World> {
  const world = new World({ republished: "quarantine", ...options });
  for (const [path, content] of Object.entries(files)) world.disk.write(ledgers, path, content);
  await world.settle();
  return world;
}

/** Returns the ids of the stored trades, in order, each as often as it is stored. */
const ids = (world: World): string => {
  const found = world.stores.trades().map((key) => Number(JSON.parse(key)[0]));
  return found.sort((a, b) => a - b).join(" ");
};
const upTo = (last: number): string => Array.from({ length: last }, (_, at) => at + 1).join(" ");
const report = (world: World) => world.journal.call("report", null);
const fileOf = (world: World, path: string) => report(world).files.find((file) => file.path === path);
const reviews = (world: World) => world.journal.call("reviews", null);
const quarantine = (world: World) => world.journal.call("quarantine", { limit: 1_000 });
/** Returns the number of changes that the journal has claimed. */
const claims = (world: World): number =>
  world.journal.call("claims", { sink: "nobody", limit: 100_000 }).length;
const counted = (files: Readonly<Record<string, string>>): ReadonlyMap<string, string> =>
  new Map(Object.entries(files));

async function decide(world: World, decision: "apply" | "ignore"): Promise<void> {
  for (const { id } of reviews(world))
    world.journal.call("decide", { review: id, decision, nowMs: world.clock.nowMs() });
  await world.settle();
}

describe("the identity of a file", () => {
  it.each([
    ["while the process runs", true],
    ["while no process runs", false],
  ])(
    "a file that becomes shorter %s is published again, and its rows stay until a person decides",
    async (_, runs) => {
      const world = await watched({}, { [today]: ledger(rows(1, 300)) });
      if (runs) await world.looks(1_000);
      world.disk.write(ledgers, today, ledger(rows(1, 9), row(5_000)));
      await (runs ? world.looks(1_000, 1_000, 1_000) : world.settle());
      expect(fileOf(world, today)).toMatchObject({ state: "republished", rowsApplied: 300 });
      expect(reviews(world)).toMatchObject([{ kind: "republished", added: 1, removed: 291, changed: 0 }]);
      expect(ids(world)).toBe(upTo(300));
    },
  );

  it("ledgers that begin with the same rows are different files, and each row counts once", async () => {
    const names = Array.from(
      { length: 30 },
      (_, at) => `trades_202507${String(at + 1).padStart(2, "0")}.csv`,
    );
    const files = Object.fromEntries(names.map((name, at) => [name, ledger(rows(1, 40), row(100 + at))]));
    const world = await watched({}, files);
    world.check(counted(files));
    expect(report(world).files.reduce((sum, { rowsApplied }) => sum + rowsApplied, 0)).toBe(70);
  });

  it("empty files are different files: each is empty under its path, and is read when it is filled", async () => {
    const names = Array.from({ length: 5 }, (_, at) => `trades_2025072${at}.csv`);
    const world = await watched({}, Object.fromEntries(names.map((name) => [name, ""])));
    expect(names.map((name) => fileOf(world, name)?.state)).toEqual(names.map(() => "empty"));
    const files = Object.fromEntries(names.map((name, at) => [name, ledger(row(at + 1))]));
    for (const [name, content] of Object.entries(files)) world.disk.write(ledgers, name, content);
    await world.settle();
    world.check(counted(files));
  });

  it("a file of a header without rows is empty, and its first row is read as soon as the row is whole", async () => {
    const world = await watched({}, { [today]: header });
    expect(fileOf(world, today)?.state).toBe("empty");
    world.disk.append(ledgers, today, row(1));
    await world.looks(1);
    expect(ids(world)).toBe("1");
  });

  it("files of one name in different folders are different files", async () => {
    const files = { [today]: ledger(row(1)), [`archive/${today}`]: ledger(row(1), row(2)) };
    const world = await watched({}, files);
    expect(ids(world)).toBe("1 2");
    world.disk.append(ledgers, `archive/${today}`, row(3));
    await world.settle();
    expect(ids(world)).toBe("1 2 3");
    expect(fileOf(world, today)).toMatchObject({ state: "applied" });
  });

  it("a file that is missing for a while and comes back has no effect", async () => {
    const world = await watched({}, { [today]: ledger(rows(1, 5)) });
    const before = claims(world);
    world.disk.rename(ledgers, today, "moved.tmp");
    await world.looks(1, 1_000, 6_000);
    expect(fileOf(world, today)?.state).toBe("gone");
    world.disk.rename(ledgers, "moved.tmp", today);
    await world.looks(1, 1_000);
    expect([claims(world), fileOf(world, today)?.state]).toEqual([before, "applied"]);
    world.disk.append(ledgers, today, row(6));
    await world.looks(1);
    expect([claims(world), ids(world)]).toEqual([before + 1, upTo(6)]);
  });

  it("a restart and each look read only those known files that have changed", async () => {
    const names = Array.from({ length: 60 }, (_, at) => `trades_20250723_${at}.csv`);
    const world = await watched({}, Object.fromEntries(names.map((name, at) => [name, ledger(row(at))])));
    const read = vi.spyOn(world.disk, "read");
    world.start(Number.POSITIVE_INFINITY);
    await world.looks(0, 1_000);
    expect(read).not.toHaveBeenCalled();
    world.start(Number.POSITIVE_INFINITY);
    for (const name of names.slice(0, 2)) world.disk.append(ledgers, name, row(900));
    await world.looks(1, 1_000);
    expect([...new Set(read.mock.calls.map(([{ path }]) => path))].toSorted()).toEqual(names.slice(0, 2));
    expect(read.mock.calls.length).toBeLessThan(12);
  });

  it("a ledger that is touched after 90 days has no effect", async () => {
    const content = ledger(rows(1, 5));
    const world = await watched({}, { [today]: content });
    const before = claims(world);
    world.clock.advance(90 * dayMs);
    world.disk.write(ledgers, today, content);
    await world.settle();
    expect([claims(world), reviews(world), ids(world)]).toEqual([before, [], upTo(5)]);
  });

  it("a ledger that is renamed while no process runs has no effect, and its next row counts once", async () => {
    const world = await watched({}, { [today]: ledger(rows(1, 5)) });
    world.disk.rename(ledgers, today, "trades_20250724_final.csv");
    world.disk.append(ledgers, "trades_20250724_final.csv", row(6));
    await world.settle();
    expect(ids(world)).toBe(upTo(6));
    expect(fileOf(world, today)).toMatchObject({ state: "gone", rowsApplied: 5 });
    expect(fileOf(world, "trades_20250724_final.csv")).toMatchObject({ rowsApplied: 1, rowsElsewhere: 5 });
  });

  it("a file that gets the inode of a deleted one is read from its start", async () => {
    const world = await watched({}, { [yesterday]: ledger(rows(1, 5)) });
    world.disk.remove(ledgers, yesterday);
    world.disk.write(ledgers, today, ledger(rows(11, 18)));
    await world.settle();
    expect(ids(world)).toBe(`${upTo(5)} 11 12 13 14 15 16 17 18`);
  });
});

describe("re-publication", () => {
  it("a prefix of any length that is rewritten within one tick of the clock is noticed", async () => {
    const [before, after] = [rows(1, 6), rows(11, 18)];
    // One file for each length of the part that is applied before the rewrite.
    const lengths = Array.from({ length: Math.ceil(before.length / 9) }, (_, at) => before.length - 9 * at);
    const contentOf = (text: string, at: number): string =>
      ledger(
        text
          .replaceAll("110.", `${100 + (at % 50)}.`)
          .replaceAll(/^/gm, `${1_000 + at}`)
          .replace(/\d+$/, ""),
      );
    for (const republished of ["quarantine", "apply"] as const) {
      const world = new World({ republished, tickMs: 10 * dayMs });
      const nameOf = (at: number): string => `trades_20250724_${at}.csv`;
      for (const [at, length] of lengths.entries())
        world.disk.write(ledgers, nameOf(at), contentOf(before, at).slice(0, header.length + length));
      await world.settle();
      for (const at of lengths.keys()) world.disk.write(ledgers, nameOf(at), contentOf(after, at));
      await world.settle();
      const counts = lengths.map((length, at) => {
        const old = contentOf(before, at).slice(0, header.length + length);
        const hasRow = old.slice(header.length).includes("\n");
        return [nameOf(at), hasRow && republished === "quarantine" ? old : contentOf(after, at)] as const;
      });
      world.check(new Map(counts));
    }
  });

  it("an edit directly after a large slice or a re-publication was applied is noticed", async () => {
    const edited = (content: string): string => content.replace(/,110\.\d+5\n$/, ",999.5\n");
    for (const isPublishedAgain of [false, true]) {
      for (const count of [40, 2_400]) {
        const world = await watched({ republished: "apply" }, { [today]: ledger(rows(1, 3)) });
        const whole = isPublishedAgain ? ledger(rows(2, count)) : ledger(rows(1, count));
        const looks = Array.from({ length: 9 }, () => 1_000);
        world.disk.write(ledgers, today, whole);
        await world.looks(...looks);
        world.check(counted({ [today]: whole }));
        const content = edited(whole) + row(count + 1);
        expect(content).not.toBe(whole + row(count + 1));
        world.disk.write(ledgers, today, content);
        // A new process would compare the whole file.
        await world.looks(...looks);
        world.check(counted({ [today]: content }));
      }
    }
  });

  it("a file that is saved again with one row more adds only that row", async () => {
    const world = await watched({}, { [today]: ledger(rows(1, 5)) });
    const before = claims(world);
    for (let last = 6; last <= 9; last += 1) {
      world.disk.remove(ledgers, today);
      world.disk.write(ledgers, today, ledger(rows(1, last)));
      await world.looks(1);
      expect([claims(world), ids(world)]).toEqual([before + last - 5, upTo(last)]);
    }
  });

  it("a file that is saved in place piece by piece is compared when it is whole", async () => {
    const world = await watched({ republished: "apply" }, { [today]: ledger(rows(1, 9)) });
    const saved = ledger(rows(2, 12));
    world.disk.truncate(ledgers, today, 0);
    for (let from = 0; from < saved.length; from += 100) {
      world.disk.append(ledgers, today, saved.slice(from, from + 100));
      await world.looks(settleMs - 50);
    }
    await world.settle();
    world.check(counted({ [today]: saved }));
    const removed = world.journal
      .call("claims", { sink: "nobody", limit: 99 })
      .flatMap((claim) => claim.removed);
    expect(removed.map(({ trade }) => trade.id)).toEqual(["1"]);
  });

  it("a file that is copied and truncated loses no row and doubles none, at whatever times the watcher looks", async () => {
    for (let looks = 0; looks < 8; looks += 1) {
      for (const republished of ["quarantine", "apply"] as const) {
        const world = await watched({ republished }, { [today]: ledger(rows(1, 5)) });
        const steps = [
          () => world.disk.write(ledgers, "trades_20250724.1.csv", ledger(rows(1, 5))),
          () => world.disk.truncate(ledgers, today, 0),
          () => world.disk.append(ledgers, today, ledger(row(6))),
          () => world.disk.append(ledgers, today, row(7)),
        ];
        for (const [at, step] of steps.entries()) {
          step();
          if ((looks >> at) % 2 === 1) await world.looks(1_000);
        }
        await world.settle();
        expect(ids(world), `looks ${looks}`).toBe(upTo(republished === "apply" ? 7 : 5));
        expect(reviews(world).map(({ added, removed }) => [added, removed])).toEqual(
          republished === "apply" ? [] : [[2, 5]],
        );
      }
    }
  });

  it("a price that is edited in place becomes a review with both rows, and changes nothing", async () => {
    const world = await watched({}, { [today]: ledger(rows(1, 8)) });
    world.disk.write(ledgers, today, ledger(rows(1, 4), row(5, { price: "99" }), rows(6, 8)));
    await world.settle();
    expect(reviews(world)).toMatchObject([
      {
        ...{ kind: "republished", path: today, added: 0, removed: 0, changed: 1 },
        rows: [{ what: "changed", line: 6, was: { price: "110.55" }, is: { price: "99" } }],
      },
    ]);
    world.check(counted({ [today]: ledger(rows(1, 8)) }));
  });

  const edited = ledger(rows(1, 3), row(5, { price: "99" }), rows(6, 9));
  it.each([
    ["quarantine", ledger(rows(1, 8)), 1],
    ["apply", edited, 0],
    ["ignore", ledger(rows(1, 8)), 0],
  ] as const)(
    "the policy `%s` decides which content of an edited ledger counts",
    async (republished, counts, open) => {
      const world = await watched({ republished }, { [today]: ledger(rows(1, 8)) });
      world.disk.write(ledgers, today, edited);
      await world.settle();
      world.check(counted({ [today]: counts }));
      expect(reviews(world)).toHaveLength(open);
    },
  );

  it("after `ignore` the last row without a newline counts once, and may still be corrected", async () => {
    const before = ledger(rowsOfYesterday(1, 3)).trimEnd();
    const world = await watched({ republished: "ignore" }, { [yesterday]: before });
    world.disk.write(ledgers, yesterday, before.replace("110.15", "110.16"));
    await world.settle();
    expect(ids(world)).toBe(upTo(3));
    world.disk.append(ledgers, yesterday, `\n${rowsOfYesterday(4, 4)}`);
    await world.settle();
    expect([ids(world), world.failures]).toEqual([upTo(4), []]);
  });

  it("a ledger whose bytes change and whose rows do not needs no decision, and is read on", async () => {
    const world = await watched({}, { [today]: ledger(rows(1, 4)) });
    const spelled = (content: string): string => content.replaceAll(/,2,110/g, ",2.0,110");
    world.disk.write(ledgers, today, spelled(ledger(rows(1, 4))));
    await world.settle();
    const before = [reviews(world), claims(world)];
    world.disk.write(ledgers, today, ledger(rows(1, 6)));
    await world.settle();
    expect([before, reviews(world), ids(world)]).toEqual([[[], 1], [], upTo(6)]);
  });

  it("after `ignore` of a shorter file, an appended row counts even if its line number belonged to another row", async () => {
    const world = await watched({ republished: "ignore" }, { [today]: ledger(rows(1, 8)) });
    world.disk.write(ledgers, today, ledger(rows(1, 3)));
    await world.settle();
    expect(ids(world)).toBe(upTo(8));
    world.disk.append(ledgers, today, rows(9, 10));
    await world.settle();
    expect([ids(world), world.failures]).toEqual([upTo(10), []]);
  });

  it("after `ignore` the rows that are appended later count", async () => {
    const world = await watched({ republished: "ignore" }, { [today]: ledger(rows(1, 8)) });
    world.disk.write(ledgers, today, edited);
    await world.settle();
    world.disk.append(ledgers, today, row(20));
    await world.settle();
    expect(ids(world)).toBe(`${upTo(8)} 20`);
  });

  it.each([
    ["apply", edited],
    ["ignore", ledger(rows(1, 8))],
  ] as const)("a person decides `%s`, and the review is closed", async (decision, counts) => {
    const world = await watched({}, { [today]: ledger(rows(1, 8)) });
    world.disk.write(ledgers, today, edited);
    await world.settle();
    await decide(world, decision);
    world.check(counted({ [today]: counts }));
    expect([reviews(world), fileOf(world, today)?.state]).toEqual([[], "applied"]);
    world.disk.append(ledgers, today, row(20));
    await world.settle();
    world.check(counted({ [today]: counts + row(20) }));
  });

  it("a decision applies only to the content that was shown; other content gets another review", async () => {
    const world = await watched({}, { [today]: ledger(rows(1, 8)) });
    world.disk.write(ledgers, today, edited);
    await world.settle();
    world.disk.write(ledgers, today, ledger(rows(2, 8)));
    await decide(world, "apply");
    expect(reviews(world)).toMatchObject([{ added: 0, removed: 1, changed: 0, decision: null }]);
    world.check(counted({ [today]: ledger(rows(1, 8)) }));
  });

  it("a review is closed without a decision when the file begins with its applied content again", async () => {
    const world = await watched({}, { [today]: ledger(rows(1, 8)) });
    world.disk.write(ledgers, today, edited);
    await world.settle();
    expect(reviews(world)).toHaveLength(1);
    world.disk.write(ledgers, today, ledger(rows(1, 9)));
    await world.settle();
    expect([reviews(world), ids(world), fileOf(world, today)?.state]).toEqual([[], upTo(9), "applied"]);
  });

  it("the removal of a file removes no row, and the applied removal of a row does", async () => {
    const world = await watched(
      { republished: "apply" },
      { [today]: ledger(rows(1, 3)), [yesterday]: ledger(row(9)) },
    );
    world.disk.remove(ledgers, yesterday);
    world.disk.write(ledgers, today, ledger(row(1), row(3)));
    await world.settle();
    expect(ids(world)).toBe("1 3 9");
  });

  it("rows in another order are a review without added and removed rows", async () => {
    const world = await watched({}, { [today]: ledger(rows(1, 4)) });
    world.disk.write(ledgers, today, ledger(rows(3, 4), rows(1, 2)));
    await world.settle();
    expect(reviews(world)).toMatchObject([{ added: 0, removed: 0, changed: 0 }]);
  });

  it("rows of one second in another order give the profit of the new order, once they are applied", async () => {
    const time = "2025-07-24 08:00:00";
    const trades = [
      row(1, { time, side: "B", price: "100" }),
      row(2, { time, side: "B", price: "110" }),
      row(4, { time, side: "S", price: "120" }),
    ];
    const world = await watched({ republished: "apply" }, { [today]: ledger(...trades) });
    world.check(counted({ [today]: ledger(...trades) }));
    for (const order of [
      [1, 0, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const content = ledger(...order.map((at) => trades[at] ?? ""));
      world.disk.write(ledgers, today, content);
      await world.settle();
      world.check(counted({ [today]: content }));
    }
  });

  it("whatever the order in which versions of a ledger are published under one name, the rows of the last one count", async () => {
    const versions = [
      ledger(rows(1, 4)),
      ledger(rows(1, 6)),
      ledger(rows(2, 6)),
      ledger(row(1), row(2, { price: "7" }), rows(3, 7)),
    ];
    for (const order of permutations(versions)) {
      const world = new World({ republished: "apply" });
      for (const version of order) {
        world.disk.write(ledgers, today, version);
        await world.settle();
      }
      world.check(counted({ [today]: order.at(-1) ?? "" }));
    }
  });

  it("a process that dies between noticing and applying a new publication applies it after its restart", async () => {
    let deaths = 0;
    for (let steps = 1; ; steps += stride) {
      const world = await watched({ republished: "apply" }, { [today]: ledger(rows(1, 6)) });
      world.start(steps);
      world.disk.write(ledgers, today, ledger(rows(21, 22)));
      let isDead = false;
      for (const ms of [1, settleMs, settleMs, settleMs]) {
        world.clock.advance(ms);
        isDead ||= await world.pass();
      }
      // The file outgrows the place up to which the old content was read.
      world.disk.append(ledgers, today, rows(23, 40));
      await world.settle();
      world.check(counted({ [today]: ledger(rows(21, 40)) }));
      deaths += Number(isDead);
      if (!isDead) break;
    }
    expect(deaths).toBeGreaterThan(1);
  });
});

describe("rows in several files", () => {
  it("a row counts as often as in the file that holds it most often", async () => {
    const world = await watched({}, { [yesterday]: ledger(row(688).repeat(14)) });
    world.disk.write(ledgers, today, ledger(row(688)));
    await world.settle();
    expect(world.stores.trades()).toHaveLength(14);
    world.disk.append(ledgers, yesterday, row(688));
    await world.settle();
    expect(world.stores.trades()).toHaveLength(15);
    world.disk.append(ledgers, today, row(688).repeat(15));
    await world.settle();
    world.check(counted({ [yesterday]: ledger(row(688).repeat(15)), [today]: ledger(row(688).repeat(16)) }));
  });

  it("a row that an applied publication drops still counts for another file that holds it", async () => {
    const world = await watched(
      { republished: "apply" },
      { [yesterday]: ledger(rows(1, 4)), [today]: ledger(rows(3, 6)) },
    );
    world.disk.write(ledgers, yesterday, ledger(rows(1, 2)));
    await world.settle();
    world.check(counted({ [yesterday]: ledger(rows(1, 2)), [today]: ledger(rows(3, 6)) }));
  });

  it("copies by a sync client count once, and the edited row of one copy is one review", async () => {
    const world = await watched(
      {},
      {
        [today]: ledger(rows(1, 8)),
        "trades_20250724 (1).csv": ledger(rows(1, 8)),
        "trades_20250724-DESKTOP7.csv": ledger(rows(1, 8)),
        "trades_20250724 (conflicted copy).csv": ledger(rows(1, 4), row(5, { price: "110.56" }), rows(6, 8)),
      },
    );
    expect(ids(world)).toBe(upTo(8));
    expect(reviews(world)).toMatchObject([
      { kind: "similar_row", rows: [{ what: "similar", was: { price: "110.55" }, is: { price: "110.56" } }] },
    ]);
  });

  const similar = { price: "99", quantity: "3", side: "S", time: "2025-07-24 08:00:01.250" } as const;
  it.each(Object.keys(similar) as (keyof typeof similar)[])(
    "a row that differs from a row of another file only in its %s waits for a person",
    async (field) => {
      for (const decision of ["apply", "ignore"] as const) {
        const world = await watched(
          {},
          { [yesterday]: ledger(row(1)), [today]: ledger(row(1, { [field]: similar[field] })) },
        );
        expect(ids(world)).toBe("1");
        expect(reviews(world)).toMatchObject([
          { kind: "similar_row", changed: 1, rows: [{ what: "similar" }] },
        ]);
        await decide(world, decision);
        expect([ids(world), reviews(world)]).toEqual([decision === "apply" ? "1 1" : "1", []]);
      }
    },
  );

  it("rows that differ in two fields, and similar rows of one file, are separate trades", async () => {
    const world = await watched(
      {},
      {
        [yesterday]: ledger(row(1), row(1, { price: "99" })),
        [today]: ledger(row(1, { quantity: "3", side: "S" })),
      },
    );
    expect([ids(world), reviews(world)]).toEqual(["1 1 1", []]);
  });

  it("a row stops waiting for a person when no file contains the row that it resembles", async () => {
    // The last row of the first file is cut when the second file is read.
    const whole = ledger(rowsOfYesterday(1, 3));
    const world = await watched({}, { [yesterday]: whole.slice(0, -2) });
    world.disk.write(ledgers, today, whole);
    await world.settle();
    world.disk.append(ledgers, yesterday, whole.slice(-2));
    await world.settle();
    expect([ids(world), reviews(world)]).toEqual(["1 2 3", []]);
  });

  it("the review of a cut row ends when the row is whole", async () => {
    const whole = ledger(rowsOfYesterday(1, 3));
    const world = await watched({}, { [today]: whole });
    world.disk.write(ledgers, yesterday, whole.slice(0, -2));
    await world.settle();
    expect([ids(world), reviews(world).length]).toEqual(["1 2 3", 1]);
    world.disk.append(ledgers, yesterday, whole.slice(-2));
    await world.settle();
    expect([ids(world), reviews(world)]).toEqual(["1 2 3", []]);
  });

  it.each([
    ["apply", "1.5"],
    ["ignore", "0"],
  ] as const)(
    "a different fee of a trade waits for a person: `%s` leaves one trade with fee %s",
    async (decision, fee) => {
      const withFee = `${header.trimEnd()},fee\n${row(1).trimEnd()},1.5\n`;
      const world = await watched({}, { [yesterday]: ledger(row(1)) });
      world.disk.write(ledgers, today, withFee);
      await world.settle();
      const feeOf = () => world.stores.records().map((record) => "fee" in record && record.fee)[0];
      expect([ids(world), feeOf(), reviews(world)]).toMatchObject(["1", "0", [{ kind: "similar_row" }]]);
      await decide(world, decision);
      expect([ids(world), feeOf(), reviews(world)]).toEqual(["1", fee, []]);
    },
  );
});

describe("the last row and readiness", () => {
  it("a last row without newline counts when its day is over, and bytes that follow correct it", async () => {
    const content = ledger(rows(1, 2), row(3, { price: "110.1", time: "2025-07-23 09:00:00" })).trimEnd();
    const world = await watched({}, { [yesterday]: content });
    expect(fileOf(world, yesterday)).toMatchObject({ state: "applied", revocable: { line: 4 } });
    world.check(counted({ [yesterday]: content }));
    world.disk.append(ledgers, yesterday, "5\n");
    await world.settle();
    world.check(counted({ [yesterday]: `${content}5\n` }));
    expect([fileOf(world, yesterday)?.revocable, reviews(world)]).toEqual([null, []]);
  });

  it("a newline that arrives later leaves the last row as it is", async () => {
    const world = await watched({}, { [yesterday]: ledger(rowsOfYesterday(1, 3)).trimEnd() });
    world.disk.append(ledgers, yesterday, "\n");
    await world.settle();
    expect([ids(world), fileOf(world, yesterday)?.revocable]).toEqual([upTo(3), null]);
  });

  it("while the trading day is open, an incomplete last row is not read, however long it stays so", async () => {
    const half = row(1).slice(0, -2);
    const world = await watched({}, { [today]: ledger(half) });
    await world.looks(...Array.from({ length: 10 }, () => 60_000));
    expect([ids(world), fileOf(world, today)?.why]).toEqual(["", `PARTIAL_ROW at byte ${header.length}`]);
    world.disk.append(ledgers, today, row(1).slice(-2));
    await world.looks(1_000);
    expect([ids(world), quarantine(world)]).toEqual(["1", []]);
  });

  it("an old time does not make a file settled, so a slow copy is never cut", async () => {
    // All times on this disk are equal.
    const world = await watched({ tickMs: 1e15 });
    const content = ledger(rowsOfYesterday(1, 9));
    const length = Math.ceil(content.length / 10) - 1;
    for (let from = 0; from < content.length; from += length) {
      world.disk.append(ledgers, yesterday, content.slice(from, from + length));
      await world.looks(1, settleMs - 50);
    }
    await world.settle();
    world.check(counted({ [yesterday]: content }));
    expect(
      world.journal.call("claims", { sink: "nobody", limit: 99 }).flatMap(({ removed }) => removed),
    ).toEqual([]);
  });

  it("a file that exists at the start settles like any other", async () => {
    const world = new World({ republished: "quarantine" });
    world.disk.write(ledgers, yesterday, ledger(rowsOfYesterday(1, 1)).slice(0, -3));
    world.start(Number.POSITIVE_INFINITY);
    await world.looks(0, settleMs - 1);
    expect(ids(world)).toBe("");
    world.disk.append(ledgers, yesterday, row(1).slice(-3));
    await world.looks(1);
    expect([ids(world), claims(world)]).toEqual(["1", 1]);
  });

  it("a file that has its final size from the start is read as its bytes replace the zeros", async () => {
    const content = ledger(rows(1, 6));
    const world = await watched();
    world.disk.write(ledgers, today, new Uint8Array(content.length));
    await world.looks(1_000, 1_000);
    for (let end = 0; end < content.length; end += 40) {
      const bytes = new Uint8Array(content.length);
      bytes.set(new TextEncoder().encode(content.slice(0, end)));
      world.disk.write(ledgers, today, bytes);
      await world.looks(1_000);
    }
    world.disk.write(ledgers, today, content);
    await world.settle();
    expect([ids(world), quarantine(world), reviews(world)]).toEqual([upTo(6), [], []]);
  });

  it("whole rows are read at the next look, however long a file continues to grow", async () => {
    const world = await watched({}, { [today]: header });
    const content = rows(1, 100);
    for (let from = 0; from < content.length; from += 25) {
      world.disk.append(ledgers, today, content.slice(from, from + 25));
      await world.looks(100);
      const whole = content.slice(0, from + 25).split("\n").length - 1;
      expect(world.stores.trades()).toHaveLength(whole);
    }
  });

  it.each([
    ["a day ahead", dayMs],
    ["a day behind", -dayMs],
  ])(
    "a clock of the disk that is %s affects no decision, and neither do jumps of our own clock",
    async (_, skewMs) => {
      const world = await watched(
        { skewMs },
        { [yesterday]: ledger(rowsOfYesterday(1, 3)).trimEnd(), [today]: ledger(row(4)) },
      );
      expect(ids(world)).toBe(upTo(4));
      world.clock.jump(-3_600_000);
      world.disk.append(ledgers, today, row(5));
      await world.looks(1, 1_000, 6_000);
      expect(ids(world)).toBe(upTo(5));
    },
  );
});

describe("missing bytes", () => {
  it("pages that are zeros at first are read when their data arrives, and no row is refused", async () => {
    const world = await watched({}, { [today]: ledger(rows(1, 2)) });
    const from = ledger(rows(1, 2)).length;
    world.disk.append(ledgers, today, rows(3, 8));
    world.disk.withhold(ledgers, today, { from, looks: 3 });
    await world.looks(1, 100);
    expect([ids(world), fileOf(world, today)?.why]).toEqual(["1 2", `NUL_BYTES at byte ${from}`]);
    await world.looks(1_000, 1_000, 1_000);
    expect([ids(world), quarantine(world)]).toEqual([upTo(8), []]);
  });

  it("a size that grows before the data arrives neither cuts a row nor counts as a re-publication", async () => {
    for (const from of [header.length + 10, ledger(rows(1, 5)).length, ledger(rows(1, 6)).length + 9]) {
      const world = await watched({}, { [today]: ledger(rows(1, 5)) });
      world.disk.append(ledgers, today, rows(6, 8));
      world.disk.withhold(ledgers, today, { from, looks: 4, isCut: true });
      await world.looks(1, settleMs, settleMs);
      expect(fileOf(world, today)?.why).toMatch(/^UNSETTLED/);
      expect(reviews(world)).toEqual([]);
      await world.looks(1_000, 1_000, 1_000);
      expect([ids(world), quarantine(world), reviews(world)]).toEqual([upTo(8), [], []]);
    }
  });

  it("zeros that do not go away are refused as one row, and the rows after them count", async () => {
    const nul = "\u0000".repeat(500);
    const world = await watched(
      {},
      { [today]: ledger(rows(1, 2), `${nul}\n`, rows(3, 4)), [yesterday]: ledger(row(7), nul) },
    );
    expect(ids(world)).toBe("1 2 3 4 7");
    expect(quarantine(world)).toMatchObject([
      { path: yesterday, line: 3, code: "NOT_TEXT" },
      { path: today, line: 4, code: "NOT_TEXT" },
    ]);
    world.disk.append(ledgers, today, row(5));
    await world.settle();
    expect([ids(world), quarantine(world).length]).toEqual(["1 2 3 4 5 7", 2]);
  });

  it("pages of zeros in the place of an applied newline are no publication, and what follows them is read", async () => {
    const whole = ledger(rowsOfYesterday(1, 3));
    const world = await watched({}, { [yesterday]: whole });
    world.disk.write(ledgers, yesterday, whole.slice(0, -1));
    world.disk.append(ledgers, yesterday, `\n${rowsOfYesterday(4, 5)}`);
    world.disk.withhold(ledgers, yesterday, { from: whole.length - 1, looks: 3 });
    await world.looks(...Array.from({ length: 70 }, () => 1_000));
    expect([ids(world), reviews(world)]).toEqual([upTo(5), []]);
  });

  it("a file with zeros does not delay any other file", async () => {
    const world = new World({ republished: "quarantine" });
    world.disk.write(ledgers, yesterday, ledger("\u0000".repeat(99)));
    world.disk.write(ledgers, today, ledger(row(1)));
    world.start(Number.POSITIVE_INFINITY);
    await world.looks(0);
    expect(ids(world)).toBe("1");
  });

  it.each(["EBUSY", "EPERM", "EACCES", "EMFILE"])(
    "a file whose reads fail with %s waits, and is read when it can be",
    async (code) => {
      const world = await watched({}, { [today]: ledger(row(1)) });
      world.disk.append(ledgers, today, row(2));
      world.disk.lock(ledgers, today, code);
      await world.looks(1, 2_000);
      const waits = fileOf(world, today);
      expect(waits).toMatchObject({
        state: "waiting",
        why: expect.stringMatching(`^LOCKED ${code}`),
        rowsApplied: 1,
      });
      await world.looks(2_000, 2_000);
      expect(fileOf(world, today)?.sinceMs).toBe(waits?.sinceMs);
      // The waiting state is in the journal, so a restart changes nothing.
      world.start(Number.POSITIVE_INFINITY);
      await world.looks(2_000);
      expect([ids(world), reviews(world)]).toEqual(["1", []]);
      world.disk.lock(ledgers, today, undefined);
      await world.looks(2_000);
      expect(ids(world)).toBe("1 2");
    },
  );

  it("a share that is lost, replaced and back has no effect on any of its files", async () => {
    const files = Array.from(
      { length: 60 },
      (_, at) => [`d${at % 9}/trades_20250724_${at}.csv`, ledger(row(at + 1))] as const,
    );
    const world = await watched({}, Object.fromEntries(files));
    const before = JSON.stringify([claims(world), report(world).files, world.stores.records()]);
    const now = () => JSON.stringify([claims(world), report(world).files, world.stores.records()]);
    world.disk.lose(ledgers, "EHOSTDOWN");
    await world.looks(1_000, 6_000);
    expect(report(world).roots[0]).toMatchObject({ ok: false, code: "EHOSTDOWN" });
    expect(now()).toBe(before);
    world.disk.mount(ledgers);
    await world.looks(1_000, 6_000);
    expect(report(world).roots[0]).toMatchObject({ ok: false, code: "ROOT_REPLACED" });
    expect(now()).toBe(before);
    world.disk.restore(ledgers);
    await world.looks(1_000, 6_000);
    expect(report(world).roots[0]).toMatchObject({ ok: true });
    expect(now()).toBe(before);
    expect(world.events.slice(-3)).toEqual(["root_lost EHOSTDOWN", "root_lost ROOT_REPLACED", "root_back "]);
    world.disk.append(ledgers, files[7]?.[0] ?? "", row(1_000));
    await world.settle();
    expect(world.stores.trades()).toHaveLength(61);
  });

  it("another folder at a root's path is read as soon as a person accepts it", async () => {
    const world = await watched({}, { [yesterday]: ledger(row(1)) });
    world.disk.mount(ledgers);
    world.disk.write(ledgers, today, ledger(row(2)));
    await world.settle();
    expect([ids(world), reviews(world)]).toMatchObject(["1", [{ kind: "root", root: "ledgers" }]]);
    await decide(world, "apply");
    expect([ids(world), reviews(world)]).toEqual(["1 2", []]);
  });

  it("watching continues if another folder at a root's path has all files of the root", async () => {
    const world = await watched({}, { [today]: ledger(row(1)) });
    world.disk.mount(ledgers);
    world.disk.write(ledgers, today, ledger(rows(1, 2)));
    await world.settle();
    expect(report(world).roots[0]).toMatchObject({ ok: true });
    expect(ids(world)).toBe("1 2");
  });
});

describe("claims and receipts", () => {
  it("a ledger that has only refused rows is not read again at later looks, and each row is refused once", async () => {
    const world = await watched({}, { [today]: ledger("oops,,,\n".repeat(7)) });
    const refused = quarantine(world);
    expect(refused.map(({ line }) => line)).toEqual([2, 3, 4, 5, 6, 7, 8]);
    const read = vi.spyOn(world.disk, "read");
    await world.looks(1_000, 6_000, 61_000);
    expect(read).not.toHaveBeenCalled();
    await world.settle();
    await world.settle();
    expect([quarantine(world), fileOf(world, today)?.rowsRefused, claims(world)]).toEqual([refused, 7, 0]);
  });

  it("a process may die at any step between reading a row and its receipt", async () => {
    const files = {
      [yesterday]: ledger(rowsOfYesterday(1, 3)).trimEnd(),
      [today]: ledger(rows(3, 6), "oops,,,\n"),
    };
    for (const diesBefore of [true, false])
      for (let steps = diesBefore ? 1 : 2; ; steps += stride) {
        const world = new World({ republished: "apply" });
        for (const [name, content] of Object.entries(files)) world.disk.write(ledgers, name, content);
        world.start(steps, diesBefore);
        let isDead = false;
        for (const ms of [0, settleMs, settleMs, 6_000]) {
          world.clock.advance(ms);
          isDead ||= await world.pass();
        }
        await world.settle();
        world.check(counted(files));
        expect(quarantine(world)).toHaveLength(1);
        if (!isDead) break;
      }
  });

  it("a file that cannot be read changes no applied row, and a process that does not hold the lease cannot release it", async () => {
    const world = await watched({}, { [today]: ledger(row(1)) });
    const before = claims(world);
    world.disk.lock(ledgers, today, "EIO");
    world.disk.append(ledgers, today, row(2));
    await world.looks(1, 1_000);
    world.journal.call("release", { holder: "another process" });
    expect(world.journal.call("report", null).holder?.holder).toMatch(/^life/);
    expect([claims(world), ids(world)]).toEqual([before, "1"]);
  });

  it.each([
    ["reads new rows", ledger(rows(1, 5))],
    ["applies a new publication", ledger(row(1), rows(3, 5))],
  ])(
    "a process that was suspended beyond its lease while it %s changes nothing when it continues",
    async (_, content) => {
      for (let steps = 1; ; steps += stride) {
        const world = new World({ republished: "apply" });
        const other = new World({ republished: "apply", beside: world });
        world.disk.write(ledgers, today, ledger(rows(1, 3)));
        world.start(Number.POSITIVE_INFINITY);
        other.start(Number.POSITIVE_INFINITY);
        await world.looks(0);
        await other.looks(0);
        expect(other.events).toEqual(["standing_by "]);
        world.disk.write(ledgers, today, content);
        if (!content.startsWith(ledger(rows(1, 3)))) await world.looks(1);
        world.clock.advance(settleMs);
        const thaw = world.freeze(steps);
        let end: unknown = "frozen";
        const pass = world.pass().then(
          () => {
            end = undefined;
          },
          (failure) => {
            end = failure.code;
          },
        );
        await new Promise(setImmediate);
        const isFrozen = end === "frozen";
        world.clock.advance(leaseMs + 1);
        world.disk.write(ledgers, today, ledger(row(1), rows(4, 6)));
        world.disk.forgetTold();
        await other.looks(0, 600, 600, 6_000, 600);
        thaw();
        await pass;
        expect([undefined, "CONFLICT"]).toContain(end);
        await other.looks(1_000, 1_000);
        world.check(counted({ [today]: ledger(row(1), rows(4, 6)) }));
        if (!isFrozen) break;
      }
    },
  );

  it("a claim is sent again with the same records, although its trades now count for other lines", async () => {
    const world = await watched({ republished: "apply" });
    world.stores.fault = "lost answer";
    world.disk.write(ledgers, today, ledger(rowsOfYesterday(1, 4)));
    await world.looks(1_000);
    world.stores.fault = "down";
    const files = { [yesterday]: ledger(rowsOfYesterday(3, 5)), [today]: ledger(rowsOfYesterday(2, 4)) };
    for (const [name, content] of Object.entries(files)) world.disk.write(ledgers, name, content);
    await world.looks(1, settleMs, settleMs);
    await world.settle();
    world.check(counted(files));
  });

  it("while the stores are down, content that is saved again unchanged is claimed once", async () => {
    const world = await watched({}, { [today]: ledger(row(1)) });
    const before = claims(world);
    world.stores.fault = "down";
    world.disk.append(ledgers, today, row(2));
    for (let look = 0; look < 200; look += 1) {
      if (look % 20 === 0) world.disk.write(ledgers, today, ledger(rows(1, 2)));
      await world.looks(10);
    }
    expect(claims(world)).toBe(before + 1);
    world.stores.fault = "none";
    await world.settle();
    expect([claims(world), ids(world)]).toEqual([before + 1, "1 2"]);
  });

  it("a row of today is read before a backlog of old ledgers", async () => {
    const world = new World({ republished: "quarantine" });
    const big = ledger(rows(20_000, 26_000));
    world.disk.write(ledgers, "trades_20250701.csv", big);
    for (let at = 0; at < 150; at += 1)
      world.disk.write(ledgers, `old/trades_20250702_${at}.csv`, ledger(row(at + 1_000)));
    world.disk.write(ledgers, today, ledger(row(1)));
    world.stores.fault = "down";
    world.start(Number.POSITIVE_INFINITY);
    await world.looks(0, 1, 1);
    // Today's rows are read although the stores are far behind.
    world.disk.append(ledgers, today, row(2));
    await world.looks(1);
    expect(fileOf(world, today)?.rowsApplied).toBe(2);
    expect(report(world).files.filter(({ rowsApplied }) => rowsApplied === 0).length).toBeGreaterThan(50);
    world.stores.fault = "none";
    await world.settle();
    expect(world.stores.trades()).toHaveLength(2 + 150 + 6_001);
  });
});

describe("price files", () => {
  const [symbol] = symbols;
  const file = "Futures_20250724_1400.csv";
  const prices10 = (price: string): string => `TYU5,${price}\n`;
  const prices5 = "FVU5,108\n";
  const priceFile = (...parts: readonly string[]): string =>
    `SYMBOL,PX_LAST_DEC,PX_SETTLE_DEC\n${parts.join("").replaceAll("\n", ",\n")}`;
  const marks = (world: World) =>
    world.stores
      .records()
      .flatMap((record) => (record.kind === "price" ? [`${record.symbol} ${record.mark}`] : []))
      .sort();
  async function priced(republished: WorldOptions["republished"], content: string): Promise<World> {
    const world = new World({ republished });
    world.disk.write(prices, file, content);
    await world.settle();
    return world;
  }

  it("prices that are added to a file count, and the others stay", async () => {
    const world = await priced("quarantine", priceFile(prices10("111")));
    world.disk.write(prices, file, priceFile(prices10("111"), prices5));
    await world.settle();
    expect([marks(world), reviews(world)]).toEqual([["FVU5 108", "TYU5 111"], []]);
  });

  it.each([
    ["quarantine", "111", 1],
    ["apply", "112", 0],
    ["ignore", "111", 0],
  ] as const)(
    "under `%s` a price of 111 that is changed to 112 in place counts as %s",
    async (republished, price, open) => {
      const world = await priced(republished, priceFile(prices10("111")));
      world.disk.write(prices, file, priceFile(prices10("112")));
      await world.settle();
      expect([marks(world), reviews(world).length]).toEqual([[`TYU5 ${price}`], open]);
    },
  );

  it.each([
    ["apply", "112"],
    ["ignore", "111"],
  ] as const)(
    "a person decides `%s` on a price of 111 that is changed to 112, and %s counts",
    async (decision, price) => {
      const world = await priced("quarantine", priceFile(prices10("111")));
      world.disk.write(prices, file, priceFile(prices10("112")));
      await world.settle();
      await decide(world, decision);
      expect([marks(world), reviews(world)]).toEqual([[`TYU5 ${price}`], []]);
    },
  );

  it("two different prices of one moment in a file contradict each other, and neither counts", async () => {
    const world = await priced("quarantine", priceFile(prices10("111"), prices10("112"), prices5));
    expect(marks(world)).toEqual(["FVU5 108"]);
  });

  it("the latest price of a day counts, in whatever order the files arrive", async () => {
    for (const order of permutations([1400, 1415, 1430])) {
      const world = new World({ republished: "quarantine" });
      for (const time of order) {
        world.disk.write(prices, `Futures_20250724_${time}.csv`, priceFile(prices10(`${time}`)));
        await world.settle();
      }
      expect(marks(world)).toEqual(["TYU5 1430"]);
    }
  });

  it("a price file that is written in pieces is read when it is whole", async () => {
    const world = await watched();
    const content = priceFile(prices10("111"), prices5);
    for (let end = 10; end < content.length; end += 10) {
      world.disk.write(prices, file, content.slice(0, end));
      await world.looks(1, settleMs - 50);
    }
    world.disk.write(prices, file, content);
    await world.settle();
    expect([marks(world), quarantine(world), reviews(world)]).toEqual([["FVU5 108", "TYU5 111"], [], []]);
  });

  it("a price values the position and the day, whether it comes before or after the trades", async () => {
    for (const isFirst of [true, false]) {
      const world = new World({ republished: "quarantine" });
      const files = [
        () => world.disk.write(prices, file, priceFile(prices10("111"))),
        () => world.disk.write(ledgers, today, ledger(row(1, { price: "110" }))),
      ];
      for (const write of isFirst ? files : files.toReversed()) {
        write();
        await world.settle();
      }
      expect(world.stores.records()).toContainEqual(
        expect.objectContaining({ kind: "position", symbol, quantity: "2", unrealized: "2000", mark: "111" }),
      );
      expect(world.stores.records()).toContainEqual(
        expect.objectContaining({ kind: "daily_pnl", tradingDay: "2025-07-24", symbol, unrealized: "2000" }),
      );
    }
  });

  it("two files with different prices of one moment leave the position without a mark, in either order", async () => {
    for (const [first, second] of [
      ["111", "112"],
      ["112", "111"],
    ] as const) {
      const world = await priced("apply", priceFile(prices10(first)));
      world.disk.write(ledgers, today, ledger(row(1, { price: "110" })));
      await world.settle();
      world.disk.write(prices, `again/${file}`, priceFile(prices10(second)));
      await world.settle();
      const position = (unrealized: string | null) =>
        expect.objectContaining({ kind: "position", symbol, quantity: "2", unrealized });
      expect(world.stores.records()).toContainEqual(position(null));
      // The first price counts again when the second file agrees.
      world.disk.write(prices, `again/${file}`, priceFile(prices10(first)));
      await world.settle();
      expect(world.stores.records()).toContainEqual(position(first === "111" ? "2000" : "4000"));
    }
  });

  it("a price file that is removed keeps its prices", async () => {
    const world = await priced("apply", priceFile(prices10("111")));
    world.disk.remove(prices, file);
    await world.settle();
    expect(marks(world)).toEqual(["TYU5 111"]);
  });
});

describe.skipIf(!hasSharedData)("the desk's own ledgers", () => {
  it("published in several versions under one name, leave trades that depend on the last version only", async () => {
    const folders = ["ledgers", "ledgers-mock", "ledgers-module"].map((name) => `${sharedData}/${name}`);
    const versions = Map.groupBy(
      folders.flatMap((folder) => readdirSync(folder).map((name) => ({ name, path: `${folder}/${name}` }))),
      ({ name }) => name,
    );
    const several = [...versions].filter(([, paths]) => paths.length > 1);
    expect(several.length).toBeGreaterThan(0);
    for (const [name, files] of several) {
      const contents = files.map(({ path }) => readFileSync(path, "utf8"));
      const ends = new Map<string, string>();
      for (const order of permutations(contents)) {
        const world = new World({ republished: "apply" });
        world.clock.advance(60 * dayMs);
        for (const content of order) {
          world.disk.write(ledgers, name, content);
          await world.settle();
        }
        const last = order.at(-1) ?? "";
        const end = JSON.stringify(world.stores.trades());
        expect(end).toBe(ends.get(last) ?? end);
        ends.set(last, end);
      }
    }
  });
});

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length <= 1) return [items];
  return items.flatMap((item, at) => permutations(items.toSpliced(at, 1)).map((others) => [item, ...others]));
}
