import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { copyFile } from "./copy-file.ts";

const folder = mkdtempSync(join(tmpdir(), "copy-file-"));
afterAll(() => rmSync(folder, { recursive: true }));
const copy = join(folder, "copy");

test("a copy has every byte of a file, whatever its size, and only its owner can read it", () => {
  for (const size of [0, 1, 1 << 20, (1 << 21) + 1]) {
    const file = join(folder, "file");
    writeFileSync(file, Buffer.alloc(size, "0123456789"));
    copyFile(file, copy);
    expect(readFileSync(copy).equals(readFileSync(file))).toBe(true);
    expect(statSync(copy).mode & 0o777).toBe(0o600);
  }
});

/** A file of the kernel that has fewer bytes than its reported size. */
const short = "/sys/devices/system/cpu/online";

test.skipIf(!existsSync(short))("a file that ends before its size is copied to its end", () => {
  copyFile(short, copy);
  expect(readFileSync(copy)).toEqual(readFileSync(short));
});

test("a missing file is reported by the system's code", () => {
  expect(() => copyFile(join(folder, "missing"), copy)).toThrow(expect.objectContaining({ code: "ENOENT" }));
});
