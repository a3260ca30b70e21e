import { readlinkSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { codeOf } from "../base/errors.ts";

/**
 * Resolves symbolic links, also those whose target does not exist yet. Returns the path itself if it cannot
 * be resolved.
 */
export function realFile(path: string): string {
  try {
    return realpathSync(path);
  } catch (failure) {
    const target = codeOf(failure) === "ENOENT" ? linkOf(path) : undefined;
    return target === undefined ? path : realFile(resolve(dirname(path), target));
  }
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
