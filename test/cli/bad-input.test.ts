import { execFile } from "node:child_process";
import { mkdir, readdir, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { ledger, pnlBridge, type Ran, withFiles } from "./run-cli.ts";

const ZN = "XCMEFFDPSX20250919U0ZN";
const good = ledger(`1,${ZN},2025-07-24 09:00:00,B,1,110`);

/**
 * Expects an empty stdout, exit code 2, and one line with code, what, where and how to fix it, without a
 * stack trace.
 */
function expectOneLine({ code, out, err }: Ran, pattern: RegExp): void {
  expect(out).toBe("");
  expect(err).toMatch(pattern);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
  expect(err).not.toMatch(/\n\s+at /);
  expect(code).toBe(2);
}

interface BadInput {
  readonly name: string;
  readonly make?: (folder: string) => Promise<unknown>;
  readonly args: (folder: string) => readonly string[];
  readonly says: RegExp;
}

const cases: readonly BadInput[] = [
  {
    name: "no such file",
    args: (folder) => ["--trades", join(folder, "nope.csv")],
    says: /^UNREADABLE: there is no such file or folder \(.*nope\.csv\); /,
  },
  {
    name: "a folder without ledgers",
    args: (folder) => ["--trades", folder],
    says: /^NO_INPUT: the folder holds no trades_\*\.csv \(/,
  },
  {
    name: "a binary file",
    make: (folder) =>
      writeFile(
        join(folder, "trades_1.csv"),
        Uint8Array.from({ length: 4096 }, (_, index) => (index * 37) % 256),
      ),
    args: (folder) => ["--trades", folder],
    says: /^BAD_LEDGER: the first line is not the header of a trade ledger \(.*trades_1\.csv:1\); a ledger begins with tradeId,/,
  },
  {
    name: "an empty file",
    make: (folder) => writeFile(join(folder, "trades_1.csv"), ""),
    args: (folder) => ["--trades", folder],
    says: /^BAD_LEDGER: the file is empty/,
  },
  {
    name: "a header without a column",
    make: (folder) =>
      writeFile(join(folder, "trades_1.csv"), "tradeId,instrumentName,marketTradeTime,quantity,price\n"),
    args: (folder) => ["--trades", folder],
    says: /^BAD_LEDGER: the header lacks buySell/,
  },
  {
    name: "a sparse file of 256 MB",
    make: async (folder) => {
      await writeFile(join(folder, "trades_1.csv"), "");
      await truncate(join(folder, "trades_1.csv"), 2 ** 28);
    },
    args: (folder) => ["--trades", folder],
    says: /^BAD_LEDGER: /,
  },
  {
    name: "symbolic links that form a cycle",
    make: async (folder) => {
      await symlink(join(folder, "b.csv"), join(folder, "a.csv"));
      await symlink(join(folder, "a.csv"), join(folder, "b.csv"));
    },
    args: (folder) => ["--trades", join(folder, "a.csv")],
    says: /^UNREADABLE: the symbolic links run in a circle/,
  },
  {
    name: "a folder with the name of a ledger",
    make: (folder) => mkdir(join(folder, "trades_1.csv")),
    args: (folder) => ["--trades", join(folder, "trades_1.csv")],
    says: /^NO_INPUT: /,
  },
  {
    name: "a device",
    args: () => ["--trades", "/dev/null"],
    says: /^UNREADABLE: this is not a regular file \(\/dev\/null\)/,
  },
  { name: "no --trades", args: () => [], says: /^BAD_USAGE: .*--trades/ },
  {
    name: "a method in capitals",
    args: (folder) => ["--trades", folder, "--method", "FIFO"],
    says: /^BAD_USAGE: .*FIFO.*did you mean fifo\?/,
  },
  {
    name: "a ledger without --trades",
    args: () => ["a.csv"],
    says: /^BAD_USAGE: .*did you mean --trades a\.csv\?/,
  },
  {
    name: "a pipe",
    make: (folder) => promisify(execFile)("mkfifo", [join(folder, "trades_1.csv")]),
    args: (folder) => ["--trades", join(folder, "trades_1.csv")],
    says: /^UNREADABLE: this is a pipe.*; write it to a file first/,
  },
  {
    name: "an unknown method",
    args: (folder) => ["--trades", folder, "--method", "hifo"],
    says: /^BAD_USAGE: .*hifo.*fifo, lifo, average/,
  },
  {
    name: "an unknown day rule",
    args: (folder) => ["--trades", folder, "--day-rule", "utc"],
    says: /^BAD_USAGE: .*chicago-17/,
  },
];

describe.each(["pnl", "replay"])("%s refuses bad input in one clear line", (command) => {
  it.each(cases)("$name", ({ make, args, says }) =>
    withFiles({}, async (folder) => {
      await make?.(folder);
      const out = join(folder, "out");
      const ran = await pnlBridge([
        command,
        ...args(folder),
        ...(command === "replay" ? ["--out", out] : []),
      ]);
      expectOneLine(ran, says);
      expect(await readdir(folder)).not.toContain("out");
    }),
  );
});

describe("bad marks, prices, times and configurations are refused in one clear line", () => {
  const withGood = (
    files: Readonly<Record<string, string>>,
    args: (folder: string) => readonly string[],
    says: RegExp,
  ) =>
    withFiles({ "trades_20250724.csv": good, ...files }, async (folder) =>
      expectOneLine(await pnlBridge(args(folder)), says),
    );

  it("marks that are not JSON, not an object, or not numbers", async () => {
    const marks = (folder: string) => ["pnl", "--trades", folder, "--marks", join(folder, "marks.json")];
    await withGood({ "marks.json": "{oops" }, marks, /^BAD_MARKS: .*marks\.json/);
    await withGood(
      { "marks.json": "[1]" },
      marks,
      /^BAD_MARKS: the marks cannot be used: the file is not a JSON object/,
    );
    await withGood(
      { "marks.json": `{"${ZN}": "a lot"}` },
      marks,
      /^BAD_MARKS: the marks cannot be used: the price of .* is not a number: "a lot"/,
    );
    await withGood({ "marks.json": `{"${ZN}": null}` }, marks, /^BAD_MARKS: /);
    await withGood({}, marks, /^UNREADABLE: /);
  });

  it("a price file of an unknown family", () =>
    withGood(
      { "Futures_20250724_1400.csv": "a,b\n1,2\n" },
      (folder) => ["pnl", "--trades", folder, "--prices", folder],
      /^BAD_PRICE_FILE: /,
    ));

  it("an as-of time that daylight saving time skips", () =>
    withGood(
      {},
      (folder) => ["pnl", "--trades", folder, "--as-of", "2025-03-09 02:30"],
      /^BAD_USAGE: --as-of 2025-03-09 02:30 does not exist in Chicago/,
    ));

  it("an as-of time that is not a time", () =>
    withGood(
      {},
      (folder) => ["pnl", "--trades", folder, "--as-of", "yesterday"],
      /^BAD_USAGE: --as-of is not a time: "yesterday"/,
    ));

  it("a misspelt key of the configuration, with line, column and the nearest known key", () =>
    withGood(
      { "desk.yaml": "migration:\n  validation:\n    comparison_treshold: 0.01\n" },
      (folder) => ["replay", "--trades", folder, "--config", join(folder, "desk.yaml")],
      /^BAD_CONFIG: .*comparison_treshold.*desk\.yaml:3:5.*comparison_threshold/,
    ));

  it.skipIf(process.platform !== "linux")(
    "an output folder that cannot be created, without a hang (Linux has /proc)",
    async () => {
      await withGood(
        {},
        (folder) => ["replay", "--trades", folder, "--out", "/proc/x/y"],
        /^UNWRITABLE: .*\/proc\/x/,
      );
      await withGood({}, () => ["demo", "--once", "--keep", "/proc/x"], /^UNWRITABLE: .*\/proc\/x/);
    },
  );

  it("an unknown command", async () => {
    const { code, err } = await pnlBridge(["nonsense"]);
    expect(code).toBe(2);
    expect(err).toMatch(/^BAD_USAGE: unknown command 'nonsense'/);
  });
});
