import type { Dirent, Stats } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { BridgeError, codeOf } from "../../base/errors.ts";

/** The files to take from a folder. */
interface Wanted {
  readonly pattern: RegExp;
  /** The pattern in messages: `trades_*.csv`. */
  readonly shown: string;
  /** Folders directly inside the given one that are searched as well; a missing one is not an error. */
  readonly subfolders?: readonly string[];
}

/**
 * Returns the files that a path names: the file itself, or the files of a folder and then of its subfolders
 * whose names match, each folder's sorted by name. Throws BridgeError: UNREADABLE, or NO_INPUT for a folder
 * without such files.
 */
export async function filesOf(path: string, wanted: Wanted): Promise<readonly string[]> {
  const stats = await statOf(path);
  if (!stats.isDirectory()) {
    refuseUnlessFile(path, stats, `name a file, or a folder of ${wanted.shown}`);
    return [path];
  }
  const found = [...(await filesIn(path, wanted.pattern))];
  for (const name of wanted.subfolders ?? []) {
    const folder = join(path, name);
    const stats = await statOf(folder).catch(absent);
    if (stats?.isDirectory()) found.push(...(await filesIn(folder, wanted.pattern)));
  }
  if (found.length === 0)
    throw new BridgeError("NO_INPUT", {
      what: `the folder holds no ${wanted.shown}`,
      where: path,
      fix: "name the folder that holds them, or the files themselves",
    });
  return found;
}

/** Returns the paths without those that lead, also by a link, to a file that an earlier path names. */
export async function onceEach(paths: readonly string[]): Promise<readonly string[]> {
  const byRealPath = new Map<string, string>();
  for (const path of paths) {
    const real = await realpath(path).catch((cause) => {
      throw unreadable(path, cause);
    });
    if (!byRealPath.has(real)) byRealPath.set(real, path);
  }
  return [...byRealPath.values()];
}

/**
 * Returns the names of files in notes and quarantine: without the folder, unless two files have the same
 * name.
 */
export function namesOf(paths: readonly string[]): readonly string[] {
  const count = new Map<string, number>();
  for (const path of paths) count.set(basename(path), (count.get(basename(path)) ?? 0) + 1);
  return paths.map((path) => (count.get(basename(path)) === 1 ? basename(path) : path));
}

/**
 * Throws UNREADABLE for anything but a regular file: a folder, an endless device, or a pipe, which can be
 * read only once.
 */
export async function regularFile(path: string, fix = "name a CSV file or a folder of them"): Promise<Stats> {
  const stats = await statOf(path);
  refuseUnlessFile(path, stats, fix);
  return stats;
}

function refuseUnlessFile(path: string, stats: Stats, fix: string): void {
  if (stats.isFile()) return;
  const isPipe = stats.isFIFO() || stats.isSocket();
  throw new BridgeError("UNREADABLE", {
    what: isPipe ? "this is a pipe, and inputs are read more than once" : "this is not a regular file",
    where: path,
    fix: isPipe ? "write it to a file first, and name that file" : fix,
  });
}

/** The error for a path that the operating system refuses. */
export function unreadable(path: string, cause: unknown): BridgeError {
  const code = codeOf(cause);
  return new BridgeError("UNREADABLE", {
    what: reasons[code] ?? `the path cannot be read: ${code || String(cause)}`,
    where: path,
    fix: "check the path and its permissions",
    cause,
  });
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "this process has no permission to read it",
  ELOOP: "the symbolic links run in a circle",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "this is a folder",
};

function absent(refused: BridgeError): undefined {
  if (codeOf(refused.cause) !== "ENOENT") throw refused;
}

async function statOf(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

async function filesIn(folder: string, pattern: RegExp): Promise<readonly string[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (cause) {
    throw unreadable(folder, cause);
  }
  const names = entries
    .filter((entry) => !entry.isDirectory() && pattern.test(entry.name))
    .map((entry) => entry.name);
  return names.sort().map((name) => join(folder, name));
}
