import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { storePattern } from "../base/store-address.ts";
import { defaultConfig } from "../config/index.ts";
import {
  type ControlSettings,
  openControlStore,
  openEvidenceStore,
  stateFolder,
  switchFileOf,
} from "./stores.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "stores-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const settings = (control: string | null): ControlSettings => ({
  config: { ...defaultConfig, stores: { ...defaultConfig.stores, control } },
  folder,
});

test.each([
  ["sqlite:control.db", true],
  ["sqlite:/desk/control.db", true],
  ["sqlite:///desk/control.db", true],
  ["sqlite:./~/control.db", true],
  ["postgres://db/desk", true],
  ["postgresql://db/desk", true],
  ["sqlite:~/control.db", false],
  ["sqlite:~amy/control.db", false],
  ["sqlite://~/control.db", false],
  ["sqlite:", false],
  ["mysql://db/desk", false],
  ["control.db", false],
])("%s counts as the address of a store: %s", (address, isOne) => {
  expect(storePattern.test(address)).toBe(isOne);
});

test("an invalid address opens no store and creates no folder", async () => {
  for (const address of ["sqlite:~/control.db", "mysql://db/desk"])
    await expect(openControlStore(settings(address)).then((store) => store.close())).rejects.toMatchObject({
      code: "BAD_CONFIG",
    });
  expect(readdirSync(folder)).toEqual([]);
});

describe("with a control file behind a symbolic link", () => {
  let linked: ControlSettings;
  beforeEach(() => {
    mkdirSync(join(folder, "shared"));
    mkdirSync(join(folder, "desk"));
    symlinkSync("../shared/control.db", join(folder, "desk/control.db"));
    linked = settings("sqlite:desk/control.db");
  });

  test("comparisons and snapshots are beside the real file, before it exists and after", async () => {
    expect(stateFolder(linked)).toBe(join(folder, "shared"));
    await (await openControlStore(linked)).close();
    await (await openEvidenceStore(linked))?.close();
    expect(stateFolder(linked)).toBe(join(folder, "shared"));
    expect([existsSync(join(folder, "shared/evidence.db")), readdirSync(join(folder, "desk"))]).toEqual([
      true,
      ["control.db"],
    ]);
  });

  test.each(["shared", "desk"])(
    "the switch file in %s/ takes effect, and messages name it",
    async (where) => {
      const file = switchFileOf(linked);
      expect([await file.isSet(), file.path]).toEqual([false, join(folder, "shared/LEGACY_ONLY")]);
      writeFileSync(join(folder, where, "LEGACY_ONLY"), "");
      expect([await file.isSet(), file.path]).toEqual([true, join(folder, where, "LEGACY_ONLY")]);
      rmSync(join(folder, where, "LEGACY_ONLY"));
      expect(await file.isSet()).toBe(false);
    },
  );
});
