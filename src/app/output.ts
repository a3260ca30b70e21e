import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BridgeError } from "../domain/errors.ts";

/**
 * Writes files so that each is there whole or not at all: into a temporary file beside it, flushed, then renamed. Missing
 * folders are made. Throws UNWRITABLE.
 */
export async function writeWhole(files: ReadonlyMap<string, string | Iterable<string>>): Promise<void> {
  const written: { readonly temporary: string; readonly path: string }[] = [];
  try {
    for (const [path, content] of files) {
      const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
      await makeFolder(dirname(path));
      written.push({ temporary, path });
      await writeFlushed(temporary, content);
    }
    for (const { temporary, path } of written) await rename(temporary, path);
  } catch (cause) {
    await Promise.all(written.map(({ temporary }) => rm(temporary, { force: true })));
    if (cause instanceof BridgeError) throw cause;
    const { code, path = "" } = cause as NodeJS.ErrnoException;
    throw new BridgeError("UNWRITABLE", {
      what: `cannot write the output: ${code ?? String(cause)}`,
      where: path,
      mend: "name a folder that can be written",
      cause,
    });
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

async function writeFlushed(path: string, content: string | Iterable<string>): Promise<void> {
  const file = await open(path, "wx");
  try {
    for (const piece of typeof content === "string" ? [content] : content) await file.write(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}
