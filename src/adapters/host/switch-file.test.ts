import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LocalSwitchFile } from "./index.ts";

let base: string;
let path: string;
let file: LocalSwitchFile;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "pnl-bridge-switch-"));
  path = join(base, "state", "LEGACY_ONLY");
  file = new LocalSwitchFile(path);
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

describe("the switch file", () => {
  it("is set exactly while its path exists, whatever kind of file that is and whatever it contains", async () => {
    expect(await file.isSet()).toBe(false);
    mkdirSync(join(base, "state"));
    expect(await file.isSet()).toBe(false);
    const makers = [() => writeFileSync(path, ""), () => mkdirSync(path), () => symlinkSync(base, path)];
    for (const make of makers) {
      make();
      expect(await file.isSet()).toBe(true);
      rmSync(path, { recursive: true });
      expect(await file.isSet()).toBe(false);
    }
    rmSync(join(base, "state"), { recursive: true });
    writeFileSync(join(base, "state"), "a file where the folder should be");
    expect(await file.isSet()).toBe(false);
  });

  it("is created with its folder, and names the actor, the reason, and the way to undo it", async () => {
    await file.set("the store is down", "amy");
    expect(await file.isSet()).toBe(true);
    expect(readFileSync(path, "utf8")).toMatch(/^20\d\d-\S+Z amy: the store is down\nRemove this file .*\n$/);
    await file.set("again", "bob");
    expect(readFileSync(path, "utf8")).toMatch("bob: again");
  });

  it("keeps its last known state while its path cannot be checked", async () => {
    await file.set("the store is down", "amy");
    const loop = join(base, "loop");
    symlinkSync(loop, loop);
    renameSync(join(base, "state"), join(base, "away"));
    symlinkSync(loop, join(base, "state"));
    // ELOOP: the file may exist.
    expect(await new LocalSwitchFile(path).isSet()).toBe(false);
    expect(await file.isSet()).toBe(false);
    rmSync(join(base, "state"));
    renameSync(join(base, "away"), join(base, "state"));
    expect(await file.isSet()).toBe(true);
    renameSync(join(base, "state"), join(base, "away"));
    symlinkSync(loop, join(base, "state"));
    expect(await file.isSet()).toBe(true);
    rmSync(join(base, "state"));
    expect(await file.isSet()).toBe(false);
  });

  it("reports a failure to create it, and can still be checked afterwards", async () => {
    writeFileSync(join(base, "state"), "");
    await expect(file.set("the store is down", "amy")).rejects.toThrow(/EEXIST|ENOTDIR/);
    expect(await file.isSet()).toBe(false);
    if (process.getuid?.() === 0) return;
    chmodSync(base, 0o500);
    await expect(new LocalSwitchFile(join(base, "x", "LEGACY_ONLY")).set("x", "amy")).rejects.toThrow(
      "EACCES",
    );
    chmodSync(base, 0o700);
  });
});
