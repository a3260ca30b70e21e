import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseConfig } from "../config/index.ts";
import { evidenceKey, unseenBuilds } from "./evidence-key.ts";

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

/** Whether the key of a configuration with this modern system changes when a file is written. */
const seesChange = (modern: object, file: string, content = "2"): boolean => {
  const settings = { config: parseConfig(JSON.stringify({ systems: { modern } }), "desk.yaml"), folder };
  mkdirSync(join(folder, dirname(file)), { recursive: true });
  const keys = ["1", content].map((text) => {
    writeFileSync(join(folder, file), text.repeat(text === "1" ? 1 : 2));
    return evidenceKey(settings, tolerances);
  });
  return keys[0] !== keys[1];
};
const python = { kind: "command", command: ["python3", "worker.py", "desk.pnl:Service"] };
const http = { kind: "http", url: "http://127.0.0.1:1" };
const module = { kind: "module", path: "./m.mjs#service" };

test.each<readonly [object, string, boolean]>([
  [python, "desk/pnl.py", true],
  [{ ...python, command: ["python3", "worker.py", "desk.sub:Service"] }, "desk/sub/__init__.py", true],
  [{ ...python, cwd: "service" }, "service/desk/pnl.py", true],
  [python, "desk/lots.py", false],
  [{ ...python, build: ["desk"] }, "desk/lots.py", true],
  [{ ...python, build: ["desk/**/*.py"] }, "desk/deep/lots.py", true],
  [{ ...python, build: ["desk"] }, "desk/__pycache__/lots.pyc", false],
  [{ ...python, build: ["."] }, "any.db", false],
  [{ ...python, build: ["."] }, "any.db-wal", false],
  [module, "m.mjs", true],
  [module, "lib.mjs", false],
  [{ ...module, build: ["*.mjs"] }, "lib.mjs", true],
  [{ ...http, build: ["service/BUILD"] }, "service/BUILD", true],
])("with %j as modern, a change of %s changes the key: %s", (modern, file, isSeen) => {
  expect(seesChange(modern, file)).toBe(isSeen);
});

test("the key changes with the version that a system names as its build, and with a renamed file of it", () => {
  const keyOf = (build: unknown): string => {
    const desk = parseConfig(JSON.stringify({ systems: { modern: { ...http, build } } }), "desk.yaml");
    return evidenceKey({ config: desk, folder }, tolerances);
  };
  expect(keyOf("1.0")).not.toBe(keyOf("1.1"));
  mkdirSync(join(folder, "parts"));
  writeFileSync(join(folder, "parts/a.py"), "");
  const before = keyOf(["parts"]);
  rmSync(join(folder, "parts/a.py"));
  writeFileSync(join(folder, "parts/b.py"), "");
  expect(keyOf(["parts"])).not.toBe(before);
});

test("a system whose build the key does not contain is named, with the setting that adds it", () => {
  const said = (systems: object): readonly string[] =>
    unseenBuilds({ config: parseConfig(JSON.stringify({ systems }), "desk.yaml"), folder });
  expect(said({})).toEqual([]);
  writeFileSync(join(folder, "run.sh"), "");
  expect(said({ modern: { ...http, build: "1.0" }, legacy: { ...python, build: ["*.sh"] } })).toEqual([]);
  expect(said({ modern: http, legacy: python })).toEqual([
    expect.stringMatching(/^the build of systems\.modern, .* set systems\.modern\.build, /),
    expect.stringMatching(/^of the build of systems\.legacy, only .* set systems\.legacy\.build, /),
  ]);
  expect(said({ modern: { ...http, build: ["run.sh", "no/*.py"] } })).toEqual([
    "systems.modern.build: there is no file no/*.py",
  ]);
});
