import { execFile } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isLongRun } from "../../../test/campaigns.ts";
import type { ControlChange, ControlStore, InstanceReport } from "../../ports/control-store.ts";
import { controlStoreContract } from "../../testing/control-store-contract.ts";
import { connectionTo, foreignFiles, runSql, schemaDump } from "../../testing/sqlite-files.ts";
import { StoreProcess } from "../../testing/store-process.ts";
import { until } from "../../testing/until.ts";
import { controlKind } from "./control-schema.ts";
import { openSqliteControlStore, type SqliteControlOptions } from "./index.ts";

let folder: string;
let path: string;
let opened: ControlStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "control-"));
  path = join(folder, "made", "control.db");
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()));
  rmSync(folder, { recursive: true });
});

const open = async (options: Partial<SqliteControlOptions> = {}): Promise<ControlStore> => {
  const store = await openSqliteControlStore(path, options);
  opened.push(store);
  return store;
};
const elsewhere = (): string => {
  const door = JSON.stringify(new URL("./control-store.ts", import.meta.url).href);
  return `(await import(${door})).openSqliteControlStore(${JSON.stringify(path)})`;
};

/** The sqlite3 shell of this machine. */
const shell = ["/usr/bin/sqlite3", "/usr/local/bin/sqlite3", "/opt/homebrew/bin/sqlite3"].find((name) =>
  existsSync(name),
);
/**
 * The documented statements and a few more run in the shell; a process for each statement is expensive, so a
 * short run sends the others over a connection that behaves like the shell's.
 */
const isForShell = (statement: string): boolean =>
  isLongRun("stores") || isLongRun("statements") || /;$|^PRAGMA|= 101$/.test(statement);
const sql = async (statement: string): Promise<void> => {
  if (shell === undefined || !isForShell(statement)) runSql(path, statement);
  else await promisify(execFile)(shell, ["-bail", path, statement]);
};

controlStoreContract(
  `sqlite, statements from ${shell ?? "better-sqlite3, because this machine has no sqlite3 shell"}`,
  async () => ({
    // Six handles that a busy machine opens at once may need more than the usual deadline.
    open: () => openSqliteControlStore(path, { deadlineMs: 60_000 }),
    sql,
    elsewhere: elsewhere(),
    takeAway: async () => {
      const away = join(folder, "away");
      renameSync(dirname(path), away);
      return async () => renameSync(away, dirname(path));
    },
  }),
);

const percentage = (newSystemPercentage: number, reason = "a test"): ControlChange => ({
  actor: "amy",
  action: "traffic",
  reason,
  set: { newSystemPercentage },
});
const beat: InstanceReport = { id: "one", name: "one", seenEpoch: 1, drainedEpoch: 1, report: null };
const live = (): string => join(dirname(path), "live.db");

/** The schema as SQLite and a person see it. A change needs a new migration, never an edit of an old one. */
describe("the schema", () => {
  test("of the control file equals the golden file", async () => {
    await (await open()).close();
    await expect(schemaDump(path)).toMatchFileSnapshot("./golden/control.sql");
  });
  test("of live.db equals the golden file", async () => {
    const store = await open();
    await store.heartbeat(beat);
    await store.close();
    await expect(schemaDump(live())).toMatchFileSnapshot("./golden/live.sql");
  });
});

test("migration of a control file of version 1 keeps record and audit, and adds the denylist", async () => {
  mkdirSync(dirname(path), { recursive: true });
  const old = new Database(path);
  old.exec(controlKind.migrations[0] as string);
  old.pragma(`application_id = ${controlKind.applicationId}`);
  old.pragma("user_version = 1");
  old.exec(`UPDATE config SET user_whitelist = '["amy"]', phase = 'dual_write'`);
  old.close();
  const store = await open();
  const overrides = { userWhitelist: ["amy"], userDenylist: null, phase: "dual_write" };
  expect(await store.read()).toMatchObject({ epoch: 2, overrides });
  expect(
    await store.change({ actor: "amy", action: "denylist", reason: "x", set: { userDenylist: ["eve"] } }),
  ).toMatchObject({
    epoch: 3,
    overrides: { ...overrides, userDenylist: ["eve"] },
  });
  expect((await store.audit(0, 10)).map(({ after }) => JSON.parse(after as string).user_denylist)).toEqual([
    undefined,
    ["eve"],
  ]);
});

describe("an operator's SQL on SQLite", () => {
  const notTexts = (list: string): string => `${list} is a JSON array of texts, as ["amy", "bob"], or NULL`;

  test("is recorded under the actor sql, whatever actor the statement sets", async () => {
    const store = await open();
    await sql("UPDATE config SET new_system_percentage = 10, updated_by = 'bob', updated_at = 'never'");
    expect(await store.read()).toMatchObject({
      updatedBy: "sql",
      grantedEpoch: 1,
      epoch: 2,
      updatedAt: expect.stringMatching(/^2/),
    });
    expect(await store.audit(0, 10)).toMatchObject([{ actor: "sql", action: "sql" }]);
  });

  test("puts all operator columns before and after the change into the audit", async () => {
    const store = await open();
    await sql(
      `UPDATE config SET use_new_pnl_system = true, new_system_percentage = 10,
        user_whitelist = '["amy"]', user_denylist = '["eve"]'`,
    );
    const [row] = await store.audit(0, 10);
    const nothing = { migration_mode: null, phase: null, latched: null, ramp: null, published_hash: null };
    const rest = { ...nothing, granted_phase: "read_only", legacy_window: "open", cache_generation: 0 };
    expect(JSON.parse(row?.before as string)).toEqual({
      ...rest,
      use_new_pnl_system: null,
      new_system_percentage: null,
      user_whitelist: null,
      user_denylist: null,
    });
    expect(JSON.parse(row?.after as string)).toEqual({
      ...rest,
      use_new_pnl_system: true,
      new_system_percentage: 10,
      user_whitelist: ["amy"],
      user_denylist: ["eve"],
    });
  });

  const tricks: readonly string[] = [
    "INSERT OR REPLACE INTO config (updated_at, updated_by) VALUES ('', '')",
    "REPLACE INTO config SELECT * FROM config",
    "UPDATE config SET one = 2",
    "UPDATE config SET epoch = epoch + 1",
    "UPDATE config SET revision = 7",
    "UPDATE config SET published_hash = 'no such'",
    "UPDATE published SET phase = 'cleanup'",
    "DELETE FROM published",
    "INSERT OR REPLACE INTO audit SELECT * FROM audit",
    "UPDATE config SET change = 'no JSON', phase = 'cleanup'",
  ];
  test("cannot replace the row, set its epoch, or change the audit or a published section", async () => {
    const store = await open();
    await store.change({
      ...percentage(1),
      set: { published: { text: "{}", hash: "a", phase: "dual_write" } },
    });
    const before = [await store.read(), await store.audit(0, 10)];
    for (const trick of tricks) await expect(sql(trick), trick).rejects.toThrow();
    expect([await store.read(), await store.audit(0, 10)]).toEqual(before);
  });

  test.each([
    ["use_new_pnl_system = 'no'", "use_new_pnl_system is true, false or NULL"],
    ["migration_mode = 'both'", "migration_mode is dual_write, old_only, new_only or NULL"],
    ["phase = 'primary'", "phase is read_only, shadow_mode, dual_write, primary_switch or cleanup"],
    ["new_system_percentage = 101", "new_system_percentage is 0 to 100, at most three decimals, or NULL"],
    ["user_whitelist = 'amy'", notTexts("user_whitelist")],
    ["user_whitelist = '[7]'", notTexts("user_whitelist")],
    ["user_denylist = 'amy'", notTexts("user_denylist")],
    ["user_denylist = '[7]'", notTexts("user_denylist")],
    ["epoch = 7", "only the store sets the epoch"],
  ])("is refused with the name of the broken rule if it sets %s", async (set, what) => {
    await open();
    await expect(sql(`UPDATE config SET ${set}`)).rejects.toThrow(what);
  });

  test("raises the epoch once per statement, with recursive triggers and in a transaction too", async () => {
    const store = await open();
    await sql(
      "PRAGMA recursive_triggers = ON; UPDATE config SET phase = 'dual_write'; DELETE FROM new_pnl_cache",
    );
    expect(await store.read()).toMatchObject({ epoch: 3, cacheGeneration: 1 });
    await sql("BEGIN; UPDATE config SET phase = NULL; UPDATE config SET phase = 'cleanup'; ROLLBACK");
    await sql("BEGIN; UPDATE config SET phase = NULL; UPDATE config SET migration_mode = 'old_only'; COMMIT");
    expect((await store.audit(0, 10)).map(({ seq, epoch }) => [seq, epoch])).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
      [4, 5],
    ]);
  });

  test("restores an earlier published section by its hash", async () => {
    const store = await open();
    for (const hash of ["a", "b"])
      await store.change({ ...percentage(1), set: { published: { text: hash, hash, phase: "dual_write" } } });
    await sql("UPDATE config SET published_hash = 'a'");
    expect((await store.read()).published).toEqual({ text: "a", hash: "a", phase: "dual_write" });
  });
});

describe("a control file that this program cannot use", () => {
  test.each(Object.entries(foreignFiles(0x706e6c63)))("(%s) is refused and not changed", async (_, make) => {
    mkdirSync(dirname(path));
    make(path);
    const before = readFileSync(path);
    await expect(open()).rejects.toMatchObject({ code: "BAD_DATABASE", where: path });
    expect(readFileSync(path).equals(before)).toBe(true);
    expect(readdirSync(dirname(path))).toEqual(["control.db"]);
  });

  test("because it is damaged is refused and not changed", async () => {
    await (await open()).close();
    const bytes = readFileSync(path).fill(0xa5, 4_096);
    writeFileSync(path, bytes);
    await expect(open()).rejects.toMatchObject({ code: "BAD_DATABASE", where: path });
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });

  test.each([
    ["a folder where the file should be", () => mkdirSync(path, { recursive: true })],
    ["a file where the folder should be", () => writeFileSync(dirname(path), "")],
  ])("because there is %s is refused as UNWRITABLE", async (_, make) => {
    make();
    await expect(open()).rejects.toMatchObject({ code: "UNWRITABLE", where: path });
  });
});

describe("a lock that an operator holds", () => {
  test("on the control file does not delay opening, reading, heartbeats or other work of the process", async () => {
    // The lock is held for as long as a busy machine takes for twenty rounds.
    const store = await open({ deadlineMs: 60_000 });
    await store.heartbeat(beat);
    using shell = connectionTo(path);
    shell.exec("BEGIN IMMEDIATE; UPDATE config SET new_system_percentage = 10");
    const change = store.change(percentage(20));
    let ticks = 0;
    const ticking = setInterval(() => {
      ticks += 1;
    }, 5);
    const other = await open();
    for (let round = 0; round < 20; round++) {
      expect((await other.read()).epoch).toBe(1);
      await store.heartbeat(beat);
      await sleep(10);
    }
    clearInterval(ticking);
    expect(ticks).toBeGreaterThan(15);
    shell.exec("COMMIT");
    expect(await change).toMatchObject({ epoch: 3, overrides: { newSystemPercentage: 20 } });
    expect((await other.instances())[0]?.beats).toBe(21);
  });

  test("for longer than the deadline fails the call, which is never applied; one on live.db delays no change of the record", async () => {
    const patient = await open({ deadlineMs: 60_000 });
    await patient.heartbeat(beat);
    // A store for each call, so that all of them wait at the same time.
    const hasty = () => open({ deadlineMs: 6_000 });
    const [changing, noting, beating] = [await hasty(), await hasty(), await hasty()];
    using record = connectionTo(path);
    using fleet = connectionTo(live());
    for (const locked of [record, fleet]) locked.exec("BEGIN IMMEDIATE");
    const isBusy = (where: string) => ({ code: "DATABASE_BUSY", where });
    await Promise.all([
      expect(changing.change(percentage(20))).rejects.toMatchObject(isBusy(path)),
      expect(noting.note(percentage(20))).rejects.toMatchObject(isBusy(path)),
      expect(beating.heartbeat(beat)).rejects.toMatchObject(isBusy(live())),
    ]);
    record.exec("COMMIT");
    expect(await patient.change(percentage(30))).toMatchObject({ epoch: 2 });
    expect(await patient.audit(0, 10)).toHaveLength(1);
    expect(await patient.instances()).toHaveLength(1);
    fleet.exec("ROLLBACK");
  });
});

test("the last shell to close does not lock the file, since the store keeps a connection open", async () => {
  const store = await open();
  runSql(path, "UPDATE config SET new_system_percentage = 10");
  expect(existsSync(`${path}-wal`)).toBe(true);
  expect(await store.read()).toMatchObject({ epoch: 2 });
});

test("processes that name one control file by its path and by symbolic links are one fleet", async () => {
  const link = join(folder, "desk", "link.db");
  mkdirSync(dirname(link));
  symlinkSync(path, link);
  // The link is opened first: that creates the file.
  mkdirSync(dirname(path));
  const linked = await openSqliteControlStore(link);
  opened.push(linked);
  const store = await open();
  await linked.heartbeat(beat);
  await store.heartbeat({ ...beat, id: "two" });
  for (const one of [store, linked])
    expect((await one.instances()).map(({ id }) => id)).toEqual(["one", "two"]);
  expect(readdirSync(dirname(link))).toEqual(["link.db"]);
});

describe("a control file that is removed while stores have it open", () => {
  test("is not created again, and is used again once it is back", async () => {
    const store = await open();
    await store.change(percentage(10));
    const away = join(folder, "away");
    renameSync(dirname(path), away);
    for (const call of [() => store.read(), () => store.change(percentage(20)), () => store.heartbeat(beat)])
      await expect(call()).rejects.toMatchObject({ code: "SYSTEM_DOWN", where: path });
    expect(existsSync(dirname(path))).toBe(false);
    renameSync(away, dirname(path));
    expect(await store.read()).toMatchObject({ epoch: 2, overrides: { newSystemPercentage: 10 } });
    await store.heartbeat(beat);
  });

  test("and replaced by a backup is used from then on, and watchers are notified", async () => {
    const store = await open();
    await store.change(percentage(10));
    const backup = join(folder, "backup.db");
    runSql(path, `VACUUM INTO '${backup}'`);
    await store.change(percentage(20));
    let notifications = 0;
    store.watch(() => {
      notifications += 1;
    });
    await until(() => notifications > 0);
    const before = notifications;
    for (const name of readdirSync(dirname(path))) rmSync(join(dirname(path), name));
    copyFileSync(backup, path);
    await until(() => notifications > before);
    expect(await store.read()).toMatchObject({ epoch: 2, overrides: { newSystemPercentage: 10 } });
    expect(await store.change(percentage(30))).toMatchObject({ epoch: 3 });
    await store.close();
    expect(await (await open()).read()).toMatchObject({ epoch: 3 });
  });
});

describe("live.db", () => {
  const movedAside = (): readonly string[] =>
    readdirSync(dirname(path)).filter((name) => /^live\.db\.broken-[\dT.Z-]+$/.test(name));

  test("is created again for all processes after it is lost", async () => {
    const [store, other] = [await open(), await open()];
    await store.heartbeat(beat);
    await other.heartbeat({ ...beat, id: "two" });
    for (const end of ["", "-wal", "-shm"]) rmSync(live() + end);
    await store.heartbeat(beat);
    await other.heartbeat({ ...beat, id: "two" });
    expect(await store.instances()).toMatchObject([
      { id: "one", beats: 1 },
      { id: "two", beats: 1 },
    ]);
  });

  test.each([
    ["is damaged in the middle", (bytes: Buffer) => bytes.fill(0xa5, 100)],
    ["is not a database", (bytes: Buffer) => bytes.fill("?")],
  ])("that %s is moved aside and created again, and the control file stays", async (_, spoil) => {
    const store = await open();
    await store.change(percentage(10));
    await store.heartbeat(beat);
    await store.close();
    const spoilt = spoil(readFileSync(live()));
    writeFileSync(live(), spoilt);
    const [one, other] = [await open(), await open()];
    await Promise.all([one.heartbeat(beat), other.heartbeat({ ...beat, id: "two" })]);
    expect(await one.seal([{ seq: 1, previousHash: "0", hash: "1" }])).toBe(true);
    await until(() => movedAside().length > 0);
    expect(movedAside().map((name) => readFileSync(join(dirname(path), name)).equals(spoilt))).toEqual([
      true,
    ]);
    await Promise.all([one.heartbeat(beat), other.heartbeat({ ...beat, id: "two" })]);
    expect((await one.instances()).map(({ id }) => id).toSorted()).toEqual(["one", "two"]);
    expect(await one.read()).toMatchObject({ epoch: 2 });
  });

  test("that belongs to another program, or a newer version of this one, is refused unchanged", async () => {
    const store = await open();
    for (const make of ["a desk's database", "a store of a later version"]) {
      foreignFiles(0x706e6c6c)[make]?.(live());
      const before = readFileSync(live());
      await expect(store.heartbeat(beat), make).rejects.toMatchObject({
        code: "BAD_DATABASE",
        where: live(),
      });
      expect(readFileSync(live()).equals(before)).toBe(true);
      rmSync(live());
    }
    await store.heartbeat(beat);
  });
});

test("an open store that watches for changes does not keep its process alive", async () => {
  const process = new StoreProcess(`const store = await ${elsewhere()};
    store.watch(() => {});
    await store.heartbeat(${JSON.stringify(beat)});
    say((await store.read()).epoch);`);
  expect(await process.ended()).toBe(0);
  expect(process.lines).toEqual(["1"]);
});

test.skipIf(!existsSync("/usr/bin/prlimit"))(
  "a full disk (simulated by prlimit) fails the change without a trace, and reads still work",
  async () => {
    await (await open()).change(percentage(10));
    const process = new StoreProcess(`import { execFileSync } from "node:child_process";
      const store = await ${elsewhere()};
      const limit = (bytes) =>
        execFileSync("/usr/bin/prlimit", ["--pid=" + process.pid, "--fsize=" + bytes + ":"]);
      const change = (reason) => store.change({ actor: "amy", action: "traffic", reason, set: {} })
        .then(({ epoch }) => say("epoch " + epoch), ({ code }) => say(code));
      await change("before");
      limit("200000");
      await change("x".repeat(1_000_000));
      say("reads " + (await store.read()).epoch);
      limit("unlimited");
      await change("after");
      await store.close();`);
    expect(await process.ended()).toBe(0);
    expect(process.lines).toEqual(["epoch 3", "UNWRITABLE", "reads 3", "epoch 4"]);
    expect((await (await open()).audit(0, 10)).map(({ reason }) => reason)).toEqual([
      "a test",
      "before",
      "after",
    ]);
  },
);
