import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));

interface Packed {
  /** The path of the tarball. */
  readonly path: string;
  /** The paths of the files in it. */
  readonly files: readonly string[];
}

/**
 * Builds the program and the page if a source is newer than the build. Returns the folder of the build.
 * Rejects with the compiler's output if it fails.
 */
export async function build(): Promise<string> {
  await run(join(root, "run"), ["pnl-bridge", "--version"]);
  return join(root, "dist");
}

/**
 * Packs the checkout, uncommitted changes included, into a folder. Rejects with the output of a command that
 * fails.
 */
export async function pack(folder: string): Promise<Packed> {
  await build();
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: root,
  });
  const [{ filename, files }] = JSON.parse(stdout);
  return { path: join(folder, filename), files: files.map(({ path }: { readonly path: string }) => path) };
}
