import { execFile, spawn, spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, it } from "vitest";
import { allCommands, helpOf } from "../../scripts/pages/cli.ts";
import { until } from "../../src/testing/until.ts";
import { ledger, pnlBridge, root, withFiles } from "./run-cli.ts";

const run = promisify(execFile);

describe("the start-up guard", () => {
  /** Runs the program's first file under a given version of Node, up to the point where it loads the rest. */
  const start = async (node: string): Promise<{ said: string; exit: number | undefined }> => {
    const source = (await readFile(join(root, "bin/pnl-bridge.js"), "utf8"))
      .replace(/^#!.*/, "")
      .replace(/^import\(/m, "load(");
    const seen = { said: "", exit: undefined as number | undefined };
    const process = {
      versions: { node },
      stderr: { write: (text: string) => (seen.said += text) },
      exit: (code: number) => {
        seen.exit = code;
        throw new Error("exit");
      },
    };
    try {
      runInNewContext(source, { process, load: () => undefined, Number });
    } catch (error) {
      if ((error as Error).message !== "exit") throw error;
    }
    return seen;
  };

  it.each(["18.0.0", "20.20.2", "22.17.9", "23.9.0"])("names the needed version on Node %s", async (node) => {
    expect(await start(node)).toEqual({
      said: expect.stringMatching(/^NODE_UNFIT: pnl-bridge needs Node 22\.18 or newer .*\n$/),
      exit: 2,
    });
  });

  it.each(["22.18.0", "24.0.0", "26.1.0"])("starts the program on Node %s", async (node) => {
    expect(await start(node)).toEqual({ said: "", exit: undefined });
  });
});

describe("the built package", () => {
  // Builds it only if a source is newer than the build, which takes a compiler's whole run.
  beforeAll(() => run(join(root, "run"), ["pnl-bridge", "--version"]), 120_000);

  it("exports the engine and the library under the documented names, with types", async () => {
    const script = `
      import { computePnl, parsePrice } from "pnl-bridge/engine";
      import { PnLComparisonValidator, runPnl } from "pnl-bridge";
      const trades = [{ id: "1", symbol: "XCMEFFDPSX20250930U0ZT", side: "B", quantity: "1.5", price: "103" }];
      const { positions } = computePnl({ trades, marks: { ZTU2025: "103.00390625" } });
      const price = parsePrice("110-165", "futures-32nds");
      console.log(positions[0].unrealized, price, typeof PnLComparisonValidator, typeof runPnl);`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: root });
    expect(stdout).toBe("11.71875 110.515625 function function\n");
    const { exports } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    for (const entry of [exports["."], exports["./engine"]])
      expect(await readFile(join(root, entry.types), "utf8")).toContain("export");
  });

  it("answers as the sources do", () =>
    withFiles(
      { "trades_20250724.csv": ledger("1,XCMEFFDPSX20250919U0ZN,2025-07-24 09:00:00,B,1,110") },
      async (folder) => {
        const args = ["pnl", "--trades", folder, "--json"];
        const { stdout } = await run(process.execPath, [join(root, "bin/pnl-bridge.js"), ...args]);
        expect(stdout).toBe((await pnlBridge(args)).out);
      },
    ));
});

const commands = await allCommands();

describe("--help", () => {
  it("lists every command", async () => {
    const { code, out, err } = await pnlBridge(["--help"]);
    const [, program] = commands[0] ?? [];
    expect([code, err, out.trimEnd()]).toEqual([0, "", program && helpOf(program)]);
    expect(commands.map(([name]) => name.replace("pnl-bridge ", ""))).toEqual([
      "pnl-bridge",
      ...["audit", "audit export", "audit list", "audit verify"],
      ...["causes", "causes accept", "causes list", "causes revoke", "compare", "comparisons", "completion"],
      ...["config", "config publish", "config schema", "config set", "config show", "config validate"],
      ...[
        "db",
        "db archive",
        "db backfill",
        "db cutover",
        "db drain",
        "db init",
        "db reconcile",
        "db repair",
        "db review",
        "db status",
      ],
      ...[
        "demo",
        "denylist",
        "denylist add",
        "denylist remove",
        "denylist list",
        "doctor",
        "evidence",
        "evidence add",
        "evidence memory",
        "explain",
        "gates",
      ],
      ...[
        "phase",
        "phase advance",
        "phase retreat",
        "phase set",
        "pnl",
        "rehearse",
        "replay",
        "report",
        "report accept",
        "report daily",
        "report diff",
        "report migration",
        "rollback",
        "serve",
        "sign-off",
        "status",
      ],
      ...["symbols", "symbols check", "symbols dialects", "symbols translate", "symbols variants", "traffic"],
      "waive",
      ...["watch", "watch review", "watch review list", "watch review show", "watch review apply"],
      ...["watch review ignore", "watch status"],
      ...["whitelist", "whitelist add", "whitelist remove", "whitelist list"],
    ]);
  });

  it.each(commands)("%s fits 80 columns and shows an example that its options allow", (name, command) => {
    const help = helpOf(command);
    expect(help).toContain(`Usage: ${name} `);
    expect(help.split("\n").filter((line) => line.length > 80)).toEqual([]);
    const examples = help.split("\n").filter((line) => line.startsWith("  $ "));
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      const words = example.slice(4);
      const [, called] = commands.findLast(([name]) => words === name || words.startsWith(`${name} `)) ?? [];
      const known = called?.options.map(({ long }) => long);
      expect(known).toEqual(
        expect.arrayContaining([...words.matchAll(/ (--[a-z-]+)/g)].map(([, long]) => long)),
      );
      expect(words.startsWith(name)).toBe(true);
    }
  });

  it("is printed on stderr, with exit code 2, for a call without a command", async () => {
    const { code, out, err } = await pnlBridge([]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("Usage: pnl-bridge");
  });

  it("doctor reports the fault of a configuration beside the checks that pass", () =>
    withFiles({ "desk.yaml": "systems: { modern: { kind: bultin } }\n" }, async (folder) => {
      const { code, out } = await pnlBridge(["doctor", "--config", join(folder, "desk.yaml"), "--json"]);
      expect(code).toBe(1);
      const { ok, findings } = JSON.parse(out);
      expect(ok).toBe(false);
      expect(findings).toContainEqual({
        check: "configuration",
        ok: false,
        detail: expect.stringMatching(/^BAD_CONFIG: .*desk\.yaml:1/),
      });
      expect(findings).toContainEqual(expect.objectContaining({ check: "sqlite", ok: true }));
    }));

  it("doctor warns of a SQLite of the desk's Python that may damage a database which two programs write", () =>
    withFiles({ "desk.yaml": "stores: { legacy: 'sqlite:./pnl_tracker.db' }\n" }, async (folder) => {
      await writeFile(join(folder, "python3"), "#!/bin/sh\necho 3.51.2\n", { mode: 0o755 });
      const env = { PATH: `${folder}:${process.env.PATH}` };
      const { out } = await pnlBridge(["doctor", "--config", "desk.yaml", "--json"], { cwd: folder, env });
      expect(JSON.parse(out).findings).toContainEqual({
        check: "sqlite of the desk",
        ok: true,
        detail: expect.stringMatching(
          /^warning: SQLite 3\.51\.2 of python3 may damage a database in WAL mode/,
        ),
      });
    }));

  it("doctor passes every check in this repository", async () => {
    const { code, out } = await pnlBridge(["doctor", "--json"]);
    expect(code).toBe(0);
    expect(
      JSON.parse(out).findings.map(({ check, ok }: { check: string; ok: boolean }) => [check, ok]),
    ).toContainEqual(["both systems", true]);
  });
});

describe("a failure", () => {
  it.each([
    [
      "of the command line",
      ["pnl", "--json"],
      "BAD_USAGE",
      { what: expect.stringContaining("--trades"), fix: expect.any(String) },
    ],
    ["of an input", ["pnl", "--trades", "no-such", "--json"], "UNREADABLE", { where: "no-such" }],
  ])("%s is one line of JSON on stderr with --json, and stdout stays empty", async (_, args, code, more) => {
    const { code: exitCode, out, err } = await pnlBridge(args);
    expect([exitCode, out, err.endsWith("\n")]).toEqual([2, "", true]);
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(JSON.parse(err)).toEqual({ error: expect.objectContaining({ code, ...more }) });
  });
});

describe("colours", () => {
  const isColoured = async (env: Readonly<Record<string, string>>): Promise<boolean> =>
    (await pnlBridge(["symbols", "dialects"], { env })).out.includes("\x1b[");

  it("are off in a pipe, and FORCE_COLOR overrides NO_COLOR", async () => {
    expect(await isColoured({ NO_COLOR: "" })).toBe(false);
    expect(await isColoured({ NO_COLOR: "", FORCE_COLOR: "1" })).toBe(true);
    expect(await isColoured({ NO_COLOR: "1", FORCE_COLOR: "1" })).toBe(true);
    expect(await isColoured({ NO_COLOR: "", FORCE_COLOR: "0" })).toBe(false);
  });
});

describe.skipIf(spawnSync("bash", ["--version"]).status !== 0)("completion", () => {
  let source = "";
  beforeAll(async () => {
    source = (await pnlBridge(["completion", "bash"])).out;
  });

  it.each([
    [["co"], "compare comparisons completion config"],
    [["phase", ""], "advance retreat set"],
    [["phase", "set", "--ep"], "--epoch"],
    [["pnl", "--trades", "x", "--mat"], "--matches"],
  ])("of %j in bash suggests %s", (words, proposed) => {
    const typed = words.map((word) => `'${word}'`).join(" ");
    const script = [
      source,
      `COMP_WORDS=(pnl-bridge ${typed}); COMP_CWORD=${words.length}`,
      `_pnl_bridge; echo "\${COMPREPLY[@]}"`,
    ].join("\n");
    // Without --norc, bash may read the .bashrc of the user, since its stdin is a socket.
    expect(spawnSync("bash", ["--norc", "-c", script], { encoding: "utf8" }).stdout.trim()).toBe(proposed);
  });
});

describe("progress", () => {
  const terminal = pathToFileURL(join(root, "src/surfaces/cli/terminal.ts")).href;
  const program = `
    import { progressOn } from ${JSON.stringify(terminal)};
    progressOn(process.stderr).report("matching trades");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);`;

  /**
   * Runs a program that blocks its thread for ever, waits until it has printed `text`, and returns its
   * output.
   */
  async function printedBy(command: readonly string[], text: string): Promise<string> {
    const [file = "", ...args] = command;
    const child = spawn(file, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
      detached: true,
    });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => (printed += piece));
    try {
      await until(() => printed.includes(text), `it prints ${text}`);
      return printed;
    } finally {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    }
  }

  it("appears in a pipe after two seconds, a line at a time, while the work blocks its thread", () =>
    withFiles({ "busy.mjs": program }, async (folder) => {
      const command = [process.execPath, join(folder, "busy.mjs")];
      expect(await printedBy(command, "trades\n")).toBe("matching trades\n");
    }));

  const hasScript = spawnSync("script", ["-qec", "true", "/dev/null"]).status === 0;
  it.skipIf(!hasScript)("appears in one line of a terminal, with the seconds that have passed", () =>
    withFiles({ "busy.mjs": program }, async (folder) => {
      const command = ["script", "-qec", `'${process.execPath}' '${join(folder, "busy.mjs")}'`, "/dev/null"];
      const printed = await printedBy(command, "(3 s)");
      expect(printed).toContain("\r\x1b[Kmatching trades (2 s)\r\x1b[Kmatching trades (");
      expect(printed).not.toContain("\n");
    }),
  );
});
