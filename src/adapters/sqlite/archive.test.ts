import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connectionTo, runSql } from "../../testing/sqlite-files.ts";
import { archiveSqlite, checkArchive } from "./archive.ts";

let folder: string;
let path: string;
let out: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pnl-bridge-archive-"));
  path = join(folder, "pnl_tracker.db");
  out = join(folder, "archive.db");
  runSql(
    path,
    `PRAGMA journal_mode = WAL;
     CREATE TABLE positions (id INTEGER PRIMARY KEY, symbol TEXT UNIQUE, quantity REAL);
     CREATE TABLE notes (text, other)`,
  );
  runSql(
    path,
    `INSERT INTO positions (symbol, quantity) VALUES ('ZN', 0.1), ('ZB', 2);
     INSERT INTO notes VALUES ('a', 1), ('a', 1), (x'6100', 1.0), ('a' || char(0) || 'b', NULL), (9007199254740993, -0.0)`,
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("the archive of a database", () => {
  it("holds every row of every table, repeated rows and every stored type included", () => {
    const digest = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect(archiveSqlite(path, out)).toMatchObject({
      notes: { rows: 5, digest },
      positions: { rows: 2, digest },
    });
    using archive = connectionTo(out, { readonly: true });
    expect(
      archive.prepare("SELECT typeof(text), typeof(other), count(*) FROM notes GROUP BY 1, 2").all(),
    ).toHaveLength(4);
    expect(archive.pragma("integrity_check", { simple: true })).toBe("ok");
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("is verified again while the database holds the same rows, apart from tables that were removed since", () => {
    archiveSqlite(path, out);
    runSql(path, "DROP TABLE notes");
    const without = new Set(["notes", "sqlite_sequence"]);
    expect(Object.keys(checkArchive(path, out, without))).toEqual(["positions"]);
    expect(() => checkArchive(path, out, new Set())).toThrow(expect.objectContaining({ code: "CONFLICT" }));
    writeFileSync(`${out}.txt`, "no database\n".repeat(1_000));
    expect(() => checkArchive(path, `${out}.txt`, without)).toThrow(
      expect.objectContaining({ code: "BAD_DATABASE", where: `${out}.txt` }),
    );
    runSql(path, "UPDATE positions SET quantity = 0.1 + 1e-17 WHERE symbol = 'ZN'");
    expect(() => checkArchive(path, out, without)).toThrow(/positions has 2 rows, its copy 2/);
  });

  it("holds one state of a database that another process writes, or is not made", async () => {
    const writes = `const db = new (require("better-sqlite3"))(process.argv[1]); console.log("begun");
      for (;;) db.prepare("INSERT INTO positions (quantity) VALUES (1)").run();`;
    const writer = spawn(process.execPath, ["-e", writes, path], { cwd: import.meta.dirname });
    await once(writer.stdout, "data");
    let rows: number | undefined;
    try {
      rows = archiveSqlite(path, out).positions?.rows;
    } catch (failure) {
      expect(failure).toMatchObject({ code: "CONFLICT" });
    }
    writer.kill("SIGKILL");
    await once(writer, "close");
    expect(existsSync(out)).toBe(rows !== undefined);
    rmSync(out, { force: true });
    expect(archiveSqlite(path, out).positions?.rows).toBeGreaterThan(2);
  });

  it("does not change a byte of the database", () => {
    const before = readFileSync(path);
    archiveSqlite(path, out);
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("overwrites no file", () => {
    writeFileSync(out, "mine");
    expect(() => archiveSqlite(path, out)).toThrow(expect.objectContaining({ code: "UNWRITABLE" }));
    expect(readFileSync(out, "utf8")).toBe("mine");
  });

  it("is not made from a damaged database, and no unfinished archive is left", () => {
    writeFileSync(path, "no database\n".repeat(1_000));
    expect(() => archiveSqlite(path, out)).toThrow(expect.objectContaining({ code: "BAD_DATABASE" }));
    expect(readdirSync(folder).filter((name) => name.startsWith("archive"))).toEqual([]);
  });
});
