/** Runs the commands and programs of docs/database-bridge.md, in its order, on a desk with a live gateway. */
import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Database from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../../src/testing/until.ts";
import { main, pnlBridge, root } from "../cli/run-cli.ts";
import { checkFaultTable } from "./fault-table.ts";
import { commandsOf, filesOf, installSources, outputPattern } from "./page-commands.ts";

const page = await readFile(join(root, "docs/database-bridge.md"), "utf8");
const typed = commandsOf(page);
const has = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;

describe.skipIf(!has("curl") || !has("python3"))("docs/database-bridge.md (needs curl and python3)", () => {
  let folder: string;
  let port: number;
  let server: ChildProcess | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pnl-bridge-doc-"));
    port = await freePort();
    for (const { name, text } of filesOf(page))
      await writeFile(join(folder, name), text.replaceAll("8080", String(port)));
    await installSources(folder);
    await copyFile(join(root, "python/pnl_bridge_client.py"), join(folder, "pnl_bridge_client.py"));
    await mkdir(join(folder, "trade_ledger"));
    const ledger = "trade_ledger/trades_20250724.csv";
    await copyFile(join(root, "examples/unified-desk/ledgers/trades_20250724.csv"), join(folder, ledger));
    const { code } = await pnlBridge(["replay", "--trades", ledger, "--legacy-database", "pnl_tracker.db"], {
      cwd: folder,
    });
    expect(code).toBe(0);
  });

  afterAll(async () => {
    server?.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });

  /** Starts the gateway, which the page does before its first `phase`. */
  async function serve(): Promise<void> {
    server = spawn(process.execPath, [main, "serve"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "ignore"],
    });
    await once(server.stdout as NodeJS.ReadableStream, "data");
  }

  async function type(command: string): Promise<string> {
    const [, file = "", sql] = /^sqlite3 (\S+) "([^"]*)"$/.exec(command) ?? [];
    if (sql !== undefined) {
      new Database(join(folder, file)).exec(sql).close();
      return "";
    }
    const [, words] = /^pnl-bridge (.*)$/.exec(command) ?? [];
    if (words !== undefined) {
      const args = [...words.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? "");
      const { code, out, err } = await pnlBridge(args, { cwd: folder });
      return code === 2 ? err : out;
    }
    const inShell = command.replaceAll("8080", String(port)).replace(/^node /, `"${process.execPath}" `);
    const { stdout } = await promisify(execFile)("sh", ["-c", inShell], { cwd: folder });
    return stdout;
  }

  it.each(typed)("shows what `%s` prints", async (command, output) => {
    if (command.includes(" phase ")) {
      if (server === undefined) await serve();
      // A process of the fleet follows within a second, before a reader types the next command.
      if (command.includes("advance"))
        await until(
          async () => (await pnlBridge(["gates"], { cwd: folder })).code === 0,
          "the gates are open",
        );
    }
    const due = outputPattern(output);
    let printed = "";
    const isAsShown = async (): Promise<boolean> => {
      printed = (await type(command)).trim();
      return due.test(printed);
    };
    // The status shows the background work of a live process only a moment later, and a process that has just
    // started answers 503 while it opens the databases: the same write is sent again.
    if (/db status$|^curl .*records/.test(command)) await until(isAsShown).catch(() => {});
    else await isAsShown();
    expect(printed).toMatch(due);
  });

  it("shows every command of the database bridge", async () => {
    const { out } = await pnlBridge(["db", "--help"]);
    const names = [...out.matchAll(/^ {2}([a-z]+) (?:\[options\]|<)/gm)].map(([, name = ""]) => name);
    expect(names.length).toBeGreaterThan(5);
    for (const name of names)
      expect(
        typed.some(([command]) => command.startsWith(`pnl-bridge db ${name}`)),
        `the page shows db ${name}`,
      ).toBe(true);
  });
});

checkFaultTable("docs/database-bridge.md", page, "B", 82);

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { readonly port: number };
  probe.close();
  await once(probe, "close");
  return port;
}
