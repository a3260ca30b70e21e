/**
 * Tests of power cuts while the bridge writes one of its own files that it reads back later. Whatever
 * unsynced writes are lost, torn or kept, the file holds its old or its new state, and after the write is
 * answered its new state.
 * The files beside legacy's database are in beside-failpoints.test.ts.
 */

import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import type fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LocalSwitchFile, SnapshotFiles } from "../../src/adapters/host/index.ts";
import { openOwned } from "../../src/adapters/sqlite/owned-file.ts";
import { randomFrom } from "../../src/app/demo-desk/random.ts";
import { writeConfigFile } from "../../src/config/index.ts";
import { writeWhole } from "../../src/platform/output.ts";
import { recordWith } from "../../src/testing/control-record.ts";
import { CrashingFolder, type Folder } from "../../src/testing/crashing-folder.ts";
import { beginLife, mortal, watchStatements } from "./database/mortal.ts";
import { PowerCut } from "./database/power-cut.ts";

const watched: { disk: CrashingFolder | undefined } = vi.hoisted(() => ({ disk: undefined }));
vi.mock("node:fs/promises", async (importOriginal) => {
  const real = await importOriginal<typeof fs>();
  const noted =
    (name: "open" | "rename" | "rm") =>
    (...given: unknown[]) =>
      Reflect.apply((watched.disk?.functions(real) ?? real)[name], undefined, given);
  return { ...real, open: noted("open"), rename: noted("rename"), rm: noted("rm") };
});

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "pnl-bridge-power-cut-")));
});
afterEach(() => {
  watched.disk = undefined;
  mortal.life = undefined;
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

const filesOf = (path: string): Folder =>
  new Map(readdirSync(path).map((name) => [name, readFileSync(join(path, name))]));

function fill(path: string, files: Folder): void {
  for (const name of readdirSync(path)) rmSync(join(path, name));
  for (const [name, bytes] of files) writeFileSync(join(path, name), bytes);
}

const snapshotsIn = (path: string) => new SnapshotFiles(path, "desk");
const saved = (path: string, epoch: number) =>
  snapshotsIn(path).save({
    record: recordWith({ epoch }),
    auditHead: { seq: epoch, hash: "f".repeat(64) },
    savedAt: "2025-07-24T10:00:00.000Z",
  });
const text = async (path: string, name: string) => filesOf(path).get(name)?.toString();
const planOf = (epoch: number) => `${JSON.stringify({ epoch, actions: Array(200).fill("take_legacy") })}\n`;

interface OwnFile {
  readonly before?: (path: string) => Promise<void>;
  readonly write: (path: string) => Promise<void>;
  readonly read: (path: string) => Promise<unknown>;
}

const ownFiles: Readonly<Record<string, OwnFile>> = {
  "the first snapshot of the plan": {
    write: (path) => saved(path, 4),
    read: (path) => snapshotsIn(path).latest(),
  },
  "a later snapshot of the plan": {
    before: (path) => saved(path, 4),
    write: (path) => saved(path, 5),
    read: (path) => snapshotsIn(path).latest(),
  },
  "the switch file": {
    write: (path) => new LocalSwitchFile(join(path, "LEGACY_ONLY")).set("a fire", "amy"),
    read: (path) => new LocalSwitchFile(join(path, "LEGACY_ONLY")).isSet(),
  },
  "a repair plan": {
    before: (path) => writeWhole(new Map([[join(path, "plan.json"), planOf(1)]])),
    write: (path) => writeWhole(new Map([[join(path, "plan.json"), planOf(2)]])),
    read: (path) => text(path, "plan.json"),
  },
  "the configuration": {
    before: (path) => writeConfigFile(join(path, "config.yaml"), "migration: { phase: read_only }\n"),
    write: (path) => writeConfigFile(join(path, "config.yaml"), "migration: { phase: shadow_mode }\n"),
    read: (path) => text(path, "config.yaml"),
  },
};

it.each(Object.entries(ownFiles))(
  "%s has its old or its new state after a power cut, and its new state if the write was answered before",
  async (_, { before = async () => {}, write, read }) => {
    await before(folder);
    const old = await read(folder);
    const disk = new CrashingFolder(folder, filesOf(folder));
    watched.disk = disk;
    await write(folder);
    watched.disk = undefined;
    const written = await read(folder);
    expect(written).not.toEqual(old);
    for (let steps = 0; steps <= disk.steps; steps++)
      for (const state of disk.after(steps)) {
        fill(folder, state);
        const names = [...state].map(([name, bytes]) => [name, bytes.length]);
        const allowed = steps === disk.steps ? [written] : [old, written];
        expect(allowed, JSON.stringify([steps, names])).toContainEqual(await read(folder));
      }
  },
);

it("after a power cut, a store of the bridge's own kind has no half transaction, and has every answered one", () => {
  const path = join(folder, "own.db");
  const kind = {
    applicationId: 7,
    migrations: ["CREATE TABLE pairs (n INTEGER, half TEXT)"],
    synchronous: "FULL",
    fix: "",
  } as const;
  watchStatements();
  for (let seed = 1; seed <= 12; seed++) {
    const random = randomFrom(seed);
    openOwned(path, kind).close();
    const life = beginLife(1 + random.below(60));
    const cut = new PowerCut(life, [path], join(folder, "journal"));
    let answered = 0;
    const database = openOwned(path, kind);
    try {
      for (; ; answered++) {
        database.exec("BEGIN IMMEDIATE");
        for (const half of ["first", "second"])
          database.prepare("INSERT INTO pairs VALUES (?, ?)").run(answered, half.repeat(random.below(900)));
        database.exec("COMMIT");
      }
    } catch (failure) {
      if (!life.isOver) throw failure;
    }
    mortal.life = undefined;
    cut.leave(random, () => "any");
    const recovered = openOwned(path, kind);
    const rows = recovered.prepare("SELECT n FROM pairs ORDER BY n, rowid").pluck().all();
    recovered.close();
    const pairs = (count: number) => Array.from({ length: 2 * count }, (_, at) => Math.floor(at / 2));
    expect([pairs(answered), pairs(answered + 1)]).toContainEqual(rows);
    rmSync(path);
  }
});
