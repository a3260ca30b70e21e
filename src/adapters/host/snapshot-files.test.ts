import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PlanSnapshot } from "../../ports/local-files.ts";
import { SnapshotFiles, sha256 } from "./index.ts";

let base: string;
let folder: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "pnl-bridge-snapshots-"));
  folder = join(base, "made", "snapshots");
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const snapshotOf = (epoch: number, seq = epoch): PlanSnapshot => ({
  record: {
    epoch,
    overrides: {
      useNewPnlSystem: null,
      migrationMode: "old_only",
      phase: "dual_write",
      newSystemPercentage: 12.5,
      userWhitelist: ["amy", "böb"],
      userDenylist: ["eve"],
    },
    published: { text: "{}", hash: "h", phase: "dual_write" },
    grantedPhase: "dual_write",
    grantedEpoch: 2,
    latched: null,
    ramp: {
      steps: [25, 50],
      dwellMs: 1_000,
      nextAt: "2025-07-24T10:00:00.000Z",
      endsIn: "stay",
      actor: "amy",
      reason: "go",
    },
    legacyWindow: "open",
    cacheGeneration: 3,
    updatedAt: "2025-07-24T10:00:00.000Z",
    updatedBy: "amy",
  },
  auditHead: { seq, hash: "f".repeat(64) },
  savedAt: "2025-07-24T10:00:00.000Z",
});
const fileOf = (name: string): string => join(folder, `${name}.snapshot.json`);
const filesOf = (name: string): SnapshotFiles => new SnapshotFiles(folder, name);
const sealed = (body: string): string => `${sha256(body)}\n${body}`;
/** A snapshot with one change and the matching checksum. */
const changed = (
  change: (snapshot: Record<string, never> & { record: Record<string, unknown> }) => void,
): string => {
  const body = JSON.parse(readFileSync(fileOf("one"), "utf8").split("\n")[1] as string);
  change(body);
  return sealed(JSON.stringify(body));
};

describe("snapshots of the plan", () => {
  it("are read back as saved; the newest is the one with the highest epoch, then the longest audit chain", async () => {
    expect(await filesOf("one").latest()).toEqual({ snapshot: undefined, refused: [] });
    await filesOf("one").save(snapshotOf(4));
    await filesOf("two").save(snapshotOf(7, 8));
    await filesOf("three").save(snapshotOf(7, 9));
    await filesOf("one").save(snapshotOf(5));
    expect(await filesOf("four").latest()).toEqual({ snapshot: snapshotOf(7, 9), refused: [] });
    expect((await filesOf("").heads()).map(({ seq }) => seq).toSorted()).toEqual([5, 8, 9]);
    expect(readdirSync(folder).toSorted()).toEqual([
      "one.snapshot.json",
      "three.snapshot.json",
      "two.snapshot.json",
    ]);
  });

  it("stay in their folder even if the process name is not a valid file name", async () => {
    await filesOf("../desk 7/böö").save(snapshotOf(4));
    expect(readdirSync(base)).toEqual(["made"]);
    expect((await filesOf("one").latest()).snapshot?.record.epoch).toBe(4);
  });

  const spoilers: Readonly<Record<string, (bytes: Buffer) => Buffer | string>> = {
    empty: () => "",
    "cut in its checksum": (bytes) => bytes.subarray(0, 20),
    "cut in its middle": (bytes) => bytes.subarray(0, bytes.length / 2),
    "without its last byte": (bytes) => bytes.subarray(0, -1),
    "with a flipped bit": (bytes) => {
      bytes[100] = (bytes[100] as number) ^ 1;
      return bytes;
    },
    "under another's checksum": (bytes) => `${sha256("another")}\n${bytes.toString().split("\n")[1]}`,
    zeros: (bytes) => bytes.fill(0),
    "no JSON": () => sealed("no JSON"),
    null: () => sealed("null"),
    "too large": (bytes) => Buffer.concat([bytes, Buffer.alloc(4_000_000, " ")]),
    "of a newer version": () => changed((body) => Object.assign(body, { version: 2 })),
    "of no version": () => changed((body) => Object.assign(body, { version: undefined })),
    "with an unknown phase": () => changed(({ record }) => Object.assign(record, { grantedPhase: "warp" })),
    "without its overrides": () => changed(({ record }) => Object.assign(record, { overrides: undefined })),
    "with an invalid percentage": () =>
      changed(({ record }) => Object.assign(record.overrides as object, { newSystemPercentage: 1_000 })),
    "with an invalid epoch": () => changed(({ record }) => Object.assign(record, { epoch: "9" })),
    "without a head of the audit": () => changed((body) => Object.assign(body, { auditHead: null })),
  };
  it.each(Object.entries(spoilers))(
    "one that is %s is refused with its file name, and the next newest is used",
    async (_, spoil) => {
      await filesOf("one").save(snapshotOf(9));
      await filesOf("two").save(snapshotOf(7));
      writeFileSync(fileOf("one"), spoil(readFileSync(fileOf("one"))));
      const { snapshot, refused } = await filesOf("one").latest();
      expect(snapshot?.record.epoch).toBe(7);
      expect(refused).toEqual([{ file: fileOf("one"), why: expect.stringMatching(/\S/) }]);
      expect((await filesOf("one").heads()).map(({ seq }) => seq)).toEqual([7]);
      // The process of the refused snapshot overwrites it with its next one.
      await filesOf("one").save(snapshotOf(10));
      expect(await filesOf("one").latest()).toEqual({ snapshot: snapshotOf(10), refused: [] });
    },
  );

  it("that cannot be written change no earlier snapshot and leave no file behind", async () => {
    await filesOf("one").save(snapshotOf(4));
    mkdirSync(fileOf("two"));
    await expect(filesOf("two").save(snapshotOf(5))).rejects.toThrow("this is not a regular file");
    expect((await filesOf("two").latest()).snapshot?.record.epoch).toBe(4);
    rmSync(fileOf("two"), { recursive: true });
    await filesOf("one").save(snapshotOf(6));
    expect(readdirSync(folder)).toEqual(["one.snapshot.json"]);
  });

  it("are reported as absent if the folder is a file or may not be read", async () => {
    mkdirSync(join(base, "made"));
    writeFileSync(folder, "");
    expect(await filesOf("one").latest()).toEqual({ snapshot: undefined, refused: [] });
    await expect(filesOf("one").save(snapshotOf(4))).rejects.toThrow(/EEXIST|ENOTDIR/);
    rmSync(folder);
    await filesOf("one").save(snapshotOf(4));
    mkdirSync(fileOf("two"));
    expect((await filesOf("one").latest()).refused).toEqual([
      { file: fileOf("two"), why: expect.stringContaining("EISDIR") },
    ]);
    if (process.getuid?.() === 0) return;
    chmodSync(fileOf("one"), 0);
    expect((await filesOf("one").latest()).snapshot).toBeUndefined();
  });

  it("of other processes are removed after a month, as are unfinished ones; the process's own stays", async () => {
    for (const name of ["one", "two", "three"]) await filesOf(name).save(snapshotOf(4));
    const half = join(folder, "two.snapshot.json.77.tmp");
    writeFileSync(half, "");
    const nowMs = Date.now();
    const longAgo = new Date(nowMs - 31 * 86_400_000);
    for (const file of [fileOf("one"), fileOf("two"), half]) utimesSync(file, longAgo, longAgo);
    await filesOf("one").tidy(nowMs);
    expect(readdirSync(folder).toSorted()).toEqual(["one.snapshot.json", "three.snapshot.json"]);
  });
});
