import { open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BridgeError, codeOf } from "../base/errors.ts";
import { realFile } from "./real-file.ts";
import { holdTemporary, removeLeftovers, temporaryName } from "./temporaries.ts";

export type Content = string | Uint8Array | Iterable<string>;

/**
 * New content of a file, on disk beside it. `commit` puts it in place; disposal without `commit` removes it.
 */
interface PreparedFile extends AsyncDisposable {
  commit(): Promise<void>;
}

/**
 * Replaces a file completely or not at all, even if the machine fails. Throws the errors of `prepareFile`.
 */
export async function writeFileAtomically(path: string, content: Content): Promise<void> {
  await using file = await prepareFile(path, content);
  await file.commit();
}

/**
 * Writes the content into a temporary file beside the target. A replaced file keeps its permissions, and its
 * owner if this process may change owners; a symbolic link stays, and its target is replaced. The folder must
 * exist; leftovers of killed runs are removed from it. Throws UNWRITABLE if the target is not a regular file;
 * passes on system errors, and errors that the content throws while it is read.
 */
export async function prepareFile(path: string, content: Content): Promise<PreparedFile> {
  const real = realFile(path);
  const old = await ifThere(stat(real));
  if (old?.isFile() === false)
    throw new BridgeError("UNWRITABLE", { what: "this is not a regular file", where: path });
  const folder = dirname(real);
  await removeLeftovers(folder);
  const temporary = join(folder, temporaryName());
  const held = holdTemporary(temporary);
  const remove = async (): Promise<void> => {
    await rm(temporary, { force: true }).catch(() => undefined);
    held[Symbol.dispose]();
  };
  try {
    await using file = await open(temporary, "wx", old === undefined ? 0o666 : 0o600);
    // Uses `appendFile`, because `write` may write only a part.
    const pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
    for (const piece of pieces) await file.appendFile(piece);
    if (old !== undefined) {
      await file.chown(old.uid, old.gid).catch(() => undefined);
      await file.chmod(old.mode & 0o7777);
    }
    await file.sync();
  } catch (failure) {
    await remove();
    throw failure;
  }
  const commit = async (): Promise<void> => {
    await rename(temporary, real);
    await syncFolder(folder);
  };
  return { commit, [Symbol.asyncDispose]: remove };
}

/** Flushes a folder, so that a new or renamed file in it survives a power cut. */
export async function syncFolder(path: string): Promise<void> {
  try {
    await using folder = await open(path);
    await folder.sync();
  } catch (cause) {
    // Ignores a folder that may be written but not read, and a file system that cannot flush folders.
    if (!["EACCES", "EPERM", "EINVAL", "ENOTSUP"].includes(codeOf(cause))) throw cause;
  }
}

/** The result of a look-up; undefined if the path does not exist or is a link to nothing. */
export async function ifThere<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT") throw cause;
    return undefined;
  }
}
