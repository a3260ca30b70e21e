import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterAll, expect, test } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "legacy-writer-"));
afterAll(() => rmSync(folder, { recursive: true }));
const ledger = join(folder, "trades_20250804.csv");
writeFileSync(
  ledger,
  "tradeId,instrumentName,marketTradeTime,buySell,quantity,price\n1,X,2025-08-04 10:00:00,B,2,100\n2,X,2025-08-04 10:00:01,S,1,101\n",
);

function startWriter(...args: string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, "writer.ts"), ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += chunk));
  child.stderr.on("data", (chunk) => (err += chunk));
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, out, err }));
  });
  return { child, ended };
}

function rowsIn(path: string): number {
  const database = new Database(path, { readonly: true, timeout: 5_000 });
  try {
    return database.prepare("SELECT COUNT(*) FROM processed_trades").pluck().get() as number;
  } finally {
    database.close();
  }
}

test("the writer makes the requested number of transactions and prints one line of JSON", async () => {
  const path = join(folder, "counted.db");
  const { code, out } = await startWriter(path, ledger, "--count=25").ended;
  expect(code).toBe(0);
  expect(JSON.parse(out)).toMatchObject({ transactions: 25, busy: 0 });
  expect(rowsIn(path)).toBe(25);
});

test("the writer counts a lock without waiting, continues, and stops in time", async () => {
  const path = join(folder, "locked.db");
  await startWriter(path, ledger, "--count=1").ended;
  const holder = new Database(path);
  try {
    holder.exec("BEGIN IMMEDIATE");
    const { out } = await startWriter(path, ledger, "--count=10", "--pause-ms=1").ended;
    expect(JSON.parse(out)).toMatchObject({ transactions: 0, busy: 10 });
  } finally {
    holder.close();
  }
  const { out } = await startWriter(path, ledger, "--count=1000000", "--seconds=0.3", "--pause-ms=5").ended;
  expect(JSON.parse(out).transactions).toBeGreaterThan(0);
});

test("the writer prints its counts and ends on SIGTERM", async () => {
  const path = join(folder, "stopped.db");
  const { child, ended } = startWriter(
    path,
    ledger,
    "--count=1000000",
    "--seconds=50",
    "--pause-ms=5",
    "--wal",
  );
  const deadline = performance.now() + 20_000;
  for (let rows = 0; rows === 0 && performance.now() < deadline; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    try {
      rows = rowsIn(path);
    } catch {
      // The writer has not created the file yet.
    }
  }
  child.kill("SIGTERM");
  const { code, out } = await ended;
  expect(code).toBe(0);
  expect(JSON.parse(out).transactions).toBeLessThanOrEqual(rowsIn(path));
  expect(JSON.parse(out).transactions).toBeGreaterThan(0);
});

test("the writer prints its usage without arguments", async () => {
  for (const args of [[], ["only.db"], ["a.db", ledger, "--count=many"]]) {
    expect(await startWriter(...args).ended).toMatchObject({
      code: 2,
      out: "",
      err: expect.stringContaining("usage: writer.ts"),
    });
  }
});
