import { copyFileSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../../legacy-desk/database.ts";
import type { RecordStore } from "../../ports/record-store.ts";
import { recordStoreContract } from "../../testing/record-store-contract.ts";
import { connectionTo } from "../../testing/sqlite-files.ts";
import { openSqliteRecordStore } from "./index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-records-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

for (const [name, side, isBeside] of [
  ["legacy", "legacy", false],
  ["legacy with the bridge's tables beside it", "legacy", true],
  ["modern", "modern", false],
] as const)
  recordStoreContract(
    `sqlite, ${name}`,
    async () => {
      const path = join(folder, `${side}.db`);
      if (side === "legacy") openDatabase(path, { journal: "wal", busyTimeoutMs: 5_000 }).close();
      return {
        side,
        open: (authority) => openSqliteRecordStore(path, { side, authority, isBeside }),
        sql: async (statement) => {
          using database = connectionTo(path, { timeout: 5_000 });
          if (isBeside) database.prepare("ATTACH ? AS beside").run(`${path}.pnlb`);
          const prepared = database.prepare(statement);
          return prepared.reader ? prepared.all() : [prepared.run()];
        },
        table: (name) => (side === "modern" && !name.startsWith("pnlb_") ? `newpnl_${name}` : name),
      };
    },
    { follows: !isBeside },
  );

describe("legacy's file", () => {
  const insert = `INSERT INTO positions (instrument_name, position_quantity, avg_cost, last_updated) VALUES ('Z', 1, 1, 'x')`;
  const key = { instrument_name: "Z" };
  const set = { position_quantity: 1 };
  const claimed = {
    id: 1,
    aggregate: '["position","","Z"]',
    claim: '["positions","Z"]',
    change: { table: "positions", key, set, initial: {} },
    mayClaim: true,
    isReplaceable: false,
  };
  let path: string;
  let store: RecordStore;
  /** Runs statements as legacy's own program. */
  const desk = (...statements: readonly string[]): void => {
    using database = connectionTo(path, { timeout: 5_000 });
    for (const statement of statements) database.exec(statement);
  };
  const claim = () => store.call("claimRows", { rows: [claimed] });

  beforeEach(async () => {
    path = join(folder, "pnl_tracker.db");
    openDatabase(path, { journal: "wal", busyTimeoutMs: 5_000 }).close();
    store = await openSqliteRecordStore(path, { side: "legacy", authority: "legacy" });
    desk(insert);
    expect(await claim()).toMatchObject([{ kind: "adopted" }]);
  });
  afterEach(() => store.close());

  it("is still written after a table was dropped and created again with the same columns and keys", async () => {
    const [made] = readAll("SELECT sql FROM sqlite_master WHERE name = 'positions'");
    desk(
      "DROP TABLE positions",
      Object.values(made ?? {}).join(),
      insert,
      "CREATE INDEX further ON positions (avg_cost)",
    );
    expect(await claim()).toMatchObject([{ kind: "known" }]);
  });

  it.each([
    ["a column is added", ["ALTER TABLE positions ADD COLUMN more TEXT"]],
    [
      "a unique key is dropped",
      [
        "DROP TABLE positions",
        "CREATE TABLE positions (id INTEGER PRIMARY KEY, instrument_name TEXT, position_quantity REAL, avg_cost REAL, last_updated DATETIME)",
        insert,
      ],
    ],
  ])("is not written after %s, until a person accepts it", async (_, statements) => {
    desk(...statements);
    const refused = { code: "BAD_DATABASE", message: expect.stringContaining("legacy's positions") };
    await expect(claim()).rejects.toMatchObject(refused);
    await expect(claim()).rejects.toMatchObject(refused);
    expect(await store.call("fence", null)).toMatchObject({ authority: "legacy" });
    await store.call("acceptTables", null);
    expect(await claim()).toMatchObject([{ kind: "known" }]);
    expect(await claim()).toMatchObject([{ kind: "known" }]);
  });

  it("is neither read nor written once another file has taken its place", async () => {
    copyFileSync(path, `${path}.copy`);
    renameSync(`${path}.copy`, path);
    await expect(claim()).rejects.toMatchObject({ code: "FILE_REPLACED" });
    rmSync(path);
    await expect(store.call("fence", null)).rejects.toMatchObject({ code: "FILE_REPLACED" });
  });

  const readAll = (sql: string): readonly Record<string, unknown>[] => {
    using database = connectionTo(path, { timeout: 5_000 });
    return database.prepare<[], Record<string, unknown>>(sql).all();
  };
});
