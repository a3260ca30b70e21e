import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { variant } from "../../../test/campaigns.ts";
import {
  archiveSqlite,
  hasLegacyTrades,
  holdSqliteRecordStore,
  openSqliteRecordStore,
  readLegacyDatabase,
  SqliteReader,
} from "../../adapters/sqlite/index.ts";
import { parseConfig } from "../../config/index.ts";
import { openDatabase } from "../../legacy-desk/database.ts";
import { FileDigest } from "../../platform/file-digest.ts";
import { usersOf } from "../../platform/open-files.ts";
import type { HeldStore } from "../../ports/record-store.ts";
import { evidenceKey } from "../evidence-key.ts";

let folder: string;
let path: string;
let held: HeldStore | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-locks-"));
  path = join(folder, "pnl_tracker.db");
});
afterEach(async () => {
  await held?.close();
  rmSync(folder, { recursive: true });
});

const program = `
  try { require("better-sqlite3")(process.argv[1], { timeout: 0 }).exec("UPDATE positions SET avg_cost = 1"); console.log("written"); }
  catch (failure) { console.log(failure.code); }`;
/** The result of a write by another process. */
const foreignWrite = (): string =>
  execFileSync(process.execPath, ["-e", program, path], {
    cwd: import.meta.dirname,
    encoding: "utf8",
  }).trim();

// On Windows a lock belongs to an open file and not to a process.
describe.skipIf(process.platform === "win32")(
  "the lock that a process of the bridge holds on legacy's database",
  () => {
    /** The work of the bridge that reads legacy's database in the process that may hold the lock. */
    const work: Readonly<Record<string, () => unknown>> = {
      "the program's version of a system whose command names the database": () => {
        const systems = { legacy: { kind: "command", command: ["python3", "desk.py", "pnl_tracker.db"] } };
        const stores = { legacy: "sqlite:./pnl_tracker.db" };
        const config = parseConfig(JSON.stringify({ systems, stores }), "desk.yaml");
        return evidenceKey({ config, folder }, { position: "0.0001", pnl: "0.01" });
      },
      "a second connection": async () => {
        const second = await openSqliteRecordStore(path, { side: "legacy", authority: "legacy" });
        await second.call("fence", null);
        await second.close();
      },
      "the reader of a reconciliation": async () => {
        const reader = new SqliteReader(path, "legacy", { isBeside: false });
        await reader.authority();
        await reader.close();
      },
      "a dashboard's question for trades": () => hasLegacyTrades(path),
      "the search for processes that use the file": () => usersOf([path]),
      "an archive": () => archiveSqlite(path, join(folder, "archive.db")),
    };
    const refused: Readonly<Record<string, () => Promise<unknown>>> = {
      "a byte copy": () => readLegacyDatabase(path),
      "a digest": async () => (await FileDigest.begin(path))?.takeFile(),
    };

    for (const [options, journals] of [
      [{}, ["wal"]],
      [variant, ["rollback"]],
    ] as const)
      it.each(journals)(
        "outlasts all work of that process on the file, under a journal of kind %s",
        options,
        async (journal) => {
          openDatabase(path, { journal, busyTimeoutMs: 5_000 }).close();
          held = await holdSqliteRecordStore(path, { side: "legacy", authority: "legacy", lastsMs: 60_000 });
          expect(foreignWrite()).toBe("SQLITE_BUSY");
          for (const one of Object.values(work)) await one();
          for (const [name, one] of Object.entries(refused))
            await expect(one(), name).rejects.toMatchObject({ code: "INTERNAL", where: path });
          expect(foreignWrite()).toBe("SQLITE_BUSY");
          // The experiment: this is what such work would do if it read the file itself.
          closeSync(openSync(journal === "wal" ? `${path}-shm` : path, "r"));
          expect(foreignWrite()).toBe("written");
        },
      );

    it("does not prevent a byte copy once the database is closed", async () => {
      openDatabase(path, { journal: "wal", busyTimeoutMs: 5_000 }).close();
      const store = await openSqliteRecordStore(path, { side: "legacy", authority: "legacy" });
      await store.close();
      expect((await readLegacyDatabase(path)).trades).toEqual([]);
    });
  },
);
