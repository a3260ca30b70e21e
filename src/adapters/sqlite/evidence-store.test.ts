import { type ChildProcess, execFile, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { variant } from "../../../test/campaigns.ts";
import type { EvidenceStore } from "../../ports/evidence.ts";
import { comparisons, evidenceStoreContract } from "../../testing/evidence-store-contract.ts";
import { connectionTo, foreignFiles, runSql, schemaDump } from "../../testing/sqlite-files.ts";
import { talliesMigration } from "./evidence-tallies.ts";
import { openSqliteEvidenceStore, type SqliteEvidenceOptions } from "./index.ts";

let folder: string;
let path: string;
let opened: EvidenceStore[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evidence-"));
  path = join(folder, "made", "evidence.db");
  opened = [];
});
afterEach(async () => {
  await Promise.all(opened.map((store) => store.close()));
  rmSync(folder, { recursive: true });
});

const open = async (options: Partial<SqliteEvidenceOptions> = {}): Promise<EvidenceStore> => {
  const store = await openSqliteEvidenceStore(path, options);
  opened.push(store);
  return store;
};
const stored = async (store: EvidenceStore): Promise<number> => (await store.find({ limit: 1_000 })).length;
const elsewhere = (): string => {
  const door = JSON.stringify(new URL("./evidence-store.ts", import.meta.url).href);
  return `(await import(${door})).openSqliteEvidenceStore(${JSON.stringify(path)})`;
};

evidenceStoreContract("sqlite", async () => ({
  open: (options) => openSqliteEvidenceStore(path, options),
  elsewhere: elsewhere(),
}));

/** The schema as SQLite and a person see it. A change needs a new migration, never an edit of an old one. */
const schema = `
application_id 0x706e6c65
user_version 5
journal_mode wal
CREATE TABLE comparisons (
id INTEGER PRIMARY KEY AUTOINCREMENT,
at TEXT NOT NULL,
method TEXT NOT NULL,
epoch INTEGER NOT NULL,
answered TEXT NOT NULL,
kind TEXT NOT NULL,
verdict TEXT NOT NULL,
unit TEXT,
fingerprint TEXT NOT NULL,
legacy_ms REAL,
modern_ms REAL,
legacy_error TEXT,
modern_error TEXT,
fields TEXT NOT NULL
, more INTEGER NOT NULL DEFAULT 0, excluded INTEGER NOT NULL DEFAULT 0, request TEXT)
CREATE TABLE sqlite_sequence(name,seq)
CREATE INDEX comparisons_by_method ON comparisons (method)
CREATE INDEX comparisons_by_verdict ON comparisons (verdict)
CREATE INDEX comparisons_by_method_and_verdict ON comparisons (method, verdict)
CREATE TABLE comparison_counts (
method TEXT NOT NULL,
kind TEXT NOT NULL,
verdict TEXT NOT NULL,
count INTEGER NOT NULL,
PRIMARY KEY (method, kind, verdict)
) WITHOUT ROWID
CREATE TABLE comparison_requests (
id INTEGER PRIMARY KEY,
day TEXT NOT NULL,
request BLOB NOT NULL
)
CREATE INDEX comparison_requests_by_day ON comparison_requests (day)
CREATE TABLE tallies (
key TEXT NOT NULL,
source TEXT NOT NULL,
signal TEXT NOT NULL,
stratum TEXT NOT NULL,
n REAL NOT NULL,
k REAL NOT NULL,
amount REAL NOT NULL,
largest REAL NOT NULL,
PRIMARY KEY (key, source, signal, stratum)
) WITHOUT ROWID
CREATE TABLE evidence_processes (
key TEXT NOT NULL,
process TEXT NOT NULL,
at TEXT NOT NULL,
day TEXT NOT NULL,
ended INTEGER NOT NULL,
PRIMARY KEY (key, process)
) WITHOUT ROWID
CREATE TABLE evidence_attempts (
attempt INTEGER PRIMARY KEY AUTOINCREMENT,
key TEXT NOT NULL,
looks INTEGER NOT NULL
)
CREATE TABLE lane_days (
key TEXT NOT NULL,
source TEXT NOT NULL,
day TEXT NOT NULL,
book TEXT NOT NULL,
symbol TEXT NOT NULL,
method TEXT NOT NULL,
"group" TEXT NOT NULL,
at TEXT NOT NULL,
apart TEXT,
accepted TEXT,
money REAL,
quantity_apart INTEGER NOT NULL,
signed REAL NOT NULL,
weight REAL NOT NULL,
PRIMARY KEY (key, source, day, book, symbol, method)
) WITHOUT ROWID
`;

test("the file has the expected schema", async () => {
  await (await open()).close();
  expect(schemaDump(path)).toBe(schema);
});

test("a query by method, by verdict or by both uses an index", async () => {
  await (await open()).close();
  using database = connectionTo(path, { readonly: true });
  for (const where of [
    "method = ?",
    "verdict = ?",
    "method = ? AND verdict = ?",
    "method = ? AND verdict = ? AND id < ?",
  ]) {
    const values = where.split(" AND ").map(() => 1);
    const plan = database.prepare(
      `EXPLAIN QUERY PLAN SELECT * FROM comparisons WHERE ${where} ORDER BY id DESC LIMIT 9`,
    );
    const steps = (plan.all(...values) as { readonly detail: string }[]).map(({ detail }) => detail);
    expect(steps, where).toEqual([expect.stringMatching(/^SEARCH comparisons USING INDEX comparisons_by_/)]);
  }
});

describe("an existing file", () => {
  test.each(Object.entries(foreignFiles(0x706e6c65)))(
    "that is not an evidence file (%s) is refused and not changed",
    async (_, make) => {
      mkdirSync(dirname(path));
      make(path);
      const before = readFileSync(path);
      await expect(open()).rejects.toMatchObject({ code: "BAD_DATABASE", where: path });
      expect(readFileSync(path).equals(before)).toBe(true);
      expect(readdirSync(dirname(path))).toEqual(["evidence.db"]);
    },
  );

  test("of the version before keeps its lane-days, without a method", async () => {
    await (await open()).close();
    {
      using old = connectionTo(path);
      old.exec("DROP TABLE lane_days");
      old.exec(talliesMigration.slice(0, talliesMigration.indexOf(";")));
      old.exec(
        `INSERT INTO lane_days VALUES ('k', 'live', '2026-11-20', 'EGB', 'ZN', 'future', '2026-11-20T15:00:00.000Z',
           'realized', NULL, 5, 0, 5, 100)`,
      );
      old.pragma("user_version = 4");
    }
    const { laneDays } = await (await open()).evidence("k");
    expect(laneDays).toMatchObject([{ symbol: "ZN", method: "", apart: "realized", money: 5, weight: 100 }]);
  });

  test("that is empty becomes an evidence file", async () => {
    mkdirSync(dirname(path));
    writeFileSync(path, "");
    await (await open()).append(comparisons(1));
  });
});

test.each([
  ["a folder where the file should be", () => mkdirSync(path, { recursive: true })],
  ["a file where the folder should be", () => writeFileSync(dirname(path), "")],
])("opening is refused as UNWRITABLE if there is %s", async (_, make) => {
  make();
  await expect(open()).rejects.toMatchObject({ code: "UNWRITABLE", where: path });
});

describe("a lock that another process holds", () => {
  test("delays an append, but no find", async () => {
    const store = await open();
    await store.append(comparisons(1));
    using other = connectionTo(path);
    other.exec("BEGIN IMMEDIATE");
    const append = store.append(comparisons(2));
    expect(await stored(store)).toBe(1);
    other.exec("COMMIT");
    await append;
    expect(await stored(store)).toBe(3);
  });

  test("that lasts too long fails the append, which can be repeated and is stored once", async () => {
    const store = await open({ busyMsMax: 50 });
    await store.append(comparisons(1));
    using other = connectionTo(path);
    other.exec("BEGIN IMMEDIATE");
    await expect(store.append(comparisons(2))).rejects.toMatchObject({ code: "DATABASE_BUSY", where: path });
    await expect(
      openSqliteEvidenceStore(path, { busyMsMax: 50 }).then((good) => good.close()),
    ).resolves.toBeUndefined();
    other.exec("COMMIT");
    await store.append(comparisons(2));
    expect(await stored(store)).toBe(3);
  });
});

describe("a file of an open store", () => {
  test("that is removed is created again for later appends", async () => {
    const store = await open();
    await store.append(comparisons(2));
    rmSync(dirname(path), { recursive: true });
    await store.append(comparisons(1));
    expect(await stored(store)).toBe(1);
    await store.close();
    expect(await stored(await open())).toBe(1);
  });

  test("that is replaced by another program's file fails appends until that file is removed", async () => {
    const store = await open();
    await store.append(comparisons(2));
    for (const name of readdirSync(dirname(path))) renameSync(join(dirname(path), name), join(folder, name));
    runSql(path, "CREATE TABLE theirs (value)");
    await expect(store.append(comparisons(1))).rejects.toMatchObject({ code: "BAD_DATABASE" });
    rmSync(path);
    await store.append(comparisons(1));
    expect(await stored(store)).toBe(1);
  });
});

test("a damaged file is reported as BAD_DATABASE", async () => {
  const store = await open();
  await store.append(comparisons(500));
  await store.close();
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0xa5, 4_096));
  const damaged = open().then((again) => again.append(comparisons(1)));
  await expect(damaged).rejects.toMatchObject({ code: "BAD_DATABASE", where: path });
});

test("an open store does not keep its process alive", variant, async () => {
  const program = `const store = await ${elsewhere()};
    await store.append(${JSON.stringify(comparisons(3))});
    await store.find({ limit: 1 });
    console.log("done");`;
  const { stdout } = await promisify(execFile)(process.execPath, [...inline, program]);
  expect(stdout).toBe("done\n");
  expect(await stored(await open())).toBe(3);
});

describe.skipIf(!existsSync("/usr/bin/prlimit"))(
  "a full disk (simulated by a file size limit; needs prlimit)",
  variant,
  () => {
    let desk: ChildProcess | undefined;
    afterEach(() => {
      desk?.kill("SIGKILL");
    });

    test("fails the append without a trace, and appends work again once there is space", async () => {
      await (await open()).append(comparisons(10));
      const program = `import { createInterface } from "node:readline";
      const store = await ${elsewhere()};
      const record = ${JSON.stringify(comparisons(1)[0])};
      console.log("ready");
      for await (const line of createInterface({ input: process.stdin })) {
        const records = Array.from({ length: Number(line) }, () => ({ ...record, unit: line }));
        const failed = ({ code, message }) => console.log(code + " " + message);
        await store.append(records).then(() => console.log("kept"), failed);
      }`;
      const child = spawn(process.execPath, [...inline, program], { stdio: ["pipe", "pipe", "inherit"] });
      desk = child;
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const next = async (): Promise<string> => (await lines.next()).value ?? "ended";
      const append = async (count: number): Promise<string> => {
        child.stdin.write(`${count}\n`);
        return next();
      };
      const limit = (bytes: string): Promise<unknown> =>
        promisify(execFile)("/usr/bin/prlimit", [`--pid=${child.pid}`, `--fsize=${bytes}:`]);

      expect(await next()).toBe("ready");
      expect(await append(20)).toBe("kept");
      await limit("100000");
      expect(await append(5_000)).toMatch(/^UNWRITABLE .*SQLITE_(FULL|IOERR_WRITE)$/);
      expect(await append(5_001)).toMatch(/^UNWRITABLE /);
      await limit("unlimited");
      expect(await append(30)).toBe("kept");

      const store = await open();
      expect((await store.find({ limit: 10_000 })).map(({ unit }) => unit)).toEqual([
        ...Array(30).fill("30"),
        ...Array(20).fill("20"),
        ...Array(10).fill("book-7"),
      ]);
      expect(await store.counts()).toMatchObject([{ count: 60 }]);
    });
  },
);

const inline = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval"];
