import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { openDatabase } from "../../legacy-desk/database.ts";
import { recordStoreContract } from "../../testing/record-store-contract.ts";
import { connectionTo } from "../../testing/sqlite-files.ts";
import { openSqliteRecordStore } from "./index.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-records-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

for (const side of ["legacy", "modern"] as const)
  recordStoreContract(`sqlite, ${side}`, async () => {
    const path = join(folder, `${side}.db`);
    if (side === "legacy") openDatabase(path, { journal: "wal", busyTimeoutMs: 5_000 }).close();
    return {
      side,
      open: (authority) => openSqliteRecordStore(path, { side, authority }),
      sql: async (statement) => {
        using database = connectionTo(path, { timeout: 5_000 });
        const prepared = database.prepare(statement);
        return prepared.reader ? prepared.all() : [prepared.run()];
      },
      table: (name) => (side === "modern" && !name.startsWith("pnlb_") ? `newpnl_${name}` : name),
    };
  });
