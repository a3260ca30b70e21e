import { createHash } from "node:crypto";
import { appendFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { FileDigest } from "./file-digest.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "pnl-bridge-digest-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("a digest covers the bytes that were read, and reports whether the file has changed since", async () => {
  const path = join(folder, "ledger.csv");
  const content = Buffer.alloc(200_000, "trade,");
  await writeFile(path, content);
  const [whole, inPieces] = [await FileDigest.begin(path), await FileDigest.begin(path)];
  await whole?.takeFile();
  for (const end of [70_000, 200_000]) inPieces?.take(content.subarray(inPieces.bytes, end));
  const sha256 = createHash("sha256").update(content).digest("hex");
  for (const digest of [whole, inPieces]) expect([digest?.bytes, digest?.sha256]).toEqual([200_000, sha256]);
  expect(await whole?.hasChanged()).toBe(false);
  await appendFile(path, "more");
  expect(await whole?.hasChanged()).toBe(true);
  await rm(path);
  expect(await whole?.hasChanged()).toBe(true);
});

it("a folder and a missing file have no digest", async () => {
  expect(await FileDigest.begin(folder)).toBeUndefined();
  expect(await FileDigest.begin(join(folder, "nowhere"))).toBeUndefined();
});
