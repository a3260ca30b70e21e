import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { readSnapshot } from "./snapshot.ts";

/** Hooks that run just before and just after each file of the database is copied. */
const copying = vi.hoisted(() => ({
  before: (_file: string): void => {},
  after: (_file: string): void => {},
  count: 0,
}));
vi.mock("../../platform/copy-file.ts", async (importOriginal) => {
  const { copyFile } = await importOriginal<typeof import("../../platform/copy-file.ts")>();
  return {
    copyFile: (from: string, to: string) => {
      copying.count += 1;
      copying.before(from);
      copyFile(from, to);
      copying.after(from);
    },
  };
});

let folder: string;
let path: string;
let desk: Database.Database;
const usualTemporary = process.env.TMPDIR;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "snapshot-"));
  process.env.TMPDIR = mkdtempSync(join(folder, "tmp-"));
  path = join(folder, "desk.db");
  // This process may have the file open here: the copy drops its locks, but no other process needs them.
  desk = new Database(path);
  desk.exec("CREATE TABLE t (value); INSERT INTO t VALUES ('first')");
  Object.assign(copying, { before: () => {}, after: () => {}, count: 0 });
});

afterEach(() => {
  desk.close();
  const left = readdirSync(process.env.TMPDIR ?? "");
  if (usualTemporary === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = usualTemporary;
  rmSync(folder, { recursive: true });
  expect(left, "temporary copies are removed").toEqual([]);
});

const values = (waitMsMax = 5_000): Promise<unknown[]> =>
  readSnapshot(path, (database) => database.prepare("SELECT value FROM t").pluck().all(), { waitMsMax });

const onlyOnce = (act: () => void): ((file: string) => void) => {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
};

const commit = (value: string): void => void desk.prepare("INSERT INTO t VALUES (?)").run(value);

test("a database at rest is copied once", async () => {
  expect(await values()).toEqual(["first"]);
  expect(copying.count).toBe(1);
});

test.each(["delete", "truncate", "persist"])(
  "a commit during the copy repeats the copy in journal mode %s",
  async (mode) => {
    desk.pragma(`journal_mode = ${mode}`);
    copying.after = onlyOnce(() => commit("second"));
    expect(await values()).toEqual(["first", "second"]);
    expect(copying.count).toBe(2);
  },
);

test("a transaction that begins during the copy repeats it and is rolled back in the copy", async () => {
  desk.pragma("cache_size = 1");
  desk.prepare("INSERT INTO t VALUES (?)").run("x".repeat(100_000));
  copying.after = onlyOnce(() => desk.exec(`BEGIN; UPDATE t SET value = '${"y".repeat(100_000)}'`));
  expect((await values()).map((value) => String(value)[0])).toEqual(["f", "x"]);
  expect(copying.count).toBe(3);
});

test("a transaction that ends before its journal is copied repeats the copy", async () => {
  desk.pragma("cache_size = 1");
  desk.exec(`BEGIN; INSERT INTO t VALUES ('${"y".repeat(100_000)}')`);
  copying.before = (file) => {
    if (file.endsWith("-journal") && desk.inTransaction) desk.exec("COMMIT");
  };
  expect(await values()).toHaveLength(2);
});

test("a journal of another transaction than before the copy repeats the copy", async () => {
  desk.pragma("cache_size = 1");
  const spill = (first: string): void =>
    void desk.exec(`BEGIN; UPDATE t SET value = '${first.repeat(100_000)}'`);
  spill("x");
  copying.after = onlyOnce(() => {
    desk.exec("COMMIT");
    spill("y");
  });
  expect((await values()).map((value) => String(value)[0])).toEqual(["x"]);
});

test("a WAL that only grows during the copy is copied once, even with a checkpoint", async () => {
  desk.pragma("journal_mode = wal");
  commit("second");
  copying.before = (file) => {
    if (!file.endsWith("-wal")) return;
    commit("third");
    desk.pragma("wal_checkpoint(PASSIVE)");
  };
  expect(await values()).toEqual(["first", "second", "third"]);
  expect(copying.count).toBe(2);
});

test("a WAL that starts over during the copy repeats the copy", async () => {
  desk.pragma("journal_mode = wal");
  commit("second");
  copying.after = onlyOnce(() => {
    desk.pragma("wal_checkpoint(RESTART)");
    commit("third");
  });
  expect(await values()).toEqual(["first", "second", "third"]);
  expect(copying.count).toBe(4);
});

test("a WAL that appears or disappears during the copy repeats the copy", async () => {
  desk.pragma("journal_mode = wal");
  desk.pragma("wal_checkpoint(TRUNCATE)");
  copying.after = onlyOnce(() => commit("second"));
  expect(await values()).toEqual(["first", "second"]);
  copying.before = onlyOnce(() => desk.close());
  expect(await values()).toEqual(["first", "second"]);
});

test("a database that keeps changing is reported as DATABASE_BUSY with a fix", async () => {
  copying.after = () => commit("another");
  await expect(values(500)).rejects.toMatchObject({
    code: "DATABASE_BUSY",
    where: path,
    message: expect.stringContaining("500 ms"),
    fix: expect.stringContaining("backup"),
  });
  expect(copying.count).toBeGreaterThan(1);
});

test("a full disk is reported as UNWRITABLE, and a missing right to read as UNREADABLE", async () => {
  const fail = (code: string) => () => {
    throw Object.assign(new Error(code), { code });
  };
  copying.before = fail("ENOSPC");
  await expect(values()).rejects.toMatchObject({ code: "UNWRITABLE", where: process.env.TMPDIR });
  copying.before = fail("EACCES");
  await expect(values()).rejects.toMatchObject({ code: "UNREADABLE", where: path });
  const usual = process.env.TMPDIR;
  process.env.TMPDIR = join(folder, "nowhere");
  await expect(values()).rejects.toMatchObject({
    code: "UNWRITABLE",
    fix: expect.stringContaining("TMPDIR"),
  });
  if (usual !== undefined) process.env.TMPDIR = usual;
});

test("the read function cannot write, and its own errors reach the caller", async () => {
  const attempt = readSnapshot(path, (database) => database.exec("INSERT INTO t VALUES (1)"), {
    waitMsMax: 0,
  });
  await expect(attempt).rejects.toThrow(/readonly/);
  const own = new Error("own");
  await expect(
    readSnapshot(
      path,
      () => {
        throw own;
      },
      { waitMsMax: 0 },
    ),
  ).rejects.toBe(own);
});

const beside = {
  folder: (name: string) => mkdirSync(name),
  pipe: (name: string) => execFileSync("mkfifo", [name]),
  "link to itself": (name: string) => symlinkSync(name, name),
};
for (const [kind, make] of Object.entries(beside))
  test.each(["-wal", "-journal"])(
    `a ${kind} in place of the database's %s is reported as UNREADABLE`,
    async (suffix) => {
      const other = join(folder, "other.db");
      copyFileSync(path, other);
      make(`${other}${suffix}`);
      await expect(readSnapshot(other, () => "read", { waitMsMax: 0 })).rejects.toMatchObject({
        code: "UNREADABLE",
        where: `${other}${suffix}`,
      });
    },
  );

describe("a process that a signal ends while it reads a copy", () => {
  /** Starts a process that reads a snapshot, and whose read waits until the file `go` exists. */
  const reading = async (): Promise<ChildProcess> => {
    const script = `
      import { existsSync, writeSync } from "node:fs";
      import { readSnapshot } from ${JSON.stringify(new URL("snapshot.ts", import.meta.url).href)};
      await readSnapshot(${JSON.stringify(path)}, () => {
        writeSync(1, "reading");
        const pause = new Int32Array(new SharedArrayBuffer(4));
        while (!existsSync(${JSON.stringify(join(folder, "go"))})) Atomics.wait(pause, 0, 0, 5);
      }, { waitMsMax: 0 });`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout, "data");
    return child;
  };

  test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "(%s) ends by the signal, and leaves no copy",
    async (signal) => {
      const child = await reading();
      const closed = once(child, "close");
      child.kill(signal);
      writeFileSync(join(folder, "go"), "");
      expect(await closed).toEqual([null, signal]);
      expect(readdirSync(tmpdir())).toEqual([]);
    },
  );

  test("(SIGKILL) leaves its copy, which the next reader removes", async () => {
    const child = await reading();
    const closed = once(child, "close");
    child.kill("SIGKILL");
    await closed;
    expect(readdirSync(tmpdir())).toHaveLength(1);
    expect(await values()).toEqual(["first"]);
    expect(readdirSync(tmpdir())).toEqual([]);
  });
});
