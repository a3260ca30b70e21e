import { access, constants } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { BridgeError } from "../../base/errors.ts";
import { ifThere } from "../../platform/atomic-file.ts";

/**
 * Throws UNWRITABLE if a workbook is open in a spreadsheet program, which leaves a lock file beside it, or
 * cannot be written.
 */
export async function checkUnlocked(path: string): Promise<void> {
  const [folder, name] = [dirname(path), basename(path)];
  const exists = async (file: string): Promise<boolean> =>
    (await ifThere(access(file).then(() => true))) === true;
  const refused = (what: string, fix: string): BridgeError =>
    new BridgeError("UNWRITABLE", { what, where: path, fix });
  for (const lock of [`~$${name}`, `.~lock.${name}#`])
    if (await exists(join(folder, lock)))
      throw refused(`the workbook is open: ${lock} is beside it`, "close it, or name another file");
  await ifThere(access(path, constants.W_OK)).catch(() => {
    throw refused("the workbook is locked", "make it writable, or name another file");
  });
}
