import { createHash } from "node:crypto";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { digestOf } from "./file-digest.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pnl-bridge-digest-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("a digest is that of the file's bytes, and reports whether the file has changed since", async () => {
  const path = join(folder, "ledger.csv");
  const content = Buffer.alloc(200_000, "trade,");
  await writeFile(path, content);
  const digest = await digestOf(path);
  expect(digest).toMatchObject({
    bytes: 200_000,
    sha256: createHash("sha256").update(content).digest("hex"),
  });
  expect(await digest?.hasChanged()).toBe(false);
  await appendFile(path, "more");
  expect(await digest?.hasChanged()).toBe(true);
  await rm(path);
  expect(await digest?.hasChanged()).toBe(true);
});

it("the digest of a folder or of a missing file is undefined", async () => {
  expect([await digestOf(folder), await digestOf(join(folder, "nowhere"))]).toEqual([undefined, undefined]);
});
