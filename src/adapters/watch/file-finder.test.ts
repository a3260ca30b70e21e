import fs, {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import type { FileFinder, RootLook } from "../../ports/watched-files.ts";
import { fileFinderContract } from "../../testing/file-finder-contract.ts";
import { until } from "../../testing/until.ts";
import { FolderScan } from "./folder-scan.ts";
import { openFileFinder } from "./index.ts";
import type { Disk } from "./read-slice.ts";

const base = fs.realpathSync(mkdtempSync(join(tmpdir(), "file-finder-")));
afterAll(() => rmSync(base, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => {
  folders += 1;
  mkdirSync(join(base, String(folders)));
  return join(base, String(folders));
};
const include = ["trades_*.csv"];

const opened: { close: () => unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
const open = (
  roots: readonly string[],
  given: Partial<Parameters<typeof openFileFinder>[0]> = {},
): FileFinder => {
  const finder = openFileFinder({ roots, include, mode: "auto", onHint: () => {}, ...given });
  opened.push(finder);
  return finder;
};
/** A scan in this thread, on a disk with faults. */
const scanOf = (roots: readonly string[], faults: Partial<Record<keyof Disk, unknown>> = {}) => {
  const state = { hints: 0, number: 0 };
  const disk = { ...fs, ...faults } as Disk;
  const scan = new FolderScan({ roots, include: ["trades_*.csv"], mode: "auto" }, disk, () => {
    state.hints += 1;
  });
  opened.push(scan);
  const look = (scope: "recent" | "all") => {
    const answer = scan.look(scope, state.number);
    state.number = answer.number;
    return answer;
  };
  return { scan, look, state };
};
const put = (path: string, text = "x\n"): void => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
};
const told = (look: RootLook | undefined): readonly string[] =>
  look?.ok === true
    ? [
        ...look.changed.map(({ path, size }) => `${path} ${size}`),
        ...look.gone.map((path) => `-${path}`),
      ].sort()
    : [`${look?.code}`];
const failure = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code });

fileFinderContract("real folders", async () => {
  const roots = [newFolder(), newFolder()];
  const at = (root: number, path = ""): string => join(roots[root] ?? "", path);
  return {
    finder: open(roots),
    write: (root, path, text) => put(at(root, path), text),
    append: (root, path, text) => appendFileSync(at(root, path), text),
    rename: (root, from, to) => {
      mkdirSync(dirname(at(root, to)), { recursive: true });
      renameSync(at(root, from), at(root, to));
    },
    remove: (root, path) => rmSync(at(root, path)),
    lose: (root) => renameSync(at(root), `${at(root)}.away`),
    mount: (root) => {
      renameSync(at(root), `${at(root)}.away`);
      mkdirSync(at(root));
    },
    restore: (root) => {
      rmSync(at(root), { recursive: true, force: true });
      renameSync(`${at(root)}.away`, at(root));
    },
    pass: (ms) => sleep(ms),
  };
});

describe("links", () => {
  it("a file is reported under the alphabetically first of its paths, and a link and its target are one file", async () => {
    const root = newFolder();
    put(join(root, "b/trades_1.csv"));
    symlinkSync("b/trades_1.csv", join(root, "trades_0.csv"));
    symlinkSync("b", join(root, "a"));
    symlinkSync("..", join(root, "b/loop"));
    const finder = open([root]);
    expect(told((await finder.look("all"))[0])).toEqual(["a/trades_1.csv 2"]);
    rmSync(join(root, "a"));
    expect(told((await finder.look("recent"))[0])).toEqual(["-a/trades_1.csv", "b/trades_1.csv 2"]);
    symlinkSync("b/trades_1.csv", join(root, "Z"));
    symlinkSync("b/trades_1.csv", join(root, "trades_a.csv"));
    expect(told((await finder.look("recent"))[0])).toEqual([]);
  });

  it("a link whose path comes before its target's is reported with the file, until the link is gone", async () => {
    const root = newFolder();
    put(join(root, "trades_2.csv"));
    symlinkSync("trades_2.csv", join(root, "trades_1.csv"));
    const finder = open([root]);
    expect(told((await finder.look("all"))[0])).toEqual(["trades_1.csv 2"]);
    appendFileSync(join(root, "trades_2.csv"), "y\n");
    expect(told((await finder.look("recent"))[0])).toEqual(["trades_1.csv 4"]);
    rmSync(join(root, "trades_1.csv"));
    expect(told((await finder.look("recent"))[0])).toEqual(["-trades_1.csv", "trades_2.csv 4"]);
  });

  it("a file in two overlapping roots is reported in the first one", async () => {
    const root = newFolder();
    put(join(root, "in/trades_1.csv"));
    put(join(root, "trades_2.csv"));
    const inFirst = await open([join(root, "in"), root]).look("all");
    expect(inFirst.map(told)).toEqual([["trades_1.csv 2"], ["trades_2.csv 2"]]);
    const outFirst = await open([root, join(root, "in")]).look("all");
    expect(outFirst.map(told)).toEqual([["in/trades_1.csv 2", "trades_2.csv 2"], []]);
  });

  it("a link to a folder or file of another root adds nothing, unless no pattern includes the name of its target", async () => {
    const [one, two] = [newFolder(), newFolder()];
    put(join(two, "in/trades_1.csv"));
    put(join(two, "raw.txt"), "raw");
    symlinkSync(join(two, "in"), join(one, "in"));
    symlinkSync(join(two, "in/trades_1.csv"), join(one, "trades_1.csv"));
    symlinkSync(join(two, "raw.txt"), join(one, "trades_2.csv"));
    const finder = open([one, two]);
    expect((await finder.look("all")).map(told)).toEqual([["trades_2.csv 3"], ["in/trades_1.csv 2"]]);
    const slice = await finder.read({ root: 0, path: "trades_2.csv", from: 0, length: 9 });
    expect(slice.kind === "bytes" && new TextDecoder().decode(slice.bytes)).toBe("raw");
  });

  it("appends to a link's target, a new target and a link without a target are seen, also by a recent look", async () => {
    const root = newFolder();
    const link = join(root, "trades_1.csv");
    const relink = (target: string): void => {
      symlinkSync(target, `${link}.new`);
      renameSync(`${link}.new`, link);
    };
    put(join(root, "raw/one"), "1");
    put(join(root, "raw/two"), "22");
    relink("raw/one");
    const finder = open([root]);
    const look = async (): Promise<readonly string[]> => told((await finder.look("recent"))[0]);
    expect(await look()).toEqual(["trades_1.csv 1"]);
    appendFileSync(join(root, "raw/one"), "11");
    expect(await look()).toEqual(["trades_1.csv 3"]);
    relink("raw/two");
    expect(await look()).toEqual(["trades_1.csv 2"]);
    relink("raw/none");
    expect(await look()).toEqual(["-trades_1.csv"]);
    put(join(root, "raw/none"), "4444");
    expect(await look()).toEqual(["trades_1.csv 4"]);
  });

  it("a link that leads out of the roots is not reported, and its target is not read", async () => {
    const [root, outside] = [newFolder(), newFolder()];
    put(join(outside, "trades_1.csv"), "secret");
    put(join(outside, "in/trades_2.csv"), "secret");
    symlinkSync(join(outside, "trades_1.csv"), join(root, "trades_1.csv"));
    symlinkSync(join(outside, "in"), join(root, "in"));
    const finder = open([root]);
    expect(told((await finder.look("all"))[0])).toEqual([]);
    for (const path of ["trades_1.csv", "in/trades_2.csv", `../${folders}/trades_1.csv`])
      expect(await finder.read({ root: 0, path, from: 0, length: 9 })).toMatchObject({
        kind: "refused",
        code: "LINK_OUTSIDE",
      });
  });

  it("a read returns no content from outside if the file or a folder above it becomes a link at any moment of the read", () => {
    const [root, outside] = [newFolder(), newFolder()];
    put(join(outside, "trades_1.csv"), "secret");
    const file = join(root, "in/trades_1.csv");
    const steps = ["realpathSync", "lstatSync", "openSync", "fstatSync", "readSync"] as const;
    for (const isFolder of [false, true])
      for (const step of steps)
        for (const isBefore of [true, false]) {
          rmSync(join(root, "in"), { recursive: true, force: true });
          put(file, "public");
          const { scan, look } = scanOf(
            [root],
            faultAt(step, isBefore, () => {
              const replaced = isFolder ? join(root, "in") : file;
              renameSync(replaced, `${replaced}.old`);
              symlinkSync(isFolder ? outside : join(outside, "trades_1.csv"), replaced);
            }),
          );
          look("all");
          armed = true;
          const slice = scan.read({ root: 0, path: "in/trades_1.csv", from: 0, length: 99 });
          armed = false;
          rmSync(join(root, "in.old"), { recursive: true, force: true });
          rmSync(`${file}.old`, { force: true });
          const text = slice.kind === "bytes" ? new TextDecoder().decode(slice.bytes) : slice.kind;
          expect(["public", "gone", "refused"]).toContain(text);
        }
  });

  let armed = false;
  /** Runs `act` once, right before or after one call of the operating system during a read. */
  const faultAt = (
    step: keyof Disk,
    isBefore: boolean,
    act: () => void,
  ): Partial<Record<keyof Disk, unknown>> => {
    const around =
      (call: (...given: never[]) => unknown) =>
      (...given: never[]): unknown => {
        const acts = armed && String(given[0]).includes("trades_") !== (typeof given[0] === "number");
        if (acts) armed = false;
        if (acts && isBefore) act();
        const answer = call(...given);
        if (acts && !isBefore) act();
        return answer;
      };
    return step === "realpathSync"
      ? { realpathSync: { native: around(fs.realpathSync.native as never) } }
      : { [step]: around(fs[step] as never) };
  };
});

describe("finding", () => {
  it("a file that replaces a removed one is reported, although it may have the same inode", async () => {
    const root = newFolder();
    const path = join(root, "trades_1.csv");
    const finder = open([root]);
    for (let round = 0; round < 30; round += 1) {
      rmSync(path, { force: true });
      put(path, String(round).padStart(4));
      const [look] = await finder.look("recent");
      expect(look?.ok === true && look.changed.map((file) => file.path)).toEqual(["trades_1.csv"]);
    }
  });

  it("a file that vanishes between listing, stat and open is not reported, and the next look decides", () => {
    const root = newFolder();
    put(join(root, "trades_1.csv"));
    put(join(root, "in/trades_2.csv"));
    const vanish = { isOn: true };
    const { scan, look } = scanOf([root], {
      lstatSync: (path: string, options: object) =>
        vanish.isOn && path.endsWith(".csv") ? undefined : fs.lstatSync(path, options),
      openSync: () => {
        throw failure("ENOENT");
      },
    });
    expect(told(look("all").looks[0])).toEqual([]);
    vanish.isOn = false;
    expect(told(look("recent").looks[0])).toEqual(["in/trades_2.csv 2", "trades_1.csv 2"]);
    expect(scan.read({ root: 0, path: "trades_1.csv", from: 0, length: 9 })).toEqual({ kind: "gone" });
  });

  it("a file that another program has open exclusively is locked with its code, never empty or gone", () => {
    const root = newFolder();
    put(join(root, "trades_1.csv"));
    for (const code of ["EBUSY", "EPERM", "EACCES", "EMFILE", "EIO"])
      for (const call of ["openSync", "fstatSync", "readSync"]) {
        const { scan, look } = scanOf([root], {
          [call]: () => {
            throw failure(code);
          },
        });
        look("all");
        const slice = scan.read({ root: 0, path: "trades_1.csv", from: 0, length: 9 });
        expect(slice).toMatchObject({ kind: "locked", code });
      }
  });

  it("a device error anywhere makes the root lost for that look, and nothing is gone", () => {
    const root = newFolder();
    put(join(root, "trades_1.csv"));
    put(join(root, "in/trades_2.csv"));
    for (const code of ["EIO", "ESTALE", "EHOSTDOWN", "EACCES"])
      for (const [call, part] of [
        ["readdirSync", "in"],
        ["lstatSync", "trades_2"],
        ["lstatSync", "in"],
      ] as const) {
        const fault = { isOn: false };
        const { look } = scanOf([root], {
          [call]: (path: string, options: never) => {
            if ((fault.isOn && path.includes(join(root, part))) || (fault.isOn && path.includes(part)))
              throw failure(code);
            return fs[call](path, options);
          },
        });
        expect(told(look("all").looks[0])).toHaveLength(2);
        fault.isOn = true;
        for (const scope of ["all", "recent"] as const)
          expect(look(scope).looks[0]).toMatchObject({ ok: false, code });
        fault.isOn = false;
        expect(told(look("recent").looks[0])).toEqual([]);
      }
  });

  it("a share that is lost in the middle of a look changes nothing in the finder's state", () => {
    const root = newFolder();
    for (let index = 0; index < 20; index += 1) put(join(root, `trades_${index}.csv`));
    const loss = { at: -1 };
    const { look } = scanOf([root], {
      lstatSync: (path: string, options: object) => {
        loss.at -= 1;
        if (loss.at === 0) {
          renameSync(root, `${root}.away`);
          mkdirSync(root);
        }
        return fs.lstatSync(path, options as never);
      },
    });
    expect(told(look("all").looks[0])).toHaveLength(20);
    for (const scope of ["all", "recent"] as const) {
      loss.at = 8;
      const [lost] = look(scope).looks;
      expect(lost?.ok === true && lost.gone.length > 0).toBe(false);
      fs.rmdirSync(root);
      renameSync(`${root}.away`, root);
      const [back] = look("recent").looks;
      expect(back).toMatchObject({ ok: true, gone: [] });
    }
  });

  it("a root that is a file or does not exist is lost, with the error code of the operating system", async () => {
    const root = newFolder();
    put(join(root, "trades_1.csv"));
    const looks = await open([join(root, "trades_1.csv"), join(root, "none")]).look("all");
    expect(looks.map(told)).toEqual([["ENOTDIR"], ["ENOENT"]]);
  });

  it("names that differ by case are two files, and a pattern's case counts", async () => {
    const root = newFolder();
    for (const name of ["trades_a.csv", "trades_A.csv", "TRADES_b.csv"]) put(join(root, name));
    expect(told((await open([root]).look("all"))[0])).toEqual(["trades_A.csv 2", "trades_a.csv 2"]);
  });

  it("a star at the start of a pattern does not match the dot of a temporary file's name", async () => {
    const root = newFolder();
    for (const name of [".trades.csv.a1B2c3", ".trades.csv", "trades.csv", "a+b.csv"]) put(join(root, name));
    const all = await open([root], { include: ["*"] }).look("all");
    expect(told(all[0])).toEqual(["a+b.csv 2", "trades.csv 2"]);
    expect(told((await open([root], { include: ["a+*.csv"] }).look("all"))[0])).toEqual(["a+b.csv 2"]);
  });

  it("a hard link is reported as a separate file, and a pipe or a folder with a ledger's name is not reported", async () => {
    const root = newFolder();
    put(join(root, "trades_1.csv"));
    linkSync(join(root, "trades_1.csv"), join(root, "trades_2.csv"));
    mkdirSync(join(root, "trades_3.csv"));
    const finder = open([root]);
    expect(told((await finder.look("all"))[0])).toEqual(["trades_1.csv 2", "trades_2.csv 2"]);
    const slice = await finder.read({ root: 0, path: "trades_3.csv", from: 0, length: 9 });
    expect(slice).toMatchObject({ kind: "refused", code: "NOT_A_FILE" });
  });

  it("changes that a caller did not receive are reported again", () => {
    const root = newFolder();
    put(join(root, "trades_1.csv"));
    put(join(root, "trades_2.csv"));
    const { scan } = scanOf([root]);
    expect(told(scan.look("all", 0).looks[0])).toEqual(["trades_1.csv 2", "trades_2.csv 2"]);
    rmSync(join(root, "trades_2.csv"));
    const again = ["-trades_2.csv", "trades_1.csv 2"];
    expect(told(scan.look("recent", 0).looks[0])).toEqual(again);
    expect(told(scan.look("recent", 2).looks[0])).toEqual([]);
  });
});

describe("the thread", () => {
  it("a drive that does not answer in time is lost, and the changes of its late answer are reported again", async () => {
    const root = newFolder();
    for (let index = 0; index < 20; index += 1) put(join(root, `trades_${index}.csv`));
    const finder = open([root], { deadlineMs: 10 });
    // The first look cannot be answered in time, because the thread is still starting.
    let [look] = await finder.look("all");
    expect(look).toMatchObject({ ok: false, code: "SYSTEM_DOWN", why: expect.stringContaining("10 ms") });
    await until(async () => {
      [look] = await finder.look("all");
      return look?.ok === true;
    });
    expect(told(look)).toHaveLength(20);
  });

  it("a thread that crashes makes the roots lost, and each look starts a new one", async () => {
    const finder = open([newFolder()], { include: [0 as never] });
    for (const scope of ["all", "recent"] as const)
      expect((await finder.look(scope))[0]).toMatchObject({ ok: false, code: "INTERNAL" });
    const slice = await finder.read({ root: 0, path: "trades_1.csv", from: 0, length: 1 });
    expect(slice).toMatchObject({ kind: "locked", code: "INTERNAL" });
  });
});

describe("databases", () => {
  it("a file with a database's name is never opened, so its owner keeps its locks", async () => {
    const root = newFolder();
    const file = join(root, "pnl_tracker.db");
    const database = new Database(file);
    database.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (a); BEGIN IMMEDIATE; INSERT INTO t VALUES (1)");
    const finder = open([root], { include: ["*"] });
    expect(told((await finder.look("all"))[0])).toEqual([]);
    for (const path of readdirSync(root))
      expect(await finder.read({ root: 0, path, from: 0, length: 99 })).toMatchObject({ kind: "refused" });
    const other = new Database(file, { timeout: 0 });
    expect(() => other.exec("BEGIN IMMEDIATE")).toThrow(/locked/);
    other.close();
    database.exec("COMMIT");
    database.close();
  });

  it("a database with a ledger's name is refused by its header, at every offset", async () => {
    const root = newFolder();
    new Database(join(root, "trades_1.csv")).exec("CREATE TABLE t (a)").close();
    const finder = open([root]);
    await finder.look("all");
    for (const from of [0, 1_000])
      expect(await finder.read({ root: 0, path: "trades_1.csv", from, length: 9 })).toMatchObject({
        kind: "refused",
        code: "DATABASE",
      });
  });
});

describe("events", () => {
  const looked = async (finder: FileFinder): Promise<readonly string[]> =>
    told((await finder.look("recent"))[0]);

  it("no file stays open between calls, not even a deleted one", async () => {
    const root = newFolder();
    for (let index = 0; index < 50; index += 1) put(join(root, `trades_${index}.csv`));
    const finder = open([root]);
    await finder.look("all");
    await finder.read({ root: 0, path: "trades_1.csv", from: 0, length: 9 });
    rmSync(join(root, "trades_1.csv"));
    await finder.look("recent");
    const held = readdirSync("/proc/self/fd").filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`).startsWith(root);
      } catch {
        return false;
      }
    });
    expect(held).toEqual([]);
  });

  it("a change of an old file, a new file and a new folder with a file cause a hint, also after the file was replaced", async () => {
    const root = newFolder();
    const path = join(root, "in/trades_1.csv");
    put(path);
    const old = new Date(Date.now() - 3_600_000);
    utimesSync(path, old, old);
    let hints = 0;
    const finder = open([root], {
      onHint: () => {
        hints += 1;
      },
    });
    expect((await finder.look("all")).map(told)).toEqual([["in/trades_1.csv 2"]]);
    expect([finder.modes, finder.pollReasons]).toEqual([["events"], [undefined]]);
    const hinted = async (act: () => void): Promise<readonly string[]> => {
      await looked(finder);
      const before = hints;
      act();
      await until(() => hints > before);
      return (await looked(finder)).filter((one) => !one.startsWith("in/trades_1.csv 2"));
    };
    expect(await hinted(() => appendFileSync(path, "yy\n"))).toEqual(["in/trades_1.csv 5"]);
    expect(await hinted(() => put(join(root, "in/trades_2.csv")))).toContain("in/trades_2.csv 2");
    // A watch on the file itself would report nothing after this.
    put(`${path}.new`, "1234567");
    expect(await hinted(() => renameSync(`${path}.new`, path))).toContain("in/trades_1.csv 7");
    expect(await hinted(() => appendFileSync(path, "8"))).toContain("in/trades_1.csv 8");
    put(join(root, "new/deep/trades_3.csv"));
    expect(await looked(finder)).toContain("new/deep/trades_3.csv 2");
    expect(await hinted(() => appendFileSync(join(root, "new/deep/trades_3.csv"), "y"))).toContain(
      "new/deep/trades_3.csv 3",
    );
  });

  it("a folder or root that is removed and created again is watched again", async () => {
    const root = newFolder();
    const path = join(root, "in/trades_1.csv");
    let hints = 0;
    const finder = open([root], {
      onHint: () => {
        hints += 1;
      },
    });
    for (const removed of [join(root, "in"), root, join(root, "in"), root]) {
      rmSync(removed, { recursive: true, force: true });
      put(path);
      await looked(finder);
      await looked(finder);
      const before = hints;
      appendFileSync(path, "y\n");
      await until(() => hints > before);
      expect(await looked(finder)).toContain("in/trades_1.csv 4");
    }
  });

  it("3,000 files that are written while the finder is busy are all found", async () => {
    const root = newFolder();
    const { look } = scanOf([root]);
    look("all");
    // The loop that delivers events is the loop of this test, which is busy now.
    for (let index = 0; index < 3_000; index += 1) writeFileSync(join(root, `trades_${index}.csv`), "x");
    await sleep(1);
    expect(told(look("recent").looks[0])).toHaveLength(3_000);
  });

  /** An old file in an old folder, and a way to send events of folders. */
  const quietDesk = () => {
    const root = newFolder();
    const file = join(root, "old/trades_1.csv");
    put(file);
    const old = new Date(Date.now() - 3_600_000);
    for (const path of [file, dirname(file), root]) utimesSync(path, old, old);
    const listeners = new Map<string, (kind: string, name: string | null) => void>();
    const slow = { isOn: false };
    const scan = scanOf([root], {
      statfsSync: (path: string) => {
        for (const endMs = performance.now() + 110; slow.isOn && performance.now() < endMs; ) {}
        return fs.statfsSync(path);
      },
      watch: (folder: string, _: object, listener: (kind: string, name: string | null) => void) => {
        listeners.set(folder, listener);
        return { close: () => {}, on: () => {} };
      },
    });
    scan.look("all");
    const event = (folder: string, name: string | null): void =>
      listeners.get(join(root, folder))?.("change", name);
    return { ...scan, file, event, slow };
  };

  it("after a burst of events or a slow recent look, the next recent look examines everything", () => {
    for (const isBurst of [true, false]) {
      const { look, file, event, slow } = quietDesk();
      appendFileSync(file, "y");
      for (let index = 0; index < 999; index += 1) event("", "trades_9.csv");
      slow.isOn = !isBurst;
      expect(told(look("recent").looks[0])).toEqual([]);
      slow.isOn = false;
      for (let index = 0; isBurst && index < 1_000; index += 1) event("", "trades_9.csv");
      expect(told(look("recent").looks[0])).toEqual(["old/trades_1.csv 3"]);
    }
  });

  it("an event without a name, or with another file's name, makes the next look examine its folder", async () => {
    for (const name of [null, "trades_7.csv"]) {
      const { look, state, file, event } = quietDesk();
      appendFileSync(file, "y");
      event("old", name);
      await until(() => state.hints === 1);
      expect(told(look("recent").looks[0])).toEqual(["old/trades_1.csv 3"]);
    }
  });

  it("an event of a file that no pattern includes gives no hint", async () => {
    const { state, event } = quietDesk();
    event("old", "pnl_tracker.db-wal");
    await sleep(50);
    expect(state.hints).toBe(0);
  });

  it("a folder that cannot be watched is polled, with the reason, until it can be watched", () => {
    const root = newFolder();
    for (const folder of ["a", "b", "c"]) put(join(root, folder, "trades_1.csv"));
    const fault = { code: "ENOSPC", from: 2 };
    let watches = 0;
    const { look } = scanOf([root], {
      watch: (...given: Parameters<typeof fs.watch>) => {
        watches += 1;
        if (watches > fault.from) throw failure(fault.code);
        return fs.watch(...given);
      },
    });
    for (const code of ["ENOSPC", "EMFILE"]) {
      fault.code = code;
      const answer = look("all");
      expect(answer.pollReasons[0]).toContain(code);
      appendFileSync(join(root, "c/trades_1.csv"), "y");
      expect(told(look("recent").looks[0])).toHaveLength(1);
    }
    fault.from = Number.POSITIVE_INFINITY;
    expect(look("all")).toMatchObject({ pollReasons: [undefined] });
  });

  it.each([
    [0x6969, "NFS"],
    [0xfe534d42, "SMB"],
    [0x65735546, "FUSE"],
    [0x01021997, "9P"],
    [0xef53, undefined],
  ])("a root on a file system of type %i is polled if that type sends no events: %s", (type, name) => {
    const { look } = scanOf([newFolder()], { statfsSync: () => ({ type }) });
    const { pollReasons } = look("all");
    const reason = name === undefined ? undefined : expect.stringContaining(name);
    expect(pollReasons).toEqual([reason]);
  });

  it("mode poll watches nothing", async () => {
    const finder = open([newFolder()], { mode: "poll" });
    await finder.look("all");
    expect([finder.modes, finder.pollReasons]).toEqual([["poll"], [undefined]]);
  });
});
