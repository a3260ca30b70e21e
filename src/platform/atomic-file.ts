import { open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { BridgeError, codeOf } from "../base/errors.ts";
import { realFile } from "./real-file.ts";
import { holdTemporary, removeLeftovers, temporaryName } from "./temporaries.ts";

export type Content = string | Iterable<string>;

/** A file whose new content is on disk, beside it, and takes its place with `commit`; disposed of before that, it leaves nothing. */
interface PreparedFile extends AsyncDisposable {
  commit(): Promise<void>;
}

/** Replaces a file as a whole, or not at all, also where the machine fails. Throws as `prepareFile` does. */
export async function writeFileAtomically(path: string, content: Content): Promise<void> {
  await using file = await prepareFile(path, content);
  await file.commit();
}

/**
 * Writes the content into a temporary file beside the target. A file that is replaced keeps its permissions, and its owner where this
 * process may give files away; of a symbolic link, what it leads to is replaced. The folder must exist; leftovers of killed runs are
 * removed from it. Throws UNWRITABLE where the target is no regular file, errors of the system as they are, and what the content throws.
 */
export async function prepareFile(path: string, content: Content): Promise<PreparedFile> {
  const real = realFile(path);
  const old = await ifThere(stat(real));
  if (old?.isFile() === false) throw new BridgeError("UNWRITABLE", { what: "this is no regular file", where: path });
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
    // Not `write`, which may write a part and say so.
    for (const piece of typeof content === "string" ? [content] : content) await file.appendFile(piece);
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

/** The file is there already; what is not certain without this is that it survives a power cut. */
async function syncFolder(path: string): Promise<void> {
  try {
    await using folder = await open(path);
    await folder.sync();
  } catch (cause) {
    // A folder that may be written but not read, or a file system that flushes no folders.
    if (!["EACCES", "EPERM", "EINVAL", "ENOTSUP"].includes(codeOf(cause))) throw cause;
  }
}

/** Undefined where there is nothing, or a link to nothing. */
export async function ifThere<T>(looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (cause) {
    if (codeOf(cause) !== "ENOENT") throw cause;
    return undefined;
  }
}
