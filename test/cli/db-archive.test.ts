import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openDatabase as createLegacy } from "../../src/legacy-desk/database.ts";
import { pnlBridge } from "./run-cli.ts";

/**
 * A desk whose legacy is authoritative; docs/leaving.md has one that leaves it
 * (test/tidy/leaving-doc.test.ts).
 */
const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-archive-"));
const archive = (...options: readonly string[]) =>
  pnlBridge(["db", "archive", "--out", "archive.db", ...options], { cwd: folder });

beforeAll(async () => {
  createLegacy(join(folder, "pnl_tracker.db"), { journal: "wal", busyTimeoutMs: 5_000 }).close();
  writeFileSync(
    join(folder, "pnl_migration_config.yaml"),
    "stores: { legacy: sqlite:./pnl_tracker.db, modern: sqlite:./newpnl.db }\n",
  );
  expect((await pnlBridge(["db", "init"], { cwd: folder })).code).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("db archive", () => {
  it("exits with 1 and names the missing evidence, also if no control store is configured", async () => {
    const { code, out } = await archive("--json", "--remove-bridge", "--yes");
    expect(code).toBe(1);
    const { archived, removed, evidence } = JSON.parse(out);
    expect([archived, removed]).toEqual([false, false]);
    expect(evidence.slice(0, 3)).toEqual([
      { name: "window", holds: false, accepted: false, why: expect.stringContaining("no control store") },
      { name: "fleet", holds: false, accepted: false, why: expect.stringContaining("no control store") },
      { name: "writes", holds: false, accepted: false, why: "legacy is authoritative" },
    ]);
    expect(readdirSync(folder)).not.toContain("archive.db");
  });

  it("archives without evidence only if a person vouches for each part, and gives a reason", async () => {
    const all = ["--accept", "window, fleet,writes,files,rows"];
    expect(await archive(...all)).toMatchObject({ code: 2, err: expect.stringContaining("--reason") });
    const { code, out } = await archive(...all, "--reason", "a desk of the past");
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^accepted {2}window [\s\S]*\narchived and verified: /),
    ]);
  });

  it.each([
    [["--days", "soon"], "not a number of days"],
    [["--yes"], "--remove-bridge"],
    [["--accept", "all", "--reason", "none"], "window,fleet,writes,files,rows"],
  ])("refuses %j before it opens a database", async (options, said) => {
    expect(await archive(...options)).toMatchObject({ code: 2, err: expect.stringContaining(said) });
  });
});
