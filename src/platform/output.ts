import type { BigIntStats } from "node:fs";
import { lstat, mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { BridgeError, codeOf } from "../base/errors.ts";
import { type Content, ifThere, prepareFile } from "./atomic-file.ts";

/**
 * Writes files so that each is there whole or not at all, and none replaces an old one before all are on disk. Missing folders are
 * made. Throws as `checkTargets` does, and UNWRITABLE, which names the path that was given. What the content throws is passed on.
 */
export async function writeWhole(files: ReadonlyMap<string, Content>, inputs: readonly string[] = []): Promise<void> {
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
 * Whether files may be written to these paths: nothing there, or a regular file that is none of the inputs, by whatever name.
 * Throws UNWRITABLE (a folder, a pipe, a device) or BAD_USAGE (an input). To be asked before the work, and by `writeWhole` again.
 */
export async function checkTargets(targets: readonly string[], inputs: readonly string[]): Promise<void> {
  const read = new Map<string, string>();
  for (const input of inputs) {
    const stats = await statOf(input).catch(() => undefined); // Reading it says what is wrong with it.
    if (stats !== undefined) read.set(identityOf(stats), input);
  }
  for (const target of targets) {
    const stats = await statOf(target).catch((cause) => {
      throw unwritable(target, cause);
    });
    if (stats === undefined) continue;
    if (!stats.isFile()) {
      throw new BridgeError("UNWRITABLE", {
        what: stats.isDirectory() ? "this is a folder" : "this is no regular file",
        where: target,
        fix: "name a file, or a new one",
      });
    }
    const input = read.get(identityOf(stats));
    if (input !== undefined) {
      throw new BridgeError("BAD_USAGE", {
        what: input === target ? "the output would replace an input" : `the output would replace an input, ${input}`,
        where: target,
        fix: "name another file for the output",
      });
    }
  }
}

/** Throws UNWRITABLE where something has this name already, be it a link to nothing. */
export async function checkNew(path: string, fix = "name a new file"): Promise<void> {
  const there = await ifThere(lstat(path)).catch((cause) => {
    throw new BridgeError("UNWRITABLE", { what: `cannot be written: ${codeOf(cause)}`, where: path, fix, cause });
  });
  if (there === undefined) return;
  const what = there.isDirectory() ? "there is a folder already" : "there is a file already";
  throw new BridgeError("UNWRITABLE", { what, where: path, fix });
}

/**
 * Makes a folder and those above it that are missing. Not `mkdir` with `recursive`, which never returns where the file system
 * answers "no such folder" to making one, as /proc does.
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

/** What the operating system or SQLite refused, in one line; anything else, a bug of ours or a BridgeError, as it is. */
export function unwritable(path: string, cause: unknown, fix = "name a folder that can be written"): unknown {
  const code = codeOf(cause);
  const isRefusal = code.startsWith("SQLITE_") || (cause instanceof Error && "syscall" in cause);
  if (!isRefusal) return cause;
  return new BridgeError("UNWRITABLE", { what: `cannot write the output: ${code}`, where: path, fix, cause });
}

async function orUnwritable(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

const statOf = (path: string): Promise<BigIntStats | undefined> => ifThere(stat(path, { bigint: true }));

/** One file, whatever names and links lead to it. */
const identityOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;
