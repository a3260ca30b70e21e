/**
 * The program at its edges: files that it would overwrite, a stdout that fails, names with control
 * characters.
 */
import { execFile, spawn } from "node:child_process";
import {
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { finish } from "../../src/surfaces/cli/terminal.ts";
import { isLongRun } from "../campaigns.ts";
import { ledger, main, pnlBridge, type Ran, withFiles } from "./run-cli.ts";

const ZN = "XCMEFFDPSX20250919U0ZN";
const good = ledger(`1,${ZN},2025-07-24 09:00:00,B,1,110`, `2,${ZN},2025-07-24 09:01:00,S,1,111`);
const files = { "trades_20250724.csv": good };
const isLong = isLongRun("commands");
const onLinux = process.platform === "linux";

function expectOneLine({ code, out, err }: Ran, pattern: RegExp): void {
  expect(err).toMatch(pattern);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
  expect([code, out]).toEqual([2, ""]);
}

/**
 * Runs a line of shell in which `pnl-bridge` is the program and `$1`… are `args`. Returns stdout, stderr,
 * exit code.
 */
function shell(line: string, ...args: readonly string[]): Promise<Ran> {
  const script = `pnl_bridge() { "$NODE" "$MAIN" "$@"; }; ${line.replaceAll("pnl-bridge", "pnl_bridge")}`;
  const env = { ...process.env, NODE: process.execPath, MAIN: main, NO_COLOR: "1" };
  // Without --norc, bash may read the .bashrc of the user, since its stdin is a socket.
  return new Promise((resolve) => {
    execFile(
      "bash",
      ["--norc", "-c", script, "bash", ...args],
      { env, maxBuffer: 1 << 28 },
      (error, out, err) => resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
}

describe("--marks", () => {
  const priced = (marks: string, ...more: readonly string[]): Promise<Ran> =>
    withFiles(
      { "trades_20250724.csv": ledger(`1,${ZN},2025-07-24 09:00:00,B,1,110`), "marks.json": marks },
      (folder) => pnlBridge(["pnl", "--trades", folder, "--marks", join(folder, "marks.json"), ...more]),
    );
  const position = async (
    marks: string,
  ): Promise<{ readonly ran: Ran; readonly mark: string; readonly notes: string[] }> => {
    const ran = await priced(marks, "--json");
    const { positions = [], notes = [] } = JSON.parse(ran.out);
    return { ran, mark: positions[0]?.mark, notes: notes.map(({ code }: { code: string }) => code) };
  };

  it("keeps every digit of a price that is written with an exponent", async () => {
    expect((await position(`{"${ZN}": 1e400}`)).mark).toBe(`1${"0".repeat(400)}`);
  });

  it("accepts several names of one instrument with the same price", async () => {
    const { ran, mark, notes } = await position(
      `{"${ZN}": 110.5, " ZNU2025 ": "110.50", "ZNU2025": 11.05e1}`,
    );
    expect([ran.code, mark, notes]).toEqual([0, "110.5", []]);
  });

  it.each([
    [
      "two names that differ by a space",
      '{"ZNU2025": 110.5, "ZNU2025 ": 110.75}',
      '"ZNU2025" and "ZNU2025 "',
    ],
    ["the same name twice", '{"ABC": 1, "ABC": 2}', '"ABC" and "ABC"'],
    ["a symbol and its instrument", `{"${ZN}": 110.5, "ZNU2025": 110.75}`, `"${ZN}" and "ZNU2025"`],
  ])("refuses different prices of one instrument under %s", async (_, marks, named) => {
    const ran = await priced(marks);
    expect(ran.err).toContain(
      `BAD_MARKS: the marks cannot be used: ${named} are one instrument with two prices`,
    );
    expectOneLine(ran, /marks\.json/);
  });

  it("reads names and prices with escapes, and refuses an object or a list as a price", async () => {
    expect((await position('{"\\u005aNU2025": "\\u0031", "a\\"b,:{": 2}')).mark).toBe("1");
    expectOneLine(await priced(`{"${ZN}": {"price": 1}}`), /^BAD_MARKS: .* is not a number: \{/);
    expectOneLine(await priced(`{"${ZN}": [1, 2]}`), /^BAD_MARKS: .* is not a number: \[/);
  });

  it("refuses a file that is too large without reading it, and reads a name of megabytes", async () => {
    await withFiles({ ...files, "marks.json": "" }, async (folder) => {
      await truncate(join(folder, "marks.json"), 2 ** 40);
      const ran = await pnlBridge(["pnl", "--trades", folder, "--marks", join(folder, "marks.json")]);
      expectOneLine(ran, /^BAD_MARKS: the marks cannot be used: the file is larger than 16777216 bytes/);
      expectOneLine(
        await pnlBridge(["pnl", "--trades", folder, "--marks", "/dev/zero"]),
        /^UNREADABLE: this is not a regular file/,
      );
    });
    expect((await position(`{"${'\\"'.repeat(2e6)}": 1, "${ZN}": 2}`)).mark).toBe("2");
  });
});

describe("an output file", () => {
  const refused = async (folder: string, args: readonly string[], says: RegExp): Promise<void> => {
    const before = await readdir(folder, { recursive: true });
    expectOneLine(await pnlBridge(args), says);
    expect(await readdir(folder, { recursive: true })).toEqual(before);
  };

  it("never replaces an input, also through a symbolic or a hard link", () =>
    withFiles(
      { ...files, "marks.json": "{}", "Futures_20250724_1400.csv": "SYMBOL,PX_LAST\nTY,110.2\n" },
      async (folder) => {
        const path = (name: string): string => join(folder, name);
        await symlink(path("trades_20250724.csv"), path("by-link.csv"));
        await link(path("trades_20250724.csv"), path("hard.csv"));
        const args = [
          "pnl",
          "--trades",
          folder,
          "--prices",
          folder,
          "--marks",
          path("marks.json"),
          "--matches",
        ];
        for (const name of [
          "trades_20250724.csv",
          "by-link.csv",
          "hard.csv",
          "marks.json",
          "Futures_20250724_1400.csv",
        ])
          await refused(
            folder,
            [...args, path(name)],
            /^BAD_USAGE: the output would replace an input.*; name another file/,
          );
        expect(await readFile(path("trades_20250724.csv"), "utf8")).toBe(good);
      },
    ));

  it("never replaces an input of replay that has the name of the report", () =>
    withFiles({ "trades_20250724.csv": good }, async (folder) => {
      await link(join(folder, "trades_20250724.csv"), join(folder, "report.html"));
      await refused(
        folder,
        ["replay", "--trades", folder, "--out", folder],
        /^BAD_USAGE: the output would replace an input/,
      );
      const config = join(folder, "report.json");
      await writeFile(config, "{}");
      await refused(
        folder,
        ["replay", "--trades", folder, "--config", config, "--out", folder],
        /^BAD_USAGE: .*\(.*report\.json\)/,
      );
    }));

  it("never replaces an existing database, and demo --keep refuses a folder that already holds a desk's files", () =>
    withFiles({ ...files, "pnl_tracker.db": "precious" }, async (folder) => {
      const database = join(folder, "pnl_tracker.db");
      const says = /^UNWRITABLE: the file exists already \(.*pnl_tracker\.db\); name a new (file|folder)/;
      await refused(folder, ["replay", "--trades", folder, "--legacy-database", database], says);
      await refused(folder, ["demo", "--once", "--keep", folder], says);
      expect(await readFile(database, "utf8")).toBe("precious");
      await symlink(join(folder, "elsewhere.db"), join(folder, "dangling.db"));
      await refused(
        folder,
        ["replay", "--trades", folder, "--legacy-database", join(folder, "dangling.db")],
        /^UNWRITABLE: /,
      );
      await mkdir(join(folder, "desk", "trade_ledger"), { recursive: true });
      await refused(
        folder,
        ["demo", "--once", "--keep", join(folder, "desk")],
        /^UNWRITABLE: the folder exists already/,
      );
    }));

  it("is created in a new folder, and is UNWRITABLE where it cannot be created", () =>
    withFiles({ ...files, occupied: "a file" }, async (folder) => {
      const replay = (database: string) =>
        pnlBridge(["replay", "--trades", folder, "--legacy-database", database]);
      const made = join(folder, "a", "b", "pnl_tracker.db");
      expect((await replay(made)).code).toBe(0);
      expect((await readFile(made)).subarray(0, 15).toString()).toBe("SQLite format 3");
      expectOneLine(await replay(join(folder, "occupied", "x.db")), /^UNWRITABLE: .*occupied/);
      expectOneLine(await replay(join(folder, "a", `${"n".repeat(250)}.db`)), /^UNWRITABLE: .*nnn\.db/);
    }));

  it("cannot be a folder", () =>
    withFiles(files, async (folder) => {
      await refused(
        folder,
        ["pnl", "--trades", folder, "--matches", folder],
        /^UNWRITABLE: this is a folder \(/,
      );
    }));

  it.skipIf(!onLinux)("cannot be a pipe or a device (Linux has mkfifo and /dev/null)", () =>
    withFiles(files, async (folder) => {
      await promisify(execFile)("mkfifo", [join(folder, "pipe")]);
      const args = ["pnl", "--trades", folder, "--matches"];
      await refused(
        folder,
        [...args, join(folder, "pipe")],
        /^UNWRITABLE: this is not a regular file \(.*pipe\)/,
      );
      await refused(
        folder,
        [...args, "/dev/null"],
        /^UNWRITABLE: this is not a regular file \(\/dev\/null\)/,
      );
      expect((await lstat("/dev/null")).isCharacterDevice()).toBe(true);
    }),
  );

  it("may have the longest possible name, and an error names it, not a temporary file", () =>
    withFiles(files, async (folder) => {
      const long = join(folder, "m".repeat(255));
      expect((await pnlBridge(["pnl", "--trades", folder, "--matches", long])).code).toBe(0);
      expect(await readFile(long, "utf8")).toContain("1000\n");
      const ran = await pnlBridge(["pnl", "--trades", folder, "--matches", `${long}m`]);
      expectOneLine(ran, /^UNWRITABLE: the output cannot be written: ENAMETOOLONG \([^)]*m\)/);
      expect(ran.err).not.toContain(".tmp");
    }));

  it("is written through a symbolic link, which stays a link", () =>
    withFiles({ ...files, "real.csv": "before" }, async (folder) => {
      const latest = join(folder, "latest.csv");
      await symlink("real.csv", latest);
      expect((await pnlBridge(["pnl", "--trades", folder, "--matches", latest])).code).toBe(0);
      expect(await readlink(latest)).toBe("real.csv");
      expect(await readFile(await realpath(latest), "utf8")).toContain("1000\n");
    }));
});

describe.skipIf(!onLinux)("a stdout that fails (Linux has /dev/full)", () => {
  const full =
    /^UNWRITABLE: the output cannot be written: ENOSPC \(stdout\); write it to a disk with free space\n$/;

  it.each(isLong ? ["pnl", "replay"] : ["pnl"])("is reported in one line by %s", (command) =>
    withFiles(files, async (folder) =>
      expectOneLine(await shell(`pnl-bridge ${command} --trades "$1" > /dev/full`, folder), full),
    ),
  );

  it.runIf(isLong)("is reported in one line by --help and --version", async () => {
    expectOneLine(await shell("pnl-bridge --help > /dev/full"), full);
    expectOneLine(await shell("pnl-bridge --version > /dev/full"), full);
  });

  it("is reported if the disk becomes full within the last piece", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          ...Array.from({ length: 30 }, (_, id) => `${id},${ZN},2025-07-24 09:00:00,B,1,110`),
        ),
      },
      async (folder) => {
        // A limit on the file size acts as the full disk: the write that crosses it is cut there, and the
        // next one fails.
        const { code, err } = await shell(
          'ulimit -f 1; pnl-bridge pnl --json --trades "$1" > "$1/out.json"',
          folder,
        );
        expect((await readFile(join(folder, "out.json"))).length).toBe(1024);
        expect([code, JSON.parse(err).error]).toMatchObject([2, { code: "UNWRITABLE", where: "stdout" }]);
      },
    ));

  it("is not a failure if the reader closes the pipe: the exit code is the command's", () =>
    withFiles({ ...files, "trades_20250725.csv": ledger("oops") }, async (folder) => {
      const first = await shell("set -o pipefail; pnl-bridge --help | head -1");
      expect(first).toEqual({ code: 0, out: "Usage: pnl-bridge [options] [command]\n", err: "" });
      // `true` reads nothing, and ends before the program writes.
      const refusedRow = await shell('set -o pipefail; pnl-bridge pnl --json --trades "$1" | true', folder);
      expect(refusedRow).toEqual({ code: 1, out: "", err: "" });
      if (!isLong) return;
      const clean = await shell(
        'set -o pipefail; pnl-bridge pnl --json --trades "$1" | true',
        join(folder, "trades_20250724.csv"),
      );
      expect(clean).toEqual({ code: 0, out: "", err: "" });
    }));

  it("a closed or full stderr does not change the exit code", async () => {
    expect(await shell("pnl-bridge pnl --trades /nowhere 2> /dev/full")).toEqual({
      code: 2,
      out: "",
      err: "",
    });
    if (!isLong) return;
    expect(
      (await shell("set -o pipefail; pnl-bridge pnl --trades /nowhere 2>&1 >/dev/null | true")).code,
    ).toBe(2);
  });
});

describe("a result in pieces", () => {
  it("is produced no faster than stdout accepts it", async () => {
    const asked: number[] = [];
    const taken: string[] = [];
    const out = {
      write: (piece: string, done: () => void) => {
        setImmediate(() => {
          taken.push(piece);
          done();
        });
        return false;
      },
    } as unknown as NodeJS.WriteStream;
    const text = (function* () {
      for (const piece of ["a", "b", "c"]) {
        asked.push(taken.length);
        yield piece;
      }
    })();
    const before = process.exitCode;
    await finish({ exitCode: 0, text }, { out, err: process.stderr });
    process.exitCode = before;
    expect([asked, taken]).toEqual([
      [0, 1, 2],
      ["a", "b", "c", "\n"],
    ]);
  });

  it("arrives whole through a pipe that is read slowly", () =>
    withFiles(
      {
        "trades_20250724.csv": ledger(
          ...Array.from({ length: 3_000 }, (_, id) => `${id + 1},${ZN},2025-07-24 09:00:00,B,1,110`),
        ),
      },
      async (folder) => {
        const child = spawn(process.execPath, [main, "pnl", "--json", "--trades", folder], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        let out = "";
        for await (const chunk of child.stdout) {
          out += chunk;
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
        const document = JSON.parse(out);
        expect(document.positions[0].lots).toHaveLength(3_000);
        expect(out).toBe(`${JSON.stringify(document)}\n`);
      },
    ));
});

describe("mistyped input is refused in one line", () => {
  it.each(["-5", "", " ", "1.5", "0x10", "1e3", "4294967296"])("demo --seed=%j", async (seed) => {
    expectOneLine(
      await pnlBridge(["demo", "--once", `--seed=${seed}`]),
      /^BAD_USAGE: --seed must be a whole number from 0 to/,
    );
  });

  it("demo --seed -5, as two arguments", async () => {
    expectOneLine(await pnlBridge(["demo", "--once", "--seed", "-5"]), /^BAD_USAGE: .*seed/);
  });

  it("a TMPDIR that does not exist", async () => {
    const ran = await pnlBridge(["demo", "--once"], {
      env: { TMPDIR: "/nowhere", TEMP: "/nowhere", TMP: "/nowhere" },
    });
    expectOneLine(ran, /^UNWRITABLE: .*\/nowhere.*TMPDIR/);
  });

  it.each(["2025-07-18", "2025-02-28"])("--as-of %s, which is a day without a time", (day) =>
    withFiles(files, async (folder) => {
      const ran = await pnlBridge(["pnl", "--trades", folder, "--as-of", day]);
      expectOneLine(
        ran,
        new RegExp(`^BAD_USAGE: --as-of names a day.*; write a time too, such as ${day}T16:00:00\n$`),
      );
    }),
  );

  it("names with control characters, which are shown escaped", () =>
    withFiles(files, async (folder) => {
      const evil = join(folder, "\x1b[2Jgone\nUNREADABLE: forged\u202e");
      const shown = "\\u{1b}[2Jgone\\u{a}UNREADABLE: forged\\u{202e}";
      for (const args of [
        ["--trades", evil],
        ["--trades", folder, "--marks", evil],
        ["--trades", folder, evil],
      ]) {
        const ran = await pnlBridge(["pnl", ...args]);
        expect(ran.err).not.toMatch(/[^\P{Cc}\n]|\u202e/u);
        expectOneLine(ran, /^[A-Z_]+: /);
        if (args.at(-2)?.startsWith("--")) expect(ran.err).toContain(shown);
      }
    }));
});
