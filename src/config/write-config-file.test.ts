import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeConfigFile } from "./index.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "write-config-"));
});
afterEach(() => {
  chmodSync(folder, 0o700);
  rmSync(folder, { recursive: true });
});

test("a file is replaced with its permissions kept, and no temporary file is left", async () => {
  const path = join(folder, "desk.yaml");
  writeFileSync(path, "old");
  chmodSync(path, 0o640);
  const { ino } = statSync(path);
  await writeConfigFile(path, "new\n");
  expect(readFileSync(path, "utf8")).toBe("new\n");
  expect(statSync(path).mode & 0o7777).toBe(0o640);
  expect(statSync(path).ino).not.toBe(ino);
  expect(readdirSync(folder)).toEqual(["desk.yaml"]);
});

test("a missing file is created", async () => {
  await writeConfigFile(join(folder, "new.yaml"), "text");
  expect(readFileSync(join(folder, "new.yaml"), "utf8")).toBe("text");
});

test.each(["existing", "missing"])("a link stays, and its %s target is written", async (state) => {
  mkdirSync(join(folder, "real"));
  if (state === "existing") writeFileSync(join(folder, "real/desk.yaml"), "old");
  symlinkSync("real/desk.yaml", join(folder, "link.yaml"));
  await writeConfigFile(join(folder, "link.yaml"), "new");
  expect(readlinkSync(join(folder, "link.yaml"))).toBe("real/desk.yaml");
  expect(readFileSync(join(folder, "real/desk.yaml"), "utf8")).toBe("new");
});

test("a file that cannot be written is reported and stays as it was", async () => {
  await expect(writeConfigFile(folder, "x")).rejects.toMatchObject({ code: "UNWRITABLE", where: folder });
  const missing = join(folder, "none/desk.yaml");
  await expect(writeConfigFile(missing, "x")).rejects.toMatchObject({ code: "UNWRITABLE", where: missing });
  writeFileSync(join(folder, "file"), "");
  await expect(writeConfigFile(join(folder, "file/desk.yaml"), "x")).rejects.toMatchObject({
    code: "UNWRITABLE",
  });
  expect(readdirSync(folder)).toEqual(["file"]);
});
