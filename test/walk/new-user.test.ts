/**
 * Follows docs/bridge-your-system.md as a new user does: runs the commands of the page in their order in an
 * empty folder, and between them writes each file when the page shows it. In `./run test --long walk` the
 * first command installs the packed checkout; if the registry does not answer, the packages of the checkout
 * replace those that it would install. In a short run the bundle of the tests replaces the installation, and
 * npx is left out.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { pack } from "../../scripts/pack.ts";
import { python, pythonMissing } from "../../src/testing/worker-programs.ts";
import { isLongRun } from "../campaigns.ts";
import { main, pnlBridge, root } from "../cli/run-cli.ts";

const page = await readFile(join(root, "docs/bridge-your-system.md"), "utf8");

type Step =
  | { readonly kind: "file"; readonly name: string; readonly text: string }
  | { readonly kind: "command"; readonly command: string; readonly output: string };

/**
 * The parts of the page in their order: files (the first line of a block has the language, then the name of
 * the file), and commands with their output.
 */
const steps: readonly Step[] = [...page.matchAll(/^```(\w+)(?: (\S+))?\n([\s\S]*?)^```$/gm)].flatMap(
  ([, language, name, text = ""]): readonly Step[] => {
    if (name !== undefined) return [{ kind: "file", name, text }];
    if (language !== "console") return [];
    return text
      .split(/^\$ /m)
      .slice(1)
      .map((one) => ({
        kind: "command",
        command: one.slice(0, one.indexOf("\n")),
        output: one.slice(one.indexOf("\n") + 1),
      }));
  },
);
const commands = steps.flatMap((step) => (step.kind === "command" ? [step.command] : []));

it("docs/bridge-your-system.md has at most twelve commands", () => {
  expect(commands.length).toBeLessThanOrEqual(12);
  for (const part of ["npm install", "--write-adapter", "serve", "comparisons", "phase advance", "rollback"])
    expect(commands.filter((command) => command.includes(part))).not.toEqual([]);
});

it.skipIf(python === undefined)(
  "a new user who follows docs/bridge-your-system.md sees a comparison, moves the phase and rolls back " +
    `(${pythonMissing ?? "with python3"})`,
  async () => {
    const base = await mkdtemp(join(tmpdir(), "pnl-bridge-walk-"));
    const walk = new Walk(join(base, "desk"), await freePort());
    try {
      await mkdir(walk.folder);
      if (isLongRun("walk")) {
        const { path } = await pack(base);
        await copyFile(path, join(walk.folder, basename(path)));
      }
      for (const step of steps) {
        if (step.kind === "file") await walk.write(step.name, step.text);
        else await walk.type(step.command, step.output);
      }
    } finally {
      await walk.end();
      await rm(base, { recursive: true, force: true });
    }
  },
  // Fifteen programs start in turn.
  400_000,
);

class Walk {
  readonly folder: string;
  readonly #port: number;
  #server: ChildProcess | undefined;

  constructor(folder: string, port: number) {
    this.folder = folder;
    this.#port = port;
  }

  write(name: string, text: string): Promise<void> {
    return writeFile(join(this.folder, name), text.replaceAll("8080", String(this.#port)));
  }

  async type(command: string, output: string): Promise<void> {
    if (command.endsWith("&")) return this.#serve(command.replace(/\s*&$/, ""), output);
    if (command.startsWith("npm install")) return this.#install(command);
    let printed = await this.#run(command);
    // A busy process sheds shadow calls, so the call is repeated until its comparison is stored.
    for (
      let round = 0;
      command.endsWith("comparisons") && printed.startsWith("no comparison") && round < 60;
      round++
    ) {
      await this.#shell("python3 ask.py");
      printed = await this.#run(command);
    }
    this.#expect(command, printed, output);
  }

  /** Ends the server, and waits until it writes no more into the folder. */
  async end(): Promise<void> {
    if (this.#server?.kill("SIGTERM")) await once(this.#server, "exit");
  }

  async #install(command: string): Promise<void> {
    const modules = join(this.folder, "node_modules");
    if (!isLongRun("walk")) {
      await mkdir(join(modules, ".bin"), { recursive: true });
      await symlink(root, join(modules, "pnl-bridge"));
      const start = `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`;
      await writeFile(join(modules, ".bin/pnl-bridge"), start, { mode: 0o755 });
      return;
    }
    await this.#shell(command).catch(async () => {
      await mkdir(join(modules, ".bin"), { recursive: true });
      const tarball = command.split(" ").at(-1) ?? "";
      await this.#shell(
        `mkdir -p node_modules/pnl-bridge && tar xzf ${tarball} --strip-components 1 -C node_modules/pnl-bridge`,
      );
      const { dependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
      for (const name of Object.keys(dependencies)) {
        await mkdir(dirname(join(modules, name)), { recursive: true });
        await symlink(join(root, "node_modules", name), join(modules, name));
      }
      await chmod(join(modules, "pnl-bridge/bin/pnl-bridge.js"), 0o755);
      await symlink("../pnl-bridge/bin/pnl-bridge.js", join(modules, ".bin/pnl-bridge"));
    });
  }

  async #serve(command: string, output: string): Promise<void> {
    // The program is started directly, not by npx, so that the signal that ends it reaches it.
    const args = command.replace(/^npx pnl-bridge /, "").split(" ");
    const program = isLongRun("walk") ? "node_modules/pnl-bridge/bin/pnl-bridge.js" : main;
    this.#server = spawn(process.execPath, [program, ...args], {
      cwd: this.folder,
      stdio: ["ignore", "pipe", "ignore"],
    });
    const [line] = await once(this.#server.stdout as NodeJS.ReadableStream, "data");
    this.#expect(command, String(line), output);
  }

  /** Runs a command as the page shows it; in a short run without npx, and mostly without a new process. */
  async #run(command: string): Promise<string> {
    if (isLongRun("walk") || !command.startsWith("npx pnl-bridge ")) return this.#shell(command);
    const args = command.replace("npx pnl-bridge ", "").matchAll(/"([^"]*)"|(\S+)/g);
    const words = [...args].map(([, quoted, bare]) => quoted ?? bare ?? "");
    const { code, out, err } = await pnlBridge(words, { cwd: this.folder });
    if (code !== 0 && !(mayFail(command) && code === 1)) throw new Error(`${command}: ${out}${err}`);
    return out;
  }

  /** Returns the stdout of a command; `doctor` may find faults. Rejects with the whole output if it fails. */
  async #shell(command: string): Promise<string> {
    const env = {
      ...process.env,
      NO_COLOR: "1",
      PATH: `node_modules/.bin:${process.env.PATH}`,
      npm_config_prefer_offline: "true",
      npm_config_audit: "false",
      npm_config_fund: "false",
      npm_config_ignore_scripts: "true",
      npm_config_fetch_retries: "0",
      npm_config_fetch_timeout: "10000",
      PYTHONDONTWRITEBYTECODE: "1",
    };
    const failed = (failure: {
      readonly code: number;
      readonly stdout: string;
      readonly stderr: string;
    }): { stdout: string } => {
      if (mayFail(command) && failure.code === 1) return failure;
      throw new Error(`${command}: ${failure.stdout}${failure.stderr}`);
    };
    return (await promisify(execFile)("sh", ["-c", command], { cwd: this.folder, env }).catch(failed)).stdout;
  }

  /** `…` in the page stands for text that differs from run to run or does not matter there. */
  #expect(command: string, printed: string, output: string): void {
    const pattern = output
      .replaceAll("8080", String(this.#port))
      .trim()
      .split("…")
      .map((text) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
      .join("[\\s\\S]*");
    expect(printed.trim(), command).toMatch(new RegExp(`^${pattern}$`));
  }
}

const mayFail = (command: string): boolean => command.includes("--write-adapter");

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
}
