import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseConfig } from "../config/index.ts";
import { evidenceKey } from "./evidence-key.ts";

const folder = mkdtempSync(join(tmpdir(), "pnl-bridge-key-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tolerances = { position: "0.0001", pnl: "0.01" };
const command = ["sh", "modern.sh", "x".repeat(5_000)];
const systems = { modern: { kind: "command", command } };
const config = parseConfig(JSON.stringify({ systems }), "desk.yaml");

test("the key changes with the content of a system's file, of the same size too, and returns with it", () => {
  let written = 0;
  const keyOf = (content: string | undefined): string => {
    const file = join(folder, "modern.sh");
    rmSync(file, { force: true });
    if (content !== undefined) {
      writeFileSync(file, content);
      // Two writes at nearly the same time may get the same time from the disk.
      utimesSync(file, ++written, written);
    }
    return evidenceKey({ config, folder }, tolerances);
  };
  const keys = ["echo 1", "echo 2", "echo 1", undefined, "echo 1"].map(keyOf);
  expect(new Set(keys).size).toBe(3);
  expect([keys[2], keys[4]]).toEqual([keys[0], keys[0]]);
});

test("the key does not change with the content of a database that a command names", () => {
  const database = join(folder, "pnl_tracker.db");
  const named = { legacy: { kind: "command", command: ["python3", "desk.py", "pnl_tracker.db"] } };
  const stores = { legacy: "sqlite:./pnl_tracker.db" };
  const desk = parseConfig(JSON.stringify({ systems: named, stores }), "desk.yaml");
  const keys = ["one", "more rows"].map((content) => {
    writeFileSync(database, content);
    return evidenceKey({ config: desk, folder }, tolerances);
  });
  expect(keys[1]).toBe(keys[0]);
});
