import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { codeOf } from "../../base/errors.ts";
import { present } from "../../base/present.ts";
import type { Side } from "../../domain/migration/phase.ts";
import { openDatabase } from "../../legacy-desk/database.ts";
import type { MirrorWrite, RowImage, StoreWrite } from "../../ports/record-store.ts";
import { connectionTo } from "../../testing/sqlite-files.ts";
import { until } from "../../testing/until.ts";
import { mustBeLocal, RecordFile, walBytes, walBytesMax } from "./record-file.ts";

let folder: string;
let path: string;
let opened: RecordFile | undefined;
/** The connection of the file that was opened last. */
let connection: Database.Database | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-record-file-"));
  path = join(folder, "pnl_tracker.db");
  openDatabase(path, { journal: "wal", busyTimeoutMs: 5_000 }).close();
  const { pragma } = Database.prototype;
  vi.spyOn(Database.prototype, "pragma").mockImplementation(function (this: Database.Database, ...given) {
    connection = this;
    return pragma.apply(this, given);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  opened?.close();
  rmSync(folder, { recursive: true });
});

function open(bytesMax = walBytesMax, isBeside = false, authority: Side = "legacy"): RecordFile {
  const options = { path, side: "legacy", authority, creates: true, incarnation: "i" } as const;
  opened = new RecordFile({ ...options, walBytesMax: bytesMax, isBeside });
  return opened;
}

/** Moves the file into another folder, and puts a link in its place. Returns the folder. */
function moveBehindLink(): string {
  const target = join(folder, "share", "pnl_tracker.db");
  mkdirSync(dirname(target));
  renameSync(path, target);
  symlinkSync(target, path);
  return dirname(target);
}

/** A position with a long text. */
function positionOf(key: string) {
  const aggregate = JSON.stringify(["position", "", key]);
  const change = {
    table: "positions",
    key: { instrument_name: key },
    set: { position_quantity: 1, avg_cost: 1, last_updated: "x".repeat(5_000) },
    initial: {},
  };
  return { aggregate, change, claim: aggregate };
}

/** Writes one position under each key. */
function written(file: RecordFile, ...keys: readonly string[]) {
  const writes = keys.map((key): StoreWrite => {
    const position = positionOf(key);
    const { aggregate } = position;
    const image: RowImage = { kind: "position", aggregate, values: {}, multiplier: "1000" };
    const rows = [{ ...position, isFinal: false }];
    return { idempotencyKey: key, images: JSON.stringify([image]), digest: key, rows };
  });
  return file.call("write", { writes, epoch: 1, nowMs: 0 });
}

const count = (table: string): unknown => {
  using desk = connectionTo(path, { timeout: 5_000 });
  return desk.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
};

describe("a file of the pair", () => {
  it("is opened with commits that reach the disk, without checkpoints, and with the settings of legacy's programs", () => {
    open().call("fence", null);
    const read = (name: string) => present(connection, "the file is open").pragma(name, { simple: true });
    expect(["synchronous", "wal_autocheckpoint", "foreign_keys", "busy_timeout"].map(read)).toEqual([
      3, 0, 0, 0,
    ]);
  });

  it("is not used if SQLite does not keep a setting", () => {
    vi.mocked(Database.prototype.pragma).mockReturnValue(1);
    expect(() => open().call("fence", null)).toThrow("SQLite keeps synchronous at 1 instead of 3");
  });

  it("is not used on a network file system", () => {
    for (const type of [0x6969, 0xff534d42])
      expect(() => mustBeLocal(path, () => ({ type }))).toThrow(/on a network file system \((NFS|CIFS)\)/);
    mustBeLocal(path, () => ({ type: 0xef53 }));
  });

  it("is not used through a link from the local disk to a network file system", () => {
    const share = moveBehindLink();
    const typeOf = (folder: string) => ({ type: folder === share ? 0x6969 : 0xef53 });
    expect(() => mustBeLocal(path, typeOf)).toThrow("on a network file system (NFS)");
  });

  it("keeps nothing of a group that meets a full disk, and takes the same writes when there is room", () => {
    const file = open();
    written(file, "before");
    const database = present(connection, "the file is open");
    database.pragma(`max_page_count = ${database.pragma("page_count", { simple: true })}`);
    expect(() => written(file, "a", "b", "c")).toThrow("full");
    expect([count("positions"), count("pnlb_outbox")]).toEqual([1, 1]);
    database.pragma("max_page_count = 100000");
    expect(written(file, "a", "b", "c")).toMatchObject(Array(3).fill({ kind: "acknowledged" }));
    expect([count("positions"), count("pnlb_outbox")]).toEqual([4, 4]);
  });

  it("keeps nothing of entries that meet a full disk of the mirror, and applies them when there is room", () => {
    const file = open(walBytesMax, false, "modern");
    const applied = (...numbers: readonly number[]) => {
      const entries = numbers.map((seq): MirrorWrite => {
        const rows = [{ ...positionOf(String(seq)), version: 1 }];
        return { seq, idempotencyKey: String(seq), digest: "d", rows };
      });
      return file.call("apply", { entries, source: "modern's incarnation", token: 1 });
    };
    applied(1);
    const database = present(connection, "the file is open");
    database.pragma(`max_page_count = ${database.pragma("page_count", { simple: true })}`);
    expect(() => applied(2, 3, 4)).toThrow("full");
    expect([count("positions"), count("pnlb_inbox")]).toEqual([1, 1]);
    database.pragma("max_page_count = 100000");
    expect(applied(2, 3, 4)).toMatchObject(Array(3).fill({ kind: "applied" }));
    expect([count("positions"), count("pnlb_inbox")]).toEqual([4, 4]);
  });

  it("is closed after a failed sync, and a fresh connection says whether the write is stored", () => {
    const file = open();
    written(file, "before");
    const failed = present(connection, "the file is open");
    const { prepare } = failed;
    file.close();
    const spied = vi.spyOn(Database.prototype, "prepare").mockImplementation(function (
      this: Database.Database,
      sql: string,
    ) {
      const made: Database.Statement<unknown[], unknown> = prepare.call(this, sql);
      if (sql !== "COMMIT") return made;
      const run = () => {
        throw new Database.SqliteError("disk I/O error", "SQLITE_IOERR_FSYNC");
      };
      return Object.assign(made, { run });
    });
    expect(() => written(file, "a")).toThrow("disk I/O error");
    spied.mockRestore();
    const broken = connection;
    expect(file.call("known", { idempotencyKey: "a" })).toBeNull();
    expect(connection).not.toBe(broken);
    expect(broken?.open).toBe(false);
    expect(written(file, "a")).toMatchObject([{ kind: "acknowledged" }]);
  });

  it("is locked from the first read of a call that writes, so no other program writes between read and write", () => {
    const file = open();
    written(file, "before");
    const own = present(connection, "the file is open");
    file.close();
    using desk = connectionTo(path);
    const outcomes: string[] = [];
    const foreign = () => {
      try {
        desk.exec("UPDATE positions SET avg_cost = avg_cost + 1");
        outcomes.push("written");
      } catch (failure) {
        outcomes.push(codeOf(failure));
      }
    };
    const { prepare } = own;
    vi.spyOn(Database.prototype, "prepare").mockImplementation(function (
      this: Database.Database,
      sql: string,
    ) {
      const made: Database.Statement<unknown[], unknown> = prepare.call(this, sql);
      const { all, run } = made;
      const between = <T>(statement: () => T): T => {
        const value = statement();
        // Outside a transaction, and after its last statement, the file is free.
        if (this.inTransaction) foreign();
        return value;
      };
      return Object.assign(made, {
        all: (...values: unknown[]) => between(() => all.apply(made, values)),
        run: (...values: unknown[]) => between(() => run.apply(made, values)),
      });
    });
    expect(written(file, "a", "b")).toMatchObject(Array(2).fill({ kind: "acknowledged" }));
    expect(outcomes.length).toBeGreaterThan(5);
    expect(new Set(outcomes)).toEqual(new Set(["SQLITE_BUSY"]));
  });

  it.each<[string, string, (commit: () => unknown) => void, version: number | null]>([
    ["is done but answers an error", "SQLITE_IOERR_FSYNC", (commit) => commit(), 1],
    ["is not done and answers an error", "SQLITE_IOERR_FSYNC", () => {}, null],
    ["waits for a reader", "SQLITE_BUSY", () => {}, null],
  ])(
    "with the bridge's tables beside it, after a commit that %s, no intent is left, and a fresh connection says whether the write is stored",
    (_, code, work, version) => {
      const file = open(walBytesMax, true);
      written(file, "before");
      const { prepare } = present(connection, "the file is open");
      file.close();
      const spied = vi.spyOn(Database.prototype, "prepare").mockImplementation(function (
        this: Database.Database,
        sql: string,
      ) {
        const made: Database.Statement<unknown[], unknown> = prepare.call(this, sql);
        if (sql !== "COMMIT" || this.name !== path) return made;
        const commit = made.run.bind(made);
        const run = () => {
          work(commit);
          throw new Database.SqliteError("the commit failed", code);
        };
        return Object.assign(made, { run });
      });
      expect(() => written(file, "a")).toThrow("the commit failed");
      if (code === "SQLITE_BUSY") file.close();
      spied.mockRestore();
      expect(file.call("known", { idempotencyKey: "a" })).toBe(version);
      using intents = connectionTo(`${path}.pnlb-intents`);
      expect(intents.prepare("SELECT * FROM pnlb_intents").all()).toEqual([]);
      expect(written(file, "a")).toMatchObject([{ kind: "acknowledged", version: 1 }]);
      expect(count("positions")).toBe(2);
    },
  );

  it("empties a large WAL while no other connection commits, also if its path is a link", async () => {
    moveBehindLink();
    const file = open(100_000);
    for (let key = 0; key < 20; key++) written(file, `first ${key}`);
    expect(walBytes(path)).toBeGreaterThan(100_000);
    let key = 0;
    await until(() => {
      written(file, `more ${++key}`);
      return walBytes(path) < 100_000;
    }, "the WAL is emptied");
    expect(count("positions")).toBe(20 + key);
  });
});
