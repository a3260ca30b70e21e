import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "../cli/run-cli.ts";

/**
 * Returns a folder with the page, built from the sources as they are now. Test files that run at the same
 * time share the build of the same sources.
 */
export async function builtPage(): Promise<string> {
  const sources = globSync(["web/**", "src/base/*.ts", "package-lock.json"], {
    cwd: root,
    withFileTypes: true,
  })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .toSorted();
  const hash = createHash("sha256");
  for (const path of sources) hash.update(`${path.slice(root.length)}\n`).update(readFileSync(path));
  const folder = join(tmpdir(), `pnl-bridge-page-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(folder)) return folder;
  const outDir = `${folder}.${process.pid}`;
  const vite = ["node_modules/vite/bin/vite.js", "build", "--config", "web/vite.config.ts"];
  // The test runner's NODE_ENV would build React with its checks for developers.
  await promisify(execFile)(process.execPath, [...vite, "--configLoader", "native", "--outDir", outDir], {
    cwd: root,
    env: { ...process.env, NODE_ENV: "production" },
  });
  try {
    renameSync(outDir, folder);
  } catch {
    // Another process has built it meanwhile.
    rmSync(outDir, { recursive: true, force: true });
  }
  return folder;
}
