import { expect, it } from "vitest";
import { FakeDisk, type FakeDiskOptions } from "./fake-disk.ts";
import { fileFinderContract } from "./file-finder-contract.ts";

let nowMs = 1_000_000;
const newDisk = (given: Partial<FakeDiskOptions> = {}): FakeDisk =>
  new FakeDisk({
    roots: 2,
    nowMs: () => nowMs,
    isWatched: (name) => /^trades_.*\.csv$/.test(name),
    ...given,
  });

fileFinderContract("fake disk", async () => {
  const disk = newDisk();
  return {
    finder: disk,
    write: (...given) => disk.write(...given),
    append: (...given) => disk.append(...given),
    rename: (...given) => disk.rename(...given),
    remove: (...given) => disk.remove(...given),
    lose: (root) => disk.lose(root),
    mount: (root) => disk.mount(root),
    restore: (root) => disk.restore(root),
    pass: async (ms) => {
      nowMs += ms;
    },
  };
});

const path = "trades_1.csv";
const read = async (disk: FakeDisk): Promise<string> => {
  const slice = await disk.read({ root: 0, path, from: 0, length: 100 });
  return slice.kind === "bytes" ? new TextDecoder().decode(slice.bytes) : slice.kind;
};
const told = async (disk: FakeDisk): Promise<readonly unknown[]> => {
  const [look] = await disk.look();
  return look?.ok === true ? look.changed : [look?.code];
};

it("the fake disk has each fault that a simulation causes, until the simulation ends it", async () => {
  nowMs = 10_000;
  const disk = newDisk({ tickMs: 2_000, skewMs: -86_400_000 });
  disk.write(0, path, "one\n");
  const first = { path, size: 4, mtimeMs: nowMs - 86_400_000, place: "1:1001" };
  expect(await told(disk)).toEqual([first]);
  nowMs += 1_999;
  disk.write(0, path, "two\n");
  expect(await told(disk)).toEqual([]);
  nowMs += 1;
  expect(await told(disk)).toEqual([first]);

  disk.holdStat(0, path, 2);
  disk.append(0, path, "three\n");
  expect([await told(disk), await told(disk), await told(disk)]).toMatchObject([[], [], [{ size: 10 }]]);
  disk.withhold(0, path, { from: 4, looks: 1 });
  expect(await read(disk)).toBe("two\n\0\0\0\0\0\0");
  await disk.look();
  expect(await read(disk)).toBe("two\n\0\0\0\0\0\0");
  await disk.look();
  expect(await read(disk)).toBe("two\nthree\n");
  disk.lock(0, path, "EBUSY");
  expect(await read(disk)).toBe("locked");
  disk.lock(0, path, undefined);

  disk.truncate(0, path, 3);
  expect(await read(disk)).toBe("two");
  disk.remove(0, path);
  disk.write(0, path, "new\n");
  expect(await told(disk)).toMatchObject([{ size: 4, place: "1:1001" }]);
  disk.lose(0, "ESTALE");
  expect(await told(disk)).toEqual(["ESTALE"]);
  disk.restore(0);
  expect(new TextDecoder().decode(disk.contents(0).get(path))).toBe("new\n");
});

it("names that differ by case are one file on a disk that folds case, and two files on another disk", async () => {
  for (const foldsCase of [true, false]) {
    const disk = newDisk({ foldsCase });
    disk.write(0, "trades_a.csv", "a");
    disk.write(0, "trades_A.csv", "A");
    expect((await told(disk)).length).toBe(foldsCase ? 1 : 2);
  }
});
