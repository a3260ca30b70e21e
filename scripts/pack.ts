/** Packs the checkout. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));

interface Packed {
  /** The tarball. */
  readonly path: string;
  /** The files in it. */
  readonly files: readonly string[];
}

/**
 * Packs the checkout as it stands, committed or not, into a folder. Builds the program first where a source is newer than its build.
 * Rejects with what a failing command printed.
 */
export async function pack(folder: string): Promise<Packed> {
  await run(join(root, "run"), ["pnl-bridge", "--version"]);
  const { stdout } = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
    cwd: root,
  });
  const [{ filename, files }] = JSON.parse(stdout);
  return { path: join(folder, filename), files: files.map(({ path }: { readonly path: string }) => path) };
}
