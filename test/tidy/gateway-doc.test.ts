import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "../cli/run-cli.ts";

const page = await readFile(join(root, "docs/gateway.md"), "utf8");

/** What is typed, and what it prints, in the page's order: later ones build on those before. */
const typed = [...page.matchAll(/^```console\n([\s\S]*?)^```$/gm)].flatMap(([, text = ""]) =>
  text
    .split(/^\$ /m)
    .slice(1)
    .map((one) => {
      const end = one.indexOf("\n");
      return [one.slice(0, end), one.slice(end + 1)] as const;
    }),
);

const hasCurl = spawnSync("curl", ["--version"]).status === 0;

describe.skipIf(!hasCurl)("what docs/gateway.md types (needs curl)", () => {
  let folder: string;
  let server: ChildProcess;
  let url: string;

  /** What a command prints, wherever the page says that the gateway is, and however it ends. */
  const shell = async (command: string): Promise<string> => {
    const asked = command.replaceAll("http://127.0.0.1:8080", url);
    return (await promisify(execFile)("sh", ["-c", asked]).catch((failure: { stdout: string }) => failure))
      .stdout;
  };

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pnl-bridge-doc-"));
    const [, yaml = ""] = /^```yaml desk\.yaml\n([\s\S]*?)^```$/m.exec(page) ?? [];
    await writeFile(join(folder, "desk.yaml"), yaml.replace("127.0.0.1:8080", "127.0.0.1:0"));
    server = spawn(
      process.execPath,
      [join(root, "src/surfaces/cli/main.ts"), "serve", "--config", "desk.yaml"],
      {
        cwd: folder,
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    let out = "";
    for await (const piece of server.stdout as AsyncIterable<Buffer>) {
      out += piece;
      const [, printed] = /serves at (\S+)\n/.exec(out) ?? [];
      if (printed === undefined) continue;
      url = printed;
      break;
    }
    // On a machine that is busy a comparison is shed; the page shows one that was made.
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

  it("is some of everything", () => {
    for (const route of [
      "pnl/",
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
    // `…` stands for what differs from one time to the next, and so does the number of an epoch.
    const pattern = output
      .trim()
      .split("…")
      .map((text) =>
        text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(/"epoch":\d+/g, '"epoch":\\d+'),
      );
    expect(printed.trim()).toMatch(new RegExp(`^${pattern.join("[\\s\\S]*")}$`));
  });
});
