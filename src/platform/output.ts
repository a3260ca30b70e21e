import type { BigIntStats } from "node:fs";
import { lstat, mkdir, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { BridgeError, codeOf } from "../base/errors.ts";
import { type Content, ifThere, prepareFile } from "./atomic-file.ts";

/**
 * Writes files so that each exists completely or not at all, and no old file is replaced before all new ones
 * are on disk. Creates missing folders. Throws the errors of `checkTargets`, and UNWRITABLE with the given
 * path; passes on errors that the content throws while it is read.
 */
export async function writeWhole(
  files: ReadonlyMap<string, Content>,
  inputs: readonly string[] = [],
): Promise<void> {
  await checkTargets([...files.keys()], inputs);
  await using prepared = new AsyncDisposableStack();
  const commits: (() => Promise<void>)[] = [];
  for (const [path, content] of files)
    await orUnwritable(path, async () => {
      await makeFolder(dirname(path));
      const file = prepared.use(await prepareFile(path, content));
      commits.push(() => orUnwritable(path, file.commit));
    });
  for (const commit of commits) await commit();
}

/**
 * Checks that each target is free or is a regular file that is not also an input under another name. Throws
 * UNWRITABLE (a folder, a pipe, a device) or BAD_USAGE (an input, or the same path twice). Call it before the
 * work; `writeWhole` checks again.
 */
export async function checkTargets(targets: readonly string[], inputs: readonly string[]): Promise<void> {
  const read = new Map<string, string>();
  for (const input of inputs) {
    const stats = await statOf(input).catch(() => undefined); // Reading the input reports the error.
    if (stats !== undefined) read.set(identityOf(stats), input);
  }
  const paths = targets.map((target) => resolve(target));
  for (const [index, target] of targets.entries()) {
    if (paths.indexOf(resolve(target)) !== index)
      throw new BridgeError("BAD_USAGE", {
        what: "two outputs have the same path",
        where: target,
        fix: "name another file for one of them",
      });
    const stats = await statOf(target).catch((cause) => {
      throw unwritable(target, cause);
    });
    if (stats === undefined) continue;
    if (!stats.isFile()) {
      throw new BridgeError("UNWRITABLE", {
        what: stats.isDirectory() ? "this is a folder" : "this is not a regular file",
        where: target,
        fix: "name a regular file, or a file that does not exist yet",
      });
    }
    const input = read.get(identityOf(stats));
    if (input !== undefined) {
      throw new BridgeError("BAD_USAGE", {
        what:
          input === target
            ? "the output would replace an input"
            : `the output would replace an input, ${input}`,
        where: target,
        fix: "name another file for the output",
      });
    }
  }
}

/** Throws UNWRITABLE if the path exists, even as a link to nothing. */
export async function checkNew(path: string, fix = "name a new file"): Promise<void> {
  const there = await ifThere(lstat(path)).catch((cause) => {
    throw new BridgeError("UNWRITABLE", {
      what: `the path cannot be written: ${codeOf(cause)}`,
      where: path,
      fix,
      cause,
    });
  });
  if (there === undefined) return;
  const what = there.isDirectory() ? "the folder exists already" : "the file exists already";
  throw new BridgeError("UNWRITABLE", { what, where: path, fix });
}

/**
 * Creates a folder and its missing parents. Avoids `mkdir` with `recursive`, which never returns if the file
 * system answers "no such folder" to the creation of one, as /proc does.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (cause) {
    if (codeOf(cause) === "EEXIST") return;
    if (codeOf(cause) !== "ENOENT" || dirname(path) === path) throw cause;
    await makeFolder(dirname(path));
    await mkdir(path).catch((again) => {
      if (codeOf(again) !== "EEXIST") throw again;
    });
  }
}

/**
 * Turns a refusal of the operating system or of SQLite into UNWRITABLE; returns any other error unchanged.
 */
export function unwritable(path: string, cause: unknown, fix = "name a folder that can be written"): unknown {
  const code = codeOf(cause);
  const isRefusal = code.startsWith("SQLITE_") || (cause instanceof Error && "syscall" in cause);
  if (!isRefusal) return cause;
  return new BridgeError("UNWRITABLE", {
    what: `the output cannot be written: ${code}`,
    where: path,
    fix,
    cause,
  });
}

async function orUnwritable(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

const statOf = (path: string): Promise<BigIntStats | undefined> => ifThere(stat(path, { bigint: true }));

/** The identity of a file, whatever names and links lead to it. */
const identityOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;
