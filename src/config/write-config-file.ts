import { randomUUID } from "node:crypto";
import { lstat, open, readlink, realpath, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { BridgeError } from "../base/errors.ts";

/**
 * Replaces the file as a whole, or not at all: written beside it, flushed, renamed. Its permissions stay, and of a symbolic link what
 * it leads to is replaced. Throws UNWRITABLE.
 */
export async function writeConfigFile(path: string, text: string): Promise<void> {
  try {
    const real = await targetOf(path);
    const old = await stat(real).catch(ifMissing);
    if (old !== undefined && !old.isFile()) throw new BridgeError("UNWRITABLE", { what: "this is no regular file", where: path });
    // Not named after the file, whose name may be as long as names can be.
    const temporary = join(dirname(real), `.pnl-bridge-${randomUUID()}.tmp`);
    try {
      await using file = await open(temporary, "wx", old === undefined ? 0o666 : 0o600);
      await file.writeFile(text);
      if (old !== undefined) {
        // Only the owner of everything may give a file away; who may not has written it as himself, as an editor would.
        await file.chown(old.uid, old.gid).catch(() => undefined);
        await file.chmod(old.mode & 0o7777);
      }
      await file.sync();
      await rename(temporary, real);
    } catch (failure) {
      await rm(temporary, { force: true });
      throw failure;
    }
    await using folder = await open(dirname(real));
    await folder.sync();
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    const what = `the configuration cannot be written: ${(cause as NodeJS.ErrnoException).code ?? cause}`;
    throw new BridgeError("UNWRITABLE", { what, where: path, mend: "check the folder and its permissions", cause });
  }
}

/** What a path leads to, be it not there yet. */
async function targetOf(path: string): Promise<string> {
  const real = await realpath(path).catch(ifMissing);
  if (real !== undefined) return real;
  const isLink = (await lstat(path).catch(ifMissing))?.isSymbolicLink() === true;
  return isLink ? resolve(dirname(path), await readlink(path)) : path;
}

function ifMissing(failure: NodeJS.ErrnoException): undefined {
  if (failure.code !== "ENOENT") throw failure;
}
