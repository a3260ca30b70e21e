import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { build } from "../../scripts/pack.ts";
import { createPnlBridge, type PnlBridge } from "../../src/app/index.ts";
import { pnlMethods } from "../../src/ports/pnl-service.ts";
import { pnlBridge, root, runNode } from "../cli/run-cli.ts";
import { commandsOf, filesOf, installSources } from "./page-commands.ts";

const page = await readFile(join(root, "docs/service-bridge.md"), "utf8");

const files = filesOf(page);
const typed = commandsOf(page);

const hasPython =
  spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0;

describe("docs/service-bridge.md shows programs", () => {
  let folder: string;
  let port: number;
  let server: ChildProcess;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "pnl-bridge-doc-"));
    port = await freePort();
    for (const { name, text } of files) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text.replaceAll("8123", String(port)));
    }
    await copyFile(join(root, "python/pnl_bridge_worker.py"), join(folder, "pnl_bridge_worker.py"));
    await installSources(folder);
    server = spawn(process.execPath, ["server.ts"], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
    await once(server.stdout as NodeJS.ReadableStream, "data");
  });

  afterAll(async () => {
    server.kill();
    await rm(folder, { recursive: true, force: true });
  });

  it("of each kind", () => {
    expect(files.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "own.ts",
        "ask.ts",
        "desk.ts",
        "desk.py",
        "server.ts",
        "typescript.yaml",
        "python.yaml",
        "http.yaml",
      ]),
    );
    expect(typed.length).toBeGreaterThan(4);
  });

  for (const [command, output] of typed)
    it.skipIf(command.includes("python") && !hasPython)(
      `and ${command} prints what the page shows (needs the programs that it names)`,
      async () => {
        const [program, ...args] = command.split(" ");
        const { out, err } = await (program === "node" ? runNode : pnlBridge)(args, {
          cwd: folder,
          env: variables,
        });
        expect(`${out}${err}`).toBe(output);
      },
    );

  it("that compile", async () => {
    const types = join(await build(), "app/index.d.ts");
    await symlink(join(root, "node_modules/@types"), join(folder, "node_modules/@types"));
    const settings = {
      extends: join(root, "tsconfig.json"),
      compilerOptions: {
        noEmit: true,
        rootDir: "/",
        paths: { "pnl-bridge": [types] },
      },
      include: ["*.ts"],
    };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(settings));
    const { out, err } = await runNode([join(root, "node_modules/typescript-7/bin/tsc"), "-p", folder]);
    expect(`${out}${err}`).toBe("");
    // It may have to build the program first.
  }, 600_000);

  const variables = { DESK_AUTHORIZATION: "Bearer of-the-desk" };

  describe("and the request and answer of each method:", () => {
    let bridge: PnlBridge;
    const verdicts: string[] = [];

    beforeAll(async () => {
      bridge = await createPnlBridge({
        load: { overload: () => undefined },
        config: join(folder, "desk.yaml"),
        onComparison: ({ method, verdict }) => verdicts.push(`${method} ${verdict}`),
      });
      bridge.service.setPlan({ phase: "primary_switch", flags: { calculator: true, storage: true } });
    });
    afterAll(() => bridge.close());

    it.each(pnlMethods)("modern answers %s as the page shows, and legacy agrees", async (method) => {
      const [, section = ""] =
        new RegExp(`^### ${method}\n([\\s\\S]*?)(?=^##)`, "m").exec(`${page}\n## end`) ?? [];
      const [request, answer] = [...section.matchAll(/^```json\n([\s\S]*?)^```$/gm)].map(([, text = ""]) =>
        JSON.parse(text),
      );
      const { value, source } = await bridge.service.call(method, request);
      await bridge.service.idle();
      expect([source, value]).toEqual(["modern", answer]);
      expect(verdicts.at(-1)).toMatch(new RegExp(`^${method} (equal|within_tolerance)$`));
    });
  });
});

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { readonly port: number };
  probe.close();
  await once(probe, "close");
  return port;
}
