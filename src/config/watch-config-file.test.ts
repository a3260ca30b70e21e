import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test as sequential } from "vitest";
import type { BridgeError } from "../base/errors.ts";
import { until } from "../testing/until.ts";
import { type Config, type ConfigWatch, parseConfig, watchConfigFile, writeConfigFile } from "./index.ts";

const root = mkdtempSync(join(tmpdir(), "watch-config-"));
const stops: (() => void)[] = [];
afterAll(() => {
  for (const stop of stops) stop();
  rmSync(root, { recursive: true });
});

// These tests mostly wait, so they run concurrently.
const test = sequential.concurrent;

const phase = (name: string, rest = ""): string => `migration:\n  phase: ${name}\n${rest}`;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
/** Waits for longer than a content must stay unchanged. */
const settled = (): Promise<void> => pause(250);

/** Makes a folder, and returns it with the path of a file in it and a function that watches the file. */
function newDesk() {
  const folder = mkdtempSync(join(root, "desk-"));
  const path = join(folder, "desk.yaml");
  const watched = (options: Partial<ConfigWatch> = {}) => {
    const phases: string[] = [];
    const bad: BridgeError[] = [];
    const stop = watchConfigFile(path, {
      onChange: (config: Config) => phases.push(config.plan.phase),
      onBad: (error) => bad.push(error),
      pollMs: 50,
      current: parseConfig(phase("read_only"), path),
      ...options,
    });
    stops.push(stop);
    return { phases, bad, stop };
  };
  return { folder, path, watched };
}
type Desk = ReturnType<typeof newDesk>;

describe("a changed file", () => {
  const ways: Readonly<Record<string, (text: string, desk: Desk) => void | Promise<void>>> = {
    "written in place": (text, { path }) => writeFileSync(path, text),
    "replaced by a rename": (text, { path, folder }) => {
      writeFileSync(join(folder, "other"), text);
      renameSync(join(folder, "other"), path);
    },
    "written by this program": (text, { path }) => writeConfigFile(path, text),
    "removed and made again": async (text, { path }) => {
      unlinkSync(path);
      await pause(20);
      writeFileSync(path, text);
    },
    "written with the old modification time": (text, { path }) => {
      writeFileSync(path, text);
      utimesSync(path, 1_000, 1_000);
    },
  };
  for (const pollMs of [50, 60_000])
    test(`is reported once, in whatever way it is written, if it is polled every ${pollMs} ms`, async () => {
      const reported = Object.entries(ways).map(async ([way, write]) => {
        const desk = newDesk();
        const { path, watched } = desk;
        writeFileSync(path, phase("read_only  "));
        utimesSync(path, 1_000, 1_000);
        const { phases, bad } = watched({ pollMs });
        await settled();
        await write(phase("shadow_mode"), desk);
        await until(() => phases.length > 0, `the file that is ${way} is reported`);
        await settled();
        expect([way, phases, bad]).toEqual([way, ["shadow_mode"], []]);
      });
      await Promise.all(reported);
    });

  test("is reported if a link to it or the target of the link is replaced", async () => {
    const { folder, path, watched } = newDesk();
    mkdirSync(join(folder, "a"));
    mkdirSync(join(folder, "b"));
    writeFileSync(join(folder, "a/real.yaml"), phase("read_only"));
    writeFileSync(join(folder, "b/real.yaml"), phase("read_only"));
    symlinkSync("a", join(folder, "data"));
    symlinkSync("data/real.yaml", path);
    const { phases } = watched({ pollMs: 60_000 });
    await settled();
    writeFileSync(join(folder, "a/real.yaml"), phase("shadow_mode"));
    await until(() => phases.length === 1);
    // Kubernetes replaces a mounted file in this way.
    symlinkSync("b", join(folder, "data2"));
    renameSync(join(folder, "data2"), join(folder, "data"));
    await until(() => phases.length === 2);
    expect(phases).toEqual(["shadow_mode", "read_only"]);
  });
});

test("at its start the watch reports a difference from the current configuration, and nothing else", async () => {
  const { path, watched } = newDesk();
  writeFileSync(path, phase("shadow_mode"));
  const behind = watched({ current: parseConfig(phase("read_only"), path) });
  const level = watched({ current: parseConfig(phase("shadow_mode"), path) });
  await until(() => behind.phases.length > 0);
  await settled();
  expect([behind.phases, level.phases]).toEqual([["shadow_mode"], []]);
});

test("a new comment is not a change", async () => {
  const { path, watched } = newDesk();
  writeFileSync(path, phase("read_only"));
  const { phases, bad } = watched();
  await settled();
  appendFileSync(path, "# why\n");
  await settled();
  expect([phases, bad]).toEqual([[], []]);
});

test("a bad file is reported once for each content until a good one appears", async () => {
  const { path, watched } = newDesk();
  writeFileSync(path, phase("read_only"));
  const { phases, bad } = watched();
  await settled();
  writeFileSync(path, phase("phase_6"));
  await until(() => bad.length === 1);
  utimesSync(path, 5, 5); // Touched, with the same content.
  await settled();
  writeFileSync(path, phase("phase_7"));
  await until(() => bad.length === 2);
  writeFileSync(path, phase("phase_6"));
  await settled();
  expect(bad.map(({ where }) => where)).toEqual([`${path}:2:10`, `${path}:2:10`]);
  expect(phases).toEqual([]);
  writeFileSync(path, phase("read_only"));
  await until(() => phases.length === 1);
  writeFileSync(path, phase("phase_6"));
  await until(() => bad.length === 3);
  expect(phases).toEqual(["read_only"]);
});

test("a missing, empty or non-text file is bad until it is valid again", async () => {
  const { path, watched } = newDesk();
  writeFileSync(path, phase("read_only"));
  const { phases, bad } = watched();
  await settled();
  unlinkSync(path);
  await until(() => bad.length === 1);
  writeFileSync(path, "");
  await until(() => bad.length === 2);
  writeFileSync(path, Buffer.from([0xff]));
  await until(() => bad.length === 3);
  rmSync(path);
  mkdirSync(path);
  await until(() => bad.length === 4);
  rmSync(path, { recursive: true });
  writeFileSync(path, phase("shadow_mode"));
  await until(() => phases.length === 1);
  expect(bad.map(({ code }) => code)).toEqual(["UNREADABLE", "BAD_CONFIG", "BAD_CONFIG", "UNREADABLE"]);
  expect(phases).toEqual(["shadow_mode"]);
});

test("a file that is bad or missing at the start is reported, and so is its repair", async () => {
  const { path, watched } = newDesk();
  const { phases, bad } = watched();
  await until(() => bad.length === 1);
  writeFileSync(path, phase("read_only"));
  await until(() => phases.length === 1);
  expect([bad[0]?.code, phases]).toEqual(["UNREADABLE", ["read_only"]]);
});

test("half of a file is not accepted, although it is valid by itself", async () => {
  const { path, watched } = newDesk();
  const rest = "stores: { control: 'sqlite:./c.db' }\n";
  writeFileSync(path, phase("shadow_mode", rest));
  const { phases, bad } = watched({ current: parseConfig(phase("shadow_mode", rest), path) });
  await pause(1_000);
  // A slow writer writes in place, piece by piece: each content in between is a valid configuration.
  const text = phase("read_only", rest);
  writeFileSync(path, "");
  await pause(300);
  appendFileSync(path, "migration:\n");
  await pause(300);
  appendFileSync(path, text.slice("migration:\n".length));
  await until(() => phases.length > 0);
  await settled();
  expect([phases, bad]).toEqual([["read_only"], []]);
  // But a file that is really cut short is reported in the end.
  writeFileSync(path, phase("read_only"));
  await until(() => phases.length === 2);
});

test("nothing is reported after the watch ends", async () => {
  const { path, watched } = newDesk();
  writeFileSync(path, phase("read_only"));
  const { phases, bad, stop } = watched();
  await settled();
  writeFileSync(path, phase("shadow_mode"));
  await pause(20);
  stop();
  stop();
  await settled();
  expect([phases, bad]).toEqual([[], []]);
});
