import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { evidenceStoreContract } from "../../testing/evidence-store-contract.ts";
import { openSqliteEvidenceStore } from "./index.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "evidence-"));
  path = join(folder, "made", "evidence.db");
});
afterEach(() => rmSync(folder, { recursive: true }));

const door = JSON.stringify(new URL("./index.ts", import.meta.url).href);

evidenceStoreContract("sqlite", async () => ({
  open: (options) => openSqliteEvidenceStore(path, options),
  elsewhere: `(await import(${door})).openSqliteEvidenceStore(${JSON.stringify(path)})`,
}));
