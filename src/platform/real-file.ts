import { readlinkSync, realpathSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { codeOf } from "../base/errors.ts";

/** The path of a file behind symbolic links, also of one that a link names and that does not exist yet; else the path itself. */
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
