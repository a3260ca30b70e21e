import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeFileAtomically } from "./atomic-file.ts";
import { removeLeftovers, temporaryName } from "./temporaries.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "atomic-file-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("content that throws leaves the old file with its permissions, and nothing beside it", async () => {
  const path = join(folder, "file");
  writeFileSync(path, "old");
  chmodSync(path, 0o640);
  function* failing(): Generator<string> {
    yield "new";
    throw new Error("no more");
  }
  await expect(writeFileAtomically(path, failing())).rejects.toThrow("no more");
  expect([readFileSync(path, "utf8"), readdirSync(folder)]).toEqual(["old", ["file"]]);
  await writeFileAtomically(path, ["a", "b"]);
  expect([readFileSync(path, "utf8"), statSync(path).mode & 0o777]).toEqual(["ab", 0o640]);
});

test("leftovers of dead processes are removed; those of live processes, recent ones of other machines, and other files stay", async () => {
  const { pid: deadPid } = spawnSync(process.execPath, ["--version"]);
  const own = temporaryName();
  const dead = own.replace(`-${process.pid}-`, `-${deadPid}-`);
  const ofInit = own.replace(`-${process.pid}-`, "-1-");
  const owner = /^\.pnl-bridge-([0-9a-f]{8})-/.exec(own)?.[1] ?? "";
  const foreign = dead.replace(owner, "00000000");
  const foreignOld = temporaryName().replace(owner, "00000000");
  const unknownOld = own.replace(/bridge-.*?-\d+-/, "bridge-");
  const others = [".pnl-bridge-notes.tmp", "other.tmp"];
  for (const name of [own, ofInit, foreign, foreignOld, unknownOld, ...others])
    writeFileSync(join(folder, name), "");
  mkdirSync(join(folder, dead));
  writeFileSync(join(folder, dead, "copy.db"), "");
  const longAgo = new Date(Date.now() - 2 * 86_400_000);
  for (const name of [foreignOld, unknownOld, ...others]) utimesSync(join(folder, name), longAgo, longAgo);
  await removeLeftovers(folder);
  expect(readdirSync(folder).toSorted()).toEqual([own, ofInit, foreign, ...others].toSorted());
  await removeLeftovers(join(folder, "missing"));
});

const source = fileURLToPath(new URL("./atomic-file.ts", import.meta.url));
/** A program that writes endlessly and also runs `more`. */
const endless = (more = ""): string => `
  import { writeFileAtomically } from ${JSON.stringify(source)};
  function* content() { for (;;) yield "x"; }
  ${more}
  await writeFileAtomically(process.argv[1], content());`;
const run = (program: string) =>
  spawn(process.execPath, ["--input-type=module", "-e", program, "--", join(folder, "file")], {
    stdio: "ignore",
  });

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "%s during a write ends the program and leaves nothing behind",
  async (signal) => {
    const child = run(endless());
    const ended = once(child, "exit");
    while (readdirSync(folder).length === 0) await sleep(5);
    child.kill(signal);
    expect(await ended).toEqual([null, signal]);
    expect(readdirSync(folder)).toEqual([]);
  },
);

test("an exit during a write leaves nothing behind, and the program's own signal handler decides whether it ends", async () => {
  const child = run(endless(`process.on("SIGTERM", () => process.exit(7));`));
  const ended = once(child, "exit");
  while (readdirSync(folder).length === 0) await sleep(5);
  child.kill("SIGTERM");
  expect(await ended).toEqual([7, null]);
  expect(readdirSync(folder)).toEqual([]);
});

test("a write removes the leftovers of a killed one", async () => {
  const child = run(endless());
  const ended = once(child, "exit");
  while (readdirSync(folder).length === 0) await sleep(5);
  child.kill("SIGKILL");
  await ended;
  expect(readdirSync(folder)).toHaveLength(1);
  await writeFileAtomically(join(folder, "file"), "whole");
  expect(readdirSync(folder)).toEqual(["file"]);
});
