import { BridgeError, codeOf } from "../base/errors.ts";
import { writeFileAtomically } from "../platform/atomic-file.ts";

/**
 * Replaces the content of the file as a whole, or not at all; keeps its permissions, and a symbolic link
 * stays a link. Throws UNWRITABLE.
 */
export async function writeConfigFile(path: string, text: string): Promise<void> {
  try {
    await writeFileAtomically(path, text);
  } catch (cause) {
    if (cause instanceof BridgeError) throw cause;
    const what = `the configuration cannot be written: ${codeOf(cause) || cause}`;
    throw new BridgeError("UNWRITABLE", {
      what,
      where: path,
      fix: "check the folder and its permissions",
      cause,
    });
  }
}
