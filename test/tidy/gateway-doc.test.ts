import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { main, root } from "../cli/run-cli.ts";
import { commandsOf, filesOf, outputPattern } from "./page-commands.ts";

const page = await readFile(join(root, "docs/gateway.md"), "utf8");

const typed = commandsOf(page);

const hasCurl = spawnSync("curl", ["--version"]).status === 0;

describe.skipIf(!hasCurl)("the commands of docs/gateway.md print what it shows (needs curl)", () => {
  let folder: string;
  let server: ChildProcess;
  let url: string;

  /** Returns the stdout of a command, also if it fails. The gateway's URL replaces the one on the page. */
  const shell = async (command: string): Promise<string> => {
    const asked = command.replaceAll("http://127.0.0.1:8080", url);
    return (await promisify(execFile)("sh", ["-c", asked]).catch((failure: { stdout: string }) => failure))
      .stdout;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pnl-bridge-doc-"));
    for (const { name, text } of filesOf(page)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text.replace("127.0.0.1:8080", "127.0.0.1:0"));
    }
    server = spawn(process.execPath, [main, "serve", "--config", "desk.yaml"], {
      cwd: folder,
      stdio: ["ignore", "pipe", "ignore"],
    });
    let out = "";
    for await (const piece of server.stdout as AsyncIterable<Buffer>) {
      out += piece;
      const [, printed] = /serves at (\S+)\n/.exec(out) ?? [];
      if (printed === undefined) continue;
      url = printed;
      break;
    }
    // A busy machine sheds comparisons, but the page shows one, so the call is repeated until one is stored.
    const [[call = ""] = []] = typed;
    for (let round = 0; round < 100; round++) {
      await shell(call);
      await sleep(300);
      if ((await shell(`curl -s '${url}/api/v1/comparisons?limit=1'`)).includes('"id"')) return;
    }
  });

  afterAll(async () => {
    server.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  });

  it("cover every kind of route", () => {
    for (const route of [
      "pnl/",
      "dashboard",
      "migration/phase",
      "rollback",
      "audit",
      "events",
      "comparisons",
      "symbols",
      "readyz",
    ])
      expect(typed.some(([command]) => command.includes(route))).toBe(true);
  });

  it.each(typed)("%s", async (command, output) => {
    const printed = await shell(command);
    // The number of an epoch may differ, too.
    const steady = (text: string) => text.replaceAll(/"epoch":\d+/g, '"epoch":\\d+');
    expect(printed.trim()).toMatch(outputPattern(output, steady));
  });
});
