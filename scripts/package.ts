/**
 * Packs the project and checks the package as its users get it: its files, the links in its documents except
 * the changelog, the findings of publint, and that a program which imports every entry compiles without
 * `skipLibCheck`, with only the types of the dependencies and of Node. Prints each fault; the exit code is 1
 * if there is one.
 */
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { pack } from "./pack.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const compiler = join(root, "node_modules/typescript-7/bin/tsc");

const allowed =
  /^(dist|docs|examples\/unified-desk)\/|^bin\/pnl-bridge\.js$|^python\/\w+\.py$|^(README|RUNBOOK|CHANGELOG)\.md$|^(LICENSE|package\.json)$/;
const forbidden = /\.test\.|\/testing\/|\/\.|\.tsbuildinfo$/;

const program = `export * from "pnl-bridge";
export { computePnl as compute } from "pnl-bridge/engine";
export * from "pnl-bridge/openfeature";
`;
const resolutions = [
  ["node16", "node16"],
  ["esnext", "bundler"],
];

/** Runs a command. If it fails, its output on both streams is returned as one fault. */
const faultsOf = (file: string, args: readonly string[], cwd: string): Promise<readonly string[]> =>
  run(file, args, { cwd }).then(
    () => [],
    (failure: { readonly stdout: string; readonly stderr: string }) => [
      `${failure.stdout}${failure.stderr}`.trim(),
    ],
  );
const run = promisify(execFile);

const folder = await mkdtemp(join(tmpdir(), "pnl-bridge-package-"));
try {
  const faults = await check(folder);
  for (const fault of faults) console.log(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true });
}

async function check(folder: string): Promise<readonly string[]> {
  const { path, files } = await pack(folder);
  await run("tar", ["xzf", path], { cwd: folder });
  const installed = await install(folder);
  const [links, found, ...types] = await Promise.all([
    badLinks(installed, files),
    publint({ pkgDir: installed, pack: false, strict: true }),
    ...resolutions.map(([module = "", resolution = ""]) => {
      const options = [
        "--moduleResolution",
        resolution,
        "--target",
        "es2022",
        "--lib",
        "es2022",
        "--types",
        "node",
      ];
      return faultsOf(
        process.execPath,
        [compiler, "--noEmit", "--strict", "--module", module, ...options, "program.ts"],
        folder,
      );
    }),
  ]);
  const { exports, dependencies } = JSON.parse(await readFile(join(installed, "package.json"), "utf8"));
  const surplus = files.filter((file) => !allowed.test(file) || forbidden.test(file));
  return [
    ...surplus.map((file) => `the package must not contain ${file}`),
    ...links,
    ...found.messages.map((message) => `publint: ${formatMessage(message, { exports, dependencies })}`),
    ...types.flat(),
  ];
}

/**
 * Puts the unpacked package and its dependencies beside a program that imports it. Returns the package's
 * folder.
 */
async function install(folder: string): Promise<string> {
  const modules = join(folder, "node_modules");
  await cp(join(folder, "package"), join(modules, "pnl-bridge"), { recursive: true });
  const { dependencies, peerDependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  for (const name of [...Object.keys({ ...dependencies, ...peerDependencies }), "@types/node"]) {
    await mkdir(dirname(join(modules, name)), { recursive: true });
    await symlink(join(root, "node_modules", name), join(modules, name));
  }
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await writeFile(join(folder, "program.ts"), program);
  return join(modules, "pnl-bridge");
}

/** Finds the links in packed documents, except the changelog, whose target is not packed. */
async function badLinks(installed: string, files: readonly string[]): Promise<readonly string[]> {
  const isThere = (path: string): boolean =>
    files.some((file) => file === path || file.startsWith(`${path}/`));
  const pages = files.filter((file) => file.endsWith(".md") && file !== "CHANGELOG.md");
  const found = pages.map(async (page) => {
    const text = await readFile(join(installed, page), "utf8");
    const links = [...text.matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, link = ""]) =>
      normalize(join(dirname(page), link)),
    );
    return links
      .filter((link) => !isThere(link))
      .map((link) => `${page} links to ${link}, which the package does not contain`);
  });
  return (await Promise.all(found)).flat();
}
