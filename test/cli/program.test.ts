import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { runInNewContext } from "node:vm";
import { beforeAll, describe, expect, it } from "vitest";
import { ledger, pnlBridge, root, withFiles } from "./run-cli.ts";

const run = promisify(execFile);

describe("the start-up guard", () => {
  /** What the first file of the program does under a given version of Node, up to loading the rest. */
  const start = async (node: string): Promise<{ said: string; exit: number | undefined }> => {
    const source = (await readFile(join(root, "bin/pnl-bridge.js"), "utf8")).replace(/^#!.*/, "").replace(/^import\(/m, "load(");
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

  it.each(["22.18.0", "24.0.0", "26.1.0"])("goes on under Node %s", async (node) => {
    expect(await start(node)).toEqual({ said: "", exit: undefined });
  });
});

describe("the built package", () => {
  beforeAll(() => run(join(root, "run"), ["build"]), 120_000);

  it("exports the engine and the library under their names, with types", async () => {
    const script = `
      import { computePnl, parsePrice } from "pnl-bridge/engine";
      import { PnLComparisonValidator, runPnl } from "pnl-bridge";
      const trades = [{ id: "1", symbol: "XCMEFFDPSX20250930U0ZT", side: "B", quantity: "1.5", price: "103" }];
      const { positions } = computePnl({ trades, marks: { ZTU2025: "103.00390625" } });
      console.log(positions[0].unrealized, parsePrice("110-165", "futures-32nds"), typeof PnLComparisonValidator, typeof runPnl);`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: root });
    expect(stdout).toBe("11.71875 110.515625 function function\n");
    const { exports } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    for (const entry of [exports["."], exports["./engine"]])
      expect(await readFile(join(root, entry.types), "utf8")).toContain("export");
  });

  it("answers like the sources do", () =>
    withFiles({ "trades_20250724.csv": ledger("1,XCMEFFDPSX20250919U0ZN,2025-07-24 09:00:00,B,1,110") }, async (folder) => {
      const args = ["pnl", "--trades", folder, "--json"];
      const { stdout } = await run(process.execPath, [join(root, "bin/pnl-bridge.js"), ...args]);
      expect(stdout).toBe((await pnlBridge(args)).out);
    }));
});

/** The commands of a help text, but for `help` itself. */
const listed = (help: string): readonly string[] => {
  const [, commands = ""] = /^Commands:\n([\s\S]*?)(?:\n\n|$(?![\s\S]))/m.exec(help) ?? [];
  return [...commands.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name as string).filter((name) => name !== "help");
};

describe("--help", () => {
  it("lists each command that works, each with help of its own", async () => {
    const { code, out } = await pnlBridge(["--help"]);
    expect(code).toBe(0);
    const commands = listed(out);
    expect(commands).toEqual([
      "audit",
      "compare",
      "comparisons",
      "config",
      "demo",
      "denylist",
      "doctor",
      "gates",
      "phase",
      "pnl",
      "replay",
      "rollback",
      "serve",
      "sign-off",
      "status",
      "symbols",
      "traffic",
      "whitelist",
    ]);
    const within: Readonly<Record<string, readonly string[]>> = {
      symbols: ["check", "dialects", "translate", "variants"],
      config: ["publish", "schema", "set", "show", "validate"],
      phase: ["advance", "retreat", "set"],
      whitelist: ["add", "remove", "list"],
      denylist: ["add", "remove", "list"],
      audit: ["export", "list", "verify"],
    };
    for (const command of commands) {
      const help = await pnlBridge([command, "--help"]);
      expect([help.code, help.err]).toEqual([0, ""]);
      expect(help.out).toContain(`Usage: pnl-bridge ${command}`);
      expect(listed(help.out)).toEqual(within[command] ?? []);
    }
  });

  it("is what a bare call gets, on stderr, with exit code 2", async () => {
    const { code, out, err } = await pnlBridge([]);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toContain("Usage: pnl-bridge");
  });

  it("doctor says what is wrong with a configuration, among what is right", () =>
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

  it("doctor finds everything in order here", async () => {
    const { code, out } = await pnlBridge(["doctor", "--json"]);
    expect(code).toBe(0);
    expect(JSON.parse(out).findings.map(({ check, ok }: { check: string; ok: boolean }) => [check, ok])).toContainEqual([
      "both systems",
      true,
    ]);
  });
});
