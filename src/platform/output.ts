import { randomUUID } from "node:crypto";
import type { BigIntStats } from "node:fs";
import { lstat, mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BridgeError } from "../base/errors.ts";

/**
 * Writes files so that each is there whole or not at all: into a temporary file beside it, flushed, then renamed. Missing
 * folders are made; a symbolic link stays, and what it leads to is replaced. Throws as `checkTargets` does, and UNWRITABLE,
 * which names the path that was given. What the content itself throws is passed on.
 */
export async function writeWhole(
  files: ReadonlyMap<string, string | Iterable<string>>,
  inputs: readonly string[] = [],
): Promise<void> {
  await checkTargets([...files.keys()], inputs);
  const written: { readonly temporary: string; readonly path: string; readonly real: string }[] = [];
  let current = "";
  try {
    for (const [path, content] of files) {
      current = path;
      const real = (await statOf(path)) === undefined ? path : await realpath(path);
      // Not named after the file, whose name may be as long as names can be.
      const temporary = join(dirname(real), `.pnl-bridge-${randomUUID()}.tmp`);
      await makeFolder(dirname(real));
      written.push({ temporary, path, real });
      await writeFlushed(temporary, content);
    }
    for (const { temporary, path, real } of written) {
      current = path;
      await rename(temporary, real);
    }
  } catch (cause) {
    await Promise.all(written.map(({ temporary }) => rm(temporary, { force: true }).catch(() => undefined)));
    throw unwritable(current, cause);
  }
}

/**
 * Whether files may be written to these paths: nothing there, or a regular file that is none of the inputs, by whatever name.
 * Throws UNWRITABLE (a folder, a pipe, a device) or BAD_USAGE (an input). To be asked before the work, and by `writeWhole` again.
 */
export async function checkTargets(targets: readonly string[], inputs: readonly string[]): Promise<void> {
  const read = new Map<string, string>();
  for (const input of inputs) {
    const stats = await statOf(input).catch(() => undefined); // Whoever reads it says what is wrong with it.
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
        mend: "name a file, or a new one",
      });
    }
    const input = read.get(identityOf(stats));
    if (input !== undefined) {
      throw new BridgeError("BAD_USAGE", {
        what: input === target ? "the output would replace an input" : `the output would replace an input, ${input}`,
        where: target,
        mend: "name another file for the output",
      });
    }
  }
}

/** Throws UNWRITABLE where something has this name already, be it a link to nothing. */
export async function checkNew(path: string, mend = "name a new file"): Promise<void> {
  const refuse = (what: string, cause?: unknown): never => {
    throw new BridgeError("UNWRITABLE", { what, where: path, mend, cause });
  };
  try {
    const there = await lstat(path);
    refuse(there.isDirectory() ? "there is a folder already" : "there is a file already");
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== "ENOENT") refuse(`cannot be written: ${code}`, cause);
  }
}

/**
 * Makes a folder and those above it that are missing. Not `mkdir` with `recursive`, which never returns where the file system
 * answers "no such folder" to making one, as /proc does.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(path) === path) throw cause;
    await makeFolder(dirname(path));
    await mkdir(path).catch((again: NodeJS.ErrnoException) => {
      if (again.code !== "EEXIST") throw again;
    });
  }
}

/** What the operating system or SQLite refused, in one line; anything else, a bug of ours or a BridgeError, as it is. */
export function unwritable(path: string, cause: unknown, mend = "name a folder that can be written"): unknown {
  const { code, syscall } = (cause ?? {}) as NodeJS.ErrnoException;
  if (syscall === undefined && !String(code).startsWith("SQLITE_")) return cause;
  return new BridgeError("UNWRITABLE", { what: `cannot write the output: ${code}`, where: path, mend, cause });
}

async function writeFlushed(path: string, content: string | Iterable<string>): Promise<void> {
  const file = await open(path, "wx");
  try {
    // Not `write`, which may write a part and say so.
    for (const piece of typeof content === "string" ? [content] : content) await file.appendFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Undefined where there is nothing, or a link to nothing. */
const statOf = (path: string): Promise<BigIntStats | undefined> =>
  stat(path, { bigint: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === "ENOENT") return undefined;
    throw cause;
  });

/** One file, whatever names and links lead to it. */
const identityOf = ({ dev, ino }: BigIntStats): string => `${dev}:${ino}`;
