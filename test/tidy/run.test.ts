import { spawn, spawnSync } from "node:child_process";
import {
  chmod,
  copyFile,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { until } from "../../src/testing/until.ts";
import { isLongRun, variant } from "../campaigns.ts";
import { type Ran, root, withFiles } from "../cli/run-cli.ts";

/*
 * Tests `./run` in small checkouts that are made here. The script, the compiler and the test runner are real;
 * the program is one file, and a stand-in replaces `npm`, so that no test needs the network.
 */

const inLong = it.runIf(isLongRun("run"));

const program = (version: string): string => `declare const console: { log(text: string): void };
export const version: string = "${version}";\nconsole.log(version);\n`;
const main = "src/surfaces/cli/main.ts";
const lock = ".node/run.lock";
/** A stand-in for npm. It fails, as npm does, if another one runs in the same folder. */
const npm = `#!/bin/sh
set -e
mkdir at-work || { echo "npm error ENOTEMPTY"; exit 1; }
rm -rf node_modules
sleep 0.3
mkdir node_modules
ln -s '${join(root, "node_modules/typescript-7")}' '${join(root, "node_modules/vite")}' node_modules
rmdir at-work
`;

/** Calls `use` with a checkout that has its packages, but no `dist/`. */
function withCheckout(use: (folder: string) => Promise<void>): Promise<void> {
  const files = {
    "package.json": '{ "type": "module" }',
    "package-lock.json": "{}",
    "tsconfig.json":
      '{ "compilerOptions": { "module": "nodenext", "target": "es2024", ' +
      '"lib": ["es5"], "types": [], "skipLibCheck": true } }',
    "tsconfig.build.json":
      '{ "extends": "./tsconfig.json", ' +
      '"compilerOptions": { "outDir": "dist", "rootDir": "src" }, "include": ["src"] }',
  };
  return withFiles(files, async (folder) => {
    await copyFile(join(root, "run"), join(folder, "run"));
    await put(folder, main, program("1.0.0"));
    await put(folder, "bin/pnl-bridge.js", 'import "../dist/surfaces/cli/main.js";\n');
    await put(folder, "fake-bin/npm", npm);
    await chmod(join(folder, "fake-bin/npm"), 0o755);
    await mkdir(join(folder, "node_modules"));
    await symlink(join(root, "node_modules/typescript-7"), join(folder, "node_modules/typescript-7"));
    const stamp = spawnSync("cksum", { cwd: folder, input: files["package-lock.json"], encoding: "utf8" });
    await put(folder, "node_modules/.pnl-bridge-lock", stamp.stdout.trimEnd().replaceAll(" ", "-"));
    await use(folder);
  });
}

async function put(folder: string, name: string, content: string): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), content);
}

/** Replaces the compiler by a program with this body. */
async function replaceCompiler(folder: string, body: string): Promise<void> {
  await unlink(join(folder, "node_modules/typescript-7"));
  await put(folder, "node_modules/typescript-7/package.json", '{ "type": "module" }');
  const imports =
    'import { spawnSync } from "node:child_process";\nimport { existsSync, writeFileSync } from "node:fs";\n';
  await put(folder, "node_modules/typescript-7/bin/tsc", imports + body);
}

/** Starts a command in a checkout, with this Node and the stand-in for npm first on PATH. */
function start(folder: string, command: readonly string[]) {
  const [file = "", ...args] = command;
  const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
  const child = spawn(file, args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1", PATH: `${join(folder, "fake-bin")}:${PATH}` },
  });
  const ran = { code: null as number | null, out: "", err: "" };
  child.stdout.on("data", (chunk) => {
    ran.out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    ran.err += chunk;
  });
  const ended = new Promise<Ran>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ ...ran, code }));
  });
  return { child, ran, ended };
}

const run = (folder: string, ...args: readonly string[]): Promise<Ran> =>
  start(folder, ["./run", ...args]).ended;

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
const locks = async (folder: string): Promise<readonly string[]> =>
  (await readdir(join(folder, ".node")).catch(() => [])).filter((name) => name.startsWith("run.lock"));

const shells = [["dash"], ["bash", "--posix"]].filter(
  ([name = ""]) => spawnSync(name, ["-c", ":"]).status === 0,
);

describe.concurrent("./run builds", () => {
  inLong(
    "nothing if a source has an error: it exits 2, the old dist/ stays, and the next start tries again",
    () =>
      withCheckout(async (folder) => {
        expect(await run(folder, "pnl-bridge")).toEqual({ code: 0, out: "1.0.0\n", err: "building ...\n" });
        await put(folder, main, program("2.0.0").replace("version: string", "version: number"));
        for (const command of ["pnl-bridge", "bench"]) {
          const failed = await run(folder, command);
          expect([failed.code, failed.out]).toEqual([2, ""]);
          expect(failed.err).toMatch(/^building \.\.\.\nsrc\/.*error TS2322[\s\S]*\nBUILD_FAILED: .*\n$/);
        }
        expect(await readFile(join(folder, "dist/surfaces/cli/main.js"), "utf8")).toContain("1.0.0");
        await put(folder, main, program("3.0.0"));
        expect(await run(folder, "pnl-bridge")).toEqual({ code: 0, out: "3.0.0\n", err: "building ...\n" });
        expect(await run(folder, "pnl-bridge")).toEqual({ code: 0, out: "3.0.0\n", err: "" });
        expect(await locks(folder)).toEqual([]);
      }),
  );

  inLong("again if a source was edited while the compiler ran", () =>
    withCheckout(async (folder) => {
      // A source changes while the compiler runs, after the compiler has read it.
      await replaceCompiler(
        folder,
        `spawnSync(process.execPath, ["${join(root, "node_modules/typescript-7/bin/tsc")}", ...process.argv.slice(2)]);
        if (!existsSync("dist")) writeFileSync("${main}", ${JSON.stringify(program("2.0.0"))});`,
      );
      expect((await run(folder, "pnl-bridge")).out).toBe("1.0.0\n");
      expect(await run(folder, "pnl-bridge")).toEqual({ code: 0, out: "2.0.0\n", err: "building ...\n" });
    }),
  );
});

describe.concurrent("npm's prepare script", () => {
  inLong("replaces dist/ by a new build, and first installs the packages of a folder that has none", () =>
    withCheckout(async (folder) => {
      await unlink(join(folder, "node_modules/typescript-7"));
      await put(folder, "dist/stale.js", "");
      await put(
        folder,
        "web/vite.config.ts",
        'export default { root: "web", build: { outDir: "../dist/web" } }',
      );
      await put(folder, "web/index.html", "<title>page</title>");
      const prepare = [process.execPath, join(root, "scripts/prepare.mjs")];
      expect(await start(folder, prepare).ended).toMatchObject({ code: 0, out: "" });
      expect(await readFile(join(folder, "dist/surfaces/cli/main.js"), "utf8")).toContain("1.0.0");
      expect(await readFile(join(folder, "dist/web/index.html"), "utf8")).toContain("page");
      expect(await exists(join(folder, "dist/stale.js"))).toBe(false);
    }),
  );
});

describe.concurrent("./run, started several times at once,", () => {
  it("installs once, builds once, and runs both commands", () =>
    withCheckout(async (folder) => {
      await unlink(join(folder, "node_modules/.pnl-bridge-lock"));
      const shell = (at: number): readonly string[] => shells[at % shells.length] ?? ["sh"];
      const both = await Promise.all(
        [0, 1].map((at) => start(folder, [...shell(at), "run", "pnl-bridge"]).ended),
      );
      expect(both.map(({ code, out }) => [code, out])).toEqual([
        [0, "1.0.0\n"],
        [0, "1.0.0\n"],
      ]);
      const said = both.map(({ err }) => err.replace(/^waiting for .*\n/m, "")).sort();
      expect(said).toEqual(["", "installing packages ...\nbuilding ...\n"]);
      expect(await locks(folder)).toEqual([]);
    }));

  inLong("waits for a live owner of the lock and says so, and does not repeat the owner's work", () =>
    withCheckout(async (folder) => {
      expect((await run(folder, "build")).code).toBe(0);
      await unlink(join(folder, "dist/.built"));
      const owner = `${process.pid}@${hostname()}`;
      await symlink(owner, join(folder, lock));
      const { ran, ended } = start(folder, ["./run", "pnl-bridge"]);
      await until(() => ran.err !== "");
      expect(ran).toEqual({ code: null, out: "", err: `waiting for another ./run (process ${owner}) ...\n` });
      // A command that needs no build does not wait.
      expect(await run(folder, "exec", "echo", "free")).toEqual({ code: 0, out: "free\n", err: "" });
      await put(folder, "dist/.built", "");
      await unlink(join(folder, lock));
      expect(await ended).toMatchObject({
        code: 0,
        out: "1.0.0\n",
        err: expect.not.stringContaining("building"),
      });
    }),
  );

  inLong("takes over the lock of a dead owner in only one process", () =>
    withCheckout(async (folder) => {
      const { pid } = spawnSync(process.execPath, ["--version"]);
      await mkdir(join(folder, ".node"));
      await symlink(`${pid}@${hostname()}`, join(folder, lock));
      const all = await Promise.all([0, 1, 2].map(() => run(folder, "pnl-bridge")));
      expect(all.map(({ code, out }) => [code, out])).toEqual(Array(3).fill([0, "1.0.0\n"]));
      expect(all.filter(({ err }) => err.includes("building ..."))).toHaveLength(1);
      expect(await locks(folder)).toEqual([]);
    }),
  );

  it.each(isLongRun("run") ? shells : shells.slice(0, 1))(
    "leaves no lock behind when a signal ends it (%s)",
    (...shell) =>
      withCheckout(async (folder) => {
        await replaceCompiler(
          folder,
          `writeFileSync("compiling", "");
        for (let check = 0; check < 10_000 && !existsSync("go-on"); check++)
          await new Promise((go) => setTimeout(go, 10));`,
        );
        const { child, ended } = start(folder, [...shell, "run", "build"]);
        await until(() => exists(join(folder, "compiling")));
        child.kill("SIGTERM");
        // The lock is held as long as the compiler writes.
        expect(await readlink(join(folder, lock))).toBe(`${child.pid}@${hostname()}`);
        await put(folder, "go-on", "");
        expect((await ended).code).toBe(143);
        expect(await locks(folder)).toEqual([]);
        expect(await exists(join(folder, "dist"))).toBe(false);
      }),
  );
});

describe.concurrent("./run", () => {
  it("works through relative and absolute links, from any folder", () =>
    withCheckout(async (folder) => {
      await put(folder, "dist/surfaces/cli/main.js", 'console.log("1.0.0");');
      await put(folder, "dist/.built", "");
      await mkdir(join(folder, "elsewhere/deep"), { recursive: true });
      await symlink("../../run", join(folder, "elsewhere/deep/first"));
      await symlink("deep/first", join(folder, "elsewhere/second"));
      await symlink(join(folder, "elsewhere/second"), join(folder, "elsewhere/third"));
      expect(await start(join(folder, "elsewhere"), ["./second", "pnl-bridge"]).ended).toMatchObject({
        code: 0,
        out: "1.0.0\n",
      });
      expect(await start("/", [join(folder, "elsewhere/third"), "pnl-bridge"]).ended).toMatchObject({
        code: 0,
        out: "1.0.0\n",
      });
    }));

  it.each([
    [["exec"], "BAD_USAGE: ./run exec needs a command to run; ./run --help lists the commands\n"],
    [["nonsense"], "BAD_USAGE: there is no ./run nonsense; ./run --help lists the commands\n"],
  ])("refuses %j with one sentence and exit code 2, in every shell", (args, err) =>
    withCheckout(async (folder) => {
      for (const shell of shells)
        expect(await start(folder, [...shell, "run", ...args]).ended).toEqual({ code: 2, out: "", err });
    }),
  );

  it("exec runs a command and returns its exit code", () =>
    withCheckout(async (folder) => {
      for (const shell of shells)
        expect(await start(folder, [...shell, "run", "exec", "sh", "-c", "exit 7"]).ended).toEqual({
          code: 7,
          out: "",
          err: "",
        });
    }));
});

describe.concurrent("the last line of ./run test counts", () => {
  const passes = 'import { expect, it } from "vitest";\nit("passes", () => expect(1).toBe(1));\n';
  const last = ({ out }: Ran): string | undefined => out.trimEnd().split("\n").at(-1);

  /**
   * Runs `./run test` with the real vitest. The other steps are stand-ins; lint exits with `lint`.
   */
  async function withTests(
    files: Readonly<Record<string, string>>,
    lint: number,
    judge: (ran: Ran) => void,
  ): Promise<void> {
    await withCheckout(async (folder) => {
      await symlink(join(root, "node_modules/vitest"), join(folder, "node_modules/vitest"));
      await put(folder, "node_modules/@biomejs/biome/bin/biome", `process.exit(${lint});`);
      for (const step of [
        "node_modules/dependency-cruiser/bin/dependency-cruiser.mjs",
        "node_modules/knip/bin/knip.js",
      ])
        await put(folder, step, "");
      await put(folder, "scripts/package.ts", "");
      // Test files share a process without isolation, as in this project.
      const config = "export default { test: { isolate: false, maxWorkers: 1 } };";
      await put(folder, "vitest.config.ts", config);
      await put(
        folder,
        "scripts/result-file.ts",
        "export const beginResult = () => () => {};\nexport const [featuresOf, suitesOf] = [() => [], () => []];\n",
      );
      await replaceCompiler(folder, "");
      for (const file of ["scripts/check.ts", "test/campaigns.ts"])
        await put(folder, file, await readFile(join(root, file), "utf8"));
      for (const [name, content] of Object.entries(files)) await put(folder, name, content);
      judge(await run(folder, "test"));
    });
  }

  it("a file that throws on import, one whose hook fails, and a failed step", () =>
    withTests(
      {
        "test/a.test.ts": passes,
        "test/b.test.ts": `throw new Error("on import");\n${passes}`,
        "test/c.test.ts":
          'import { beforeAll } from "vitest";\n' +
          `beforeAll(() => { throw new Error("in a hook"); });\n${passes}`,
        "test/d.test.ts": `${passes}it("fails", () => expect(1).toBe(2));\nit.skip("later", () => undefined);\n`,
      },
      1,
      (ran) =>
        expect([ran.code, last(ran)]).toEqual([
          1,
          expect.stringMatching(/^2 passed, 4 failed, [12] skipped$/),
        ]),
    ));

  inLong("the passed tests, if all pass", () =>
    withTests({ "test/a.test.ts": passes }, 0, (ran) =>
      expect([ran.code, last(ran)]).toEqual([0, "1 passed, 0 failed"]),
    ),
  );

  it("an error outside every test, and a failed step", variant, () =>
    withTests(
      { "test/a.test.ts": `${passes}void Promise.reject(new Error("nobody waits for it"));\n` },
      1,
      (ran) => expect([ran.code, last(ran)]).toEqual([1, "1 passed, 2 failed"]),
    ),
  );
});
